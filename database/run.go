package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// ServerConfig says how a Server works. The zero value of each member but State.Partitions means its default.
type ServerConfig struct {
	State    Config
	Log      *slog.Logger   // none: nothing is logged
	Recorder *wire.Recorder // none: nothing is recorded; owned by Run

	CallTimeout  time.Duration // of one work of the backend; default 4 s
	DrainTimeout time.Duration // how long Run goes on at its end to answer what came before; default 5 s
	FirstBackoff time.Duration // before the first question whether the database is back, then doubled; default 50 ms
	MaxBackoff   time.Duration // default 1 s
}

func (c ServerConfig) withDefaults() ServerConfig {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&c.CallTimeout, 4 * time.Second},
		{&c.DrainTimeout, 5 * time.Second},
		{&c.FirstBackoff, 50 * time.Millisecond},
		{&c.MaxBackoff, time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.zero
		}
	}
	return c
}

// Server runs a State between a director and a backend. One goroutine, that of Run, owns the State; as many more as
// the State has batches under way call the backend.
type Server struct {
	// Set before run, then read-only.
	cfg     ServerConfig
	backend Backend
	part    *messagedirector.Participant

	// Owned by run.
	state    *State
	out      wire.Outbox
	failures int // works that left the State without a database, one after the other
	wasAway  bool
	refused  wire.Code // Counters.Refusing as it was told last

	jobs     chan job
	outcomes chan wire.Message
	counters atomic.Pointer[Counters] // as of the last turn of run
}

// job is work that begins after a delay.
type job struct {
	work  Work
	delay time.Duration
}

// refresh is how often the time goes on without anything else: for the metrics.
const refresh = time.Second

// NewServer joins the director, so that from now on the service can be reached; what comes is handled by Run. The
// backend stays the caller's, who closes it after Run.
func NewServer(d *messagedirector.Director, b Backend, cfg ServerConfig) (*Server, error) {
	state, err := New(cfg.State)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), backend: b, part: d.Join("database"), state: state}
	// The reading of the schema record and a probe may be under way beside as many batches as there may be.
	room := state.cfg.Workers + 2
	s.jobs, s.outcomes = make(chan job, room), make(chan wire.Message, room)
	s.counters.Store(&Counters{})
	state.Start(&s.out)
	s.part.Route(s.out.Messages)
	s.out.Reset()
	return s, nil
}

// Run serves until ctx ends, then answers what came before, and returns nil. Other errors are the director's, or that
// of the recording.
func (s *Server) Run(ctx context.Context) error {
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	for range cap(s.jobs) {
		workers.Go(func() { s.call(calls) })
	}
	err := s.loop(ctx)
	cancel()
	close(s.jobs)
	workers.Wait()
	s.part.Leave()
	if s.cfg.Recorder != nil {
		err = errors.Join(err, s.cfg.Recorder.Flush())
	}
	if err != nil {
		return fmt.Errorf("database: run: %w", err)
	}
	return nil
}

// loop is the life of the State.
func (s *Server) loop(ctx context.Context) error {
	ticker := time.NewTicker(refresh)
	defer ticker.Stop()
	ending, late := ctx.Done(), (<-chan time.Time)(nil)
	var batch []wire.Message
	for {
		if err := s.turn(); err != nil {
			return err
		}
		if ending == nil && s.state.Idle() {
			return nil
		}
		wake := s.part.Inbox().Wake()
		if c := s.Counters(); !c.Known && !c.Away {
			wake = nil // who asks in the first moment waits, instead of hearing that we are not ready
		}
		select {
		case <-wake:
			if err := s.take(&batch); err != nil {
				return err
			}
		case m := <-s.outcomes:
			if err := s.outcome(m); err != nil {
				return err
			}
		case <-ticker.C:
			if s.cfg.Recorder != nil {
				if err := s.cfg.Recorder.Flush(); err != nil {
					return err
				}
			}
		case <-ending:
			ending = nil
			timer := time.NewTimer(s.cfg.DrainTimeout)
			defer timer.Stop()
			late = timer.C
			if err := s.take(&batch); err != nil {
				return err
			}
		case <-late:
			s.cfg.Log.Error("database: requests without answer at the end", "waiting", s.state.Counters().Waiting)
			return nil
		}
	}
}

// turn ends a group of inputs: it lets the State make work, sends what it said, and hands the work out.
func (s *Server) turn() error {
	if err := s.step(wire.Message{From: service, Body: &wire.Tick{Unix: time.Now().UnixNano()}}); err != nil {
		return err
	}
	s.part.Route(s.out.Messages)
	s.out.Reset()
	for _, w := range s.state.Work() {
		j := job{work: w}
		if w.Kind == WorkReadSchema {
			j.delay = s.backoff()
		}
		s.jobs <- j // never blocks: the State has no more under way than there is room for
	}
	c := s.state.Counters()
	s.counters.Store(&c)
	if c.Away != s.wasAway {
		s.wasAway = c.Away
		if c.Away {
			s.cfg.Log.Warn("database: away", "err", c.Reason)
		} else {
			s.cfg.Log.Info("database: back")
		}
	}
	if c.Refusing != s.refused {
		s.refused = c.Refusing
		if c.Refusing != wire.CodeOK {
			s.cfg.Log.Error("database: takes no writes: "+c.Refusing.String(), "err", c.Reason)
		} else {
			s.cfg.Log.Info("database: takes writes again")
		}
	}
	return nil
}

// take gives the State what the director has for it.
func (s *Server) take(batch *[]wire.Message) error {
	ok, err := s.part.Inbox().Take(batch)
	if err != nil || !ok {
		return err
	}
	for _, m := range *batch {
		if err := s.step(m); err != nil {
			return err
		}
	}
	s.part.Inbox().Worked()
	return nil
}

// outcome gives the State what work came to.
func (s *Server) outcome(m wire.Message) error {
	code, text := wire.CodeOK, ""
	switch b := m.Body.(type) {
	case *wire.DBSchemaIs:
		code, text = b.Code, b.Reason
	case *wire.DBWorked:
		code, text = b.Code, b.Text
	}
	if code == wire.CodeAway {
		s.cfg.Log.Warn("database: backend failed", "err", text)
	}
	err := s.step(m)
	if s.state.away {
		s.failures++
	} else {
		s.failures = 0
	}
	return err
}

// step records an input and gives it to the State. What the State refuses is no error of the server.
func (s *Server) step(m wire.Message) error {
	if s.cfg.Recorder != nil {
		if err := s.cfg.Recorder.Record(&m); err != nil {
			return err
		}
	}
	err := s.state.Step(m, &s.out)
	var refusal *Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal):
		s.cfg.Log.Debug("database: refused", "from", m.From, "do", refusal.DO, "err", err)
	default:
		s.cfg.Log.Warn("database: step", "from", m.From, "err", err)
	}
	return nil
}

// backoff is how long to wait before the schema record is read: not at all the first time, then ever longer, with
// jitter, so that many processes do not come at once.
func (s *Server) backoff() time.Duration {
	if s.failures == 0 {
		return 0
	}
	d := s.cfg.MaxBackoff
	if n := s.failures - 1; n < 16 {
		d = min(d, s.cfg.FirstBackoff<<n)
	}
	return d/2 + rand.N(d/2+1)
}

// call is a worker: it has the backend do one work after the other.
func (s *Server) call(ctx context.Context) {
	for j := range s.jobs {
		if j.delay > 0 {
			timer := time.NewTimer(j.delay)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
		}
		limited, cancel := context.WithTimeout(ctx, s.cfg.CallTimeout)
		s.outcomes <- j.work.Run(limited, s.backend) // never blocks: there is room for all that is under way
		cancel()
	}
}

// Counters are those of the State as of the last turn of Run. Any goroutine may call it.
func (s *Server) Counters() Counters { return *s.counters.Load() }

// Ready says why the role cannot serve now, nil if it can. Any goroutine may call it.
func (s *Server) Ready() error {
	switch c := s.Counters(); {
	case c.Away:
		return &awayError{c.Reason}
	case c.Refusing != wire.CodeOK:
		return fmt.Errorf("database: takes no writes: %w", c.Refusing.Err(c.Reason))
	case !c.Known:
		return fmt.Errorf("database: the schema record was not read yet: %w", wire.CodeNotReady)
	}
	return nil
}

// awayError is ErrUnavailable with the reason that the database gave, which may be another one.
type awayError struct{ reason string }

func (e *awayError) Error() string { return "database: away: " + e.reason }
func (e *awayError) Unwrap() error { return ErrUnavailable }
