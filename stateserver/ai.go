package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// setAI gives an object an AI of its own, or makes it inherit its parent's again (rules 41 to 45). The same AI sends
// nothing, but is explicit from now on (rule 44). Behind all entries the AI is told that they are complete (rule 48).
func (s *State) setAI(m *wire.Message, b *wire.SetAI, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	o.explicit = !b.Inherit
	if b.Inherit {
		s.inherit(o, m.From, out)
	} else {
		s.changeAI(o, b.AI, m.From, out)
		if !b.AI.IsZero() {
			s.sayEntered(o.id, []do.ID{o.id}, b.AI, out)
		}
	}
	s.done(r, o, out)
	return nil
}

// inherit takes the parent's AI: at once if the parent is here, else when its answer comes; until then the AI stays
// (rule 47).
func (s *State) inherit(o *object, from do.Channel, out *wire.Outbox) {
	switch {
	case o.place == nil:
		s.changeAI(o, do.Channel{}, from, out)
	case o.place.family.parent != nil:
		s.changeAI(o, o.place.family.parent.ai, from, out)
	case o.place.family.foreign:
		out.SendTo(do.ObjectChannel(o.place.loc.Parent), o.channel(), &wire.GetAI{DO: o.place.loc.Parent})
	}
}

// changeAI gives the object, and below it all that inherit from it, another AI (rule 42): the old one and children in
// other States hear of it, then the new one gets the object, then the children here. from is who asked for it.
func (s *State) changeAI(o *object, ai, from do.Channel, out *wire.Outbox) {
	if o.ai == ai {
		return
	}
	old := o.ai
	s.partAI(o)
	o.ai = ai
	o.told()
	f := s.families[o.id]
	elsewhere := do.Channel{}
	if f != nil && f.away > 0 {
		elsewhere = do.Children(o.id)
	}
	out.Send(s.audience(old, elsewhere), from, &wire.ChangingAI{DO: o.id, Version: o.version(), New: ai, Old: old})
	if !ai.IsZero() {
		out.SendTo(ai, o.channel(), &wire.EnterAI{Entry: o.entry(aiView)})
		s.given(o, ai)
	}
	s.loseCalls(o, false, out)
	if f == nil {
		return
	}
	for _, c := range f.children() {
		if !c.explicit {
			s.changeAI(c, ai, from, out)
		}
	}
}

// parentChangedAI is heard by the children of a parent in another State, with the original sender (rules 42, 46).
func (s *State) parentChangedAI(m *wire.Message, b *wire.ChangingAI, out *wire.Outbox) {
	f := s.families[b.DO]
	if f == nil || !f.foreign {
		return
	}
	for _, c := range f.children() {
		if !c.explicit {
			s.changeAI(c, b.New, m.From, out)
		}
	}
}

// parentsAI is the answer to inherit; an answer of a parent that it no longer is, is late (rule 46).
func (s *State) parentsAI(m *wire.Message, b *wire.GetAIResp, out *wire.Outbox) {
	for _, to := range m.To {
		o := s.objects[to.ID]
		if to.Kind == do.KindObject && o != nil && !o.explicit && o.location().Parent == b.DO {
			s.changeAI(o, b.AI, m.From, out)
		}
	}
}

// getAI says which AI an object has.
func (s *State) getAI(m *wire.Message, b *wire.GetAI, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeNoObject, "", out)
	}
	out.SendTo(m.From, o.channel(), &wire.GetAIResp{Context: b.Context, DO: o.id, AI: o.ai})
	return nil
}
