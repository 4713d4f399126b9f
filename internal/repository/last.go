package repository

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// lastTime is how long OnDisable and OnDelete may wait for things.
const lastTime = 5 * time.Second

// lastWriter writes what is changed of the db fields of objects that this side ran and that are gone, so that nothing
// is lost because nobody thought of saving it (K6, K7).
type lastWriter interface {
	// leaving says that o is gone; left, that its last handler is over.
	leaving(o *object)
	left(o *object)
	// write writes values, and the removal of others.
	write(o *object, set fields.Map, removed []fields.Number)
	// settle waits until all that was written of o was answered. It is called in a handler.
	settle(ctx context.Context, o *object) error
}

// leave is called for an object that has just left the table. What is changed of it is written behind the handlers
// that were there before and ahead of OnDisable or OnDelete, so that it does not depend on what becomes of these. What
// they change follows when they return nil, and at each wait; like any other handler's it is undone when they fail.
func (s *State) leave(o *object) {
	if s.last == nil || !o.ran || o.inst == nil {
		return
	}
	s.last.leaving(o)
	o.inst.Attach(o.id, nil, lastLink{s, o})
	s.sched.enqueue(runnable{step: func() { s.lastWords(o) }})
}

// left is called when an object's last handler is over.
func (s *State) left(o *object) {
	if s.last == nil || !o.ran || o.inst == nil {
		return
	}
	if s.lasts(o) {
		o.inst.Detach()
	}
	o.over = true
	s.last.left(o)
}

// lasts reports whether the Go object of a record that is gone is still that record's: from the cache it may have come
// back as that of the next one.
func (s *State) lasts(o *object) bool {
	next := s.objects[o.id]
	return next == nil || next.inst != o.inst
}

// gatherLast writes what changed on an object that is gone. A handler that began before it went and answers a call does
// not count any more: the caller was told that the object is gone. Nor does one that ends behind the last handler, when the
// next life may have begun.
func (a *activity) gatherLast(o *object) error {
	late := a.call != nil || o.over
	if late && a.s.unsaid(o) {
		return fmt.Errorf("repository: save %s: %w: it is gone", o.id, ErrNoObject)
	}
	if !late {
		a.s.lastWords(o)
	}
	return nil
}

// unsaid reports whether something is changed of the db fields of an object that is gone.
func (s *State) unsaid(o *object) (changed bool) {
	if s.last == nil || !o.ran || o.inst == nil || !s.lasts(o) {
		return false
	}
	o.inst.EachChanged(func(f *do.Field, _ []byte, _ error) { changed = changed || o.stores(f.Number) })
	return changed || slices.ContainsFunc(o.inst.Removed(nil), o.stores)
}

// stores reports whether a field is one of the database.
func (o *object) stores(n fields.Number) bool {
	f := o.class.Field(n)
	return f != nil && f.Keywords.Has(fields.DB)
}

// lastWords writes what is changed of the db fields of an object that is gone. A value that its type refuses is
// reported and left out.
func (s *State) lastWords(o *object) {
	if !s.unsaid(o) {
		return
	}
	var set []fields.Pair
	o.inst.EachChanged(func(f *do.Field, value []byte, err error) {
		switch {
		case !o.stores(f.Number):
		case err != nil:
			s.report(fmt.Errorf("repository: last write of %s of %s: %w", f, o.id, err))
		default:
			set = append(set, fields.Pair{Number: f.Number, Value: slices.Clone(value)})
		}
	})
	removed := slices.DeleteFunc(o.inst.Removed(nil), func(n fields.Number) bool { return !o.stores(n) })
	o.inst.MarkSaved()
	if len(set)+len(removed) > 0 { // not all was refused
		s.last.write(o, fields.MapOf(set...), removed)
	}
}

// lastLink stands behind the Go object of an object that is gone until its last handler is over: it can be saved, and
// nothing else.
type lastLink struct {
	s *State
	o *object
}

// Save writes what is changed; in the object's own handler that is done when it returns nil.
func (l lastLink) Save(*do.Object) error {
	if err := l.s.onLoop("save", l.o.id); err != nil {
		return err
	}
	var bad error
	l.o.inst.EachChanged(func(f *do.Field, _ []byte, err error) {
		if err != nil && bad == nil {
			bad = fmt.Errorf("repository: save %s of %s: %w", f, l.o.id, err)
		}
	})
	if bad != nil {
		return bad
	}
	if a, err := l.s.handler(); err != nil || a.o != l.o {
		l.s.lastWords(l.o)
	}
	return nil
}

// Commit is Save that waits until the database has it. It is a save point.
func (l lastLink) Commit(ctx context.Context, x *do.Object) error {
	if err := l.Save(x); err != nil {
		return err
	}
	a, err := l.s.handler()
	if err != nil {
		return fmt.Errorf("repository: commit %s: %w", l.o.id, err)
	}
	if err := a.savePoint(); err != nil {
		return err
	}
	if err := l.s.last.settle(ctx, l.o); err != nil {
		return fmt.Errorf("repository: commit %s: %w", l.o.id, err)
	}
	return nil
}

func (l lastLink) gone(verb string) error {
	return fmt.Errorf("repository: %s %s: %w: it is gone", verb, l.o.id, ErrNoObject)
}

// Delete is too late.
func (l lastLink) Delete(*do.Object) error { return l.gone("delete") }

// Move is too late.
func (l lastLink) Move(*do.Object, do.Location) error { return l.gone("move") }

// SendEvent is too late: nobody listens.
func (l lastLink) SendEvent(_ *do.Object, f *do.Field, _ []byte, _ do.Channel) error {
	return l.gone("send " + f.Name + " of")
}

// Call is too late: nobody answers.
func (l lastLink) Call(_ context.Context, _ *do.Object, f *do.Field, _ []byte) ([]byte, error) {
	return nil, l.gone("call " + f.Name + " of")
}
