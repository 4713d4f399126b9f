package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/otpd/otpd/wire"
)

// quicConfig is what both ends agree on. The windows are far below quic-go's defaults (512 KB initial, 6 and 15 MB at
// most): a game client has little in flight, and an agent thousands of clients.
func quicConfig(idle time.Duration) *quic.Config {
	if idle == 0 {
		idle = 30 * time.Second
	}
	return &quic.Config{
		HandshakeIdleTimeout:           5 * time.Second,
		MaxIdleTimeout:                 idle,
		KeepAlivePeriod:                idle / 3,
		InitialStreamReceiveWindow:     64 << 10,
		MaxStreamReceiveWindow:         512 << 10,
		InitialConnectionReceiveWindow: 96 << 10,
		MaxConnectionReceiveWindow:     768 << 10,
		MaxIncomingStreams:             -1,
		MaxIncomingUniStreams:          -1,
		EnableDatagrams:                true,
	}
}

// quicConn is a Conn over one QUIC connection and its only stream.
type quicConn struct {
	conn      *quic.Conn
	stream    *quic.Stream
	done      func() // frees what stands behind a client's connection; nil for an agent's
	datagrams bool   // agreed on in the handshake, which was over when the stream opened
}

func newConn(conn *quic.Conn, stream *quic.Stream, done func()) *quicConn {
	s := conn.ConnectionState().SupportsDatagrams
	return &quicConn{conn: conn, stream: stream, done: done, datagrams: s.Local && s.Remote}
}

func (c *quicConn) Read(p []byte) (int, error) {
	n, err := c.stream.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = closeError(err)
	}
	return n, err
}

func (c *quicConn) Write(p []byte) (int, error) {
	n, err := c.stream.Write(p)
	return n, closeError(err)
}

// TryWrite takes as much as the peer's window does.
func (c *quicConn) TryWrite(p []byte) bool {
	return !errors.Is(c.stream.TryWriteAll(p), quic.ErrWouldBlock)
}

func (c *quicConn) Datagrams() bool { return c.datagrams }

func (c *quicConn) SendDatagram(p []byte) error {
	if len(p) > MaxDatagram {
		return fmt.Errorf("link: send datagram of %d bytes: %w", len(p), ErrTooLarge)
	}
	if !c.Datagrams() {
		return fmt.Errorf("link: send datagram: %w", ErrNoDatagrams)
	}
	return closeError(c.conn.SendDatagram(p))
}

func (c *quicConn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	b, err := c.conn.ReceiveDatagram(ctx)
	return b, closeError(err)
}

func (c *quicConn) Close(reason wire.Reason, text string) error {
	err := c.conn.CloseWithError(quic.ApplicationErrorCode(reason), text)
	if c.done != nil {
		c.done()
	}
	return err
}

func (c *quicConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }
func (c *quicConn) LocalAddr() net.Addr  { return c.conn.LocalAddr() }

// closeError makes a ClosedError of an orderly close by either end, and leaves other errors as they are.
func closeError(err error) error {
	if err == nil {
		return nil
	}
	var transport *quic.TransportError
	if errors.As(err, &transport) && transport.Remote && transport.ErrorCode == quic.ConnectionRefused {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var app *quic.ApplicationError
	if !errors.As(err, &app) {
		return err
	}
	return &ClosedError{Remote: app.Remote, Reason: wire.Reason(app.ErrorCode), Text: app.ErrorMessage}
}

// Traffic counts the packets of a connection, and their bytes without the headers of UDP and IP.
type Traffic struct {
	PacketsIn, BytesIn   uint64
	PacketsOut, BytesOut uint64
}

// Counter is a Conn that counts its packets. Not every carrier can.
type Counter interface {
	Traffic() Traffic
}

// Traffic makes the connection a Counter.
func (c *quicConn) Traffic() Traffic {
	s := c.conn.ConnectionStats()
	return Traffic{PacketsIn: s.PacketsReceived, BytesIn: s.BytesReceived, PacketsOut: s.PacketsSent, BytesOut: s.BytesSent}
}
