package client

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/internal/repository"
)

const (
	// readBuffer is how much is read from the stream at once.
	readBuffer = 32 << 10
	// maxPending is how many bytes wait for an agent that does not read, before the session is given up.
	maxPending = 16 << 20
	// maxGrams is how many datagrams wait for the writer, or for the loop; more are lost, as they may be.
	maxGrams = 128
)

// start starts the goroutines around the connection. They end when it is closed.
func (r *Repository) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.work.Go(r.readStream)
	r.work.Go(func() { r.out.run(r.conn, r.lost) })
	if r.conn.Datagrams() {
		r.work.Go(func() { r.readDatagrams(ctx) })
	}
}

// lost tells the core that the connection is gone.
func (r *Repository) lost(err error) {
	now := r.loop.Now()
	var closed *link.ClosedError
	if errors.As(err, &closed) && closed.Remote && closed.Reason != 0 {
		err = &repository.EjectError{Reason: closed.Reason, Text: closed.Text}
	}
	r.loop.Post(func() { r.core.Lost(err, now) })
}

// readStream gives the loop what comes on the stream, and waits until it was taken: who does not Poll is not sent to.
func (r *Repository) readStream() {
	buf := make([]byte, readBuffer)
	taken := make(chan struct{})
	for {
		n, err := r.conn.Read(buf)
		if n > 0 {
			at := r.loop.Now()
			ok := r.loop.Post(func() {
				r.receive(buf[:n], false, at)
				taken <- struct{}{}
			})
			if !ok {
				return
			}
			<-taken
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			r.lost(err)
			return
		}
	}
}

// readDatagrams gives the loop datagrams, a bounded number at a time.
func (r *Repository) readDatagrams(ctx context.Context) {
	slots := make(chan struct{}, maxGrams)
	for {
		b, err := r.conn.ReceiveDatagram(ctx)
		if err != nil {
			return
		}
		at := r.loop.Now()
		select {
		case slots <- struct{}{}:
		default:
			continue
		}
		ok := r.loop.Post(func() {
			<-slots
			r.receive(b, true, at)
		})
		if !ok {
			return
		}
	}
}

// receive gives the core bytes; its error ends the session, and is kept there.
func (r *Repository) receive(b []byte, datagram bool, at int64) {
	if err := r.core.Receive(b, datagram, at); err != nil {
		r.log.Debug("client: receive", "session", r.core.Session(), "err", err)
	}
}

// writer writes what the loop leaves for it, so that the loop never waits for an agent. One write takes all that has
// accumulated.
type writer struct {
	wake chan struct{}
	done chan struct{} // closed when run has returned

	mu     sync.Mutex
	stream []byte   // Guarded by mu.
	grams  [][]byte // Guarded by mu.
	last   bool     // Guarded by mu. Nothing follows
	failed bool     // Guarded by mu. Nothing is written any more
}

func newWriter() *writer {
	return &writer{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// put leaves bytes and datagrams for the writer, which owns them then; false: too much waits already.
func (w *writer) put(stream []byte, grams [][]byte) bool {
	if len(stream) == 0 && len(grams) == 0 {
		return true
	}
	w.mu.Lock()
	full := len(w.stream)+len(stream) > maxPending
	if !w.failed && !full {
		w.stream = append(w.stream, stream...)
		if room := maxGrams - len(w.grams); len(grams) > room {
			grams = grams[len(grams)-max(room, 0):]
		}
		w.grams = append(w.grams, grams...)
	}
	w.mu.Unlock()
	w.ring()
	return !full
}

// finish says that nothing follows.
func (w *writer) finish() {
	w.mu.Lock()
	w.last = true
	w.mu.Unlock()
	w.ring()
}

func (w *writer) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until finish, or an error, which lost is told.
func (w *writer) run(conn link.Conn, lost func(error)) {
	defer close(w.done)
	var spare []byte
	for {
		w.mu.Lock()
		stream, grams, last := w.stream, w.grams, w.last
		w.stream, w.grams = spare[:0], nil
		w.mu.Unlock()
		for _, g := range grams {
			// A lost datagram is repeated by the core, on the stream.
			_ = conn.SendDatagram(g)
		}
		if err := writeAll(conn, stream); err != nil {
			w.mu.Lock()
			w.failed, w.stream, w.grams = true, nil, nil
			w.mu.Unlock()
			lost(err)
			return
		}
		spare = stream
		if last {
			return
		}
		if len(stream)+len(grams) == 0 {
			<-w.wake
		}
	}
}

var errBehind = errors.New("the agent does not read")

func writeAll(conn link.Conn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := conn.Write(b)
	return err
}
