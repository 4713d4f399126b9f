package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// farewell is an object of the database that went while it had an AI: its OnDelete or OnDisable may run now, and write.
// What others want of the row waits until it has said that this is done, the AI is gone, or the time is over: so the next
// life begins with the last writes of the one before, and is never overwritten by them (K6, K7).
type farewell struct {
	id      do.ID
	version do.Version // of the life that ended
	ai      do.Channel
	heard   int64 // when the AI last wrote
	until   int64
	queue   []wire.Message
	over    bool
}

// bid begins the farewell of an object that goes.
func (s *State) bid(o *object, out *wire.Outbox) {
	if s.cfg.LastWord < 0 || o.ai.IsZero() || s.cfg.NoDatabase {
		return
	}
	f := &farewell{id: o.id, version: o.version(), ai: o.ai, until: s.now + int64(s.cfg.LastWord)}
	if s.farewells == nil {
		s.farewells = make(map[do.ID]*farewell)
	}
	if old := s.farewells[o.id]; old != nil { // it was created anew meanwhile
		f.queue, old.queue, old.over = old.queue, nil, true
	}
	s.farewells[o.id] = f
	s.parted = append(s.parted, f)
	s.askLastWord(f, out)
}

// lastWord ends a farewell.
func (s *State) lastWord(b *wire.LastWord, out *wire.Outbox) {
	if f := s.farewells[b.DO]; f != nil && f.version == b.Version {
		s.endFarewell(f, out)
	}
}

// endFarewells ends those of an AI that is gone.
func (s *State) endFarewells(ai do.Channel, out *wire.Outbox) {
	for _, f := range slices.Clone(s.parted) {
		if f.ai == ai && !f.over {
			s.endFarewell(f, out)
		}
	}
}

// expireFarewells goes on without the words that did not come.
func (s *State) expireFarewells(out *wire.Outbox) {
	for len(s.parted) > 0 && s.now >= s.parted[0].until {
		f := s.parted[0]
		if !f.over && f.heard != 0 && s.now-f.heard < int64(s.cfg.LastWord+s.cfg.AnswerTimeout) {
			// It writes, and the database cannot take it: it will write again.
			f.until = s.now + int64(s.cfg.LastWord)
			s.parted = append(s.parted[1:], f)
			continue
		}
		s.endFarewell(f, out)
	}
}

// endFarewell handles what waited, in its order, once.
func (s *State) endFarewell(f *farewell, out *wire.Outbox) {
	queue := f.queue
	f.queue, f.over = nil, true
	if s.farewells[f.id] == f {
		delete(s.farewells, f.id)
	}
	for len(s.parted) > 0 && s.parted[0].over {
		s.parted = s.parted[1:]
	}
	for i := range queue {
		_ = s.Step(queue[i], out) // what is refused now is answered and counted
	}
}

// heldBack is where a message waits for an AI's last word, nil if it does not: the AI's own go through, except for one
// that begins the next life. Who asks only whether the object is there hears that it is not.
func (s *State) heldBack(m *wire.Message, out *wire.Outbox) *farewell {
	var id do.ID
	from := m.From
	switch b := m.Body.(type) {
	case *wire.Activate:
		id, from = b.DO, do.Channel{}
	case *wire.Freeze:
		id, from = b.DO, b.By
	case *wire.SetFields:
		id = b.DO
	case *wire.DeleteFields:
		id = b.DO
	case *wire.GetField:
		id = b.DO
	case *wire.GetFields:
		id = b.DO
	case *wire.GetAll:
		id = b.DO
	case *wire.DeleteDisk:
		id = b.DO
	default:
		return nil
	}
	f := s.farewells[id]
	switch {
	case f == nil || s.objects[id] != nil:
		return nil
	case f.ai == from:
		s.hearLast(f, m, out)
		return nil
	}
	return f
}

// hearLast takes note of what the AI itself still asks: a write shows that it has not said all, and who asks for all
// values was cut off, and did not hear that the object went, nor the question for its last word.
func (s *State) hearLast(f *farewell, m *wire.Message, out *wire.Outbox) {
	switch m.Body.(type) {
	case *wire.SetFields, *wire.DeleteFields:
		f.heard = s.now
	case *wire.GetAll:
		s.askLastWord(f, out)
	}
}

func (s *State) askLastWord(f *farewell, out *wire.Outbox) {
	out.SendTo(f.ai, s.speaker(f.id), &wire.AskLastWord{DO: f.id, Version: f.version})
}

// holdBack puts m at the end of the queue, which has an end.
func (s *State) holdBack(f *farewell, m *wire.Message, out *wire.Outbox) error {
	if _, ok := m.Body.(*wire.Freeze); ok || len(f.queue) < s.cfg.MaxParked {
		f.queue = append(f.queue, *m)
		return nil
	}
	return s.fail(requestOf(m), wire.CodeOverload, "", out)
}

// forgetFreeze takes an order to freeze out of a queue in which it still waits.
func (f *farewell) forgetFreeze(b *wire.Thaw) {
	f.queue = slices.DeleteFunc(f.queue, func(m wire.Message) bool { return freezes(&m, b) })
}

// freezes reports whether m is the order that b takes back.
func freezes(m *wire.Message, b *wire.Thaw) bool {
	order, ok := m.Body.(*wire.Freeze)
	return ok && order.Tx == b.Tx && order.DO == b.DO
}
