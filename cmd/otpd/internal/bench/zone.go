package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// ErrConfig is wrapped by every error about what a run is asked to be.
var ErrConfig = errors.New("bad bench")

// ZoneConfig says what a run is.
type ZoneConfig struct {
	Clients  int           // at least 2 for each zone
	Zones    int           // the clients are dealt out; those of one zone see each other. 0: 1
	Hz       float64       // updates a second of each
	For      time.Duration // measured time
	Warmup   time.Duration // before it, under load
	Coalesce bool          // set a latest field, by datagrams: values may be lost or coalesced away
	NoAck    bool          // do not ask for an acknowledgement of each update, as game clients do
	Stall    int           // how many of the clients stop to read when the measured time begins
	Profile  string        // file for a CPU profile of the server; empty: none
	Core     int           // that the caller has bound this process to; only told on. -1: none
}

// Validate fills in the defaults, and refuses what cannot be run. Errors wrap ErrConfig.
func (c *ZoneConfig) Validate() error {
	if c.Zones == 0 {
		c.Zones = 1
	}
	switch {
	case c.Zones < 1, c.Clients < 2*c.Zones, c.Clients > 10_000:
		return fmt.Errorf("%d clients in %d zones: want 2 or more in each, and at most 10000: %w", c.Clients, c.Zones, ErrConfig)
	case c.Stall < 0 || c.Clients-c.Stall < 2*c.Zones:
		return fmt.Errorf("%d of %d clients stop to read: want 2 or more in each zone that do not: %w", c.Stall, c.Clients, ErrConfig)
	case !(c.Hz >= minHz && c.Hz <= maxHz):
		return fmt.Errorf("%g updates a second: want %g to %d, an agent takes no more: %w", c.Hz, minHz, maxHz, ErrConfig)
	case c.For <= 0 || c.Warmup < 0:
		return fmt.Errorf("for %v after %v: %w", c.For, c.Warmup, ErrConfig)
	case c.For+c.Warmup > time.Hour:
		return fmt.Errorf("for %v after %v: want at most an hour together: %w", c.For, c.Warmup, ErrConfig)
	}
	return nil
}

// minHz has an update of each client in a run of the default length; maxHz is below the frames that an agent takes from
// one client in a second.
const (
	minHz = 0.1
	maxHz = 900
)

// enterTime is how long all clients may take to come in.
const enterTime = 2 * time.Minute

// Zone runs clients in zones against a server, and measures.
func Zone(ctx context.Context, cfg ZoneConfig, server Info) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, err := newLoad(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r := newResult(cfg, server)
	err = l.run(server, r)
	if closed := l.close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	r.latencies(l)
	if server.Bare {
		r.withoutEchoes()
	}
	return r, nil
}

// run brings the clients in, warms up, measures, and waits for what is still under way.
func (l *load) run(server Info, r *Result) error {
	late := time.AfterFunc(enterTime, func() { l.cancel(fmt.Errorf("bench: not all clients came in within %v", enterTime)) })
	begin := time.Now()
	if err := l.enterAll(server); err != nil {
		return err
	}
	late.Stop()
	r.EnterSeconds = time.Since(begin).Seconds()
	if err := l.start(); err != nil {
		return err
	}
	from := (l.now() + l.cfg.Warmup).Truncate(time.Microsecond)
	l.to.Store(int64(from + l.cfg.For))
	l.from.Store(int64(from))
	if err := l.wait(from); err != nil {
		return err
	}
	profiled := make(chan error, 1)
	if l.cfg.Profile != "" {
		go func() { profiled <- Profile(l.ctx, server, l.cfg.For, l.cfg.Profile) }()
	} else {
		profiled <- nil
	}
	before, err := l.snapshot(server)
	if err != nil {
		return err
	}
	if err := l.wait(from + l.cfg.For); err != nil {
		return err
	}
	after, err := l.snapshot(server)
	if err != nil {
		return err
	}
	r.used(before, after)
	return errors.Join(l.drain(r), <-profiled)
}

// wait waits until a time since zero.
func (l *load) wait(until time.Duration) error {
	t := time.NewTimer(until - l.now())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// snapshot is what both sides have used and counted so far.
type snapshot struct {
	at              time.Duration
	server, clients Usage
	machine         float64 // CPU seconds of all processes; negative: unknown
	sums            sums
}

func (l *load) snapshot(server Info) (s snapshot, err error) {
	s.machine = -1
	if busy, ok := machineBusy(); ok {
		s.machine = busy
	}
	s.clients, s.sums, s.at = ownUsage(), l.sums(), l.now()
	return s, get(l.ctx, server.Control, "/usage", &s.server)
}

// drainTime is how long a delivery may still come after the measured time, ejectTime how long the server may take to
// eject who does not read.
const (
	drainTime = 2 * time.Second
	ejectTime = 30 * time.Second
)

// drain waits until all expected deliveries have come, or it is clear that they do not, and until those that do not
// read are ejected.
func (l *load) drain(r *Result) error {
	for _, p := range l.pacers {
		select {
		case <-p.done:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
		r.Updates += p.sent
		r.Expected += p.expected
	}
	end := l.now() + drainTime
	for l.sums().measured < r.Expected && l.now() < end {
		if err := l.wait(l.now() + 10*time.Millisecond); err != nil {
			return err
		}
	}
	for end := l.now() + ejectTime; l.stalling.Load() > 0 && l.now() < end; {
		if err := l.wait(l.now() + 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// newResult has what is known before the run.
func newResult(cfg ZoneConfig, server Info) *Result {
	return &Result{
		Coalesce: cfg.Coalesce,
		Stalled:  cfg.Stall, Separate: server.PID != os.Getpid(), Server: Side{Core: server.Pinned}, ClientSide: Side{Core: cfg.Core, Procs: runtime.GOMAXPROCS(0)},
	}
}
