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
type Config struct {
	Director *messagedirector.Director // of this process
	URL      string                    // or: the join URL of a cluster, with its credential
	Registry *do.Registry              // the game's classes, UberDOGs and behaviours
	Name     string                    // for people: what process this is
	Instance do.ID                     // of the AI channel; zero: a random one

	Log     *slog.Logger  // nil: errors of handlers and refused sets go to slog's default
	Timeout time.Duration // of calls and requests without deadline; 0: 10 s
	Guest   bool          // do not offer the schema, only read the cluster's
	Keep    bool          // leave the objects alive when this process goes, for another to adopt
	Dev     bool          // check that objects are touched on the loop only
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
	core        *repository.AI
	loop        *repository.Loop
	log         *slog.Logger
	participant *messagedirector.Participant
	node        *messagedirector.Node // nil in the director's own process

	batch []wire.Message // Owned by the loop.
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
	r := &Repository{log: cfg.Log}
	director := cfg.Director
	if director == nil {
		var err error
		if director, err = messagedirector.New(messagedirector.Config{Log: cfg.Log}); err != nil {
			return nil, fmt.Errorf("ai: connect: %w", err)
		}
		if r.node, err = director.Connect(ctx, cfg.URL, messagedirector.NodeConfig{Name: cfg.Name}); err != nil {
			return nil, fmt.Errorf("ai: connect: %w", err)
		}
	}
	r.participant = director.Join(cfg.Name)
	r.participant.Builds()
	r.core = repository.NewAI(repository.Config{
		Registry: cfg.Registry, Side: do.SideAI, Random: random, Timeout: cfg.Timeout, Recover: true, Dev: cfg.Dev,
		Report: r.report,
	}, repository.AIConfig{Instance: cfg.Instance, Guest: cfg.Guest, Keep: cfg.Keep})
	r.loop = repository.NewLoop(r.core, repository.Shell{
		Flush: r.flush, Pull: r.pull, Wake: r.participant.Inbox().Wake(),
		Held: r.participant.Overloaded, Credit: r.participant.Credit,
		Ended: func() bool { return r.core.Err() != nil },
	})
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

// pull takes in what the director has routed here.
func (r *Repository) pull() {
	if _, err := r.participant.Inbox().Take(&r.batch); err != nil {
		r.core.Lost(err, r.loop.Now())
		return
	}
	now := r.loop.Now()
	for i := range r.batch {
		r.core.Step(r.batch[i], now)
	}
}

// flush sends what the core wants to send.
func (r *Repository) flush() {
	if out := r.core.TakeOutput(); len(out) > 0 {
		r.participant.Route(out)
	}
}

// Run drives the repository on this goroutine until ctx ends, or the link to the cluster is lost for good, which is
// its error. It leaves the cluster at the end: the objects of this AI are deleted unless Config.Keep says otherwise.
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
	r.participant.Leave()
	if r.node != nil {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
		defer cancel()
		if err := r.node.Close(ctx); err != nil {
			r.log.Warn("ai: leave", "err", err)
		}
	}
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
