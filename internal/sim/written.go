package sim

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// written follows what an agent wrote to one session, at the time when it did: what the agent holds true, some of which
// the client has not read yet.
type written struct {
	c       *conn
	aliases map[uint32]do.ID
	owned   map[do.ID]bool
	seen    map[do.ID]bool
	had     map[do.ID]bool        // everything that it ever saw, owned or was told of
	autos   map[uint16]added      // what is open by itself, by handle
	open    map[uint16]uint32     // of each handle, the context of what opened it as it is
	over    map[uint32]bool       // by context: an interest is not open any more, or was not opened
	heading map[do.ID]do.Location // where the last move that was passed on led
}

func newWritten(c *conn) written {
	return written{
		c: c, aliases: map[uint32]do.ID{}, owned: map[do.ID]bool{}, seen: map[do.ID]bool{}, had: map[do.ID]bool{}, autos: map[uint16]added{},
		open: map[uint16]uint32{}, over: map[uint32]bool{}, heading: map[do.ID]do.Location{},
	}
}

// stream takes in whole frames.
func (v *written) stream(b []byte) {
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		if err != nil {
			v.c.w.problem("%s wrote half a frame: %v", v.c.agent.name, err)
			return
		}
		v.frame(f)
		b = b[n:]
	}
}

func (v *written) frame(f wire.Frame) {
	switch f := f.(type) {
	case *wire.ClientEnter:
		v.aliases[f.Alias] = f.DO
		v.seen[f.DO], v.had[f.DO] = true, true
		if f.Owned {
			v.owned[f.DO] = true
		} else {
			v.entered(f)
		}
	case *wire.ClientEnters:
		for e := range f.All() {
			v.frame(e)
		}
	case *wire.ClientLeave:
		delete(v.seen, v.aliases[f.Alias])
	case *wire.ClientInterestOpened:
		v.opened(f)
	case *wire.ClientEnterOwner:
		v.aliases[f.Alias] = f.DO
		v.owned[f.DO], v.had[f.DO] = true, true
	case *wire.ClientDeclare:
		v.had[f.DO] = true
	case *wire.ClientInterestDone:
		v.done(f)
	case *wire.ClientEject:
		v.judgeEjected(f)
	case *wire.ClientLeaveOwner:
		delete(v.owned, v.aliases[f.Alias])
	}
}

// entered checks that an interest of the client's covers what is there: its zones, or what is around that
// which it follows, or around a parent above that; or that it is open by itself. Where messages were lost an agent may go by
// what long ago was.
func (v *written) entered(f *wire.ClientEnter) {
	w := v.c.w
	l := f.Location
	if v.c.agent.astray(w.now) || v.opens(l) || v.covered(func(a *added) bool {
		return a.parent == l.Parent && slices.Contains(a.zones, l.Zone) || w.told.maySee(followed{id: a.follow.id}, l)
	}) {
		return
	}
	if v.covered(func(a *added) bool { return w.told.maySee(a.follow, l) }) {
		w.count.OuterSeen++
		return
	}
	p := wire.Printer{Names: w.trace.names}
	w.problem("%s sees %s at %s, which no interest of its covers", v.c.who.name, w.nameOf(f.DO), p.Channel(do.At(l)))
}

// covered reports whether something holds of an interest that is open, or being opened.
func (v *written) covered(holds func(*added) bool) bool {
	for context, a := range v.c.view.adds { // in any order: it says yes or no
		if !a.removed && !v.over[context] && holds(&a) {
			return true
		}
	}
	return false
}

// opens reports whether a location is open by itself.
func (v *written) opens(l do.Location) bool {
	for _, a := range v.autos { // in any order
		if a.parent == l.Parent && slices.Contains(a.zones, l.Zone) {
			return true
		}
	}
	return false
}

// holds notes what a handle is now. One that was refused is as it was before.
func (v *written) holds(f *wire.ClientInterestDone, a *added) {
	if a.removed || f.Code == wire.CodeClosed || refused(f.Code) {
		v.over[f.Context] = true
	}
	if refused(f.Code) {
		return
	}
	v.closes(f.Handle)
	if !a.removed && f.Code != wire.CodeClosed {
		v.open[f.Handle] = f.Context
	}
}

// closes notes that a handle is not open any more as it was.
func (v *written) closes(handle uint16) {
	if context, ok := v.open[handle]; ok {
		v.over[context] = true
		delete(v.open, handle)
	}
	delete(v.autos, handle)
}

// opened checks that what opens by itself is below something in view, as that says or just said.
func (v *written) opened(f *wire.ClientInterestOpened) {
	if v.closes(f.Handle); f.Closed {
		return
	}
	v.autos[f.Handle] = added{parent: f.Parent, zones: f.Zones}
	w := v.c.w
	if v.c.agent.astray(w.now) {
		return
	}
	said := slices.ContainsFunc(w.told.lately(f.Parent), func(l land) bool { return slices.Equal(l.inside, f.Zones) })
	if !said || !v.seen[f.Parent] && !v.owned[f.Parent] {
		w.problem("%s has zones %v below %s opened, which does not say so, or is not in its view", v.c.who.name, f.Zones, w.nameOf(f.Parent))
	}
}

// done looks at an interest that was opened or refused.
func (v *written) done(f *wire.ClientInterestDone) {
	a, ok := v.c.view.adds[f.Context]
	if !ok {
		return
	}
	if v.holds(f, &a); a.removed {
		return
	}
	if f.Code == wire.CodeOK {
		v.complete(f.Context, &a)
	}
	switch {
	case !a.follow.id.IsZero():
	case f.Code == wire.CodeOK:
		v.judgeOpened(&a)
	case f.Code == wire.CodeDenied:
		v.judgeDenied(&a)
	}
}

// arriving is how long what entered may be under way to an agent: of zones that a client covers already, a DONE says
// nothing about that.
const arriving = 200 * ms

// complete checks that a DONE did not come too early: what has been in the zones all the time for a while is in view. Zones
// are those in which something is when the agent has heard of it, if only just now: what a handle follows, or a parent of
// it, may move while the handle is being opened. Where messages were lost nothing can be said.
func (v *written) complete(context uint32, a *added) {
	w := v.c.w
	if v.c.agent.astray(a.at) {
		return
	}
	before := w.now - arriving
	if above := w.told.at(w.told.at(a.follow.id).Parent); a.follow.outer > 0 && !above.IsZero() {
		w.count.OuterOpened++
	}
	for _, id := range slices.Concat(w.ids, w.posts) {
		p, ok := w.watch.present[id]
		if !ok || p.since >= before || v.seen[id] || v.owned[id] || w.told.died[p.at.Parent] > p.since {
			continue
		}
		covered, moved := a.covers(w, p.at)
		if covered && moved < before || !a.follow.id.IsZero() && sees(&v.c.agent.heard, a.follow.id, a.follow.outer, p.at) {
			w.problem("%s is told that interest %d is open, and does not see %s", v.c.who.name, context, w.nameOf(id))
		}
	}
}
