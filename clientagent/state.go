package clientagent

import (
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// State is everything that an agent knows: its sessions, and of the objects as much as they see. It does no I/O,
// reads no clock and starts no goroutine; Step is the only way in, Flush the only way out to clients. It has one owner.
type State struct {
	cfg  Config
	self do.Channel // where answers to the agent's own questions go
	now  int64      // unix nanoseconds, from the last Tick
	seq  uint64     // Steps so far
	out  *wire.Outbox

	schema     *do.Schema // nil until there is one
	record     *wire.SchemaRecord
	uberdogs   map[do.ID]binding
	schemaAsk  int64 // when it was last asked for
	sweepAt    int64 // when deadlines are looked at next
	swept      int   // how many of order had their turn in this round
	contextNow uint32

	sessions  map[do.ID]*session
	order     []*session // each knows its index
	accounts  map[do.ID][]*session
	channels  map[do.Channel][]*session // opened by OpenChannel
	doomed    []*session                // ejected in this Step
	dirty     []*session                // with output, in the order in which they got it
	fed       []*place                  // whose feeds may owe something, in the order in which they got it
	unwritten []*session                // whose output was handed over and may not be written
	owed      uint64                    // frames that sessions were owed since the beginning

	loadedBytes int  // by openings since the last flush
	repairing   bool // what entries show is what a repair brought

	objects  map[do.ID]*object
	aliases  aliases
	places   map[do.Location]*place
	parents  map[do.ID]int       // places and grounds below each parent
	waiting  map[uint32][]*place // by the context of their subscription
	openings map[uint32]*opening // by context
	openList []*opening          // by age
	asks     map[uint32]*object  // gaps that were asked about, by context
	requests requests
	moving   []arrival // by time

	zoned      bool // some class of the schema has a grid, edges, or zones to open
	grounds    map[do.ID]*ground
	groundList []*ground // by age
	groundSubs map[uint32]*ground
	groundAsks map[uint32]*ground
	regrounded bool      // in this Step a ground came to be known, or changed, or is asked for
	shifted    []shifted // in this Step
	autos      []auto    // in this Step

	repeats []repeat // by time

	backlogs []Backlog  // of Backlogged
	targets  []*session // of the message at hand
	naming   uint64     // how often these were looked for: who was found has that number
	moved    []int      // of trimFeed

	feedLeast int // how many values a feed may have, whoever was told of them; a test has less
	enc       encodings
	slab      slab
	stats     Stats

	beforeDecode func(b []byte) // a test's hook into the guarded part; nil otherwise
}

// binding is an UberDOG as the schema declares it.
type binding struct {
	class     *do.Class
	anonymous bool
}

// errRefused is wrapped by what Step returns for a message that changed nothing.
var errRefused = errors.New("refused")

// New makes an agent without sessions. Start sends what it needs before it can serve any.
func New(cfg Config) (*State, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &State{
		cfg:      cfg,
		self:     do.ControlOf(do.RoleClientAgent, cfg.Instance),
		uberdogs: map[do.ID]binding{},
		sessions: map[do.ID]*session{},
		accounts: map[do.ID][]*session{},
		channels: map[do.Channel][]*session{},
		objects:  map[do.ID]*object{},
		places:   map[do.Location]*place{},
		parents:  map[do.ID]int{},
		waiting:  map[uint32][]*place{},
		openings: map[uint32]*opening{},
		asks:     map[uint32]*object{},

		feedLeast: 64,

		grounds: map[do.ID]*ground{}, groundSubs: map[uint32]*ground{}, groundAsks: map[uint32]*ground{},
	}, nil
}

// Start subscribes to the agent's channels and asks for the schema.
func (s *State) Start(out *wire.Outbox) {
	s.out = out
	s.control(&wire.AddChannels{Channels: []do.Channel{s.self, do.Control(do.RoleClientAgent), do.AllClients()}})
	s.askSchema()
	s.out = nil
}

// Step applies m and appends what it causes to out, in the order in which it must be sent. What goes to clients waits
// for Flush. An error means that m was refused and nothing changed; its one error reply is already in out.
func (s *State) Step(m wire.Message, out *wire.Outbox) error {
	s.out = out
	s.seq++
	err := s.step(&m)
	s.settleAreas()
	s.settle()
	s.out = nil
	return err
}

// step is one flat switch on what the message says.
func (s *State) step(m *wire.Message) error {
	switch b := m.Body.(type) {
	// From the shell.
	case *wire.Tick:
		s.tick(b.Unix)
	case *wire.SessionOpened:
		return s.sessionOpened(b)
	case *wire.SessionFrames:
		return s.sessionFrames(b)
	case *wire.SessionClosed:
		s.sessionClosed(b)
	case *wire.SessionDrained:
		s.sessionDrained(b)

	// From the director and the database.
	case *wire.ChannelsAdded:
		s.channelsAdded(b)
	case *wire.LinkLost:
		s.linkLost(b)
	case *wire.SchemaRecord:
		return s.schemaRecord(b)

	// About objects, to those who see or own them.
	case *wire.Update:
		s.update(m, b)
	case *wire.SetFields:
		s.directed(m, b.DO, b.Fields)
	case *wire.EnterLocation:
		s.enterLocation(&b.Entry)
	case *wire.ChangingLocation:
		s.changingLocation(m, b)
	case *wire.Deleted:
		s.deleted(b)
	case *wire.EnterOwner:
		s.enterOwner(m, &b.Entry)
	case *wire.ChangingOwner:
		s.changingOwner(m, b)
	case *wire.GroundDigest:
		s.groundDigest(b)
	case *wire.Digest:
		s.digest(b)
	case *wire.HeldDigest:
		s.heldDigest(m, b)
	case *wire.Call:
		s.called(m, b)

	// Answers to the agent's questions.
	case *wire.ZonesObjects:
		s.zonesObjects(b)
	case *wire.ZoneEntries:
		s.zoneEntries(b)

	// Answers to what clients sent.
	case *wire.Done:
		s.answeredDone(m, b)
	case *wire.Failed:
		s.answeredFailed(m, b)
	case *wire.GetFieldsResp:
		s.answeredFields(b)
	case *wire.CallReply:
		s.answeredCall(m, b)

	// The cluster's word about sessions.
	case *wire.SetState:
		return s.each(m, b.Context, func(t *session) { s.setState(t, b.State) })
	case *wire.SetClientID:
		return s.each(m, b.Context, func(t *session) { s.setClientID(t, b.Account) })
	case *wire.Eject:
		return s.each(m, b.Context, func(t *session) { s.eject(t, b.Reason, b.Text) })
	case *wire.Drop:
		return s.each(m, b.Context, func(t *session) { s.drop(t) })
	case *wire.DeclareObject:
		return s.declare(m, b)
	case *wire.UndeclareObject:
		return s.each(m, b.Context, func(t *session) { s.undeclare(t, b.DO) })
	case *wire.AddSessionObject:
		return s.each(m, b.Context, func(t *session) { s.addSessionObject(t, b.DO) })
	case *wire.RemoveSessionObject:
		return s.each(m, b.Context, func(t *session) { s.removeSessionObject(t, b.DO) })
	case *wire.SetFieldsSendable:
		return s.each(m, b.Context, func(t *session) { s.setSendable(t, b.DO, b.Fields) })
	case *wire.OpenChannel:
		return s.each(m, b.Context, func(t *session) { s.openChannel(t, b.Channel) })
	case *wire.CloseChannel:
		return s.each(m, b.Context, func(t *session) { s.closeChannel(t, b.Channel) })
	case *wire.SessionPostRemove:
		return s.each(m, b.Context, func(t *session) { s.addPostRemove(t, b.Message) })
	case *wire.ClearSessionPostRemoves:
		return s.each(m, b.Context, func(t *session) { s.clearPostRemoves(t) })
	case *wire.GetNetworkAddress:
		s.networkAddress(m, b)
	case *wire.SessionInterest:
		return s.serverInterest(m, b)
	case *wire.RemoveSessionInterest:
		return s.removeServerInterest(m, b)
	case *wire.SessionFollow:
		return s.sessionFollow(m, b)
	case *wire.PermitInterest:
		return s.each(m, b.Context, func(t *session) { s.permit(t, b) })

	// What the channels of parents bring besides Deleted: their children's affair.
	case *wire.WakeChildren:
		if g := s.grounds[b.Parent]; g != nil && (g.known || g.asked != 0) {
			s.askGround(g)
		}
	case *wire.DeleteChildren, *wire.ChangingAI:

	// That an object which is in memory has no row any more is nothing that a client could see.
	case *wire.DeleteDisk:

	default:
		return fmt.Errorf("clientagent: %s from %s: %w", m.Body.Type(), m.From, errRefused)
	}
	return nil
}

// settle ends the sessions that were ejected during the Step: not before, since loops over viewers were running.
func (s *State) settle() {
	for i := 0; i < len(s.doomed); i++ {
		s.end(s.doomed[i])
	}
	clear(s.doomed)
	s.doomed = s.doomed[:0]
}

// control sends b to the director, which handles it at this place of the outbox.
func (s *State) control(b wire.Body) {
	s.out.SendTo(do.Control(do.RoleDirector), s.self, b)
}

// context is a fresh context for a question of the agent's own.
func (s *State) context() uint32 {
	s.contextNow++
	if s.contextNow == 0 {
		s.contextNow = 1
	}
	return s.contextNow
}

// sweepEvery is how often deadlines are looked at, nanoseconds.
const sweepEvery = int64(50e6)

// tick takes the time over, and does what is due.
func (s *State) tick(unix int64) {
	if unix <= s.now {
		return
	}
	s.now = unix
	s.repeatLatest()
	if unix < s.sweepAt {
		return
	}
	s.sweepAt = unix + sweepEvery
	s.sweepOpenings()
	s.sweepGrounds()
	s.sweepRequests()
	s.sweepMoving()
	s.sweepSessions()
	if s.schema == nil {
		s.askSchema()
	}
}
