package clientagent

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// handle is one interest of a session: zones below a parent.
type handle struct {
	number uint16
	parent do.ID
	zones  []do.Zone // ascending, each once
	op     *operation
	follow *follower // nil: it covers zones below parent, and stays there
	ground *ground   // what permits it, where clients need that; else nil
}

// serverHandles is the first of the numbers that are the cluster's to give (rule 162).
const serverHandles = 1 << 15

// operation is an add, alter or remove that is not answered yet. Each gets exactly one DONE.
type operation struct {
	t        *session
	h        *handle
	context  uint32     // the client's
	asker    do.Channel // who in the cluster asked; none: the client did
	askerCtx uint32
	waits    int // openings that still load what the handle covers
	answered bool
}

func compareHandle(h *handle, n uint16) int { return cmp.Compare(h.number, n) }

// handle is the interest with that number, nil if there is none.
func (t *session) handle(n uint16) *handle {
	if i, ok := slices.BinarySearchFunc(t.handles, n, compareHandle); ok {
		return t.handles[i]
	}
	return nil
}

func (h *handle) locations() []do.Location {
	if h.follow != nil {
		return h.follow.locs
	}
	locs := make([]do.Location, len(h.zones))
	for i, z := range h.zones {
		locs[i] = do.Location{Parent: h.parent, Zone: z}
	}
	return locs
}

// clientAddInterest is a client's wish, if it may have it (rule 95).
func (s *State) clientAddInterest(t *session, f *wire.ClientAddInterest) {
	v, _ := s.mayOpen(t, f.Parent, f.Zones)
	if v.reason != 0 {
		s.eject(t, v.reason, v.text)
		return
	}
	op := &operation{t: t, context: f.Context}
	if v.ok() {
		v.code, v.text = s.refuseInterest(t, f.Handle, f.Parent, f.Zones)
	}
	if !v.ok() {
		s.answer(op, f.Handle, v.code, v.text)
		return
	}
	s.addInterest(op, f.Handle, f.Parent, f.Zones)
}

// refuseInterest says what is wrong with a wish that is allowed.
func (s *State) refuseInterest(t *session, number uint16, parent do.ID, zones []do.Zone) (wire.Code, string) {
	old := t.handle(number)
	own, total := 0, len(zones)
	for _, h := range t.handles {
		if h != old && h.number < serverHandles {
			own++
			total += len(h.zones)
		}
	}
	switch {
	case number >= serverHandles:
		return wire.CodeDenied, "handles from 32768 up are the server's"
	case parent.IsZero():
		return wire.CodeNoParent, "no parent"
	case own >= s.cfg.MaxHandles:
		return wire.CodeOverload, fmt.Sprintf("more than %d handles", s.cfg.MaxHandles)
	case total > s.cfg.MaxZones:
		return wire.CodeOverload, fmt.Sprintf("more than %d zones", s.cfg.MaxZones)
	}
	return 0, ""
}

// clientRemoveInterest closes an interest. An unknown handle is simply answered: the cluster may just have closed it (rule 95).
func (s *State) clientRemoveInterest(t *session, f *wire.ClientRemoveInterest) {
	if s.cfg.Interests == InterestDisabled {
		s.eject(t, wire.ReasonInterestDenied, "interests are the server's")
		return
	}
	s.removeInterest(&operation{t: t, context: f.Context}, f.Handle)
}

// serverInterest opens an interest for a session, whatever its client may do; the client is told (rule 96).
func (s *State) serverInterest(m *wire.Message, b *wire.SessionInterest) error {
	return s.eachSession(m, b.Context, func(t *session) {
		op := &operation{t: t, asker: m.From, askerCtx: b.Context}
		number := b.Handle | serverHandles
		if b.Parent.IsZero() {
			s.answer(op, number, wire.CodeNoParent, "no parent")
			return
		}
		s.send(t, &wire.ClientInterestOpened{Handle: number, Parent: b.Parent, Zones: slices.Compact(slices.Sorted(slices.Values(b.Zones)))})
		s.addInterest(op, number, b.Parent, b.Zones)
	})
}

// removeServerInterest closes one. An unknown handle is answered and made nothing of (rule 96).
func (s *State) removeServerInterest(m *wire.Message, b *wire.RemoveSessionInterest) error {
	return s.eachSession(m, b.Context, func(t *session) {
		op := &operation{t: t, asker: m.From, askerCtx: b.Context}
		number := b.Handle | serverHandles
		if h := t.handle(number); h != nil {
			s.send(t, &wire.ClientInterestOpened{Handle: h.number, Parent: h.parent, Zones: h.zones, Closed: true})
		}
		s.removeInterest(op, number)
	})
}

// addInterest opens an interest, or alters the one with that number: what only the old one covered closes first, then
// the difference is asked for (rules 106, 118). DONE waits for openings under way that load what it covers (rule 107).
func (s *State) addInterest(op *operation, number uint16, parent do.ID, zones []do.Zone) {
	t := op.t
	h := s.makeHandle(t, number)
	s.supersede(h)
	old := h.locations()
	s.unfollow(h)
	if s.cfg.Interests == InterestPermitted && s.zoned {
		h.ground = s.useGround(parent)
	}
	h.parent, h.zones = parent, slices.Compact(slices.Sorted(slices.Values(zones)))
	wanted := h.locations()
	op.h, h.op = h, op
	s.stats.InterestsOpened++
	if !s.releaseSeats(t, old, wanted) {
		return
	}
	s.cover(op, old, wanted)
	if op.waits == 0 {
		s.finish(op, 0, "")
	}
}

// makeHandle is the session's handle with that number, a new one if there is none.
func (s *State) makeHandle(t *session, number uint16) *handle {
	if h := t.handle(number); h != nil {
		return h
	}
	h := &handle{number: number}
	i, _ := slices.BinarySearchFunc(t.handles, number, compareHandle)
	t.handles = slices.Insert(t.handles, i, h)
	return h
}

// among reports whether l is one of some locations, which are ascending.
func among(locs []do.Location, l do.Location) bool {
	_, ok := slices.BinarySearchFunc(locs, l, do.Location.Compare)
	return ok
}

// supersede answers the operation that a handle still has open, before the next one begins (rule 116).
func (s *State) supersede(h *handle) {
	if h.op != nil {
		s.finish(h.op, wire.CodeClosed, "superseded")
	}
}

// releaseSeats takes a handle's claim from locations that are not wanted, and closes those that nobody else claims.
func (s *State) releaseSeats(t *session, old, wanted []do.Location) bool {
	var closing []*seat
	for _, l := range old {
		if st := t.seats[l]; st != nil && !among(wanted, l) && st.handles == 1 {
			closing = append(closing, st)
		}
	}
	if !s.close(t, closing, wire.LeaveInterest) {
		return false
	}
	for _, l := range old {
		if st := t.seats[l]; st != nil && !among(wanted, l) {
			st.handles--
		}
	}
	return true
}

// cover claims the wanted locations, which are ascending. Those that are new to the session are one opening for each
// parent; the operation waits for these, and for whatever else still loads the rest.
func (s *State) cover(op *operation, old, wanted []do.Location) {
	var fresh []*place
	var loads []*opening
	for _, l := range wanted {
		st := op.t.seats[l]
		if st == nil {
			if len(loads) == 0 || loads[len(loads)-1].parent != l.Parent {
				loads = append(loads, s.newOpening(op.t, l.Parent))
			}
			load := loads[len(loads)-1]
			st = s.sit(op.t, l, &fresh)
			st.opening = load
			load.seats = append(load.seats, st)
			if !st.place.ready {
				load.unready++
			}
		}
		if !among(old, l) {
			st.handles++
		}
		if o := st.opening; o != nil && !slices.Contains(o.ops, op) {
			o.ops = append(o.ops, op)
			op.waits++
		}
	}
	s.subscribe(fresh)
	for _, load := range loads {
		if load.unready == 0 {
			s.ask(load)
		}
	}
}

// removeInterest closes an interest (rules 116, 117).
func (s *State) removeInterest(op *operation, number uint16) {
	t := op.t
	if h := t.handle(number); h != nil {
		s.supersede(h)
		if !s.releaseSeats(t, h.locations(), nil) {
			s.answer(op, number, wire.CodeClosed, "the session ends")
			return
		}
		s.unfollow(h)
		t.handles = slices.DeleteFunc(t.handles, func(o *handle) bool { return o == h })
	}
	s.answer(op, number, 0, "")
}

// finish answers an operation on its handle, once.
func (s *State) finish(op *operation, code wire.Code, text string) {
	if op.h.op == op {
		op.h.op = nil
	}
	s.answer(op, op.h.number, code, text)
}

// answer sends DONE to the asker in the cluster, then to the client (rule 108).
func (s *State) answer(op *operation, number uint16, code wire.Code, text string) {
	if op.answered {
		return
	}
	op.answered = true
	s.stats.InterestsDone++
	if !op.asker.IsZero() {
		s.out.SendTo(op.asker, op.t.channel, &wire.SessionInterestDone{Context: op.askerCtx, Handle: number})
	}
	s.send(op.t, &wire.ClientInterestDone{Context: op.context, Handle: number, Code: code, Text: text})
}

// closeBelow closes all interests below a parent that is gone, with what is in them (rule 123). Those that follow an object go
// on: they see there what enters when there is such a parent again.
func (s *State) closeBelow(parent do.ID) {
	for _, t := range slices.Clone(s.order) {
		for _, h := range slices.Clone(t.handles) {
			switch {
			case h.parent == parent:
				s.closeHandle(t, h, wire.LeaveDeleted, "the parent was deleted")
			case h.follow != nil:
				for _, l := range h.follow.locs {
					if l.Parent == parent {
						if p := s.places[l]; p != nil {
							p.absent = true
						}
					}
				}
			}
		}
	}
}

// closeHandle closes one interest by the cluster's will.
func (s *State) closeHandle(t *session, h *handle, reason wire.LeaveReason, text string) {
	if h.op != nil {
		s.finish(h.op, wire.CodeClosed, text)
	}
	var closing []*seat
	for _, l := range h.locations() {
		if st := t.seats[l]; st != nil && st.handles == 1 {
			closing = append(closing, st)
		}
	}
	if !s.close(t, closing, reason) {
		return
	}
	for _, l := range h.locations() {
		if st := t.seats[l]; st != nil {
			st.handles--
		}
	}
	s.unfollow(h)
	t.handles = slices.DeleteFunc(t.handles, func(o *handle) bool { return o == h })
	s.send(t, &wire.ClientInterestOpened{Handle: h.number, Parent: h.parent, Zones: h.zones, Closed: true})
}

// closeInterests closes all of a session's interests: it was lowered (rule 87).
func (s *State) closeInterests(t *session) {
	for _, h := range slices.Clone(t.handles) {
		s.closeHandle(t, h, wire.LeaveInterest, "the session was lowered")
	}
}

// abandonInterests takes an ending session from its places. Who in the cluster still waits hears that it is gone.
func (s *State) abandonInterests(t *session) {
	for _, h := range t.handles {
		if op := h.op; op != nil && !op.asker.IsZero() && !op.answered {
			op.answered = true
			s.out.SendTo(op.asker, t.channel, &wire.Failed{
				Context: op.askerCtx, Of: wire.TypeSessionInterest, Code: wire.CodeGone, Text: "the session ended",
			})
		}
		s.unfollow(h)
	}
	seats := make([]*seat, 0, len(t.seats))
	for _, st := range t.seats {
		seats = append(seats, st)
	}
	slices.SortFunc(seats, func(a, b *seat) int { return a.place.loc.Compare(b.place.loc) })
	t.handles = nil
	s.close(t, seats, wire.LeaveInterest)
}
