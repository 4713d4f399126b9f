package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/otpd/otpd/wire"
)

// ErrNoCertificate is returned by Listen without a certificate: nothing is ever served in the clear, and a
// development certificate is only made by who asks for one.
var ErrNoCertificate = errors.New("no TLS certificate")

// ListenConfig says how to serve the client link over QUIC.
type ListenConfig struct {
	Addr string      // host:port for UDP; port 0 takes a free one
	TLS  *tls.Config // with at least one certificate; ALPN is filled in
	// ResetKey, 32 bytes, lets clients of a process that died notice at once, if all processes of a fleet share
	// it. Empty: they notice after IdleTimeout.
	ResetKey []byte
	// IdleTimeout ends a connection without any packet for that long; keep-alives go out at a third of it. Default 30 s.
	IdleTimeout time.Duration
	// MaxPending bounds the connections that have shaken hands and not yet opened their stream. Default 256.
	MaxPending int
	// StreamTimeout is how long a connection may take to open its stream. Default 5 s.
	StreamTimeout time.Duration
}

func (c *ListenConfig) validate() error {
	if c.TLS == nil || len(c.TLS.Certificates) == 0 && c.TLS.GetCertificate == nil && c.TLS.GetConfigForClient == nil {
		return ErrNoCertificate
	}
	if n := len(c.ResetKey); n != 0 && n != len(quic.StatelessResetKey{}) {
		return fmt.Errorf("reset key of %d bytes, want %d", n, len(quic.StatelessResetKey{}))
	}
	if c.MaxPending == 0 {
		c.MaxPending = 256
	}
	if c.StreamTimeout == 0 {
		c.StreamTimeout = 5 * time.Second
	}
	return nil
}

// Listen serves the client link over QUIC.
func Listen(cfg ListenConfig) (Listener, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("link: listen on %q: %w", cfg.Addr, err)
	}
	addr, err := net.ResolveUDPAddr("udp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("link: listen on %q: %w", cfg.Addr, err)
	}
	udp, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("link: listen on %q: %w", cfg.Addr, err)
	}
	l := &quicListener{
		cfg:     cfg,
		udp:     udp,
		tr:      &quic.Transport{Conn: udp},
		ready:   make(chan *quicConn),
		pending: make(chan struct{}, cfg.MaxPending),
		conns:   map[*quic.Conn]struct{}{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if len(cfg.ResetKey) > 0 {
		key := quic.StatelessResetKey(cfg.ResetKey)
		l.tr.StatelessResetKey = &key
	}
	conf := quicConfig(cfg.IdleTimeout)
	conf.MaxIncomingStreams = 1
	tlsConf := cfg.TLS.Clone()
	tlsConf.NextProtos = []string{ALPN}
	if l.ln, err = l.tr.Listen(tlsConf, conf); err != nil {
		l.cancel()
		return nil, errors.Join(fmt.Errorf("link: listen on %q: %w", cfg.Addr, err), l.tr.Close(), udp.Close())
	}
	l.wg.Go(l.run)
	return l, nil
}

// quicListener accepts connections, and gives them on once their stream is open.
type quicListener struct {
	// Set before run, then read-only.
	cfg    ListenConfig
	udp    *net.UDPConn
	tr     *quic.Transport
	ln     *quic.Listener
	ctx    context.Context
	cancel context.CancelFunc

	wg      sync.WaitGroup
	ready   chan *quicConn
	pending chan struct{} // one for each connection without a stream

	mu    sync.Mutex
	conns map[*quic.Conn]struct{} // Guarded by mu. All that are open, to be closed before the transport
}

// run accepts connections; above MaxPending new ones are told that there is no room.
func (l *quicListener) run() {
	for {
		conn, err := l.ln.Accept(l.ctx)
		if err != nil {
			l.cancel() // it may be that the socket failed: Accept says so
			return
		}
		select {
		case l.pending <- struct{}{}:
			l.keep(conn)
			l.wg.Go(func() { l.open(conn) })
		default:
			_ = conn.CloseWithError(quic.ApplicationErrorCode(wire.ReasonFull), "too many connections at once")
		}
	}
}

// keep books conn until it ends.
func (l *quicListener) keep(conn *quic.Conn) {
	l.mu.Lock()
	l.conns[conn] = struct{}{}
	l.mu.Unlock()
	context.AfterFunc(conn.Context(), func() {
		l.mu.Lock()
		delete(l.conns, conn)
		l.mu.Unlock()
	})
}

// open waits for the client's stream and for somebody who accepts.
func (l *quicListener) open(conn *quic.Conn) {
	defer func() { <-l.pending }()
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.StreamTimeout)
	defer cancel()
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(wire.ReasonNoHello), "no stream was opened")
		return
	}
	select {
	case l.ready <- newConn(conn, stream, nil):
	case <-l.ctx.Done():
		_ = conn.CloseWithError(quic.ApplicationErrorCode(wire.ReasonShutdown), "shutting down")
	}
}

func (l *quicListener) Accept(ctx context.Context) (Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l *quicListener) Addr() net.Addr { return l.udp.LocalAddr() }

// Close closes connections before the transport, which sends no close frames of its own.
func (l *quicListener) Close() error {
	l.cancel()
	err := l.ln.Close()
	l.mu.Lock()
	open := make([]*quic.Conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.CloseWithError(quic.ApplicationErrorCode(wire.ReasonShutdown), "shutting down")
	}
	l.wg.Wait()
	return errors.Join(err, l.tr.Close(), l.udp.Close())
}
