package link

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/otpd/otpd/wire"
)

// ALPN is the protocol name in the TLS handshake of the client link, version 1.
const ALPN = "otp/1"

// MaxDatagram is how many bytes of frames a sender puts into one datagram: what fits a QUIC packet of 1,280 bytes
// with its headers, and so any path.
const MaxDatagram = 1150

// Conn is one end of a client link. See the package's rules for who may call what.
type Conn interface {
	// Read reads bytes of the peer's stream. It returns io.EOF when the peer ended its stream in order, and a
	// ClosedError when the connection was closed with a reason.
	Read(p []byte) (n int, err error)
	// Write writes whole frames. It blocks while the peer's window is full, until Close.
	Write(p []byte) (n int, err error)
	// TryWrite writes whole frames if they are taken at once; false: nothing was written, use Write. It holds more than
	// Write does before it says no, so the caller calls Write now and then. What ended the connection Read tells.
	TryWrite(p []byte) bool
	// Datagrams reports whether both ends can send datagrams.
	Datagrams() bool
	// SendDatagram sends p, at most MaxDatagram bytes, perhaps: nothing says whether it arrives. It does not keep p.
	SendDatagram(p []byte) error
	// ReceiveDatagram waits for the next datagram.
	ReceiveDatagram(ctx context.Context) ([]byte, error)
	// Close ends the connection and tells the peer why; 0 is a goodbye. Only the first call counts.
	Close(reason wire.Reason, text string) error
	RemoteAddr() net.Addr
	LocalAddr() net.Addr
}

// Listener accepts the connections of clients.
type Listener interface {
	// Accept waits for the next connection whose stream is open. It returns net.ErrClosed after Close.
	Accept(ctx context.Context) (Conn, error)
	Addr() net.Addr
	// Close stops accepting, ends all connections that are still open, and frees the port.
	Close() error
}

// ClosedError says that one end closed the connection, and why.
type ClosedError struct {
	Remote bool // the peer did
	Reason wire.Reason
	Text   string
}

func (e *ClosedError) Error() string {
	who := "here"
	if e.Remote {
		who = "by the peer"
	}
	return fmt.Sprintf("link: closed %s: %d %s", who, uint16(e.Reason), e.Text)
}

// Is makes every ClosedError a net.ErrClosed.
func (e *ClosedError) Is(target error) bool { return target == net.ErrClosed }

var (
	// ErrNoDatagrams is returned where the carrier or the peer has no datagrams.
	ErrNoDatagrams = errors.New("no datagrams on this connection")
	// ErrRefused is returned where the server had no room for another connection at that moment: try again.
	ErrRefused = errors.New("connection refused for now")
	// ErrTooLarge is returned for a datagram of more than MaxDatagram bytes.
	ErrTooLarge = errors.New("datagram too large")
	// ErrFrameSize is returned by a Reader for a frame that is longer than its limit.
	ErrFrameSize = errors.New("frame too long")
)
