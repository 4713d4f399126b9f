package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
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
// the first Write.
func Dial(ctx context.Context, addr string, cfg DialConfig) (Conn, error) {
	c, err := dial(ctx, addr, cfg)
	if err != nil {
		return nil, fmt.Errorf("link: dial %s: %w", addr, closeError(err))
	}
	return c, nil
}

func dial(ctx context.Context, addr string, cfg DialConfig) (Conn, error) {
	tlsConf := &tls.Config{MinVersion: tls.VersionTLS13}
	if cfg.TLS != nil {
		tlsConf = cfg.TLS.Clone()
	}
	tlsConf.NextProtos = []string{ALPN}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if tlsConf.ServerName == "" {
		tlsConf.ServerName = host
	}
	remote, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	tr := &quic.Transport{Conn: udp}
	free := sync.OnceFunc(func() {
		_ = tr.Close()
		_ = udp.Close()
	})
	conf := quicConfig(cfg.IdleTimeout)
	conf.EnableDatagrams = !cfg.NoDatagrams
	conn, err := tr.Dial(ctx, remote, tlsConf, conf)
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
	return &quicConn{conn: conn, stream: stream, done: free}, nil
}
