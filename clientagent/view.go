package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// see begins t's view of o with the entry e. An owned session object is not announced again (rule 103), but its
// owner gets the values, which it heard nothing of while it did not see them. loaded: t's own opening brings it, and
// likely others of its kind behind it.
func (s *State) see(t *session, o *object, e *wire.Entry, loaded bool) {
	g := s.grip(t, o)
	if g.view >= 0 {
		return
	}
	g.view = int32(len(o.viewers))
	o.viewers, o.watchers = append(o.viewers, g), append(o.watchers, t)
	if o.place == nil {
		s.placeObject(o)
	}
	g.silent = g.owned && slices.Contains(t.objects, o.id)
	switch {
	case g.silent:
		s.sendValues(g, e)
	case loaded && t.enters && !g.owned:
		s.showLoaded(g, e)
	default:
		s.showEntry(g, e)
	}
	s.autoEntry(g, e.Fields)
	s.stats.Enters++
}

// sendValues tells an owner, who knows the object already, what the entry says of broadcast fields, nil for what has no
// value: what was set while it did not watch the location went past it. Latest fields go with their serial.
func (s *State) sendValues(g *grip, e *wire.Entry) {
	if g.o.class == nil {
		if g.o.class = s.class(g.o.number); g.o.class == nil {
			return // of a newer schema than ours
		}
	}
	var plain fields.MapBuilder
	for _, f := range g.o.class.Stored() { // ascending
		v, ok := e.Fields.Get(f.Number)
		switch {
		case ok && f.Keywords.Has(fields.Latest):
			s.send(g.t, &wire.ClientLatest{Alias: g.o.alias, Serial: e.Serial, Field: f.Number, Value: v})
		case ok:
			_ = plain.Add(f.Number, v)
		case f.Keywords.Any(fields.Broadcast|fields.ClRecv) && !f.Keywords.Has(fields.Required):
			_ = plain.Add(f.Number, fields.AppendNil(nil))
		}
	}
	if plain.Len() > 0 {
		s.send(g.t, &wire.ClientUpdates{Alias: g.o.alias, Fields: plain.Map()})
	}
}

// showEntry sends e to one client, as its first or as new values (rule 157). The bytes are the same for all who do not own it.
func (s *State) showEntry(g *grip, e *wire.Entry) {
	if s.enc.entry != e || s.enc.entryAlias != g.o.alias || s.enc.entryOwned != g.owned || s.enc.entrySeq != s.seq {
		s.enc.entry, s.enc.entryAlias, s.enc.entryOwned, s.enc.entrySeq = e, g.o.alias, g.owned, s.seq
		s.enc.enter = wire.AppendClientEnter(s.enc.enter[:0], &wire.ClientEnter{
			Alias: g.o.alias, DO: e.DO, Class: e.Class, Location: e.Location, Serial: e.Serial, Owned: g.owned,
			Version: e.Version, Fields: e.Fields,
		})
	}
	g.told = true
	s.append(g.t, s.enc.enter, 1)
	if s.repairing && !g.t.ended {
		g.t.allow(&g.t.repaired, len(s.enc.enter))
	}
	g.unmark(e.Serial)
}

// showLoaded is showEntry to a client that reads ClientEnters.
func (s *State) showLoaded(g *grip, e *wire.Entry) {
	t := g.t
	g.told = true
	if t.ended {
		return
	}
	var begun bool
	t.out.Stream, begun = t.entering.Append(t.out.Stream, &wire.ClientEnter{
		Alias: g.o.alias, DO: e.DO, Class: e.Class, Location: e.Location, Serial: e.Serial, Version: e.Version, Fields: e.Fields,
	})
	if begun {
		t.sent++
		s.touch(t)
	}
	g.unmark(e.Serial)
}

// entryFields are an entry's fields, never without a header.
func entryFields(e *wire.Entry) fields.Map {
	if len(e.Fields) == 0 {
		return fields.EmptyMap()
	}
	return e.Fields
}

// takeView ends a view in the tables; the client is told nothing.
func (s *State) takeView(g *grip) {
	o := g.o
	last := int32(len(o.viewers) - 1)
	o.viewers[g.view] = o.viewers[last]
	o.viewers[g.view].view = g.view
	o.viewers[last] = nil
	o.viewers = o.viewers[:last]
	o.watchers[g.view], o.watchers[last] = o.watchers[last], nil
	o.watchers = o.watchers[:last]
	g.view, g.silent = -1, false
	s.autoLeave(g)
	switch {
	case last == 0:
		s.unplaceObject(o)
	case g.owes():
		s.unfeed(o)
	}
}

// leave ends a view and tells the client why (rule 121).
func (s *State) leave(g *grip, reason wire.LeaveReason) {
	silent := g.silent
	s.takeView(g)
	if !silent {
		s.left(g.t, g.o.alias, reason)
		s.stats.Leaves++
	}
	s.loosen(g, reason == wire.LeaveDeleted)
}

// placeObject books o where its viewers see it; unplaceObject takes that back. An object is seen only at places.
func (s *State) placeObject(o *object) {
	if p := s.places[o.location]; p != nil {
		p.take(o)
	}
}

func (p *place) take(o *object) {
	o.place, o.at = p, int32(len(p.objects))
	p.objects = append(p.objects, o)
}

func (s *State) unplaceObject(o *object) {
	p := o.place
	if p == nil {
		return
	}
	s.unfeed(o)
	last := int32(len(p.objects) - 1)
	p.objects[o.at] = p.objects[last]
	p.objects[o.at].at = o.at
	p.objects[last] = nil
	p.objects = p.objects[:last]
	o.place = nil
}

// covers reports whether t watches l, as far as can be relied on: a place whose subscription is not acknowledged does
// not count, since moves away from it may still be missed; nor one below a parent that does not exist, in which
// nothing is seen until the parent wakes it.
func (t *session) covers(l do.Location) bool {
	st := t.seats[l]
	return st != nil && st.place.ready && !st.place.absent
}

// relocate brings o from its location to another: those who watch the new one keep it, the others lose it (rule
// 120). mover hears nothing of its own move but the acknowledgement (rule 33). Views only move after all that is sent.
func (s *State) relocate(o *object, to do.Location, mover *session) {
	var losing []*grip
	s.enc.location = wire.AppendFrame(s.enc.location[:0], &wire.ClientLocation{Alias: o.alias, Location: to})
	for _, g := range o.viewers {
		covered := g.t.covers(to)
		switch {
		case !covered && slices.Contains(g.t.objects, o.id) && !g.owned:
			s.eject(g.t, wire.ReasonSessionObject, "a session object left its view")
			continue
		case !covered:
			losing = append(losing, g)
			if !g.owned {
				continue
			}
			// An owner always hears where it is (rule 55); that a session object left its view he does not (rule 120).
			g.silent = g.silent || slices.Contains(g.t.objects, o.id)
		}
		if g.t != mover {
			s.append(g.t, s.enc.location, 1)
		}
	}
	if g := o.owner; g != nil && g.view < 0 && g.t != mover {
		s.append(g.t, s.enc.location, 1)
	}
	for _, g := range losing {
		s.leave(g, wire.LeaveMoved)
	}
	s.rebook(o, to)
}

// rebook moves what is left of o's views to the new location.
func (s *State) rebook(o *object, to do.Location) {
	s.unplaceObject(o)
	s.locate(o, to)
	o.moved = s.seq
	if len(o.viewers) > 0 {
		s.placeObject(o)
	}
}

// changingLocation hears of a move. An object that nobody has a grip on needs nothing: its entry follows (rule 120).
func (s *State) changingLocation(m *wire.Message, b *wire.ChangingLocation) {
	s.groundMoved(b.DO, b.Version, b.New)
	o := s.objects[b.DO]
	if o == nil {
		return
	}
	if o.hear(m); b.Version.Compare(o.version) <= 0 {
		return
	}
	gap := s.gap(o, b.Version)
	o.version = b.Version
	s.relocate(o, b.New, s.sender(m))
	switch {
	case len(o.viewers) == 0:
	case gap:
		s.askEntry(o)
		s.askOwner(o)
	default:
		o.entered = false
		s.moving = append(s.moving, arrival{o: o, moved: s.seq, due: s.now + arriveWithin})
	}
}

// arrival is an object on its way to a place where it is seen already. Until it arrived it is in no digest, so that a
// message about it that is lost meanwhile would never be missed. Or it is one that a repair did not find, whose State
// was asked where it is.
type arrival struct {
	o      *object
	moved  uint64
	due    int64
	asked  uint32 // after a repair: the context of the question
	unseen bool   // its State said that it waits for its parent
}

// arriveWithin is after how long it is asked where an object is that did not arrive, nanoseconds. One that a repair
// did not find leaves then, and one that still waits for its parent.
const arriveWithin = int64(2e9)

// sweepMoving asks for the objects that did not arrive in time, and gives those up that nobody knows of.
func (s *State) sweepMoving() {
	n := 0
	for ; n < len(s.moving) && s.moving[n].due <= s.now; n++ {
		a := s.moving[n]
		switch {
		case s.objects[a.o.id] != a.o || a.o.moved != a.moved || len(a.o.viewers) == 0:
		case a.asked != 0:
			if a.o.asked == a.asked {
				s.giveUp(a.o)
			}
		case !a.o.entered && a.unseen:
			for _, g := range slices.Clone(a.o.viewers) {
				s.leave(g, wire.LeaveMoved)
			}
		case !a.o.entered:
			s.askEntry(a.o)
		}
	}
	s.moving = append(s.moving[:0], s.moving[n:]...)
}

// enterLocation shows an object to those who watch its new location and do not see it yet (rule 32).
func (s *State) enterLocation(e *wire.Entry) {
	s.groundMoved(e.DO, e.Version, e.Location)
	p := s.places[e.Location]
	if p != nil {
		p.absent = false
	}
	o := s.objects[e.DO]
	if o != nil {
		if e.Version.Compare(o.version) <= 0 {
			return
		}
		if o.otherLife(e.Version) || s.gap(o, e.Version) {
			if !o.otherLife(e.Version) {
				s.stats.Gaps++ // closed by what showed it
			}
			s.refreshObject(o, e, true)
			return
		}
		o.version, o.serial = e.Version, e.Serial
		if o.location != e.Location {
			s.relocate(o, e.Location, nil)
		}
		o.entered = true
	}
	if p != nil && p.ready {
		s.showAll(p, e)
	}
}

// showAll shows e to every session at p that does not see the object.
func (s *State) showAll(p *place, e *wire.Entry) {
	if len(p.seats) == 0 {
		return
	}
	o := s.track(e.DO, e.Class)
	if len(o.viewers) == 0 {
		s.unplaceObject(o)
		s.locate(o, e.Location)
		o.moved = s.seq
	}
	if e.Version.Compare(o.version) > 0 {
		o.version, o.serial = e.Version, e.Serial
	}
	for _, st := range p.seats {
		s.see(st.s, o, e, false)
	}
}

// refreshObject takes over a whole entry of an object whose messages did not all come, or that began a new life. Who
// sees it gets the values again. One that is not seen waits for its parent: nobody new gets it, and it has not arrived.
func (s *State) refreshObject(o *object, e *wire.Entry, seen bool) {
	if o.otherLife(e.Version) {
		s.remove(o, wire.LeaveDeleted)
		if p := s.places[e.Location]; seen && p != nil && p.ready {
			s.showAll(p, e)
		}
		return
	}
	if e.Version.Compare(o.version) >= 0 {
		o.version, o.serial = e.Version, e.Serial
		s.checkOwner(o, e)
	}
	if o.location != e.Location {
		s.relocate(o, e.Location, nil)
	}
	o.entered = seen
	for _, g := range o.viewers {
		s.autoEntry(g, e.Fields)
		if g.silent {
			s.sendValues(g, e)
		} else {
			s.showEntry(g, e)
		}
	}
	o.unfeedUpTo(e.Serial)
	if p := s.places[e.Location]; seen && p != nil && p.ready {
		s.showAll(p, e)
	}
}

// deleted takes an object out of every view, and from its owner; both are told where both hold (rule 121). Interests
// below it close (rule 123), and sessions whose session object it is end (rules 101, 102).
func (s *State) deleted(b *wire.Deleted) {
	if o := s.objects[b.DO]; o != nil && b.Version.Inc >= o.version.Inc {
		s.remove(o, wire.LeaveDeleted)
	}
	if s.parents[b.DO] > 0 {
		s.closeBelow(b.DO)
		if g := s.grounds[b.DO]; g != nil && g.known && b.Version.Inc >= g.version.Inc {
			s.clearGround(g)
		}
	}
}

// remove takes o from everybody who sees or owns it.
func (s *State) remove(o *object, reason wire.LeaveReason) {
	for _, g := range s.holders(o) {
		t := g.t
		if i := slices.Index(t.objects, o.id); i >= 0 && reason == wire.LeaveDeleted {
			t.objects = slices.Delete(t.objects, i, i+1)
			s.mirrorPostRemoves(t)
			s.eject(t, wire.ReasonSessionObject, "a session object was deleted")
		}
		if g.owned {
			s.disowned(g)
			s.send(t, &wire.ClientLeaveOwner{Alias: o.alias, Reason: reason})
		}
		if g.view >= 0 {
			s.leave(g, reason)
		} else {
			s.loosen(g, reason == wire.LeaveDeleted)
		}
	}
	if o.grips > 0 {
		o.outlive() // it was declared to somebody
	}
}

// holders is who sees o, and an owner who does not. Who was only told of it keeps that.
func (s *State) holders(o *object) []*grip {
	all := slices.Clone(o.viewers)
	if o.owner != nil && o.owner.view < 0 {
		all = append(all, o.owner)
	}
	return all
}

// otherLife reports whether v is of another life of o than the one that is known.
func (o *object) otherLife(v do.Version) bool { return !o.version.IsZero() && v.Inc != o.version.Inc }

// gap reports whether a message that carries version v shows that earlier ones about o, which is watched, were lost: one
// that the location hears is the next, one that only the owner hears has the number of the last that the location heard.
func (s *State) gap(o *object, v do.Version) bool {
	if o.place == nil || !o.place.ready {
		return false
	}
	next := o.version.N
	if v.M == 0 {
		next++
	}
	return o.otherLife(v) || v.N > next
}

// askAgain is after how long a question about a gap is asked again, nanoseconds.
const askAgain = int64(3e9)

// askEntry asks for an entry of o, wherever it is.
func (s *State) askEntry(o *object) {
	if o.asked != 0 && s.now-o.askedAt < askAgain {
		return
	}
	delete(s.asks, o.asked)
	o.asked, o.askedAt = s.context(), s.now
	s.asks[o.asked] = o
	s.stats.Gaps++
	s.out.SendTo(do.ObjectChannel(o.id), s.self, &wire.AskEntries{Context: o.asked, Asker: s.self, DOs: []do.ID{o.id}})
}

// askOwner asks at once for what the owner of o may have missed, as a HeldDigest would a second later: a set that was lost
// may have had fields that are the owner's alone, and the entries of a place have none of these.
func (s *State) askOwner(o *object) {
	if o.owner != nil {
		s.out.SendTo(do.ObjectChannel(o.id), s.self, &wire.AskHeld{Owners: []do.Channel{o.owner.t.channel}, DOs: []do.ID{o.id}})
	}
}

// answeredGap takes the answer to askEntry.
func (s *State) answeredGap(o *object, b *wire.ZoneEntries) {
	delete(s.asks, b.Context)
	o.asked = 0
	for i := range b.Entries {
		if b.Entries[i].DO == o.id {
			unseen := slices.Contains(b.Unseen, o.id)
			s.refreshObject(o, &b.Entries[i], !unseen)
			if unseen && len(o.viewers) > 0 {
				s.moving = append(s.moving, arrival{o: o, moved: o.moved, due: s.now + arriveWithin, unseen: true})
			}
			return
		}
	}
	s.remove(o, wire.LeaveDeleted)
}
