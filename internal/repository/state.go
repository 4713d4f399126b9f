package repository

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Config is what a State is made with. It is read once.
type Config struct {
	// Registry has the game's classes and behaviours; Side says which of its behaviours are meant. Objects of a
	// class that it does not have are kept untyped, as values.
	Registry *do.Registry
	Side     do.Side
	// Random is the source of ids. It must be set where objects are created.
	Random func() uint64
	// Report hears of what nobody waits for: errors of handlers, refused sets, values that do not decode.
	Report func(err error)
	// Timeout is how long calls and requests wait whose context has no deadline. 0: 10 s.
	Timeout time.Duration
	// Recover turns a panic of a game's handler into the failure of that call (AIs). Otherwise it is not caught.
	Recover bool
	// Cache is how many Go objects that left the view and are Cacheable are kept (clients). 0: DefaultCache for a client;
	// below 0: none.
	Cache int
	// GenerateEvery is how often a Deferrable object is generated at most; 0: each at once.
	GenerateEvery time.Duration
	// Dev checks that objects are touched on the loop only.
	Dev bool
}

// State is everything that a repository knows: the objects that it sees, owns or runs, its own writes and calls in
// flight, its handlers. It does no I/O, reads no clock and starts nothing that runs beside it. It has one owner, the
// loop. What comes in and goes out is the adapter's: AI speaks messages with a director, Client frames with an agent.
type State struct {
	cfg     Config
	port    port
	last    lastWriter // nil: this side writes nothing of objects that went
	now     int64      // unix nanoseconds, as the last input said
	schema  *do.Schema
	objects map[do.ID]*object
	context uint32
	writes  map[uint32]*write
	written uint64 // number of the last write
	waits   map[uint32]*waiter
	cancels []*waiter     // whose context can be cancelled; looked at on each tick
	loopID  atomic.Uint64 // goroutine of the loop, in dev mode

	sched  scheduler
	timers timers
	build  fields.MapBuilder

	cache     []kept              // objects that left the view, the oldest first
	late      []*object           // that wait for their generate, the oldest first
	nextLate  int64               // when the next of them may
	relations map[do.ID][]*waiter // for objects that are waited for
	spare     []*activity         // runs to be used again
	doubts    int                 // objects in doubt
	linked    int                 // among them, those of which the link was lost
}

// port is the side that a State speaks to.
type port interface {
	// write sends a write; its answer is given to settle.
	write(w *write)
	// call sends a call of a field of o; its answer is given to answer.
	call(context uint32, o *object, f *do.Field, arg []byte, deadline int64) error
	// maySet reports whether this side may set or send the field.
	maySet(o *object, f *do.Field) bool
	// uses reports whether a request of the adapter's own has this context.
	uses(context uint32) bool
	// bundles reports whether several objects' changes can leave as one.
	bundles() bool
	// answerCall sends the answer to a call that came in, on its own.
	answerCall(in *incoming, reply wire.CallReply)
}

// setup fills the parts that both adapters share.
func (s *State) setup(cfg Config, p port) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	s.cfg, s.port = cfg, p
	s.objects = make(map[do.ID]*object)
	s.writes = make(map[uint32]*write)
	s.waits = make(map[uint32]*waiter)
	s.sched.waiting = make(map[*coroutine]struct{})
	s.sched.dev = cfg.Dev
}

// Now is the time of the last input, unix nanoseconds.
func (s *State) Now() int64 { return s.now }

// Schema is the cluster's schema, nil before it is known.
func (s *State) Schema() *do.Schema { return s.schema }

func (s *State) report(err error) { s.cfg.Report(err) }

// Advance moves the clock and fires nothing: for what happens between two ticks.
func (s *State) Advance(now int64) { s.advance(now) }

// advance moves the clock, never back.
func (s *State) advance(now int64) {
	if now > s.now {
		s.now = now
	}
}

// tick fires timers and lets what they caused run.
func (s *State) tick() {
	s.timers.run(s.now)
	s.checkCancelled()
	s.sched.drain()
}

// Next is when Tick must be called at the latest, unix nanoseconds; 0: no need.
func (s *State) Next() int64 {
	next := s.timers.next()
	if len(s.cancels) > 0 {
		if soon := s.now + int64(20*time.Millisecond); next == 0 || soon < next {
			next = soon
		}
	}
	return next
}

// nextContext gives a number that no open request has; 0 means: no answer wanted, and is never given.
func (s *State) nextContext() uint32 {
	for {
		s.context = (s.context + 1) & (1<<30 - 1)
		if s.context == 0 || s.port.uses(s.context) {
			continue
		}
		if _, ok := s.writes[s.context]; ok {
			continue
		}
		if _, ok := s.waits[s.context]; ok {
			continue
		}
		return s.context
	}
}

// After runs fn as a handler once, d from now.
func (s *State) After(d time.Duration, fn func(ctx context.Context) error) *Timer {
	return s.timers.add(s.now+int64(d), 0, func() { s.spawn(&activity{what: "task", task: fn}) })
}

// Every runs fn as a handler each d; runs that were missed are not made up for.
func (s *State) Every(d time.Duration, fn func(ctx context.Context) error) *Timer {
	return s.timers.add(s.now+int64(d), int64(max(d, time.Millisecond)), func() { s.spawn(&activity{what: "task", task: fn}) })
}

// StopTimer takes a timer back.
func (s *State) StopTimer(t *Timer) { s.timers.stop(t) }

// Do runs fn as a handler under parent; done, if not nil, is told when it has returned and what it
// returned.
func (s *State) Do(parent context.Context, fn func(ctx context.Context) error, done func(error)) {
	if s.sched.closed {
		if done != nil {
			done(ErrClosed)
		}
		return
	}
	s.spawn(&activity{what: "task", task: fn, parent: parent, after: done})
	s.sched.drain()
}

// spawn queues an activity.
func (s *State) spawn(a *activity) {
	a.s = s
	s.sched.enqueue(runnable{start: a})
}

// Close ends all waits with ErrClosed and lets their handlers return.
func (s *State) Close() {
	s.sched.close()
	s.timers.heap = nil
}

// classOf is the class with the cluster's number.
func (s *State) classOf(n uint32) (*do.Class, error) {
	if s.schema == nil {
		return nil, fmt.Errorf("repository: class %d: %w", n, ErrSchema)
	}
	c := s.schema.ByNumber(n)
	if c == nil {
		return nil, fmt.Errorf("repository: class %d: %w", n, ErrSchema)
	}
	return c, nil
}

// Find is the Go object of id, nil if it is not here, or not generated yet, or has none.
func (s *State) Find(id do.ID) any {
	if o := s.objects[id]; o != nil && o.inst != nil && !o.late {
		return o.inst.Target()
	}
	return nil
}

// FindAll are the Go objects for which want is true, in the order of their ids.
func (s *State) FindAll(want func(target any) bool) []any {
	var out []any
	for _, o := range s.sorted() {
		if o.inst != nil && !o.dog && !o.late && want(o.inst.Target()) {
			out = append(out, o.inst.Target())
		}
	}
	return out
}

// Len is how many objects the repository holds.
func (s *State) Len() int { return len(s.objects) }

// Quiet reports whether no own write is in flight, no object is in doubt, and no handler waits.
func (s *State) Quiet() bool {
	return len(s.writes) == 0 && len(s.waits) == 0 && len(s.sched.waiting) == 0 && s.doubts == 0
}
