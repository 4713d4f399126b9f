package repository

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// maxDoubtful is how many handlers wait for one object in doubt. Calls beyond are refused, what nobody waits for is
// reported.
const maxDoubtful = 256

// doubt is why it is not known here what values the State of an object has. The link to it was lost: what was sent there
// was done or not, and others may have set something. Or a transaction is in flight that sets some of its fields. A
// handler that ran now would count with old values, and what it sets would replace newer ones. So handlers of the object
// wait, in their order, until its State, or the database, has said what there is; so do those that were waiting for
// something in the middle.
type doubt struct {
	asked  uint32 // the GetAll that settles it; 0: the State was not asked
	linked bool   // the link was lost, or values came in an order that is not known, and its State has not said what it has
	trades []*tradePart
	queue  []runnable
	starts int // handlers in queue that have not begun, without those of its life
}

// question is the doubt of an object, made if there is none.
func (s *State) question(o *object) *doubt {
	if o.doubt == nil {
		o.doubt = &doubt{}
		s.doubts++
	}
	return o.doubt
}

// certain is the error for a set, of m and removed, that would be built on values that are in doubt.
func (o *object) certain(m fields.Map, removed []fields.Number) error {
	d := o.doubt
	if d == nil {
		return nil
	}
	if d.linked {
		return fmt.Errorf("repository: save %s: %w", o.id, &wire.Error{
			Code: wire.CodeLinkLost, Text: "its State has not said yet what it has",
		})
	}
	for _, p := range d.trades {
		set := func(n fields.Number) bool { return p.sets(o.class, n) }
		if bad := m.Filter(set); bad.Len() > 0 || slices.ContainsFunc(removed, set) {
			return fmt.Errorf("repository: save %s: %w", o.id, &wire.Error{
				Code: wire.CodeConflict, Text: "a transaction that sets it is under way",
			})
		}
	}
	return nil
}

// sets reports whether the transaction sets a field, or a part of it.
func (p *tradePart) sets(c *do.Class, n fields.Number) bool {
	return slices.ContainsFunc(p.pairs, func(x fields.Pair) bool {
		f := c.Field(n)
		return x.Number == n || f != nil && slices.ContainsFunc(f.Parts, func(part *do.Field) bool { return part.Number == x.Number })
	})
}

// doubtful is an object in doubt that a handler is of, or that it changes.
func (a *activity) doubtful() *object {
	if a.o != nil && a.o.doubt != nil {
		return a.o
	}
	for _, list := range [2][]*object{a.named, a.extra} {
		for _, o := range list {
			if o.doubt != nil {
				return o
			}
		}
	}
	return nil
}

// holdBack takes what must wait for an object in doubt; false: it can run now.
func (s *State) holdBack(r runnable) bool {
	if s.doubts == 0 {
		return false
	}
	a := r.start
	if r.resume != nil {
		a = r.resume.run
	}
	if a == nil || a.inTrade {
		return false
	}
	o := a.doubtful()
	if o == nil {
		return false
	}
	d := o.doubt
	if r.start != nil && !a.ofLife() {
		if d.starts == maxDoubtful {
			s.turnAway(a, &wire.Error{Code: wire.CodeOverload, Text: "too many handlers wait for an object in doubt"})
			return true
		}
		d.starts++
	}
	d.queue = append(d.queue, r)
	return true
}

// ofLife reports whether it is OnGenerate, OnDisable or OnDelete: these are never refused.
func (a *activity) ofLife() bool { return a.field == nil && a.refused == nil }

// turnAway ends a handler that did not begin: whoever waits for an answer has it, else it is reported.
func (s *State) turnAway(a *activity, err error) {
	switch {
	case a.call != nil:
		a.refuse(err)
	case a.refused != nil:
		a.refused(err)
	default:
		s.report(fmt.Errorf("repository: %s: %w", a.name(), err))
	}
	s.done(a)
}

// settleDoubt lets those go on that waited for an object, if nothing is in doubt any more.
func (s *State) settleDoubt(o *object) {
	d := o.doubt
	if d == nil || d.linked || len(d.trades) > 0 {
		return
	}
	o.doubt = nil
	s.doubts--
	for _, r := range d.queue {
		if a := r.start; a != nil && a.call != nil && a.call.deadline != 0 && a.call.deadline <= s.now {
			s.turnAway(a, &wire.Error{Code: wire.CodeTimeout})
			continue
		}
		s.sched.enqueue(r)
	}
}

// endDoubt is called when an object is gone. Who waits in the middle finds that out; what had not begun was for an object
// that is here no more: calls are told so.
func (s *State) endDoubt(o *object) {
	d := o.doubt
	if d == nil {
		return
	}
	o.doubt = nil
	s.doubts--
	if d.linked {
		s.linked--
	}
	for _, r := range d.queue {
		switch a := r.start; {
		case a == nil || a.ofLife():
			s.sched.enqueue(r)
		case a.call != nil || a.refused != nil:
			s.turnAway(a, &wire.Error{Code: wire.CodeGone})
		default:
			s.done(a)
		}
	}
}

// becomeSure waits until no object of the handler is in doubt.
func (s *State) becomeSure(a *activity) error {
	for o := a.doubtful(); o != nil; o = a.doubtful() {
		o.doubt.queue = append(o.doubt.queue, runnable{resume: a.co})
		if !s.sched.suspend(a.co) {
			return ErrClosed
		}
	}
	return nil
}

// doubtBehind puts everything in doubt that this AI runs or owns behind a lost link. What was asked before is no answer.
func (a *AI) doubtBehind(b *wire.LinkLost) {
	for context, o := range a.reloads {
		if b.Holds(o.id) {
			delete(a.reloads, context)
		}
	}
	for _, o := range a.objects {
		if (o.run || o.owned) && !o.dog && b.Holds(o.id) {
			d := a.question(o)
			if !d.linked {
				a.State.linked++
			}
			d.linked, d.asked = true, 0
		}
	}
}

// doubtState puts an object in doubt until its State has said what it has.
func (a *AI) doubtState(o *object) {
	d := a.question(o)
	if !d.linked {
		d.linked = true
		a.State.linked++
	}
	a.askDoubtful()
}

// askDoubtful asks the States of what is in doubt what they have, and again after a while: a State that begins may not
// have heard it, and one whose database is away answers nothing about what is not in memory.
func (a *AI) askDoubtful() {
	for _, o := range a.sorted() {
		if d := o.doubt; d != nil && d.linked {
			delete(a.reloads, d.asked)
			d.asked = a.getAll(o)
		}
	}
	a.timers.stop(a.asksAgain)
	a.asksAgain = nil
	if slices.ContainsFunc(a.sorted(), func(o *object) bool { return o.doubt != nil && o.doubt.linked }) {
		a.asksAgain = a.timers.add(a.now+openingTimeout, 0, a.askDoubtful)
	}
}

// getAll asks for all values of an object.
func (a *AI) getAll(o *object) uint32 {
	if a.reloads == nil {
		a.reloads = make(map[uint32]*object)
	}
	context := a.nextContext()
	a.reloads[context] = o
	a.send(do.ObjectChannel(o.id), &wire.GetAll{Context: context, DO: o.id})
	return context
}

// reloaded takes an object in that getAll asked for.
func (a *AI) reloaded(b *wire.GetAllResp) bool {
	of, ok := a.reloads[b.Context]
	if !ok {
		return false
	}
	delete(a.reloads, b.Context)
	id := of.id
	o := a.objects[id]
	if o == nil || b.Entry.DO != id {
		return true
	}
	told := o.doubt != nil && o.doubt.asked == b.Context && o.doubt.linked
	switch inc := b.Entry.Version.Inc; {
	case told && inc == 0:
		a.mend.need = a.mend.need || o.run || o.owned
		a.dormant(o, &b.Entry)
		return true
	case inc < o.version.Inc || inc > o.version.Inc && !told:
		return true
	}
	a.checkHeld(&b.Entry)
	a.take(&b.Entry, coversAll, func(o *object) { o.seen = o.seen && a.watched[b.Entry.Location] != nil })
	if told && o.doubt != nil && o.doubt.linked {
		o.doubt.linked, o.doubt.asked = false, 0
		a.State.linked--
		a.settleDoubt(o)
	}
	if o = a.objects[id]; o != nil {
		a.leaveView(o)
	}
	return true
}

// dormant ends an object that is in the database only, as e tells. What its row has counts: it may have been alive elsewhere
// since, and what was changed here on other values than these is not written. What is written must find the row as it is.
func (a *AI) dormant(o *object, e *wire.Entry) {
	a.refresh(o, entry{fields: e.Fields, covers: fields.DB}, func(f *do.Field) bool { return f.Keywords.Has(fields.DB) })
	o.row = e.Version.N
	a.end(o, Disable)
}

// notReloaded takes in why getAll was refused. Where that is not because there is no such object it is asked again.
func (a *AI) notReloaded(b *wire.Failed) {
	o, ok := a.reloads[b.Context]
	if !ok {
		return
	}
	delete(a.reloads, b.Context)
	if a.objects[o.id] != o || b.Code != wire.CodeNoObject { // of a life before it says nothing about this one
		return
	}
	a.mend.need = a.mend.need || o.run || o.owned
	if !o.making {
		a.end(o, Delete)
		return
	}
	for context, made := range a.creates {
		if made == o {
			delete(a.creates, context)
		}
	}
	a.made(o, do.Version{}, &wire.Error{Code: wire.CodeUnknown, Text: "no State heard it"})
}

// watchCreates looks after a while at what was asked to be created: a State that was not there when it was sent never
// heard it, and nobody tells.
func (a *AI) watchCreates() {
	if a.looks != nil {
		return
	}
	a.looks = a.timers.add(a.now+openingTimeout, 0, func() {
		a.looks = nil
		slow := make(map[uint32]bool, len(a.creates))
		for _, context := range sortedKeys(a.creates) {
			slow[context] = true
			if a.slow[context] {
				a.getAll(a.creates[context])
			}
		}
		if a.slow = slow; len(slow) > 0 {
			a.watchCreates()
		}
	})
}

// withdraw takes back own writes that were not handed over yet when their link was lost: they were built on others that
// are lost, and must not arrive alone.
func (a *AI) withdraw(lost func(*write) bool) {
	a.out.Messages = slices.DeleteFunc(a.out.Messages, func(m wire.Message) bool {
		w := a.writes[writeContext(m.Body)]
		return w != nil && m.From == a.channel && lost(w)
	})
}

// writeContext is the context of a message that is a write, 0 of others.
func writeContext(b wire.Body) uint32 {
	switch b := b.(type) {
	case *wire.Bundle:
		return b.Context
	case *wire.SetFields:
		return b.Context
	case *wire.DeleteFields:
		return b.Context
	case *wire.SetLocation:
		return b.Context
	case *wire.DeleteRAM:
		return b.Context
	}
	return 0
}
