package clientagent

import (
	"slices"

	"github.com/otpd/otpd/wire"
)

// digest compares what the sessions see at a place with what its States say is there, so that even a lost last
// message is found. It comes in order with everything about those objects: what differs is wrong, not early.
func (s *State) digest(b *wire.Digest) {
	p := s.places[b.Location]
	if p == nil || !p.ready || p.refresh != nil || p.sound(b.Parts) {
		return
	}
	s.stats.Repairs++
	s.repair(p)
}

// sound reports whether all who have seen all that is here see what the parts say. While everybody is still loading,
// there is nothing to compare. Objects of other partitions are left out: one of them may be on its way here, seen by
// those who saw it before and not yet by the others.
func (p *place) sound(parts []wire.DigestPart) bool {
	settled := 0
	for _, st := range p.seats {
		if st.opening == nil {
			settled++
		}
	}
	if settled == 0 {
		return true
	}
	for _, o := range p.objects {
		if summed(parts, o) >= 0 && !p.seenBy(o, settled) {
			return false
		}
	}
	return p.agrees(parts)
}

// seenBy reports whether all settled sessions at the place see o.
func (p *place) seenBy(o *object, settled int) bool {
	if settled == len(p.seats) && len(o.viewers) == len(p.seats) {
		return true
	}
	for _, g := range o.viewers {
		if st := g.t.seats[p.loc]; st != nil && st.opening == nil {
			settled--
		}
	}
	return settled == 0
}

// summed is the part that sums up o, -1 if none does.
func summed(parts []wire.DigestPart, o *object) int {
	return slices.IndexFunc(parts, func(d wire.DigestPart) bool { return d.Partition == o.id.Partition() })
}

// agrees reports whether the objects that are seen here are those that the parts sum up.
func (p *place) agrees(parts []wire.DigestPart) bool {
	left := slices.Clone(parts)
	for _, o := range p.objects {
		if i := summed(left, o); i >= 0 {
			left[i].Count--
			left[i].Sum -= wire.DigestOf(o.id, o.version)
		}
	}
	return !slices.ContainsFunc(left, func(d wire.DigestPart) bool { return d.Count != 0 || d.Sum != 0 })
}

// repair asks for everything at a place again.
func (s *State) repair(p *place) {
	o := s.newOpening(nil, p.loc.Parent)
	o.place, p.refresh = p, o
	for _, st := range p.seats {
		st.s.repaired.again()
	}
	s.ask(o)
}

// repairEntry takes over an entry of a repair: who lacks the object gets it, and who has it gets its values again if
// versions differ.
func (s *State) repairEntry(r *opening, e *wire.Entry) {
	if e.Location != r.place.loc {
		return
	}
	s.repairing = true
	defer func() { s.repairing = false }()
	o := s.objects[e.DO]
	switch {
	case o == nil || len(o.viewers) == 0 && e.Version.Inc >= o.version.Inc:
		s.showAll(r.place, e)
	case e.Version.Inc < o.version.Inc:
		return
	case r.all || o.otherLife(e.Version) || e.Version.N != o.version.N || o.location != e.Location:
		s.refreshObject(o, e, true)
	default:
		s.showAll(r.place, e)
	}
	if o = s.objects[e.DO]; o != nil {
		o.listed = r.context
	}
}

// repaired ends a repair. What is seen here, is not on the list, and did not come since it was asked, is somewhere
// else, or deleted: its own State says which.
func (s *State) repaired(r *opening) {
	if !r.last {
		return
	}
	for _, o := range slices.Clone(r.place.objects) {
		if o.listed == r.context || o.moved >= r.begun {
			continue
		}
		s.askEntry(o)
		s.moving = append(s.moving, arrival{o: o, moved: o.moved, due: s.now + arriveWithin, asked: o.asked})
	}
}

// giveUp takes an object that its parent does not list from those who see it, when its State does not say where it is.
func (s *State) giveUp(o *object) {
	for _, g := range slices.Clone(o.viewers) {
		s.leave(g, wire.LeaveMoved)
	}
}
