package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// deleteRAM deletes an object and everything below it from memory. A row in the database stays (rule 79).
func (s *State) deleteRAM(m *wire.Message, b *wire.DeleteRAM, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	s.remove(o, m.From, removal{tellParent: true}, out)
	s.done(r, o, out)
	return nil
}

// removal says how an object goes.
type removal struct {
	tellParent bool // not when the parent itself ordered it (rule 75)
	unloaded   bool // only from memory: it is in the database
}

// remove takes an object out of memory in the order of rule 74: word to the parent; Deleted to location, owner and AI
// in one message, with the original sender; then its children, those of other States by a message, those of this State
// one by one and in the same way (rule 75). Who listens on the children channel hears Deleted, too: an interest below
// the object closes even if nobody there sees the object itself (rule 123). States ignore it.
func (s *State) remove(o *object, from do.Channel, how removal, out *wire.Outbox) {
	at := o.location()
	if how.tellParent {
		if parent := s.foreignParent(o.place); !parent.IsZero() {
			o.told()
			out.SendTo(parent, from, o.changing(do.Location{}, at))
		}
	}
	o.published()
	out.Send(s.audience(do.At(at), do.Children(o.id), o.owner(), o.ai), from, &wire.Deleted{
		DO: o.id, Version: o.version(), Location: at, Unloaded: how.unloaded && o.writer() != nil,
	})
	s.partAI(o)
	s.partOwner(o)
	s.endCalls(o, out)
	if o.place != nil {
		s.leave(o, o.place, o.at, o.entered, out)
	}
	delete(s.objects, o.id)
	if w := o.writer(); w != nil {
		s.retire(w)
		s.bid(o, out)
	} else {
		s.ghosts.add(o.id)
	}
	s.orphanParked(o, out)
	f := s.families[o.id]
	if f == nil {
		return
	}
	s.removeChildren(f, from, how.unloaded, out)
	f.parent = nil
}

// removeChildren deletes everything below the parent of f, and empties its list (rule 76).
func (s *State) removeChildren(f *family, from do.Channel, unloaded bool, out *wire.Outbox) {
	if f.away > 0 {
		out.SendTo(do.Children(f.id), from, &wire.DeleteChildren{Parent: f.id, Unloaded: unloaded})
	}
	for _, p := range slices.Clone(f.places) {
		for len(p.away) > 0 {
			s.unlist(p.away[len(p.away)-1])
		}
	}
	for _, c := range f.children() {
		s.remove(c, from, removal{unloaded: unloaded}, out)
	}
}

// deleteChildren, sent to an object, deletes its children and keeps the object; on the children channel of a parent in
// another State it means die (rules 75, 76). A child that the parent does not have in its list yet tells it, since it
// would be listed after its death.
func (s *State) deleteChildren(m *wire.Message, b *wire.DeleteChildren, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.Parent}
	f := s.families[b.Parent]
	if !s.mine(b.Parent) {
		if f == nil {
			return nil
		}
		for _, c := range f.children() {
			s.remove(c, m.From, removal{tellParent: !c.entered, unloaded: b.Unloaded}, out)
		}
		return nil
	}
	o := s.objects[b.Parent]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	if f != nil {
		s.removeChildren(f, m.From, false, out)
	}
	s.done(r, o, out)
	return nil
}

// deleteAIObjects deletes the objects whose explicit AI it names; those that inherit it die with their ancestor. Sent
// to one object it deletes that, even if it inherits (rule 50).
func (s *State) deleteAIObjects(m *wire.Message, b *wire.DeleteAIObjects, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type()}
	if b.AI.IsZero() {
		return s.fail(r, wire.CodeMalformed, "no AI", out)
	}
	var doomed []*object
	one := false
	for _, to := range m.To {
		if to.Kind != do.KindObject {
			continue
		}
		one = true
		if o := s.objects[to.ID]; o != nil && o.ai == b.AI {
			doomed = append(doomed, o)
		}
	}
	if !one {
		for _, o := range s.objects {
			if o.explicit && o.ai == b.AI {
				doomed = append(doomed, o)
			}
		}
		slices.SortFunc(doomed, func(a, b *object) int { return a.id.Compare(b.id) })
		s.dropBirths(b.AI, out)
	}
	for _, o := range doomed {
		// One may have gone with another that was its ancestor.
		if s.objects[o.id] == o {
			s.remove(o, m.From, removal{tellParent: true}, out)
		}
	}
	if !one {
		s.endFarewells(b.AI, out)
	}
	s.done(r, nil, out)
	return nil
}

// dropBirths refuses what an AI that goes has asked to bring to life as its own and what still waits: it would come after
// the order to delete it.
func (s *State) dropBirths(ai do.Channel, out *wire.Outbox) {
	for _, f := range s.parted {
		f.queue = slices.DeleteFunc(f.queue, func(m wire.Message) bool { return s.dropBirth(&m, ai, out) })
	}
	if len(s.parked) == 0 {
		return
	}
	ids := make([]do.ID, 0, len(s.parked))
	for id := range s.parked {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, do.ID.Compare)
	for _, id := range ids {
		p := s.parked[id]
		if p == nil {
			continue
		}
		if mo := p.motion; mo != nil && bornTo(mo.message.Body, ai) {
			s.decided(mo, wire.CodeGone, "", out)
			continue
		}
		p.queue = slices.DeleteFunc(p.queue, func(q queued) bool { return s.dropBirth(&q.Message, ai, out) })
	}
}

// dropBirth is dropBirths for one message.
func (s *State) dropBirth(m *wire.Message, ai do.Channel, out *wire.Outbox) (gone bool) {
	gone = bornTo(m.Body, ai)
	if gone {
		_ = s.fail(requestOf(m), wire.CodeGone, "", out)
	}
	return gone
}

// bornTo reports whether a message brings an object to life whose own AI is ai.
func bornTo(b wire.Body, ai do.Channel) bool {
	switch b := b.(type) {
	case *wire.Create:
		return b.AI == ai
	case *wire.Activate:
		return b.AI == ai
	}
	return false
}
