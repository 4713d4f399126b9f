package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// run is one attempt at a job by this worker, from the moment that it tries to take it. It has one owner, the loop.
type run struct {
	h       *handler
	id      do.ID
	row     uint64 // version of what this worker wrote last
	job     *Job   // the same
	until   time.Time
	cancel  context.CancelCauseFunc // nil before the handler runs
	pending bool                    // the lease is being prolonged
}

// begin takes a job and does it. It does not wait.
func (w *Worker) begin(t *run) {
	w.running[t.id] = t
	// Only a repository that is closed has an error: then nobody looks any more.
	_ = w.r.Do(func(ctx context.Context) error {
		mine, err := w.take(ctx, t)
		if err != nil && !errors.Is(err, ai.ErrClosed) {
			w.cfg.Log.Warn("jobs: take", "job", t.job.Key, "do", t.id, "err", err)
		}
		if !mine {
			w.over(t)
			return nil
		}
		w.perform(t)
		return nil
	})
}

// over takes a run out, and makes room for others.
func (w *Worker) over(t *run) {
	delete(w.running, t.id)
	w.fill()
	if w.full && len(w.found) == 0 && len(w.running) <= w.cfg.Concurrency/2 {
		w.Look()
	}
}

// take writes this worker into the job's row, if the row is still as it was found. mine: there is something to do.
func (w *Worker) take(ctx context.Context, t *run) (mine bool, err error) {
	now := w.r.Now()
	if int(t.job.Tries) >= t.h.policy.Attempts {
		// The worker of the last attempt died of it, or with it.
		t.job.Error = cut("the last attempt did not end: "+t.job.Error, maxError)
		return false, w.write(ctx, t, Failed.in(t.h.name), now)
	}
	t.job.Tries++
	err = w.write(ctx, t, Taken.in(t.h.name), now.Add(w.cfg.Lease))
	if err == nil {
		t.until = now.Add(w.cfg.Lease)
		t.h.stats.taken.Add(1)
		return true, nil
	}
	if errors.Is(err, ai.CodeConflict) || errors.Is(err, ai.CodeNoObject) {
		return false, nil // somebody was faster
	}
	return false, err // if it was written all the same, the lease ends
}

// write stores the job with another state and time.
func (w *Worker) write(ctx context.Context, t *run, state string, due time.Time) error {
	t.job.State, t.job.Due, t.job.Holder = state, stamp(due), w.id
	row, err := ai.Store(ctx, w.r, t.id, t.job, t.row)
	if err == nil {
		t.row = row
		if state == Failed.in(t.h.name) {
			t.h.stats.failed.Add(1)
			w.cfg.Log.Error("jobs: failed", "job", t.job.Key, "do", t.id, "attempts", t.job.Tries, "err", t.job.Error)
		}
	}
	return err
}

// perform runs the handler as a handler of its own, so that its failure undoes what it changed, and then writes down
// what came of it.
func (w *Worker) perform(t *run) {
	parent, cancel := context.WithCancelCause(context.Background())
	limited, stop := context.WithTimeout(parent, t.h.policy.Timeout)
	t.cancel = cancel
	task := Task{
		ID: t.id, Name: t.h.name, Key: strings.TrimPrefix(t.job.Key, t.h.name+"/"), Attempt: int(t.job.Tries),
		Last: int(t.job.Tries) >= t.h.policy.Attempts, Created: t.job.Created,
	}
	args := t.job.Args
	t.h.stats.running.Add(1)
	err := w.r.DoThen(limited, func(ctx context.Context) error { return t.h.run(ctx, task, args) }, func(err error) {
		if cause := context.Cause(parent); err != nil && cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		stop()
		cancel(nil)
		t.cancel = nil
		t.h.stats.running.Add(-1)
		// As above: the lease of one that cannot be written down ends.
		_ = w.r.Do(func(ctx context.Context) error {
			defer w.over(t)
			w.end(ctx, t, err)
			return nil
		})
	})
	if err != nil {
		stop()
		cancel(nil)
	}
}

// end writes down how an attempt went.
func (w *Worker) end(ctx context.Context, t *run, failure error) {
	now := w.r.Now()
	state, due := doneOn(t.h.name, now), now
	t.job.Error = ""
	if failure != nil {
		t.job.Error = cut(failure.Error(), maxError)
		state = Failed.in(t.h.name)
		if int(t.job.Tries) < t.h.policy.Attempts && !errors.Is(failure, ErrPermanent) {
			pause := t.h.policy.pause(int(t.job.Tries), rand.Float64())
			state, due = Retried.in(t.h.name), now.Add(pause)
			w.cfg.Log.Warn("jobs: attempt", "job", t.job.Key, "do", t.id, "attempt", t.job.Tries, "again_in", pause, "err", failure)
		}
	}
	for {
		err := w.settle(ctx, t, state, due)
		switch {
		case err == nil:
			t.h.stats.ended(stateOf(state))
			return
		case errors.Is(err, ai.ErrClosed):
			return
		}
		w.cfg.Log.Warn("jobs: end", "job", t.job.Key, "do", t.id, "err", err)
		if !passing(err) {
			t.h.stats.lost.Add(1) // somebody has it, or will when the lease has ended
			return
		}
		if w.r.Sleep(ctx, 200*time.Millisecond) != nil {
			return
		}
	}
}

// passing reports whether an error of the database may be another one soon, or none. Nobody else can take the job while
// the database is away.
func passing(err error) bool {
	for _, c := range []ai.Code{
		ai.CodeAway, ai.CodeReadOnly, ai.CodeDiskFull, ai.CodeUnknown, ai.CodeOverload, ai.CodeNotReady, wire.CodeTimeout, wire.CodeLinkLost,
	} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// settle writes a job's end, if it is still this worker's. A write of unknown outcome is made again: then the row says
// what became of it.
func (w *Worker) settle(ctx context.Context, t *run, state string, due time.Time) error {
	text := t.job.Error
	err := w.write(ctx, t, state, due)
	for errors.Is(err, ai.CodeConflict) {
		var mine bool
		if mine, err = w.reload(ctx, t); err != nil {
			return err
		}
		if !mine {
			return ErrLease
		}
		if t.job.State == state {
			return nil
		}
		t.job.Error = text
		err = w.write(ctx, t, state, due)
	}
	if errors.Is(err, ai.CodeNoObject) {
		return ErrLease
	}
	return err
}

// reload reads the row again, and goes on with it if this worker wrote it last: mine.
func (w *Worker) reload(ctx context.Context, t *run) (mine bool, err error) {
	now, err := ai.Load[Job](ctx, w.r, t.id)
	switch {
	case errors.Is(err, ai.CodeNoObject):
		return false, nil
	case err != nil:
		return false, err
	}
	if now.Object.Holder != w.id || now.Object.Tries != t.job.Tries {
		return false, nil // what is written on its old version is refused for ever
	}
	t.row, t.job = now.Version, now.Object
	return true, nil
}

// prolong writes new leases for what runs, each in a handler of its own.
func (w *Worker) prolong(context.Context) error {
	for _, t := range w.running {
		if t.cancel == nil || t.pending {
			continue
		}
		t.pending = true
		_ = w.r.Do(func(ctx context.Context) error {
			defer func() { t.pending = false }()
			w.prolongOne(ctx, t)
			return nil
		})
	}
	return nil
}

// prolongOne writes a new lease. A run whose lease has ended without one is cancelled, since somebody else may have taken
// the job; so is one whose job somebody else has.
func (w *Worker) prolongOne(ctx context.Context, t *run) {
	ctx, stop := context.WithTimeout(ctx, w.cfg.Lease/3)
	defer stop()
	if t.cancel == nil {
		return
	}
	until := w.r.Now().Add(w.cfg.Lease)
	err := w.write(ctx, t, Taken.in(t.h.name), until)
	mine := true
	if errors.Is(err, ai.CodeConflict) {
		// A lease whose write was not answered may be there all the same.
		if mine, err = w.reload(ctx, t); err == nil {
			until = t.job.Due
		}
	}
	switch {
	case t.cancel == nil: // it ended meanwhile
	case err == nil && mine:
		t.until = until
	case err == nil || errors.Is(err, ai.CodeNoObject) || w.r.Now().After(t.until):
		t.cancel(ErrLease)
	}
}

// pause is how long to wait after an attempt: Backoff, twice as long each time, Longest at most, of which half is certain and
// half is by chance (0 to 1), so that what failed together does not come again together.
func (p Policy) pause(attempt int, chance float64) time.Duration {
	d := p.Backoff
	for range attempt - 1 {
		if d >= p.Longest/2 {
			d = p.Longest
			break
		}
		d *= 2
	}
	return d/2 + time.Duration(chance*float64(d/2))
}

// cut is s without what is over n bytes; half a character goes with it.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
