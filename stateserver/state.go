package stateserver

import (
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// State is everything a state server knows about its partitions. It does no I/O, reads no clock and starts no
// goroutine; Step is the only way in. It has one owner, the goroutine that runs Run.
type State struct {
	// Set by New, then read-only.
	cfg  Config
	self do.Channel // the State's own channel: the sender of what is no object's, and where the database answers

	// The schema; class numbers are places in classes.
	schema        *do.Schema
	schemaVersion uint32
	classes       []*class
	asked         uint32 // context of the SchemaGet on its way, 0: none
	askedAt       int64
	forSchema     []*parking
	touched       uint32 // of no meaning: see touch
	last          bool   // a message is handled again after the newest schema came: an unknown class is an error now

	// The world.
	objects  map[do.ID]*object
	places   map[do.Location]*place
	families map[do.ID]*family // by parent
	away     map[do.ID]*child  // children of objects here that live in other States
	lives    uint32            // incarnations given in this epoch

	// Moves that wait for the chains above them: see probe.go.
	motions   map[do.ID]*motion // by what moves
	travels   []*motion         // in the order of their beginning; decided ones may be among them, not in front
	expected  map[do.ID]int64   // objects below which one of another State may arrive, and until when
	nextPrune int64             // of expected
	cleared   bool              // the message is handled again: its moves make no cycle

	// What is due later. now is the time of the last Tick.
	now        int64
	changed    []*place            // their digests
	hearings   []*object           // whose owners or AIs are due a digest
	partings   []parting           // owners and AIs that lost an object since the last digests
	grounds    []wire.GroundDigest // what was said of zones since then, oldest first
	nextDigest int64
	calls      map[callKey]*call
	deadlines  callHeap
	parked     map[do.ID]*parking
	turns      uint64     // given to what waits
	orphaned   []*parking // whose object went: released at the end of the Step
	releasing  []*parking // whose queues are being handled, each in the one before
	ghosts     ghosts
	farewells  map[do.ID]*farewell // objects whose AI has a last word to say
	parted     []*farewell         // the same, oldest first; ended ones may be among them, not in front
	frosts     []*frost            // held still by transactions, oldest first

	// The database.
	writers   map[do.ID]*writer
	dirty     []*writer // that have something to write and nothing on its way, oldest first
	nextWrite int64
	backoff   int64 // the wait before the next attempt while the database is away
	requests  map[uint32]*dbRequest
	sent      []uint32 // contexts of requests in the order of their sending
	contexts  uint32
	commits   int                 // answers that wait for the database
	refusing  map[uint32]refusing // by class
	nextIdle  int64               // when objects are looked for that nobody uses

	// Memory that is used again.
	channels []do.Channel // slab of recipients for messages to several audiences
	scratch  []found      // see checked

	counters Counters
	deposed  bool // the partitions have a newer owner: see depose
}

// Counters count what happened since New, and what there is.
type Counters struct {
	Objects  uint64 // in memory
	Updates  uint64 // accepted sets and events
	Refused  uint64
	Skipped  uint64 // fields of a Create or Activate that are not kept in memory
	Parked   uint64 // messages that wait for an object
	Dirty    uint64 // objects with db fields to write
	WriteLag int64  // nanoseconds since the oldest unwritten change
	Writes   uint64 // rows written
	Lost     uint64 // writes that the database refused for good
	Calls    uint64 // calls that wait for their AI
	Digests  uint64 // that are due: for what changed since the last ones
}

// ErrUnexpected is wrapped by the error about a message that is no state server's business.
var ErrUnexpected = errors.New("unexpected message")

// director is where subscriptions go.
var director = do.Control(do.RoleDirector)

// New returns a State without objects. It must be started.
func New(cfg Config) (*State, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &State{
		cfg:      cfg.withDefaults(),
		self:     do.ControlOf(do.RoleStateServer, cfg.Instance),
		objects:  make(map[do.ID]*object),
		places:   make(map[do.Location]*place),
		families: make(map[do.ID]*family),
		away:     make(map[do.ID]*child),
		calls:    make(map[callKey]*call),
		parked:   make(map[do.ID]*parking),
		motions:  make(map[do.ID]*motion),
		expected: make(map[do.ID]int64),
		writers:  make(map[do.ID]*writer),
		requests: make(map[uint32]*dbRequest),
		refusing: make(map[uint32]refusing),
	}
	if cfg.Schema != nil {
		s.learn(cfg.Schema)
	}
	return s, nil
}

// Start subscribes the partitions and the service, and asks for the schema.
func (s *State) Start(out *wire.Outbox) {
	ranges := make([]do.Range, len(s.cfg.Partitions))
	for i, p := range s.cfg.Partitions {
		ranges[i] = do.PartitionRange(do.KindObject, p)
	}
	out.SendTo(director, s.self, &wire.AddRanges{Ranges: ranges})
	out.SendTo(director, s.self, &wire.AddChannels{Channels: []do.Channel{do.Control(do.RoleStateServer), s.self}})
	if s.schema == nil {
		s.askSchema(out)
	}
}

// Channel is the State's own channel.
func (s *State) Channel() do.Channel { return s.self }

// Counters are the counts as of now.
func (s *State) Counters() Counters {
	c := s.counters
	c.Objects = uint64(len(s.objects))
	c.Calls = uint64(len(s.calls))
	c.Digests = uint64(len(s.changed) + len(s.hearings) + len(s.partings) + len(s.grounds))
	c.Parked = 0
	for _, p := range s.parked {
		c.Parked += uint64(len(p.queue))
	}
	for _, f := range s.farewells {
		c.Parked += uint64(len(f.queue))
	}
	c.Dirty, c.WriteLag = s.lag()
	return c
}

// Step applies m and appends what it causes to out, in the order in which it must be sent. An error means that m was
// refused and nothing changed; its one error reply is already in out, and the returned error is for log and metrics.
func (s *State) Step(m wire.Message, out *wire.Outbox) error {
	return s.step(&m, 0, out)
}

// step is Step for what may have waited before: with its turn, else 0.
func (s *State) step(m *wire.Message, turn uint64, out *wire.Outbox) error {
	if s.deposed {
		return s.refuseAll(m, out)
	}
	if s.cfg.IdleUnload > 0 {
		s.use(m)
	}
	if len(s.farewells) > 0 {
		if f := s.heldBack(m, out); f != nil {
			return s.holdBack(f, m, out)
		}
	}
	if len(s.parked) > 0 {
		if p := s.park(m, nil); p != nil {
			return s.wait(p, m, turn, out)
		}
	}
	err := s.dispatch(m, out)
	for len(s.orphaned) > 0 {
		p := s.orphaned[0]
		s.orphaned = s.orphaned[1:]
		s.release(p, out)
	}
	return err
}

// dispatch is Step for a message that nothing holds back.
func (s *State) dispatch(m *wire.Message, out *wire.Outbox) error {
	switch b := m.Body.(type) {
	// Fields.
	case *wire.SetFields:
		return s.setFields(m, b, out)
	case *wire.Bundle:
		return s.bundle(m, b, out)
	case *wire.GetField:
		return s.getField(m, b, out)
	case *wire.GetFields:
		return s.getFields(m, b, out)
	case *wire.GetAll:
		return s.getAll(m, b, out)
	case *wire.DeleteFields:
		return s.deleteFields(m, b, out)

	// Life.
	case *wire.Create:
		return s.create(m, b, out)
	case *wire.Activate:
		return s.activate(m, b, out)
	case *wire.GetClass:
		return s.getClass(m, b, out)
	case *wire.GetActivated:
		return s.getActivated(m, b, out)
	case *wire.Unload:
		return s.unload(m, b, out)
	case *wire.DeleteRAM:
		return s.deleteRAM(m, b, out)
	case *wire.DeleteDisk:
		if b.Context == 0 && !slices.Contains(m.To, do.ObjectChannel(b.DO)) {
			return nil // told to an audience that this State shares
		}
		return s.deleteDisk(m, b, out)
	case *wire.DeleteChildren:
		return s.deleteChildren(m, b, out)
	case *wire.DeleteZones:
		return s.deleteZones(m, b, out)
	case *wire.DeleteAIObjects:
		return s.deleteAIObjects(m, b, out)

	// Place.
	case *wire.SetLocation:
		return s.setLocation(m, b, out)
	case *wire.GetLocation:
		return s.getLocation(m, b, out)
	case *wire.ChangingLocation:
		s.childMoved(m, b, out)
	case *wire.LocationAck:
		s.listed(m, b, out)
	case *wire.WakeChildren:
		s.wakened(b, out)
	case *wire.LinkLost:
		s.linkLost(b, out)
	case *wire.ChildrenHere:
		s.childrenSaid(m, b, out)
	case *wire.ChildrenKnown:
		s.childrenKnown(m, b, out)
	case *wire.AskChildren:
		s.childrenAsked(b, out)
	case *wire.Probe:
		s.probe(b, out)
	case *wire.Probed:
		s.probed(b, out)

	// AI and owner.
	case *wire.SetAI:
		return s.setAI(m, b, out)
	case *wire.GetAI:
		return s.getAI(m, b, out)
	case *wire.GetAIResp:
		s.parentsAI(m, b, out)
	case *wire.ChangingAI:
		s.parentChangedAI(m, b, out)
	case *wire.SetOwner:
		return s.setOwner(m, b, out)
	case *wire.GetOwner:
		return s.getOwner(m, b, out)
	case *wire.LastWord:
		s.lastWord(b, out)
	case *wire.AskAIEntered:
		s.sayEntered(b.Root, b.DOs, b.AI, out)
	case *wire.AskHeld:
		s.sayHeld(b, out)

	// Questions about zones.
	case *wire.GetZonesObjects:
		return s.getZonesObjects(m, b, out)
	case *wire.AskEntries:
		return s.askEntries(m, b, out)
	case *wire.GetChildren:
		return s.getChildren(m, b, out)
	case *wire.GetZonesCount:
		return s.getZonesCount(m, b, out)
	case *wire.GetChildCount:
		return s.getChildCount(m, b, out)
	case *wire.GetActiveZones:
		return s.getActiveZones(m, b, out)

	// Calls.
	case *wire.Call:
		return s.call(m, b, out)

	// Transactions over several objects.
	case *wire.Freeze:
		s.freeze(b, out)
	case *wire.Thaw:
		s.thaw(b, out)

	// Time, the schema, and the database's answers.
	case *wire.Tick:
		s.tick(b.Unix, out)
	case *wire.SchemaRecord:
		return s.schemaRecord(b, out)
	case *wire.DBObject, *wire.DBDecided, *wire.Done, *wire.Failed:
		if slices.Contains(m.To, s.self) {
			return s.answer(b, out)
		}

	// What others say to audiences that a State happens to share.
	// Requests to the database whose answers a lost link took end by their time-out.
	case *wire.ChannelsAdded, *wire.CallReply, *wire.DBChanged, *wire.Update, *wire.Deleted, *wire.EnterLocation,
		*wire.EnterAI, *wire.EnterOwner, *wire.ChangingOwner, *wire.Digest, *wire.HeldDigest, *wire.GroundDigest, *wire.AIEntered, *wire.AskLastWord:

	default:
		return s.unexpected(m, out)
	}
	return nil
}

// answer takes an answer to the State itself, which asks nobody but the database. One to an object of it (to a question
// of a child for its parent's AI, say) has contexts of its own.
func (s *State) answer(b wire.Body, out *wire.Outbox) error {
	switch b := b.(type) {
	case *wire.DBObject:
		s.loaded(b, out)
	case *wire.DBDecided:
		s.outcomeIs(b, out)
	case *wire.Done:
		s.written(b, out)
	case *wire.Failed:
		return s.dbFailed(b, out)
	}
	return nil
}

// tick does what is due at the time.
func (s *State) tick(now int64, out *wire.Outbox) {
	if now > s.now {
		s.now = now
	}
	s.expireCalls(out)
	s.expireRequests(out)
	s.expireMotions(out)
	s.askOutcomes(out)
	s.expireFarewells(out)
	s.unloadIdle(out)
	s.writeDue(out)
	s.digestsDue(out)
	if s.asked != 0 && s.now-s.askedAt >= schemaRetry {
		s.askSchema(out)
	}
}

// request is what an answer needs to know of what it answers.
type request struct {
	from    do.Channel
	context uint32
	of      wire.Type
	id      do.ID
	serial  uint16 // of a latest set
	latest  bool
}

// Refusal says why a message was refused.
type Refusal struct {
	Of   wire.Type
	DO   do.ID
	Code wire.Code
	Text string
}

func (r *Refusal) Error() string {
	s := fmt.Sprintf("stateserver: %v %v: %v", r.Of, r.DO, r.Code)
	if r.Text != "" {
		s += ": " + r.Text
	}
	return s
}

// fail answers that the request is refused and returns the error for the log.
func (s *State) fail(r request, code wire.Code, text string, out *wire.Outbox) error {
	return s.failWith(r, &wire.Failed{Code: code, Text: text}, out)
}

// failWith is fail with an answer that says more.
func (s *State) failWith(r request, f *wire.Failed, out *wire.Outbox) error {
	f.Context, f.Of, f.DO = r.context, r.of, r.id
	if r.latest {
		f.Serial, f.Latest = r.serial, true // by this the writer knows what was refused
	}
	s.counters.Refused++
	if r.from != director { // which asks nothing, and would take it for a control message (rule 5)
		out.SendTo(r.from, s.speaker(r.id), f)
	}
	return &Refusal{Of: r.of, DO: r.id, Code: f.Code, Text: f.Text}
}

// done answers that the request was done, if the asker wants to know.
func (s *State) done(r request, o *object, out *wire.Outbox) {
	if r.context == 0 {
		return
	}
	d := out.Done()
	d.Context, d.Of, d.DO = r.context, r.of, r.id
	if o != nil {
		d.Version, d.Now = o.version(), o.serial
	}
	out.SendTo(r.from, s.speaker(r.id), d)
}

// speaker is the sender of an answer about id.
func (s *State) speaker(id do.ID) do.Channel {
	if id.IsZero() {
		return s.self
	}
	return do.ObjectChannel(id)
}

// unexpected refuses what is no state server's business.
func (s *State) unexpected(m *wire.Message, out *wire.Outbox) error {
	if m.Body == nil {
		return fmt.Errorf("stateserver: message without body from %v: %w", m.From, ErrUnexpected)
	}
	err := s.fail(request{from: m.From, of: m.Body.Type()}, wire.CodeMalformed, "not for a state server", out)
	return fmt.Errorf("%w: %w", err, ErrUnexpected)
}

// audience gives a recipient list for a message to several: the channels that are not zero, each once.
func (s *State) audience(list ...do.Channel) []do.Channel {
	if cap(s.channels)-len(s.channels) < len(list) {
		s.channels = make([]do.Channel, 0, max(64, len(list)))
	}
	from := len(s.channels)
next:
	for _, c := range list {
		if c.IsZero() {
			continue
		}
		for _, had := range s.channels[from:] {
			if had == c {
				continue next
			}
		}
		s.channels = append(s.channels, c)
	}
	to := len(s.channels)
	return s.channels[from:to:to]
}
