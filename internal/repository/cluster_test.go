package repository

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// cluster is two States, an agent, AIs and clients in one goroutine, with the director's routing table between them.
// Messages of one sender to one receiver keep their order; between pairs the seed decides. Datagrams get lost.
type cluster struct {
	t      *testing.T
	rnd    *rand.Rand
	now    int64
	table  *messagedirector.Table
	nodes  []*node
	byName map[*messagedirector.Member]*node
	states []*stateserver.State
	agent  *clientagent.State
	ais    []*aiTest
	links  []*clientLink
	queues []*queue
}

// node is a participant.
type node struct {
	m    *messagedirector.Member
	step func(m wire.Message) []wire.Message
	tick func(now int64) []wire.Message
}

// queue is what is under way from one participant to another.
type queue struct {
	from, to *node
	messages []wire.Message
}

// clientLink is a client with its link.
type clientLink struct {
	*clientTest
	id       do.ID
	up, down []byte
	gramsUp  [][]byte
	gramsDn  [][]byte
	handles  []*Handle
}

func newCluster(t *testing.T, seed uint64) *cluster {
	c := &cluster{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: second, table: messagedirector.NewTable(1), byName: map[*messagedirector.Member]*node{}}
	for i := range 2 {
		s, err := stateserver.New(stateserver.Config{
			Instance: do.WellKnown(uint64(100 + i)), Partitions: []do.Partition{do.Partition(1 + 2*i), do.Partition(2 + 2*i)}, Epoch: 1, NoDatabase: true, Schema: (&testWorld{}).registry(t).Schema(),
		})
		require.NoError(t, err)
		c.states = append(c.states, s)
		n := c.join(fmt.Sprint("state", i), func(m wire.Message) []wire.Message {
			var out wire.Outbox
			_ = s.Step(m, &out)
			return out.Messages
		}, nil)
		var out wire.Outbox
		s.Start(&out)
		c.route(n, out.Messages)
	}
	a, err := clientagent.New(clientagent.Config{Instance: do.WellKnown(200), Heartbeat: -1, Frames: 1 << 20, Bytes: 1 << 30})
	require.NoError(t, err)
	c.agent = a
	n := c.join("agent", func(m wire.Message) []wire.Message {
		var out wire.Outbox
		_ = a.Step(m, &out)
		c.flushAgent()
		return out.Messages
	}, nil)
	var out wire.Outbox
	a.Start(&out)
	c.route(n, out.Messages)
	return c
}

func (c *cluster) join(name string, step func(m wire.Message) []wire.Message, tick func(now int64) []wire.Message) *node {
	n := &node{m: c.table.Join(name), step: step, tick: tick}
	if tick == nil {
		n.tick = func(now int64) []wire.Message { return step(wire.Message{Body: &wire.Tick{Unix: now}}) }
	}
	c.nodes = append(c.nodes, n)
	c.byName[n.m] = n
	return n
}

// addAI joins an AI; the schema record is answered in place of a database.
func (c *cluster) addAI(i int) *aiTest {
	w := &testWorld{random: uint64(i) << 32}
	cfg := w.config(c.t)
	cfg.Recover = true
	x := &aiTest{testWorld: w, t: c.t, a: NewAI(cfg, AIConfig{Instance: do.WellKnown(uint64(300 + i))}), now: c.now}
	x.class = cfg.Registry.Schema().Class("Avatar")
	c.ais = append(c.ais, x)
	n := c.join(fmt.Sprint("ai", i), func(m wire.Message) []wire.Message {
		x.a.Step(m, c.now)
		return x.a.TakeOutput()
	}, func(now int64) []wire.Message {
		x.a.Tick(now)
		return x.a.TakeOutput()
	})
	x.a.Start(c.now)
	c.route(n, x.a.TakeOutput())
	c.t.Cleanup(x.a.Close)
	return x
}

func (c *cluster) addClient(i int) *clientLink {
	w := &testWorld{}
	cfg := w.config(c.t)
	cfg.Side = do.SideClient
	l := &clientLink{id: do.NewID(0, 1, uint64(7000+i))}
	l.clientTest = &clientTest{testWorld: w, t: c.t, c: NewClient(cfg, ClientConfig{Datagrams: true})}
	l.class = cfg.Registry.Schema().Class("Avatar")
	c.links = append(c.links, l)
	agent := c.nodes[2]
	c.route(agent, agent.step(wire.Message{Body: &wire.SessionOpened{Session: l.id, Datagrams: true}}))
	l.c.Start(c.now)
	c.t.Cleanup(l.c.Close)
	return l
}

// route puts messages into the queues, control messages at their place.
func (c *cluster) route(from *node, ms []wire.Message) {
	for _, m := range ms {
		if len(m.To) == 1 && m.To[0] == do.Control(do.RoleDirector) {
			_, err := c.table.Apply(from.m, m.Body)
			require.NoError(c.t, err)
			if b, ok := m.Body.(*wire.AddChannels); ok && b.Context != 0 {
				c.queue(from, from).put(wire.Message{To: []do.Channel{m.From}, Body: &wire.ChannelsAdded{Context: b.Context}})
			}
			continue
		}
		if m.To[0] == do.Control(do.RoleDatabase) {
			c.database(from, m)
			continue
		}
		for _, to := range slices.Clone(c.table.Receivers(&m, from.m)) {
			c.queue(from, c.byName[to]).put(m)
		}
	}
}

func (c *cluster) database(from *node, m wire.Message) {
	text := (&testWorld{}).registry(c.t).Schema().Text()
	var context uint32
	switch b := m.Body.(type) {
	case *wire.SchemaGet:
		context = b.Context
	case *wire.SchemaSet:
		context = b.Context
	default:
		return
	}
	c.queue(from, from).put(wire.Message{To: []do.Channel{m.From}, Body: &wire.SchemaRecord{Context: context, Version: 1, Text: text, Partitions: 4}})
}

func (q *queue) put(m wire.Message) { q.messages = append(q.messages, m) }

func (c *cluster) queue(from, to *node) *queue {
	for _, q := range c.queues {
		if q.from == from && q.to == to {
			return q
		}
	}
	q := &queue{from: from, to: to}
	c.queues = append(c.queues, q)
	return q
}

func (c *cluster) flushAgent() {
	var written []do.ID
	c.agent.Flush(func(o *clientagent.Out) {
		written = append(written, o.Session)
		for _, l := range c.links {
			if l.id != o.Session {
				continue
			}
			l.down = append(l.down, o.Stream...)
			at := 0
			for _, end := range o.Ends {
				l.gramsDn = append(l.gramsDn, bytes.Clone(o.Datagrams[at:end]))
				at = end
			}
		}
		o.Stream, o.Datagrams, o.Ends = o.Stream[:0], o.Datagrams[:0], o.Ends[:0]
	})
	for _, id := range written {
		var out wire.Outbox
		_ = c.agent.Step(wire.Message{Body: &wire.SessionDrained{Session: id}}, &out)
	}
}

// collect takes what clients and AIs want to send.
func (c *cluster) collect() {
	for i, x := range c.ais {
		c.route(c.nodes[3+i], x.a.TakeOutput())
	}
	for _, l := range c.links {
		out := l.c.TakeOutput()
		l.up = append(l.up, out.Stream...)
		l.gramsUp = append(l.gramsUp, out.Datagrams...)
	}
}

// deliver delivers one thing that is under way; false: nothing is.
func (c *cluster) deliver() bool {
	c.collect()
	var full []*queue
	for _, q := range c.queues {
		if len(q.messages) > 0 {
			full = append(full, q)
		}
	}
	var links []*clientLink
	for _, l := range c.links {
		if len(l.up)+len(l.down)+len(l.gramsUp)+len(l.gramsDn) > 0 {
			links = append(links, l)
		}
	}
	n := len(full) + len(links)
	if n == 0 {
		return false
	}
	i := c.rnd.IntN(n)
	if i < len(full) {
		q := full[i]
		m := q.messages[0]
		q.messages = q.messages[1:]
		c.route(q.to, q.to.step(m))
		return true
	}
	c.deliverLink(links[i-len(full)])
	return true
}

// deliverLink moves bytes of one link; one datagram in five is lost.
func (c *cluster) deliverLink(l *clientLink) {
	agent := c.nodes[2]
	lost := c.rnd.IntN(5) == 0
	switch {
	case len(l.gramsUp) > 0 && c.rnd.IntN(2) == 0:
		i := c.rnd.IntN(len(l.gramsUp))
		g := l.gramsUp[i]
		l.gramsUp = slices.Delete(l.gramsUp, i, i+1)
		if !lost {
			c.route(agent, agent.step(wire.Message{Body: &wire.SessionFrames{Session: l.id, Datagram: true, Bytes: g}}))
		}
	case len(l.gramsDn) > 0 && c.rnd.IntN(2) == 0:
		i := c.rnd.IntN(len(l.gramsDn))
		g := l.gramsDn[i]
		l.gramsDn = slices.Delete(l.gramsDn, i, i+1)
		if !lost {
			_ = l.c.Receive(g, true, c.now)
		}
	case len(l.up) > 0 && c.rnd.IntN(2) == 0:
		b := bytes.Clone(l.up)
		l.up = nil
		c.route(agent, agent.step(wire.Message{Body: &wire.SessionFrames{Session: l.id, Bytes: b}}))
	case len(l.down) > 0:
		k := 1 + c.rnd.IntN(len(l.down))
		b := bytes.Clone(l.down[:k])
		l.down = l.down[k:]
		_ = l.c.Receive(b, false, c.now)
	}
}

// settle delivers everything, and lets time pass meanwhile.
func (c *cluster) settle(ticks int) {
	for range ticks {
		for c.deliver() {
		}
		c.tick(50e6)
	}
	for c.deliver() {
	}
}

func (c *cluster) tick(ns int64) {
	c.now += ns
	for _, n := range c.nodes {
		c.route(n, n.tick(c.now))
	}
	for _, l := range c.links {
		l.c.Tick(c.now)
	}
}

// TestViewsConverge lets AIs and clients do random things at once, then waits until it is quiet and compares every view
// with a scan of the States (rule 93 and the own-write rules; rules 106 to 124 as clients see them).
func TestViewsConverge(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { converge(t, seed, 600, 60e6) })
	}
}

// TestViewsConvergeSlowly is the same where messages take so long that openings time out.
func TestViewsConvergeSlowly(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { converge(t, seed, 600, 500e6) })
	}
}

// converge does steps, and now and then lets time pass, tick at most.
func converge(t *testing.T, seed uint64, steps int, tick int64) {
	c := newCluster(t, seed)
	for i := range 2 {
		c.addAI(i)
	}
	c.settle(3)
	for _, x := range c.ais {
		require.True(t, x.a.Ready())
		x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
			a.Gold++
			if o.Item == "bad" {
				return receipt{}, fmt.Errorf("no")
			}
			a.HP = int16(a.Gold % 100)
			return receipt{Paid: a.Gold}, a.Say.Send("sold")
		}
	}
	zones := do.NewID(1, 1, 1)
	root := do.New[AvatarAI]()
	root.t, root.Name = c.ais[0].testWorld, "Root"
	require.NoError(t, c.ais[0].a.Create(root, Place{ID: zones}))
	c.settle(2)
	for i := range 4 {
		l := c.addClient(i)
		c.settle(2)
		require.True(t, l.c.Ready(), "%v", l.c.Err())
		c.route(c.nodes[3], []wire.Message{{To: []do.Channel{do.Session(l.id)}, From: c.ais[0].a.Channel(), Body: &wire.SetState{State: wire.StateEstablished}}})
	}
	w, err := c.ais[1].a.AddInterest(zones, 1, 2)
	require.NoError(t, err)
	c.settle(2)
	r := &actor{cluster: c, parent: zones}
	for range steps {
		r.act()
		for range c.rnd.IntN(6) {
			c.deliver()
		}
		if c.rnd.IntN(20) == 0 {
			c.tick(c.rnd.Int64N(tick/1e6) * 1e6)
		}
	}
	c.settle(60)
	for _, l := range c.links {
		require.NoError(t, l.c.Err())
	}
	met := 0
	for _, l := range c.links {
		met += int(l.c.Traffic().Entered)
	}
	require.Greater(t, met, 20, "the test must see something")
	_, ws := w.Where()
	c.compare(c.ais[1].a.View(), func(at do.Location) bool { return at.Parent == zones && slices.Contains(ws, at.Zone) }, "ai1", nil)
	for i, l := range c.links {
		var at []do.Zone
		for _, h := range l.handles {
			done, _ := h.Done()
			require.True(t, done, "client %d: interest %d", i, h.id)
			if !h.closed {
				_, z := h.Where()
				at = append(at, z...)
			}
		}
		c.compare(l.c.View(), func(x do.Location) bool { return x.Parent == zones && slices.Contains(at, x.Zone) }, fmt.Sprint("client ", i), l)
		require.Empty(t, l.c.writes)
		require.Zero(t, r.calls[i], "calls of client %d without answer", i)
	}
}

// compare compares a view with what lies in the States' memory.
func (c *cluster) compare(view []ObjectView, in func(do.Location) bool, who string, l *clientLink) {
	t := c.t
	seen := map[do.ID]ObjectView{}
	for _, v := range view {
		if v.Visible {
			seen[v.ID] = v
		}
		require.False(t, v.Pending, "%s: %s has writes in flight", who, v.ID)
	}
	for _, s := range c.states {
		s.Scan(func(o stateserver.Scanned) {
			if !in(o.Location) {
				return
			}
			v, ok := seen[o.ID]
			require.True(t, ok, "%s misses %s at %s", who, o.ID, o.Location)
			delete(seen, o.ID)
			require.Equal(t, o.Location, v.Location, "%s: %s", who, o.ID)
			want := o.Fields.Filter(func(n fields.Number) bool { return o.Class.Field(n).Keywords.Has(fields.Broadcast) })
			var got []fields.Pair
			for _, p := range v.Fields {
				if o.Class.Field(p.Number).Keywords.Has(fields.Broadcast) {
					got = append(got, p)
				}
			}
			require.Equal(t, []byte(want), []byte(fields.MapOf(got...)), "%s: fields of %s", who, o.ID)
		})
	}
	require.Empty(t, seen, "%s sees more than there is", who)
	if l == nil {
		return
	}
	for _, v := range view {
		x, ok := l.c.Find(v.ID).(*AvatarCL)
		if !ok {
			continue
		}
		in := do.InstanceOf(&x.Object)
		var b fields.MapBuilder
		require.NoError(t, in.Changed(&b))
		require.Zero(t, b.Len(), "%s: the Go values of %s are not those of the view", who, v.ID)
		for _, p := range v.Fields {
			saved, ok := in.Saved(p.Number)
			require.True(t, ok)
			require.Equal(t, p.Value, saved)
		}
	}
}

// actor does random things.
type actor struct {
	*cluster
	parent do.ID
	made   int
	calls  [8]int
}

func (r *actor) zone() do.Location {
	return do.Location{Parent: r.parent, Zone: do.Zone(1 + r.rnd.IntN(4))}
}

func (r *actor) act() {
	if r.rnd.IntN(2) == 0 {
		r.actAI(r.ais[r.rnd.IntN(len(r.ais))])
		return
	}
	i := r.rnd.IntN(len(r.links))
	r.actClient(i, r.links[i])
}

func (r *actor) actAI(x *aiTest) {
	own := x.a.FindAll(func(v any) bool {
		a, ok := v.(*AvatarAI)
		o := x.a.objects[a.ID()]
		return ok && o.run && !o.making && a.ID() != r.parent
	})
	if len(own) < 4 || r.rnd.IntN(10) == 0 {
		a := do.New[AvatarAI]()
		r.made++
		a.t, a.Name = x.testWorld, fmt.Sprint("avatar", r.made)
		require.NoError(r.t, x.a.Create(a, Place{At: r.zone(), Partition: do.Partition(1 + r.rnd.IntN(4))}))
		return
	}
	a := own[r.rnd.IntN(len(own))].(*AvatarAI)
	switch r.rnd.IntN(8) {
	case 0, 1, 2:
		require.NoError(r.t, a.Move(r.zone()))
	case 3:
		a.HP = int16(r.rnd.IntN(100))
		require.NoError(r.t, a.Save())
	case 4:
		a.Mood = fmt.Sprint(r.rnd.IntN(100))
		a.Pos.X = float32(r.rnd.IntN(100))
		require.NoError(r.t, a.Move(r.zone()))
	case 5:
		require.NoError(r.t, a.Say.Send("hello"))
	case 6:
		l := r.links[r.rnd.IntN(len(r.links))]
		x.a.Do(context.Background(), func(ctx context.Context) error { return x.a.SetOwner(ctx, a.ID(), do.Session(l.id)) }, nil)
	case 7:
		if r.rnd.IntN(3) == 0 {
			require.NoError(r.t, a.Delete())
		}
	}
}

func (r *actor) actClient(i int, l *clientLink) {
	if l.c.Err() != nil {
		return
	}
	if len(l.handles) == 0 || r.rnd.IntN(12) == 0 {
		r.actInterest(l)
		return
	}
	all := l.c.FindAll(func(v any) bool { a, ok := v.(*AvatarCL); return ok && a.ID() != r.parent })
	if len(all) == 0 {
		return
	}
	a := all[r.rnd.IntN(len(all))].(*AvatarCL)
	switch r.rnd.IntN(6) {
	case 0:
		a.HP = int16(r.rnd.IntN(100))
		require.NoError(r.t, a.Save())
	case 1:
		a.Mood = fmt.Sprint(r.rnd.IntN(100))
		a.HP = int16(r.rnd.IntN(100))
		require.NoError(r.t, a.Save())
	case 2, 3:
		if !l.c.Owns(a.ID()) {
			return
		}
		a.Pos = vec3{float32(r.rnd.IntN(100)), 1, 2}
		if r.rnd.IntN(2) == 0 {
			a.Look = uint16(r.rnd.IntN(100))
		}
		if r.rnd.IntN(3) == 0 {
			require.NoError(r.t, a.Move(r.zone()))
		} else {
			require.NoError(r.t, a.Save())
		}
	case 4:
		require.NoError(r.t, a.Say.Send("hi"))
	case 5:
		item := []string{"tea", "bad"}[r.rnd.IntN(2)]
		r.calls[i]++
		l.c.Do(context.Background(), func(ctx context.Context) error {
			_, err := a.Buy.Call(ctx, order{item})
			return err
		}, func(error) { r.calls[i]-- })
	}
}

func (r *actor) actInterest(l *clientLink) {
	zones := []do.Zone{do.Zone(1 + r.rnd.IntN(4)), do.Zone(1 + r.rnd.IntN(4))}
	l.handles = slices.DeleteFunc(l.handles, func(h *Handle) bool { return h.closed })
	switch {
	case len(l.handles) < 2:
		h, err := l.c.AddInterest(r.parent, zones...)
		require.NoError(r.t, err)
		l.handles = append(l.handles, h)
	case r.rnd.IntN(3) == 0:
		h := l.handles[0]
		l.handles = l.handles[1:]
		require.NoError(r.t, h.Remove())
	default:
		require.NoError(r.t, l.handles[0].Alter(r.parent, zones...))
	}
}

// TestReviewAcrossTheCluster: what a client sets in a field with review passes by its object's AI; the client, and who
// else sees it, has what the AI made of it, and the client one answer.
func TestReviewAcrossTheCluster(t *testing.T) {
	c := newCluster(t, 1)
	x := c.addAI(0)
	c.settle(3)
	root := do.New[AvatarAI]()
	root.t, root.Name = x.testWorld, "Root"
	require.NoError(t, x.a.Create(root, Place{ID: do.NewID(1, 1, 1)}))
	a := do.New[AvatarAI]()
	a.t, a.Name = x.testWorld, "Flippy"
	require.NoError(t, x.a.Create(a, Place{At: do.Location{Parent: root.ID(), Zone: 1}, Partition: 3}))
	c.settle(2)
	var seen []*AvatarCL
	for i := range 2 {
		l := c.addClient(i)
		c.settle(2)
		c.route(c.nodes[3], []wire.Message{{To: []do.Channel{do.Session(l.id)}, From: x.a.Channel(), Body: &wire.SetState{State: wire.StateEstablished}}})
		c.settle(1)
		_, err := l.c.AddInterest(root.ID(), 1)
		require.NoError(t, err)
		c.settle(2)
		seen = append(seen, l.c.Find(a.ID()).(*AvatarCL))
	}
	seen[0].Title = "boss"
	require.NoError(t, seen[0].Save())
	require.Equal(t, "boss", seen[0].Title)
	c.settle(2)
	for _, v := range seen {
		require.Equal(t, "Sir", v.Title)
	}
	require.Equal(t, "Sir", a.Title)
	require.True(t, c.links[0].c.Quiet())

	seen[0].Title = "bad"
	require.NoError(t, seen[0].Save())
	c.settle(2)
	require.Equal(t, "Sir", seen[0].Title, "refused")
	require.ErrorContains(t, c.links[0].errs[0], "bad title")
	require.True(t, c.links[0].c.Quiet())
}
