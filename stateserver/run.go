package stateserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// Options are what the goroutine around a State needs beyond the State's own Config. The zero value is useful.
type Options struct {
	Log *slog.Logger // none: nothing is logged
	// Record is called with every input of the State before its Step, ticks included; an error ends the recording and is
	// logged. See wire.Recorder and Config.Text.
	Record func(wire.Message) error
	// Now is the clock; nil: the system's.
	Now func() time.Time
	// Grace is how long Run goes on after its context ended, to write what is dirty; 0: 5 s.
	Grace time.Duration
}

// Server owns a State and connects it with a message director.
type Server struct {
	// Set before run, then read-only.
	participant *messagedirector.Participant
	options     Options
	asks        chan func(*State)
	done        chan struct{} // closed when Run has ended

	// Owned by Run.
	state  *State
	out    wire.Outbox
	batch  []wire.Message
	record func(wire.Message) error

	metrics Metrics
}

// Metrics are a Server's counts, for any goroutine to read. See Counters for their meaning; the depth and age of the
// inbox are the director's.
type Metrics struct {
	Objects, Updates, Refused, Parked, Dirty, Writes, Lost, Calls, Digests atomic.Uint64
	WriteLag                                                               atomic.Int64 // nanoseconds
	Batches                                                                atomic.Uint64
	Messages                                                               atomic.Uint64 // taken from the inbox
}

// NewServer makes a State and its Server for a participant that has just joined, and subscribes the partitions: from
// now on their objects can be reached; what comes is handled by Run.
func NewServer(cfg Config, p *messagedirector.Participant, options Options) (*Server, error) {
	state, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Grace == 0 {
		options.Grace = 5 * time.Second
	}
	s := &Server{
		participant: p, options: options, state: state, record: options.Record,
		asks: make(chan func(*State)), done: make(chan struct{}),
	}
	state.Start(&s.out)
	s.route()
	return s, nil
}

// Metrics are the server's counts.
func (s *Server) Metrics() *Metrics { return &s.metrics }

// ErrStopped is the error of Inspect when the server does not run any more.
var ErrStopped = errors.New("stateserver: stopped")

// Inspect runs f on the server's goroutine between two Steps, and waits for it. f may read the State, with Scan for
// example, and must not keep it.
func (s *Server) Inspect(ctx context.Context, f func(*State)) error {
	ran := make(chan struct{})
	ask := func(st *State) {
		defer close(ran)
		f(st)
	}
	select {
	case s.asks <- ask:
		<-ran
		return nil
	case <-s.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run is the State's goroutine: it takes what has accumulated in the inbox, lets time pass, steps through it and routes
// what that caused. When ctx ends it writes what is dirty, for Options.Grace at most, and leaves. It returns nil then,
// or why the participant ended, or ErrDeposed.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.done)
	defer s.participant.Leave()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	var grace <-chan time.Time
	for {
		s.arm(timer)
		select {
		case <-s.participant.Inbox().Wake():
			if err := s.take(); err != nil {
				return fmt.Errorf("stateserver: %w", err)
			}
		case <-timer.C:
			s.tick()
			s.route()
		case ask := <-s.asks:
			ask(s.state)
		case <-stop:
			end := time.NewTimer(s.options.Grace)
			defer end.Stop()
			stop, grace = nil, end.C
			if err := s.take(); err != nil { // the last of those who went before
				return fmt.Errorf("stateserver: %w", err)
			}
		case <-grace:
			s.options.Log.Error("not everything was written before the end", "err", ErrStopped, "objects", s.metrics.Dirty.Load())
			return nil
		}
		if s.state.Deposed() {
			s.options.Log.Error("the state server ends", "err", ErrDeposed)
			return ErrDeposed
		}
		if stop == nil && s.state.Idle() {
			return nil
		}
	}
}

// arm sets the timer to when something is due.
func (s *Server) arm(timer *time.Timer) {
	next := s.state.Next()
	if next == 0 {
		timer.Stop()
		return
	}
	timer.Reset(time.Duration(next - s.options.Now().UnixNano()))
}

// routeAt is after how many messages they are routed in the middle of a batch, so that a long one does not keep its
// receivers idle.
const routeAt = 1024

// take steps through everything that has accumulated.
func (s *Server) take() error {
	ok, err := s.participant.Inbox().Take(&s.batch)
	if err != nil || !ok {
		return err
	}
	s.tick()
	for i := range s.batch {
		s.step(s.batch[i])
		if len(s.out.Messages) >= routeAt {
			s.route()
		}
	}
	s.metrics.Batches.Add(1)
	s.metrics.Messages.Add(uint64(len(s.batch)))
	s.participant.Inbox().Worked()
	s.route()
	return nil
}

// tick lets the time pass.
func (s *Server) tick() {
	s.step(wire.Message{Body: &wire.Tick{Unix: s.options.Now().UnixNano()}})
}

// step gives one input to the State. A refused message is only logged: it has its answer.
func (s *Server) step(m wire.Message) {
	if s.record != nil {
		if err := s.record(m); err != nil {
			s.options.Log.Error("the recording ends", "err", err)
			s.record = nil
		}
	}
	if err := s.state.Step(m, &s.out); errors.Is(err, ErrLost) {
		s.options.Log.Error("stateserver: a value is in memory only", "err", err)
	} else if err != nil {
		s.options.Log.Debug("refused", "err", err, "channel", m.From)
	}
}

// route sends what the Steps caused, and publishes the counts.
func (s *Server) route() {
	s.participant.Route(s.out.Messages)
	s.out.Reset()
	c, m := s.state.Counters(), &s.metrics
	m.Objects.Store(c.Objects)
	m.Updates.Store(c.Updates)
	m.Refused.Store(c.Refused)
	m.Parked.Store(c.Parked)
	m.Dirty.Store(c.Dirty)
	m.Writes.Store(c.Writes)
	m.Lost.Store(c.Lost)
	m.Calls.Store(c.Calls)
	m.Digests.Store(c.Digests)
	m.WriteLag.Store(c.WriteLag)
}
