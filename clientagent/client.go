package clientagent

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// sessionFrames takes what a client sent: whole frames of its stream, or one datagram. The bytes after a frame that
// ends the session are not looked at.
func (s *State) sessionFrames(b *wire.SessionFrames) error {
	t := s.sessions[b.Session]
	if t == nil {
		return nil // it ended while this was under way
	}
	s.stats.BytesIn += uint64(len(b.Bytes))
	if b.Datagram {
		s.stats.DatagramsIn++
		if t.state == wire.StateNew {
			s.stats.DatagramsDropped++ // it overtook the Hello, and is none
			return nil
		}
	}
	t.heard = s.now
	if !t.inByte.take(float64(len(b.Bytes)), float64(s.cfg.Bytes), float64(2*s.cfg.Bytes), s.now) {
		s.eject(t, wire.ReasonRate, fmt.Sprintf("more than %d bytes a second", s.cfg.Bytes))
	}
	if len(t.held.uses) > 0 && !b.Datagram {
		s.frameRate(t, b.Bytes)
		t.held.bytes = append(t.held.bytes, b.Bytes...)
		return nil
	}
	for rest := b.Bytes; len(rest) > 0 && s.takeFrame(t); {
		n := s.clientFrame(t, rest, b.Datagram)
		if len(t.held.uses) > 0 && !b.Datagram {
			s.frameRate(t, rest[n:])
			t.held.bytes = bytes.Clone(rest) // this frame waits, and all behind it
			break
		}
		rest = rest[n:]
		if !b.Datagram {
			s.counted(t)
		}
		s.stats.FramesIn++
	}
	if t.doom.set && !t.doom.silent {
		return fmt.Errorf("clientagent: session %s: %s: %w", t.id, t.doom.text, errRefused)
	}
	return nil
}

// takeFrame counts a frame against the session's rate; false: it is too much, or the session ends anyway.
func (s *State) takeFrame(t *session) bool {
	if !t.doom.set && !t.in.take(1, float64(s.cfg.Frames), float64(2*s.cfg.Frames), s.now) {
		s.eject(t, wire.ReasonRate, fmt.Sprintf("more than %d frames a second", s.cfg.Frames))
	}
	return !t.doom.set
}

// frameRate counts frames that have to wait: when they are handled, all at once, they are not counted again.
func (s *State) frameRate(t *session, b []byte) {
	for len(b) > 0 && s.takeFrame(t) {
		n, err := fields.Skip(b)
		if err != nil {
			return // what is wrong with it is found when it is its turn
		}
		b = b[n:]
	}
}

// inFrame is one decoded frame. The most frequent ones are decoded by value.
type inFrame struct {
	n         int
	kind      wire.FrameType
	frame     wire.Frame
	set       wire.ClientSet
	setLatest wire.ClientSetLatest
}

// clientFrame handles the frame at the front of b and returns its length.
func (s *State) clientFrame(t *session, b []byte, datagram bool) int {
	var f inFrame
	if v := s.guard(t, func() verdict { return s.decode(b, &f) }); !v.ok() {
		if v.reason == wire.ReasonBadType && t.state == wire.StateNew {
			v.reason = wire.ReasonNoHello
		}
		s.eject(t, v.reason, v.text)
		return len(b)
	}
	if v := t.accepts(&f, datagram, s.now); !v.ok() {
		s.eject(t, v.reason, v.text)
		return f.n
	}
	switch f.kind {
	case wire.FrameClientSet:
		s.clientSet(t, &f.set)
	case wire.FrameClientSetLatest:
		s.clientSetLatest(t, &f.setLatest, datagram)
	default:
		if !s.holds(t, f.frame) {
			s.clientOther(t, f.frame)
		}
	}
	return f.n
}

// clientOther handles the less frequent frames.
func (s *State) clientOther(t *session, f wire.Frame) {
	switch f := f.(type) {
	case *wire.ClientHello:
		s.hello(t, f)
	case *wire.ClientDisconnect:
		s.drop(t)
	case *wire.ClientHeartbeat:
		s.heartbeat(t, f.Frames)
	case *wire.ClientMove:
		s.clientMove(t, f)
	case *wire.ClientCall:
		s.clientCall(t, f)
	case *wire.ClientAnswer:
		s.clientAnswer(t, f)
	case *wire.ClientAddInterest:
		s.clientAddInterest(t, f)
	case *wire.ClientRemoveInterest:
		s.clientRemoveInterest(t, f)
	case *wire.ClientFollow:
		s.clientFollow(t, f)
	case *wire.ClientPing:
		s.send(t, &wire.ClientPong{T1: f.T1, T2: s.now, T3: s.now})
	}
}

// guard runs the decoding or checking of one client's frame. A panic there is a bug of ours, but touched nothing that is
// shared: it ends that one session, is counted, and in tests a count above zero fails (reason 348).
func (s *State) guard(t *session, check func() verdict) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			s.stats.Panics++
			s.stats.LastPanic = fmt.Sprint(r)
			v = fault(wire.ReasonInternal, "internal error")
		}
	}()
	return check()
}

// decode decodes the frame at the front of b.
func (s *State) decode(b []byte, f *inFrame) verdict {
	if s.beforeDecode != nil {
		s.beforeDecode(b)
	}
	kind, err := wire.PeekFrame(b)
	if err == nil {
		f.kind = kind
		if !kind.FromClient() {
			return fault(wire.ReasonBadType, "frame %d is none of a client's", uint16(kind))
		}
		switch kind {
		case wire.FrameClientSet:
			f.set, f.n, err = wire.ParseClientSet(b)
		case wire.FrameClientSetLatest:
			f.setLatest, f.n, err = wire.ParseClientSetLatest(b)
		default:
			f.frame, f.n, err = wire.NextFrame(b)
		}
	}
	switch {
	case err == nil && f.n > s.cfg.MaxFrame, err != nil && len(b) > s.cfg.MaxFrame && errors.Is(err, fields.ErrShort):
		return fault(wire.ReasonOversized, "a frame of more than %d bytes", s.cfg.MaxFrame)
	case errors.Is(err, fields.ErrTrailing):
		return fault(wire.ReasonOversized, "%v", err)
	case err != nil:
		return fault(wire.ReasonTruncated, "%v", err)
	}
	return verdict{}
}

// accepts applies the session's state: only Hello first (107), then, before login, only what reaches anonymous
// UberDOGs (108; what a session that was lowered a moment ago sent before is let through, to be refused), and no second Hello. Datagrams carry latest sets and pings, nothing else.
func (t *session) accepts(f *inFrame, datagram bool, now int64) verdict {
	if datagram && f.kind != wire.FrameClientSetLatest && f.kind != wire.FrameClientPing {
		return fault(wire.ReasonBadType, "%s in a datagram", f.kind)
	}
	switch t.state {
	case wire.StateNew:
		if f.kind != wire.FrameClientHello {
			return fault(wire.ReasonNoHello, "%s before Hello", f.kind)
		}
		return verdict{}
	case wire.StateAnonymous:
		if t.lowered > now {
			break // it was established a moment ago: what it sent then is refused and not punished (rule 105)
		}
		switch f.kind {
		case wire.FrameClientMove, wire.FrameClientAddInterest, wire.FrameClientRemoveInterest, wire.FrameClientFollow:
			return fault(wire.ReasonBadType, "%s before login", f.kind)
		}
	}
	if f.kind == wire.FrameClientHello {
		return fault(wire.ReasonBadType, "a second Hello")
	}
	return verdict{}
}

// hello is rule 85: the version, then the schema. A fingerprint that the agent does not know is answered with its
// schema's text; the client compares, and says Hello again or leaves.
func (s *State) hello(t *session, f *wire.ClientHello) {
	switch {
	case s.cfg.Version != "" && f.Version != s.cfg.Version:
		s.eject(t, wire.ReasonVersion, fmt.Sprintf("version %q, this is %q", f.Version, s.cfg.Version))
		return
	case s.schema == nil:
		s.eject(t, wire.ReasonNotReady, "not ready, retry")
		return
	}
	ours := s.schema.Fingerprint()
	if string(f.Schema) != string(ours[:]) && !(t.offered && f.Early) {
		if t.offered || len(f.Schema) != len(ours) {
			s.eject(t, wire.ReasonSchema, fmt.Sprintf("schema %x, this is %x", f.Schema, ours))
			return
		}
		t.offered = true
		s.send(t, &wire.ClientSchema{Text: s.schema.Text()})
		return
	}
	t.state, t.enters = wire.StateAnonymous, f.Enters
	s.send(t, &wire.ClientWelcome{
		Session: t.id, Schema: ours[:], Partitions: s.record.Partitions,
		Heartbeat: uint32(max(s.cfg.Heartbeat, 0).Milliseconds()), Now: s.now,
	})
}
