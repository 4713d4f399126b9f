package sim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"time"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// world is one simulated cluster.
type world struct {
	calendar
	opts  Options
	rand  *rand.Rand
	hash  hash.Hash
	steps int

	net        network
	states     []*shard
	agents     []*agent
	everyAgent []*agent // those that died, too
	db         *databaseRole
	backend    *witness
	refusing   bool // it takes no writes
	tool       *participant
	down       bool              // there are no servers
	servers    uint64            // States and agents that were made
	statesLost int64             // until when links of States were cut last, or one died
	tools      uint32            // requests of the tool
	schema     *do.Schema        // of the cluster: the game's, and more
	wild       map[string][]wild // random fields by class; only looked up
	wilds      []do.ID           // objects of random classes
	wildClass  map[do.ID]string
	ais        []*actor // by place; one that died is replaced
	clients    []*actor
	game       *do.Registry
	running    *actor // whose repository runs now

	ids    []do.ID      // of everything that was made or is to be made, in this order
	stored []do.ID      // what the database has
	tied   map[tie]bool // session objects
	places map[do.ID]bool

	posts     []do.ID // of all that AIs put back
	lives     uint64  // of posts, in all
	living    map[do.ID]uint64
	diaries   [aiCount]do.ID
	stocked   map[do.ID]bool // diaries that have a row
	pages     [aiCount]uint64
	borrowed  [aiCount]int64 // when another AI had it last
	unwritten [aiCount]int64 // when a State died with pages that its row does not have

	policies [agentCount]clientagent.InterestPolicy
	playing  bool
	mild     bool // nothing is slow or lost any more

	ledger   ledger
	watch    situations
	told     chronicle
	trades   trades
	trace    trace
	named    map[string]int
	count    Counters
	problems []string
}

// tie is an object that was to live and die with a session.
type tie struct {
	session do.Channel
	id      do.ID
}

// The size of a world.
const (
	partitions = 4
	aiCount    = 3
	agentCount = 2
)

// shard is one State with its shell.
type shard struct {
	*participant
	state *stateserver.State
	out   wire.Outbox
}

// databaseRole is the database with its shell.
type databaseRole struct {
	*participant
	state *database.State
	out   wire.Outbox
}

func newWorld(seed uint64, opts Options) (*world, error) {
	w := &world{
		opts: opts, rand: rand.New(rand.NewPCG(seed, 0x6f747064)), hash: sha256.New(), playing: true,
		tied: map[tie]bool{}, named: map[string]int{},
		places: map[do.ID]bool{}, living: map[do.ID]uint64{}, stocked: map[do.ID]bool{},
	}
	w.now = epoch
	w.trace.names = map[do.ID]string{gateID: "gate"}
	w.net = network{w: w, table: messagedirector.NewTable(seed), hosted: map[*participant][]do.Range{}}
	w.ledger.w, w.watch.w, w.watch.present = w, w, map[do.ID]presence{}
	w.told = chronicle{w: w, lands: map[do.ID][]landSince{}, stays: map[do.ID][]stay{}, died: map[do.ID]int64{}}
	w.trades = trades{w: w, byTx: map[do.ID]*trade{}, byNumber: map[uint64]*trade{}, questions: map[question]*trade{}}
	var err error
	if w.game, err = w.registry(); err != nil {
		return nil, err
	}
	if w.schema, err = do.ParseSchema([]byte(w.grow(string(w.game.Schema().Text())))); err != nil {
		return nil, fmt.Errorf("sim: random schema: %w", err)
	}
	w.trace.schema, w.wildClass = w.schema, map[do.ID]string{}
	w.policies[1] = pick(w, []clientagent.InterestPolicy{
		clientagent.InterestAny, clientagent.InterestVisible, clientagent.InterestPermitted, clientagent.InterestPermitted,
	})
	if err := w.build(); err != nil {
		return nil, fmt.Errorf("sim: build the cluster: %w", err)
	}
	return w, nil
}

// build makes the servers, then lets AIs and clients come.
func (w *world) build() error {
	w.backend = &witness{database.NewMemory(), w}
	w.states, w.agents = make([]*shard, len(shardPartitions)), make([]*agent, agentCount)
	if err := w.buildServers(); err != nil {
		return err
	}
	w.trace.names[toolChannel.ID] = "tool"
	for i := range aiCount {
		w.ais = append(w.ais, nil)
		w.after(w.within(50*ms)+80*ms, func() { w.startAI(i) })
	}
	w.offerSchema()
	for i := range 8 + w.rand.IntN(9) {
		c := &actor{w: w, place: i, name: fmt.Sprint("client", i+1)}
		w.clients = append(w.clients, c)
		w.after(300*ms+w.within(second), func() { c.dial() })
	}
	w.every(25*ms, w.tickServers)
	w.every(25*ms, w.tickRepositories)
	if !w.opts.Calm {
		w.every(450*ms, w.disturb)
	}
	return nil
}

// buildServers makes all servers, and lets the tool come.
func (w *world) buildServers() error {
	if err := w.buildDatabase(); err != nil {
		return err
	}
	for i := range w.states {
		if err := w.buildShard(i); err != nil {
			return err
		}
	}
	for i := range w.agents {
		if err := w.buildAgent(i); err != nil {
			return err
		}
	}
	w.tool = w.net.join("tool", true, func(wire.Message) {})
	w.net.route(w.tool, []wire.Message{{
		To: []do.Channel{do.Control(do.RoleDirector)}, From: toolChannel, Body: &wire.AddChannels{Channels: []do.Channel{toolChannel}},
	}})
	return nil
}

// buildDatabase makes the database role, over a backend that outlives it.
func (w *world) buildDatabase() error {
	state, err := database.New(database.Config{Partitions: partitions, Batch: 8, Workers: 2, FreezeTimeout: 2 * time.Second})
	if err != nil {
		return err
	}
	d := &databaseRole{state: state}
	name := "database"
	if w.count.DatabasesDied > 0 {
		name = fmt.Sprint("database.", w.count.DatabasesDied+1)
	}
	d.participant = w.net.join(name, false, func(m wire.Message) {
		_ = d.state.Step(m, &d.out) // refusals are answers
		w.flushDatabase(d)
	})
	w.db = d
	state.Start(&d.out)
	w.flushDatabase(d)
	return nil
}

// flushDatabase sends what the database role said, and has its work done, each piece after its own while. Now and then the
// backend fails: before it did the work, or after. What a role had asked for when it died, the backend may do or not.
func (w *world) flushDatabase(d *databaseRole) {
	w.net.route(d.participant, d.out.Messages)
	d.out.Reset()
	for _, work := range d.state.Work() {
		w.after(w.delay()+w.within(8*ms), func() {
			ctx := context.Background()
			fails := !w.mild && w.rand.IntN(40) == 0
			if fails {
				w.count.DatabaseAway++
				if w.rand.IntN(2) == 0 {
					work.Run(ctx, w.backend) // it was done, and nobody heard
				}
				w.backend.Fail(database.ErrUnavailable)
			}
			if d.gone && w.rand.IntN(2) == 0 {
				w.backend.Fail(nil)
				return
			}
			w.refuseWrites()
			m := work.Run(ctx, w.backend)
			w.backend.Fail(nil)
			if d.gone {
				return
			}
			w.steps++
			w.record("", "backend", d.name, m)
			_ = d.state.Step(m, &d.out)
			_ = d.state.Step(w.tickOf(d.participant), &d.out)
			w.flushDatabase(d)
		})
	}
}

// refuseWrites begins now and then a while in which the database is read and takes no writes.
func (w *world) refuseWrites() {
	if w.mild || w.refusing || w.rand.IntN(150) != 0 {
		return
	}
	w.count.DatabaseRefuses++
	w.refusing = true
	w.backend.Refuse([]error{database.ErrReadOnly, database.ErrFull}[w.rand.IntN(2)])
	w.after(w.within(3*second), w.takeWrites)
}

func (w *world) takeWrites() {
	w.refusing = false
	w.backend.Refuse(nil)
}

// server gives an id to a State or an agent.
func (w *world) server() do.ID {
	w.servers++
	return do.WellKnown(10_000 + w.servers)
}

// shardPartitions says which State has which partitions.
var shardPartitions = [][]do.Partition{{0, 1}, {2, 3}, {4}}

func (w *world) buildShard(i int) error {
	parts := shardPartitions[i]
	w.takeWrites() // who starts on a database that takes no writes waits for it
	epoch, err := w.backend.RaiseEpoch(context.Background(), parts)
	if err != nil {
		return err
	}
	id := w.server()
	name := w.name(id, fmt.Sprint("state", i+1, "."))
	s := &shard{}
	s.state, err = stateserver.New(stateserver.Config{
		Instance: id, Partitions: parts, Epoch: epoch,
		AnswerTimeout: 2 * time.Second, CallTimeout: 2 * time.Second, LastWord: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	s.participant = w.net.join(name, i > 0, func(m wire.Message) { w.stepShard(s, m) })
	w.states[i] = s
	s.state.Start(&s.out)
	w.net.route(s.participant, s.out.Messages)
	s.out.Reset()
	return nil
}

// stepShard gives a State one message. A sample of the refused ones is watched for changing nothing.
func (w *world) stepShard(s *shard, m wire.Message) {
	var before [32]byte
	watched := w.rand.IntN(16) == 0
	if watched {
		before = digestOf(s.state)
	}
	err := s.state.Step(m, &s.out)
	if err != nil {
		w.count.Refused++
		if watched && before != digestOf(s.state) {
			w.problem("%s changed by a message that it refused: %v: %v", s.name, m, err)
		}
	}
	w.net.route(s.participant, s.out.Messages)
	s.out.Reset()
}

func (w *world) buildAgent(i int) error {
	id := w.server()
	name := w.name(id, fmt.Sprint("agent", i+1, "."))
	a := &agent{w: w, policy: w.policies[i], heard: heardOf{w: w, stays: map[do.ID]heardAt{}}}
	var err error
	a.state, err = clientagent.New(clientagent.Config{
		Instance: id, Heartbeat: 4 * time.Second, OpeningTimeout: 1500 * time.Millisecond, History: 2 * time.Second,
		AliasRest: 300 * time.Millisecond, Interests: a.policy, RequestTimeout: 3 * time.Second, CallTimeout: 2 * time.Second,
		WriteStall: 2 * time.Second, Behind: 4 << 10, Backlog: 256 << 10,
	})
	if err != nil {
		return err
	}
	a.conns = map[do.ID]*conn{}
	a.participant = w.net.join(name, true, func(m wire.Message) {
		a.heard.observe(m)
		a.step(m)
	})
	w.agents[i], w.everyAgent = a, append(w.everyAgent, a)
	a.state.Start(&a.out)
	a.flush()
	return nil
}

// every does f again and again, at slightly varying distances, until the world ends.
func (w *world) every(d int64, f func()) {
	w.after(d/2+w.within(d), func() {
		f()
		w.every(d, f)
	})
}

func (w *world) tickServers() {
	for _, s := range w.states {
		if s.gone {
			continue
		}
		tick, next := w.tickOf(s.participant), s.state.Next()
		_ = s.state.Step(tick, &s.out)
		if len(s.out.Messages) > 0 && (next == 0 || next > s.latest) {
			w.problem("%s: a tick does what Next did not announce (%d): %v", s.name, next-w.now, s.out.Messages[0])
		}
		w.net.route(s.participant, s.out.Messages)
		s.out.Reset()
	}
	if !w.db.gone {
		_ = w.db.state.Step(w.tickOf(w.db.participant), &w.db.out)
		w.flushDatabase(w.db)
	}
	for _, a := range w.agents {
		if !a.gone {
			a.tick()
		}
	}
}

// tickOf is a tick of the participant's clock.
func (w *world) tickOf(p *participant) wire.Message {
	p.latest = max(p.latest, w.now+p.skew)
	return wire.Message{Body: &wire.Tick{Unix: w.now + p.skew}}
}

func (w *world) tickRepositories() {
	for _, a := range w.ais {
		if a != nil {
			a.run(func() { a.ai.Tick(w.now + a.part.skew) })
		}
	}
	for _, c := range w.clients {
		if c.client != nil {
			c.run(func() { c.client.Tick(w.now) })
		}
	}
}

// within draws a time below d.
func (w *world) within(d int64) int64 { return w.rand.Int64N(d) }

// chance is true in percent of a hundred cases.
func (w *world) chance(percent int) bool { return w.rand.IntN(100) < percent }

// delay draws how long a message is under way: mostly below a millisecond or two, sometimes long.
func (w *world) delay() int64 {
	switch n := w.rand.IntN(100); {
	case w.mild || n < 60:
		return 50_000 + w.within(ms)
	case n < 96:
		return w.within(8 * ms)
	}
	return w.within(80 * ms)
}

// play lets everything happen until there were enough steps.
func (w *world) play() {
	for w.steps < w.opts.Steps && len(w.problems) == 0 {
		w.step()
	}
	w.playing, w.mild = false, true
}

// quietFor is how long time goes on after the actors stop: longer than every time-out, and than two digests, even after
// the afterword.
const (
	quietFor       = 9 * second
	afterwordAfter = 3 * second
)

// calm lets the world come to rest.
func (w *world) calm() {
	w.after(afterwordAfter, w.afterword)
	for end := w.now + quietFor; w.now < end && len(w.problems) == 0; {
		w.step()
	}
}

// close ends the repositories: their coroutines must not be left behind.
func (w *world) close() {
	w.playing = false
	for _, a := range w.ais {
		if a != nil {
			a.generated = -1
			a.run(func() { a.ai.Close() })
		}
	}
	for _, c := range w.clients {
		if c.client != nil {
			c.run(func() { c.client.Close() })
		}
	}
}

// counters are those of the world with those that its parts keep.
func (w *world) counters() Counters {
	c := w.count
	for _, a := range w.everyAgent {
		s := a.state.Stats()
		c.AliasesReused += int(s.AliasesReused)
		c.Repairs += int(s.Repairs + s.Gaps)
		for _, e := range s.Ejects {
			c.Ejects += int(e.Count)
		}
		if s.Panics > 0 {
			w.problem("%s caught a panic: %s", a.name, s.LastPanic)
		}
	}
	return c
}
