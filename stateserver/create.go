package stateserver

import (
	"errors"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// create makes an object (rules 17 to 27). The first one wins; an unknown class or a bad value makes nothing (rule 18).
func (s *State) create(m *wire.Message, b *wire.Create, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	switch {
	case b.DO.IsZero():
		return s.fail(r, wire.CodeMalformed, "no DoID", out)
	case !s.mine(b.DO):
		return s.fail(r, wire.CodeOtherPartition, "", out)
	case s.objects[b.DO] != nil:
		return s.fail(r, wire.CodeExists, "", out)
	}
	k := s.class(b.Class)
	if k == nil {
		return s.unknownClass(m, b.Class, r, out)
	}
	if parent := b.Location.Parent; !s.simple(b.DO, parent) {
		code, text, waits := s.mayMove(m, []do.ID{b.DO}, []planned{{b.DO, parent, -1}}, nil, out)
		if waits {
			return nil
		}
		if code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
	}
	values := make([][]byte, len(k.stored))
	if code, err := s.take(k, b.Fields, values); err != nil {
		return s.fail(r, code, err.Error(), out)
	}
	for slot, f := range k.stored {
		if values[slot] != nil || !f.Keywords.Has(fields.Required) {
			continue
		}
		if f.Default == nil {
			return s.fail(r, wire.CodeRequired, f.Name, out)
		}
		values[slot] = f.Default
	}
	o := &object{id: b.DO, class: k, values: packValues(values)}
	o.setOwner(b.Owner)
	s.live(o, b.Location, b.AI, m.From, out)
	s.done(r, o, out)
	return nil
}

// take checks the fields of a Create or Activate and puts their values by slot. What is not kept in memory, and what
// the class does not have, is skipped and counted (rule 19). The values lie in the message.
func (s *State) take(k *class, m fields.Map, values [][]byte) (wire.Code, error) {
	it := m.Iter()
	for it.Next() {
		f := k.Field(it.Number())
		switch {
		case f == nil:
			s.counters.Skipped++
			continue
		case f.Kind == do.FieldMolecular:
			if err := f.Check(it.Value()); err != nil {
				return valueCode(err), errors.New(f.Name + ": " + err.Error())
			}
			_ = f.Split(it.Value(), func(part *do.Field, v []byte) { s.keep(part, v, values) })
			continue
		case !f.Stored():
			s.counters.Skipped++
			continue
		}
		if err := f.Check(it.Value()); err != nil {
			return valueCode(err), errors.New(f.Name + ": " + err.Error())
		}
		s.keep(f, it.Value(), values)
	}
	if err := it.Err(); err != nil {
		return wire.CodeMalformed, err
	}
	if len(it.Rest()) > 0 {
		return wire.CodeMalformed, fields.ErrTrailing
	}
	return wire.CodeOK, nil
}

// keep puts a checked value by its slot.
func (s *State) keep(f *do.Field, v []byte, values [][]byte) {
	if !f.Stored() {
		s.counters.Skipped++
		return
	}
	values[f.Slot] = v
}

// live brings a complete object into the world, in the order of rule 22: the place, the AI, word to the parent, the
// entrance, and word to the children that were there before. from is the creator, or who activated it (rule 137).
func (s *State) live(o *object, at do.Location, ai, from do.Channel, out *wire.Outbox) {
	s.lives++
	o.inc = do.NewIncarnation(s.cfg.Epoch, s.lives)
	s.objects[o.id] = o
	if s.expected[o.id] == unborn {
		s.expected[o.id] = s.now + expectFor // they are asked to come now
	}
	o.ai, o.explicit = ai, !ai.IsZero()
	if !at.IsZero() {
		p := s.placeAt(at)
		s.join(o, p, out)
		if p.family.foreign {
			out.SendTo(do.ObjectChannel(at.Parent), from, o.changing(at, do.Location{}))
		} else if parent := p.family.parent; parent != nil && !o.explicit {
			o.ai = parent.ai
		}
	}
	if !o.ai.IsZero() {
		out.SendTo(o.ai, o.channel(), &wire.EnterAI{Entry: o.entry(aiView)})
		s.given(o, o.ai)
	}
	if !o.owner().IsZero() {
		out.SendTo(o.owner(), o.channel(), &wire.EnterOwner{Entry: o.entry(ownerView)})
		s.given(o, o.owner())
	}
	if o.place != nil && o.place.family.parent != nil {
		s.enter(o, out)
	}
	s.wakeChildren(o, from, out)
}

// wakeChildren tells children that were there before their parent: those of other States by a message, to which
// they answer as if they arrived; those of this State enter at once (rules 22, 24 to 26).
func (s *State) wakeChildren(o *object, from do.Channel, out *wire.Outbox) {
	out.SendTo(do.Children(o.id), o.channel(), &wire.WakeChildren{Parent: o.id})
	f := s.families[o.id]
	if f == nil {
		return
	}
	f.parent = o
	for _, c := range f.children() {
		if !c.explicit {
			s.changeAI(c, o.ai, from, out)
		}
		s.enter(c, out)
	}
}

// enter shows the object to those who watch its location (rule 32).
func (s *State) enter(o *object, out *wire.Outbox) {
	if !o.entered {
		o.entered = true
		o.place.waiting--
	}
	o.published()
	s.stir(o.place)
	out.Send(o.place.to, o.channel(), &wire.EnterLocation{Entry: o.entry(viewers)})
}

// changing says that the object moves.
func (o *object) changing(to, from do.Location) *wire.ChangingLocation {
	return &wire.ChangingLocation{DO: o.id, Class: o.class.number, Version: o.version(), New: to, Old: from}
}

// valueCode tells a value that breaks a constraint from one that is of another type.
func valueCode(err error) wire.Code {
	for _, constraint := range []error{fields.ErrRange, fields.ErrLength, fields.ErrPattern, fields.ErrOneOf} {
		if errors.Is(err, constraint) {
			return wire.CodeConstraint
		}
	}
	return wire.CodeValue
}
