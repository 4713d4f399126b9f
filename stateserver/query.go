package stateserver

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Limits of one message of an answer.
const (
	chunkEntries = 64
	chunkBytes   = 32 << 10 // of fields; an entry that begins below it is whole
	chunkListed  = 1024
)

// getZonesObjects answers with a snapshot of zones: the parent's list, and with it the entries of the children here,
// both in the order of rule 109. The States of children elsewhere are asked to send theirs to the asker (rules 80 to 84).
func (s *State) getZonesObjects(m *wire.Message, b *wire.GetZonesObjects, out *wire.Outbox) error {
	parent := s.objects[b.Parent]
	if parent == nil {
		r := request{from: m.From, context: b.Context, of: b.Type(), id: b.Parent}
		return s.fail(r, wire.CodeNoParent, "", out)
	}
	here, away := s.inZones(b.Parent, b.Zones)
	a := answer{
		out: out, to: m.From, from: parent.channel(),
		body: wire.ZonesObjects{Context: b.Context, Parent: b.Parent},
	}
	for i, o := range here {
		if len(a.body.Entries)%chunkEntries == 0 {
			s.touch(here[i:])
		}
		a.entry(o)
	}
	for i, c := range away {
		a.list(wire.Listed{DO: c.id, Zone: c.place.loc.Zone, Version: c.version}, len(away)-i)
	}
	a.flush(true)
	askElsewhere(m.From, b, away, out)
	return nil
}

func compareChildren(a, b *child) int {
	if r := cmp.Compare(a.class, b.class); r != 0 {
		return r
	}
	return a.id.Compare(b.id)
}

// inZones are the children of a parent here in some zones, each zone once (rule 84), in the order of rule 109. It makes
// no record of zones that have none (rule 38). The slices are not the caller's.
func (s *State) inZones(parent do.ID, zones []do.Zone) (here []*object, away []*child) {
	if len(zones) == 1 {
		p := s.places[do.Location{Parent: parent, Zone: zones[0]}]
		if p == nil {
			return nil, nil
		}
		return p.ordered(), p.orderedAway()
	}
	for _, p := range s.placesIn(parent, zones) {
		here = append(here, p.members...)
		away = append(away, p.away...)
	}
	slices.SortFunc(here, compareObjects)
	slices.SortFunc(away, compareChildren)
	return here, away
}

// askElsewhere asks, partition by partition, for the entries of listed children in other States. It does not change away,
// which is in the order of rule 109 and so, where all are of one class, by partition.
func askElsewhere(asker do.Channel, b *wire.GetZonesObjects, away []*child, out *wire.Outbox) {
	byPartition := func(a, b *child) int { return cmp.Compare(a.id.Partition(), b.id.Partition()) }
	if !slices.IsSortedFunc(away, byPartition) {
		away = slices.Clone(away)
		slices.SortStableFunc(away, byPartition)
	}
	for len(away) > 0 {
		n := 1
		for n < len(away) && n < chunkListed && away[n].id.Partition() == away[0].id.Partition() {
			n++
		}
		ask := &wire.AskEntries{Context: b.Context, Asker: asker, Parent: b.Parent, Zones: b.Zones, DOs: make([]do.ID, n)}
		for i, c := range away[:n] {
			ask.DOs[i] = c.id
		}
		out.SendTo(do.ObjectChannel(ask.DOs[0]), do.ObjectChannel(b.Parent), ask)
		away = away[n:]
	}
}

// answer gathers the chunks of a ZonesObjects.
type answer struct {
	out      *wire.Outbox
	to, from do.Channel
	body     wire.ZonesObjects
	bytes    []byte // the fields of the chunk's entries
}

func (a *answer) entry(o *object) {
	if len(a.body.Entries) == chunkEntries || len(a.bytes) >= chunkBytes {
		a.flush(false)
	}
	a.body.Entries, a.bytes = o.appendTo(a.body.Entries, a.bytes, chunkEntries)
}

// appendTo appends the object's entry, as viewers see it, to a chunk, and its fields to the chunk's bytes. Both are made
// when there are none yet, with room for so many entries at most.
func (o *object) appendTo(entries []wire.Entry, bytes []byte, room int) ([]wire.Entry, []byte) {
	if entries == nil {
		room = min(room, chunkEntries)
		entries = make([]wire.Entry, 0, room)
		bytes = make([]byte, 0, room*(len(o.values)+mapHeader))
	}
	n := len(entries)
	entries = slices.Grow(entries, 1)[:n+1]
	return entries, o.fillEntry(&entries[n], bytes, viewers)
}

// list takes one of the listed; with it there are so many more.
func (a *answer) list(l wire.Listed, left int) {
	if len(a.body.List) == chunkListed {
		a.flush(false)
	}
	if a.body.List == nil {
		a.body.List = make([]wire.Listed, 0, min(left, chunkListed))
	}
	a.body.List = append(a.body.List, l)
}

// flush sends the chunk and begins the next one.
func (a *answer) flush(last bool) {
	chunk := a.body
	chunk.Last = last
	a.out.SendTo(a.to, a.from, &chunk)
	a.body.List, a.body.Entries, a.bytes = nil, nil, nil
}

// askEntries answers the asker of an opening, or a watcher that saw a gap, about objects of this State: each is an
// entry, or it is not there (any more) at that version (rule 82).
func (s *State) askEntries(m *wire.Message, b *wire.AskEntries, out *wire.Outbox) error {
	if b.Asker.IsZero() || len(b.DOs) == 0 {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.Parent}, wire.CodeMalformed, "no asker, or nothing asked", out)
	}
	var members []*object // those of the only zone, from where the next is expected on
	if len(b.Zones) == 1 && len(b.DOs) > 1 {
		if p := s.places[do.Location{Parent: b.Parent, Zone: b.Zones[0]}]; p != nil {
			members = p.ordered()
		}
	}
	answer := &wire.ZoneEntries{Context: b.Context, Parent: b.Parent}
	var bytes []byte
	for i, id := range b.DOs {
		if len(answer.Entries) == chunkEntries || len(bytes) >= chunkBytes || len(answer.Gone) == chunkListed {
			out.SendTo(b.Asker, s.self, answer)
			answer, bytes = &wire.ZoneEntries{Context: b.Context, Parent: b.Parent}, nil
		}
		if len(answer.Entries) == 0 {
			s.touch(members)
		}
		var o *object
		o, members = s.next(members, id)
		if o != nil && b.Watch {
			o.watched = true
		}
		switch {
		case o == nil:
			answer.Gone = append(answer.Gone, wire.Listed{DO: id})
		case asked(b, o.location()):
			answer.Entries, bytes = o.appendTo(answer.Entries, bytes, len(b.DOs)-i)
			if len(b.Zones) == 0 && o.place != nil && !o.entered {
				answer.Unseen = append(answer.Unseen, id)
			}
		default:
			answer.Gone = append(answer.Gone, wire.Listed{DO: id, Zone: o.location().Zone, Version: o.version()})
		}
	}
	out.SendTo(b.Asker, s.self, answer)
	return nil
}

// next is the object with that id, nil if there is none, and the members behind it, if it is one of those of a place. Who
// asks for a zone asks in the order that the place has, and that is nearer than the map of all objects.
func (s *State) next(members []*object, id do.ID) (*object, []*object) {
	if len(members) > 0 && members[0].id == id {
		return members[0], members[1:]
	}
	o := s.objects[id]
	if o == nil || len(members) == 0 || o.place != members[0].place {
		return o, members
	}
	return o, o.place.members[o.at+1:]
}

// touch reads a little of the objects of the next chunk, one right after the other: so the processor waits for all of them
// at once, and not for each when its entry is made. Most lie in no cache.
func (s *State) touch(objects []*object) {
	objects = objects[:min(len(objects), chunkEntries)]
	var sum uint32
	for _, o := range objects {
		sum += o.n + uint32(o.serial)
	}
	for _, o := range objects {
		if len(o.values) > 0 {
			sum += uint32(o.values[0])
		}
	}
	s.touched += sum
}

// asked reports whether an object at l is where the question wants it. Without zones any place will do.
func asked(b *wire.AskEntries, l do.Location) bool {
	return len(b.Zones) == 0 || l.Parent == b.Parent && slices.Contains(b.Zones, l.Zone)
}

// getChildren answers with all children by zone, then DoID: those of zones that have any (rule 37).
func (s *State) getChildren(m *wire.Message, b *wire.GetChildren, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeNoObject, "", out)
	}
	var list []wire.Listed
	if f := s.families[b.DO]; f != nil {
		list = make([]wire.Listed, 0, f.members+f.away)
		for _, p := range f.byZone() {
			from := len(list)
			for _, c := range p.members {
				list = append(list, wire.Listed{DO: c.id, Zone: p.loc.Zone, Version: c.version()})
			}
			for _, c := range p.away {
				list = append(list, wire.Listed{DO: c.id, Zone: p.loc.Zone, Version: c.version})
			}
			slices.SortFunc(list[from:], func(a, b wire.Listed) int { return a.DO.Compare(b.DO) })
		}
	}
	out.SendTo(m.From, o.channel(), &wire.Children{Context: b.Context, DO: b.DO, List: list})
	return nil
}
