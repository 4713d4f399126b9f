package messagedirector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/otpd/otpd/wire"
)

// ErrOverflow ends a participant that let more accumulate than its hard limit allows.
var ErrOverflow = errors.New("inbox is over its hard limit")

// keepMessages bounds the buffers that are used again: a burst's buffer is given back to the collector.
const keepMessages = 1 << 16

// Inbox is what has been routed to one participant and not been taken yet. Putting into it never blocks; its one
// receiver takes all that has accumulated in one swap.
type Inbox struct {
	// Set before run, then read-only.
	wake  chan struct{} // capacity 1: there may be something to take
	gate  *gate
	high  int // bytes: past it originators are held back
	limit int // bytes: past it the participant ends
	start time.Time

	mu sync.Mutex
	// Guarded by mu.
	messages []wire.Message
	packets  []placed // only in the queue to a peer
	bytes    int
	taken    int             // bytes of the batch that the receiver works on
	since    int64           // nanoseconds after start: when the oldest of messages came
	working  int64           // the same of the batch that the receiver works on, 0 if it is none
	over     bool            // counted by gate
	unheard  map[*Member]int // only in the queue to a peer: how often it started over without that the member took it in
	losses   []loss          // starts of links of which LinkLost is among messages
	err      error           // why nothing comes any more
}

// placed is a packet of the bus between messages: before messages[at].
type placed struct {
	at     int
	packet wire.Packet
}

// InboxStats are the measures of an inbox.
type InboxStats struct {
	Depth int           // messages that wait
	Bytes int           // roughly, with the batch in work
	Age   time.Duration // of the oldest message that waits or is in work
	Over  bool          // past the high-water mark
}

func newInbox(g *gate, high, limit int, start time.Time) *Inbox {
	return &Inbox{wake: make(chan struct{}, 1), gate: g, high: high, limit: limit, start: start}
}

// Wait returns all that has accumulated, and blocks while that is nothing. batch is the buffer of the receiver: it
// holds the same messages until the next Wait, which clears and uses it again. Errors are final (ErrLeft, ErrOverflow,
// ErrEpochDead, ErrClosed), or that of ctx.
func (in *Inbox) Wait(ctx context.Context, batch *[]wire.Message) ([]wire.Message, error) {
	for {
		ok, err := in.Take(batch)
		if ok || err != nil {
			return *batch, err
		}
		select {
		case <-in.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Take is Wait without waiting: it reports whether there was something.
func (in *Inbox) Take(batch *[]wire.Message) (bool, error) {
	ok, _, err := in.take(batch, nil)
	return ok, err
}

// Worked says that the batch that was taken last is done with: else it counts as in work until the next one is taken,
// which for an idle participant is never.
func (in *Inbox) Worked() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.taken, in.working = 0, 0
	if in.over && in.bytes < in.high/2 {
		in.over = false
		in.gate.lower()
	}
}

// Wake receives when there may be something to take: for loops that select over other things too.
func (in *Inbox) Wake() <-chan struct{} { return in.wake }

// take swaps the receiver's buffers for what has accumulated.
func (in *Inbox) take(batch *[]wire.Message, packets []placed) (bool, []placed, error) {
	spare := (*batch)[:0]
	clear((*batch)[:cap(*batch)][:len(*batch)])
	if cap(spare) > keepMessages {
		spare = nil
	}
	*batch = spare
	clear(packets)
	packets = packets[:0]

	in.mu.Lock()
	defer in.mu.Unlock()
	in.taken, in.working = 0, 0
	if in.err != nil {
		return false, packets, in.err
	}
	if in.over && in.bytes < in.high/2 {
		in.over = false
		in.gate.lower()
	}
	if len(in.messages)+len(in.packets) == 0 {
		return false, packets, nil
	}
	*batch, in.messages = in.messages, spare
	packets, in.packets = in.packets, packets
	in.taken, in.working = in.bytes, in.since
	in.bytes, in.since = 0, 0
	in.hear()
	if in.over {
		// Its originators wait for the credit that the next take gives: it must come even if nothing else does.
		in.ring()
	}
	return true, packets, nil
}

// put appends a message of about weight bytes and reports whether it was the one that made the inbox overflow. The
// clock is asked only if the inbox was empty.
func (in *Inbox) put(m *wire.Message, weight int, clock *clock, from *Member) bool {
	in.mu.Lock()
	if in.err != nil || in.deafTo(from) {
		in.mu.Unlock()
		return false
	}
	return in.putLocked(m, weight, clock)
}

// putLocked is put with the lock held, which it gives back.
func (in *Inbox) putLocked(m *wire.Message, weight int, clock *clock) bool {
	first := len(in.messages)+len(in.packets) == 0
	if first {
		in.since = clock.now(in.start)
	}
	in.messages = append(in.messages, *m)
	in.bytes += weight
	overflow := in.bytes+in.taken > in.high && in.rise()
	in.mu.Unlock()
	if first {
		in.ring()
	}
	return overflow
}

// putPacket appends a packet at its place between the messages.
func (in *Inbox) putPacket(p wire.Packet, weight int, clock *clock) {
	in.mu.Lock()
	if in.err != nil {
		in.mu.Unlock()
		return
	}
	first := len(in.messages)+len(in.packets) == 0
	if first {
		in.since = clock.now(in.start)
	}
	in.packets = append(in.packets, placed{at: len(in.messages), packet: p})
	in.bytes += weight
	in.mu.Unlock()
	if first {
		in.ring()
	}
}

// rise counts an inbox past its high-water mark, and ends it past its limit: then it reports true, once.
func (in *Inbox) rise() bool {
	if !in.over {
		in.over = true
		in.gate.raise()
	}
	if in.bytes+in.taken <= in.limit {
		return false
	}
	in.end(ErrOverflow)
	return true
}

// fail ends the inbox: what has not been taken is dropped, and Wait returns err from now on. The first error stays.
func (in *Inbox) fail(err error) {
	in.mu.Lock()
	if in.err == nil {
		in.end(err)
	}
	in.mu.Unlock()
	in.ring()
}

func (in *Inbox) end(err error) {
	in.err = err
	in.hear()
	in.messages, in.packets, in.bytes, in.since = nil, nil, 0, 0
	if in.over {
		in.over = false
		in.gate.lower()
	}
}

// reset drops what has not been taken: of a queue to a peer, whose link starts over.
func (in *Inbox) reset() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages, in.packets, in.bytes, in.since = nil, nil, 0, 0
	in.err = nil
	if in.over {
		in.over = false
		in.gate.lower()
	}
}

func (in *Inbox) ring() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// Stats measures the inbox.
func (in *Inbox) Stats() InboxStats {
	now := int64(time.Since(in.start))
	in.mu.Lock()
	defer in.mu.Unlock()
	s := InboxStats{Depth: len(in.messages), Bytes: in.bytes + in.taken, Over: in.over}
	oldest := in.working
	if oldest == 0 {
		oldest = in.since
	}
	if oldest != 0 {
		s.Age = time.Duration(now - oldest)
	}
	return s
}

// clock asks for the time at most once for each batch that is routed.
type clock struct{ at int64 }

// now is the time in nanoseconds after start, never 0.
func (c *clock) now(start time.Time) int64 {
	if c.at == 0 {
		c.at = max(int64(time.Since(start)), 1)
	}
	return c.at
}

// gate counts what is past its high-water mark. There is credit while that is nothing.
type gate struct {
	mu sync.Mutex
	// Guarded by mu.
	raised  int           // by inboxes of this process
	foreign int           // by other nodes
	open    chan struct{} // closed while both are 0
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) raise()        { g.add(1, 0) }
func (g *gate) lower()        { g.add(-1, 0) }
func (g *gate) raiseForeign() { g.add(0, 1) }
func (g *gate) lowerForeign() { g.add(0, -1) }
func (g *gate) add(own, foreign int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.raised+g.foreign > 0
	g.raised += own
	g.foreign += foreign
	is := g.raised+g.foreign > 0
	switch {
	case is && !was:
		g.open = make(chan struct{})
	case was && !is:
		close(g.open)
	}
}

// credit is a channel that is closed when there is credit.
func (g *gate) credit() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// held reports whether there is no credit.
func (g *gate) held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.raised+g.foreign > 0
}

// own reports whether it is for an inbox of this process that there is no credit.
func (g *gate) own() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.raised > 0
}
