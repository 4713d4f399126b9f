package clientagent

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// Out is what one session is owed. Flush hands it to a function, which takes it in one of two ways: it copies the
// bytes, or it keeps Stream or Datagrams and leaves other buffers of length 0 in their place.
type Out struct {
	Session do.ID
	// Stream is whole frames for the session's stream.
	Stream []byte
	// Datagrams is datagrams one behind the other, each of whole frames and at most link.MaxDatagram bytes; Ends
	// tells where each of them ends. They may be lost.
	Datagrams []byte
	Ends      []int
	// Close ends the connection once Stream is written, with Reason and Text; Reason 0 is no eject.
	Close  bool
	Reason wire.Reason
	Text   string
}

// output is the side of a session that faces its client. What each delivery touches stands together, in one line of the
// processor's cache.
type output struct {
	ended     bool   // nothing is sent any more
	dirty     bool   // in State.dirty
	unwritten bool   // in State.unwritten
	pending   int    // bytes flushed and not yet written, as far as is known
	sent      uint64 // frames appended to the stream since the beginning
	out       Out
	latest    []latestRef // latest fields whose newest value it is owed
	progress  int64       // when pending last went down, or was 0
}

// send appends one frame to a session's stream.
func (s *State) send(t *session, f wire.Frame) {
	if t.ended {
		return
	}
	t.out.Stream = wire.AppendFrame(t.out.Stream, f)
	t.sent++
	s.touch(t)
}

// left is send for a ClientLeave.
func (s *State) left(t *session, alias uint32, reason wire.LeaveReason) {
	if t.ended {
		return
	}
	t.out.Stream = wire.AppendClientLeave(t.out.Stream, alias, reason)
	t.sent++
	s.touch(t)
}

// append appends n encoded frames.
func (s *State) append(t *session, frames []byte, n int) {
	if t.ended {
		return
	}
	t.out.Stream = append(t.out.Stream, frames...)
	t.sent += uint64(n)
	s.touch(t)
}

// touch books a session that has output, and ejects one that has too much (reason 346).
func (s *State) touch(t *session) {
	s.owed++
	if !t.dirty {
		t.dirty = true
		s.dirty = append(s.dirty, t)
	}
	if t.pending+len(t.out.Stream) > s.cfg.Backlog {
		s.eject(t, wire.ReasonSlow, "it does not read")
	}
}

// sessionDrained takes over how much of a session's output is unwritten.
func (s *State) sessionDrained(b *wire.SessionDrained) {
	t := s.sessions[b.Session]
	if t == nil {
		return
	}
	if int(b.Pending) < t.pending || b.Pending == 0 {
		t.progress = s.now
	}
	t.pending = int(b.Pending)
}

// Backlog is a session with output that is not known to be written.
type Backlog struct {
	Session do.ID
	Pending uint32 // bytes, as the State believes
}

// Backlogged is every session with a backlog. The slice is valid until the next call.
func (s *State) Backlogged() []Backlog {
	s.backlogs = s.backlogs[:0]
	keep := s.unwritten[:0]
	for _, t := range s.unwritten {
		if t.unwritten = t.pending > 0 && !t.ended; t.unwritten {
			keep = append(keep, t)
			s.backlogs = append(s.backlogs, Backlog{t.id, uint32(t.pending)})
		}
	}
	clear(s.unwritten[len(keep):])
	s.unwritten = keep
	return s.backlogs
}

// Owed is how many frames sessions were owed since the beginning, before any were coalesced.
func (s *State) Owed() uint64 { return s.owed }

// Dirty is how many sessions have output.
func (s *State) Dirty() int { return len(s.dirty) }

// Flush hands the output of every session that has any to deliver, in the order in which they got it. Latest values
// of a session that is behind stay, and so does the session, until SessionDrained says better. deliver must not call
// the State.
func (s *State) Flush(deliver func(*Out)) { s.FlushSlot(0, 1, deliver) }

// FlushSlot is Flush for one of so many equal parts of the sessions: who flushes them one after the other does not wake
// all writers at once.
func (s *State) FlushSlot(slot, slots int, deliver func(*Out)) {
	keep := s.dirty[:0]
	for _, t := range s.dirty {
		if int(t.number%uint64(slots)) != slot {
			keep = append(keep, t)
			continue
		}
		behind := !t.ended && t.pending > s.cfg.Behind
		if !behind {
			s.writeLatest(t)
		}
		if len(t.out.Stream) > 0 {
			s.acknowledge(t, 0)
		}
		if len(t.out.Stream)+len(t.out.Ends) > 0 || t.out.Close {
			s.handOver(t, deliver)
		}
		if t.dirty = len(t.latest) > 0; t.dirty {
			keep = append(keep, t)
		}
	}
	clear(s.dirty[len(keep):])
	s.dirty = keep
	s.loadedBytes = 0
}

// handOver gives one session's buffers to deliver, and books them.
func (s *State) handOver(t *session, deliver func(*Out)) {
	if t.pending == 0 {
		t.progress = s.now
	}
	t.pending += len(t.out.Stream)
	if !t.unwritten {
		t.unwritten = true
		s.unwritten = append(s.unwritten, t)
	}
	s.stats.BytesOut += uint64(len(t.out.Stream) + len(t.out.Datagrams))
	s.stats.DatagramsOut += uint64(len(t.out.Ends))
	deliver(&t.out)
	t.out.Stream, t.out.Datagrams, t.out.Ends = t.out.Stream[:0], t.out.Datagrams[:0], t.out.Ends[:0]
}

// writeLatest writes the newest value of each latest field that the session is owed: into datagrams where it has
// them and the value fits, else on the stream.
func (s *State) writeLatest(t *session) {
	for _, r := range t.latest {
		r.g.marks &^= 1 << r.index
		if t.ended || !r.g.holds() {
			continue // purged: it left
		}
		frame := r.g.o.latest[r.index].frame
		if len(frame) == 0 {
			continue // of a life that is over
		}
		s.stats.Deliveries++
		if !t.datagrams || len(frame) > link.MaxDatagram {
			t.out.Stream = append(t.out.Stream, frame...)
			t.sent++
			continue
		}
		begin := 0
		if n := len(t.out.Ends); n > 1 {
			begin = t.out.Ends[n-2]
		}
		t.out.Datagrams = append(t.out.Datagrams, frame...)
		if n := len(t.out.Ends); n > 0 && len(t.out.Datagrams)-begin <= link.MaxDatagram {
			t.out.Ends[n-1] = len(t.out.Datagrams)
		} else {
			t.out.Ends = append(t.out.Ends, len(t.out.Datagrams))
		}
	}
	clear(t.latest)
	t.latest = t.latest[:0]
}

// ackLatest acknowledges a client's latest set, at its place among what else the State said of the object.
func (s *State) ackLatest(t *session, alias uint32, b *wire.Done) {
	t.out.Stream = wire.AppendClientLatestDone(t.out.Stream, alias, b.Serial, b.Now)
	t.sent++
	s.touch(t)
}
