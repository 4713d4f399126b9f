package stateserver

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// sayEntered tells an AI that it was given objects of this State and all that inherits from them here, and asks the
// States of those that inherit elsewhere to tell it of them (rule 48). The entries were sent before, and so was word of
// the new AI to the children elsewhere. Objects that have gone, or that the AI does not run, have nothing below them.
func (s *State) sayEntered(root do.ID, ids []do.ID, ai do.Channel, out *wire.Outbox) {
	var away []do.ID
	for _, id := range ids {
		if o := s.objects[id]; o != nil && o.ai == ai {
			away = s.inheritElsewhere(o, away)
		}
	}
	slices.SortFunc(away, func(a, b do.ID) int { return cmp.Or(cmp.Compare(a.Partition(), b.Partition()), a.Compare(b)) })
	for rest := away; len(rest) > 0; {
		n := 1
		for n < len(rest) && n < chunkListed && rest[n].Partition() == rest[0].Partition() {
			n++
		}
		part := rest[:n:n]
		rest = rest[n:]
		// Named before the objects that they are below are done, so that never none is left too early.
		out.SendTo(ai, s.self, &wire.AIEntered{Root: root, Elsewhere: part})
		out.SendTo(do.ObjectChannel(part[0]), s.self, &wire.AskAIEntered{Root: root, AI: ai, DOs: part})
	}
	out.SendTo(ai, s.self, &wire.AIEntered{Root: root, DOs: ids})
}

// inheritElsewhere appends the children in other States of an object and of all that inherits from it here.
func (s *State) inheritElsewhere(o *object, away []do.ID) []do.ID {
	f := s.families[o.id]
	if f == nil {
		return away
	}
	for _, p := range f.places {
		for _, c := range p.away {
			away = append(away, c.id)
		}
		for _, c := range p.members {
			if !c.explicit {
				away = s.inheritElsewhere(c, away)
			}
		}
	}
	return away
}
