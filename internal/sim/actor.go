package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// actor is whoever has a repository: an AI, or a client.
type actor struct {
	w     *world
	name  string
	place int

	// An AI.
	ai       *repository.AI
	part     *participant
	instance do.ID
	watches  []*repository.Watch
	vaults   map[do.Partition][]do.ID
	stands   [partitions + 1]do.ID // its posts, by slot
	lastWord uint64                // the last page of its diary
	lastAt   int64
	lastFar  bool  // it had been cut off
	lostAt   int64 // when a link to States was lost last
	isAway   bool
	openings []opening // of its own interests
	borrowed bool      // it has the diary of another place, or tries to
	rejoined int64     // when it came back last

	// A client.
	client    *repository.Client
	conn      *conn
	dialled   int
	entering  bool // its login is under way
	handles   []*repository.Handle
	follows   map[*repository.Handle]followed
	permitted map[do.ID]permit // by parent, as the game told it
	granted   map[do.ID]bool   // objects whose Secret it may set

	generated, ended int // lives of objects
	tasks            int // handlers that have not ended
}

// run runs f on the actor's loop and sends what it wants to send.
func (a *actor) run(f func()) {
	before := a.w.running
	a.w.running = a
	f()
	a.w.running = before
	if before == a {
		return
	}
	if a.ai != nil {
		a.judgeDones()
		a.w.net.route(a.part, a.ai.TakeOutput())
	}
	if a.client != nil && a.conn != nil {
		out := a.client.TakeOutput()
		a.conn.send(out.Stream, out.Datagrams)
	}
}

// task runs fn as a handler; done is told what became of it. Each that begins ends, whatever is lost.
func (a *actor) task(fn func(ctx context.Context) error, done func(err error)) {
	a.tasks++
	a.state().Do(context.Background(), fn, func(err error) {
		a.tasks--
		done(err)
	})
}

// later lets the actor act again and again while the world plays.
func (a *actor) later(mean int64, alive func() bool, act func()) {
	a.w.after(a.w.within(2*mean), func() {
		if !a.w.playing || !alive() {
			return
		}
		act()
		a.later(mean, alive, act)
	})
}

// config is what repositories are made with.
func (a *actor) config(side do.Side) repository.Config {
	return repository.Config{
		Registry: a.w.game, Side: side, Random: a.w.rand.Uint64, Timeout: 3 * time.Second,
		Report: func(err error) { a.w.note(a.name, "report: %v", err) },
	}
}

// startAI lets an AI come.
func (w *world) startAI(i int) {
	switch {
	case !w.playing:
		return
	case w.down:
		w.after(w.within(300*ms), func() { w.startAI(i) })
		return
	}
	a := &actor{w: w, place: i, instance: do.NewID(0, w.now/ms, w.rand.Uint64())}
	a.name = w.name(a.instance, fmt.Sprint("ai", i+1, "."))
	a.ai = repository.NewAI(a.config(do.SideAI), repository.AIConfig{Instance: a.instance, Restore: a.restore})
	a.join()
	w.ais[i] = a
	a.run(func() { a.ai.Start(w.now) })
	a.run(func() { a.ai.OnReady(a.settle) })
}

// killAI ends an AI: some of what it sent last may be lost with it.
func (w *world) killAI(i int) {
	a := w.ais[i]
	w.ais[i] = nil
	w.count.AIsDied++
	switch p := a.part; {
	case p.gone:
		w.net.runWill(p)
	default:
		if w.chance(50) {
			for _, l := range p.links {
				w.net.lose(l)
			}
		}
		w.net.leave(p)
	}
	a.w.running = a
	a.ai.Close()
	a.w.running = nil
	a.checkTasks()
}

// alive reports whether the AI is still the one at its place.
func (a *actor) alive() bool { return a.w.ais[a.place] == a }

// settle begins the AI's work: the gate, the roots, and its vaults.
func (a *actor) settle() {
	if a.ai.Err() != nil {
		a.w.problem("%s: %v", a.name, a.ai.Err())
		return
	}
	if a.place == 0 {
		a.serve()
	}
	a.makePurses()
	a.vaults = map[do.Partition][]do.ID{}
	a.begin()
	a.later(25*ms, a.alive, a.actAI)
}

func (a *actor) serve() {
	g := do.New[gateUD]()
	g.p = a
	if err := a.ai.Serve(gateID, g); err != nil {
		a.w.problem("%s: %v", a.name, err)
	}
}

// found makes a root, if it is not there.
func (a *actor) found(ctx context.Context, id do.ID) error {
	if a.ai.Find(id) != nil {
		return nil
	}
	p := do.New[placeAI]()
	p.life.p, p.Name = a, "root"
	a.w.places[id] = true
	if a.w.trace.names[id] == "" {
		a.w.name(id, "root")
		a.w.ids = append(a.w.ids, id)
	}
	if err := a.ai.Create(p, repository.Place{ID: id}); err != nil {
		return err
	}
	a.w.count.PutBack++
	if err := a.ai.Created(ctx, &p.Object); err != nil {
		return err
	}
	a.lay(p)
	return nil
}

// create makes an object and gives it a name.
func (a *actor) create(target any, at repository.Place, kind string) bool {
	if at.ID.IsZero() {
		part := at.Partition
		if part == 0 {
			part = do.Partition(a.w.rand.IntN(partitions) + 1)
		}
		at.ID = do.NewID(part, a.w.now/ms, a.w.rand.Uint64())
		a.w.name(at.ID, kind)
		a.w.ids = append(a.w.ids, at.ID)
	}
	if err := a.ai.Create(target, at); err != nil {
		a.w.note(a.name, "cannot create %s: %v", a.w.nameOf(at.ID), err)
		return false
	}
	return true
}

// login establishes a session and gives it an avatar: made for it, or out of the database; tied to the session, or
// only owned.
func (a *actor) login(ctx context.Context, session do.Channel, mode uint32) (do.ID, error) {
	if _, err := a.ai.Request(ctx, "establish", session, func(c uint32) wire.Body {
		return &wire.SetState{Context: c, State: wire.StateEstablished}
	}); err != nil {
		return do.ID{}, err
	}
	var id do.ID
	if mode%3 == 0 && len(a.w.stored) > 0 {
		id = pick(a.w, a.w.stored)
		if _, err := a.ai.Activate(ctx, id, repository.Place{At: a.w.somewhere(), Owner: session}, nil); err != nil {
			return do.ID{}, err
		}
		a.w.count.Activated++
	} else {
		v := do.New[avatarAI]()
		v.life.p, v.Name, v.Gold = a, "player", 10
		a.create(v, repository.Place{At: a.w.somewhere(), Owner: session}, "avatar")
		id = v.ID()
		if err := a.ai.Created(ctx, &v.Object); err != nil {
			return do.ID{}, err
		}
	}
	if mode%2 == 0 {
		a.w.tied[tie{session, id}] = true
		_, err := a.ai.Request(ctx, "tie", session, func(c uint32) wire.Body {
			return &wire.AddSessionObject{Context: c, DO: id}
		})
		return id, err
	}
	return id, nil
}

// dial lets a client connect.
func (c *actor) dial() {
	if !c.w.playing {
		return
	}
	if c.dialled++; c.dialled > 1 {
		c.w.count.Redials++
	}
	a := c.w.agents[c.w.rand.IntN(len(c.w.agents))]
	if a.gone {
		c.w.after(c.w.within(500*ms), c.dial) // nobody is there
		return
	}
	id := do.NewID(0, c.w.now/ms, c.w.rand.Uint64())
	c.w.name(id, c.name+".")
	c.client = repository.NewClient(c.config(do.SideClient), repository.ClientConfig{Datagrams: c.w.chance(80)})
	c.conn = &conn{w: c.w, agent: a, who: c, session: id}
	c.conn.view = view{c: c.conn}
	c.conn.written = newWritten(c.conn)
	c.conn.rights = rights{permits: map[do.ID][]permit{}, grants: map[do.ID]bool{}}
	c.entering, c.handles, c.generated, c.ended, c.granted = false, nil, 0, 0, map[do.ID]bool{}
	c.tasks = 0
	c.permitted = map[do.ID]permit{}
	c.follows = map[*repository.Handle]followed{}
	a.conns[id] = c.conn
	datagrams := c.w.chance(80)
	opened := c.conn
	c.conn.up = c.w.now + c.w.delay()
	c.w.at(c.conn.up, func() {
		if opened.closed || a.gone {
			return
		}
		a.step(wire.Message{Body: &wire.SessionOpened{Session: id, Remote: c.name, Local: a.name, Datagrams: datagrams}})
	})
	c.run(func() { c.client.Start(c.w.now) })
	me := c.client
	c.later(40*ms, func() bool { return c.client == me }, c.actClient)
}

// afterInput hangs up when the agent has ended the session.
func (c *actor) afterInput() {
	if c.client != nil && c.client.Err() != nil {
		c.conn.end(c.client.Err())
	}
}

// lost takes the end of the connection in; the client dials again after a while.
func (c *actor) lost(err error) {
	client := c.client
	c.w.running = c
	client.Lost(err, c.w.now)
	c.checkLives()
	client.Close()
	c.w.running = nil
	c.checkTasks()
	c.client, c.conn = nil, nil
	c.w.after(c.w.within(1500*ms), c.dial)
}

// checkLives compares how many lives of objects began and ended with how many there are.
func (a *actor) checkLives() {
	n := 0
	state := a.state()
	if state == nil {
		return
	}
	names := ""
	for _, v := range state.View() {
		if v.ID != gateID && a.w.wildClass[v.ID] == "" && (v.Visible || v.Owned || v.AI || v.Pending) {
			n++
			names += " " + a.w.nameOf(v.ID)
		}
	}
	if a.generated-a.ended != n {
		a.w.problem("%s: %d objects were generated, %d disabled or deleted, and %d are here:%s", a.name, a.generated, a.ended, n, names)
	}
}

// checkTasks looks for handlers that have not ended though the repository was closed.
func (a *actor) checkTasks() {
	if a.tasks != 0 {
		a.w.problem("%s is closed, and %d of its tasks have not ended", a.name, a.tasks)
	}
}

// checkQuiet looks for handlers and operations that have not ended when all is quiet.
func (a *actor) checkQuiet() {
	if a.tasks != 0 || !a.state().Quiet() {
		a.w.problem("%s has %d tasks that have not ended; quiet: %v", a.name, a.tasks, a.state().Quiet())
	}
	for _, h := range a.watches {
		if done, err := h.Done(); !done && !h.Closed() {
			parent, zones := h.Where()
			a.w.problem("%s still waits for zones %v below %s: %v", a.name, zones, a.w.nameOf(parent), err)
		}
	}
	for _, h := range a.handles {
		if done, err := h.Done(); !done && !h.Closed() {
			parent, zones := h.Where()
			a.w.problem("%s still waits for an interest in zones %v below %s: %v", a.name, zones, a.w.nameOf(parent), err)
		}
	}
}

// state is the actor's repository, nil if it has none now.
func (a *actor) state() *repository.State {
	switch {
	case a.ai != nil:
		return &a.ai.State
	case a.client != nil:
		return &a.client.State
	}
	return nil
}

// stall lets a client not read for a while.
func (c *actor) stall(d int64) {
	if c.conn != nil {
		c.w.note(c.name, "does not read for %d ms", d/ms)
		c.conn.stalled = c.w.now + d
	}
}

// hangUp ends a client's connection, in order or not.
func (c *actor) hangUp() {
	if c.conn == nil {
		return
	}
	if c.w.chance(50) {
		c.run(func() { c.client.Goodbye() })
		conn := c.conn
		c.w.after(20*ms, func() { conn.end(errClosed) })
		return
	}
	c.conn.end(errClosed)
}

// pick draws one of a list that is not empty.
func pick[T any](w *world, list []T) T { return list[w.rand.IntN(len(list))] }

// zones is how many zones below a parent are used.
const zones = 4

// somewhere draws a location: below a root mostly, below anything else now and then.
func (w *world) somewhere() do.Location {
	switch n := w.rand.IntN(100); {
	case n < 8:
		return w.below(hallOf(w.rand.IntN(aiCount)))
	case len(w.ids) == 0 || n < 50:
		return w.below(do.WellKnown(10 + uint64(w.rand.IntN(2))))
	}
	return w.below(w.someone())
}

// below draws a zone below a parent, often one of its cells.
func (w *world) below(parent do.ID) do.Location {
	if g := w.told.latest(parent).grid; g.Cols > 0 && w.chance(60) {
		return do.Location{Parent: parent, Zone: g.Start + do.Zone(w.rand.IntN(int(g.Cols*g.Rows)))}
	}
	return do.Location{Parent: parent, Zone: do.Zone(w.rand.IntN(zones))}
}

// someone draws an id, a young one more often than an old one.
func (w *world) someone() do.ID {
	if w.chance(70) {
		return pick(w, w.ids[max(0, len(w.ids)-30):])
	}
	return pick(w, w.ids)
}

// someZones draws some zones.
func (w *world) someZones() []do.Zone {
	var list []do.Zone
	for range 1 + w.rand.IntN(3) {
		if z := do.Zone(w.rand.IntN(zones)); !slices.Contains(list, z) {
			list = append(list, z)
		}
	}
	return list
}
