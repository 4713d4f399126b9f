//go:build faults

package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// faults loses messages on their way to one agent or its clients, in builds with the tag faults, to show that each
// loss is found and repaired. OTPD_FAULT says what is lost: KIND:N[,last][,often][,norepair], with the kinds
//
//	leave      the N-th ChangingLocation to the agent
//	set        the N-th Update to the agent that is not latest
//	datagram   every datagram with latest values to a client from the N-th on, and so each last one
//
// What an owner alone is told is lost like what a location hears. With last, everything after it that the object says to
// either is lost too, so that no hole in the versions can tell; only the digests are left. With often, so it is with every N-th. With norepair there are no digests and no latest value is repeated: what was lost stays lost.
type faults struct {
	// Set by newFaults, then read-only.
	kind     string // empty: nothing is lost
	n        uint64
	last     bool
	often    bool
	norepair bool
	log      *slog.Logger

	// Owned by the agent's goroutine.
	seen uint64         // of the kind
	gone map[do.ID]bool // objects about which nothing is told any more

	datagrams atomic.Uint64 // with latest values, by all writers
}

func newFaults(log *slog.Logger) (*faults, error) {
	f := &faults{log: log, gone: map[do.ID]bool{}}
	text := os.Getenv("OTPD_FAULT")
	if text == "" {
		return f, nil
	}
	words := strings.Split(text, ",")
	kind, count, _ := strings.Cut(words[0], ":")
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("OTPD_FAULT=%s: want KIND:N: %w", text, ErrConfig)
	}
	switch kind {
	case "leave", "set", "datagram":
	default:
		return nil, fmt.Errorf("OTPD_FAULT=%s: no kind %q: %w", text, kind, ErrConfig)
	}
	f.kind, f.n = kind, n
	for _, w := range words[1:] {
		switch w {
		case "last":
			f.last = true
		case "often":
			f.often = true
		case "norepair":
			f.norepair = true
		default:
			return nil, fmt.Errorf("OTPD_FAULT=%s: no word %q: %w", text, w, ErrConfig)
		}
	}
	return f, nil
}

// configure turns the repetition of latest values off, if nothing is to be repaired.
func (f *faults) configure(c *clientagent.Config) {
	if f.norepair {
		c.Repeat = 24 * time.Hour
	}
}

// lose is for the agent's Lose.
func (f *faults) lose() func(wire.Message) bool {
	if f.kind == "" {
		return nil
	}
	return func(m wire.Message) bool {
		kind, id := kindOf(m.Body)
		switch {
		case kind == "digest":
			return f.norepair
		case !slices.ContainsFunc(m.To, func(c do.Channel) bool { return c.Kind == do.KindLocation || c.Kind == do.KindSession }):
			return false
		case f.gone[id]:
			return true
		case kind != f.kind:
			return false
		}
		f.seen++
		if f.seen != f.n && (!f.often || f.seen%f.n != 0) {
			return false
		}
		if f.last {
			f.gone[id] = true
		}
		f.log.Warn("fault: lost on purpose", "message", m.String())
		return true
	}
}

// kindOf says what a message is to faults, and which object it is about.
func kindOf(b wire.Body) (kind string, id do.ID) {
	switch b := b.(type) {
	case *wire.Digest, *wire.HeldDigest:
		return "digest", id
	case *wire.ChangingLocation:
		return "leave", b.DO
	case *wire.Deleted:
		return "end", b.DO
	case *wire.EnterLocation:
		return "enter", b.Entry.DO
	case *wire.Update:
		if b.Latest || b.Version.IsZero() {
			return "latest", b.DO
		}
		return "set", b.DO
	}
	return "", id
}

// listener is l with connections that lose datagrams.
func (f *faults) listener(l link.Listener) link.Listener {
	if f.kind != "datagram" {
		return l
	}
	return lossyListener{l, f}
}

type lossyListener struct {
	link.Listener
	f *faults
}

// Accept implements link.Listener.
func (l lossyListener) Accept(ctx context.Context) (link.Conn, error) {
	c, err := l.Listener.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return lossyConn{c, l.f}, nil
}

type lossyConn struct {
	link.Conn
	f *faults
}

// SendDatagram implements link.Conn. Answers to pings pass.
func (c lossyConn) SendDatagram(b []byte) error {
	if t, err := wire.PeekFrame(b); err != nil || t != wire.FrameClientLatest {
		return c.Conn.SendDatagram(b)
	}
	n := c.f.datagrams.Add(1)
	if n < c.f.n {
		return c.Conn.SendDatagram(b)
	}
	if n == c.f.n {
		c.f.log.Warn("fault: lost on purpose", "message", "this datagram and all that follow")
	}
	return nil
}
