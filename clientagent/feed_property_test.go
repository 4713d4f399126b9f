package clientagent

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// watcher is a client as a plain model has it: of each object that it sees, the newest value of each latest field.
type watcher struct {
	id     do.ID
	grams  bool
	behind bool
	sees   map[uint32]*watched // by alias
	owns   map[uint32]bool     // by alias
	serial uint16              // of what it sets
}

type watched struct {
	id     do.ID
	serial map[fields.Number]uint16
	value  map[fields.Number]string
}

// told is what the agent was told last of a latest field.
type told struct {
	value  string
	writer do.Channel
}

type fieldOf struct {
	id     do.ID
	number fields.Number
}

// latestPlay is a cluster in which latest fields are set, with a record of what its agent heard of them.
type latestPlay struct {
	*cluster
	t        *rapid.T
	class    *do.Class
	latest   []fields.Number
	objects  []do.ID
	watchers []*watcher
	newest   map[fieldOf]told
	mixed    map[do.ID]map[uint16]bool // serials of sets that had other fields, too: they go on the stream as they come
	count    int64
}

// TestLatestValuesAgainstAPlainModel: latest fields are set by their owners and by others, alone and with other fields,
// while objects move, come and go, interests open and close, and sessions are behind. After a flush, who was not behind and
// whose turn it was, or who was told something else, has the newest value of each field of what it sees; nobody is told of
// a field twice in a flush, of an older value, of his own set, or of what he does not see; and who is behind waits.
func TestLatestValuesAgainstAPlainModel(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	rapid.Check(t, func(t *rapid.T) {
		p := newLatestPlay(t, schema)
		for range rapid.IntRange(10, 120).Draw(t, "steps") {
			p.act()
			for range rapid.IntRange(0, 5).Draw(t, "deliveries") {
				p.deliver()
				p.checkFeeds()
			}
			if slots := rapid.IntRange(0, 3).Draw(t, "slots"); slots > 0 {
				turns := rapid.IntRange(1, 2).Draw(t, "turns")
				p.flushPart(rapid.IntRange(0, slots-1).Draw(t, "slot"), slots, rapid.IntRange(0, turns-1).Draw(t, "turn"), turns)
			}
		}
		for p.deliver() {
		}
		for _, w := range p.watchers {
			w.behind = false
		}
		p.flushPart(0, 1, 0, 1)
		require.False(t, p.agent.Dirty(), "all was told")
		for _, pl := range p.agent.places {
			require.Empty(t, pl.feed.values, "and nothing is kept of it")
		}
	})
}

func newLatestPlay(t *rapid.T, schema *do.Schema) *latestPlay {
	p := &latestPlay{cluster: newCluster(t, schema), t: t, class: schema.Class("Avatar"), newest: map[fieldOf]told{}, mixed: map[do.ID]map[uint16]bool{}}
	agent, err := New(Config{Instance: do.NewID(0, 9, 9), Repeat: 1 << 60})
	require.NoError(t, err)
	agent.feedLeast = rapid.IntRange(0, 4).Draw(t, "feed")
	p.agent, p.cores = agent, p.cores[:2]
	p.add(p.agentStep, agent.Start)
	p.input(2, &wire.SchemaRecord{Version: 1, Text: schema.Text()})
	p.latest = []fields.Number{p.class.FieldByName("Pos").Number, p.class.FieldByName("Turn").Number}
	street := do.NewID(1, 1, 1)
	p.request(street, &wire.Create{DO: street, Class: schema.Class("Place").Number(), Fields: fields.EmptyMap()})
	sum := schema.Fingerprint()
	for i := range 4 {
		w := &watcher{id: do.NewID(0, 5, uint64(i+1)), grams: i%2 == 0, sees: map[uint32]*watched{}, owns: map[uint32]bool{}}
		p.watchers = append(p.watchers, w)
		p.input(2, &wire.SessionOpened{Session: w.id, Datagrams: w.grams})
		p.say(w, &wire.ClientHello{Schema: sum[:], Enters: i > 1})
		var out wire.Outbox
		_ = p.agent.Step(wire.Message{To: []do.Channel{do.Session(w.id)}, Body: &wire.SetState{State: wire.StateEstablished}}, &out)
		if i < 3 { // most are there from the beginning
			p.say(w, &wire.ClientAddInterest{Context: 1, Handle: 1, Parent: street, Zones: []do.Zone{1, 2}})
		}
	}
	for i := range 3 {
		p.create(do.Zone(1 + i%2))
	}
	for p.deliver() {
	}
	p.flushPart(0, 1, 0, 1)
	return p
}

// agentStep notes what the agent hears, then lets it.
func (p *latestPlay) agentStep(m wire.Message, out *wire.Outbox) error {
	switch b := m.Body.(type) {
	case *wire.Update:
		for it := b.Fields.Iter(); it.Next(); {
			p.newest[fieldOf{b.DO, it.Number()}] = told{string(it.Value()), m.From}
			if !b.Latest {
				p.mixed[b.DO][b.Serial] = true
			}
		}
	case *wire.EnterLocation:
		p.entry(&b.Entry)
	case *wire.ZonesObjects:
		for i := range b.Entries {
			p.entry(&b.Entries[i])
		}
	case *wire.ZoneEntries:
		for i := range b.Entries {
			p.entry(&b.Entries[i])
		}
	}
	return p.agent.Step(m, out)
}

// entry takes over what an entry says beyond what was heard.
func (p *latestPlay) entry(e *wire.Entry) {
	for it := e.Fields.Iter(); it.Next(); {
		if k := (fieldOf{e.DO, it.Number()}); p.newest[k].value != string(it.Value()) {
			p.newest[k] = told{value: string(it.Value())}
		}
	}
}

func (p *latestPlay) say(w *watcher, f wire.Frame) {
	p.input(2, &wire.SessionFrames{Session: w.id, Bytes: wire.AppendFrame(nil, f)})
}

func (p *latestPlay) create(zone do.Zone) {
	id := do.NewID(do.Partition(1+len(p.objects)%4), 2, uint64(100+len(p.objects)))
	p.objects = append(p.objects, id)
	p.mixed[id] = map[uint16]bool{}
	p.request(id, &wire.Create{DO: id, Class: p.class.Number(), Location: do.Location{Parent: do.NewID(1, 1, 1), Zone: zone}, Fields: name("new")})
}

// value is one that no field ever had.
func (p *latestPlay) value(n fields.Number) []byte {
	p.count++
	if n == p.latest[1] {
		return fields.AppendInt(nil, p.count)
	}
	b := fields.AppendArrayHeader(nil, 3)
	for range 3 {
		b = fields.AppendFloat32(b, float32(p.count))
	}
	return b
}

// act does one thing.
func (p *latestPlay) act() {
	id := rapid.SampledFrom(p.objects).Draw(p.t, "object")
	w := p.watchers[rapid.IntRange(0, len(p.watchers)-1).Draw(p.t, "watcher")]
	field := rapid.SampledFrom(p.latest).Draw(p.t, "field")
	zone := do.Zone(rapid.IntRange(1, 3).Draw(p.t, "zone"))
	street := do.NewID(1, 1, 1)
	switch rapid.IntRange(0, 19).Draw(p.t, "what") {
	case 0:
		p.create(zone)
	case 1, 2:
		p.request(id, &wire.SetLocation{DO: id, Location: do.Location{Parent: street, Zone: zone}})
	case 3:
		p.request(id, &wire.DeleteRAM{DO: id})
	case 4:
		p.request(id, &wire.SetOwner{DO: id, Owner: do.Session(w.id)})
	case 5:
		p.say(w, &wire.ClientAddInterest{Context: 1, Handle: uint16(zone), Parent: street, Zones: []do.Zone{zone}})
	case 6:
		p.say(w, &wire.ClientRemoveInterest{Context: 1, Handle: uint16(rapid.IntRange(1, 3).Draw(p.t, "handle"))})
	case 7, 8:
		w.behind = !w.behind
	case 9:
		p.request(id, &wire.SetFields{DO: id, Fields: fields.Merge(name("mixed"), fields.MapOf(fields.Pair{Number: field, Value: p.value(field)}))})
	case 10, 11, 12, 13:
		if len(w.owns) > 0 {
			alias := rapid.SampledFrom(sortedKeys(w.owns)).Draw(p.t, "alias")
			w.serial++
			p.say(w, &wire.ClientSetLatest{Ref: wire.AliasRef(alias), Serial: w.serial, Field: field, Value: p.value(field)})
		}
	default:
		p.request(id, &wire.SetFields{DO: id, Fields: fields.MapOf(fields.Pair{Number: field, Value: p.value(field)})})
	}
}

// flushPart flushes a part of the sessions, and checks what they were told.
func (p *latestPlay) flushPart(slot, slots, turn, turns int) {
	for _, w := range p.watchers {
		left := uint32(0)
		if w.behind {
			left = uint32(p.agent.cfg.Behind + 1)
		}
		p.input(2, &wire.SessionDrained{Session: w.id, Pending: left})
	}
	due := make([]bool, len(p.watchers))
	for i, w := range p.watchers {
		due[i] = i%slots == slot && i/slots%turns == turn && !w.behind
	}
	p.agent.FlushPart(&wire.Flush{Slot: uint16(slot), Slots: uint16(slots), Turn: uint16(turn), Turns: uint16(turns)}, func(o *Out) {
		i := slices.IndexFunc(p.watchers, func(w *watcher) bool { return w.id == o.Session })
		w, heard := p.watchers[i], map[fieldOf]bool{}
		require.False(p.t, o.Close, "ejected: %d %s", o.Reason, o.Text)
		require.True(p.t, due[i] || len(o.Stream) > 0, "not its turn, and nothing else to tell it")
		due[i] = !w.behind
		p.read(w, o.Stream, heard)
		require.LessOrEqual(p.t, len(o.Ends), 1)
		require.LessOrEqual(p.t, len(o.Datagrams), link.MaxDatagram)
		require.True(p.t, w.grams || len(o.Datagrams) == 0)
		p.read(w, o.Datagrams, heard)
	})
	p.checkFeeds()
	for i, w := range p.watchers {
		if due[i] {
			p.checkNewest(w)
		}
	}
}

// read takes in what a client hears.
func (p *latestPlay) read(w *watcher, b []byte, heard map[fieldOf]bool) {
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		require.NoError(p.t, err)
		b = b[n:]
		p.hear(w, f, heard)
	}
}

// hear takes in a frame.
func (p *latestPlay) hear(w *watcher, f wire.Frame, heard map[fieldOf]bool) {
	switch f := f.(type) {
	case *wire.ClientEnters:
		for e := range f.All() {
			p.hear(w, e, heard)
		}
	case *wire.ClientEnter:
		o := &watched{id: f.DO, serial: map[fields.Number]uint16{}, value: map[fields.Number]string{}}
		for _, n := range p.latest {
			o.serial[n] = f.Serial
			if v, ok := f.Fields.Get(n); ok {
				o.value[n] = string(v)
			}
		}
		w.sees[f.Alias] = o
	case *wire.ClientLeave:
		require.Contains(p.t, w.sees, f.Alias)
		delete(w.sees, f.Alias)
	case *wire.ClientEnterOwner:
		w.owns[f.Alias] = true
	case *wire.ClientLeaveOwner:
		delete(w.owns, f.Alias)
	case *wire.ClientLatest:
		p.hears(w, f, heard)
	}
}

// hears checks one latest value that a client is told.
func (p *latestPlay) hears(w *watcher, f *wire.ClientLatest, heard map[fieldOf]bool) {
	o := w.sees[f.Alias]
	if o == nil && w.owns[f.Alias] {
		return // it was booked while the owner saw it, and is no secret
	}
	require.NotNil(p.t, o, "a value of what it does not have")
	k := fieldOf{o.id, f.Field}
	if !p.mixed[o.id][f.Serial] {
		require.False(p.t, w.behind, "who is behind waits")
		require.False(p.t, heard[k], "one value of a field in a flush")
		heard[k] = true
		require.NotEqual(p.t, do.Session(w.id), p.newest[k].writer, "its own value")
	}
	require.True(p.t, newer(f.Serial, o.serial[f.Field]), "serial %d after %d", f.Serial, o.serial[f.Field])
	o.serial[f.Field], o.value[f.Field] = f.Serial, string(f.Value)
}

// checkNewest demands that a client knows what there is to know.
func (p *latestPlay) checkNewest(w *watcher) {
	for _, o := range w.sees {
		for _, n := range p.latest {
			if want := p.newest[fieldOf{o.id, n}]; want.writer != do.Session(w.id) {
				require.Equal(p.t, want.value, o.value[n], "field %v of %s at %s", n, o.id, w.id)
			}
		}
	}
}

// checkFeeds checks what the feeds rely on.
func (p *latestPlay) checkFeeds() {
	for _, pl := range p.agent.places {
		grams, alive := 0, 0
		for _, st := range pl.seats {
			require.LessOrEqual(p.t, st.told, len(pl.feed.values))
			if st.s.datagrams {
				grams++
			}
		}
		require.Equal(p.t, grams, pl.feed.grams)
		for i, v := range pl.feed.values {
			if !v.over {
				alive++
				require.Equal(p.t, i+1, v.o.latest[v.index].fed)
				require.Same(p.t, pl, v.o.place)
			}
			require.True(p.t, !v.over || i < pl.feed.clean)
		}
		for _, o := range pl.objects {
			for _, lf := range o.latest {
				if lf.fed > 0 {
					alive--
				}
			}
			for _, g := range o.viewers {
				require.Contains(p.t, g.t.seats, pl.loc, "who sees it has a seat")
			}
		}
		require.Zero(p.t, alive, "what is in the feed is of objects that are seen here")
	}
}
