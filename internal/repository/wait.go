package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// waiter is one handler's wait for one answer.
type waiter struct {
	what  string
	to    do.Channel // who was asked
	co    *coroutine
	ctx   context.Context
	timer *Timer
	done  bool
	body  any // a wire.Body, or what the adapter gives
	err   error
}

// deadline is when a wait under ctx ends, unix nanoseconds of the repository's clock.
func (s *State) deadline(ctx context.Context) int64 {
	if t, ok := ctx.Deadline(); ok {
		return t.UnixNano()
	}
	return s.now + int64(s.cfg.Timeout)
}

// handler is the activity that runs now; ErrNoHandler outside of one.
func (s *State) handler() (*activity, error) {
	c := s.sched.current
	if c == nil || c.run == nil {
		return nil, ErrNoHandler
	}
	if s.sched.closed || c.dead {
		return nil, ErrClosed
	}
	return c.run, nil
}

// await suspends the running handler until the waiter is woken, its deadline passes or its context ends.
func (s *State) await(w *waiter, deadline int64) (any, error) {
	a, err := s.handler()
	if err != nil {
		return nil, err
	}
	if w.done {
		return w.body, w.err
	}
	if err := w.ctx.Err(); err != nil {
		return nil, fmt.Errorf("repository: %s: %w", w.what, err)
	}
	w.co = a.co
	w.timer = s.timers.add(deadline, 0, func() {
		s.wake(w, nil, fmt.Errorf("repository: %s: %w: %w", w.what, ErrUnanswered, errors.Join(context.DeadlineExceeded, &wire.Error{Code: wire.CodeUnknown})))
	})
	if w.ctx.Done() != nil {
		s.cancels = append(s.cancels, w)
	}
	ok := s.sched.suspend(w.co)
	s.timers.stop(w.timer)
	s.dropCancel(w)
	if !ok {
		return nil, fmt.Errorf("repository: %s: %w", w.what, ErrClosed)
	}
	return w.body, w.err
}

// wake gives a waiter its answer; the first one counts.
func (s *State) wake(w *waiter, body any, err error) {
	if w.done {
		return
	}
	w.done, w.body, w.err = true, body, err
	if w.co != nil {
		s.sched.enqueue(runnable{resume: w.co})
	}
}

// checkCancelled wakes those whose context ended.
func (s *State) checkCancelled() {
	for _, w := range s.cancels {
		if err := w.ctx.Err(); err != nil {
			s.wake(w, nil, fmt.Errorf("repository: %s: %w", w.what, err))
		}
	}
}

func (s *State) dropCancel(w *waiter) {
	for i, o := range s.cancels {
		if o == w {
			s.cancels = append(s.cancels[:i], s.cancels[i+1:]...)
			return
		}
	}
}

// request registers an answer to context, sends to a channel by ask, and waits. What the handler did before is sent first.
// Calls go to nowhere in particular: who handles them is not known.
func (s *State) request(ctx context.Context, what string, to do.Channel, deadline int64, ask func(context uint32) error) (any, error) {
	a, err := s.handler()
	if err != nil {
		return nil, fmt.Errorf("repository: %s: %w", what, err)
	}
	if err := a.savePoint(); err != nil {
		return nil, err
	}
	w := &waiter{what: what, to: to, ctx: ctx}
	id := s.nextContext()
	s.waits[id] = w
	defer delete(s.waits, id)
	if err := ask(id); err != nil {
		return nil, err
	}
	return s.await(w, deadline)
}

// answer gives the answer to a request or call; false: nobody waits for it (any more). Of several the first counts.
func (s *State) answer(context uint32, body any, err error) bool {
	w := s.waits[context]
	if w == nil {
		return false
	}
	delete(s.waits, context)
	s.wake(w, body, err)
	return true
}
