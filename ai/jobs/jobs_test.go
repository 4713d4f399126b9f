package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
)

// limit is how long anything may take here: other tests share the processors.
const limit = time.Minute

// Purse is what jobs change.
type Purse struct {
	do.Object
	Gold int64  `do:"required,db"`
	Had  uint64 `do:"required,db"` // one bit for each coin
}

// PurseAI is a Purse where it is run.
type PurseAI struct{ Purse }

// process is an AI process with a worker.
type process struct {
	t      *testing.T
	repo   *ai.Repository
	worker *jobs.Worker
	stop   func() // at once, in the middle of whatever it does
}

// quick is what a worker of a test does without a reason to do otherwise.
var quick = jobs.Config{Poll: 25 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}

func newProcess(t *testing.T, c *testcluster.Cluster, cfg jobs.Config, handle func(p *process)) *process {
	registry := do.NewRegistry()
	require.NoError(t, errors.Join(jobs.Register(registry), registry.Class(Purse{}), registry.Behave(func() *PurseAI { return &PurseAI{} })))
	repo, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: t.Name(), Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	p := &process{t: t, repo: repo}
	p.worker, err = jobs.NewWorker(repo, cfg)
	require.NoError(t, err)
	if handle != nil {
		handle(p)
	}
	p.worker.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = repo.Run(ctx)
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(p.stop)
	return p
}

func (p *process) do(f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	return p.repo.DoWait(ctx, f)
}

// Coin is what the jobs of these tests are about.
type Coin struct {
	Purse do.ID
	N     int
}

func (p *process) add(key string, c Coin) (added jobs.Added) {
	require.NoError(p.t, p.do(func(ctx context.Context) (err error) {
		added, err = jobs.Add(ctx, p.repo, "coin", key, c)
		return err
	}))
	return added
}

func (p *process) lookup(key string) (i jobs.Info, err error) {
	err = p.do(func(ctx context.Context) (err error) {
		i, err = jobs.Find(ctx, p.repo, "coin", key)
		return err
	})
	return i, err
}

func (p *process) find(key string) jobs.Info {
	i, err := p.lookup(key)
	require.NoError(p.t, err)
	return i
}

// becomes waits until a job is in a state.
func (p *process) becomes(key string, s jobs.State) (i jobs.Info) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		var err error
		i, err = p.lookup(key)
		return err == nil && i.State == s
	}, limit, 2*time.Millisecond, "%s: %v", key, s)
	return i
}

// ledger counts what handlers did, on whatever loops.
type ledger struct {
	mu   sync.Mutex
	runs map[string][]jobs.Task
}

func (l *ledger) note(t jobs.Task) (attempt int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs == nil {
		l.runs = map[string][]jobs.Task{}
	}
	l.runs[t.Key] = append(l.runs[t.Key], t)
	return len(l.runs[t.Key])
}

func (l *ledger) of(key string) []jobs.Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[key]
}

// coins makes a worker do the jobs.
func coins(policy jobs.Policy, f func(ctx context.Context, p *process, t jobs.Task, c Coin) error) func(p *process) {
	return func(p *process) {
		require.NoError(p.t, jobs.Handle(p.worker, "coin", policy, func(ctx context.Context, t jobs.Task, c Coin) error { return f(ctx, p, t, c) }))
	}
}

func TestT25JobIsDoneOnceForItsKey(t *testing.T) {
	c := testcluster.New(t)
	var l ledger
	got := make(chan Coin, 10)
	p := newProcess(t, c, quick, coins(jobs.Policy{}, func(_ context.Context, _ *process, t jobs.Task, c Coin) error {
		l.note(t)
		got <- c
		return nil
	}))
	purse := do.NewID(3, 1, 7)
	first := p.add("a/1", Coin{purse, 5})
	require.True(t, first.New)
	require.Equal(t, Coin{purse, 5}, <-got)
	done := p.becomes("a/1", jobs.Done)
	require.Equal(t, 1, done.Tries)
	require.Empty(t, done.Error)

	// Done or not, the key is taken.
	require.Equal(t, jobs.Added{ID: first.ID}, p.add("a/1", Coin{purse, 6}))
	p.add("a/2", Coin{purse, 7})
	require.Equal(t, Coin{purse, 7}, <-got)
	p.becomes("a/2", jobs.Done)
	task := l.of("a/1")[0]
	require.Len(t, l.of("a/1"), 1)
	require.Equal(t, jobs.Task{ID: first.ID, Name: "coin", Key: "a/1", Attempt: 1, Created: task.Created}, task)

	require.NoError(t, p.do(func(ctx context.Context) error {
		today, err := jobs.List(ctx, p.repo, "coin", jobs.Done, 0)
		require.Len(t, today, 2)
		return err
	}))
	// Without a key each is another.
	require.True(t, p.add("", Coin{}).New)
	require.True(t, p.add("", Coin{}).New)
}

func TestT25AttemptsBackOffAndEnd(t *testing.T) {
	c := testcluster.New(t)
	var l ledger
	policy := jobs.Policy{Attempts: 3, Backoff: 20 * time.Millisecond}
	p := newProcess(t, c, quick, coins(policy, func(_ context.Context, _ *process, t jobs.Task, c Coin) error {
		switch n := l.note(t); {
		case c.N == 0:
			return errors.New("no such coin")
		case c.N == 1 && n < 3:
			return errors.New("not yet")
		case c.N == 2:
			return fmt.Errorf("forged: %w", jobs.ErrPermanent)
		case c.N == 3 && n == 1:
			panic("oh")
		}
		return nil
	}))
	for n := range 4 {
		p.add(fmt.Sprint(n), Coin{N: n})
	}
	failed := p.becomes("0", jobs.Failed)
	require.Equal(t, 3, failed.Tries)
	require.Equal(t, "no such coin", failed.Error)
	require.Equal(t, []bool{false, false, true}, []bool{l.of("0")[0].Last, l.of("0")[1].Last, l.of("0")[2].Last})
	require.Equal(t, 3, p.becomes("1", jobs.Done).Tries)
	require.Equal(t, 1, p.becomes("2", jobs.Failed).Tries)
	require.Equal(t, 2, p.becomes("3", jobs.Done).Tries, "a panic is a failed attempt")

	// A person looks at it, and has it tried again.
	require.NoError(t, p.do(func(ctx context.Context) error {
		list, err := jobs.List(ctx, p.repo, "coin", jobs.Failed, 0)
		require.Len(t, list, 2)
		require.ErrorIs(t, jobs.Retry(ctx, p.repo, p.findIn(ctx, "1").ID), ai.CodeConflict)
		return errors.Join(err, jobs.Retry(ctx, p.repo, failed.ID))
	}))
	require.Eventually(t, func() bool { return len(l.of("0")) == 6 }, limit, 2*time.Millisecond)
	p.becomes("0", jobs.Failed)
	want := map[string]float64{
		"otpd_jobs_taken_total": 12, "otpd_jobs_done_total": 2, "otpd_jobs_retried_total": 7, "otpd_jobs_failed_total": 3,
		"otpd_jobs_lost_total": 0, "otpd_jobs_running": 0, "otpd_jobs_late_seconds": 0,
	}
	// The worker hears later than the database that it wrote.
	require.Eventually(t, func() bool { return maps.Equal(want, p.metrics()) }, limit, 2*time.Millisecond, "%v", p.metrics())
}

func (p *process) metrics() map[string]float64 {
	m := map[string]float64{}
	for _, x := range p.worker.Metrics() {
		m[x.Name] = x.Value
	}
	return m
}

func (p *process) findIn(ctx context.Context, key string) jobs.Info {
	i, err := jobs.Find(ctx, p.repo, "coin", key)
	require.NoError(p.t, err)
	return i
}

func TestT25ArgumentsThatDoNotFit(t *testing.T) {
	c := testcluster.New(t)
	p := newProcess(t, c, quick, coins(jobs.Policy{}, func(context.Context, *process, jobs.Task, Coin) error { return nil }))
	require.NoError(t, p.do(func(ctx context.Context) error {
		_, err := jobs.Add(ctx, p.repo, "coin", "x", map[string]string{"N": "many"})
		require.NoError(t, err)
		_, err = jobs.Add(ctx, p.repo, "coin", "y", func() {})
		require.ErrorIs(t, err, jobs.ErrArgs)
		_, err = jobs.Add(ctx, p.repo, "coin", "y", strings.Repeat("x", 1<<16))
		require.ErrorIs(t, err, jobs.ErrArgs)
		_, err = jobs.Add(ctx, p.repo, "coin", strings.Repeat("x", 151), 0)
		require.ErrorIs(t, err, jobs.ErrKey)
		for _, name := range []string{"", "Coin", "a/b", strings.Repeat("x", 41)} {
			_, err = jobs.Add(ctx, p.repo, name, "y", 0)
			require.ErrorIs(t, err, jobs.ErrName)
		}
		_, err = jobs.Add(ctx, p.repo, strings.Repeat("x", 40), strings.Repeat("k", 150), strings.Repeat("x", 1<<16-2))
		require.NoError(t, err, "the longest")
		_, err = jobs.Find(ctx, p.repo, "coin", "y")
		require.ErrorIs(t, err, ai.CodeNoObject)
		return nil
	}))
	i := p.becomes("x", jobs.Failed)
	require.Equal(t, 1, i.Tries)
	require.Contains(t, i.Error, "arguments do not fit")
}

func TestT25WrongConfigurations(t *testing.T) {
	c := testcluster.New(t)
	p := newProcess(t, c, quick, nil)
	none := func(context.Context, jobs.Task, int) error { return nil }
	require.ErrorIs(t, jobs.Handle(p.worker, "late", jobs.Policy{}, none), jobs.ErrConfig)
	_, err := jobs.NewWorker(p.repo, jobs.Config{Concurrency: -1})
	require.ErrorIs(t, err, jobs.ErrConfig)
	w, err := jobs.NewWorker(p.repo, jobs.Config{})
	require.NoError(t, err)
	require.NoError(t, jobs.Handle(w, "a", jobs.Policy{}, none))
	require.ErrorIs(t, jobs.Handle(w, "a", jobs.Policy{}, none), jobs.ErrConfig)
	require.ErrorIs(t, jobs.Handle(w, "A", jobs.Policy{}, none), jobs.ErrName)
	require.ErrorIs(t, jobs.Handle(w, "b", jobs.Policy{Backoff: time.Hour}, none), jobs.ErrConfig)
}

func TestT25NotBeforeItsTime(t *testing.T) {
	c := testcluster.New(t)
	p := newProcess(t, c, quick, coins(jobs.Policy{}, func(context.Context, *process, jobs.Task, Coin) error { return nil }))
	at := func(key string, when time.Time) {
		require.NoError(t, p.do(func(ctx context.Context) error {
			_, err := jobs.AddAt(ctx, p.repo, "coin", key, Coin{}, when)
			return err
		}))
	}
	// More than a worker looks at, none of which is due for an hour, are in nobody's way.
	for n := range 100 {
		at(fmt.Sprint("later ", n), time.Now().Add(time.Hour))
	}
	soon := time.Now().Add(100 * time.Millisecond)
	at("soon", soon)
	p.add("now", Coin{})
	p.becomes("now", jobs.Done)
	require.False(t, p.becomes("soon", jobs.Done).Due.Before(soon.Truncate(time.Microsecond)), "when it was done")
	require.Equal(t, jobs.Waiting, p.find("later 7").State)
}

// What a failed attempt changed is undone; what one that worked changed and committed is in the database.
func TestT25HandlersAreAtomic(t *testing.T) {
	c := testcluster.New(t)
	var l ledger
	var purse do.ID
	p := newProcess(t, c, quick, coins(jobs.Policy{Backoff: time.Millisecond}, func(ctx context.Context, p *process, t jobs.Task, c Coin) error {
		a := ai.Find[PurseAI](p.repo, c.Purse)
		if err := p.repo.Change(&a.Object); err != nil {
			return err
		}
		a.Gold += int64(c.N)
		if l.note(t) < 3 {
			return errors.New("undo that")
		}
		return a.Commit(ctx)
	}))
	require.NoError(t, p.do(func(ctx context.Context) (err error) {
		if purse, err = p.repo.CreateStored(ctx, do.New[Purse](), ai.Place{}); err != nil {
			return err
		}
		_, err = ai.Activate[PurseAI](ctx, p.repo, purse, ai.Place{})
		return err
	}))
	p.add("k", Coin{purse, 7})
	p.becomes("k", jobs.Done)
	require.NoError(t, p.do(func(ctx context.Context) error {
		row, err := ai.Load[Purse](ctx, p.repo, purse)
		require.EqualValues(t, 7, row.Object.Gold)
		return err
	}))
}

// Several processes share the jobs, and each is done once as long as nobody dies.
func TestT25WorkersShare(t *testing.T) {
	c := testcluster.New(t)
	const many = 120
	var l ledger
	var mu sync.Mutex
	by := map[*process]int{}
	handle := coins(jobs.Policy{}, func(ctx context.Context, p *process, t jobs.Task, _ Coin) error {
		l.note(t)
		mu.Lock()
		by[p]++
		mu.Unlock()
		return p.repo.Sleep(ctx, time.Millisecond)
	})
	p := newProcess(t, c, quick, nil)
	for n := range many {
		p.add(fmt.Sprint(n), Coin{})
	}
	for range 3 {
		newProcess(t, c, quick, handle)
	}
	for n := range many {
		p.becomes(fmt.Sprint(n), jobs.Done)
		require.Len(t, l.of(fmt.Sprint(n)), 1)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Greater(t, len(by), 1)
}

// A worker that finds more than fits does not wait for its next look.
func TestT25BacklogIsWorkedOffWithoutPauses(t *testing.T) {
	c := testcluster.New(t)
	const many = 200
	p := newProcess(t, c, quick, nil)
	for n := range many {
		p.add(fmt.Sprint(n), Coin{})
	}
	done := make(chan struct{}, many)
	slow := jobs.Config{Concurrency: 2, Poll: time.Hour, Log: quick.Log} // it looks once by itself
	newProcess(t, c, slow, coins(jobs.Policy{}, func(context.Context, *process, jobs.Task, Coin) error {
		done <- struct{}{}
		return nil
	}))
	for range many {
		select {
		case <-done:
		case <-time.After(limit):
			require.Fail(t, "it waits")
		}
	}
}

func TestT25AttemptsHaveATime(t *testing.T) {
	c := testcluster.New(t)
	policy := jobs.Policy{Attempts: 1, Timeout: 20 * time.Millisecond}
	p := newProcess(t, c, quick, coins(policy, func(ctx context.Context, p *process, _ jobs.Task, _ Coin) error { return p.repo.Sleep(ctx, time.Hour) }))
	p.add("k", Coin{})
	require.Contains(t, p.becomes("k", jobs.Failed).Error, "deadline exceeded")
}

// Stop takes nothing more and waits for what runs.
func TestT25Stop(t *testing.T) {
	c := testcluster.New(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	p := newProcess(t, c, quick, coins(jobs.Policy{}, func(ctx context.Context, p *process, t jobs.Task, _ Coin) error {
		if t.Key == "k" {
			close(begun)
			return p.repo.Offload(ctx, "wait", func() error { <-finish; return nil })
		}
		return nil
	}))
	p.add("k", Coin{})
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- p.do(p.worker.Stop) }()
	require.Never(t, func() bool { return len(stopped) > 0 }, 50*time.Millisecond, 5*time.Millisecond)
	close(finish)
	require.NoError(t, <-stopped)
	require.Equal(t, jobs.Done, p.find("k").State)
	p.add("later", Coin{})
	p.worker.Look()
	require.Equal(t, jobs.Waiting, p.find("later").State)
}

// Jobs that were done are remembered as long as their configuration says, and not for ever.
func TestT25OldJobsAreForgotten(t *testing.T) {
	c := testcluster.New(t)
	p := newProcess(t, c, quick, nil)
	store := func(key string, days int) {
		when := time.Now().UTC().AddDate(0, 0, -days)
		require.NoError(t, p.do(func(ctx context.Context) error {
			o := do.New[jobs.Job]()
			o.Key, o.Name, o.State, o.Args = "coin/"+key, "coin", "coin/done/"+when.Format(time.DateOnly), "{}"
			o.Created, o.Due = when.Truncate(time.Microsecond), when.Truncate(time.Microsecond)
			_, err := p.repo.CreateStored(ctx, o, ai.Place{})
			return err
		}))
	}
	for key, days := range map[string]int{"today": 0, "kept": 7, "old": 9, "older": 40} {
		store(key, days)
	}
	newProcess(t, c, quick, coins(jobs.Policy{}, func(context.Context, *process, jobs.Task, Coin) error { return nil }))
	there := func(key string) bool {
		err := p.do(func(ctx context.Context) error {
			_, err := jobs.Find(ctx, p.repo, "coin", key)
			return err
		})
		return !errors.Is(err, ai.CodeNoObject)
	}
	require.Eventually(t, func() bool { return !there("old") && !there("older") }, limit, 5*time.Millisecond)
	require.True(t, there("today"))
	require.True(t, there("kept"))
}
