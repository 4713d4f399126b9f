// Package link carries the client link: the connection between one client and one agent, whatever is below it.
//
// A [Conn] is one stream of bytes in each direction, on which frames of package wire stand one behind the other,
// and, where the carrier has them, datagrams that may get lost or overtake each other. It knows no session and no
// frame; only where a frame ends ([Reader]).
//
// There are two carriers. QUIC ([Listen], [Dial]; ALPN "otp/1") opens one bidirectional stream per session, from the
// client; connections of one [Dialer] share UDP sockets. Memory ([Pipe], [NewMemory]) is for tests and simulations: the
// same semantics without a network, with a hook that loses datagrams.
//
// Rules for users of a Conn:
//
//   - One goroutine reads, one writes. Close may be called by anybody, and ends both.
//   - Write takes whole frames and blocks while the peer does not read: the caller bounds what it holds meanwhile.
//   - TryWrite may be called by another goroutine than Write; two that write at once come one behind the other.
//   - What Read and ReceiveDatagram return belongs to the caller and is never touched again by the link.
//   - Close with a reason tells the peer that number, also when its stream is stuck; the peer's reads then fail
//     with a [ClosedError] that carries it.
package link
