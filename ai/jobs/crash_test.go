package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
)

// Workers are stopped at any moment and replaced, again and again. In the end each job is done, and what an idempotent
// handler does has happened once.
func TestT25WorkersComeAndGo(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	const many = 60
	watcher := newProcess(t, c, quick, nil)
	var purse do.ID
	require.NoError(t, watcher.do(func(ctx context.Context) (err error) {
		purse, err = watcher.repo.CreateStored(ctx, do.New[Purse](), ai.Place{})
		return err
	}))
	for n := range many {
		watcher.add(fmt.Sprint(n), Coin{Purse: purse, N: n})
	}
	var runs atomic.Int64
	handle := coins(jobs.Policy{Attempts: 1000, Backoff: time.Millisecond}, func(ctx context.Context, p *process, _ jobs.Task, c Coin) error {
		runs.Add(1)
		for {
			row, err := ai.Load[Purse](ctx, p.repo, c.Purse)
			if err != nil || row.Object.Had&(1<<c.N) != 0 {
				return err
			}
			row.Object.Gold++
			row.Object.Had |= 1 << c.N
			if err := p.repo.Sleep(ctx, time.Millisecond); err != nil { // some die here
				return err
			}
			if _, err = ai.Store(ctx, p.repo, c.Purse, row.Object, row.Version); err == nil {
				return p.repo.Sleep(ctx, rand.N(20*time.Millisecond)) // and some here, when all is done but the note of it
			} else if !errors.Is(err, ai.CodeConflict) {
				return err
			}
		}
	})
	cfg := quick
	cfg.Lease, cfg.Concurrency = lease, 4
	open := func() (left int) {
		_ = watcher.do(func(ctx context.Context) error {
			for _, s := range []jobs.State{jobs.Waiting, jobs.Taken, jobs.Retried} {
				list, err := jobs.List(ctx, watcher.repo, "coin", s, 1000)
				if err != nil {
					left = many
					return err
				}
				left += len(list)
			}
			return nil
		})
		return left
	}
	const killed = 15
	for range killed {
		p := newProcess(t, c, cfg, handle)
		time.Sleep(rand.N(30 * time.Millisecond)) // to die at any moment
		p.stop()
	}
	newProcess(t, c, cfg, handle)
	require.Eventually(t, func() bool { return open() == 0 }, limit, 10*time.Millisecond)
	for n := range many {
		require.Equal(t, jobs.Done, watcher.find(fmt.Sprint(n)).State)
	}
	require.NoError(t, watcher.do(func(ctx context.Context) error {
		row, err := ai.Load[Purse](ctx, watcher.repo, purse)
		require.EqualValues(t, many, row.Object.Gold)
		return err
	}))
	t.Logf("%d workers were stopped, %d attempts at %d jobs", killed, runs.Load(), many)
}

// lease is short for a lease, and long for a process that waits for the processor.
const lease = time.Second

// A worker that dies in the middle is replaced when its lease has ended; and that was an attempt.
func TestT25AnotherTakesOver(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	cfg := quick
	cfg.Lease = lease
	begun := make(chan struct{}, 1)
	first := newProcess(t, c, cfg, coins(jobs.Policy{}, func(ctx context.Context, p *process, _ jobs.Task, _ Coin) error {
		begun <- struct{}{}
		return p.repo.Sleep(ctx, time.Hour)
	}))
	first.add("k", Coin{})
	<-begun
	// While it lives, it keeps the lease: the end of it moves on.
	until := first.find("k").Due
	require.Eventually(t, func() bool {
		i, err := first.lookup("k")
		return err == nil && i.Due.After(until)
	}, limit, 5*time.Millisecond)
	first.stop()

	var l ledger
	second := newProcess(t, c, cfg, coins(jobs.Policy{}, func(_ context.Context, _ *process, t jobs.Task, _ Coin) error {
		l.note(t)
		return nil
	}))
	require.Equal(t, 2, second.becomes("k", jobs.Done).Tries)
	require.Equal(t, 2, l.of("k")[0].Attempt)
}

// A job that kills whoever does it is given up in the end.
func TestT25PoisonIsGivenUp(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	cfg := quick
	cfg.Lease = lease
	policy := jobs.Policy{Attempts: 2}
	watcher := newProcess(t, c, quick, nil)
	watcher.add("k", Coin{})
	for range 2 {
		begun := make(chan struct{}, 1)
		p := newProcess(t, c, cfg, coins(policy, func(ctx context.Context, p *process, _ jobs.Task, _ Coin) error {
			begun <- struct{}{}
			return p.repo.Sleep(ctx, time.Hour)
		}))
		<-begun
		p.stop()
	}
	newProcess(t, c, cfg, coins(policy, func(context.Context, *process, jobs.Task, Coin) error {
		return errors.New("a third attempt")
	}))
	i := watcher.becomes("k", jobs.Failed)
	require.Equal(t, 2, i.Tries)
	require.Contains(t, i.Error, "did not end")
}

// A worker whose job somebody else has hears so, and does not write down what came of it.
func TestT25LostLease(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	cfg := quick
	cfg.Lease = 60 * time.Millisecond
	cause, begun := make(chan error, 1), make(chan struct{}, 1)
	p := newProcess(t, c, cfg, coins(jobs.Policy{}, func(ctx context.Context, p *process, _ jobs.Task, _ Coin) error {
		begun <- struct{}{}
		err := p.repo.Sleep(ctx, time.Hour)
		cause <- context.Cause(ctx)
		return err
	}))
	added := p.add("k", Coin{})
	<-begun
	other := do.NewID(0, 1, 1)
	require.NoError(t, p.do(func(ctx context.Context) error {
		for {
			row, err := ai.Load[jobs.Job](ctx, p.repo, added.ID)
			if err != nil {
				return err
			}
			row.Object.Holder, row.Object.Tries, row.Object.Due = other, 5, time.Now().Add(time.Hour)
			if _, err = ai.Store(ctx, p.repo, added.ID, row.Object, row.Version); !errors.Is(err, ai.CodeConflict) {
				return err
			}
		}
	}))
	select {
	case err := <-cause:
		require.ErrorIs(t, err, jobs.ErrLease)
	case <-time.After(limit):
		require.Fail(t, "it goes on")
	}
	require.Eventually(t, func() bool { return p.metrics()["otpd_jobs_lost_total"] == 1 }, limit, 2*time.Millisecond)
	require.Equal(t, jobs.Taken, p.find("k").State)
	require.Equal(t, 5, p.find("k").Tries)
}

// The database goes away while a job is done. When it is back, the worker that did the job writes that down: nobody does it
// again.
func TestT25DatabaseIsAwayWhenAJobEnds(t *testing.T) {
	c := testcluster.New(t)
	var l ledger
	begun, finish := make(chan struct{}), make(chan struct{})
	handle := coins(jobs.Policy{}, func(ctx context.Context, p *process, t jobs.Task, _ Coin) error {
		if l.note(t) > 1 {
			return nil
		}
		close(begun)
		return p.repo.Offload(ctx, "wait", func() error { <-finish; return nil })
	})
	p := newProcess(t, c, quick, handle)
	p.add("k", Coin{})
	<-begun
	c.Database.Fail(database.ErrUnavailable)
	close(finish)
	require.Eventually(t, func() bool { return p.metrics()["otpd_jobs_running"] == 0 }, limit, time.Millisecond)
	require.ErrorIs(t, p.do(func(ctx context.Context) error {
		_, err := jobs.Add(ctx, p.repo, "coin", "another", Coin{})
		return err
	}), ai.CodeAway, "what cannot be promised is not")
	c.Database.Fail(nil)
	require.Eventually(t, func() bool { return p.metrics()["otpd_jobs_done_total"] == 1 }, limit, 2*time.Millisecond)
	require.Equal(t, 1, p.becomes("k", jobs.Done).Tries)
	require.Len(t, l.of("k"), 1)
}

// A lease that cannot be prolonged because the database is away ends the attempt: another worker may see it earlier.
func TestT25LeaseEndsWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	c := testcluster.New(t)
	cfg := quick
	cfg.Lease = lease
	cause, begun := make(chan error, 1), make(chan struct{})
	p := newProcess(t, c, cfg, coins(jobs.Policy{}, func(ctx context.Context, p *process, t jobs.Task, _ Coin) error {
		if t.Attempt > 1 {
			return nil
		}
		close(begun)
		err := p.repo.Sleep(ctx, time.Hour)
		cause <- context.Cause(ctx)
		return err
	}))
	p.add("k", Coin{})
	<-begun
	c.Database.Fail(database.ErrUnavailable)
	select {
	case err := <-cause:
		require.ErrorIs(t, err, jobs.ErrLease)
	case <-time.After(limit):
		require.Fail(t, "it goes on")
	}
	c.Database.Fail(nil)
	i := p.becomes("k", jobs.Done)
	require.Equal(t, 2, i.Tries)
}
