package repository

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// named counts a message about o that names this AI as a recipient: as its AI, its owner, or both.
func (a *AI) named(o *object, m *wire.Message) {
	if slices.Contains(m.To, a.channel) {
		o.counted++
	}
}

// hearHeldDigest compares what came about the objects that this AI runs or owns with what their State says that it sent,
// and asks for those that differ; objects of a class that is not known yet could not be taken in.
func (a *AI) hearHeldDigest(b *wire.HeldDigest) {
	var ask []do.ID
	for _, c := range b.Counts {
		o := a.objects[c.DO]
		if o == nil && a.schema.ByNumber(c.Class) == nil {
			a.outgrown()
			continue
		}
		if o == nil || !o.run && !o.owned || o.counted != c.Count {
			ask = append(ask, c.DO)
		}
	}
	if len(ask) > 0 {
		a.send(do.ObjectChannel(ask[0]), &wire.AskHeld{Owners: []do.Channel{a.channel}, AI: a.channel, DOs: ask})
	}
	for _, l := range b.Lost {
		if o := a.objects[l.DO]; o != nil && !o.making && (l.AI && o.run || !l.AI && o.owned) {
			a.askAgain(o)
		}
	}
}
