package repository

import (
	"bytes"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// write is what left as one message and is settled by one answer: everything in it was applied, or nothing.
type write struct {
	context uint32
	number  uint64 // grows; a State applies the writes of one object in this order
	ops     []op
	commit  *object         // the database must have its ops: one of them is in this write; nil: no
	call    *incoming       // the call that its last op answers
	reply   *wire.CallReply // that answer
	owner   *object         // with call: the object whose State gets the bundle
	done    []func(error)
	release func() // what the adapter does when it is settled
	settled bool
	err     error // why it was refused
}

// refusal is what a refusal says besides the error: the present values, as far as it tells them.
type refusal struct {
	err     error
	id      do.ID
	fields  fields.Map
	at      do.Location
	located bool   // at is told
	now     uint16 // the counter of latest values that fields have; 0: not told
}

// send registers a write and gives it to the adapter.
func (s *State) send(w *write) *write {
	w.context = s.nextContext()
	s.written++
	w.number = s.written
	s.writes[w.context] = w
	for i := range w.ops {
		p := &w.ops[i]
		switch p.kind {
		case opSet, opUnset:
			for _, x := range first(p.old) {
				p.o.hold(x.f.Number, x.value)
			}
		case opMove:
			if p.o.moving.count == 0 {
				p.o.moving.truth = p.from
			}
			p.o.moving.count++
		}
	}
	s.port.write(w)
	return w
}

// first leaves out the later ones of several values of one field: an op counts once per field.
func first(old []was) []was {
	out := old[:0:0]
next:
	for _, x := range old {
		for _, y := range out {
			if y.f == x.f {
				continue next
			}
		}
		out = append(out, x)
	}
	return out
}

// acknowledge settles a write that was applied; v is the version after it of the object id, now its counter of latest
// values.
func (s *State) acknowledge(context uint32, id do.ID, v do.Version, now uint16) bool {
	w := s.takeWrite(context)
	if w == nil {
		return false
	}
	for i := range w.ops {
		p := &w.ops[i]
		o := s.applied(p, id, v)
		if o == nil {
			continue
		}
		switch p.kind {
		case opSet, opUnset:
			counter := now
			if o.id != id {
				counter = 0 // that is another object's
			}
			s.confirm(o, p, w.number, v, counter)
		case opMove:
			o.moving.truth = p.to
			s.settleMove(o)
		}
	}
	if o := s.objects[id]; o != nil && v.Compare(o.version) > 0 {
		o.version = v
		o.place()
	}
	w.finish(nil)
	return true
}

// applied is the record on which an acknowledged op counts. The object may have left and entered again since: the
// new record has the values if its entry is as new as the write; if not, the write is what it must become, unless
// something newer was heard since: see superseded.
func (s *State) applied(p *op, id do.ID, v do.Version) *object {
	if p.o == nil {
		return nil
	}
	if !p.o.gone {
		return p.o
	}
	o := s.objects[p.o.id]
	if o == nil || o.id != id || v.Compare(o.filled) <= 0 || v.Compare(o.version) < 0 {
		return nil
	}
	switch p.kind {
	case opSet:
		s.each(o, p.fields, func(f *do.Field, value []byte) {
			if s.port.bundles() || !f.Keywords.Has(fields.Review) { // what a review makes of a value is told as the AI's
				s.foreign(o, f, value, true)
			}
		})
	case opUnset:
		for _, x := range first(p.old) {
			if f := o.class.Field(x.f.Number); f != nil {
				s.foreign(o, f, f.Default, true)
			}
		}
	case opMove:
		s.moved(o, p.to)
	}
	return nil
}

// confirm makes the values of an applied set, which are of version v, the truth and releases its fields. An answer that
// waited for the database comes after newer values: those of others, and later ones of this side, stay. Of these the
// version is not always known: it is that of another object of their bundle.
func (s *State) confirm(o *object, p *op, number uint64, v do.Version, now uint16) {
	if p.kind == opUnset {
		for _, x := range first(p.old) {
			if pd := o.pendingOf(x.f.Number); pd != nil && !pd.after(v) && number >= pd.own {
				pd.own, pd.truth, pd.at = number, bytes.Clone(x.f.Default), v
			}
		}
	} else {
		s.each(o, p.fields, func(f *do.Field, value []byte) {
			pd := o.pendingOf(f.Number)
			if pd == nil || f.Keywords.Has(fields.Review) && pd.heard && (!s.port.bundles() || pd.at == v) {
				// What a review made of the value was heard before its acknowledgement.
				return
			}
			if pd.after(v) || number < pd.own {
				return
			}
			pd.own, pd.at = number, v
			o.learn(pd, f, value, now)
		})
	}
	s.releaseAll(o, p)
}

// refuse settles a write that was not applied: fields without other writes in flight become what the refusal says, or
// what the State said last.
func (s *State) refuse(context uint32, r refusal) bool {
	w := s.takeWrite(context)
	if w == nil {
		return false
	}
	for i := len(w.ops) - 1; i >= 0; i-- {
		p := &w.ops[i]
		if p.o == nil || p.o.gone {
			continue
		}
		switch p.kind {
		case opSet, opUnset:
			if p.o.id == r.id {
				s.each(p.o, r.fields, func(f *do.Field, value []byte) {
					if pd := p.o.pendingOf(f.Number); pd != nil {
						p.o.learn(pd, f, value, r.now)
					}
				})
			}
			s.releaseAll(p.o, p)
		case opMove:
			if r.located {
				p.o.moving.truth = r.at
			}
			s.settleMove(p.o)
		}
	}
	if w.call != nil && w.reply.Code == wire.CodeOK {
		s.emitReply(nil, nil, w.call, errorReply(w.call, r.err), w.owner)
	}
	if len(w.done) == 0 {
		s.report(fmt.Errorf("repository: %s: %w", w.describe(), r.err))
	}
	w.finish(r.err)
	return true
}

func (s *State) takeWrite(context uint32) *write {
	w := s.writes[context]
	delete(s.writes, context)
	return w
}

func (w *write) finish(err error) {
	w.settled, w.err = true, err
	if w.release != nil {
		w.release()
	}
	for _, f := range w.done {
		f(err)
	}
}

func (w *write) describe() string {
	if len(w.ops) > 0 && w.ops[0].o != nil {
		return "set " + w.ops[0].o.String()
	}
	return "bundle"
}

// releaseAll releases the fields of a settled op; those without other writes get the truth.
func (s *State) releaseAll(o *object, p *op) {
	for _, x := range first(p.old) {
		if truth, last := o.release(x.f.Number); last && !equal(truth, o.vals[x.f.Slot]) {
			s.put(o, x.f, truth, true)
		}
	}
}

// settleMove releases a move.
func (s *State) settleMove(o *object) {
	if o.moving.count--; o.moving.count <= 0 {
		o.moving.count = 0
		if o.at != o.moving.truth {
			o.at = o.moving.truth
			o.place()
		}
	}
}

// moved takes in a location that the State told.
func (s *State) moved(o *object, to do.Location) {
	if o.moving.count > 0 {
		o.moving.truth = to
		return
	}
	if o.at != to {
		o.at = to
		o.place()
	}
}

// lose settles writes and waits of which it is not known what became of them: all, or those that went over a lost link.
func (s *State) lose(err error, write func(*write) bool, wait func(*waiter) bool) {
	for _, id := range sortedKeys(s.writes) {
		if write(s.writes[id]) {
			s.refuse(id, refusal{err: err})
		}
	}
	for _, id := range sortedKeys(s.waits) {
		if wait(s.waits[id]) {
			s.answer(id, nil, err)
		}
	}
}

// loseAll is lose when the link is gone for good.
func (s *State) loseAll(err error) {
	s.lose(err, func(*write) bool { return true }, func(*waiter) bool { return true })
}
