package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/otpd/otpd/wire"
)

// DialConfig says how to reach an agent over QUIC.
type DialConfig struct {
	TLS         *tls.Config   // nil: the system's roots; ALPN and, if empty, ServerName are filled in. See Pinned for development
	IdleTimeout time.Duration // as in ListenConfig; the smaller one of both ends holds
	NoDatagrams bool          // for networks that mangle them, and for tests
}

// Dial connects to the agent at addr (host:port), and opens the session's stream. The agent hears of the stream with
// the first Write. The connection has a UDP socket of its own.
func Dial(ctx context.Context, addr string, cfg DialConfig) (Conn, error) {
	return new(Dialer).Dial(ctx, addr, cfg)
}

// perSocket is how many connections share a UDP socket, and so its receive buffer.
const perSocket = 64

// Dialer dials connections that share UDP sockets: one reader takes what came for many of them, which is what a process
// with hundreds of sessions saves time by. The zero value is ready; a socket is closed with the last connection on it.
// Any goroutine may dial.
type Dialer struct {
	mu   sync.Mutex
	open []*socket // Guarded by mu. Those with room
}

// socket is one UDP socket with its connections.
type socket struct {
	d    *Dialer
	udp  *net.UDPConn
	tr   *quic.Transport
	uses int // Guarded by d.mu. Connections, those that are being made included
}

// Dial is the package's Dial, over a socket of the Dialer.
func (d *Dialer) Dial(ctx context.Context, addr string, cfg DialConfig) (Conn, error) {
	c, err := d.dial(ctx, addr, cfg)
	if err != nil {
		return nil, fmt.Errorf("link: dial %s: %w", addr, closeError(err))
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, addr string, cfg DialConfig) (Conn, error) {
	tlsConf := &tls.Config{MinVersion: tls.VersionTLS13}
	if cfg.TLS != nil {
		tlsConf = cfg.TLS.Clone()
	}
	tlsConf.NextProtos = []string{ALPN}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if tlsConf.ServerName == "" {
		tlsConf.ServerName = host
	}
	remote, err := resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	s, err := d.socket()
	if err != nil {
		return nil, err
	}
	free := sync.OnceFunc(s.free)
	conf := quicConfig(cfg.IdleTimeout)
	conf.EnableDatagrams = !cfg.NoDatagrams
	conn, err := s.tr.Dial(ctx, remote, tlsConf, conf)
	if err != nil {
		free()
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(wire.Reason(0)), "")
		free()
		return nil, err
	}
	context.AfterFunc(conn.Context(), free)
	return newConn(conn, stream, free), nil
}

// resolve is net.ResolveUDPAddr, which prefers IPv4 as well, but for as long as ctx lasts.
func resolve(ctx context.Context, host, service string) (*net.UDPAddr, error) {
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	ip := ips[0]
	if i := slices.IndexFunc(ips, func(a netip.Addr) bool { return a.Unmap().Is4() }); i >= 0 {
		ip = ips[i]
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port))), nil
}

// socket is one with room, counted as used.
func (d *Dialer) socket() (*socket, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) == 0 {
		udp, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, err
		}
		d.open = append(d.open, &socket{d: d, udp: udp, tr: &quic.Transport{Conn: udp}})
	}
	s := d.open[0]
	if s.uses++; s.uses == perSocket {
		d.open = d.open[1:]
	}
	return s, nil
}

// free ends one use of the socket.
func (s *socket) free() {
	d := s.d
	d.mu.Lock()
	if s.uses--; s.uses == perSocket-1 {
		d.open = append(d.open, s)
	}
	last := s.uses == 0
	if last {
		d.open = slices.DeleteFunc(d.open, func(o *socket) bool { return o == s })
	}
	d.mu.Unlock()
	if last {
		_ = s.tr.Close()
		_ = s.udp.Close()
	}
}
