package repository

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// An AI that was cut off may have been given up, and what it ran have had another life since. So before it goes on writing
// the last of an object it asks for the row. What it would overwrite must be what the row had when the life ended, or what
// this side wrote itself; else the rest is not written. And what it then writes must find the row as it was told.

// told takes the row in, if it was asked for here.
func (x *lastWrites) told(b *wire.GetAllResp) bool {
	l := x.land(b.Context)
	if l == nil {
		return false
	}
	if b.Entry.Version.Inc == 0 && l.fits(b.Entry.Fields) {
		l.row, l.unsure = b.Entry.Version.N, false
		x.goOn(l)
		return true
	}
	err := &wire.Error{Code: wire.CodeConflict, Text: "somebody else had it since"}
	l.queue = nil
	x.wake(&l.commits, err)
	x.a.report(fmt.Errorf("repository: last write of %s: %w", l.id, err))
	x.goOn(l)
	return true
}

// fits reports whether the row has, in the fields that are still to be written, what this side knows of.
func (l *leaving) fits(row fields.Map) bool {
	for i := range l.queue {
		for it := l.queue[i].set.Iter(); it.Next(); {
			if !l.knows(it.Number(), row) {
				return false
			}
		}
		for _, n := range l.queue[i].remove {
			if !l.knows(n, row) {
				return false
			}
		}
	}
	return true
}

// knows reports whether a field of the row is as it was, or as what was sent last has set it, of which there was no answer; or as
// it was before sets that were not answered when the life ended.
func (l *leaving) knows(n fields.Number, row fields.Map) bool {
	f := l.o.class.Field(n)
	value, _ := row.Get(n)
	was, ok := l.wrote.Get(n)
	if !ok && f.Slot >= 0 {
		was = l.o.vals[f.Slot]
	}
	if bytes.Equal(value, was) {
		return true
	}
	if p := l.o.pendingOf(n); p != nil && !ok && bytes.Equal(value, p.truth) {
		return true
	}
	first := &l.queue[0]
	if v, ok := first.set.Get(n); ok {
		return bytes.Equal(v, value)
	}
	return slices.Contains(first.remove, n) && (len(value) == 0 || bytes.Equal(value, f.Default))
}

// written notes that the first of the queue was done; row is the version since.
func (l *leaving) written(row uint32) {
	first := &l.queue[0]
	l.wrote = fields.Merge(l.wrote, first.set)
	for _, n := range first.remove {
		l.wrote = l.wrote.Without(n)
		if f := l.o.class.Field(n); f != nil && f.Slot >= 0 {
			l.o.vals[f.Slot] = bytes.Clone(f.Default)
		}
	}
	if l.row != 0 {
		l.row = row
	}
}
