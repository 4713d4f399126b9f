package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// activity is one run of one handler. What it changes on its own object and on those that it named, and what it
// sends, is held in ops until it returns nil, then leaves as one bundle; an error drops it and undoes the objects.
// A wait inside of it is a save point: what came before is sent, and undo goes back to there.
type activity struct {
	s     *State
	co    *coroutine
	what  string // for errors and logs, where field is nil
	o     *object
	view  *ownerView // it is a handler of o's owner view
	named []*object  // by Change
	extra []*object  // saved without being named: their sets are messages of their own
	ops   []op
	call  *incoming // the call that it answers, if any
	from  Caller

	// One of the two: the On method of a field with its argument, or a function.
	field *do.Field
	arg   []byte
	task  func(ctx context.Context) error

	parent context.Context // of the one who asked for it by Do, nil for what the loop itself runs
	after  func(error)     // told at the end

	until int64 // the deadline of a handler that nobody waits for; 0: none

	again bool // the game never sees it: it is used again

	inTrade bool            // it waits for its own transaction, whose objects are in doubt because of it
	refused func(err error) // answers who waits for it, if it cannot begin; nil: as a call, or nobody waits
}

// hears is a run of the On method of a state field. These come with each value of each moving object: where the method
// takes no context, and so cannot keep one, they are used again.
func (s *State) hears(o *object, f *do.Field, before []byte) *activity {
	if o.acts.TakesContext(f.Number) {
		return &activity{o: o, field: f, arg: bytes.Clone(before)}
	}
	var a *activity
	if n := len(s.spare); n > 0 {
		a, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		a = new(activity)
	}
	a.o, a.field, a.arg, a.again = o, f, append(a.arg, before...), true
	return a
}

// maxSpare is how many activities are kept for reuse.
const maxSpare = 64

// done forgets what has run.
func (s *State) done(a *activity) {
	if a.again && len(s.spare) < maxSpare {
		*a = activity{arg: a.arg[:0]}
		s.spare = append(s.spare, a)
	}
}

// Caller is who caused a handler to run: the session or process that sent the event or call, and the account that
// the agent stamped (rule 91); zero for tasks and callbacks.
type Caller struct {
	Channel do.Channel
	Account do.ID
}

// incoming is a call that came in, to be answered once.
type incoming struct {
	context  uint32
	caller   do.Channel
	id       do.ID
	field    fields.Number
	deadline int64
	local    bool // the caller is this repository itself
}

// handlerContext is the context of a handler: its deadline is that of the call it answers. Only a handler that was
// asked for by Do can be cancelled; for all, waits end at the deadline and when the repository closes.
type handlerContext struct{ a *activity }

type callerKey struct{}

// CallerOf is who caused the handler with this context to run.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

func (c handlerContext) Deadline() (time.Time, bool) {
	if c.a.parent != nil {
		return c.a.parent.Deadline()
	}
	if c.a.until != 0 {
		return time.Unix(0, c.a.until), true
	}
	if c.a.call == nil || c.a.call.deadline == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, c.a.call.deadline), true
}

func (c handlerContext) Done() <-chan struct{} {
	if c.a.parent != nil {
		return c.a.parent.Done()
	}
	return nil
}

func (c handlerContext) Err() error {
	switch {
	case c.a.s.sched.closed:
		return context.Canceled
	case c.a.parent != nil:
		return c.a.parent.Err()
	}
	return nil
}

func (c handlerContext) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return c.a.from
	}
	if c.a.parent != nil {
		return c.a.parent.Value(key)
	}
	return nil
}

// perform runs the handler on the coroutine that took it.
func (a *activity) perform() {
	a.co = a.s.sched.current
	reply, err := a.invoke()
	if a.s.sched.closed {
		err = errors.Join(err, ErrClosed)
	}
	a.finish(reply, err)
	a.s.done(a)
}

// invoke calls the game's code. Its panic is its own failure, where the configuration says so.
func (a *activity) invoke() (reply []byte, err error) {
	if a.s.cfg.Recover {
		defer func() {
			if p := recover(); p != nil {
				reply, err = nil, fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
			}
		}()
	}
	ctx := handlerContext{a}
	if a.task != nil {
		return nil, a.task(ctx)
	}
	if a.view != nil {
		return a.view.acts.Handle(ctx, a.view.inst, a.field.Number, a.arg)
	}
	return a.o.acts.Handle(ctx, a.o.inst, a.field.Number, a.arg)
}

// finish sends what the handler did, or undoes it, and answers the call.
func (a *activity) finish(reply []byte, err error) {
	if err == nil {
		err = a.gatherAll()
	}
	if err == nil {
		err = a.leave(reply)
	} else {
		a.undo()
		a.refuse(err)
	}
	if err != nil && a.call != nil && !errors.Is(err, ErrPanic) {
		err = fmt.Errorf("%w: %w", ErrAnswered, err)
	}
	if err != nil && a.after == nil && !errors.Is(err, ErrClosed) {
		a.s.report(fmt.Errorf("repository: %s: %w", a.name(), err))
	}
	if a.after != nil {
		a.after(err)
	}
	if a.until != 0 {
		a.s.left(a.o)
	}
}

func (a *activity) name() string {
	what := a.what
	if a.field != nil {
		what = "On" + a.field.Name
	}
	if a.o != nil {
		what += " of " + a.o.String()
	}
	return what
}

// gatherAll takes what changed on the objects of the bundle.
func (a *activity) gatherAll() error {
	if a.o != nil {
		if err := a.gather(a.o); err != nil {
			return err
		}
	}
	for _, o := range a.named {
		if err := a.gather(o); err != nil {
			return err
		}
	}
	return nil
}

// gather appends a set of what changed on o since its last save.
func (a *activity) gather(o *object) error {
	if o.gone {
		return a.gatherLast(o)
	}
	op, ok, err := a.s.takeChanges(o)
	if ok {
		a.ops = append(a.ops, op...)
	}
	return err
}

// leave sends the ops with the reply.
func (a *activity) leave(reply []byte) error {
	ops := a.take()
	if len(ops) == 0 && a.call == nil {
		return nil
	}
	if a.call == nil {
		a.s.emit(ops, a.bundled(), nil)
		return nil
	}
	a.s.emitReply(ops, a.bundled(), a.call, wire.CallReply{
		Context: a.call.context, DO: a.call.id, Field: a.call.field, Result: reply,
	}, a.o)
	return nil
}

// refuse answers the call with an error.
func (a *activity) refuse(err error) {
	if a.call == nil {
		return
	}
	a.s.emitReply(nil, nil, a.call, errorReply(a.call, err), a.o)
}

// errorReply makes the answer of a handler that failed. The text of a panic stays here.
func errorReply(in *incoming, err error) wire.CallReply {
	r := wire.CallReply{Context: in.context, DO: in.id, Field: in.field, Code: wire.CodeHandler, Text: err.Error()}
	var coded *wire.Error
	switch {
	case errors.Is(err, ErrPanic):
		r.Text = "handler panicked"
	case errors.As(err, &coded):
		r.Code, r.Text = coded.Code, coded.Text
	case errors.Is(err, ErrOtherPartition):
		r.Code = wire.CodeOtherPartition
	case errors.Is(err, ErrClosed):
		r.Code, r.Text = wire.CodeClosed, ""
	}
	return r
}

// take empties the ops.
func (a *activity) take() []op {
	ops := a.ops
	a.ops, a.extra = nil, nil
	return ops
}

// bundled are the objects whose changes leave as one message.
func (a *activity) bundled() []*object {
	if a.o == nil || a.o.dog {
		return a.named
	}
	return append([]*object{a.o}, a.named...)
}

// savePoint sends what was done so far.
func (a *activity) savePoint() error {
	if err := a.gatherAll(); err != nil {
		return err
	}
	a.s.emit(a.take(), a.bundled(), nil)
	return nil
}

// undo puts everything back that was not sent.
func (a *activity) undo() {
	for i := len(a.ops) - 1; i >= 0; i-- {
		a.ops[i].undo(a.s)
	}
	for _, o := range a.involved() {
		if o.inst != nil {
			o.inst.Undo()
		}
	}
	a.take()
}

func (a *activity) involved() []*object {
	out := append([]*object(nil), a.named...)
	out = append(out, a.extra...)
	if a.o != nil {
		out = append(out, a.o)
	}
	return out
}

// Change names objects of which the handler's changes belong into its bundle, besides its own object's. All must be
// in one partition: one bundle goes to one State.
func (s *State) Change(objects ...*do.Object) error {
	a, err := s.handler()
	if err != nil {
		return fmt.Errorf("repository: change: %w", err)
	}
	for _, x := range objects {
		o, err := s.record(x, "change")
		if err != nil {
			return err
		}
		if in := a.bundled(); len(in) > 0 && in[0].id.Partition() != o.id.Partition() {
			return fmt.Errorf("repository: change %s in a bundle with %s: %w", o.id, in[0].id, ErrOtherPartition)
		}
		if o != a.o && !contains(a.named, o) {
			a.named = append(a.named, o)
		}
	}
	return nil
}

func contains(list []*object, o *object) bool {
	for _, x := range list {
		if x == o {
			return true
		}
	}
	return false
}

// record is the record of a Go object.
func (s *State) record(x *do.Object, verb string) (*object, error) {
	if err := s.onLoop(verb, x.ID()); err != nil {
		return nil, err
	}
	if s.sched.closed {
		return nil, fmt.Errorf("repository: %s %s: %w", verb, x.ID(), ErrClosed)
	}
	o := s.objects[x.ID()]
	if o == nil || o.inst == nil || o.inst.Object() != do.InstanceOf(x).Object() {
		return nil, fmt.Errorf("repository: %s %s: %w", verb, x.ID(), ErrNoObject)
	}
	return o, nil
}

// equal compares encoded values; nil is unset and equals only itself.
func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
