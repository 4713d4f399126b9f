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
	queue []wire.Message
	step  parkStep
	class uint32 // parkSchema: the class that is not known
	needs uint32 // parkSchema: the context of a SchemaGet that was sent after it began to wait

	record *record // what the database has, while the object is not in memory
	held   *held   // a set or bundle with a unique value
	motion *motion // parkProbe: whose chain is walked
	erase  *erasure
	frosts map[do.ID]*frost // parkFrozen: which of the objects are held still; others wait with them
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
// of them wait apart, the bundle waits for one after the other: see waitApart.
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

// wait puts m at the end of the queue. A second Activate does not wait (rule 131), and a queue has an end.
func (s *State) wait(p *parking, m *wire.Message, out *wire.Outbox) error {
	if b, ok := m.Body.(*wire.Activate); ok && p.activates() {
		return s.fail(request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, wire.CodeActive, "loading", out)
	}
	if b, ok := m.Body.(*wire.Bundle); ok && s.waitApart(p, b, m) {
		return nil
	}
	if _, ok := m.Body.(*wire.Freeze); ok || len(p.queue) < s.cfg.MaxParked {
		p.queue = append(p.queue, *m)
		return nil
	}
	if b, ok := m.Body.(*wire.Call); ok {
		return s.refuseCall(b, wire.CodeOverload, "", out)
	}
	return s.fail(requestOf(m), wire.CodeOverload, "", out)
}

// activates reports whether the object is on its way to life, or is alive.
func (p *parking) activates() bool {
	if p.held != nil {
		return true
	}
	return slices.ContainsFunc(p.queue, func(m wire.Message) bool {
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
	queue := p.queue
	p.queue = nil
	for i := range queue {
		b, _ := queue[i].Body.(*wire.Bundle)
		at := s.apart[b]
		if at == p { // it may have to wait for another of its objects yet, and what is behind it with it
			if q := s.park(&queue[i], nil); q != nil && q.find(b) >= 0 {
				at = q
				s.apart[b] = q
			}
		}
		if at != nil && at != p {
			s.follow(p, at, b, queue[i+1:])
			return
		}
		_ = s.Step(queue[i], out)
		if at != nil && s.apart[b] == p {
			delete(s.apart, b)
		}
	}
}

// waitApart lets a bundle wait whose objects wait apart while they move: in the queue of each, so that what comes for one of
// them later stays behind it, too. It is handled in the one where it waits last, which is p for now.
func (s *State) waitApart(p *parking, b *wire.Bundle, m *wire.Message) bool {
	if s.apart[b] != nil {
		if s.apart[b] = p; p.find(b) < 0 {
			p.queue = append(p.queue, *m)
		}
		return true
	}
	if !p.moves() || len(p.queue) >= s.cfg.MaxParked {
		return false
	}
	for _, id := range bundleObjects(b) {
		if q := s.parked[id]; q != nil && q != p && q.moves() && q.find(b) < 0 {
			q.queue = append(q.queue, *m)
			if s.apart == nil {
				s.apart = make(map[*wire.Bundle]*parking)
			}
			s.apart[b] = p
		}
	}
	if s.apart[b] == nil {
		return false
	}
	p.queue = append(p.queue, *m)
	return true
}

// follow lets the objects of p, and what is left of its queue behind a bundle, wait behind that elsewhere. Other bundles may
// wait in both, too: what came before one of them in either queue stays before it.
func (s *State) follow(p, elsewhere *parking, b *wire.Bundle, rest []wire.Message) {
	for _, id := range p.ids {
		if s.parked[id] == nil {
			s.parked[id] = elsewhere
			elsewhere.ids = append(elsewhere.ids, id)
		}
	}
	behind := elsewhere.find(b) + 1
	for i := range rest {
		next, _ := rest[i].Body.(*wire.Bundle)
		if next != nil && s.apart[next] == p {
			s.apart[next] = elsewhere
		}
		if at := elsewhere.find(next); next != nil && at >= 0 {
			behind = at + 1
			continue
		}
		elsewhere.queue = slices.Insert(elsewhere.queue, behind, rest[i])
		behind++
	}
}

// moves reports whether it waits for no more than a walk up the chain above.
func (p *parking) moves() bool { return p.step == parkProbe && p.record == nil && p.held == nil }

// find is where a bundle waits in the queue, -1 if it does not.
func (p *parking) find(b *wire.Bundle) int {
	return slices.IndexFunc(p.queue, func(m wire.Message) bool { return m.Body == wire.Body(b) })
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
