package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// linkLost is told when messages to or from a part of the cluster may have been lost. Calls, and what is under way to
// objects there, are answered as unknown. If it hosts objects, everything that sessions see or own is asked for again,
// and told again in full: a set whose outcome is unknown may have been done, and its writer did not hear the value.
func (s *State) linkLost(b *wire.LinkLost) {
	s.loseRequests(b)
	if len(b.Hosts) == 0 {
		return
	}
	s.loseLatest(b)
	if b.Dead {
		s.bury(b)
	}
	for _, o := range s.byAlias() {
		delete(s.asks, o.asked)
		o.asked = 0
	}
	for _, g := range s.groundList {
		switch {
		case b.Dead && b.Holds(g.parent):
			s.unaskGround(g)
			s.clearGround(g) // if it comes to life again, it wakes its children
		case g.known || g.asked != 0:
			s.askGround(g)
		}
	}
	s.reopen()
	s.askHeld()
}

// bury takes the objects of dead States out of all views: they are gone from memory.
func (s *State) bury(b *wire.LinkLost) {
	var parents []do.ID
	for l := range s.places {
		if b.Holds(l.Parent) && !slices.Contains(parents, l.Parent) {
			parents = append(parents, l.Parent)
		}
	}
	slices.SortFunc(parents, do.ID.Compare)
	for _, id := range parents {
		s.closeBelow(id)
	}
	for _, o := range s.byAlias() {
		if b.Holds(o.id) {
			s.remove(o, wire.LeaveDeleted)
		}
	}
}

// byAlias is every object, in the order of the aliases.
func (s *State) byAlias() []*object {
	all := make([]*object, 0, len(s.objects))
	for _, o := range s.objects {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *object) int { return int(a.alias) - int(b.alias) })
	return all
}

// loseRequests answers what clients wait for on the lost link: nobody knows what became of it. Who handles a call is
// not known here, so all calls end.
func (s *State) loseRequests(b *wire.LinkLost) {
	for i := range s.requests.slots {
		q := &s.requests.slots[i]
		if q.kind == requestNone || q.kind != requestCall && !b.Holds(q.id) {
			continue
		}
		taken, _ := s.requests.take(q.gen<<indexBits|uint32(i+1), q.t.channel)
		if !taken.t.ended {
			s.unanswered(&taken)
		}
	}
}

// loseLatest refuses the latest sets that are not acknowledged, by their newest serials.
func (s *State) loseLatest(b *wire.LinkLost) {
	for _, t := range s.order {
		for _, o := range t.grips.objects() {
			if !b.Holds(o.id) {
				continue
			}
			g := t.grips.get(o.alias)
			for i := range g.in {
				in := &g.in[i]
				if !in.hasSerial || in.acked {
					continue
				}
				in.acked = true
				t.unsure = s.now + int64(s.cfg.RequestTimeout)
				s.send(t, &wire.ClientRefused{Alias: o.alias, Serial: in.serial, Code: wire.CodeUnknown, Text: "the link was lost"})
			}
		}
	}
}

// refusePast passes the refusal of a latest set on when the object left meanwhile: its client still waits.
func (s *State) refusePast(t *session, b *wire.Failed) {
	g := s.gripOf(t, b.DO)
	if g == nil {
		if alias, ok := t.hadAlias(b.DO); ok {
			s.send(t, &wire.ClientRefused{Alias: alias, Serial: b.Serial, Code: b.Code, Text: b.Text})
		}
		return
	}
	for i := range g.in {
		if in := &g.in[i]; in.hasSerial && in.serial == b.Serial {
			in.acked = true
		}
	}
}

// doneLate hears that a write was done of which its client was told that the outcome is unknown. What only owners see of
// it was not sent to its writer, so it is asked for.
func (s *State) doneLate(m *wire.Message, b *wire.Done) {
	t := s.addressed(m.To)
	if t == nil || t.unsure <= s.now {
		return
	}
	if g := s.gripOf(t, b.DO); g != nil && g.owned {
		s.out.SendTo(do.ObjectChannel(b.DO), s.self, &wire.AskHeld{Owners: []do.Channel{t.channel}, DOs: []do.ID{b.DO}})
	}
}

// settleLatest notes that the State has answered latest sets up to a serial: they are not lost any more.
func (s *State) settleLatest(m *wire.Message, b *wire.Done) {
	t := s.addressed(m.To)
	if !b.Latest || t == nil {
		return
	}
	g := s.gripOf(t, b.DO)
	if g == nil {
		return
	}
	for i := range g.in {
		if in := &g.in[i]; in.hasSerial && !newer(in.serial, b.Serial) {
			in.acked = true
		}
	}
}

// reopen asks for every watched place again; a repair that is under way may have lost its answer.
func (s *State) reopen() {
	locs := make([]do.Location, 0, len(s.places))
	for l := range s.places {
		locs = append(locs, l)
	}
	slices.SortFunc(locs, do.Location.Compare)
	for _, l := range locs {
		p := s.places[l]
		if !p.ready {
			continue // its opening asks when it is
		}
		if p.refresh != nil {
			s.dropOpening(p.refresh)
		}
		s.repair(p)
		p.refresh.all = true
	}
}

// askHeld asks who owns what: for what sessions may have been given, and, object by object, for what they may have
// lost.
func (s *State) askHeld() {
	if len(s.order) == 0 {
		return
	}
	ask := &wire.AskHeld{}
	for _, t := range s.order {
		ask.Owners = append(ask.Owners, t.channel)
	}
	s.out.SendTo(do.Control(do.RoleStateServer), s.self, ask)
	for _, o := range s.byAlias() {
		if o.owner != nil {
			s.askEntry(o)
		}
	}
}

// checkOwner takes an object from an owner whose loss of it was not heard. Of a session object that ends the session
// (rule 101).
func (s *State) checkOwner(o *object, e *wire.Entry) {
	g := o.owner
	if g == nil || e.Owner == g.t.channel {
		return
	}
	if slices.Contains(g.t.objects, o.id) {
		s.eject(g.t, wire.ReasonSessionObject, "a session object got another owner")
	}
	s.takeOwner(g)
}
