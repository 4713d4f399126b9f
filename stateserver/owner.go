package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// setOwner gives an object another owner: the old one hears of it, the new one gets the object; parent, location and
// AI are not told (rule 52).
func (s *State) setOwner(m *wire.Message, b *wire.SetOwner, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	if old := o.owner(); old != b.Owner {
		s.partOwner(o)
		o.setOwner(b.Owner)
		o.told()
		out.SendTo(old, m.From, &wire.ChangingOwner{DO: o.id, Version: o.version(), New: b.Owner, Old: old})
		if !b.Owner.IsZero() {
			out.SendTo(b.Owner, o.channel(), &wire.EnterOwner{Entry: o.entry(ownerView)})
			s.given(o, b.Owner)
		}
		s.loseCalls(o, true, out)
	}
	s.done(r, o, out)
	return nil
}

// getOwner says who owns an object.
func (s *State) getOwner(m *wire.Message, b *wire.GetOwner, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeNoObject, "", out)
	}
	out.SendTo(m.From, o.channel(), &wire.GetOwnerResp{Context: b.Context, DO: o.id, Owner: o.owner()})
	return nil
}

// sayHeld gives their objects once more to owners and an AI that may have missed something.
func (s *State) sayHeld(b *wire.AskHeld, out *wire.Outbox) {
	owners := make(map[do.Channel]bool, len(b.Owners))
	for _, c := range b.Owners {
		owners[c] = !c.IsZero()
	}
	var held []*object
	for _, id := range b.DOs {
		if o := s.objects[id]; o != nil {
			held = append(held, o)
		}
	}
	if len(b.DOs) == 0 {
		for _, o := range s.objects {
			if owners[o.owner()] || o.ai == b.AI && !b.AI.IsZero() {
				held = append(held, o)
			}
		}
		slices.SortFunc(held, func(a, b *object) int { return a.id.Compare(b.id) })
	}
	for _, o := range held {
		if o.ai == b.AI && !b.AI.IsZero() {
			out.SendTo(o.ai, o.channel(), &wire.EnterAI{Entry: o.entry(aiView)})
			s.given(o, o.ai)
		}
		if owners[o.owner()] {
			out.SendTo(o.owner(), o.channel(), &wire.EnterOwner{Entry: o.entry(ownerView)})
			s.given(o, o.owner())
		}
	}
}
