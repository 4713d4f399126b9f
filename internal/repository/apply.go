package repository

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// each calls fn with every known stored field of m, moleculars taken apart.
func (s *State) each(o *object, m fields.Map, fn func(f *do.Field, value []byte)) {
	for it := m.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		switch {
		case f == nil:
			// Appended by a newer schema than ours: skipped.
		case f.Kind == do.FieldMolecular:
			if err := f.Split(it.Value(), fn); err != nil {
				s.report(err)
			}
		case f.Slot >= 0:
			fn(f, it.Value())
		}
	}
}

// foreign takes in a value that somebody else set, or that an entry tells. live: it is a change that handlers hear
// of (rule 167); else it is the snapshot of an entry. The value of a field that was removed is nil, encoded or not.
func (s *State) foreign(o *object, f *do.Field, value []byte, live bool) {
	if fields.IsNil(value) {
		value = nil
	}
	if len(o.pend) > 0 {
		if p := o.pendingOf(f.Number); p != nil {
			p.truth, p.heard, p.at = bytes.Clone(value), true, o.version
			return
		}
	}
	s.put(o, f, value, live)
}

// put makes value, nil for unset, the field's value and lets the On handler hear of it.
func (s *State) put(o *object, f *do.Field, value []byte, live bool) {
	old := o.vals[f.Slot]
	if live && o.acts != nil && o.acts.Handles(f.Number) {
		before := old
		if before == nil {
			before = f.Initial()
		}
		s.heed(o, s.hears(o, f, before))
	}
	if o.view != nil && f.Keywords.Has(fields.OwnRecv) {
		s.putView(o, f, value, live)
	}
	if equal(old, value) {
		return
	}
	s.set(o, f, value)
}

// update applies what a set by somebody else brought: state fields first, then handlers hear of it and of events.
func (s *State) update(o *object, m fields.Map, from Caller) {
	for it := m.Iter(); it.Next(); {
		s.updateField(o, it.Number(), it.Value(), from)
	}
}

func (s *State) updateField(o *object, n fields.Number, value []byte, from Caller) {
	f := o.class.Field(n)
	switch {
	case f == nil:
	case f.Kind == do.FieldMolecular:
		if err := f.Check(value); err != nil {
			s.report(fmt.Errorf("repository: update %s of %s: %w", f, o.id, err))
			return
		}
		_ = f.Split(value, func(part *do.Field, v []byte) { s.updateField(o, part.Number, v, from) })
		if o.acts != nil && o.acts.Handles(n) {
			s.heed(o, &activity{o: o, field: f, from: from})
		}
		if v := o.view; v != nil && f.Keywords.Has(fields.OwnRecv) && v.acts.Handles(n) {
			s.spawn(&activity{o: o, view: v, field: f, from: from})
		}
	case f.Kind == do.FieldEvent:
		s.event(o, f, value, from)
	case f.Slot >= 0:
		s.foreign(o, f, value, true)
	}
}

// event lets the handler of an event hear it.
func (s *State) event(o *object, f *do.Field, arg []byte, from Caller) {
	seen := o.acts != nil && o.acts.Handles(f.Number)
	owned := o.view != nil && f.Keywords.Has(fields.OwnRecv) && o.view.acts.Handles(f.Number)
	if !seen && !owned {
		return
	}
	if err := f.Type.Check(arg); err != nil {
		s.report(fmt.Errorf("repository: event %s of %s: %w", f, o.id, err))
		return
	}
	if seen {
		s.heed(o, &activity{o: o, field: f, arg: bytes.Clone(arg), from: from})
	}
	if owned {
		s.spawn(&activity{o: o, view: o.view, field: f, arg: bytes.Clone(arg), from: from})
	}
}

// entry is what an object looks like when it enters, for whichever audience.
type entry struct {
	id      do.ID
	class   uint32
	at      do.Location
	ai      do.Channel
	owner   do.Channel
	version do.Version
	serial  uint16
	fields  fields.Map
	covers  fields.Keyword // a stored field with one of these that is not in fields is unset
}

// enter puts an object into the table, or its values into the one that is there (rule 157). In what order: required
// fields, OnGenerate, then the others (rule 156).
func (s *State) enter(e entry, mark func(o *object)) (*object, error) {
	o := s.objects[e.id]
	if o != nil && o.outlived(e.version) {
		// Another life of the same DoID: the one before ended unseen (rule 78).
		s.end(o, Delete)
		o = nil
	}
	fresh := o == nil
	if fresh {
		c, err := s.classOf(e.class)
		if err != nil {
			return nil, err
		}
		o = newObject(e.id, c)
		s.objects[e.id] = o
		if !s.revived(o, e.version.Inc) {
			s.embody(o)
		}
	}
	if !fresh && o.told && !o.entered {
		fresh = true
		s.blank(o) // what this side wrote while it was only declared is in the entry, or somebody else's since
	}
	mark(o)
	if e.version.Compare(o.version) > 0 {
		o.version = e.version
	}
	if !e.ai.IsZero() {
		o.ai = e.ai
	}
	if !e.owner.IsZero() {
		o.owner = e.owner
	}
	if fresh || e.covers == coversAll {
		o.filled = e.version
	}
	o.base, o.heard = e.serial, o.heard[:0]
	s.moved(o, e.at)
	o.place()
	if !fresh {
		s.refresh(o, e, func(*do.Field) bool { return true })
		return o, nil
	}
	s.refresh(o, e, func(f *do.Field) bool { return f.Keywords.Has(fields.Required) })
	s.generate(o)
	s.sched.enqueue(runnable{step: func() {
		if !o.gone {
			// What OnGenerate wrote, or what a value in flight brought back, stays; below it lies what the entry says.
			s.refresh(o, e, func(f *do.Field) bool {
				return !f.Keywords.Has(fields.Required) && (o.vals[f.Slot] == nil || o.pendingOf(f.Number) != nil)
			})
		}
	}})
	return o, nil
}

// blank forgets the values of fields without own writes in flight.
func (s *State) blank(o *object) {
	for _, f := range o.class.Stored() {
		if o.vals[f.Slot] != nil && o.pendingOf(f.Number) == nil {
			s.set(o, f, nil)
		}
	}
}

// embody makes the Go object of a record, if the game has a type for the class.
func (s *State) embody(o *object) { s.embodyAs(o, s.cfg.Side) }

func (s *State) embodyAs(o *object, side do.Side) {
	if s.cfg.Registry == nil {
		return
	}
	b := s.cfg.Registry.Behaviour(o.class.Name(), side)
	if b == nil {
		return
	}
	in, err := b.New()
	if err != nil {
		s.report(fmt.Errorf("repository: enter %s: %w", o, err))
		return
	}
	s.bind(o, in, b)
}

// bind gives the record its Go object.
func (s *State) bind(o *object, in *do.Instance, b *do.Behaviour) {
	o.inst, o.acts = in, b
	in.Attach(o.id, o.class, s)
}

// refresh takes the values of an entry in; a field that it covers and does not have is unset.
func (s *State) refresh(o *object, e entry, want func(f *do.Field) bool) {
	it := e.fields.Iter()
	more := it.Next()
	for _, f := range o.class.Stored() { // ascending, as the entry's fields are
		for more && it.Number() < f.Number {
			more = it.Next()
		}
		if !want(f) {
			continue
		}
		switch {
		case more && it.Number() == f.Number:
			s.foreign(o, f, it.Value(), false)
		case f.Keywords.Any(e.covers) && o.vals[f.Slot] != nil && !f.Keywords.Has(fields.Required):
			s.foreign(o, f, nil, false)
		}
	}
}

// generate runs OnGenerate once.
func (s *State) generate(o *object) {
	if !o.entered && !o.late && !s.defers(o) {
		s.generated(o)
	}
}

// generated runs it now, and lets those go on who wait for the object.
func (s *State) generated(o *object) {
	o.entered = true
	s.life(o, Generate)
	if s.relations[o.id] == nil {
		return
	}
	s.sched.enqueue(runnable{step: func() { // behind the fields that come after OnGenerate
		for _, w := range s.relations[o.id] {
			s.wake(w, nil, nil)
		}
	}})
}

// life runs a turn's handler, if there is one.
func (s *State) life(o *object, l Life) (runs bool) {
	if o.acts == nil {
		return false
	}
	run, ok := (*do.Behaviour).Delete, o.acts.Deletes()
	switch l {
	case Generate:
		run, ok = (*do.Behaviour).Generate, o.acts.Generates()
	case Disable:
		run, ok = (*do.Behaviour).Disable, o.acts.Disables()
	}
	if !ok {
		return false
	}
	a := &activity{what: lifeNames[l], o: o, task: func(ctx context.Context) error { return run(o.acts, ctx, o.inst) }}
	if o.gone {
		a.until = s.now + int64(lastTime)
	}
	s.spawn(a)
	return true
}

// leaveView ends an object that nothing holds any more; an object that is still owned or run stays.
func (s *State) leaveView(o *object) {
	if !o.here() {
		s.end(o, Disable)
	}
}

// end takes an object out of the table and runs the handler: Disable when it may come back, Delete when it is gone.
func (s *State) end(o *object, l Life) {
	if o.gone {
		return
	}
	s.endView(o, l)
	o.ran, o.unsure = o.run, o.doubt != nil && o.doubt.linked
	s.drop(o)
	s.endDoubt(o)
	s.leave(o)
	if runs := o.entered && s.life(o, l); !runs && s.last != nil {
		s.sched.enqueue(runnable{step: func() { s.left(o) }})
	}
	if l == Disable {
		s.keep(o)
	} else {
		s.forgetKept(o.id)
	}
}

// drop takes an object out of the table without a word.
func (s *State) drop(o *object) {
	o.gone, o.seen, o.owned, o.told, o.run, o.making = true, false, false, false, false, false
	if s.objects[o.id] == o {
		delete(s.objects, o.id)
	}
	if o.inst != nil {
		o.inst.Detach()
	}
}
