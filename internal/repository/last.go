package repository

import (
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// lastTime is how long OnDisable and OnDelete may wait for things.
const lastTime = 5 * time.Second

// lastWords writes what is changed of the db fields of an object that this side ran and that is gone, behind the handler
// that heard of it: so nothing is lost because nobody thought of saving it (K6, K7).
func (s *State) lastWords(o *object) error {
	if s.last == nil || !o.ran || o.inst == nil {
		return nil
	}
	s.build.Reset()
	if err := o.inst.Changed(&s.build); err != nil {
		return fmt.Errorf("repository: last write of %s: %w", o.id, err)
	}
	set := slices.Clone(s.build.Map().Filter(func(n fields.Number) bool {
		f := o.class.Field(n)
		return f != nil && f.Keywords.Has(fields.DB)
	}))
	o.inst.MarkSaved()
	if set.Len() > 0 {
		s.last(o, set)
	}
	return nil
}

// writeLast sends it as a set of an object that is not in memory. One that has no row is not written.
func (a *AI) writeLast(o *object, set fields.Map) {
	a.send(do.ObjectChannel(o.id), &wire.SetFields{DO: o.id, Fields: set})
}
