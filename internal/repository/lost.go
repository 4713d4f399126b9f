package repository

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// maxLost is how many writes whose outcome is unknown are remembered.
const maxLost = 1024

// hearLinkLost fails what was in flight over the link. If it hosts objects, everything that this AI runs and owns there is
// in doubt and asked for, and what is watched is opened again: messages may have been lost.
func (a *AI) hearLinkLost(b *wire.LinkLost) {
	lost := func(w *write) bool { return w.lostWith(b) }
	if !b.Dead {
		a.doubtBehind(b)
	}
	a.withdraw(lost)
	a.remember(lost)
	a.lose(fmt.Errorf("repository: %w", &wire.Error{Code: wire.CodeLinkLost}), lost, func(w *waiter) bool {
		return w.to.Kind != do.KindObject || b.Holds(w.to.ID)
	})
	if len(b.Hosts) == 0 {
		return
	}
	a.lasts.linkLost(b)
	a.loseTakeovers()
	for _, context := range sortedKeys(a.creates) {
		o := a.creates[context]
		if !b.Holds(o.id) {
			continue
		}
		delete(a.creates, context)
		o.making = false
		a.wakeMakers(o, &wire.Error{Code: wire.CodeUnknown})
		a.leaveView(o)
	}
	if b.Dead {
		a.bury(b)
	}
	a.askHeld()
	a.askDoubtful()
	a.reopen()
}

// askHeld asks all States for what this AI runs and owns.
func (a *AI) askHeld() {
	a.send(do.Control(do.RoleStateServer), &wire.AskHeld{Owners: []do.Channel{a.channel}, AI: a.channel})
}

// bury ends the objects of dead States: they are gone from memory.
func (a *AI) bury(b *wire.LinkLost) {
	for _, w := range slices.Clone(a.watches) {
		if b.Holds(w.parent) {
			a.closeBelow(w.parent)
		}
	}
	for _, o := range a.sorted() {
		if !o.dog && b.Holds(o.id) {
			a.mend.need = a.mend.need || o.run || o.owned
			a.end(o, Delete)
		}
	}
}

// lostWith reports whether a write went, or may have gone, over a link: to the State of its objects, which are of one
// partition, or to an UberDOG.
func (w *write) lostWith(b *wire.LinkLost) bool {
	o := w.owner
	if o == nil {
		o = w.commit
	}
	if o == nil && len(w.ops) > 0 {
		o = w.ops[0].o
	}
	return o == nil || o.dog || b.Holds(o.id)
}

// remember keeps the writes that a lost link settles now. One may still be done, after the State has said what it has:
// it waits there for the database, or comes on a link that was whole. Then the objects are loaded again.
func (a *AI) remember(lost func(*write) bool) {
	if len(a.lost) > maxLost || a.lost == nil {
		a.lost = make(map[uint32]*write)
	}
	for context, w := range a.writes {
		if lost(w) {
			a.lost[context] = w
		}
	}
}

// superseded reports whether a write was acknowledged of which a new record of its object does not have the values, and
// it cannot be told what they must be: something newer was heard since, or the version is another object's.
func (a *AI) superseded(w *write, id do.ID, v do.Version) bool {
	return slices.ContainsFunc(w.ops, func(p op) bool {
		if p.o == nil || !p.o.gone {
			return false
		}
		o := a.objects[p.o.id]
		return o != nil && (o.id != id || v.Compare(o.filled) > 0 && v.Compare(o.version) < 0)
	})
}

// reload asks for the objects of a write that was done although it had been given up, or whose values are not known.
func (a *AI) reload(w *write) {
	var asked []*object
	for i := range w.ops {
		o := w.ops[i].o
		if o == nil || o.dog || contains(asked, o) || a.objects[o.id] == nil {
			continue
		}
		asked = append(asked, o)
		a.getAll(a.objects[o.id])
	}
}
