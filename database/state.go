package database

import (
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// State is the database role: who asked what, and what its backend works on. It does no I/O, reads no clock and starts
// no goroutine; Step is the only way in. It has one owner, the goroutine that runs Run.
//
// What it wants of its backend it does not do: it is taken with Work, run by whoever owns the State, and the outcome
// comes back as a message. Work is made by a Tick only, so that all requests that came before it share batches.
type State struct {
	cfg Config
	now int64 // unix nanoseconds, of the last Tick

	// The schema record as the backend last told it. known: it did.
	known   bool
	version uint32
	schema  *do.Schema // nil: there is none yet

	// Requests about one object stand in one line, in the order of arrival. Every line has a request, waiting or
	// under way; in ready are those that have one waiting and none under way.
	lines   map[do.ID]*line
	ready   []*line
	waiting int // requests that are not under way
	open    int // requests that have no answer

	// What the backend works on.
	works   uint32 // the number given last
	work    []Work // made, not taken yet
	batches map[uint32]*batch
	reading uint32     // number of the work that reads the schema record, 0 if there is none
	writing uint32     // the same of the one that changes it
	offers  []offer    // schemas to merge in; the first may be under way
	unsure  []*request // transactions of which it is not known whether the backend did them
	away    bool       // the backend failed, and no reading has succeeded since
	reason  string     // why it is away
	refusal refusal    // that the backend takes no writes

	// Transactions over several objects. lanes: those about one object, in the order of arrival.
	txs         map[do.ID]*transaction
	txOrder     []*transaction // in the order of arrival; may hold ended ones
	lanes       map[do.ID][]*transaction
	nextTxCheck int64

	counters Counters
}

// Counters count what happened since New, and what there is.
type Counters struct {
	Requests     uint64 // messages that asked for something
	Refused      uint64 // answered with Failed
	Operations   uint64 // given to the backend in batches that came back
	Batches      uint64 // batches that came back
	LastBatch    uint64 // operations of the last of them
	Transactions uint64 // over several objects, committed
	Failures     uint64 // works that ended because the database was away
	Waiting      uint64 // requests that are not under way
	UnderWay     uint64 // batches
	Lag          int64  // nanoseconds: about the age of the oldest request that has no answer
	Refusals     uint64 // writes that the database did not take: it was read-only, or its disk full
	Known        bool   // the schema record was read
	Away         bool
	Refusing     wire.Code // CodeReadOnly or CodeDiskFull: it can be read, and takes no writes, or none to one table
	Reason       string    // why it is away or takes no writes, as the database says it
}

// ErrUnexpected is wrapped by the error about a message that is no database's business.
var ErrUnexpected = errors.New("unexpected message")

// service is where the role is reached, and who its answers are from.
var service = do.Control(do.RoleDatabase)

// New returns a State that does not know the schema record yet.
func New(cfg Config) (*State, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &State{
		cfg: cfg, lines: make(map[do.ID]*line), batches: make(map[uint32]*batch),
		txs: make(map[do.ID]*transaction), lanes: make(map[do.ID][]*transaction),
	}, nil
}

// Start subscribes the service. The first work is to read the schema record.
func (s *State) Start(out *wire.Outbox) {
	out.SendTo(do.Control(do.RoleDirector), service, &wire.AddChannels{Channels: []do.Channel{service}})
}

// Step applies m and appends what it causes to out, in the order in which it must be sent. An error means that m was
// refused and nothing changed; its one error reply is already in out, and the returned error is for log and metrics.
func (s *State) Step(m wire.Message, out *wire.Outbox) error {
	switch b := m.Body.(type) {
	// Requests.
	case *wire.DBCreate:
		return s.create(&m, b, out)
	case *wire.DBGet:
		return s.get(&m, b, out)
	case *wire.DBSet:
		return s.set(&m, b, out)
	case *wire.DBDelete:
		return s.remove(&m, b, out)
	case *wire.DBFind:
		return s.find(&m, b, out)
	case *wire.DBList:
		return s.list(&m, b, out)
	case *wire.DBTransact:
		return s.transact(&m, b, out)
	case *wire.DBOutcome:
		return s.outcome(&m, b, out)
	case *wire.SchemaGet:
		return s.schemaGet(&m, b, out)
	case *wire.SchemaSet:
		return s.schemaSet(&m, b, out)

	// What States say of the objects of transactions.
	case *wire.Frozen:
		s.frozen(b, out)
	case *wire.Thawed:
		s.thawed(b, out)

	// Time, and what the backend did.
	case *wire.Tick:
		s.now = max(s.now, b.Unix)
		s.expireTransactions(out)
		s.makeWork(out)
	case *wire.DBWorked:
		return s.worked(b, out)
	case *wire.DBSchemaIs:
		return s.schemaIs(b, out)

	// What the director says.
	case *wire.ChannelsAdded, *wire.LinkLost:

	default:
		return s.unexpected(&m, out)
	}
	return nil
}

// Work is what the backend is to do now; the caller runs all of it, in whatever order and in parallel if it likes,
// and gives Step what each came to. What was taken is not returned again.
func (s *State) Work() []Work {
	w := s.work
	s.work = nil
	return w
}

// Idle reports whether every request has its answer.
func (s *State) Idle() bool { return s.open == 0 && len(s.offers) == 0 && len(s.txs) == 0 }

// Schema is the cluster's schema; nil while there is none, or it was not read.
func (s *State) Schema() *do.Schema { return s.schema }

// Counters are the counts as of now.
func (s *State) Counters() Counters {
	c := s.counters
	c.Waiting, c.UnderWay, c.Known, c.Away = uint64(s.waiting), uint64(len(s.batches)), s.known, s.away
	c.Refusing, c.Reason = s.refusal.code, s.refusal.text
	if s.tableRefused() {
		c.Refusing, c.Reason = wire.CodeReadOnly, s.refusal.table
	}
	if s.away {
		c.Reason = s.reason
	}
	oldest := s.now
	for _, b := range s.batches {
		oldest = min(oldest, b.requests[0].at)
	}
	if len(s.ready) > 0 {
		oldest = min(oldest, s.ready[0].waiting[0].at)
	}
	c.Lag = s.now - oldest
	return c
}

// unexpected refuses what is no database's business.
func (s *State) unexpected(m *wire.Message, out *wire.Outbox) error {
	if m.Body == nil {
		return fmt.Errorf("database: message without body from %v: %w", m.From, ErrUnexpected)
	}
	switch m.Body.(type) {
	case *wire.Done, *wire.Failed: // an answer is not answered
		return fmt.Errorf("database: %v from %v: %w", m.Body.Type(), m.From, ErrUnexpected)
	}
	err := s.fail(&request{from: m.From, of: m.Body.Type()}, wire.CodeMalformed, "not for a database", out)
	return fmt.Errorf("%w: %w", err, ErrUnexpected)
}
