package link

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/otpd/otpd/wire"
)

// PipeConfig says how a connection in memory behaves.
type PipeConfig struct {
	Window      int  // bytes that a stream holds before Write blocks; default 64 KiB
	NoDatagrams bool // on neither side
	// Drop, if set, is asked for each datagram; true loses it. It runs on the sender's goroutine.
	Drop func(toServer bool, datagram []byte) bool
}

// datagramQueue is how many datagrams wait for a reader before they are lost, as with quic-go.
const datagramQueue = 128

// Addr is the address of an end in memory.
type Addr string

// Network is "memory".
func (Addr) Network() string  { return "memory" }
func (a Addr) String() string { return string(a) }

// Pipe returns the two ends of a connection in memory.
func Pipe(cfg PipeConfig) (client, server Conn) {
	if cfg.Window == 0 {
		cfg.Window = 64 << 10
	}
	p := &pipe{cfg: cfg, closed: make(chan struct{})}
	p.cond.L = &p.mu
	for i := range p.grams {
		p.grams[i] = make(chan []byte, datagramQueue)
	}
	return &pipeEnd{p: p, to: 1}, &pipeEnd{p: p, to: 0}
}

// pipe is what both ends share. Index 0 is what goes to the client, 1 what goes to the server.
type pipe struct {
	cfg    PipeConfig
	grams  [2]chan []byte
	closed chan struct{}

	mu     sync.Mutex
	cond   sync.Cond
	stream [2][]byte // Guarded by mu. Written and not read
	err    [2]error  // Guarded by mu. What the reader at that end gets after the connection was closed
}

// pipeEnd is a Conn: it sends to one side of the pipe and receives from the other.
type pipeEnd struct {
	p  *pipe
	to int
}

func (e *pipeEnd) from() int { return 1 - e.to }

func (e *pipeEnd) Read(b []byte) (int, error) {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	for {
		if err := e.p.err[e.from()]; err != nil {
			return 0, err
		}
		if q := &e.p.stream[e.from()]; len(*q) > 0 {
			n := copy(b, *q)
			*q = append((*q)[:0], (*q)[n:]...)
			e.p.cond.Broadcast()
			return n, nil
		}
		e.p.cond.Wait()
	}
}

func (e *pipeEnd) Write(b []byte) (n int, err error) {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	for len(b) > 0 {
		if err := e.p.err[e.from()]; err != nil {
			return n, err
		}
		q := &e.p.stream[e.to]
		if room := min(e.p.cfg.Window-len(*q), len(b)); room > 0 {
			*q = append(*q, b[:room]...)
			b, n = b[room:], n+room
			e.p.cond.Broadcast()
			continue
		}
		e.p.cond.Wait()
	}
	return n, nil
}

func (e *pipeEnd) TryWrite(b []byte) bool {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	q := &e.p.stream[e.to]
	switch {
	case e.p.err[e.from()] != nil:
		return true
	case len(*q)+len(b) > e.p.cfg.Window:
		return false
	}
	*q = append(*q, b...)
	e.p.cond.Broadcast()
	return true
}

func (e *pipeEnd) Datagrams() bool { return !e.p.cfg.NoDatagrams }

func (e *pipeEnd) SendDatagram(b []byte) error {
	switch {
	case !e.Datagrams():
		return fmt.Errorf("link: send datagram: %w", ErrNoDatagrams)
	case len(b) > MaxDatagram:
		return fmt.Errorf("link: send datagram of %d bytes: %w", len(b), ErrTooLarge)
	case e.p.cfg.Drop != nil && e.p.cfg.Drop(e.to == 1, b):
		return nil
	}
	select {
	case <-e.p.closed:
		return e.closeErr()
	case e.p.grams[e.to] <- append([]byte(nil), b...):
	default:
	}
	return nil
}

func (e *pipeEnd) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	select {
	case b := <-e.p.grams[e.from()]:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.p.closed:
		return nil, e.closeErr()
	}
}

func (e *pipeEnd) closeErr() error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	return e.p.err[e.from()]
}

// Close ends both directions. What was written and not read is lost, as with a QUIC connection.
func (e *pipeEnd) Close(reason wire.Reason, text string) error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	if e.p.err[0] != nil {
		return nil
	}
	e.p.err[e.from()] = &ClosedError{Reason: reason, Text: text}
	e.p.err[e.to] = &ClosedError{Remote: true, Reason: reason, Text: text}
	close(e.p.closed)
	e.p.cond.Broadcast()
	return nil
}

func (e *pipeEnd) RemoteAddr() net.Addr { return sideAddr(e.to) }
func (e *pipeEnd) LocalAddr() net.Addr  { return sideAddr(e.from()) }

func sideAddr(side int) net.Addr {
	if side == 1 {
		return Addr("server")
	}
	return Addr("client")
}

// Memory is a Listener whose clients are in the same process.
type Memory struct {
	cfg   PipeConfig
	conns chan Conn
	once  sync.Once
	done  chan struct{}
}

// NewMemory returns a Listener in memory; its connections behave as cfg says.
func NewMemory(cfg PipeConfig) *Memory {
	return &Memory{cfg: cfg, conns: make(chan Conn), done: make(chan struct{})}
}

// Dial connects to the listener; it waits until somebody accepts.
func (m *Memory) Dial(ctx context.Context) (Conn, error) {
	client, server := Pipe(m.cfg)
	select {
	case m.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// Accept waits for a Dial.
func (m *Memory) Accept(ctx context.Context) (Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// Addr is the address of the server's end.
func (m *Memory) Addr() net.Addr { return Addr("server") }

// Close stops accepting. Connections end with who holds them.
func (m *Memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

var (
	_ Conn      = (*quicConn)(nil)
	_ Conn      = (*pipeEnd)(nil)
	_ Listener  = (*quicListener)(nil)
	_ Listener  = (*Memory)(nil)
	_ io.Reader = Conn(nil)
)
