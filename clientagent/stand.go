package clientagent

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Where a client may put what it owns: a move is checked against the grid and the edges of both parents, a position
// against the cell that the object is in. What does not fit is refused with what holds, not punished: the AI may have
// moved the object a moment ago.

// bound is where the object will be when the client's moves that are under way have arrived.
func (g *grip) bound() do.Location {
	if g.moves > 0 {
		return g.heading
	}
	return g.o.location
}

// checkWay checks a move from one location to another: a zone that has edges is entered and left by them alone, and on a
// grid the position goes with the move and is in the cell (rules 164, 169).
func (s *State) checkWay(to *target, l do.Location, set fields.Map) verdict {
	if !s.zoned {
		return verdict{}
	}
	from := to.g.bound()
	here, there := s.grounds[from.Parent], s.grounds[l.Parent]
	for _, g := range []*ground{here, there} {
		if g != nil && g.failed {
			return excuse(wire.CodeTimeout, "the shard of the parent did not answer")
		}
	}
	if from != l && !passes(here, from, there, l) {
		return excuse(wire.CodePlace, "no edge leads from "+from.String()+" to "+l.String())
	}
	if there == nil || !there.grid.Contains(l.Zone) || !to.class.Marks().Has(fields.Position) {
		return verdict{}
	}
	x, y, ok := position(to.class, set)
	switch {
	case !ok:
		return excuse(wire.CodePlace, "a move on a grid has the position with it")
	case !there.grid.Fits(l.Zone, x, y):
		return excuse(wire.CodePlace, "the position is not in "+l.String())
	}
	return verdict{}
}

// passes reports whether one can go from one location to another.
func passes(here *ground, from do.Location, there *ground, to do.Location) bool {
	if here == there && here != nil && here.grid.Contains(from.Zone) && here.grid.Contains(to.Zone) {
		return true
	}
	closed := here != nil && here.closed(from.Zone) || there != nil && there.closed(to.Zone)
	return !closed || here != nil && here.leads(from.Zone, to) || there != nil && there.leads(to.Zone, from)
}

// checkStand checks the position in a set that is no move: it stays in the cell.
func (s *State) checkStand(to *target, set fields.Map) verdict {
	if !s.stands(to) {
		return verdict{}
	}
	if x, y, ok := position(to.class, set); ok {
		return s.checkFits(to.g.bound(), x, y)
	}
	return verdict{}
}

// checkStandAt is checkStand for one field.
func (s *State) checkStandAt(to *target, n fields.Number, value []byte) verdict {
	if !s.stands(to) {
		return verdict{}
	}
	if x, y, ok := fieldPosition(to.class.Field(n), value); ok {
		return s.checkFits(to.g.bound(), x, y)
	}
	return verdict{}
}

// stands reports whether positions of the target are to be checked: it stands on a ground that may have a grid.
func (s *State) stands(to *target) bool {
	return s.zoned && to.g != nil && to.g.owned && to.class.Marks().Has(fields.Position)
}

// position is the position in a set, alone or as a part of a molecular.
func position(class *do.Class, set fields.Map) (x, y float64, ok bool) {
	for it := set.Iter(); it.Next(); {
		if fx, fy, is := fieldPosition(class.Field(it.Number()), it.Value()); is {
			x, y, ok = fx, fy, true
		}
	}
	return x, y, ok
}

func fieldPosition(f *do.Field, value []byte) (x, y float64, ok bool) {
	switch {
	case f == nil:
	case f.Keywords.Has(fields.Position):
		return f.Position(value)
	case f.Kind == do.FieldMolecular:
		return partPosition(f, value)
	}
	return 0, 0, false
}

func partPosition(f *do.Field, value []byte) (x, y float64, ok bool) {
	_ = f.Split(value, func(part *do.Field, v []byte) {
		if part.Keywords.Has(fields.Position) {
			x, y, ok = part.Position(v)
		}
	})
	return x, y, ok
}

// checkFits checks a position against the cell that a location is, if it is one.
func (s *State) checkFits(l do.Location, x, y float64) verdict {
	g := s.grounds[l.Parent]
	if g == nil || !g.grid.Contains(l.Zone) || g.grid.Fits(l.Zone, x, y) {
		return verdict{}
	}
	return excuse(wire.CodePlace, "the position is not in "+l.String())
}

// locate notes where an object is; who owns it may follow it.
func (s *State) locate(o *object, l do.Location) {
	o.location = l
	if o.owner != nil {
		s.footing(o)
		s.shift(o.owner)
	}
}

// disowned ends an ownership in the tables, and what follows the object.
func (s *State) disowned(g *grip) {
	g.owned, g.o.owner = false, nil
	s.footing(g.o)
	s.shift(g)
}

// footing keeps the ground known that an owned object stands on: its client may move it.
func (s *State) footing(o *object) {
	var want do.ID
	if s.zoned && o.owner != nil {
		want = o.location.Parent
	}
	if o.ground != nil && o.ground.parent == want || o.ground == nil && want.IsZero() {
		return
	}
	old := o.ground
	o.ground = nil
	if !want.IsZero() {
		o.ground = s.useGround(want)
	}
	s.leaveGround(old)
}

// heads notes a move that was forwarded; arrived that it was answered. Meanwhile the ground ahead stays known.
func (s *State) heads(g *grip, to do.Location) {
	g.moves++
	g.heading = to
	if s.zoned {
		old := g.ahead
		g.ahead = s.useGround(to.Parent)
		s.leaveGround(old)
	}
}

// leaveGround releases a ground that may be nil.
func (s *State) leaveGround(g *ground) {
	if g != nil {
		s.releaseGround(g)
	}
}

// stays forgets where the object of g was going.
func (s *State) stays(g *grip) {
	g.moves, g.heading = 0, do.Location{}
	s.leaveGround(g.ahead)
	g.ahead = nil
}

func (s *State) arrived(q *request) {
	if q.kind != requestMove || q.t.ended {
		return
	}
	g := s.gripOf(q.t, q.id)
	if g == nil || g.moves == 0 {
		return
	}
	if g.moves--; g.moves == 0 {
		s.stays(g)
	}
}
