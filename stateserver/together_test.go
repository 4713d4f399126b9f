package stateserver

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// pairs is a net in which messages between two participants stay in order, and those of different pairs overtake each
// other as the test draws.
type pairs struct {
	t        *rapid.T
	states   []*State
	children map[do.Channel][]int // who listens on the children channels
	queues   map[[2]int][]wire.Message
	order    [][2]int // keys of queues that are not empty
	answers  map[uint32][]wire.Body
	probes   int
}

const outside = -1

func (p *pairs) put(from, to int, m wire.Message) {
	key := [2]int{from, to}
	if len(p.queues[key]) == 0 {
		p.order = append(p.order, key)
	}
	p.queues[key] = append(p.queues[key], m)
}

// take routes what a State caused.
func (p *pairs) take(from int, out *wire.Outbox) {
	for _, m := range out.Messages {
		switch b := m.Body.(type) {
		case *wire.AddChannels:
			for _, c := range b.Channels {
				p.children[c] = append(p.children[c], from)
			}
			continue
		case *wire.RemoveChannels:
			for _, c := range b.Channels {
				p.children[c] = slices.DeleteFunc(p.children[c], func(i int) bool { return i == from })
			}
			continue
		case *wire.Done:
			p.answers[b.Context] = append(p.answers[b.Context], b)
		case *wire.Failed:
			p.answers[b.Context] = append(p.answers[b.Context], b)
		case *wire.Probe:
			p.probes++
		}
		for to, s := range p.states {
			if to != from && slices.ContainsFunc(m.To, func(c do.Channel) bool { return p.hears(to, s, c) }) {
				p.put(from, to, m)
			}
		}
	}
}

func (p *pairs) hears(i int, s *State, c do.Channel) bool {
	return c == s.self || c.Kind == do.KindObject && s.mine(c.ID) || slices.Contains(p.children[c], i)
}

// deliver gives one message to who it is for.
func (p *pairs) deliver() {
	i := rapid.IntRange(0, len(p.order)-1).Draw(p.t, "pair")
	key := p.order[i]
	m := p.queues[key][0]
	p.queues[key] = p.queues[key][1:]
	if len(p.queues[key]) == 0 {
		p.order = slices.Delete(p.order, i, i+1)
	}
	var out wire.Outbox
	_ = p.states[key[1]].Step(m, &out)
	p.take(key[1], &out)
}

// TestRule29MovesTogether moves a few objects of three States below each other, all at the same time, with their
// messages in any order: never is one its own ancestor, each request has one answer, nothing hangs, and a move that is
// alone and right is done.
func TestRule29MovesTogether(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	rapid.Check(t, func(t *rapid.T) {
		p := &pairs{
			t: t, children: make(map[do.Channel][]int), queues: make(map[[2]int][]wire.Message), answers: make(map[uint32][]wire.Body),
		}
		var ids []do.ID
		for i := range 3 {
			s, err := New(Config{Instance: do.WellKnown(uint64(i + 1)), Partitions: []do.Partition{do.Partition(i + 1)}, Epoch: 1, Schema: schema, NoDatabase: true})
			require.NoError(t, err)
			p.states = append(p.states, s)
		}
		place := schema.Class("Place")
		title := fields.MapOf(fields.Pair{Number: place.FieldByName("Title").Number, Value: fields.AppendString(nil, "")})
		for i := range 7 {
			ids = append(ids, do.NewID(do.Partition(i%3+1), int64(100-i), uint64(i+1)))
		}
		asked := uint32(0)
		ask := func(id do.ID, b wire.Body) {
			p.put(outside, int(id.Partition())-1, wire.Message{From: testerAI, To: []do.Channel{do.ObjectChannel(id)}, Body: b})
		}
		id := func(what string) do.ID { return rapid.SampledFrom(ids).Draw(t, what) }
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			asked++
			on, at := id("object"), do.Location{Parent: id("parent"), Zone: 1}
			switch rapid.IntRange(0, 9).Draw(t, "request") {
			case 0, 1, 2:
				ask(on, &wire.Create{Context: asked, DO: on, Class: place.Number(), Location: at, Fields: title})
			case 3:
				ask(on, &wire.DeleteRAM{Context: asked, DO: on})
			case 4:
				ask(on, &wire.SetLocation{Context: asked, DO: on})
			case 5:
				other := ids[(slices.Index(ids, on)+3)%len(ids)] // of the same State, or not
				ask(on, &wire.Bundle{Context: asked, DO: on, Ops: []wire.Op{
					{Kind: wire.OpMove, DO: on, Location: at},
					{Kind: wire.OpMove, DO: other, Location: do.Location{Parent: id("parent"), Zone: 2}},
				}})
			default:
				ask(on, &wire.SetLocation{Context: asked, DO: on, Location: at})
			}
			for len(p.order) > 0 && rapid.IntRange(0, 2).Draw(t, "go on") > 0 {
				p.deliver()
			}
			p.acyclic()
		}
		for steps := 0; len(p.order) > 0; steps++ {
			require.Less(t, steps, 20_000, "it goes on for ever")
			p.deliver()
			p.acyclic()
		}
		for c := uint32(1); c <= asked; c++ {
			require.Len(t, p.answers[c], 1, "answers to request %d", c)
		}
		for _, s := range p.states {
			require.Empty(t, s.motions)
			require.Empty(t, s.parked)
		}
	})
}

// acyclic looks at all objects at once.
func (p *pairs) acyclic() {
	parents := make(map[do.ID]do.ID)
	for _, s := range p.states {
		for id, o := range s.objects {
			parents[id] = o.location().Parent
		}
	}
	for id := range parents {
		up := parents[id]
		for range len(parents) {
			if up == id {
				p.t.Fatalf("%v is its own ancestor", id)
			}
			up = parents[up]
		}
	}
}
