// Package bench measures whole paths of a running server: it is the body of `otpd bench`.
//
// A server (Serve, or a child process by Spawn) is a daemon with all roles and the smallest game there can be: a yard,
// bodies in its zones, and a gate through which clients come in. The clients (Zone) are no game clients: they speak
// frames over package internal/link, keep no objects, and only count, so that one core can drive many of them.
//
// # Method
//
// Each client owns one body and sets three small values on it at a fixed rate, its phase shifted against the others'.
// A delivery is one such update seen by one other client. Every delivery is counted and its latency taken: from the
// time at which the update was meant to be sent, which travels in its values, to the return of the read that brought
// it. So a sender that falls behind makes latencies longer, not fewer; how late senders were is reported apart. What
// is sent or received outside of the measured time, after a warm-up, counts for nothing.
//
// CPU is the processes' own account (getrusage), bytes are those of QUIC packets as the clients received them, with
// 28 bytes for the UDP and IP headers of each. Where server and clients are one process, nothing tells their CPU
// apart, and the result says so.
package bench
