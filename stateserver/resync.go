package stateserver

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// linkLost is told when messages to or from States elsewhere may have been lost. Parents and children that it lay between
// compare what they know of each other: a State of children says which it has, and which of them the parent acknowledged;
// a State of parents asks which of those that it lists are still theirs. Each side hears of the loss, in any order.
//
// It is set right as if what was lost had come late: who moved or came is listed and enters; who left or died is taken
// off the list; an AI that changed is inherited; who was acknowledged, and is on the list no more, was deleted by the
// parent, or with it, and dies now.
func (s *State) linkLost(b *wire.LinkLost, out *wire.Outbox) {
	s.probeAgain(out)
	if len(b.Hosts) == 0 {
		return
	}
	var foreign, own []*family
	for id, f := range s.families {
		switch {
		case f.foreign && b.Holds(id):
			foreign = append(foreign, f)
		case f.away > 0:
			own = append(own, f)
		}
	}
	byID := func(a, b *family) int { return a.id.Compare(b.id) }
	slices.SortFunc(foreign, byID)
	slices.SortFunc(own, byID)
	if b.Dead {
		s.bury(b, foreign, own, out)
		return
	}
	for _, f := range foreign {
		s.sayChildren(f, out)
	}
	for _, f := range own {
		s.askChildren(f, b, out)
	}
}

// bury is linkLost for States that are dead: their objects are gone from memory. Children here die with their parents
// there, as if those had been deleted; children there are off the lists.
//
// Another State may have taken the partitions over before this is heard, and a parent may have come to life again there
// and have woken its children here: these die all the same, and tell it. That also ends every circle that was closed in
// between, when the new State did not know yet that its objects have children (rule 29): an object that came back below
// one of its own dies with that, since it is still on the list then.
func (s *State) bury(b *wire.LinkLost, foreign, own []*family, out *wire.Outbox) {
	for _, f := range foreign {
		for _, o := range f.children() {
			if s.objects[o.id] == o { // one may have gone with another that was its ancestor
				s.remove(o, do.ObjectChannel(f.id), removal{tellParent: true}, out)
			}
		}
	}
	for _, f := range own {
		s.askChildren(f, b, out) // which a State that has taken over may have, and have told already
		for _, p := range slices.Clone(f.places) {
			for i := len(p.away) - 1; i >= 0; i-- {
				if c := p.away[i]; b.Holds(c.id) {
					s.unlist(c)
				}
			}
		}
	}
}

// sayChildren tells a parent elsewhere which children it has here.
func (s *State) sayChildren(f *family, out *wire.Outbox) {
	all := f.children()
	for chunk := range slices.Chunk(all, chunkListed) {
		say := &wire.ChildrenHere{Parent: f.id, Children: make([]wire.Child, len(chunk))}
		for i, o := range chunk {
			say.Children[i] = wire.Child{
				DO: o.id, Class: o.class.number, Zone: o.place.loc.Zone, Version: o.version(), Entered: o.entered,
			}
		}
		out.SendTo(do.ObjectChannel(f.id), s.self, say)
	}
}

// askChildren asks, partition by partition, which of the children that are listed behind the link are none any more.
func (s *State) askChildren(f *family, b *wire.LinkLost, out *wire.Outbox) {
	var ids []do.ID
	for _, p := range f.places {
		for _, c := range p.away {
			if b.Holds(c.id) {
				ids = append(ids, c.id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b do.ID) int {
		return cmp.Or(cmp.Compare(a.Partition(), b.Partition()), a.Compare(b))
	})
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && n < chunkListed && ids[n].Partition() == ids[0].Partition() {
			n++
		}
		out.SendTo(do.ObjectChannel(ids[0]), do.ObjectChannel(f.id), &wire.AskChildren{Parent: f.id, DOs: ids[:n:n], Dead: b.Dead})
		ids = ids[n:]
	}
}

// childrenAsked answers AskChildren, if there is anything to say.
func (s *State) childrenAsked(b *wire.AskChildren, out *wire.Outbox) {
	say := &wire.ChildrenHere{Parent: b.Parent}
	for _, id := range b.DOs {
		switch o := s.objects[id]; {
		case o == nil || o.location().Parent != b.Parent:
			say.Gone = append(say.Gone, id)
		case b.Dead:
			say.Children = append(say.Children, wire.Child{DO: o.id, Class: o.class.number, Zone: o.place.loc.Zone, Version: o.version()})
		}
	}
	if len(say.Gone)+len(say.Children) > 0 {
		out.SendTo(do.ObjectChannel(b.Parent), s.self, say)
	}
}

// childrenSaid brings the list of a parent in line with what the State of its children says.
func (s *State) childrenSaid(m *wire.Message, b *wire.ChildrenHere, out *wire.Outbox) {
	for _, id := range b.Gone {
		if c := s.away[id]; c != nil && c.place.family.id == b.Parent {
			s.unlist(c)
		}
	}
	if len(b.Children) == 0 {
		return
	}
	known := &wire.ChildrenKnown{Parent: b.Parent}
	parent := s.objects[b.Parent]
	if parent != nil {
		known.AI = parent.ai
	} else {
		s.expect(b.Parent, unborn)
	}
	for i := range b.Children {
		c := &b.Children[i]
		if s.mine(c.DO) {
			continue
		}
		l := wire.Listed{DO: c.DO, Zone: c.Zone, Version: c.Version}
		switch {
		case c.Entered && s.away[c.DO] == nil:
			known.Deleted = append(known.Deleted, l)
		case parent != nil:
			s.list(c.DO, c.Class, c.Version, do.Location{Parent: b.Parent, Zone: c.Zone})
			known.Listed = append(known.Listed, l)
		}
	}
	if len(known.Listed)+len(known.Deleted) > 0 {
		out.SendTo(m.From, do.ObjectChannel(b.Parent), known)
	}
}

// childrenKnown is a child's hearing that its parent lists it, or deleted it.
func (s *State) childrenKnown(m *wire.Message, b *wire.ChildrenKnown, out *wire.Outbox) {
	for i := range b.Listed {
		l := &b.Listed[i]
		s.listed(m, &wire.LocationAck{DO: l.DO, Version: l.Version, Location: do.Location{Parent: b.Parent, Zone: l.Zone}, AI: b.AI}, out)
	}
	for _, l := range b.Deleted {
		if o := s.objects[l.DO]; o != nil && s.stayed(o, b.Parent, l) {
			// The parent may have come to life again, and have listed it when it was woken.
			s.remove(o, m.From, removal{tellParent: true}, out)
		}
	}
}

// stayed reports whether an object is still where it was at a version that it told.
func (s *State) stayed(o *object, parent do.ID, l wire.Listed) bool {
	return o.location() == do.Location{Parent: parent, Zone: l.Zone} && o.inc == l.Version.Inc && o.arrived <= l.Version.N
}
