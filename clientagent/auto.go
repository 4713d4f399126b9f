package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// auto is an object whose auto zones a session is to have open, or not any more (rule 163).
type auto struct {
	t     *session
	id    do.ID
	zones []do.Zone // none: closed
}

// autoEntry books the auto zones of an object that a session sees, as the fields of its entry or of a set say.
func (s *State) autoEntry(g *grip, m fields.Map) {
	if g.o.class == nil || !g.o.class.Marks().Has(fields.Auto) {
		return
	}
	v, ok := m.Get(g.o.class.Marked(fields.Auto).Number)
	if !ok {
		return
	}
	zones, _ := do.ParseZones(v) // the State has checked it
	s.autos = append(s.autos, auto{g.t, g.o.id, slices.Compact(slices.Sorted(slices.Values(zones)))})
}

// autoLeave closes them with the view.
func (s *State) autoLeave(g *grip) {
	if g.auto != 0 {
		s.autos = append(s.autos, auto{t: g.t, id: g.o.id})
	}
}

// settleAutos opens, alters and closes the interests of what was booked. The client only books them (rule 163).
func (s *State) settleAutos() {
	for i := 0; i < len(s.autos); i++ {
		a := s.autos[i]
		if a.t.ended {
			continue
		}
		number := a.t.autos[a.id]
		h := a.t.handle(number)
		if h != nil && h.parent != a.id {
			h = nil // it was closed, and its number given again
		}
		g := s.gripOf(a.t, a.id)
		if g == nil || g.view < 0 {
			a.zones = nil // it left meanwhile
		}
		switch {
		case len(a.zones) == 0:
			delete(a.t.autos, a.id)
			if g != nil {
				g.auto = 0
			}
			if h != nil {
				s.closeHandle(a.t, h, wire.LeaveInterest, "what it is below left the view")
			}
		case h != nil && slices.Equal(h.zones, a.zones):
		default:
			if h == nil {
				number = a.t.freeServerHandle()
			}
			if a.t.autos == nil {
				a.t.autos = map[do.ID]uint16{}
			}
			a.t.autos[a.id], g.auto = number, number
			s.send(a.t, &wire.ClientInterestOpened{Handle: number, Parent: a.id, Zones: a.zones})
			s.addInterest(&operation{t: a.t}, number, a.id, a.zones)
		}
	}
	clear(s.autos)
	s.autos = s.autos[:0]
}

// freeServerHandle is a handle of the cluster's that is not in use: from the highest down, since AIs are likely to count up.
func (t *session) freeServerHandle() uint16 {
	for n := uint16(1<<16 - 1); n > serverHandles; n-- {
		if t.handle(n) == nil {
			return n
		}
	}
	return serverHandles
}

// permission is what an AI lets one session open below a parent.
type permission struct {
	zones []do.Zone // ascending: a client may ask for thousands, again and again
	all   bool
}

func (p permission) covers(zones []do.Zone) bool {
	return p.all || len(zones) > 0 && !slices.ContainsFunc(zones, func(z do.Zone) bool {
		_, ok := slices.BinarySearch(p.zones, z)
		return !ok
	})
}

// permit replaces a permission. What could be opened until now is excused for a while.
func (s *State) permit(t *session, b *wire.PermitInterest) {
	old := t.permits[b.Parent]
	p := permission{zones: slices.Sorted(slices.Values(b.Zones)), all: b.All}
	if p.all || len(p.zones) > 0 {
		if t.permits == nil {
			t.permits = map[do.ID]permission{}
		}
		t.permits[b.Parent] = p
	} else {
		delete(t.permits, b.Parent)
	}
	if old.all && !p.all || len(old.zones) > 0 && !p.covers(old.zones) {
		s.lose(t, b.Parent)
	}
}

// mayOpen applies the policy to zones below a parent: which of them a client may open (rule 95). What it could open until
// a moment ago is refused and not punished (rule 105). hold: the parent has to be asked first.
func (s *State) mayOpen(t *session, parent do.ID, zones []do.Zone) (v verdict, hold bool) {
	switch {
	case t.state < wire.StateEstablished:
		return excuse(wire.CodeDenied, "the session was lowered"), false
	case s.cfg.Interests == InterestAny:
		return verdict{}, false
	case s.cfg.Interests == InterestDisabled:
		return fault(wire.ReasonInterestDenied, "interest below %s", parent), false
	case t.permits[parent].covers(zones):
		return verdict{}, false
	case s.cfg.Interests == InterestVisible:
		if parent.IsWellKnown() || s.gripOf(t, parent) != nil {
			return verdict{}, false
		}
	case s.zoned && !parent.IsZero():
		g := s.grounds[parent]
		if g == nil || !g.known && !g.failed {
			return verdict{}, true
		}
		if (permission{zones: g.open}).covers(zones) {
			return verdict{}, false
		}
		if g.failed {
			return excuse(wire.CodeTimeout, "the shard of the parent did not answer"), false
		}
		if g.narrowed > s.now {
			return excuse(wire.CodeDenied, "it may no more be opened"), false
		}
	}
	if t.lost[parent] > s.now {
		return excuse(wire.CodeDenied, "it may no more be opened"), false
	}
	if _, had := t.hadAlias(parent); had {
		return excuse(wire.CodeGone, "the parent left"), false
	}
	return fault(wire.ReasonInterestDenied, "interest below %s", parent), false
}
