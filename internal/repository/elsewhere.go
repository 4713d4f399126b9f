package repository

import (
	"context"
	"time"
)

// Sleep lets a handler wait for d, while others run. It is a save point. It ends early, with an error, when ctx does or
// the repository closes.
func (s *State) Sleep(ctx context.Context, d time.Duration) error {
	a, err := s.handler()
	if err != nil {
		return err
	}
	if err := a.savePoint(); err != nil {
		return err
	}
	w := &waiter{what: "sleep", ctx: ctx}
	end := s.now + int64(d)
	t := s.timers.add(end, 0, func() { s.wake(w, nil, nil) })
	defer s.timers.stop(t)
	limit := end + 1
	if at, ok := ctx.Deadline(); ok {
		limit = min(limit, at.UnixNano())
	}
	_, err = s.await(w, limit)
	return err
}

// Elsewhere lets a handler wait for something that is not done on the loop. start begins it, and must not block; done
// is called on the loop, with what the handler is to get. It is a save point. When ctx ends first, done is still to be
// called, and changes nothing.
func (s *State) Elsewhere(ctx context.Context, what string, start func(done func(err error))) error {
	a, err := s.handler()
	if err != nil {
		return err
	}
	if err := a.savePoint(); err != nil {
		return err
	}
	w := &waiter{what: what, ctx: ctx}
	start(func(err error) {
		s.wake(w, nil, err)
		s.sched.drain()
	})
	_, err = s.await(w, s.deadline(ctx))
	return err
}

// Offload runs fn on a goroutine of its own, and lets the handler wait for it while the loop goes on with others. fn
// must not touch objects. It is a save point. When ctx ends first, fn goes on and its error is lost: what fn is to stop
// for, it has to hear of itself.
func (l *Loop) Offload(ctx context.Context, s *State, what string, fn func() error) error {
	return s.Elsewhere(ctx, what, func(done func(error)) {
		go func() {
			err := fn()
			l.Post(func() { done(err) })
		}()
	})
}
