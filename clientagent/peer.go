package clientagent

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// peer is one connection: a goroutine that reads its stream, one that reads its datagrams, one that writes.
type peer struct {
	a      *Agent
	id     do.ID
	conn   link.Conn
	host   string
	w      writer
	ended  context.Context // done when the connection is closed
	closed context.CancelFunc
	reads  chan struct{} // closed when the stream's reader is done

	flushed uint64 // Owned by the agent's run: see pace.flushing
}

func newPeer(a *Agent, conn link.Conn, id do.ID) *peer {
	p := &peer{a: a, id: id, conn: conn, host: conn.RemoteAddr().String(), reads: make(chan struct{})}
	if h, _, err := net.SplitHostPort(p.host); err == nil {
		p.host = h
	}
	p.ended, p.closed = context.WithCancel(context.Background())
	p.w.wake = make(chan struct{}, 1)
	return p
}

// read posts what comes on the stream. While the cluster is over its high-water mark nothing is read: originators
// are what is held back.
func (p *peer) read() {
	defer close(p.reads)
	r := link.NewReader(p.conn, p.a.cfg.maxFrame())
	for {
		b, err := r.Next()
		if len(b) > 0 && !p.post(&wire.SessionFrames{Session: p.id, Bytes: b}) {
			return
		}
		if err != nil {
			p.post(&wire.SessionClosed{Session: p.id, Reason: err.Error()})
			return
		}
	}
}

// post gives an input to the agent, as soon as there is credit. False: the session has ended.
func (p *peer) post(b wire.Body) bool {
	if d := p.a.cfg.Director; d.Overloaded() && d.WaitCredit(p.ended) != nil {
		return false
	}
	select {
	case p.a.input <- timed{wire.Message{Body: b}, time.Now()}:
		return true
	case <-p.ended.Done():
		return false
	}
}

// pings is how many pings a second are answered, and how many may come at once.
const pings = 20

// readDatagrams posts datagrams, and answers pings at once: what matters in them is the time.
func (p *peer) readDatagrams() {
	allowed := bucket{tokens: pings, at: time.Now().UnixNano()}
	for {
		b, err := p.conn.ReceiveDatagram(p.ended)
		if err != nil {
			return
		}
		now := time.Now().UnixNano()
		if ping := onlyPing(b); ping != nil {
			if allowed.take(1, pings, pings, now) {
				pong := wire.AppendFrame(nil, &wire.ClientPong{T1: ping.T1, T2: now, T3: time.Now().UnixNano()})
				_ = p.conn.SendDatagram(pong) // may be lost
			}
			continue
		}
		if !p.post(&wire.SessionFrames{Session: p.id, Datagram: true, Bytes: b}) {
			return
		}
	}
}

// onlyPing is the ping that b is, nil if it is anything else.
func onlyPing(b []byte) *wire.ClientPing {
	if t, err := wire.PeekFrame(b); err != nil || t != wire.FrameClientPing {
		return nil
	}
	f, n, err := wire.NextFrame(b)
	ping, ok := f.(*wire.ClientPing)
	if err != nil || !ok || n != len(b) {
		return nil
	}
	return ping
}

// writer is what waits to be written to one connection.
type writer struct {
	wake      chan struct{}
	unwritten atomic.Int64 // bytes, those under way included
	directly  int          // Owned by the agent's run. Bytes that were written without the writer since it had some

	mu     sync.Mutex
	stream []byte // Guarded by mu, as all below
	grams  []byte
	ends   []int
	close  bool
	reason wire.Reason
	text   string
}

const (
	// directOnce is how many bytes are written at once without waking the writer.
	directOnce = 1 << 10
	// directMost is how many until the writer has its turn: only its Write waits for a client that does not read.
	directMost = 4 << 10
)

// direct writes output at once if it is little, the writer has nothing to do, and the link takes it: most sessions are
// owed a few bytes at a time, and waking a goroutine for each is more work than it saves.
func (w *writer) direct(conn link.Conn, o *Out) bool {
	n := len(o.Stream)
	if n == 0 || n > directOnce || w.directly+n > directMost || len(o.Ends) > 0 || o.Close || w.unwritten.Load() > 0 || !conn.TryWrite(o.Stream) {
		w.directly = 0
		return false
	}
	w.directly += n
	return true
}

// put takes over output: without copying when the writer has nothing else.
func (w *writer) put(o *Out) {
	w.mu.Lock()
	w.unwritten.Add(int64(len(o.Stream) + len(o.Datagrams)))
	if len(w.stream) == 0 {
		w.stream, o.Stream = o.Stream, w.stream
	} else {
		w.stream = append(w.stream, o.Stream...)
	}
	if len(w.ends) == 0 {
		w.grams, o.Datagrams = o.Datagrams, w.grams[:0]
		w.ends, o.Ends = o.Ends, w.ends
	} else {
		at := len(w.grams)
		w.grams = append(w.grams, o.Datagrams...)
		for _, e := range o.Ends {
			w.ends = append(w.ends, at+e)
		}
	}
	if o.Close {
		w.close, w.reason, w.text = true, o.Reason, o.Text
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// load swaps what waits for buffers that were written.
func (w *writer) load(stream, grams []byte, ends []int) ([]byte, []byte, []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stream, w.stream = w.stream, stream[:0]
	grams, w.grams = w.grams, grams[:0]
	ends, w.ends = w.ends, ends[:0]
	return stream, grams, ends
}

// closing reports whether the session is over, and why.
func (w *writer) closing() (wire.Reason, string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reason, w.text, w.close
}

// writeOnce is how many bytes are written before the State can see that the client reads: one that takes long for a large
// zone is not stalled.
const writeOnce = 32 << 10

// write writes until the session is over: all that has accumulated while the last write ran is one write, or several if
// it is much.
func (p *peer) write() {
	var stream, grams []byte
	var ends []int
	for {
		<-p.w.wake
		stream, grams, ends = p.w.load(stream, grams, ends)
		reason, text, last := p.w.closing()
		if last {
			p.finish(stream, reason, text)
			return
		}
		for piece := range slices.Chunk(stream, writeOnce) {
			_, _ = p.conn.Write(piece) // an error ends the reader, too, which tells the State
			p.w.unwritten.Add(-int64(len(piece)))
		}
		begin := 0
		for _, end := range ends {
			_ = p.conn.SendDatagram(grams[begin:end])
			begin = end
		}
		p.w.unwritten.Add(-int64(len(grams)))
	}
}

// linger is how long an ejected client may take to read why and to close; after it the connection is closed with the
// same reason, which it also hears then.
const linger = 200 * time.Millisecond

// finish writes the last words and closes. A client that does not read is not waited for.
func (p *peer) finish(stream []byte, reason wire.Reason, text string) {
	defer p.closed()
	if reason != 0 && reason != wire.ReasonSlow {
		if _, err := p.conn.Write(stream); err == nil {
			wait := time.NewTimer(linger)
			select {
			case <-p.reads:
			case <-wait.C:
			}
			wait.Stop()
		}
	}
	_ = p.conn.Close(reason, text)
}
