package clientagent

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// follows is what a client's handle follows.
type follows struct {
	id    do.ID
	outer int
}

// TestQuietFollowsEqualAScan: walkers, and the houses that some of them are in, move over a street; clients follow what
// they own, own it and lose it; grids, doors and auto zones change. When all is quiet each client sees what a scan of the
// States' memory says, with a graph walk that shares no code with the agent.
func TestQuietFollowsEqualAScan(t *testing.T) {
	playFollows(t, false)
}

// TestFollowsAfterLostLinks: the same with links between the agent and the States lost now and then, with all that is on
// them.
func TestFollowsAfterLostLinks(t *testing.T) { playFollows(t, true) }

func playFollows(t *testing.T, losing bool) {
	schema := readSchema(t, "testdata/zones.dc")
	rapid.Check(t, func(t *rapid.T) {
		p := &followPlay{t: t, cluster: newCluster(t, schema)}
		p.build()
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			p.step()
			if losing && rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
				p.loseLink()
			}
			for range rapid.IntRange(0, 4).Draw(t, "deliveries") {
				p.deliver()
			}
			p.flush()
		}
		p.settle()
		if losing {
			p.settle() // what was lost is asked for again after three seconds
		}
		p.compare()
	})
}

// loseLink loses what is on its way between the agent and the States, of which the agent hears.
func (p *followPlay) loseLink() {
	for i := range 2 {
		from := [2]int{i, 2}
		p.taken[i] += len(p.queues[from])
		p.queues[from], p.queues[[2]int{2, i}] = nil, nil
	}
	lost := &wire.LinkLost{}
	for part := range do.Partition(4) {
		lost.Hosts = append(lost.Hosts, do.PartitionRange(do.KindObject, part+1))
	}
	p.input(2, lost)
}

type followPlay struct {
	*cluster
	t       *rapid.T
	street  do.ID
	houses  []do.ID
	walkers []do.ID
	asked   []int
}

func (p *followPlay) class(name string) *do.Class { return p.schema.Class(name) }

func (p *followPlay) number(class, field string) fields.Number {
	return p.class(class).FieldByName(field).Number
}

func (p *followPlay) create(part do.Partition, n uint64, class string, at do.Location, pairs ...fields.Pair) do.ID {
	id := do.NewID(part, 1, n)
	p.request(id, &wire.Create{DO: id, Class: p.class(class).Number(), Location: at, Fields: fields.MapOf(pairs...)})
	return id
}

func (p *followPlay) build() {
	p.street = p.create(1, 1, "Street", do.Location{})
	for i := range 2 {
		p.houses = append(p.houses, p.create(do.Partition(2+i), uint64(10+i), "House", do.Location{Parent: p.street, Zone: 105}))
	}
	for i := range 4 {
		name := fields.Pair{Number: p.number("Walker", "Name"), Value: fields.AppendString(nil, "w")}
		p.walkers = append(p.walkers, p.create(do.Partition(1+i), uint64(20+i), "Walker", p.somewhere(), name))
	}
	sum := p.schema.Fingerprint()
	for i := range 2 {
		v := &view{id: do.NewID(0, 5, uint64(i+1)), byAlias: map[uint32]*seen{}, owned: map[uint32]*seen{}, follows: map[uint16]follows{}}
		p.views = append(p.views, v)
		p.input(2, &wire.SessionOpened{Session: v.id})
		p.frame(v, &wire.ClientHello{Schema: sum[:]})
		var out wire.Outbox
		_ = p.agent.Step(wire.Message{To: []do.Channel{do.Session(v.id)}, Body: &wire.SetState{State: wire.StateEstablished}}, &out)
	}
	p.asked = make([]int, 2)
	for i, w := range p.walkers {
		p.request(w, &wire.SetOwner{DO: w, Owner: do.Session(p.views[i/2].id)})
	}
	for _, h := range p.houses {
		p.declare(h)
	}
	for p.deliver() {
	}
	p.flush()
	for n := range p.views {
		p.follow(n, 1)
	}
}

// follow lets a client follow something that it owns.
func (p *followPlay) follow(n int, handle uint16) {
	v := p.views[n]
	if len(v.owned) == 0 {
		return
	}
	alias := rapid.SampledFrom(slices.Sorted(maps.Keys(v.owned))).Draw(p.t, "alias")
	outer := rapid.IntRange(0, 2).Draw(p.t, "outer")
	p.asked[n]++
	v.follows[handle] = follows{v.owned[alias].id, outer}
	p.frame(v, &wire.ClientFollow{Context: 1, Handle: handle, Ref: wire.AliasRef(alias), Outer: uint8(outer)})
}

// somewhere is a cell, a zone off the grid, or a zone of a house.
func (p *followPlay) somewhere() do.Location {
	switch rapid.IntRange(0, 5).Draw(p.t, "where") {
	case 0, 2, 3:
		return do.Location{Parent: rapid.SampledFrom(p.houses).Draw(p.t, "house"), Zone: do.Zone(rapid.IntRange(1, 2).Draw(p.t, "room"))}
	case 1:
		return do.Location{Parent: p.street, Zone: 7}
	}
	return do.Location{Parent: p.street, Zone: p.cell()}
}

func (p *followPlay) cell() do.Zone { return do.Zone(rapid.IntRange(100, 111).Draw(p.t, "cell")) }

func (p *followPlay) step() {
	walker := rapid.SampledFrom(p.walkers).Draw(p.t, "walker")
	house := rapid.SampledFrom(p.houses).Draw(p.t, "house")
	n := rapid.IntRange(0, 1).Draw(p.t, "client")
	v := p.views[n]
	handle := uint16(rapid.IntRange(1, 2).Draw(p.t, "handle"))
	switch rapid.IntRange(0, 13).Draw(p.t, "what") {
	case 0, 1, 2:
		p.request(walker, &wire.SetLocation{DO: walker, Location: p.somewhere()})
	case 3, 4:
		p.request(house, &wire.SetLocation{DO: house, Location: do.Location{Parent: p.street, Zone: p.cell()}})
	case 5, 6:
		p.request(walker, &wire.SetOwner{DO: walker, Owner: do.Session(v.id)})
	case 7, 8, 9:
		p.follow(n, handle)
	case 10:
		p.asked[n]++
		delete(v.follows, handle)
		p.frame(v, &wire.ClientRemoveInterest{Context: 1, Handle: handle})
	case 11, 12:
		p.declare(house)
	case 13:
		p.request(p.street, &wire.SetFields{DO: p.street, Fields: fields.MapOf(fields.Pair{
			Number: p.number("Street", "Ground"), Value: p.grid(),
		})})
	}
}

// grid is another grid: cells may be fewer than before, or none.
func (p *followPlay) grid() []byte {
	b := fields.AppendArrayHeader(nil, 6)
	if rapid.Bool().Draw(p.t, "no grid") {
		for i := range 6 {
			if b = fields.AppendInt(b, 0); i == 3 || i == 5 {
				b = fields.AppendFloat64(b[:len(b)-1], 0)
			}
		}
		return b
	}
	b = fields.AppendUint(b, uint64(rapid.IntRange(100, 102).Draw(p.t, "start")))
	b = fields.AppendInt(b, rapid.Int64Range(1, 4).Draw(p.t, "cols"))
	b = fields.AppendInt(b, rapid.Int64Range(1, 3).Draw(p.t, "rows"))
	b = fields.AppendFloat64(b, 10)
	b = fields.AppendInt(b, rapid.Int64Range(0, 2).Draw(p.t, "radius"))
	return fields.AppendFloat64(b, 1)
}

// declare changes a house's doors or rooms.
func (p *followPlay) declare(house do.ID) {
	list := rapid.IntRange(0, 2).Draw(p.t, "how many")
	b := fields.AppendArrayHeader(nil, list)
	field := "Rooms"
	if rapid.Bool().Draw(p.t, "doors") {
		field = "Doors"
		for i := range list {
			b = fields.AppendArrayHeader(b, 4)
			b = fields.AppendString(b, "door"+string(rune('a'+i)))
			b = fields.AppendUint(b, uint64(1+i))
			b = fields.AppendArrayHeader(b, 2)
			b = fields.AppendBin(b, p.street[:])
			b = fields.AppendUint(b, uint64(p.cell()))
			b = fields.AppendBool(b, rapid.Bool().Draw(p.t, "see"))
		}
	} else {
		for i := range list {
			b = fields.AppendUint(b, uint64(1+i))
		}
	}
	p.request(house, &wire.SetFields{DO: house, Fields: fields.MapOf(fields.Pair{Number: p.number("House", field), Value: b})})
}

// scanned is an object of the truth.
type scanned struct {
	at    do.Location
	owner do.Channel
	grid  do.Grid
	edges []do.Edge
	rooms []do.Zone
	seen  *seen
}

func (p *followPlay) truth() map[do.ID]*scanned {
	all := map[do.ID]*scanned{}
	for _, st := range p.states {
		st.Scan(func(o stateserver.Scanned) {
			x := &scanned{at: o.Location, owner: o.Owner, seen: &seen{id: o.ID, at: o.Location, values: map[fields.Number]string{}}}
			for it := o.Fields.Iter(); it.Next(); {
				var err error
				switch f := o.Class.Field(it.Number()); f.Name {
				case "Ground":
					x.grid, err = do.ParseGrid(it.Value())
				case "Doors":
					x.edges, err = do.ParseEdges(it.Value())
				case "Rooms":
					x.rooms, err = do.ParseZones(it.Value())
				}
				require.NoError(p.t, err)
				x.seen.values[it.Number()] = string(it.Value())
			}
			all[o.ID] = x
		})
	}
	return all
}

// look adds what who stands at l sees of its parent's zones: a slow walk over all cells.
func look(all map[do.ID]*scanned, cover map[do.Location]bool, l do.Location) {
	cover[l] = true
	g := all[l.Parent].grid
	i := int(l.Zone) - int(g.Start)
	if i < 0 || i >= int(g.Cols*g.Rows) {
		return
	}
	for j := range int(g.Cols * g.Rows) {
		across, along := j%int(g.Cols)-i%int(g.Cols), j/int(g.Cols)-i/int(g.Cols)
		if max(across, -across) <= int(g.Radius) && max(along, -along) <= int(g.Radius) {
			cover[do.Location{Parent: l.Parent, Zone: g.Start + do.Zone(j)}] = true
		}
	}
}

func (p *followPlay) compare() {
	all := p.truth()
	for n, v := range p.views {
		require.Equal(p.t, p.asked[n], v.done, "one DONE for each operation")
		cover := map[do.Location]bool{}
		for _, f := range v.follows {
			o := all[f.id]
			require.Equal(p.t, do.Session(v.id), o.owner, "what is not owned is not followed")
			look(all, cover, o.at)
			for _, e := range all[o.at.Parent].edges {
				if e.See && e.From == o.at.Zone {
					look(all, cover, e.To)
				}
			}
			for up := o.at.Parent; f.outer > 0 && !all[up].at.IsZero(); f.outer-- {
				look(all, cover, all[up].at)
				up = all[up].at.Parent
			}
		}
		want, owned := map[do.ID]*seen{}, 0
		for grown := true; grown; {
			grown = false
			for id, o := range all {
				if want[id] != nil || !cover[o.at] {
					continue
				}
				want[id], grown = o.seen, true
				for _, z := range o.rooms {
					cover[do.Location{Parent: id, Zone: z}] = true
				}
			}
		}
		got := map[do.ID]*seen{}
		for _, o := range v.byAlias {
			got[o.id] = o
		}
		require.Equal(p.t, want, got)
		for _, o := range all {
			if o.owner == do.Session(v.id) {
				owned++
			}
		}
		require.Len(p.t, v.owned, owned)
	}
	p.noLeftovers()
}

// noLeftovers: when the sessions have ended, the agent uses no ground and no channel for anybody.
func (p *followPlay) noLeftovers() {
	for _, v := range p.views {
		p.input(2, &wire.SessionClosed{Session: v.id})
	}
	require.Empty(p.t, p.agent.grounds)
	require.Empty(p.t, p.agent.groundList)
	require.Empty(p.t, p.agent.groundAsks)
	require.Empty(p.t, p.agent.parents)
	require.Empty(p.t, p.agent.places)
	require.Empty(p.t, p.agent.objects)
	for ch := range p.cores[2].channels {
		require.NotEqual(p.t, do.KindChildren, ch.Kind, "nobody listens to children any more")
	}
}
