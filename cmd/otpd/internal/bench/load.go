package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
)

// load is the clients' side of a run: the bots, and who lets them send.
type load struct {
	// Set before the bots, then read-only.
	cfg              ZoneConfig
	schema           *do.Schema
	pos, last, enter fields.Number
	zero             time.Time // of stamps
	ctx              context.Context
	cancel           context.CancelCauseFunc // with what ended the run

	from, to atomic.Int64  // the measured time, since zero
	settled  chan struct{} // one for each bot that sees all it should
	stalling atomic.Int64  // bots that will stop to read, or have, and are not ejected
	closing  atomic.Bool   // connections end because we close them
	readers  sync.WaitGroup
	dialer   link.Dialer // all bots share sockets: the clients' core has the more time for them

	bots   []*bot
	pacers []*pacer
}

func newLoad(ctx context.Context, cfg ZoneConfig) (*load, error) {
	registry, err := newRegistry()
	if err != nil {
		return nil, err
	}
	schema := registry.Schema()
	l := &load{
		cfg: cfg, schema: schema, zero: time.Now(), settled: make(chan struct{}, cfg.Clients),
		pos:   schema.Class("Body").FieldByName("Pos").Number,
		last:  schema.Class("Body").FieldByName("Last").Number,
		enter: schema.Class("Gate").FieldByName("Enter").Number,
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.stalling.Store(int64(cfg.Stall))
	l.from.Store(math.MaxInt64)
	l.to.Store(math.MaxInt64)
	return l, nil
}

// now is the time since zero.
func (l *load) now() time.Duration { return time.Since(l.zero) }

// window is the measured time.
func (l *load) window() (from, to time.Duration) {
	return time.Duration(l.from.Load()), time.Duration(l.to.Load())
}

// ended is told why a connection ended; the first that was not meant to ends the run.
func (l *load) ended(err error) {
	if !l.closing.Load() {
		l.cancel(fmt.Errorf("bench: a client's connection ended: %w", err))
	}
}

// dialAtOnce is how many bots are on their way in.
const dialAtOnce = 32

// enterAll connects the bots, deals them out over the zones, and waits until each sees all bodies of its zone.
func (l *load) enterAll(server Info) error {
	pin, err := server.pin()
	if err != nil {
		return err
	}
	l.bots = make([]*bot, l.cfg.Clients)
	var dialing sync.WaitGroup
	room := make(chan struct{}, dialAtOnce)
	for i := range l.bots {
		room <- struct{}{}
		dialing.Go(func() {
			defer func() { <-room }()
			zone, addr := i%l.cfg.Zones, server.Addrs[i%len(server.Addrs)]
			// Those that stall are the last ones.
			b := &bot{zone: do.Zone(zone + 1), want: zoneSize(l.cfg.Clients, l.cfg.Zones, zone) - 1, stalls: i >= l.cfg.Clients-l.cfg.Stall}
			b.hears = b.want - l.stalled(zone)
			if server.Bare {
				b.want, b.hears = 0, b.hears+1 // it says nothing of who is there, and all to the sender, too
			}
			if err := l.dial(addr, pin, b); err != nil {
				l.cancel(err)
				return
			}
			l.bots[i] = b
			select {
			case <-b.inside:
			case <-l.ctx.Done():
			}
		})
	}
	dialing.Wait()
	for range l.bots {
		select {
		case <-l.settled:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
	return nil
}

// zoneSize is how many of the clients the i-th zone has.
func zoneSize(clients, zones, i int) int {
	n := clients / zones
	if i < clients%zones {
		n++
	}
	return n
}

// stalled is how many of the i-th zone's bots stop to read.
func (l *load) stalled(zone int) (n int) {
	for i := l.cfg.Clients - l.cfg.Stall; i < l.cfg.Clients; i++ {
		if i%l.cfg.Zones == zone {
			n++
		}
	}
	return n
}

// maxPacers bounds the goroutines that send: one whose write is held back makes only its own bots late.
const maxPacers = 8

// start lets the bots send, their phases spread evenly over the period.
func (l *load) start() error {
	senders := l.bots[:len(l.bots)-l.cfg.Stall]
	n := min(maxPacers, len(senders))
	begin := (l.now() + 10*time.Millisecond).Truncate(time.Microsecond)
	period := time.Duration(float64(time.Second) / l.cfg.Hz)
	for i := range n {
		t, err := newTimer()
		if err != nil {
			return err
		}
		p := &pacer{load: l, timer: t, period: period, late: new(histogram), done: make(chan struct{})}
		for j := i; j < len(senders); j += n {
			p.bots = append(p.bots, senders[j])
			phase := period * time.Duration(j) / time.Duration(len(senders))
			p.phases = append(p.phases, (begin + phase).Truncate(time.Microsecond))
		}
		l.pacers = append(l.pacers, p)
		go p.run()
	}
	return nil
}

// close ends all connections and waits for everybody; it returns what ended the run before, if anything did.
func (l *load) close() error {
	l.closing.Store(true)
	l.to.Store(0) // pacers stop
	for _, b := range l.bots {
		if b != nil {
			_ = b.conn.Close(0, "") // it may have ended by itself
		}
	}
	err := context.Cause(l.ctx)
	l.cancel(nil)
	l.readers.Wait()
	errs := []error{err}
	for _, p := range l.pacers {
		<-p.done
		errs = append(errs, p.timer.close())
	}
	return errors.Join(errs...)
}

// sums are what all bots have counted.
type sums struct {
	deliveries, measured, bytes, wire uint64
	packets, back                     uint64 // to and from the clients
}

// wireOverhead is the IPv4 and UDP headers of a packet.
const wireOverhead = 28

func (l *load) sums() (s sums) {
	for _, b := range l.bots { // all are connected
		s.deliveries += b.deliveries.Load()
		s.measured += b.measured.Load()
		s.bytes += b.bytes.Load()
		if c, ok := b.conn.(link.Counter); ok {
			t := c.Traffic()
			s.wire += t.BytesIn + wireOverhead*t.PacketsIn
			s.packets += t.PacketsIn
			s.back += t.PacketsOut
		}
	}
	return s
}

// pacer sends for some bots, each at its times.
type pacer struct {
	load   *load
	bots   []*bot
	phases []time.Duration // of each bot's first update, since zero
	period time.Duration
	timer  *timer
	done   chan struct{}

	// Owned by run, and free again when done is closed.
	sent     uint64 // updates meant to be sent in the measured time
	expected uint64 // deliveries of those
	late     *histogram
}

// run sends until the measured time is over or the run has failed. What is late is sent at once.
func (p *pacer) run() {
	defer close(p.done)
	for k := 0; ; k++ {
		b := p.bots[k%len(p.bots)]
		due := (p.phases[k%len(p.bots)] + time.Duration(k/len(p.bots))*p.period).Truncate(time.Microsecond)
		err := p.timer.until(p.load.zero.Add(due))
		from, to := p.load.window()
		if due >= to || p.load.ctx.Err() != nil {
			return
		}
		if due >= from {
			p.sent++
			p.expected += uint64(b.hears)
			p.late.add(p.load.now() - due)
		}
		if err == nil {
			err = b.send(due, k/len(p.bots))
		}
		if err != nil {
			p.load.ended(err)
			return
		}
	}
}
