package clientagent

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// follower makes a handle one that follows an owned object: what it covers is where the object is, with the cells
// around it on a grid, what is seen through edges, and, if asked for, the same around the parents above (rule 164).
type follower struct {
	id    do.ID
	outer int
	locs  []do.Location // what it covers now, ascending
	uses  []*ground     // what decides that
	await bool          // the operation waits for a ground
	until int64         // when the operation has taken too long, whatever it waits for

	toldParent do.ID // whose grid the client was told last
	toldGrid   []byte
}

// clientFollow is a client's wish to follow what it owns.
func (s *State) clientFollow(t *session, f *wire.ClientFollow) {
	if s.cfg.Interests == InterestDisabled {
		s.eject(t, wire.ReasonInterestDenied, "interests are the server's")
		return
	}
	op := &operation{t: t, context: f.Context}
	to, v := s.resolve(t, f.Ref)
	if v.ok() && t.state < wire.StateEstablished {
		v = excuse(wire.CodeDenied, "the session was lowered")
	}
	if v.ok() && (to.g == nil || !to.g.owned) {
		v = fault(wire.ReasonInterestDenied, "%s is not owned", to.id)
		if t.lost[to.id] > s.now {
			v = excuse(wire.CodeDenied, "it is no more owned")
		}
	}
	if v.reason != 0 {
		s.eject(t, v.reason, v.text)
		return
	}
	if v.ok() {
		v.code, v.text = s.refuseInterest(t, f.Handle, to.id, nil)
	}
	if !v.ok() {
		s.answer(op, f.Handle, v.code, v.text)
		return
	}
	s.follow(op, f.Handle, to.id, int(f.Outer))
}

// sessionFollow opens the same from the server's side.
func (s *State) sessionFollow(m *wire.Message, b *wire.SessionFollow) error {
	return s.eachSession(m, b.Context, func(t *session) {
		op := &operation{t: t, asker: m.From, askerCtx: b.Context}
		number := b.Handle | serverHandles
		g := s.gripOf(t, b.DO)
		if g == nil || !g.owned {
			s.out.SendTo(m.From, t.channel, &wire.Failed{
				Context: b.Context, Of: m.Body.Type(), DO: b.DO, Code: wire.CodeDenied, Text: "the session does not own it",
			})
			return
		}
		s.send(t, &wire.ClientInterestOpened{Handle: number})
		s.follow(op, number, b.DO, int(b.Outer))
	})
}

// maxOuter is how many parents above can be seen around.
const maxOuter = 8

// follow opens a handle that follows, or alters one.
func (s *State) follow(op *operation, number uint16, id do.ID, outer int) {
	t := op.t
	h := s.makeHandle(t, number)
	s.supersede(h)
	next := &follower{id: id, outer: min(outer, maxOuter), locs: h.locations(), await: true, until: s.now + int64(s.cfg.OpeningTimeout)}
	if h.follow != nil {
		next.uses, h.follow.uses = h.follow.uses, nil // what is known of them is not to be asked again
	}
	s.unfollow(h)
	h.parent, h.zones, h.follow = do.ID{}, nil, next
	op.h, h.op = h, op
	op.waits = 1 // for the grounds
	s.stats.InterestsOpened++
	t.follows = true
	s.reach(t, h)
}

// unfollow makes a handle an ordinary one again, or one that closes.
func (s *State) unfollow(h *handle) {
	s.leaveGround(h.ground)
	h.ground = nil
	if h.follow == nil {
		return
	}
	for _, g := range h.follow.uses {
		s.releaseGround(g)
	}
	h.follow = nil
}

// reach brings what a handle covers to what it is to cover: what is not wanted any more closes first, only the
// difference is asked for (rule 118). DONE of its operation waits until all grounds are known, and all that is to be
// covered then is loaded, however often that changed meanwhile.
func (s *State) reach(t *session, h *handle) {
	f := h.follow
	o := s.objects[f.id]
	if o == nil {
		return // it is about to end
	}
	wanted, sure := s.around(f, o)
	s.tellGround(t, f, o.location.Parent)
	op := h.op
	if op == nil {
		op = &operation{t: t, h: h, answered: true}
	}
	op.waits++ // what closes may be all that it waited for
	old := f.locs
	if !slices.Equal(old, wanted) {
		if !s.releaseSeats(t, old, wanted) {
			return
		}
		f.locs = wanted
		s.cover(op, old, wanted)
	}
	if f.await == sure {
		if f.await = !sure; sure {
			op.waits--
		} else {
			op.waits++
		}
	}
	if op.waits--; op.waits == 0 {
		s.finish(op, 0, "")
	}
}

// around is what a follower covers, ascending, and whether that is sure: each ground that decides it is. The place of a
// parent above leads to the next one: each is asked when the one below it has answered. What a ground that is not sure
// leads to stays if it is covered, and is not opened.
func (s *State) around(f *follower, o *object) (locs []do.Location, sure bool) {
	old := f.uses
	f.uses, sure = nil, true
	use := func(parent do.ID) *ground {
		if i := slices.IndexFunc(f.uses, func(g *ground) bool { return g.parent == parent }); i >= 0 {
			return f.uses[i]
		}
		g := s.useGround(parent)
		f.uses = append(f.uses, g)
		sure = sure && g.sure()
		return g
	}
	see := func(g *ground, l do.Location, certain bool) {
		from := len(locs)
		locs = g.sees(locs, l)
		if !certain || !g.sure() {
			rest := slices.DeleteFunc(locs[from:], func(x do.Location) bool { return (!certain || x != l) && !among(f.locs, x) })
			locs = locs[:from+len(rest)]
		}
	}
	if l := o.location; !l.IsZero() {
		here := use(l.Parent)
		see(here, l, true)
		for _, e := range here.edges {
			if e.See && e.From == l.Zone {
				see(use(e.To.Parent), e.To, here.sure())
			}
		}
		certain := true
		for range f.outer {
			if here.at.IsZero() {
				break
			}
			certain = certain && here.sure()
			l, here = here.at, use(here.at.Parent)
			see(here, l, certain)
		}
	}
	for _, g := range old {
		s.releaseGround(g)
	}
	slices.SortFunc(locs, do.Location.Compare)
	return slices.Compact(locs), sure
}

// stale reports whether a ground that decides what the follower covers has news.
func (f *follower) stale(seq uint64) bool {
	return slices.ContainsFunc(f.uses, func(g *ground) bool { return g.news == seq })
}

// tellGround tells the client the grid that its object is on, once, and again when it changes.
func (s *State) tellGround(t *session, f *follower, parent do.ID) {
	g := s.grounds[parent]
	if g == nil || !g.known {
		return
	}
	same := f.toldParent == parent
	if same && string(f.toldGrid) == string(g.value) || !same && g.value == nil {
		return
	}
	f.toldParent, f.toldGrid = parent, g.value
	s.send(t, &wire.ClientGround{Parent: parent, Grid: g.value})
}

// shift books the handles that follow what g holds: they look again at the end of the Step.
func (s *State) shift(g *grip) {
	if g.t.follows {
		s.shifted = append(s.shifted, shifted{g.t, g.o.id})
	}
}

// shifted is an object that a session may follow, and that is somewhere else now.
type shifted struct {
	t  *session
	id do.ID
}

// settleFollows lets the handles that follow look where their objects are, and ends those whose object is not owned any
// more.
func (s *State) settleFollows() {
	for i := 0; i < len(s.shifted); i++ {
		x := s.shifted[i]
		for _, h := range slices.Clone(x.t.handles) {
			if h.follow != nil && h.follow.id == x.id && !x.t.ended {
				s.lookAgain(x.t, h)
			}
		}
	}
	clear(s.shifted)
	s.shifted = s.shifted[:0]
	if !s.regrounded {
		return
	}
	s.regrounded = false
	for _, t := range slices.Clone(s.order) {
		if t.follows {
			for _, h := range slices.Clone(t.handles) {
				if h.follow != nil && h.follow.stale(s.seq) && !t.ended {
					s.lookAgain(t, h)
				}
			}
		}
		s.resume(t)
	}
}

func (s *State) lookAgain(t *session, h *handle) {
	if g := s.gripOf(t, h.follow.id); g == nil || !g.owned {
		s.closeHandle(t, h, wire.LeaveInterest, "what it follows is not owned any more")
		return
	}
	s.reach(t, h)
}

// sweepFollows answers operations that took too long: a State is dead, of a parent or of what is there; or what they follow
// goes to places that are not loaded yet again and again.
func (s *State) sweepFollows(t *session) {
	if !t.follows {
		return
	}
	for _, h := range t.handles {
		f := h.follow
		if f == nil || h.op == nil || s.now < f.until {
			continue
		}
		text := "not all shards answered"
		if f.await {
			text = fmt.Sprintf("the shard of a parent of %s did not answer", f.id)
		}
		s.finish(h.op, wire.CodeTimeout, text)
	}
}

// settleAreas does at the end of a Step what views would not bear in the middle of their loops: follows, auto-interests,
// and held sessions. One may cause another.
func (s *State) settleAreas() {
	for len(s.shifted)+len(s.autos) > 0 || s.regrounded {
		s.settleFollows()
		s.settleAutos()
	}
}
