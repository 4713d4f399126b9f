package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Scanned is one object as it lies in memory.
type Scanned struct {
	ID       do.ID
	Class    *do.Class
	Version  do.Version
	Location do.Location
	AI       do.Channel
	Explicit bool // the AI was set, not inherited
	Owner    do.Channel
	Serial   uint16
	Entered  bool       // its parent has it in its list, so that views must have it, too
	Dormant  bool       // it has a row in the database
	Fields   fields.Map // everything stored
}

// Scan calls visit with every object, in no order. It is the truth that views are compared with, so it goes over the
// objects themselves and shares no code with the answers to queries. It may be called between two Steps only.
func (s *State) Scan(visit func(Scanned)) {
	for id, o := range s.objects {
		var b fields.MapBuilder
		for slot, f := range o.class.Stored() {
			from, to := o.span(slot)
			v := o.values[from:to]
			if len(v) == 0 && f.Keywords.Has(fields.Required) {
				v = f.Initial()
			}
			if len(v) > 0 {
				// The slots are in the order of the numbers.
				_ = b.Add(f.Number, v)
			}
		}
		at := do.Location{}
		if o.place != nil {
			at = o.place.loc
		}
		visit(Scanned{
			ID: id, Class: o.class.Class, Version: do.Version{Inc: o.inc, N: o.n, M: o.m}, Location: at,
			AI: o.ai, Explicit: o.explicit, Owner: o.owner(), Serial: o.serial, Entered: o.entered,
			Dormant: o.writer() != nil, Fields: b.Map(),
		})
	}
}
