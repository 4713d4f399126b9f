package stateserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// ErrDeposed ends a State: the database says that its partitions have a newer owner. What it holds in memory is not the
// truth any more.
var ErrDeposed = errors.New("stateserver: the partitions have a newer owner")

// Deposed reports whether the State has stopped to be the owner of its partitions.
func (s *State) Deposed() bool { return s.deposed }

// depose stops the State when the database refused its epoch: whoever waits for the disk is refused, whoever waits for
// an AI cannot know what becomes of it, and from now on Step only refuses.
func (s *State) depose(out *wire.Outbox) {
	s.deposed = true
	for len(s.dirty)+len(s.sent) > 0 {
		list := s.dirty
		s.dirty = nil
		for _, w := range list {
			w.queued, w.dirty = false, nil
			w.turn++
			s.counters.Lost++
			s.landed(w, wire.CodeEpoch, "", out)
		}
		if len(s.sent) == 0 {
			continue
		}
		context := s.sent[0]
		s.sent = s.sent[1:]
		if r := s.answered(context); r != nil {
			s.dbRefused(r, wire.CodeEpoch, "", out)
		}
	}
	for len(s.frosts) > 0 {
		f := s.frosts[0]
		p := s.parked[f.id]
		s.melt(p, f, false, 0, out)
		s.releaseFrozen(p, out)
	}
	for _, f := range s.parted {
		f.over = true
		for i := range f.queue {
			_ = s.refuseAll(&f.queue[i], out)
		}
	}
	s.farewells, s.parted = nil, nil
	for len(s.deadlines.list) > 0 {
		s.end(s.deadlines.list[0], wire.CodeUnknown, out)
	}
	for _, mo := range s.travels {
		if !mo.decided && mo.parking.record == nil { // else it is the first of what waits there
			_ = s.fail(requestOf(&mo.message), wire.CodeEpoch, "", out)
		}
	}
	s.refuseParked(out)
	s.travels, s.motions, s.parked, s.forSchema = nil, nil, nil, nil
	s.changed, s.asked = nil, 0
}

// refuseParked refuses what waits for an object.
func (s *State) refuseParked(out *wire.Outbox) {
	refused := make(map[uint64]bool) // a bundle may wait in several
	for _, id := range slices.SortedFunc(maps.Keys(s.parked), do.ID.Compare) {
		p := s.parked[id]
		queue := p.queue
		p.queue = nil // several objects may wait in one
		for i := range queue {
			if q := &queue[i]; !refused[q.turn] {
				refused[q.turn] = true
				_ = s.refuseAll(&q.Message, out)
			}
		}
	}
}

// refuseAll answers a request to a State that is deposed; the new owner hears it, too, and may have done it.
func (s *State) refuseAll(m *wire.Message, out *wire.Outbox) error {
	if b, ok := m.Body.(*wire.Call); ok {
		return s.refuseCall(b, wire.CodeEpoch, "", out)
	}
	if r := requestOf(m); r.context != 0 {
		return s.fail(r, wire.CodeEpoch, "", out)
	}
	return fmt.Errorf("%v: %w", m.Body.Type(), ErrDeposed)
}
