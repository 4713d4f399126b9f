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
	// Written is set by the function where it has written Stream already: then it is not booked as backlog.
	Written bool
}

// output is the side of a session that faces its client. What each delivery touches stands together, in one line of the
// processor's cache.
type output struct {
	ended     bool   // nothing is sent any more
	dirty     bool   // in State.dirty
	unwritten bool   // in State.unwritten
	pending   int    // bytes flushed and not yet written, as far as is known
	allowed   int    // of these and of out.Stream, what is no backlog
	sent      uint64 // frames appended to the stream since the beginning
	out       Out
	latest    []latestRef // latest fields whose newest value it is owed
	progress  int64       // when pending last went down, or was 0
	loading   allowance   // what openings brought
	repaired  allowance   // what repairs brought
}

// allowance is output that is no backlog: the session asked for it, or a loss made it necessary, and it is no more than what
// the agent keeps of these objects anyway.
type allowance struct {
	bytes  int // not known to be written
	before int // of these, from before the session last closed something, or the last repair began
}

// again begins a new round. While something is left of the one before, what comes is backlog: nobody opens and closes again
// and again without reading, nor is repaired again and again.
func (a *allowance) again() { a.before = a.bytes }

func (a *allowance) written(n int) { a.bytes, a.before = max(0, a.bytes-n), max(0, a.before-n) }

// allow takes note of n bytes of out.Stream that are no backlog, if a has room.
func (o *output) allow(a *allowance, n int) {
	if a.before == 0 {
		a.bytes += n
		o.allowed += n
	}
}

// written books n bytes as written, oldest first: with them goes what is no backlog.
func (o *output) written(n int) {
	if n > 0 {
		o.loading.written(n)
		o.repaired.written(n)
		o.allowed = o.loading.bytes + o.repaired.bytes
	}
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
	if t.pending+len(t.out.Stream)-t.allowed > s.cfg.Backlog {
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
	t.written(t.pending - int(b.Pending))
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

// Dirty reports whether some session has output, or will when it is not behind any more.
func (s *State) Dirty() bool { return len(s.dirty)+len(s.fed) > 0 }

// part is the sessions that a flush is for.
type part struct{ slot, slots, turn, turns uint32 }

func partOf(f *wire.Flush) part {
	return part{uint32(f.Slot), max(uint32(f.Slots), 1), uint32(f.Turn), max(uint32(f.Turns), 1)}
}

// has reports whether the session with that number is one of them.
func (p *part) has(number uint32) bool { return number%p.slots == p.slot }

// turnOf reports whether it is among those that get latest values in any case.
func (p *part) turnOf(number uint32) bool { return p.turns == 1 || number/p.slots%p.turns == p.turn }

// latestDue reports whether t, which the flush is for, gets latest values: not while it is behind, and where it is not its
// turn only with what it is owed besides.
func (s *State) latestDue(p *part, t *session) bool {
	return t.ended || t.pending <= s.cfg.Behind && (p.turnOf(uint32(t.number)) || len(t.out.Stream) > 0)
}

// Flush hands the output of every session that has any to deliver, in the order in which they got it. Latest values
// of a session that is behind stay, and so does the session, until SessionDrained says better. deliver must not call
// the State.
func (s *State) Flush(deliver func(*Out)) { s.FlushPart(&wire.Flush{}, deliver) }

// FlushPart is Flush for one of f.Slots equal parts of the sessions: who flushes them one after the other does not wake all
// writers at once. Of these, who is owed nothing but latest values gets them if it is one of f.Turns equal parts in turn:
// where there are too many packets, they are saved at what may be a little older.
func (s *State) FlushPart(f *wire.Flush, deliver func(*Out)) {
	part := partOf(f)
	s.flushFeeds(&part)
	keep := s.dirty[:0]
	for _, t := range s.dirty {
		if !part.has(uint32(t.number)) {
			keep = append(keep, t)
			continue
		}
		if s.latestDue(&part, t) {
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
	s.stats.BytesOut += uint64(len(t.out.Stream) + len(t.out.Datagrams))
	s.stats.DatagramsOut += uint64(len(t.out.Ends))
	n := len(t.out.Stream) + len(t.out.Datagrams)
	if deliver(&t.out); t.out.Written {
		t.out.Written = false
		t.written(n)
	} else if t.pending += n; !t.unwritten {
		t.unwritten = true
		s.unwritten = append(s.unwritten, t)
	}
	t.out.Stream, t.out.Datagrams, t.out.Ends = t.out.Stream[:0], t.out.Datagrams[:0], t.out.Ends[:0]
	t.entering.Reset()
}

// writeLatest writes the newest value of each latest field that the session alone is owed: into a datagram where it has
// them and there is room, else on the stream.
func (s *State) writeLatest(t *session) {
	for _, r := range t.latest {
		marked := r.g.marks&(1<<r.index) != 0
		sure := r.g.sure&(1<<r.index) != 0
		r.g.marks &^= 1 << r.index
		r.g.sure &^= 1 << r.index
		if t.ended || !marked || !r.g.holds() {
			continue // purged: it left, or an entry had the value
		}
		lf := &r.g.o.latest[r.index]
		if len(lf.frame) == 0 || lf.whole || lf.writer == t || r.g.fed(lf) {
			continue // of a life that is over; or it has the newest: from a set, as its own, or soon from the feed
		}
		s.stats.Deliveries++
		if t.datagrams && !sure && len(t.out.Datagrams)+len(lf.frame) <= link.MaxDatagram {
			t.out.gram(lf.frame)
			continue
		}
		t.out.Stream = append(t.out.Stream, lf.frame...)
		t.sent++
	}
	clear(t.latest)
	t.latest = t.latest[:0]
}

// gram appends frames to the datagram of this flush. There is one: datagrams do not share packets, and packets are what
// costs, so what has no room in it goes on the stream.
func (o *Out) gram(frames []byte) {
	o.Datagrams = append(o.Datagrams, frames...)
	o.Ends = append(o.Ends[:0], len(o.Datagrams))
}

// ackLatest acknowledges a client's latest set, at its place among what else the State said of the object.
func (s *State) ackLatest(t *session, alias uint32, b *wire.Done) {
	t.out.Stream = wire.AppendClientLatestDone(t.out.Stream, alias, b.Serial, b.Now)
	t.sent++
	s.touch(t)
}
