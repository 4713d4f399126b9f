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
	autos   map[do.Location]bool  // everything that opened by itself
	heading map[do.ID]do.Location // where the last move that was passed on led
}

func newWritten(c *conn) written {
	return written{
		c: c, aliases: map[uint32]do.ID{}, owned: map[do.ID]bool{}, seen: map[do.ID]bool{}, had: map[do.ID]bool{}, autos: map[do.Location]bool{},
		heading: map[do.ID]do.Location{},
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

// entered checks that the client has asked to see what is there, or that it is around what it follows or just followed. For
// a moment it may be around where a parent above was.
// Where messages were lost an agent may go by what long ago was.
func (v *written) entered(f *wire.ClientEnter) {
	w := v.c.w
	if w.count.LinksLost+w.count.StatesDied > 0 || v.c.view.asks[f.Location] || v.autos[f.Location] ||
		slices.ContainsFunc(v.c.view.follows, func(x follows) bool { return x.outer > 0 || w.told.maySee(x.id, f.Location) }) {
		return
	}
	p := wire.Printer{Names: w.trace.names}
	w.problem("%s sees %s at %s, which no interest of its covers", v.c.who.name, w.nameOf(f.DO), p.Channel(do.At(f.Location)))
}

// opened checks that what opens by itself is below something in view, as that says or just said.
func (v *written) opened(f *wire.ClientInterestOpened) {
	if f.Closed {
		return
	}
	for _, z := range f.Zones {
		v.autos[do.Location{Parent: f.Parent, Zone: z}] = true
	}
	w := v.c.w
	if w.count.LinksLost+w.count.StatesDied > 0 {
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
	switch {
	case !ok || a.removed || !a.follow.id.IsZero():
	case f.Code == wire.CodeOK:
		v.judgeOpened(&a)
	case f.Code == wire.CodeDenied:
		v.judgeDenied(&a)
	}
}
