package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// setLocation moves an object. To where it is already is no move, and nobody but the asker hears of it (rule 28).
func (s *State) setLocation(m *wire.Message, b *wire.SetLocation, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	if parent := b.Location.Parent; parent != o.location().Parent && !s.simple(o.id, parent) {
		code, text, waits := s.mayMove(m, []do.ID{o.id}, []planned{{o.id, parent, -1}}, nil, out)
		if waits {
			return nil
		}
		if code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
	}
	s.move(o, b.Location, false, m.From, out)
	s.done(r, o, out)
	return nil
}

// parentOf is the parent that id has when plan is done; zero if it has none or is not here.
func (s *State) parentOf(id do.ID, plan []planned) do.ID {
	if i := lastPlanned(plan, id); i >= 0 {
		return plan[i].parent
	}
	if o := s.objects[id]; o != nil {
		return o.location().Parent
	}
	return do.ID{}
}

// move takes an object to another location (rules 30 to 36): first everybody hears that it moves (AI, owner, the old
// location, both parents), then, when the new parent has it in its list, the new location gets it. from is the mover. An
// object that is only passing, since its bundle moves it on, inherits nothing there: its AI does not depend on whose
// partition it passed.
func (s *State) move(o *object, to do.Location, passing bool, from do.Channel, out *wire.Outbox) {
	if to.IsZero() {
		to = do.Location{}
	}
	old := o.location()
	if to == old {
		return
	}
	left, at, entered := o.place, o.at, o.entered
	o.place, o.entered = nil, false
	if !to.IsZero() {
		s.join(o, s.placeAt(to), out)
	}
	if left != nil {
		o.published()
	} else {
		o.told()
	}
	o.arrived = o.n
	var below do.Channel
	if o.watched {
		below = do.Children(o.id)
		s.grounds = append(s.grounds, wire.GroundDigest{DO: o.id, Version: o.version()})
	}
	out.Send(s.audience(do.At(old), o.ai, o.owner(), s.foreignParent(left), s.foreignParent(o.place), below), from, o.changing(to, old))
	s.heardMove(o)
	if left != nil {
		s.leave(o, left, at, entered, out)
	}
	inherits := !o.explicit && !passing
	if o.place == nil {
		if inherits {
			s.changeAI(o, do.Channel{}, from, out)
		}
		return
	}
	if parent := o.place.family.parent; parent != nil {
		if inherits {
			s.changeAI(o, parent.ai, from, out)
		}
		s.enter(o, out)
	}
}

// foreignParent is the channel of the place's parent if that is in another State.
func (s *State) foreignParent(p *place) do.Channel {
	if p == nil || !p.family.foreign {
		return do.Channel{}
	}
	return do.ObjectChannel(p.loc.Parent)
}

// childMoved is a parent's hearing of a child in another State: it keeps its list, and acknowledges an arrival.
func (s *State) childMoved(m *wire.Message, b *wire.ChangingLocation, out *wire.Outbox) {
	if s.mine(b.DO) {
		return
	}
	known := s.away[b.DO]
	if known != nil && b.Version.Compare(known.version) < 0 {
		return
	}
	parent := s.objects[b.New.Parent]
	if parent == nil {
		if !b.New.IsZero() && s.mine(b.New.Parent) {
			s.expect(b.New.Parent, unborn)
		}
		if known != nil {
			s.unlist(known)
		}
		return
	}
	s.list(b.DO, b.Class, b.Version, b.New)
	out.SendTo(do.ObjectChannel(b.DO), parent.channel(), &wire.LocationAck{DO: b.DO, Version: b.Version, Location: b.New, AI: parent.ai})
}

// listed is a child's hearing that its parent in another State has it in its list: now it enters, unless it has moved
// on since (rules 35, 46).
func (s *State) listed(m *wire.Message, b *wire.LocationAck, out *wire.Outbox) {
	o := s.objects[b.DO]
	if o == nil || o.place == nil || o.place.loc != b.Location || b.Version.Inc != o.inc || b.Version.N < o.arrived {
		return
	}
	if !o.explicit {
		s.changeAI(o, b.AI, m.From, out)
	}
	if !o.entered {
		s.enter(o, out)
	}
}

// wakened makes the children of a parent that has just come to life in another State arrive there (rule 24).
func (s *State) wakened(b *wire.WakeChildren, out *wire.Outbox) {
	f := s.families[b.Parent]
	if f == nil || !f.foreign {
		return
	}
	for _, c := range f.children() {
		// What it said before it was woken is under way, or was said to nobody. Only the answer to this counts: else it
		// could enter, and die by the parent's order, before the parent puts it into its list for the second time.
		if !c.entered {
			c.published() // to nobody: it is in no view
			c.arrived = c.n
		}
		out.SendTo(do.ObjectChannel(b.Parent), c.channel(), c.changing(c.location(), do.Location{}))
	}
}

// getLocation says where an object is (rule 39).
func (s *State) getLocation(m *wire.Message, b *wire.GetLocation, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeNoObject, "", out)
	}
	out.SendTo(m.From, o.channel(), &wire.GetLocationResp{Context: b.Context, DO: o.id, Version: o.version(), Location: o.location()})
	return nil
}
