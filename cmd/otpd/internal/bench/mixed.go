package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// MixedMethod is how a living world is measured.
const MixedMethod = "Clients walk over a grid of zones, each with its own zone and those around it in view. Each sets its position at the rate, steps into " +
	"a neighbouring cell now and then (a move, and its interest altered to the zones around), says something to those around, and calls an AI that answers. " +
	"A delivery is a position or a line of chat seen by another client. Every latency is from the intended time of sending: positions and chat until " +
	"another client has read them, calls and interests until they are answered."

// MixedConfig says what world.
type MixedConfig struct {
	Clients   []int
	Zones     int
	Hz        int
	StepEvery time.Duration // of one client
	SayEvery  time.Duration
	AskEvery  time.Duration
	For       time.Duration
	Warmup    time.Duration
	Agents    int
}

// Jobs are the rows.
func (c MixedConfig) Jobs(start *Launcher) (jobs []Job, err error) {
	switch {
	case c.Zones < 9 || c.Zones > 1<<20:
		return nil, fmt.Errorf("%d zones: want 9 or more: %w", c.Zones, ErrConfig)
	case c.Hz < 1 || c.Hz > maxHz/3:
		return nil, fmt.Errorf("%d updates a second: want 1 to %d: %w", c.Hz, maxHz/3, ErrConfig)
	case c.For <= 0 || c.Warmup < 0 || c.For+c.Warmup > time.Hour:
		return nil, fmt.Errorf("for %v after %v: %w", c.For, c.Warmup, ErrConfig)
	case c.StepEvery <= 0 || c.SayEvery <= 0 || c.AskEvery <= 0:
		return nil, fmt.Errorf("steps every %v, chat every %v, calls every %v: %w", c.StepEvery, c.SayEvery, c.AskEvery, ErrConfig)
	}
	for _, n := range c.Clients {
		if n < 1 || n > 10_000 {
			return nil, fmt.Errorf("%d clients: want 1 to 10000: %w", n, ErrConfig)
		}
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("%d clients on %d zones at %d Hz", n, c.grid().cols*c.grid().rows, c.Hz), Settings: map[string]float64{"clients": float64(n), "zones": float64(c.Zones), "hz": float64(c.Hz)},
			Run: func(ctx context.Context) (Sample, error) {
				return start.With(ctx, ServerConfig{Agents: c.Agents}, func(i Info) (Sample, error) { return c.run(ctx, i, n) })
			},
		})
	}
	return jobs, nil
}

// cells is a grid of zones, from 1 on.
type cells struct{ cols, rows int }

// grid is about as wide as high.
func (c MixedConfig) grid() cells {
	cols := 3
	for (cols+1)*(cols+1) <= c.Zones {
		cols++
	}
	return cells{cols, c.Zones / cols}
}

// walk is a world of walkers.
type walk struct {
	MixedConfig
	load          *load
	cells         cells
	say, ask, pos fields.Number
	mu            sync.Mutex
	late          histogram // Guarded by mu
	updates       uint64    // Guarded by mu. Sent in the measured time
}

// walker is one client.
type walker struct {
	w *walk
	p *plain

	// Owned by the pacer once it is in.
	cell  int
	set   wire.ClientSet
	next  uint32 // context of a request
	value []byte
	frame []byte
	n     int // updates sent

	ready chan uint32 // its own alias

	mu    sync.Mutex
	asked map[uint32]time.Duration // Guarded by mu. When calls and interests were meant to be sent, by call or context

	// Owned by read.
	own                             uint32
	open, in                        bool
	deliveries                      uint64
	positions, chats, calls, alters histogram
}

// Contexts of interests have this bit, so that they are no calls.
const interestBit = 1 << 31

func (c MixedConfig) run(ctx context.Context, server Info, clients int) (Sample, error) {
	l, err := newLoad(ctx, ZoneConfig{For: c.For, Warmup: c.Warmup})
	if err != nil {
		return Sample{}, err
	}
	body := l.schema.Class("Body")
	w := &walk{
		MixedConfig: c, load: l, cells: c.grid(), pos: l.pos, say: body.FieldByName("Say").Number, ask: body.FieldByName("Ask").Number,
	}
	walkers, err := w.enter(server, clients)
	s := Sample{}
	if err == nil {
		s, err = w.measure(server, walkers)
	}
	l.closing.Store(true)
	for _, k := range walkers {
		if k != nil {
			_ = k.p.conn.Close(0, "") // it may have ended by itself
		}
	}
	if cause := context.Cause(l.ctx); err == nil {
		err = cause
	}
	l.cancel(nil)
	l.readers.Wait()
	if err != nil {
		return s, err
	}
	w.latencies(walkers, s.Values)
	return s, nil
}

// enter brings all walkers in, each somewhere.
func (w *walk) enter(server Info, clients int) ([]*walker, error) {
	walkers := make([]*walker, clients)
	var dialing sync.WaitGroup
	room := make(chan struct{}, dialAtOnce)
	for i := range walkers {
		room <- struct{}{}
		dialing.Go(func() {
			defer func() { <-room }()
			k := &walker{w: w, cell: rand.IntN(w.cells.cols * w.cells.rows), ready: make(chan uint32, 1), asked: map[uint32]time.Duration{}}
			var err error
			if k.p, err = dialPlain(w.load.ctx, w.load, server, i); err == nil {
				walkers[i] = k
				err = k.p.say(w.load.enterCall(k.zone()))
				w.load.readers.Go(k.read)
			}
			if err != nil {
				w.load.cancel(err)
			}
		})
	}
	dialing.Wait()
	for _, k := range walkers {
		if k == nil {
			return walkers, context.Cause(w.load.ctx)
		}
		select {
		case alias := <-k.ready:
			k.set.Ref = wire.AliasRef(alias)
		case <-w.load.ctx.Done():
			return walkers, context.Cause(w.load.ctx)
		case <-time.After(enterTime):
			return walkers, fmt.Errorf("bench: not all clients came in within %v", enterTime)
		}
	}
	return walkers, nil
}

// zone is where the walker is.
func (k *walker) zone() do.Zone { return do.Zone(k.cell + 1) }

// around are the zones that it sees.
func (k *walker) around() (zones []do.Zone) {
	col, row := k.cell%k.w.cells.cols, k.cell/k.w.cells.cols
	for r := max(row-1, 0); r <= min(row+1, k.w.cells.rows-1); r++ {
		for c := max(col-1, 0); c <= min(col+1, k.w.cells.cols-1); c++ {
			zones = append(zones, do.Zone(r*k.w.cells.cols+c+1))
		}
	}
	return zones
}

// interest is the request for these.
func (k *walker) interest() *wire.ClientAddInterest {
	k.next++
	return &wire.ClientAddInterest{Context: k.next | interestBit, Handle: 1, Parent: yardID(), Zones: k.around()}
}

// read takes what comes until the connection ends.
func (k *walker) read() {
	for {
		if err := k.p.read(k.take); err != nil {
			k.w.load.ended(err)
			return
		}
	}
}

// take takes one frame.
func (k *walker) take(f wire.Frame) error {
	now := k.w.load.now()
	switch f := f.(type) {
	case *wire.ClientEnterOwner:
		k.own = f.Alias
		k.settle()
	case *wire.ClientUpdate:
		return k.delivery(f, now)
	case *wire.ClientReply:
		if err := codeError("call", f.Code, f.Text); err != nil {
			return err
		}
		if f.Call == 1 { // the gate let it in
			return k.p.say(k.interest())
		}
		k.answered(f.Call, now, &k.calls)
	case *wire.ClientInterestDone:
		k.open = true
		k.settle()
		if f.Code == wire.CodeClosed { // by the next one: a step that came soon after
			k.forget(f.Context)
			return nil
		}
		k.answered(f.Context, now, &k.alters)
		return codeError("interest", f.Code, f.Text)
	}
	return nil
}

// settle says that the walker can be sent on its way, once.
func (k *walker) settle() {
	if k.open && k.own != 0 && !k.in {
		k.in = true
		k.ready <- k.own
	}
}

// delivery counts a position or a line of chat.
func (k *walker) delivery(f *wire.ClientUpdate, now time.Duration) error {
	h, at := &k.positions, time.Duration(0)
	switch f.Field {
	case k.w.pos:
		var err error
		if at, err = readStamp(f.Value, now); err != nil {
			return err
		}
	case k.w.say:
		args, _, err := fields.ReadString(f.Value)
		if err != nil {
			return fmt.Errorf("bench: chat: %w", err)
		}
		us, err := strconv.ParseInt(string(args[:min(stampDigits, len(args))]), 10, 64)
		if err != nil {
			return fmt.Errorf("bench: chat: %w", err)
		}
		h, at = &k.chats, time.Duration(us)*time.Microsecond
	default:
		return nil
	}
	if from, to := k.w.load.window(); at >= from && at < to {
		k.deliveries++
		h.add(now - at)
	}
	return nil
}

// forget takes back that a request is expected to be answered.
func (k *walker) forget(id uint32) {
	k.mu.Lock()
	delete(k.asked, id)
	k.mu.Unlock()
}

// answered books the answer to a request of the measured time.
func (k *walker) answered(id uint32, now time.Duration, h *histogram) {
	k.mu.Lock()
	at, ok := k.asked[id]
	delete(k.asked, id)
	k.mu.Unlock()
	if from, to := k.w.load.window(); ok && at >= from && at < to {
		h.add(now - at)
	}
}
