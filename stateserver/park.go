package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// parking is where messages wait for an object that cannot take them now: it is being fetched from the database, its
// class is not known yet, a unique value of it is being accepted, or it moves and the chain above is looked at. They are handled afterwards, in their order.
// Objects that share a bundle with such an object wait in the same parking.
type parking struct {
	ids   []do.ID
	queue []queued
	step  parkStep
	class uint32 // parkSchema: the class that is not known
	needs uint32 // parkSchema: the context of a SchemaGet that was sent after it began to wait

	record *record // what the database has, while the object is not in memory
	held   *held   // a set or bundle with a unique value
	motion *motion // parkProbe: whose chain is walked
	erase  *erasure
	frosts map[do.ID]*frost // parkFrozen: which of the objects are held still; others wait with them
}

// queued is a message that waits.
type queued struct {
	wire.Message
	turn uint64 // counts up, from 1, as messages begin to wait: those that have waited elsewhere keep their order by it
}

// parkStep is what a parking waits for.
type parkStep uint8

const (
	parkDrain  parkStep = iota // earlier writes of the object
	parkFetch                  // the answer to DBGet
	parkSchema                 // a schema with the class
	parkWrite                  // the answer to DBSet or DBDelete
	parkProbe                  // the answer to Probe
	parkFrozen                 // the end of transactions
)

// subject is the object that must be ready before the message can be handled.
func subject(b wire.Body) (id do.ID, ok bool) {
	switch b := b.(type) {
	case *wire.SetFields:
		return b.DO, true
	case *wire.GetField:
		return b.DO, true
	case *wire.GetFields:
		return b.DO, true
	case *wire.GetAll:
		return b.DO, true
	case *wire.DeleteFields:
		return b.DO, true
	case *wire.GetClass:
		return b.DO, true
	case *wire.Create:
		return b.DO, true
	case *wire.Activate:
		return b.DO, true
	case *wire.GetActivated:
		return b.DO, true
	case *wire.Unload:
		return b.DO, true
	case *wire.DeleteRAM:
		return b.DO, true
	case *wire.DeleteDisk:
		return b.DO, true
	case *wire.SetLocation:
		return b.DO, true
	case *wire.GetLocation:
		return b.DO, true
	case *wire.SetAI:
		return b.DO, true
	case *wire.GetAI:
		return b.DO, true
	case *wire.SetOwner:
		return b.DO, true
	case *wire.GetOwner:
		return b.DO, true
	case *wire.Call:
		return b.DO, true
	}
	return do.ID{}, false
}

// about is the parent whose children a message is about: it waits only while there is no such parent.
func about(b wire.Body) do.ID {
	switch b := b.(type) {
	case *wire.GetZonesObjects:
		return b.Parent
	case *wire.GetChildren:
		return b.DO
	case *wire.GetZonesCount:
		return b.Parent
	case *wire.GetChildCount:
		return b.DO
	case *wire.GetActiveZones:
		return b.DO
	case *wire.DeleteChildren:
		return b.Parent
	case *wire.DeleteZones:
		return b.Parent
	}
	return do.ID{}
}

// park finds where m must wait, nil if it can be handled. until is where it waited, if it did: not there again.
func (s *State) park(m *wire.Message, until *parking) *parking {
	switch b := m.Body.(type) {
	case *wire.Bundle:
		return s.parkBundle(b, until)
	case *wire.Freeze:
		// Never behind another transaction, so that none waits for one that waits for it.
		if p := s.parked[b.DO]; p != nil && p.step != parkFrozen {
			return p
		}
		return nil
	}
	id, ok := subject(m.Body)
	if !ok {
		if id = about(m.Body); id.IsZero() || s.objects[id] != nil {
			return nil
		}
	}
	if p := s.parked[id]; p != until {
		return p
	}
	return nil
}

// parkBundle finds where a bundle must wait: behind the first of its objects that waits, and the others with it. If two
// of them wait apart, it waits for one after the other: see wait.
func (s *State) parkBundle(b *wire.Bundle, until *parking) *parking {
	ids := bundleObjects(b)
	i := slices.IndexFunc(ids, func(id do.ID) bool { return s.parked[id] != nil && s.parked[id] != until })
	if i < 0 {
		return nil
	}
	p := s.parked[ids[i]]
	for _, id := range ids {
		if q := s.parked[id]; (q == nil || q == until) && s.objects[id] != nil {
			s.parked[id] = p
			p.ids = append(p.ids, id)
		}
	}
	return p
}

// wait puts m in its place in the queue: at the end, unless it waited elsewhere before. A bundle whose objects wait apart
// waits in the queue of each, unless that is being loaded, so that what comes for one of them later stays behind it, and is
// handled when none of them waits any more. A second Activate does not wait (rule 131), and a queue has an end for
// what comes anew.
func (s *State) wait(p *parking, m *wire.Message, turn uint64, out *wire.Outbox) error {
	if b, ok := m.Body.(*wire.Activate); ok && p.activates() {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeActive, "loading", out)
	}
	if _, ok := m.Body.(*wire.Freeze); ok || turn != 0 || len(p.queue) < s.cfg.MaxParked {
		if turn == 0 {
			turn = s.nextTurn()
		}
		p.insert(queued{*m, turn})
		if b, ok := m.Body.(*wire.Bundle); ok && !p.loads() {
			for _, id := range bundleObjects(b) {
				if q := s.parked[id]; q != nil && !q.loads() {
					q.insert(queued{*m, turn})
				}
			}
		}
		return nil
	}
	if b, ok := m.Body.(*wire.Call); ok {
		return s.refuseCall(b, wire.CodeOverload, "", out)
	}
	return s.fail(requestOf(m), wire.CodeOverload, "", out)
}

// first is the queue of a parking that a message begins.
func (s *State) first(m *wire.Message) []queued { return []queued{{*m, s.nextTurn()}} }

func (s *State) nextTurn() uint64 {
	s.turns++
	return s.turns
}

// insert puts a message that is not in the queue yet before what came after it. Where the first of a queue is being served
// nothing is moved.
func (p *parking) insert(q queued) {
	i := len(p.queue)
	if !p.loads() {
		for i > 0 && p.queue[i-1].turn > q.turn {
			i--
		}
		if i > 0 && p.queue[i-1].turn == q.turn {
			return
		}
	}
	p.queue = slices.Insert(p.queue, i, q)
}

// loads reports whether an object is being fetched from the database, or the class of one that was: then what waits is served
// from the front of the queue.
func (p *parking) loads() bool {
	return p.record != nil || p.held == nil && p.erase == nil && p.step != parkProbe && p.step != parkFrozen && p.step != parkSchema
}

// activates reports whether the object is on its way to life, or is alive.
func (p *parking) activates() bool {
	if p.held != nil {
		return true
	}
	return slices.ContainsFunc(p.queue, func(m queued) bool {
		_, ok := m.Body.(*wire.Activate)
		return ok
	})
}

// begin parks the objects behind p.
func (s *State) begin(p *parking) {
	for _, id := range p.ids {
		s.parked[id] = p
	}
}

// release handles what waited, in its order. What is refused now was answered and counted.
func (s *State) release(p *parking, out *wire.Outbox) {
	if mo := p.motion; mo != nil {
		s.settle(mo)
		defer s.yield(mo, out)
	}
	for _, id := range p.ids {
		if s.parked[id] == p { // else it began to wait for something of its own
			delete(s.parked, id)
		}
	}
	s.releasing = append(s.releasing, p)
	for len(p.queue) > 0 {
		q := p.queue[0]
		p.queue = p.queue[1:]
		if b, ok := q.Body.(*wire.Bundle); ok {
			s.withdraw(b, q.turn)
		}
		_ = s.step(&q.Message, q.turn, out)
	}
	s.releasing = s.releasing[:len(s.releasing)-1]
}

// withdraw takes a bundle out of the queues in which it waits: it is handled now, or waits again where it must.
func (s *State) withdraw(b *wire.Bundle, turn uint64) {
	from := func(p *parking) {
		p.queue = slices.DeleteFunc(p.queue, func(q queued) bool { return q.turn == turn })
	}
	for _, id := range bundleObjects(b) {
		if p := s.parked[id]; p != nil && !p.loads() {
			from(p)
		}
	}
	for _, p := range s.releasing { // one of these may end what another waits for
		from(p)
	}
}

// requestOf is what an answer to a message that may wait needs to know of it.
func requestOf(m *wire.Message) request {
	r := request{from: m.From, of: m.Body.Type()}
	r.id, _ = subject(m.Body)
	switch b := m.Body.(type) {
	case *wire.SetFields:
		r.context, r.serial, r.latest = b.Context, b.Serial, b.Latest
	case *wire.Bundle:
		r.context, r.id = b.Context, b.DO
	case *wire.GetField:
		r.context = b.Context
	case *wire.GetFields:
		r.context = b.Context
	case *wire.GetAll:
		r.context = b.Context
	case *wire.DeleteFields:
		r.context = b.Context
	case *wire.GetClass:
		r.context = b.Context
	case *wire.Create:
		r.context = b.Context
	case *wire.Activate:
		r.context = b.Context
	case *wire.GetActivated:
		r.context = b.Context
	case *wire.Unload:
		r.context = b.Context
	case *wire.DeleteRAM:
		r.context = b.Context
	case *wire.DeleteDisk:
		r.context = b.Context
	case *wire.DeleteChildren:
		r.context, r.id = b.Context, b.Parent
	case *wire.SetLocation:
		r.context = b.Context
	case *wire.GetLocation:
		r.context = b.Context
	case *wire.SetAI:
		r.context = b.Context
	case *wire.GetAI:
		r.context = b.Context
	case *wire.SetOwner:
		r.context = b.Context
	case *wire.GetOwner:
		r.context = b.Context
	case *wire.GetZonesObjects:
		r.context, r.id = b.Context, b.Parent
	case *wire.GetChildren:
		r.context, r.id = b.Context, b.DO
	case *wire.GetZonesCount:
		r.context, r.id = b.Context, b.Parent
	case *wire.GetChildCount:
		r.context, r.id = b.Context, b.DO
	case *wire.GetActiveZones:
		r.context, r.id = b.Context, b.DO
	case *wire.DeleteZones:
		r.context, r.id = b.Context, b.Parent
	}
	return r
}
