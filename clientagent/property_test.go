package clientagent

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// cluster is an agent and two States with a queue between each pair: messages of one pair stay in order, those of
// different pairs overtake each other as the test draws.
type cluster struct {
	t      *rapid.T
	schema *do.Schema
	cores  []core
	queues map[[2]int][]wire.Message // by sender and receiver
	now    int64
	states []*stateserver.State
	agent  *State
	views  []*view
	lose   int // messages to the agent that will be lost

	pushed, taken [4]int   // messages to the agent, by sender
	barriers      [][4]int // of each subscription: what was on its way to the agent before it held
}

type core struct {
	step     func(wire.Message, *wire.Outbox) error
	channels map[do.Channel]bool
	ranges   []do.Range
}

// view is what a client makes of the frames that it gets; it knows nothing of how they come about.
type view struct {
	id      do.ID
	byAlias map[uint32]*seen
	owned   map[uint32]*seen // the same objects as their owner: fields that only owners see
	cover   map[uint16][]do.Location
	follows map[uint16]follows
	done    int
	frames  uint64
}

type seen struct {
	id     do.ID
	at     do.Location
	values map[fields.Number]string
	owner  do.Channel // of the truth
	gold   map[fields.Number]string
}

func newCluster(t *rapid.T, schema *do.Schema) *cluster {
	c := &cluster{t: t, schema: schema, queues: map[[2]int][]wire.Message{}, now: 1e9}
	for i := range 2 {
		st, err := stateserver.New(stateserver.Config{
			Instance: do.NewID(0, 8, uint64(i)), Partitions: []do.Partition{do.Partition(1 + i), do.Partition(3 + i)}, Epoch: 1,
			Schema: schema, NoDatabase: true,
		})
		require.NoError(t, err)
		c.states = append(c.states, st)
		c.add(st.Step, st.Start)
	}
	var err error
	c.agent, err = New(Config{Instance: do.NewID(0, 9, 9)})
	require.NoError(t, err)
	c.add(c.agent.Step, c.agent.Start)
	c.input(2, &wire.SchemaRecord{Version: 1, Text: schema.Text()})
	return c
}

func (c *cluster) add(step func(wire.Message, *wire.Outbox) error, start func(*wire.Outbox)) {
	c.cores = append(c.cores, core{step: step, channels: map[do.Channel]bool{}})
	var out wire.Outbox
	start(&out)
	c.take(len(c.cores)-1, &out)
}

// input gives a core something that no core sent.
func (c *cluster) input(i int, b wire.Body) {
	var out wire.Outbox
	_ = c.cores[i].step(wire.Message{Body: b}, &out)
	c.take(i, &out)
}

// request sends a request from outside.
func (c *cluster) request(to do.ID, b wire.Body) {
	c.route(3, wire.Message{To: []do.Channel{do.ObjectChannel(to)}, From: do.AI(do.WellKnown(5)), Body: b})
}

func (c *cluster) take(from int, out *wire.Outbox) {
	for _, m := range out.Messages {
		switch b := m.Body.(type) {
		case *wire.AddChannels:
			for _, ch := range b.Channels {
				c.cores[from].channels[ch] = true
			}
			if b.Context != 0 {
				c.barriers = append(c.barriers, c.pushed)
				c.push(from, from, wire.Message{Body: &wire.ChannelsAdded{Context: b.Context}})
			}
		case *wire.RemoveChannels:
			for _, ch := range b.Channels {
				delete(c.cores[from].channels, ch)
			}
		case *wire.AddRanges:
			c.cores[from].ranges = append(c.cores[from].ranges, b.Ranges...)
		case *wire.AddPostRemove, *wire.ClearPostRemoves:
		default:
			c.route(from, m)
		}
	}
}

func (c *cluster) route(from int, m wire.Message) {
	for i := range c.cores {
		if i == from || !slices.ContainsFunc(m.To, func(ch do.Channel) bool {
			return c.cores[i].channels[ch] || slices.ContainsFunc(c.cores[i].ranges, func(r do.Range) bool { return r.Contains(ch) })
		}) {
			continue
		}
		if i == 2 && c.lose > 0 && lossy(m.Body) {
			c.lose--
			continue
		}
		c.push(from, i, m)
	}
}

// lossy is what a digest repairs.
func lossy(b wire.Body) bool {
	switch b.(type) {
	case *wire.Update, *wire.ChangingLocation, *wire.EnterLocation, *wire.Deleted, *wire.EnterOwner, *wire.ChangingOwner:
		return true
	}
	return false
}

func (c *cluster) push(from, to int, m wire.Message) {
	if to == 2 && from != 2 {
		c.pushed[from]++
	}
	c.queues[[2]int{from, to}] = append(c.queues[[2]int{from, to}], m)
}

// acknowledged reports whether the oldest subscription is: a node's acknowledgement comes after all that it sent before.
func (c *cluster) acknowledged() bool {
	for from := range 4 {
		if from != 2 && c.taken[from] < c.barriers[0][from] {
			return false
		}
	}
	return true
}

// deliver delivers the oldest message of one pair.
func (c *cluster) deliver() bool {
	var ready [][2]int
	for from := range 4 {
		for to := range 3 {
			if len(c.queues[[2]int{from, to}]) > 0 && (from != 2 || to != 2 || c.acknowledged()) {
				ready = append(ready, [2]int{from, to})
			}
		}
	}
	if len(ready) == 0 {
		return false
	}
	pair := ready[rapid.IntRange(0, len(ready)-1).Draw(c.t, "pair")]
	m := c.queues[pair][0]
	if pair[1] == 2 {
		c.taken[pair[0]]++
	}
	if pair == [2]int{2, 2} {
		c.barriers = c.barriers[1:]
	}
	c.queues[pair] = c.queues[pair][1:]
	var out wire.Outbox
	_ = c.cores[pair[1]].step(m, &out)
	c.take(pair[1], &out)
	return true
}

func (c *cluster) tick(d int64) {
	c.now += d
	for i := range c.cores {
		c.input(i, &wire.Tick{Unix: c.now})
	}
	c.flush()
}

func (c *cluster) flush() {
	c.agent.Flush(func(o *Out) {
		for _, v := range c.views {
			if v.id == o.Session {
				require.False(c.t, o.Close, "ejected: %d %s", o.Reason, o.Text)
				v.read(c.t, o.Stream)
				v.frames = c.agent.sessions[v.id].sent
			}
		}
	})
	for _, b := range c.agent.Backlogged() {
		c.input(2, &wire.SessionDrained{Session: b.Session})
	}
}

func (v *view) read(t *rapid.T, b []byte) {
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		require.NoError(t, err)
		b = b[n:]
		v.hear(t, f)
	}
}

// hear takes in a frame.
func (v *view) hear(t *rapid.T, f wire.Frame) {
	switch f := f.(type) {
	case *wire.ClientEnters:
		for e := range f.All() {
			v.hear(t, e)
		}
	case *wire.ClientEnter:
		o := &seen{id: f.DO, at: f.Location, values: map[fields.Number]string{}}
		set(o, f.Fields)
		v.byAlias[f.Alias] = o
	case *wire.ClientLeave:
		require.Contains(t, v.byAlias, f.Alias, "each enter has one leave")
		delete(v.byAlias, f.Alias)
	case *wire.ClientEnterOwner:
		v.owned[f.Alias] = &seen{id: f.DO, at: f.Location, values: map[fields.Number]string{}}
		v.update(t, f.Alias, f.Fields)
	case *wire.ClientLeaveOwner:
		require.Contains(t, v.owned, f.Alias, "each enter has one leave")
		delete(v.owned, f.Alias)
	case *wire.ClientLocation:
		for _, o := range []*seen{v.byAlias[f.Alias], v.owned[f.Alias]} {
			if o != nil {
				o.at = f.Location
			}
		}
	case *wire.ClientUpdate:
		v.update(t, f.Alias, fields.MapOf(fields.Pair{Number: f.Field, Value: f.Value}))
	case *wire.ClientUpdates:
		v.update(t, f.Alias, f.Fields)
	case *wire.ClientInterestDone:
		if f.Context != 0 { // else the cluster opened it
			v.done++
		}
	case *wire.ClientInterestOpened:
		if f.Closed {
			delete(v.follows, f.Handle)
		}
	}
}

// update takes values in: into the object that is seen, and what only owners see into the one that is owned.
func (v *view) update(t *rapid.T, alias uint32, m fields.Map) {
	o, own := v.byAlias[alias], v.owned[alias]
	require.True(t, o != nil || own != nil, "values of an object that the client does not have")
	for it := m.Iter(); it.Next(); {
		switch {
		case it.Number() == goldField:
			require.NotNil(t, own, "only an owner sees gold")
			own.values[goldField] = string(it.Value())
		case o != nil:
			o.values[it.Number()] = string(it.Value())
		}
	}
}

// goldField is Gold, which only owners see.
const goldField = 2

func set(o *seen, m fields.Map) {
	for it := m.Iter(); it.Next(); {
		o.values[it.Number()] = string(it.Value())
	}
}

// TestQuietViewsEqualAScan: whatever happened, when all is quiet each client sees exactly what a scan of the States'
// memory says is in its interests, with every value.
func TestQuietViewsEqualAScan(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	rapid.Check(t, func(t *rapid.T) { play(t, schema, 0) })
}

// TestLostMessagesAreRepaired: the same with messages to the agent lost, after the digests have run.
func TestLostMessagesAreRepaired(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	rapid.Check(t, func(t *rapid.T) { play(t, schema, 3) })
}

func play(t *rapid.T, schema *do.Schema, losses int) {
	c := newCluster(t, schema)
	var objects []do.ID
	truth := map[do.ID]*seen{}
	for i := range 3 {
		id := do.NewID(do.Partition(1+i), 1, uint64(i+1))
		c.request(id, &wire.Create{DO: id, Class: schema.Class("Place").Number(), Fields: fields.EmptyMap()})
	}
	sum := schema.Fingerprint()
	for i := range 3 {
		v := &view{id: do.NewID(0, 5, uint64(i+1)), byAlias: map[uint32]*seen{}, owned: map[uint32]*seen{}, cover: map[uint16][]do.Location{}}
		c.views = append(c.views, v)
		c.input(2, &wire.SessionOpened{Session: v.id})
		c.input(2, &wire.SessionFrames{Session: v.id, Bytes: wire.AppendFrame(nil, &wire.ClientHello{Schema: sum[:], Enters: i > 0})})
		var out wire.Outbox
		_ = c.agent.Step(wire.Message{To: []do.Channel{do.Session(v.id)}, Body: &wire.SetState{State: wire.StateEstablished}}, &out)
	}
	for c.deliver() {
	}
	asked := make([]int, 3)
	somewhere := func() do.Location {
		p := rapid.IntRange(0, 2).Draw(t, "parent")
		return do.Location{Parent: do.NewID(do.Partition(1+p), 1, uint64(p+1)), Zone: do.Zone(rapid.IntRange(0, 2).Draw(t, "zone"))}
	}
	for range rapid.IntRange(5, 60).Draw(t, "steps") {
		switch rapid.IntRange(0, 12).Draw(t, "what") {
		case 0, 1:
			id := do.NewID(do.Partition(rapid.IntRange(1, 4).Draw(t, "partition")), 2, uint64(100+len(objects)))
			objects = append(objects, id)
			c.request(id, &wire.Create{DO: id, Class: schema.Class("Avatar").Number(), Location: somewhere(), Fields: name("new")})
		case 2, 3, 4:
			if len(objects) > 0 {
				id := rapid.SampledFrom(objects).Draw(t, "object")
				c.request(id, &wire.SetLocation{DO: id, Location: somewhere()})
			}
		case 5:
			if len(objects) > 0 {
				id := rapid.SampledFrom(objects).Draw(t, "object")
				c.request(id, &wire.SetFields{DO: id, Fields: name(fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "name")))})
			}
		case 6:
			if len(objects) > 0 {
				id := rapid.SampledFrom(objects).Draw(t, "object")
				c.request(id, &wire.DeleteRAM{DO: id})
			}
		case 7, 8:
			n := rapid.IntRange(0, 2).Draw(t, "client")
			v, at := c.views[n], somewhere()
			h := uint16(rapid.IntRange(1, 2).Draw(t, "handle"))
			zones := []do.Zone{at.Zone, do.Zone(rapid.IntRange(0, 2).Draw(t, "zone"))}
			v.cover[h] = []do.Location{at, {Parent: at.Parent, Zone: zones[1]}}
			asked[n]++
			c.frame(v, &wire.ClientAddInterest{Context: 1, Handle: h, Parent: at.Parent, Zones: zones})
		case 10, 11:
			if len(objects) > 0 {
				id := rapid.SampledFrom(objects).Draw(t, "object")
				set := fields.Pair{Number: goldField, Value: fields.AppendInt(nil, rapid.Int64Range(1, 99).Draw(t, "gold"))}
				if rapid.Bool().Draw(t, "seen, too") {
					c.request(id, &wire.SetFields{DO: id, Fields: fields.Merge(name("rich"), fields.MapOf(set))})
				} else {
					c.request(id, &wire.SetFields{DO: id, Fields: fields.MapOf(set)})
				}
			}
		case 12:
			if len(objects) > 0 {
				id := rapid.SampledFrom(objects).Draw(t, "object")
				owner := do.Channel{}
				if n := rapid.IntRange(0, 3).Draw(t, "owner"); n < 3 {
					owner = do.Session(c.views[n].id)
				}
				c.request(id, &wire.SetOwner{DO: id, Owner: owner})
			}
		case 9:
			n := rapid.IntRange(0, 2).Draw(t, "client")
			h := uint16(rapid.IntRange(1, 2).Draw(t, "handle"))
			delete(c.views[n].cover, h)
			asked[n]++
			c.frame(c.views[n], &wire.ClientRemoveInterest{Context: 1, Handle: h})
		}
		if losses > 0 && rapid.IntRange(0, 5).Draw(t, "lost") == 0 {
			losses--
			c.lose++
		}
		for range rapid.IntRange(0, 4).Draw(t, "deliveries") {
			c.deliver()
		}
		c.flush()
	}
	c.settle()
	c.scan(truth)
	for n, v := range c.views {
		require.Equal(t, asked[n], v.done, "one DONE for each operation")
		v.compare(t, truth)
	}
}

// name sets the first field of the test's Avatar.
func name(s string) fields.Map {
	return fields.MapOf(fields.Pair{Number: 0, Value: fields.AppendString(nil, s)})
}

func (c *cluster) frame(v *view, f wire.Frame) {
	c.input(2, &wire.SessionFrames{Session: v.id, Bytes: wire.AppendFrame(nil, f)})
	c.flush()
}

// settle lets everything arrive and the digests run, without losses.
func (c *cluster) settle() {
	c.lose = 0
	for range 40 {
		for c.deliver() {
		}
		c.tick(100e6)
	}
}

// scan reads the truth out of the States' memory.
func (c *cluster) scan(truth map[do.ID]*seen) {
	for _, st := range c.states {
		st.Scan(func(o stateserver.Scanned) {
			s := &seen{id: o.ID, at: o.Location, values: map[fields.Number]string{}, owner: o.Owner, gold: map[fields.Number]string{}}
			if gold, ok := o.Fields.Get(goldField); ok && o.Class.Name() == "Avatar" {
				s.gold[goldField] = string(gold)
			}
			for it := o.Fields.Iter(); it.Next(); {
				if o.Class.Field(it.Number()).Keywords.Has(fields.Broadcast) {
					s.values[it.Number()] = string(it.Value())
				}
			}
			truth[o.ID] = s
		})
	}
}

// compare demands that the view is what the truth says is in its interests: nothing missing, nothing extra, every value.
func (v *view) compare(t *rapid.T, truth map[do.ID]*seen) {
	want, owned := map[do.ID]*seen{}, map[do.ID]*seen{}
	for id, o := range truth {
		for _, locs := range v.cover {
			if slices.Contains(locs, o.at) {
				want[id] = &seen{id: id, at: o.at, values: o.values}
			}
		}
		if o.owner == do.Session(v.id) {
			owned[id] = &seen{id: id, at: o.at, values: o.gold}
		}
	}
	got := map[do.ID]*seen{}
	for _, o := range v.byAlias {
		require.NotContains(t, got, o.id, "one alias for each object")
		got[o.id] = o
	}
	require.Equal(t, want, got)
	got = map[do.ID]*seen{}
	for _, o := range v.owned {
		got[o.id] = o
	}
	require.Equal(t, owned, got, "what it owns, and what only owners see of it")
}
