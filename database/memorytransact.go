package database

import (
	"fmt"
	"maps"

	"github.com/otpd/otpd/do"
)

// transact does the parts of a transaction, all or none.
func (b *Memory) transact(s *do.Schema, op *Op, r *Result) error {
	if err := CheckParts(op); err != nil {
		return err
	}
	if committed, known := b.outcomes[op.ID]; known {
		r.Committed = committed
		if !committed {
			return ErrAborted
		}
		return nil
	}
	before := make(map[do.ID]*memoryRow, len(op.Parts))
	rows := make([]Row, len(op.Parts))
	for i := range op.Parts {
		part := &op.Parts[i]
		before[part.ID] = b.objects[part.ID].clone()
		var pr Result
		if err := b.run(s, part, &pr); err != nil {
			b.restore(before)
			*r = Result{Class: pr.Class, Version: pr.Version, Field: pr.Field, Fields: pr.Fields}
			r.Rows = []Row{{ID: part.ID, Version: pr.Version, Fields: pr.Fields}}
			return fmt.Errorf("%s %s: %w", part.Kind, part.ID, err)
		}
		rows[i] = Row{ID: part.ID, Version: pr.Version}
	}
	b.outcomes[op.ID] = true
	r.Committed, r.Rows = true, rows
	return nil
}

// outcome tells what became of a transaction, and ends one that was not done.
func (b *Memory) outcome(op *Op, r *Result) error {
	committed, known := b.outcomes[op.ID]
	if !known {
		b.outcomes[op.ID] = false
	}
	r.Committed = committed
	return nil
}

func (row *memoryRow) clone() *memoryRow {
	if row == nil {
		return nil
	}
	c := *row
	c.values = maps.Clone(row.values)
	return &c
}

// restore puts objects back as they were; nil: there was none. All are taken out first, since they may have passed a
// unique value from one to the other.
func (b *Memory) restore(before map[do.ID]*memoryRow) {
	for id := range before {
		if now := b.objects[id]; now != nil {
			for name := range maps.Clone(now.values) {
				b.put(now, id, name, nil)
			}
			delete(b.objects, id)
		}
	}
	for id, row := range before {
		if row == nil {
			continue
		}
		b.objects[id] = row
		for name, value := range maps.Clone(row.values) {
			b.put(row, id, name, value)
		}
	}
}
