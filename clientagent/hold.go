package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// holding is a session whose input waits: what the next frame asks for depends on a parent that is not known yet.
// Everything behind the frame waits with it, since the client's order is a promise.
type holding struct {
	uses  []*ground
	bytes []byte // frames, the one that waits first
}

// unhold ends the wait without going on.
func (s *State) unhold(t *session) {
	for _, g := range t.held.uses {
		s.releaseGround(g)
	}
	t.held = holding{}
}

// resume goes on with the input of a session once all that it waits for is known, or will not come.
func (s *State) resume(t *session) {
	held := t.held
	if len(held.uses) == 0 || t.ended || slices.ContainsFunc(held.uses, func(g *ground) bool { return !g.known && !g.failed }) {
		return
	}
	t.held = holding{}
	for b := held.bytes; len(b) > 0 && !t.doom.set; {
		n := s.clientFrame(t, b, false)
		if len(t.held.uses) > 0 {
			t.held.bytes = b
			break
		}
		s.counted(t)
		s.stats.FramesIn++
		b = b[n:]
	}
	for _, g := range held.uses {
		s.releaseGround(g)
	}
}

// needs makes a session wait for the grounds below some parents, if they are not known.
func (s *State) needs(t *session, parents ...do.ID) bool {
	unknown := slices.ContainsFunc(parents, func(id do.ID) bool {
		g := s.grounds[id]
		return !id.IsZero() && (g == nil || !g.known && !g.failed)
	})
	if !s.zoned || !unknown {
		return false
	}
	// All of them: one that is known now must not be forgotten while the others are waited for.
	for _, id := range parents {
		if !id.IsZero() {
			t.held.uses = append(t.held.uses, s.useGround(id))
		}
	}
	return true
}

// holds reports whether a frame has to wait before it can be judged.
func (s *State) holds(t *session, f wire.Frame) bool {
	switch f := f.(type) {
	case *wire.ClientMove:
		to, v := s.resolve(t, f.Ref)
		if !v.ok() || to.g == nil || !to.g.owned {
			return false
		}
		return s.needs(t, to.g.bound().Parent, f.Location.Parent)
	case *wire.ClientAddInterest:
		if _, hold := s.mayOpen(t, f.Parent, f.Zones); hold {
			return s.needs(t, f.Parent)
		}
	}
	return false
}
