package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// use notes that objects of the database are used.
func (s *State) use(m *wire.Message) {
	if b, ok := m.Body.(*wire.Bundle); ok {
		for _, id := range bundleObjects(b) {
			s.useOne(id)
		}
		return
	}
	if id, ok := subject(m.Body); ok {
		s.useOne(id)
	}
}

func (s *State) useOne(id do.ID) {
	if w := s.writers[id]; w != nil {
		w.used = s.now
	}
}

// unloadIdle takes objects out of memory that nobody has used for Config.IdleUnload, their state written, and that nothing
// is below or on its way to. It looks at all of them four times in that time.
func (s *State) unloadIdle(out *wire.Outbox) {
	if s.cfg.IdleUnload <= 0 || s.now < s.nextIdle {
		return
	}
	s.nextIdle = s.now + int64(s.cfg.IdleUnload)/4
	var idle []*object
	for id, w := range s.writers {
		o := s.objects[id]
		if o == nil || s.now-w.used < int64(s.cfg.IdleUnload) || s.parked[id] != nil || o.owner().Kind == do.KindSession || !s.leaf(id) {
			continue
		}
		idle = append(idle, o)
	}
	slices.SortFunc(idle, func(a, b *object) int { return a.id.Compare(b.id) })
	for _, o := range idle {
		w := o.writer()
		s.remove(o, o.channel(), removal{tellParent: true, unloaded: true}, out)
		s.send(w, out)
	}
}
