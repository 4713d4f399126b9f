package bench

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// bot is one client. Its reader is a state machine: what the server says next decides what the bot says next.
type bot struct {
	// Set before read runs, then read-only.
	load *load
	conn link.Conn
	zone do.Zone
	want int // other bodies in its zone; its own does not enter, the session knows it already

	hears  int  // of those that see it, how many count deliveries: its updates cause as many
	stalls bool // it sends nothing, and reads no more when the measured time begins

	// Owned by read.
	seen    map[uint32]struct{} // aliases of bodies in view
	open    bool                // its interest is
	settled bool

	inside chan struct{} // closed by enter when it has its body and its interest is open
	enter  sync.Once

	// Counted by read and readDatagrams, read by anybody.
	deliveries atomic.Uint64 // all
	measured   atomic.Uint64 // those meant to be sent in the measured time
	bytes      atomic.Uint64 // of frames, to the client

	own    uint32     // alias of its body. Set before it settles
	stream *histogram // Owned by read
	grams  *histogram // Owned by readDatagrams

	// Owned by stall, read when all readers have ended.
	ejectedAfter time.Duration // since it stopped to read; 0: it was not
	ejectedFor   wire.Reason

	// Owned by the pacer, from when all have settled.
	set    wire.ClientSet
	latest wire.ClientSetLatest
	value  []byte
	frame  []byte
}

// helloMeta stands before the number of a bot's zone in what it says of itself, for a bare server.
const helloMeta = "otpd bench, zone "

// readBuffer is how much a bot reads at once: more than what a flush of the busiest zone brings.
const readBuffer = 64 << 10

// dialTries is how often a bot tries to connect before it gives up.
const dialTries = 4

// dial connects a bot and says hello; the rest is its readers'.
func (l *load) dial(addr string, pin [32]byte, b *bot) (err error) {
	b.load, b.seen, b.inside, b.stream, b.grams = l, map[uint32]struct{}{}, make(chan struct{}), new(histogram), new(histogram)
	// A bot that stalls hears of its end where datagrams come.
	cfg := link.DialConfig{TLS: link.Pinned(pin), NoDatagrams: !l.cfg.Coalesce && !b.stalls}
	for tries := 1; ; tries++ {
		if b.conn, err = l.dialer.Dial(l.ctx, addr, cfg); err == nil {
			break
		}
		// Of thousands that come at once some may find the server's core busy for longer than a handshake waits.
		var timeout net.Error
		if tries == dialTries || !errors.As(err, &timeout) || !timeout.Timeout() {
			return fmt.Errorf("bench: %w", err)
		}
	}
	sum := l.schema.Fingerprint()
	if err := b.say(&wire.ClientHello{Schema: sum[:], Meta: helloMeta + strconv.Itoa(int(b.zone)), Enters: true}); err != nil {
		return errors.Join(fmt.Errorf("bench: hello: %w", err), b.conn.Close(0, ""))
	}
	l.readers.Go(b.read)
	if b.conn.Datagrams() && !b.stalls {
		l.readers.Go(b.readDatagrams)
	}
	return nil
}

// read takes what comes on the stream until the connection ends.
func (b *bot) read() {
	buf := make([]byte, 0, readBuffer)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := b.conn.Read(buf[len(buf):cap(buf)])
		now := b.load.now()
		b.bytes.Add(uint64(n))
		buf = buf[:len(buf)+n]
		used, frameErr := b.frames(buf, now, b.stream)
		buf = buf[:copy(buf, buf[used:])]
		if frameErr != nil && !isShort(frameErr) {
			err = frameErr
		}
		if err != nil {
			b.load.ended(err)
			return
		}
		if from, _ := b.load.window(); b.stalls && now >= from {
			b.stall(now)
			return
		}
	}
}

// stall waits, without reading the stream, until the server ends the connection or the run is over.
func (b *bot) stall(since time.Duration) {
	defer b.load.stalling.Add(-1)
	for {
		_, err := b.conn.ReceiveDatagram(b.load.ctx)
		if err == nil {
			continue
		}
		var closed *link.ClosedError
		if errors.As(err, &closed) && closed.Remote {
			b.ejectedAfter, b.ejectedFor = b.load.now()-since, closed.Reason
		}
		return
	}
}

// readDatagrams takes datagrams until the connection ends.
func (b *bot) readDatagrams() {
	for {
		d, err := b.conn.ReceiveDatagram(b.load.ctx)
		if err != nil {
			b.load.ended(err)
			return
		}
		b.bytes.Add(uint64(len(d)))
		if _, err := b.frames(d, b.load.now(), b.grams); err != nil {
			b.load.ended(err)
			return
		}
	}
}

// frames takes the whole frames at the front of p, which came at now, and returns their length.
func (b *bot) frames(p []byte, now time.Duration, h *histogram) (used int, err error) {
	from, to := b.load.window()
	count, measured := uint64(0), uint64(0)
	for used < len(p) {
		if stamp, n := quick(p[used:]); n > 0 {
			used += n
			if b.stalls {
				continue
			}
			count++
			if at := stampTime(stamp, now); at >= from && at < to {
				measured++
				h.add(now - at)
			}
			continue
		}
		value, n, err := delivery(p[used:])
		if err == nil && n == 0 {
			n, err = b.cold(p[used:])
		}
		if err != nil {
			b.book(count, measured)
			return used, err
		}
		used += n
		if value == nil || b.stalls {
			continue
		}
		at, err := readStamp(value, now)
		if err != nil {
			return used, fmt.Errorf("bench: a delivery without a stamp: %w", err)
		}
		count++
		if at >= from && at < to {
			measured++
			h.add(now - at)
		}
	}
	b.book(count, measured)
	return used, nil
}

func (b *bot) book(count, measured uint64) {
	if count > 0 {
		b.deliveries.Add(count)
		b.measured.Add(measured)
	}
}

// delivery returns the value and the length of a frame that brings an update; length 0: it is another frame.
//
// The members are walked over, not decoded. What stands before the value is the frame's number, the alias, a serial if it
// is a latest one, and the field.
func delivery(p []byte) (value []byte, n int, err error) {
	t, err := wire.PeekFrame(p)
	if err != nil {
		return nil, 0, err
	}
	var before int
	switch t {
	case wire.FrameClientUpdate:
		before = 3
	case wire.FrameClientLatest:
		before = 4
	case wire.FrameClientDone, wire.FrameClientLatestDone:
		n, err := fields.Skip(p)
		return nil, n, err
	default:
		return nil, 0, nil
	}
	rest := p[1:]
	for range before {
		if _, rest, err = fields.ReadUint(rest); err != nil {
			return nil, 0, err
		}
	}
	if n, err = stampLen(rest); err != nil {
		return nil, 0, err
	}
	return rest[:n], len(p) - len(rest) + n, nil
}

// cold takes a frame that is not of the hot path.
func (b *bot) cold(p []byte) (n int, err error) {
	f, n, err := wire.NextFrame(p)
	if err != nil {
		return 0, err
	}
	switch f := f.(type) {
	case *wire.ClientWelcome:
		err = b.say(b.load.enterCall(b.zone))
	case *wire.ClientReply:
		if f.Code != 0 {
			return n, fmt.Errorf("bench: enter: %w: %s", f.Code, f.Text)
		}
		err = b.say(&wire.ClientAddInterest{Context: 1, Handle: 1, Parent: yardID(), Zones: []do.Zone{b.zone}})
	case *wire.ClientInterestDone:
		if f.Code != 0 {
			return n, fmt.Errorf("bench: interest: %w: %s", f.Code, f.Text)
		}
		b.open = true
	case *wire.ClientEnterOwner:
		b.own = f.Alias
	case *wire.ClientEnter:
		b.seen[f.Alias] = struct{}{}
	case *wire.ClientEnters:
		for e := range f.All() {
			b.seen[e.Alias] = struct{}{}
		}
	case *wire.ClientLeave:
		delete(b.seen, f.Alias)
	case *wire.ClientEject:
		return n, fmt.Errorf("bench: ejected: %d %s", f.Reason, f.Text)
	case *wire.ClientRefused:
		return n, fmt.Errorf("bench: refused: %w: %s", f.Code, f.Text)
	case *wire.ClientSchema:
		return n, errors.New("bench: the server is of another build: its schema differs")
	}
	if b.settled || !b.open || b.own == 0 {
		return n, err
	}
	b.enter.Do(func() { close(b.inside) })
	if len(b.seen) == b.want {
		b.settled = true
		b.load.settled <- struct{}{}
	}
	return n, err
}

// enterCall asks the gate to let a client in.
func (l *load) enterCall(zone do.Zone) *wire.ClientCall {
	return &wire.ClientCall{
		Call: 1, Ref: wire.UberDOGRef(gateNumber), Field: l.enter, Timeout: 30_000,
		Args: fields.AppendUint(fields.AppendArrayHeader(nil, 1), uint64(zone)),
	}
}

// isShort reports whether more bytes may make it right.
func isShort(err error) bool { return errors.Is(err, fields.ErrShort) }

// say writes a frame that is not of the hot path.
func (b *bot) say(f wire.Frame) error {
	_, err := b.conn.Write(wire.AppendFrame(nil, f))
	return err
}

// send sets the body's field, with the time at which this was meant to happen.
func (b *bot) send(due time.Duration, n int) (err error) {
	l := b.load
	b.value = appendStamp(b.value[:0], due, uint16(n))
	if l.cfg.Coalesce {
		b.latest.Ref, b.latest.Field, b.latest.Value = wire.AliasRef(b.own), l.last, b.value
		b.latest.Serial++
		b.frame = wire.AppendFrame(b.frame[:0], &b.latest)
		return b.conn.SendDatagram(b.frame)
	}
	b.set.Ref = wire.AliasRef(b.own)
	b.set.Fields = fields.AppendMapHeader(b.set.Fields[:0], 1)
	b.set.Fields = fields.AppendUint(b.set.Fields, uint64(l.pos))
	b.set.Fields = append(b.set.Fields, b.value...)
	if !l.cfg.NoAck {
		b.set.Context = max(b.set.Context+1, 1)
	}
	b.frame = wire.AppendFrame(b.frame[:0], &b.set)
	_, err = b.conn.Write(b.frame)
	return err
}
