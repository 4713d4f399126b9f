package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// lastWrites are an AI's last writes of objects that it ran. They go as sets of an object that is not in memory, those
// of one object one after the other, and again while the database cannot take them: the State keeps nothing of an
// object that it does not hold.
type lastWrites struct {
	a      *AI
	byID   map[do.ID]*leaving
	flying map[uint32]*leaving  // by the context of what is on its way
	words  map[do.ID]do.Version // of objects that a State keeps for what is still to be written: the life that ended
}

// leaving is what is still to be written of one object, and who waits for that.
type leaving struct {
	id       do.ID
	handlers int         // last handlers that are not over
	row      uint32      // not 0: the version that the row must have, since this side was cut off
	unsure   bool        // it was cut off since the object went: the row is looked at before the next is sent
	o        *object     // the record of the life that ended: its values are what the row had
	wrote    fields.Map  // what was written since
	queue    []lastWrite // the first is on its way while context is not 0
	context  uint32
	pause    time.Duration // before the first is sent again
	timer    *Timer
	commits  []*waiter // for the queue to be empty
	next     []*waiter // for the handlers, too: whoever wants to activate the object
}

// lastWrite is one message: values, or fields whose value is removed.
type lastWrite struct {
	set    fields.Map
	remove []fields.Number
}

func (w *lastWrite) body(id do.ID, context, row uint32) wire.Body {
	if len(w.remove) > 0 {
		return &wire.DeleteFields{Context: context, DO: id, Fields: w.remove, Row: row}
	}
	return &wire.SetFields{Context: context, DO: id, Fields: w.set, Row: row}
}

// maxLeaving is how many objects may have last writes that were not answered.
const maxLeaving = 1 << 16

const (
	firstLastPause = 50 * time.Millisecond
	maxLastPause   = time.Second
)

func (x *lastWrites) of(id do.ID) *leaving {
	l := x.byID[id]
	if l == nil {
		l = &leaving{id: id}
		x.byID[id] = l
	}
	return l
}

func (x *lastWrites) leaving(o *object) {
	l := x.of(o.id)
	l.handlers++
	l.o, l.wrote = o, nil
	if len(l.queue) == 0 {
		l.row, l.unsure = o.row, o.unsure && o.row == 0
	}
}

func (x *lastWrites) left(o *object) {
	if l := x.byID[o.id]; l != nil {
		l.handlers--
		x.goOn(l)
	}
}

func (x *lastWrites) write(o *object, set fields.Map, removed []fields.Number) {
	if x.a.failure != nil {
		x.a.report(fmt.Errorf("repository: last write of %s: %w", o, x.a.failure))
		return
	}
	if len(x.byID) > maxLeaving {
		x.a.report(fmt.Errorf("repository: last write of %s: %w: too many wait for the database", o, wire.CodeOverload))
		return
	}
	l := x.of(o.id)
	if set.Len() > 0 {
		l.queue = append(l.queue, lastWrite{set: set})
	}
	if len(removed) > 0 {
		l.queue = append(l.queue, lastWrite{remove: removed})
	}
	x.goOn(l)
}

// goOn sends what is next, or lets those go on who wait for the end.
func (x *lastWrites) goOn(l *leaving) {
	switch {
	case l.context != 0 || l.timer != nil:
	case len(l.queue) > 0:
		x.send(l)
	default:
		x.wake(&l.commits, nil)
		if l.handlers <= 0 {
			delete(x.byID, l.id)
			x.say(l.id)
			x.wake(&l.next, nil)
		}
	}
}

func (x *lastWrites) wake(list *[]*waiter, err error) {
	for _, w := range *list {
		x.a.wake(w, nil, err)
	}
	*list = nil
}

func (x *lastWrites) send(l *leaving) {
	l.context = x.a.nextContext()
	x.flying[l.context] = l
	if l.unsure {
		x.a.send(do.ObjectChannel(l.id), &wire.GetAll{Context: l.context, DO: l.id})
	} else {
		x.a.send(do.ObjectChannel(l.id), l.queue[0].body(l.id, l.context, l.row))
	}
	context := l.context
	l.timer = x.a.timers.add(x.a.now+int64(x.a.cfg.Timeout), 0, func() { x.answered(context, 0, wire.CodeTimeout) })
}

// answered takes an answer, if it is one to a last write; row is the version of the row since.
func (x *lastWrites) answered(context, row uint32, err error) bool {
	l := x.land(context)
	if l == nil {
		return false
	}
	if later(err) {
		l.pause = min(max(2*l.pause, firstLastPause), maxLastPause)
		l.timer = x.a.timers.add(x.a.now+int64(l.pause), 0, func() {
			l.timer = nil
			x.goOn(l)
		})
		return true
	}
	if err == nil {
		l.written(row)
	}
	l.queue, l.pause = slices.Delete(l.queue, 0, 1), 0
	if err != nil {
		x.wake(&l.commits, err)
	}
	if err != nil && !errors.Is(err, wire.CodeNoObject) { // what has no row is not written
		x.a.report(fmt.Errorf("repository: last write of %s: %w", l.id, err))
	}
	x.goOn(l)
	return true
}

// land takes in that there is an answer, nil if it is to something else.
func (x *lastWrites) land(context uint32) *leaving {
	l := x.flying[context]
	if l == nil {
		return nil
	}
	delete(x.flying, context)
	l.context = 0
	x.a.timers.stop(l.timer)
	l.timer = nil
	return l
}

// later reports whether a request that failed so may be done when it is repeated.
func later(err error) bool {
	return slices.ContainsFunc([]wire.Code{
		wire.CodeAway, wire.CodeReadOnly, wire.CodeDiskFull, wire.CodeNotReady, wire.CodeOverload, wire.CodeTimeout, wire.CodeLinkLost,
	}, func(c wire.Code) bool { return errors.Is(err, c) })
}

// linkLost repeats what may have been lost on the way, if nobody else had the object since.
func (x *lastWrites) linkLost(b *wire.LinkLost) {
	for id, l := range x.byID {
		l.unsure = l.unsure || b.Holds(id)
	}
	for _, context := range sortedKeys(x.flying) {
		if b.Holds(x.flying[context].id) {
			x.answered(context, 0, wire.CodeLinkLost)
		}
	}
}

func (x *lastWrites) settle(ctx context.Context, o *object) error {
	l := x.byID[o.id]
	if l == nil || len(l.queue) == 0 {
		return nil
	}
	w := &waiter{what: "last write of " + o.String(), ctx: ctx}
	l.commits = append(l.commits, w)
	_, err := x.a.await(w, x.a.deadline(ctx))
	return err
}

// wait waits until nothing of an earlier life of an object is to be written. It is a save point where it waits.
func (x *lastWrites) wait(ctx context.Context, id do.ID) error {
	l := x.byID[id]
	if l == nil {
		return nil
	}
	h, err := x.a.handler()
	if err != nil {
		return err
	}
	if err := h.savePoint(); err != nil {
		return err
	}
	w := &waiter{what: "last writes of " + id.String(), ctx: ctx}
	l.next = append(l.next, w)
	_, err = x.a.await(w, x.a.deadline(ctx))
	return err
}

// ask is a State's question whether all was written of an object that went. Of one that is still here that was not heard.
func (x *lastWrites) ask(b *wire.AskLastWord) {
	if o := x.a.objects[b.DO]; o != nil && o.run && o.version.Inc == b.Version.Inc {
		x.a.mend.need = true
		x.a.end(o, Disable)
	}
	x.words[b.DO] = b.Version
	if x.byID[b.DO] == nil {
		x.say(b.DO)
	}
}

// say answers it when that is so.
func (x *lastWrites) say(id do.ID) {
	if v, asked := x.words[id]; asked {
		delete(x.words, id)
		x.a.send(do.ObjectChannel(id), &wire.LastWord{DO: id, Version: v})
	}
}

// fail gives up: the cluster is lost for good.
func (x *lastWrites) fail(err error) {
	for _, context := range sortedKeys(x.flying) {
		x.answered(context, 0, err)
	}
	for _, l := range x.byID {
		x.a.timers.stop(l.timer)
	}
}

// close sends what waits for the answer to something else: nobody will be here to send it then.
func (x *lastWrites) close() {
	for _, l := range x.sorted() {
		rest := l.queue
		if l.context != 0 {
			rest = rest[1:]
		}
		for i := range rest {
			x.a.send(do.ObjectChannel(l.id), rest[i].body(l.id, 0, l.row))
		}
		l.queue = nil
	}
}

func (x *lastWrites) sorted() []*leaving {
	list := make([]*leaving, 0, len(x.byID))
	for _, l := range x.byID {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *leaving) int { return a.id.Compare(b.id) })
	return list
}

// Close ends the AI: what is changed on the objects that it runs is saved, its handlers' waits fail, and last writes that wait
// for their turn are sent. It waits for no answer: the State writes what it has.
func (a *AI) Close() {
	open := !a.sched.closed && a.failure == nil
	if open {
		a.saveAll()
	}
	a.State.Close()
	if open {
		a.lasts.close()
	}
}

// saveAll saves what is changed outside of handlers. Those that wait have sent what they had done before.
func (a *AI) saveAll() {
	for _, o := range a.sorted() {
		if !o.run || o.dog {
			continue
		}
		ops, _, err := a.takeChanges(o)
		if err != nil {
			a.report(err)
			continue
		}
		a.emit(ops, nil, nil)
	}
}
