package clientagent

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// opening is a question for all objects in some zones: of one session that did not cover them before, or, as a
// repair, of a place for all who watch it.
type opening struct {
	context uint32
	t       *session // nil: a repair
	place   *place   // of a repair
	all     bool     // of a repair: the values of all objects are sent again, whatever their versions
	parent  do.ID
	seats   []*seat // what it loads; those that closed meanwhile are struck out
	unready int     // of these, whose subscription is not acknowledged
	asked   bool
	begun   uint64 // the Step in which it was asked
	ops     []*operation
	until   int64
	again   int64 // when what is missing is asked for again

	last     bool // the parent's list is complete
	listed   roll
	finished bool // timed out: what comes late is still shown (rule 114)
}

// newOpening books an opening; ask sends it.
func (s *State) newOpening(t *session, parent do.ID) *opening {
	timeout := int64(s.cfg.OpeningTimeout)
	o := &opening{
		context: s.context(), t: t, parent: parent,
		until: s.now + timeout, again: s.now + timeout/2,
	}
	s.openings[o.context] = o
	s.openList = append(s.openList, o)
	return o
}

// ask sends the question, now that all its places are watched (rule 106).
func (s *State) ask(o *opening) {
	o.asked, o.begun = true, s.seq
	s.out.SendTo(do.ObjectChannel(o.parent), s.self, &wire.GetZonesObjects{Context: o.context, Parent: o.parent, Zones: o.zones()})
}

func (o *opening) zones() []do.Zone {
	zones := make([]do.Zone, 0, len(o.seats)+1)
	if o.place != nil {
		zones = append(zones, o.place.loc.Zone)
	}
	for _, st := range o.seats {
		zones = append(zones, st.place.loc.Zone)
	}
	return zones
}

// askMissing asks the States of listed objects that are not accounted for. The parent's State asked them, but its links
// are not ours: what was lost there nobody tells us.
func (s *State) askMissing(o *opening) {
	for _, ids := range o.listed.missing() {
		for chunk := range slices.Chunk(ids, maxMissing) {
			s.out.SendTo(do.ObjectChannel(chunk[0]), s.self, &wire.AskEntries{
				Context: o.context, Asker: s.self, Parent: o.parent, Zones: o.zones(), DOs: chunk,
			})
		}
	}
}

// maxMissing is how many objects one message asks for.
const maxMissing = 1024

// strike takes a closed seat out of what loads it. What the opening brings for it is dropped (rule 116).
func (s *State) strike(st *seat) {
	o := cmp.Or(st.opening, st.late)
	st.opening, st.late = nil, nil
	o.seats = slices.DeleteFunc(o.seats, func(other *seat) bool { return other == st })
	if len(o.seats) == 0 {
		s.dropOpening(o)
		s.settleOps(o, 0, "")
		return
	}
	if !o.asked && !st.place.ready {
		if o.unready--; o.unready == 0 {
			s.ask(o)
		}
	}
}

// dropOpening forgets an opening: late answers find nothing (rule 115).
func (s *State) dropOpening(o *opening) {
	delete(s.openings, o.context)
	s.openList = slices.DeleteFunc(s.openList, func(other *opening) bool { return other == o })
	for _, st := range o.seats {
		st.late = nil
	}
	if o.place != nil && o.place.refresh == o {
		o.place.refresh = nil
	}
}

// settleOps tells the operations that waited for o.
func (s *State) settleOps(o *opening, code wire.Code, text string) {
	ops := o.ops
	o.ops = nil
	for _, op := range ops {
		code, text := code, text
		if code == wire.CodeNoParent && op.h.follow != nil {
			code, text = 0, "" // nothing is there to be seen, and what it follows may go elsewhere
		}
		if op.waits--; code != 0 || op.waits == 0 {
			s.finish(op, code, text)
		}
	}
}

// loaded ends an opening: its seats have seen all that is there.
func (s *State) loaded(o *opening, code wire.Code, text string) {
	s.dropOpening(o)
	for _, st := range o.seats {
		if st.opening == o {
			st.opening = nil
		}
	}
	if o.place != nil {
		s.repaired(o)
	}
	s.settleOps(o, code, text)
}

// zonesObjects takes a chunk of the parent's list, with the entries that its State holds.
func (s *State) zonesObjects(b *wire.ZonesObjects) {
	o := s.openings[b.Context]
	if o == nil {
		return
	}
	s.setAbsent(o, false)
	for i := range b.Entries {
		s.loadEntry(o, &b.Entries[i])
	}
	o.listed.list(b.List)
	if o.place != nil {
		for i := range b.List {
			if known := s.objects[b.List[i].DO]; known != nil {
				known.listed = o.context
			}
		}
	}
	o.last = o.last || b.Last
	s.checkLoaded(o)
}

// zoneEntries takes what the States of listed children elsewhere answer: each is here, or not.
func (s *State) zoneEntries(b *wire.ZoneEntries) {
	if o := s.asks[b.Context]; o != nil {
		s.answeredGap(o, b)
		return
	}
	if g := s.groundAsks[b.Context]; g != nil {
		s.answeredGround(g, b.Entries)
		return
	}
	o := s.openings[b.Context]
	if o == nil {
		return
	}
	for i := range b.Entries {
		s.loadEntry(o, &b.Entries[i])
		o.account(b.Entries[i].DO)
	}
	for _, l := range b.Gone {
		if known := s.objects[l.DO]; known != nil {
			switch {
			case l.Version.IsZero():
				s.remove(known, wire.LeaveDeleted) // there is no such object any more
			case known.listed == o.context:
				known.listed = 0
			}
		}
		o.account(l.DO)
	}
	s.checkLoaded(o)
}

// account ticks a listed object off.
func (o *opening) account(id do.ID) {
	if !o.listed.tick(id) && !o.last {
		o.listed.came(id)
	}
}

// checkLoaded ends an opening when the list is complete and everything on it accounted for.
func (s *State) checkLoaded(o *opening) {
	if o.last && o.listed.done() {
		s.loaded(o, 0, "")
	}
}

// loadEntry shows an entry to who asked for it. One in a zone that closed meanwhile is a ghost, and dropped (rule
// 116); one that is in view already changes nothing (rule 113).
func (s *State) loadEntry(o *opening, e *wire.Entry) {
	if o.place != nil {
		s.repairEntry(o, e)
		return
	}
	at := slices.IndexFunc(o.seats, func(st *seat) bool { return st.place.loc == e.Location })
	if at < 0 {
		return
	}
	known := s.objects[e.DO]
	fresh := known == nil
	if known != nil {
		switch {
		case e.Version.Inc < known.version.Inc:
			return
		case known.otherLife(e.Version), len(known.viewers) > 0 && e.Version.N > known.version.N:
			// Who sees it missed something: an entry is never newer than what came before it.
			s.refreshObject(known, e, true)
			known = s.objects[e.DO]
		case known.location != e.Location && len(known.viewers) > 0:
			s.relocate(known, e.Location, nil)
			known = s.objects[e.DO]
		}
	}
	if known == nil {
		known = s.newObject(e.DO, e.Class)
	}
	if len(known.viewers) == 0 {
		s.unplaceObject(known)
		s.locate(known, e.Location)
		known.moved = s.seq
		if fresh { // so nothing has closed the place meanwhile
			o.seats[at].place.take(known)
		}
	}
	if e.Version.Compare(known.version) > 0 {
		known.version, known.serial = e.Version, e.Serial
	}
	had := len(o.t.out.Stream)
	s.see(o.t, known, e, true)
	brought := len(o.t.out.Stream) - had
	s.loadedBytes += brought
	o.t.allow(&o.t.loading, brought)
}

// Loaded is how many bytes openings brought to sessions since the last flush.
func (s *State) Loaded() int { return s.loadedBytes }

// failedOpening ends an opening that the parent's State refused: there is no such parent (rule 83).
func (s *State) failedOpening(b *wire.Failed) {
	o := s.openings[b.Context]
	if o == nil {
		return
	}
	s.setAbsent(o, b.Code == wire.CodeNoParent)
	s.loaded(o, b.Code, b.Text)
	if o.place != nil && (b.Code == wire.CodeNoParent || b.Code == wire.CodeNoObject) {
		s.closeBelow(o.parent)
	}
}

// setAbsent notes whether the parent of the places that o asks for exists. If it does not, what moved there before that
// was known leaves: it has not entered.
func (s *State) setAbsent(o *opening, absent bool) {
	places := make([]*place, 0, len(o.seats)+1)
	for _, st := range o.seats {
		places = append(places, st.place)
	}
	if o.place != nil {
		places = append(places, o.place)
	}
	for _, p := range places {
		if p.absent = absent; !absent {
			continue
		}
		for _, known := range slices.Clone(p.objects) {
			if known.entered {
				continue
			}
			for _, g := range slices.Clone(known.viewers) {
				s.leave(g, wire.LeaveMoved)
			}
		}
	}
}

// lateFor is how long after its time-out an opening still takes entries, nanoseconds.
const lateFor = int64(60e9)

// sweepOpenings answers the openings that took too long: only a dead shard does that (rule 114).
func (s *State) sweepOpenings() {
	for i := 0; i < len(s.openList); {
		o := s.openList[i]
		if o.last && !o.finished && s.now >= o.again {
			o.again = o.until
			s.askMissing(o)
		}
		switch {
		case s.now < o.until:
			i++
		case !o.finished && o.place == nil:
			o.finished, o.until = true, s.now+lateFor
			s.stats.OpeningTimeouts++
			for _, st := range o.seats {
				st.opening, st.late = nil, o
			}
			s.settleOps(o, wire.CodeTimeout, "not all shards answered")
			i++
		default:
			s.dropOpening(o) // it takes its place in the list away
		}
	}
}
