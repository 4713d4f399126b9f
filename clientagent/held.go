package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// What only an owner hears leaves no hole in n, and no digest of a place sums it up: nor does a set of several fields
// that the entries of a place make good, but for the owner's. So it is counted what names the owner, and the State says
// within a second how much it was.

// hear counts a message about o if its owner here is named by it.
func (o *object) hear(m *wire.Message) {
	if o.owner != nil && slices.Contains(m.To, o.owner.t.channel) {
		o.heard++
	}
}

// heldDigest compares what a session was told of what it owns with what its States say that they sent. It comes in order
// with that.
func (s *State) heldDigest(m *wire.Message, b *wire.HeldDigest) {
	t := s.addressed(m.To)
	if t == nil {
		return
	}
	var ask []do.ID
	for _, c := range b.Counts {
		o := s.objects[c.DO]
		if !o.ownedBy(t) || o.heard != c.Count {
			ask = append(ask, c.DO)
		}
	}
	if len(ask) > 0 {
		s.stats.Repairs++
		s.out.SendTo(do.ObjectChannel(ask[0]), s.self, &wire.AskHeld{Owners: []do.Channel{t.channel}, DOs: ask})
	}
	for _, l := range b.Lost {
		if o := s.objects[l.DO]; !l.AI && o.ownedBy(t) {
			s.askEntry(o)
		}
	}
}

// ownedBy reports whether t owns o, which may be nil.
func (o *object) ownedBy(t *session) bool { return o != nil && o.owner != nil && o.owner.t == t }
