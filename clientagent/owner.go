package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// enterOwner gives an object to the session that its owner channel names, seen or not (rules 53, 55). A repeated one
// is not a second generate (rule 56).
func (s *State) enterOwner(m *wire.Message, e *wire.Entry) {
	t := s.addressed(m.To)
	if t == nil {
		return
	}
	o := s.objects[e.DO]
	if o != nil && o.otherLife(e.Version) {
		if e.Version.Inc < o.version.Inc {
			return
		}
		s.remove(o, wire.LeaveDeleted)
		o = nil
	}
	if o == nil {
		o = s.track(e.DO, e.Class)
		s.locate(o, e.Location)
	}
	if e.Version.Compare(o.version) > 0 {
		if len(o.viewers) > 0 && e.Version.N > o.version.N {
			s.askEntry(o)
		}
		o.version, o.serial = e.Version, e.Serial
		if o.location != e.Location && len(o.viewers) == 0 {
			s.locate(o, e.Location)
		}
	}
	o.heard = 0
	if o.ownedBy(t) {
		s.showOwner(o.owner, e) // said again after a lost link: its values may be news
		return
	}
	g := s.grip(t, o) // before the old owner lets go: the object stays known
	if o.owner != nil {
		s.takeOwner(o.owner)
	}
	g.owned, g.told, o.owner = true, true, g
	s.footing(o)
	s.showOwner(g, e)
}

// showOwner gives e to its owner, or its values if he has it already.
func (s *State) showOwner(g *grip, e *wire.Entry) {
	s.send(g.t, &wire.ClientEnterOwner{
		Alias: g.o.alias, DO: e.DO, Class: e.Class, Location: e.Location, Serial: e.Serial, Version: e.Version,
		Fields: entryFields(e),
	})
}

// changingOwner takes an object from its old owner (rule 52). The loss of a session object ends the session (rule 101).
func (s *State) changingOwner(m *wire.Message, b *wire.ChangingOwner) {
	t := s.addressed(m.To)
	o := s.objects[b.DO]
	if t == nil || !o.ownedBy(t) || b.New == t.channel || b.Version.Inc < o.version.Inc {
		return
	}
	if b.Version.Compare(o.version) > 0 && b.Version.N == o.version.N {
		o.version = b.Version
	}
	if slices.Contains(t.objects, o.id) {
		s.eject(t, wire.ReasonSessionObject, "a session object got another owner")
	}
	s.takeOwner(o.owner)
}

// takeOwner ends an ownership and tells the client. What it still sends to the object is excused for a while (rule 105).
func (s *State) takeOwner(g *grip) {
	t, o := g.t, g.o
	s.disowned(g)
	s.lose(t, o.id)
	s.send(t, &wire.ClientLeaveOwner{Alias: o.alias, Reason: wire.LeaveMoved})
	if g.silent {
		s.takeView(g) // it was seen by ownership only
	}
	s.loosen(g, false)
}

// addressed is the first session that a message is addressed to.
func (s *State) addressed(to []do.Channel) *session {
	for _, c := range to {
		if c.Kind == do.KindSession {
			if t := s.sessions[c.ID]; t != nil {
				return t
			}
		}
	}
	return nil
}

// sender is the session that a message comes from, nil if it is none of ours. One that was told that the outcome of a
// write is unknown counts as any other for a while: the write may still come, and then it must hear of it.
func (s *State) sender(m *wire.Message) *session {
	if m.From.Kind != do.KindSession {
		return nil
	}
	t := s.sessions[m.From.ID]
	if t != nil && t.unsure > s.now {
		return nil
	}
	return t
}
