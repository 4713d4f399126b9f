package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Config says how a worker works. The zero value is useful.
type Config struct {
	Concurrency int           // jobs that it does at once; 0: 8
	Poll        time.Duration // how often it looks for jobs that others added; 0: 1 s
	Lease       time.Duration // after which a job of a worker that died is taken by another; 0: 30 s
	// Keep is how long a job that was done is remembered, so that its key is not done again; to the day; 0: 7 days.
	Keep time.Duration
	Log  *slog.Logger // nil: slog's default
}

// Policy says how often and how fast a job is tried. The zero value is useful.
type Policy struct {
	Attempts int           // 0: 5
	Backoff  time.Duration // before the second attempt, about; twice as long before each further one; 0: 1 s
	Longest  time.Duration // pause between two attempts; 0: 5 min
	Timeout  time.Duration // of one attempt; 0: 30 s
}

// Task is a job that is being done.
type Task struct {
	ID      do.ID
	Name    string
	Key     string // as it was added
	Attempt int    // 1 for the first
	Last    bool   // there will be no other attempt
	Created time.Time
}

// handler is what does the jobs of one name.
type handler struct {
	name   string
	policy Policy
	run    func(ctx context.Context, t Task, args string) error
	stats  stats
}

// Worker does jobs. Its methods are called on the repository's loop, or before that runs, except for Metrics.
type Worker struct {
	// Set by NewWorker, then read-only.
	r   *ai.Repository
	cfg Config
	id  do.ID

	// Owned by the loop.
	handlers []*handler // ascending by name
	turn     int        // whose jobs are looked at first the next time
	running  map[do.ID]*run
	found    []*run // jobs that were due when it last looked, and did not fit
	full     bool   // when it last looked, there were more than it looked at
	looking  bool
	again    bool // it is to look once more when it has looked
	started  bool
	stopping bool
	cleaned  string // the day of the last cleaning
	timers   []*ai.Timer
}

// NewWorker makes a worker that does nothing yet.
func NewWorker(r *ai.Repository, cfg Config) (*Worker, error) {
	defaults(&cfg.Concurrency, 8)
	defaults(&cfg.Poll, time.Second)
	defaults(&cfg.Lease, 30*time.Second)
	defaults(&cfg.Keep, 7*24*time.Hour)
	if cfg.Concurrency < 1 || cfg.Poll < 0 || cfg.Lease < 0 || cfg.Keep < 0 {
		return nil, fmt.Errorf("jobs: %w: a member is negative", ErrConfig)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Worker{r: r, cfg: cfg, id: do.NewID(0, r.Now().UnixMilli(), random()), running: make(map[do.ID]*run)}, nil
}

func defaults[T int | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Handle says what does the jobs of a name. f runs as a handler on the repository's loop; its context ends at the policy's
// timeout, when the lease is lost (ErrLease is its cause), or with the repository. Arguments that are not an A make a job
// fail at once.
func Handle[A any](w *Worker, name string, p Policy, f func(ctx context.Context, t Task, args A) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	defaults(&p.Attempts, 5)
	defaults(&p.Backoff, time.Second)
	defaults(&p.Longest, 5*time.Minute)
	defaults(&p.Timeout, 30*time.Second)
	switch {
	case p.Attempts < 0 || p.Backoff < 0 || p.Longest < p.Backoff || p.Timeout < 0:
		return fmt.Errorf("jobs: handle %s: %w: a member is negative, or the longest pause below the first", name, ErrConfig)
	case w.started:
		return fmt.Errorf("jobs: handle %s: %w: the worker has started", name, ErrConfig)
	case slices.ContainsFunc(w.handlers, func(h *handler) bool { return h.name == name }):
		return fmt.Errorf("jobs: handle %s: %w: there is a handler", name, ErrConfig)
	}
	w.handlers = append(w.handlers, &handler{name: name, policy: p, run: func(ctx context.Context, t Task, text string) error {
		var args A
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			return fmt.Errorf("%w: %w: %w", ErrPermanent, ErrArgs, err)
		}
		return f(ctx, t, args)
	}})
	slices.SortFunc(w.handlers, func(a, b *handler) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return nil
}

// Start begins.
func (w *Worker) Start() {
	if w.started {
		return
	}
	w.started = true
	w.timers = []*ai.Timer{
		w.r.Every(w.cfg.Poll, w.look),
		w.r.Every(w.cfg.Lease/3, w.prolong),
	}
	w.Look()
}

// Look makes the worker look for jobs now, as after an Add in the same process; else it does so by itself after Poll.
func (w *Worker) Look() {
	if w.started && !w.stopping {
		_ = w.r.Do(w.look) // only a repository that is closed has an error: then there is nothing to do
	}
}

// Stop takes no more jobs and waits, in a handler, until those that run have ended, or ctx has.
func (w *Worker) Stop(ctx context.Context) error {
	w.stopping = true
	for len(w.running) > 0 {
		if err := w.r.Sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	for _, t := range w.timers {
		w.r.Stop(t)
	}
	return nil
}

// most is how many jobs of a state are looked at at once. Of those that wait it is several times what fits, since others
// take some meanwhile.
const most = 1000

// look finds jobs that are due, and begins as many as fit.
func (w *Worker) look(ctx context.Context) error {
	if w.looking || w.stopping {
		w.again = true
		return nil
	}
	w.looking, w.again = true, false
	defer func() {
		w.looking = false
		if w.again {
			w.Look()
		}
	}()
	w.found, w.full = nil, false
	w.turn++
	var err error
	for i := range w.handlers {
		h := w.handlers[(i+w.turn)%len(w.handlers)]
		// Those first that were begun already.
		for _, s := range []State{Taken, Retried, Waiting} {
			if err == nil {
				err = w.lookAt(ctx, h, s)
			}
		}
	}
	w.fill()
	if err == nil {
		err = w.clean(ctx)
	}
	if err != nil && !errors.Is(err, ai.ErrClosed) {
		w.cfg.Log.Warn("jobs: look", "err", err) // the next look tries again
	}
	return nil
}

// fill begins jobs that were found as long as they fit.
func (w *Worker) fill() {
	for len(w.found) > 0 && len(w.running) < w.cfg.Concurrency && !w.stopping {
		t := w.found[0]
		w.found = w.found[1:]
		if w.running[t.id] == nil {
			w.begin(t)
		}
	}
}

// lookAt finds jobs of one name and state.
func (w *Worker) lookAt(ctx context.Context, h *handler, s State) error {
	// Those that wait come in the order in which they are due, the others do not.
	limit := most
	if s == Waiting {
		limit = min(most, 8*w.cfg.Concurrency)
	}
	rows, err := ai.Query[Job](ctx, w.r, "State", s.in(h.name), limit)
	if err != nil {
		return err
	}
	now := w.r.Now()
	found := len(rows)
	rows = slices.DeleteFunc(rows, func(row ai.Row[Job]) bool { return row.Object.Due.After(now) })
	if s == Waiting {
		h.stats.behind(now, rows)
		w.full = w.full || found == limit && len(rows) == found
	}
	// Several workers look at once: each begins somewhere else.
	rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	for _, row := range rows {
		w.found = append(w.found, &run{h: h, id: row.ID, row: row.Version, job: row.Object})
	}
	return nil
}

// clean forgets jobs that were done long ago, once a day and at the start.
func (w *Worker) clean(ctx context.Context) error {
	now := w.r.Now()
	today := now.UTC().Format(time.DateOnly)
	if w.cleaned == today {
		return nil
	}
	for _, h := range w.handlers {
		for back := range daysBack {
			if err := w.forget(ctx, doneOn(h.name, now.Add(-w.cfg.Keep).AddDate(0, 0, -1-back))); err != nil {
				return err
			}
		}
	}
	w.cleaned = today
	return nil
}

// daysBack is how many days before those that are kept are looked at. What is older was forgotten on one of them, unless
// there was no worker for so long: then it stays.
const daysBack = 60

// forget deletes the rows of a state.
func (w *Worker) forget(ctx context.Context, state string) error {
	for {
		rows, err := ai.Query[Job](ctx, w.r, "State", state, 1000)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			_, err := w.r.Request(ctx, do.Control(do.RoleDatabase), func(c uint32) wire.Body { return &wire.DBDelete{Context: c, DO: row.ID} })
			if err != nil && !errors.Is(err, ai.CodeNoObject) {
				return err
			}
		}
	}
}
