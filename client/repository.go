package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// Errors, besides those that the cluster answers with (wire.Error, to be compared by wire.Code).
var (
	ErrClosed     = repository.ErrClosed
	ErrNoObject   = repository.ErrNoObject
	ErrNoHandler  = repository.ErrNoHandler
	ErrDenied     = repository.ErrDenied
	ErrOffLoop    = repository.ErrOffLoop
	ErrUnanswered = repository.ErrUnanswered
	// ErrConfig is wrapped by errors about a Config.
	ErrConfig = errors.New("wrong configuration")
)

// EjectError is the end of a session as the agent told it: a numbered reason.
type EjectError = repository.EjectError

// Interest is a wish to see the objects in some zones: Wait tells when all in it have entered.
type Interest = repository.Interest

// Timer is what After and Every return.
type Timer = repository.Timer

// Dialer is for processes with many sessions, such as bots: those that name the same one share UDP sockets, and the work
// of reading them. The zero value is ready.
type Dialer = link.Dialer

// Config says how a client connects. Only Registry is needed.
type Config struct {
	Registry *do.Registry // the game's classes, UberDOGs and behaviours
	TLS      *tls.Config  // nil: the system's roots
	Version  string       // of the game, compared by the agent when it has one
	Meta     string       // free text for the agent's log: platform, build
	Dialer   *Dialer      // shares sockets with other sessions of this process; nil: Dial opens one

	Log         *slog.Logger  // nil: errors of handlers and refused sets go to slog's default
	Timeout     time.Duration // of calls without deadline; 0: 10 s
	NoDatagrams bool          // latest values and clock samples travel on the stream
	Dev         bool          // check that objects are touched on the loop only

	Cache         int           // how many Cacheable objects that left the view are kept; 0: 10, below 0: none
	GenerateEvery time.Duration // at most one Deferrable object is generated in it; 0: all at once
}

// Repository holds the objects that a client sees or owns. Except for those that say otherwise, its methods are
// called on its loop; those with a context wait, and so are called in handlers.
type Repository struct {
	// Set by Open, then read-only.
	core *repository.Client
	loop *repository.Loop
	conn link.Conn
	log  *slog.Logger
	out  *writer

	clock atomic.Pointer[repository.Clock] // a copy for other goroutines

	work    sync.WaitGroup // readers and writer
	cancel  context.CancelFunc
	closing sync.Once
}

// Dial connects to an agent (host:port), says hello and waits for its welcome. Nothing runs until Run or Poll is
// called. An agent that has no room for the moment, or no schema yet, is tried again for some seconds, as long as ctx
// lasts. Errors: an *EjectError with the agent's reason, a wire.Error with CodeSchema and the first difference when the
// classes do not fit, or that of the network.
func Dial(ctx context.Context, addr string, cfg Config) (*Repository, error) {
	for wait := againWait; ; wait *= 2 {
		r, err := dial(ctx, addr, cfg)
		if !passing(err) || wait > againWait<<againTries {
			return r, err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// An agent is tried again after about againWait at first, and twice as long each time.
const (
	againWait  = 50 * time.Millisecond
	againTries = 6
)

// passing reports whether an agent is likely to answer otherwise in a moment: one that shakes many hands at once refuses
// some, and one that has just started waits for the schema.
func passing(err error) bool {
	var eject *EjectError
	return errors.Is(err, link.ErrRefused) || errors.As(err, &eject) && eject.Reason == wire.ReasonNotReady
}

func dial(ctx context.Context, addr string, cfg Config) (*Repository, error) {
	dialer := cfg.Dialer
	if dialer == nil {
		dialer = new(Dialer)
	}
	conn, err := dialer.Dial(ctx, addr, link.DialConfig{TLS: cfg.TLS, NoDatagrams: cfg.NoDatagrams})
	if err != nil {
		return nil, fmt.Errorf("client: dial %s: %w", addr, err)
	}
	return Open(ctx, conn, cfg)
}

// Open is Dial over a connection that exists. The connection is the repository's then, and closed when it fails.
func Open(ctx context.Context, conn link.Conn, cfg Config) (*Repository, error) {
	if cfg.Registry == nil {
		return nil, errors.Join(fmt.Errorf("client: open: %w: Registry is missing", ErrConfig), conn.Close(0, ""))
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	r := &Repository{conn: conn, log: cfg.Log, out: newWriter()}
	r.core = repository.NewClient(repository.Config{
		Registry: cfg.Registry, Side: do.SideClient, Timeout: cfg.Timeout, Dev: cfg.Dev,
		Cache: cfg.Cache, GenerateEvery: cfg.GenerateEvery,
		Report: func(err error) { r.log.Warn("client", "session", r.core.Session(), "err", err) },
	}, repository.ClientConfig{Version: cfg.Version, Meta: cfg.Meta, Datagrams: conn.Datagrams() && !cfg.NoDatagrams})
	r.loop = repository.NewLoop(r.core, repository.Shell{Flush: r.flush, Ended: func() bool { return r.core.Err() != nil }})
	r.start()
	r.core.Start(r.loop.Now())
	r.loop.Until(ctx, func() bool { return r.core.Ready() || r.core.Err() != nil })
	err := r.core.Err()
	if err == nil && !r.core.Ready() {
		err = ctx.Err()
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("client: open: %w", err)
	}
	return r, nil
}

// flush gives the writer what the core wants to send, and publishes the clock.
func (r *Repository) flush() {
	out := r.core.TakeOutput()
	if !r.out.put(out.Stream, out.Datagrams) {
		r.core.Lost(errBehind, r.loop.Now())
	}
	if c, old := r.core.Clock(), r.clock.Load(); old == nil || *old != c {
		r.clock.Store(new(c))
	}
}

// Run drives the repository on this goroutine until ctx ends, which is a goodbye and no error, or the session ends:
// its error says why, an *EjectError if the agent did.
func (r *Repository) Run(ctx context.Context) error {
	r.loop.Run(ctx)
	err := r.core.Err()
	r.Close()
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Poll handles what has come, once per frame on the game's own thread, which is the loop then. Its error is final.
func (r *Repository) Poll() error {
	r.loop.Poll()
	return r.core.Err()
}

// Goodbye ends the session from this side, in a handler or by Do: Run then returns.
func (r *Repository) Goodbye() { r.core.Goodbye() }

// Close says goodbye and ends the repository: on the loop, or when nobody drives it. Run calls it by itself.
func (r *Repository) Close() {
	r.closing.Do(func() {
		r.core.Goodbye()
		r.loop.Close()
		r.out.finish()
		select {
		case <-r.out.done:
		case <-time.After(goodbyeTime):
		}
		r.cancel()
		if err := r.conn.Close(0, ""); err != nil {
			r.log.Debug("client: close", "err", err)
		}
		r.work.Wait()
	})
}

// goodbyeTime is how long Close waits for an agent that does not read.
const goodbyeTime = 500 * time.Millisecond

// Do queues fn to run as a handler. Any goroutine may call it.
func (r *Repository) Do(fn func(ctx context.Context) error) error { return r.loop.Do(fn) }

// DoWait runs fn as a handler and waits until it has returned. Any goroutine but the loop's may call it.
func (r *Repository) DoWait(ctx context.Context, fn func(ctx context.Context) error) error {
	return r.loop.DoWait(ctx, fn)
}

// Now is the server's time and the bound of its error; ok is false before the first answer of the agent. Any goroutine
// may call it.
func (r *Repository) Now() (now time.Time, bound time.Duration, ok bool) {
	c := r.clock.Load()
	if c == nil {
		return time.Time{}, 0, false
	}
	server, err, ok := c.Time(r.loop.Now())
	return time.Unix(0, server), time.Duration(err), ok
}

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
