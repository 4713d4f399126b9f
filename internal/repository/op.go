package repository

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// opKind says what an op does.
type opKind uint8

const (
	opSet    opKind = iota // state fields, or a molecular of them
	opEvent                // one event
	opUnset                // fields that were taken back
	opMove                 // another location
	opDelete               // out of the world
	opSend                 // any message, in its place
	opCreate               // into the world
)

// op is one thing that a handler did and that has not left yet. All bytes in it are its own.
type op struct {
	kind    opKind
	o       *object
	fields  fields.Map      // opSet, opEvent
	numbers []fields.Number // opUnset
	old     []was           // opSet, opUnset: the values before, of stored fields
	to      do.Location     // opMove
	from    do.Location
	send    func() // opSend: how it leaves
}

// was is the value of a field before an op.
type was struct {
	f     *do.Field
	value []byte // nil: unset
}

// undo puts back what the op changed on this side.
func (p *op) undo(s *State) {
	switch p.kind {
	case opSet, opUnset:
		for i := len(p.old) - 1; i >= 0; i-- {
			s.set(p.o, p.old[i].f, p.old[i].value)
		}
	case opMove:
		p.o.at = p.from
		p.o.place()
	case opCreate:
		s.drop(p.o)
	}
}

// takeChanges makes ops of what changed on o since its last save, and makes that the saved state.
func (s *State) takeChanges(o *object) ([]op, bool, error) {
	if o.inst == nil || o.gone {
		return nil, false, nil
	}
	s.build.Reset()
	if err := o.inst.Changed(&s.build); err != nil {
		return nil, false, fmt.Errorf("repository: save: %w", err)
	}
	removed := o.inst.Removed(nil)
	if s.build.Len() == 0 && len(removed) == 0 {
		return nil, false, nil
	}
	m := s.build.Map()
	if err := s.allowed(o, m, removed); err != nil {
		return nil, false, err
	}
	if err := o.certain(m, removed); err != nil {
		o.inst.Undo()
		return nil, false, err
	}
	var out []op
	if m.Len() > 0 {
		p := op{kind: opSet, o: o, fields: slices.Clone(m)}
		p.old = s.remember(o, p.fields)
		out = append(out, p)
	}
	if len(removed) > 0 {
		p := op{kind: opUnset, o: o, numbers: removed}
		for _, n := range removed {
			if f := o.class.Field(n); f != nil && f.Slot >= 0 {
				p.old = append(p.old, was{f, bytes.Clone(o.vals[f.Slot])})
				o.vals[f.Slot] = nil
				if f.Default != nil {
					o.vals[f.Slot] = bytes.Clone(f.Default)
				}
			}
		}
		out = append(out, p)
	}
	o.inst.MarkSaved()
	return out, true, nil
}

// remember copies the values before a set, and makes those of the set the saved ones of the record. The Go object has
// them already.
func (s *State) remember(o *object, m fields.Map) []was {
	var old []was
	put := func(f *do.Field, value []byte) {
		old = append(old, was{f, bytes.Clone(o.vals[f.Slot])})
		o.vals[f.Slot] = append(o.vals[f.Slot][:0], value...)
	}
	for it := m.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		switch {
		case f == nil:
		case f.Kind == do.FieldMolecular:
			// The value was encoded from the parts by the object itself.
			_ = f.Split(it.Value(), func(part *do.Field, value []byte) {
				if part.Slot >= 0 {
					put(part, value)
				}
			})
		case f.Slot >= 0:
			put(f, it.Value())
		}
	}
	return old
}

// allowed checks that this side may set all that changed; else the object gets its saved values back, so that what
// it shows is true.
func (s *State) allowed(o *object, m fields.Map, removed []fields.Number) error {
	for it := m.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		if f == nil {
			// Our schema is newer than the cluster's.
			o.inst.Undo()
			return fmt.Errorf("repository: save field %s of %s: %w in the cluster's class", it.Number(), o.id, do.ErrNoField)
		}
		if !s.port.maySet(o, f) {
			o.inst.Undo()
			return fmt.Errorf("repository: save %s of %s: %w", f, o.id, ErrDenied)
		}
	}
	if len(removed) > 0 && !s.port.bundles() {
		o.inst.Undo()
		return fmt.Errorf("repository: unset field %s of %s: %w", removed[0], o.id, ErrDenied)
	}
	return nil
}

// emit sends ops: those of the bundled objects that are sets, events and moves as one write, the others as they come. The
// write with what is done to commit, nil for none, is answered when the database has it.
func (s *State) emit(ops []op, bundled []*object, commit *object) []*write {
	if len(ops) == 0 {
		return nil
	}
	var bundle, rest []op
	for _, p := range ops {
		if s.port.bundles() && p.kind <= opMove && p.kind != opUnset && contains(bundled, p.o) && !p.o.unsent {
			bundle = append(bundle, p)
		} else {
			rest = append(rest, p)
		}
	}
	var out []*write
	if len(bundle) > 0 {
		out = append(out, s.send(newWrite(mergeSets(bundle), commit)))
	}
	return append(out, s.emitSingly(rest, commit)...)
}

// newWrite is a write of ops. Where none of them is about commit it is not what is committed.
func newWrite(ops []op, commit *object) *write {
	w := &write{ops: ops}
	if commit != nil && slices.ContainsFunc(ops, func(p op) bool { return p.o == commit }) {
		w.commit = commit
	}
	return w
}

// emitSingly sends each op as a write of its own; a move takes the set of the same object next to it along (rule 169).
func (s *State) emitSingly(ops []op, commit *object) []*write {
	ops = mergeSets(ops)
	var out []*write
	for i := 0; i < len(ops); i++ {
		p := ops[i]
		switch p.kind {
		case opSend, opCreate:
			p.send()
		default:
			together := []op{p}
			if i+1 < len(ops) && pairs(p, ops[i+1]) {
				together = append(together, ops[i+1])
				i++
			}
			out = append(out, s.send(newWrite(together, commit)))
		}
	}
	return out
}

// pairs reports whether two ops are a move and a set of one object.
func pairs(a, b op) bool {
	return a.o == b.o && (a.kind == opSet && b.kind == opMove || a.kind == opMove && b.kind == opSet)
}

// mergeSets joins sets of one object that have no other op of that object in between: the last wins (state fields
// only; moleculars keep to themselves).
func mergeSets(ops []op) []op {
	out := ops[:0:0]
	for _, p := range ops {
		if j := lastOf(out, p.o); p.kind == opSet && j >= 0 && out[j].kind == opSet && plain(p) && plain(out[j]) {
			out[j].fields = fields.Merge(out[j].fields, p.fields)
			out[j].old = append(out[j].old, p.old...)
			continue
		}
		out = append(out, p)
	}
	return out
}

func lastOf(ops []op, o *object) int {
	for i := len(ops) - 1; i >= 0; i-- {
		if ops[i].o == o {
			return i
		}
	}
	return -1
}

// plain reports whether a set has no molecular in it.
func plain(p op) bool {
	for it := p.fields.Iter(); it.Next(); {
		if f := p.o.class.Field(it.Number()); f != nil && f.Kind == do.FieldMolecular {
			return false
		}
	}
	return true
}

// emitReply sends ops and the answer of the call behind them. For an object the answer goes through its State, with
// the effects in one bundle, so that it never overtakes them. An UberDOG has no State: its answer waits until the
// effects are acknowledged.
func (s *State) emitReply(ops []op, bundled []*object, in *incoming, reply wire.CallReply, o *object) {
	if o != nil && !o.dog && s.port.bundles() {
		s.emitBundledReply(ops, bundled, in, reply, o)
		return
	}
	writes := s.emit(ops, bundled, nil)
	open := 0
	var failed error
	settled := func(err error) {
		open--
		if err != nil && failed == nil {
			failed = err
		}
		if open > 0 {
			return
		}
		if failed != nil {
			reply = errorReply(in, failed)
		}
		s.port.answerCall(in, reply)
	}
	for _, w := range writes {
		if w != nil && !w.settled {
			open++
			w.done = append(w.done, settled)
		}
	}
	if open == 0 {
		s.port.answerCall(in, reply)
	}
}

// emitBundledReply sends one bundle with the reply as its last op, then what does not belong into it.
func (s *State) emitBundledReply(ops []op, bundled []*object, in *incoming, reply wire.CallReply, o *object) {
	w := &write{call: in, reply: &reply, owner: o}
	var rest []op
	for _, p := range ops {
		if p.kind <= opMove && p.kind != opUnset && contains(bundled, p.o) && !p.o.unsent {
			w.ops = append(w.ops, p)
		} else {
			rest = append(rest, p)
		}
	}
	w.ops = mergeSets(w.ops)
	s.send(w)
	s.emitSingly(rest, nil)
}
