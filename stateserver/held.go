package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// What an owner or an AI is sent as such raises m, which watchers hear nothing of: no digest of a location can miss it.
// So the State counts what it sends each of them about each object, and tells them once in DigestInterval.

// tally is how many messages a holder was sent since it was given the object. One byte will do: what is lost is found
// unless it is a multiple of 256 between two digests.
type tally struct {
	count uint8
	due   bool // the next digest tells it
}

// parting is an owner or AI that an object had until now.
type parting struct {
	id  do.ID
	who do.Channel
	ai  bool
}

// heard counts a message about o that was sent to its owner or its AI; none is neither.
func (s *State) heard(o *object, who do.Channel) {
	if !who.IsZero() {
		s.tally(o, who, o.tallyOf(who).count+1)
	}
}

// heardMove counts a move, which both hear of.
func (s *State) heardMove(o *object) {
	s.heard(o, o.ai)
	if o.owner() != o.ai {
		s.heard(o, o.owner())
	}
}

// given begins the count of an owner or AI that was just sent the whole object.
func (s *State) given(o *object, who do.Channel) { s.tally(o, who, 0) }

// tally makes count due.
func (s *State) tally(o *object, who do.Channel, count uint8) {
	if !o.toOwner.due && !o.toAI.due {
		s.hearings = append(s.hearings, o)
	}
	*o.tallyOf(who) = tally{count, true}
}

// tallyOf is the count of the owner or the AI. One that is both counts as the AI.
func (o *object) tallyOf(who do.Channel) *tally {
	if who == o.ai {
		return &o.toAI
	}
	return &o.toOwner
}

// partOwner and partAI let go of who owned or ran the object. They are told so once more with the digests. An owner that
// was the AI, too, goes on with the count that it had as both.
func (s *State) partOwner(o *object) {
	if !o.owner().IsZero() {
		s.partings = append(s.partings, parting{o.id, o.owner(), false})
	}
}

func (s *State) partAI(o *object) {
	if o.ai.IsZero() {
		return
	}
	s.partings = append(s.partings, parting{o.id, o.ai, true})
	if o.owner() == o.ai {
		o.toOwner = o.toAI
	}
}

// tellHeld sends the digests, one message to each owner and AI.
func (s *State) tellHeld(out *wire.Outbox) {
	if len(s.hearings) == 0 && len(s.partings) == 0 {
		return
	}
	d := heldDigests{of: make(map[do.Channel]int)}
	for _, o := range s.hearings {
		if s.objects[o.id] == o {
			if o.owner() != o.ai {
				d.count(o, o.owner(), o.toOwner)
			}
			d.count(o, o.ai, o.toAI)
		}
		o.toOwner.due, o.toAI.due = false, false
	}
	for _, p := range s.partings {
		if o := s.objects[p.id]; o != nil && (p.ai && o.ai == p.who || !p.ai && o.owner() == p.who) {
			continue // it came back
		}
		body := d.to(p.who)
		body.Lost = append(body.Lost, wire.HeldLost{DO: p.id, AI: p.ai})
	}
	clear(s.hearings)
	clear(s.partings)
	s.hearings, s.partings = s.hearings[:0], s.partings[:0]
	for _, b := range d.list {
		for counts := range slices.Chunk(b.body.Counts, chunkListed) {
			out.SendTo(b.who, s.self, &wire.HeldDigest{Counts: counts})
		}
		for lost := range slices.Chunk(b.body.Lost, chunkListed) {
			out.SendTo(b.who, s.self, &wire.HeldDigest{Lost: lost})
		}
	}
}

// heldDigests gathers digests by receiver, in the order in which they come up.
type heldDigests struct {
	list []heldDigest
	of   map[do.Channel]int
}

type heldDigest struct {
	who  do.Channel
	body wire.HeldDigest
}

func (d *heldDigests) to(who do.Channel) *wire.HeldDigest {
	i, ok := d.of[who]
	if !ok {
		i = len(d.list)
		d.of[who] = i
		d.list = append(d.list, heldDigest{who: who})
	}
	return &d.list[i].body
}

func (d *heldDigests) count(o *object, who do.Channel, t tally) {
	if !t.due || who.IsZero() {
		return
	}
	b := d.to(who)
	b.Counts = append(b.Counts, wire.HeldCount{DO: o.id, Class: o.class.number, Count: t.count})
}
