package ai

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// Errors, besides those that the cluster answers with (wire.Error, to be compared by wire.Code).
var (
	ErrClosed         = repository.ErrClosed
	ErrNoObject       = repository.ErrNoObject
	ErrOtherPartition = repository.ErrOtherPartition
	ErrNoHandler      = repository.ErrNoHandler
	ErrOffLoop        = repository.ErrOffLoop
	ErrPanic          = repository.ErrPanic
	ErrUnanswered     = repository.ErrUnanswered
	// ErrConfig is wrapped by errors about a Config.
	ErrConfig = errors.New("wrong configuration")
)

// goodbyeTime is how long Close waits for the peers to hear of it.
const goodbyeTime = 2 * time.Second

// Config says how an AI process joins. Registry and one of Director and URL are needed.
//
// URL may be several, with commas between them: addresses of one cluster. As file:PATH it is read from a file, which a
// daemon leaves as DATA/join.url, each time that the process joins. A process that is cut off from the cluster, or whose
// daemon dies, goes on and joins again, until it is told to end: see Restore.
type Config struct {
	Director *messagedirector.Director // of this process
	URL      string                    // or: the join URL of a cluster, with its credential; see [Config]
	Registry *do.Registry              // the game's classes, UberDOGs and behaviours
	Name     string                    // for people: what process this is
	Instance do.ID                     // of the AI channel; zero: a random one

	Log     *slog.Logger  // nil: errors of handlers and refused sets go to slog's default
	Timeout time.Duration // of calls and requests without deadline; 0: 10 s
	Guest   bool          // do not offer the schema, only read the cluster's
	Keep    bool          // leave the objects alive when this process goes, for another to adopt
	Dev     bool          // check that objects are touched on the loop only

	// Restore is run as a handler after objects of this process went with the State that had them, or while the process
	// was cut off: it puts back what is missing. By then those objects had their OnDelete, or OnDisable if the database has
	// them, and those that are left have the values that their States have. If it fails it is run again, after a while. nil:
	// what is gone stays gone.
	Restore func(ctx context.Context, r *Repository) error
}

func (c *Config) validate() error {
	switch {
	case c.Registry == nil:
		return fmt.Errorf("ai: connect: %w: Registry is missing", ErrConfig)
	case (c.Director == nil) == (c.URL == ""):
		return fmt.Errorf("ai: connect: %w: give either Director or URL", ErrConfig)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Name == "" {
		c.Name = "ai"
	}
	if c.Instance.IsZero() {
		c.Instance = do.NewID(0, time.Now().UnixMilli(), random())
	}
	return nil
}

// random is 64 bits of the system's randomness, for ids.
func random() uint64 {
	var b [8]byte
	// Read never fails: it ends the process when the system has no randomness.
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// Repository holds the objects that an AI process runs, owns or watches. Except for those that say otherwise, its
// methods are called on its loop; those with a context wait, and so are called in handlers.
type Repository struct {
	// Set by Connect, then read-only.
	core     *repository.AI
	loop     *repository.Loop
	log      *slog.Logger
	name     string
	director *messagedirector.Director

	// Owned by the loop.
	batch       []wire.Message
	participant *messagedirector.Participant // nil: cut off
	activated   map[*do.Class]bool           // what was said of it

	link link // nothing of it is used in the director's own process
}

// Place says how an object comes into the world; the zero value of everything but At is what nearly all want.
type Place = repository.Place

// Caller is who caused a handler to run.
type Caller = repository.Caller

// Interest is a wish to see the objects in some zones.
type Interest = repository.Interest

// Timer is what After and Every return.
type Timer = repository.Timer

// CallerOf is who sent the event or call that the handler with this context hears (rule 91).
func CallerOf(ctx context.Context) Caller { return repository.CallerOf(ctx) }

// Connect joins a cluster, offers the schema and waits until the cluster's is known. Nothing runs until Run or Poll
// is called; what Create and others return before that is sent then.
func Connect(ctx context.Context, cfg Config) (*Repository, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Repository{log: cfg.Log, name: cfg.Name, director: cfg.Director}
	if r.director == nil {
		if err := r.link.open(ctx, r, cfg.URL); err != nil {
			return nil, fmt.Errorf("ai: connect: %w", err)
		}
	}
	var restore func(ctx context.Context) error
	if cfg.Restore != nil {
		restore = func(ctx context.Context) error { return cfg.Restore(ctx, r) }
	}
	r.core = repository.NewAI(repository.Config{
		Registry: cfg.Registry, Side: do.SideAI, Random: random, Timeout: cfg.Timeout, Recover: true, Dev: cfg.Dev,
		Report: r.report,
	}, repository.AIConfig{Instance: cfg.Instance, Guest: cfg.Guest, Keep: cfg.Keep, Restore: restore})
	r.loop = repository.NewLoop(r.core, repository.Shell{
		Flush: r.flush, Pull: r.pull, Wake: r.wake, Held: r.director.Overloaded, Credit: r.director.Credit,
		Ended: func() bool { return r.core.Err() != nil },
	})
	r.join()
	if r.link.node != nil {
		r.link.watch(r)
	}
	r.core.Start(r.loop.Now())
	r.loop.Until(ctx, func() bool { return r.core.Ready() || r.core.Err() != nil })
	if err := r.core.Err(); err != nil {
		r.Close()
		return nil, fmt.Errorf("ai: connect: %w", err)
	}
	if !r.core.Ready() {
		r.Close()
		return nil, fmt.Errorf("ai: connect: no schema record yet: %w", ctx.Err())
	}
	return r, nil
}

// report logs what nobody waits for. A call that a handler refused has had its answer.
func (r *Repository) report(err error) {
	if errors.Is(err, repository.ErrAnswered) {
		r.log.Debug("ai", "err", err)
		return
	}
	r.log.Error("ai", "err", err)
}

// join makes the repository a participant.
func (r *Repository) join() {
	r.participant = r.director.Join(r.name)
	r.participant.Builds()
}

// wake receives when something came; nothing does while the process is cut off.
func (r *Repository) wake() <-chan struct{} {
	if r.participant == nil {
		return nil
	}
	return r.participant.Inbox().Wake()
}

// pull takes in what the director has routed here.
func (r *Repository) pull() {
	if r.participant == nil {
		return
	}
	if _, err := r.participant.Inbox().Take(&r.batch); err != nil {
		if r.link.node != nil && (errors.Is(err, messagedirector.ErrEpochDead) || errors.Is(err, messagedirector.ErrCut)) {
			r.cutOff(err)
			return
		}
		r.core.Lost(err, r.loop.Now())
		return
	}
	now := r.loop.Now()
	for i := range r.batch {
		r.core.Step(r.batch[i], now)
	}
	if len(r.batch) > 0 {
		r.participant.Inbox().Worked()
	}
}

// flush sends what the core wants to send. While the process is cut off nobody would hear it.
func (r *Repository) flush() {
	if out := r.core.TakeOutput(); len(out) > 0 && r.participant != nil {
		r.participant.Route(out)
	}
}

// Run drives the repository on this goroutine until ctx ends, or it cannot go on, which is its error: the cluster's schema
// does not fit any more, say, or more came than can be kept. A lost link is none: it joins again. At its end it
// saves what is changed on the objects that it runs and leaves the cluster: these are deleted unless Config.Keep says otherwise.
func (r *Repository) Run(ctx context.Context) error {
	r.loop.Run(ctx)
	err := r.core.Err()
	r.Close()
	return err
}

// Poll handles what has come, once per frame on the game's own thread, which is the loop then. Its error is final.
func (r *Repository) Poll() error {
	r.loop.Poll()
	return r.core.Err()
}

// Close ends the repository: on the loop, or when nobody drives it. Run calls it by itself.
func (r *Repository) Close() {
	r.loop.Close()
	r.link.close(r)
}

// Do queues fn to run as a handler. Any goroutine may call it.
func (r *Repository) Do(fn func(ctx context.Context) error) error { return r.loop.Do(fn) }

// DoThen is Do with a context that fn sees, and with what becomes of it: done is called on the loop when fn has returned
// and what it did was sent, or undone. It is called once, or ErrClosed is returned.
func (r *Repository) DoThen(ctx context.Context, fn func(ctx context.Context) error, done func(err error)) error {
	if !r.loop.Post(func() { r.core.Do(ctx, fn, done) }) {
		return ErrClosed
	}
	return nil
}

// DoWait runs fn as a handler and waits until it has returned. Any goroutine but the loop's may call it.
func (r *Repository) DoWait(ctx context.Context, fn func(ctx context.Context) error) error {
	return r.loop.DoWait(ctx, fn)
}

// Channel is the AI channel of this process.
func (r *Repository) Channel() do.Channel { return r.core.Channel() }

// Schema is the cluster's schema.
func (r *Repository) Schema() *do.Schema { return r.core.Schema() }

// Now is the loop's clock.
func (r *Repository) Now() time.Time { return time.Unix(0, r.loop.Now()) }

// After runs fn as a handler once, in d.
func (r *Repository) After(d time.Duration, fn func(ctx context.Context) error) *Timer {
	return r.core.After(d, fn)
}

// Every runs fn as a handler each d. Runs that were missed are not made up for.
func (r *Repository) Every(d time.Duration, fn func(ctx context.Context) error) *Timer {
	return r.core.Every(d, fn)
}

// Stop takes a timer back.
func (r *Repository) Stop(t *Timer) { r.core.StopTimer(t) }

// View is a copy of everything that the repository holds, for tests and tools.
func (r *Repository) View() []repository.ObjectView { return r.core.View() }
