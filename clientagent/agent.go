package clientagent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// AgentConfig says how the shell around a State runs.
type AgentConfig struct {
	Config
	Name     string // for people; default "clientagent"
	Director *messagedirector.Director
	Listener link.Listener // closed when Run ends
	Log      *slog.Logger  // nil: nothing is logged
	// Record, if set, gets every input of the State before it is stepped, on the agent's goroutine.
	Record func(wire.Message)
	// Lose, if set, is asked for each message from the cluster; true loses it before the State hears it. It runs on
	// the agent's goroutine, and is for tests of what repairs a loss.
	Lose func(wire.Message) bool
	// PerAddress bounds the connections from one address (reason 1). 0: no bound.
	PerAddress int
	// FlushMost bounds how long output is gathered when there is much of it. Default 10 ms.
	FlushMost time.Duration
	// Grace is how long the last words of a session may take. Default 2 s.
	Grace time.Duration
}

func (c *AgentConfig) validate() error {
	switch {
	case c.Director == nil:
		return fmt.Errorf("clientagent: config: %w", errors.New("no director"))
	case c.Listener == nil:
		return fmt.Errorf("clientagent: config: %w", errors.New("no listener"))
	}
	if c.Name == "" {
		c.Name = "clientagent"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Grace == 0 {
		c.Grace = 2 * time.Second
	}
	return nil
}

// Agent runs one State: it accepts connections, reads and writes them, and is the State's participant. Several may
// run in one process.
type Agent struct {
	// Set before Run, then read-only.
	cfg   AgentConfig
	log   *slog.Logger
	part  *messagedirector.Participant
	grace time.Duration

	// From the other goroutines to run.
	opened chan *peer
	input  chan timed
	closed chan error // why nobody can come any more

	stats   atomic.Pointer[Stats]
	latency Histogram
	wg      sync.WaitGroup

	// Owned by run.
	state   *State
	out     wire.Outbox
	peers   map[do.ID]*peer
	byHost  map[string]int
	batch   []wire.Message
	ticked  time.Time
	flushed time.Time
	pace    pace
	slot    int // of the last flush
	turn    int // rounds of them
	counted int // ticks since the counters were published
}

// timed is an input and when it came.
type timed struct {
	m  wire.Message
	at time.Time
}

// inputQueue is how many reads of clients wait for the State; more of them wait on their connections.
const inputQueue = 1024

// NewAgent makes an agent that Run runs.
func NewAgent(cfg AgentConfig) (*Agent, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	state, err := New(cfg.Config)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, log: cfg.Log, grace: cfg.Grace, state: state,
		opened: make(chan *peer), input: make(chan timed, inputQueue), closed: make(chan error, 1),
		peers: map[do.ID]*peer{}, byHost: map[string]int{}, pace: newPace(cfg.FlushMost),
	}
	a.stats.Store(&Stats{})
	return a, nil
}

// Stats is a recent copy of the State's counters. Any goroutine may ask.
func (a *Agent) Stats() Stats { return *a.stats.Load() }

// Latency is how long what clients sent waited for the State. Any goroutine may read it.
func (a *Agent) Latency() *Histogram { return &a.latency }

// Addr is where clients reach the agent.
func (a *Agent) Addr() net.Addr { return a.cfg.Listener.Addr() }

const (
	// tickEvery is how often the State hears the time when nothing else happens.
	tickEvery = 10 * time.Millisecond
	// tickLeast is the time between two of its ticks: what is due is not that urgent, and a recording has them all.
	tickLeast = time.Millisecond
)

// Run serves clients until ctx ends; then it ejects them with reason 155 and returns nil. Any other end is an error.
func (a *Agent) Run(ctx context.Context) error {
	a.part = a.cfg.Director.Join(a.cfg.Name)
	accepting, stop := context.WithCancel(ctx)
	a.wg.Go(func() { a.accept(accepting) })
	a.state.Start(&a.out)
	a.route()
	err := a.loop(ctx)
	stop()
	a.shutdown()
	err = errors.Join(err, a.cfg.Listener.Close())
	a.wg.Wait()
	a.part.Leave()
	return err
}

// loop is the one goroutine that owns the State.
func (a *Agent) loop(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.tick(time.Now())
			a.drained(0)
			a.publish()
		case <-flush.C:
		case err := <-a.closed:
			return fmt.Errorf("clientagent: %s: accept: %w", a.cfg.Name, err)
		case p := <-a.opened:
			a.tick(time.Now())
			a.open(p)
		case in := <-a.input:
			a.tick(time.Now())
			a.take(in)
		case <-a.part.Inbox().Wake():
			a.tick(time.Now())
			if err := a.takeInbox(); err != nil {
				return fmt.Errorf("clientagent: %s: %w", a.cfg.Name, err)
			}
		}
		a.route()
		if wait := a.flush(time.Now()); wait > 0 {
			flush.Reset(wait)
		}
	}
}

// step gives one input to the State.
func (a *Agent) step(m wire.Message) {
	if a.cfg.Record != nil {
		a.cfg.Record(m)
	}
	if err := a.state.Step(m, &a.out); err != nil {
		a.log.Debug("refused", "err", err)
	}
}

// tick tells the State the time, unless it knows it within a millisecond.
func (a *Agent) tick(now time.Time) {
	if now.Sub(a.ticked) < tickLeast {
		return
	}
	a.ticked = now
	a.step(wire.Message{Body: &wire.Tick{Unix: now.UnixNano()}})
}

// most is how many inputs are taken before what they caused is routed and flushed.
const most = 256

// take takes one client input, and those that wait behind it.
func (a *Agent) take(in timed) {
	now := time.Now()
	for n := 0; ; n++ {
		a.latency.Observe(now.Sub(in.at))
		a.step(in.m)
		if n == most {
			return
		}
		select {
		case in = <-a.input:
		default:
			return
		}
	}
}

// loadMost is how many bytes openings bring before they are flushed in the middle of a batch: so the first entries of a
// large zone are on their way, and their client is at work, while the last are still to come.
const loadMost = 8 << 10

// takeInbox takes all that was routed to the agent.
func (a *Agent) takeInbox() error {
	if _, err := a.part.Inbox().Take(&a.batch); err != nil {
		return err
	}
	for _, m := range a.batch {
		if a.cfg.Lose == nil || !a.cfg.Lose(m) {
			a.step(m)
		}
		if a.state.Loaded() >= loadMost {
			a.route()
			a.flush(time.Now())
			runtime.Gosched() // to the writers, where there is no other processor for them
		}
	}
	a.part.Inbox().Worked()
	return nil
}

// route sends what the Steps caused.
func (a *Agent) route() {
	if len(a.out.Messages) > 0 {
		a.part.Route(a.out.Messages)
	}
	a.out.Reset()
}

// flush hands output to the writers: at once when nothing was flushed for a while, else at an interval that follows the
// load, because packets are what costs. It returns after how long there is something to flush, 0: never.
func (a *Agent) flush(now time.Time) time.Duration {
	if !a.state.Dirty() {
		return 0
	}
	a.pace.measure(now, a.state.Owed())
	step, slots := a.pace.step()
	since := now.Sub(a.flushed)
	if wait := step - since; wait > 0 {
		a.pace.due = now.Add(wait)
		return wait
	}
	if since >= step*time.Duration(slots) {
		slots = 1 // nobody was flushed for a whole interval
	}
	a.pace.flushed(now)
	a.flushed = now
	f := a.nextPart(slots)
	if a.cfg.Record != nil {
		a.cfg.Record(wire.Message{Body: &f})
	}
	a.state.FlushPart(&f, a.deliver)
	a.drained(drainedSoon)
	if !a.state.Dirty() {
		return 0
	}
	return max(step, time.Millisecond)
}

// nextPart is the next part of the sessions to flush, of so many.
func (a *Agent) nextPart(slots int) wire.Flush {
	turns := a.pace.turns()
	if a.slot++; a.slot >= slots {
		a.slot = 0
		a.turn++
	}
	return wire.Flush{Slot: uint16(a.slot), Slots: uint16(slots), Turn: uint16(a.turn % turns), Turns: uint16(turns)}
}

// drainedSoon is the backlog from which on the State hears of it with each flush, and not only with ticks.
const drainedSoon = 8 << 10

// drained tells the State what the writers have not written, of sessions that had so much.
func (a *Agent) drained(least uint32) {
	for _, t := range a.state.Backlogged() {
		if t.Pending < least {
			continue
		}
		if p := a.peers[t.Session]; p != nil {
			if left := uint32(p.w.unwritten.Load()); left != t.Pending {
				a.step(wire.Message{Body: &wire.SessionDrained{Session: t.Session, Pending: left}})
			}
		}
	}
}

// deliver hands one session's output to its writer.
func (a *Agent) deliver(o *Out) {
	p := a.peers[o.Session]
	if p == nil {
		return
	}
	p.flushed = a.pace.flushing(p.flushed)
	// A recording has all that the State hears of backlogs.
	if o.Written = a.cfg.Record == nil && p.w.direct(p.conn, o); o.Written {
		return
	}
	p.w.put(o)
	if o.Close {
		a.cut(p, o)
		delete(a.peers, o.Session)
		if a.byHost[p.host]--; a.byHost[p.host] <= 0 {
			delete(a.byHost, p.host)
		}
		a.log.Info("session ended", "session", o.Session, "reason", uint16(o.Reason), "text", o.Text)
	}
}

// cut ends a connection whose writer may be stuck: at once if its client does not read or is gone, else after the grace.
func (a *Agent) cut(p *peer, o *Out) {
	grace, reason, text := a.grace, o.Reason, o.Text
	if reason == 0 || reason == wire.ReasonSlow {
		grace = 0
	}
	timer := time.NewTimer(grace)
	a.wg.Go(func() {
		defer timer.Stop()
		select {
		case <-timer.C:
			_ = p.conn.Close(reason, text)
		case <-p.ended.Done():
		}
	})
}

// open gives a new connection a session.
func (a *Agent) open(p *peer) {
	if a.byHost[p.host]++; a.cfg.PerAddress > 0 && a.byHost[p.host] > a.cfg.PerAddress {
		a.byHost[p.host]--
		p.closed()
		_ = p.conn.Close(wire.ReasonFull, "too many connections from this address")
		return
	}
	a.peers[p.id] = p
	a.log.Debug("session opened", "session", p.id, "remote", p.conn.RemoteAddr())
	a.step(wire.Message{Body: &wire.SessionOpened{
		Session: p.id, Remote: p.conn.RemoteAddr().String(), Local: p.conn.LocalAddr().String(), Datagrams: p.conn.Datagrams(),
	}})
	a.wg.Go(p.write)
	a.wg.Go(p.read)
	if p.conn.Datagrams() {
		a.wg.Go(p.readDatagrams)
	}
}

// accept takes connections until ctx ends. A listener that ends before is the end of the agent.
func (a *Agent) accept(ctx context.Context) {
	for {
		conn, err := a.cfg.Listener.Accept(ctx)
		if err != nil {
			if ctx.Err() == nil {
				a.closed <- err
			}
			return
		}
		p := newPeer(a, conn, do.NewID(0, time.Now().UnixMilli(), rand.Uint64()))
		select {
		case a.opened <- p:
		case <-ctx.Done():
			p.closed()
			_ = conn.Close(wire.ReasonShutdown, "shutting down")
			return
		}
	}
}

// shutdown ejects everybody, and waits for their last words.
func (a *Agent) shutdown() {
	if len(a.peers) > 0 { // an Eject to nobody is refused
		a.step(wire.Message{To: []do.Channel{do.AllClients()}, Body: &wire.Eject{Reason: wire.ReasonShutdown, Text: "shutting down"}})
		a.route()
	}
	ending := make([]*peer, 0, len(a.peers))
	for _, p := range a.peers {
		ending = append(ending, p)
	}
	a.state.Flush(a.deliver)
	for _, p := range ending {
		<-p.ended.Done()
	}
	a.publishNow()
}

// publish lets other goroutines see the counters, about four times a second.
func (a *Agent) publish() {
	if a.counted++; a.counted >= 25 {
		a.publishNow()
	}
}

func (a *Agent) publishNow() {
	a.counted = 0
	s := a.state.Stats()
	a.stats.Store(&s)
}
