package bench

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// bareServer is the floor: a server of nothing but quic-go, which writes the same frames to the same clients. What
// any client sets it says to all of its zone, which is what the client's Hello says; the sender's own comes back in place
// of an acknowledgement. It is gathered for a fixed time. It has no permissions, no state, no routing, and no bound on what
// it holds for a client that does not read.
type bareServer struct {
	// Set before it serves, then read-only.
	info     Info
	flush    time.Duration
	socket   net.PacketConn
	tr       *quic.Transport
	listener *quic.Listener
	tcp      net.Listener
	control  *control
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	// Guarded by mu.
	mu    sync.Mutex
	last  uint32 // alias
	zones map[string]*bareZone
	owed  []*bareZone // those with pending frames
}

// bareZone is those that hear each other.
type bareZone struct {
	// Guarded by the server's mu.
	peers   []*barePeer
	pending []byte // frames since the last flush; never written to again after it
}

type barePeer struct {
	conn   *quic.Conn
	stream *quic.Stream
	queue  chan []byte

	// Owned by serve.
	alias uint32
	zone  *bareZone
}

func serveBare(cfg ServerConfig) (_ *bareServer, err error) {
	cfg.fill()
	s := &bareServer{flush: cfg.Flush, zones: map[string]*bareZone{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	cert, err := link.DevCertificate(time.Now(), "127.0.0.1")
	if err != nil {
		return nil, err
	}
	if s.socket, err = net.ListenPacket("udp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s.tr = &quic.Transport{Conn: s.socket}
	tls := link.Serving(cert)
	tls.NextProtos = []string{link.ALPN, alpnFlood, alpnEcho}
	s.listener, err = s.tr.Listen(tls, &quic.Config{MaxIdleTimeout: 30 * time.Second, KeepAlivePeriod: 10 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if s.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	pin := link.Pin(cert)
	s.info = Info{Addrs: []string{s.socket.LocalAddr().String()}, Pin: hex.EncodeToString(pin[:]), PID: os.Getpid(), Pinned: cfg.Core, Bare: true, TCP: s.tcp.Addr().String()}
	if s.control, err = startControl(cfg.Control, &s.info, ownUsage, nil); err != nil {
		return nil, err
	}
	s.wg.Go(s.accept)
	s.wg.Go(s.acceptTCP)
	if s.flush > 0 {
		s.wg.Go(s.flushes)
	}
	return s, nil
}

// Info is what clients need to know.
func (s *bareServer) Info() Info { return s.info }

// Wait returns when the server was closed.
func (s *bareServer) Wait() error {
	<-s.ctx.Done()
	return nil
}

// Close ends everything.
func (s *bareServer) Close() error {
	s.cancel()
	var errs []error
	if s.control != nil {
		errs = append(errs, s.control.close())
	}
	if s.tcp != nil {
		errs = append(errs, s.tcp.Close())
	}
	if s.tr != nil {
		errs = append(errs, s.tr.Close())
	}
	if s.socket != nil {
		errs = append(errs, s.socket.Close())
	}
	s.wg.Wait()
	return errors.Join(errs...)
}

// accept takes clients. Errors of one connection end that one; the bench's clients notice.
func (s *bareServer) accept() {
	for {
		conn, err := s.listener.Accept(s.ctx)
		if err != nil {
			return
		}
		s.wg.Go(func() { _ = s.serve(conn) })
	}
}

// acceptTCP takes who wants the floor of TCP. What it writes to does not outlive the client.
func (s *bareServer) acceptTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		go func() { _ = floodTCP(conn) }()
	}
}

// serve reads one client's frames.
func (s *bareServer) serve(conn *quic.Conn) error {
	stream, err := conn.AcceptStream(s.ctx)
	if err != nil {
		return err
	}
	switch conn.ConnectionState().TLS.NegotiatedProtocol {
	case alpnFlood:
		return serveFlood(stream)
	case alpnEcho:
		return serveEcho(stream)
	}
	p := &barePeer{conn: conn, stream: stream, queue: make(chan []byte, 64)}
	s.wg.Go(func() { s.write(p) })
	r := link.NewReader(stream, wire.MaxClientFrame)
	for {
		b, err := r.Next()
		if err != nil {
			return err
		}
		if err := s.gather(p, b); err != nil {
			return errors.Join(err, conn.CloseWithError(0, err.Error()))
		}
	}
}

// join puts a client into its zone, and says all that a client of the bench needs to hear before it sends.
func (s *bareServer) join(p *barePeer, zone string) {
	if p.zone = s.zones[zone]; p.zone == nil {
		p.zone = new(bareZone)
		s.zones[zone] = p.zone
	}
	p.zone.peers = append(p.zone.peers, p)
	s.last++
	p.alias = s.last
	hello := wire.AppendFrame(nil, &wire.ClientEnterOwner{Alias: p.alias, Fields: fields.EmptyMap()})
	p.queue <- wire.AppendFrame(hello, &wire.ClientInterestDone{Context: 1, Handle: 1}) // the first in it: it has room
}

// gather turns what a client set into what is said to all of its zone.
func (s *bareServer) gather(p *barePeer, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		if err != nil {
			return err
		}
		b = b[n:]
		if hello, ok := f.(*wire.ClientHello); ok && p.zone == nil {
			s.join(p, hello.Meta)
		}
		if set, ok := f.(*wire.ClientSet); ok && p.zone != nil {
			if len(p.zone.pending) == 0 {
				s.owed = append(s.owed, p.zone)
			}
			it := set.Fields.Iter()
			for it.Next() {
				p.zone.pending = wire.AppendClientUpdate(p.zone.pending, p.alias, it.Number(), it.Value())
			}
		}
	}
	if s.flush == 0 {
		s.flushLocked()
	}
	return nil
}

// flushes lets go what was gathered, each flush time.
func (s *bareServer) flushes() {
	t := time.NewTicker(s.flush)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
			s.mu.Lock()
			s.flushLocked()
			s.mu.Unlock()
		}
	}
}

func (s *bareServer) flushLocked() {
	for _, z := range s.owed {
		for _, p := range z.peers {
			select {
			case p.queue <- z.pending:
			case <-p.conn.Context().Done():
			}
		}
		z.pending = make([]byte, 0, len(z.pending)+len(z.pending)/4)
	}
	clear(s.owed)
	s.owed = s.owed[:0]
}

// write is one client's writer.
func (s *bareServer) write(p *barePeer) {
	for {
		select {
		case b := <-p.queue:
			if _, err := p.stream.Write(b); err != nil {
				return
			}
		case <-p.conn.Context().Done():
			return
		}
	}
}
