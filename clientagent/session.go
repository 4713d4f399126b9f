package clientagent

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// session is one client.
type session struct {
	output // first, so that it begins a line of the cache

	id        do.ID
	number    uint64 // of the session, in the order of opening
	at        int    // its index in State.order
	named     uint64 // the last message that was addressed to it: see State.naming
	channel   do.Channel
	remote    string
	local     string
	datagrams bool

	state   wire.SessionState
	lowered int64 // until when it is excused to send what only an established session may (rule 105)
	offered bool  // it was told the schema and may say Hello again
	account do.ID
	doom    doom

	heard  int64  // when it last sent anything
	in     bucket // frames
	inByte bucket
	rates  map[uberdogField]*bucket // of those with rate=, which it has sent to
	got    uint64                   // frames received on the stream
	gotAt  int64                    // when the first of those came that are not acknowledged
	gotAck uint64                   // of these, acknowledged
	ackAt  int64

	enters   bool              // it reads ClientEnters
	entering wire.EntersWriter // those at the end of out.Stream

	grips    grips
	past     history
	lost     map[do.ID]int64  // until when lost ownership or grants are excused
	lostList []lostRight      // the same, by time
	grants   map[do.ID]grant  // what it may set beyond the keywords (rule 90)
	unacked  queue[toldAlias] // leaves that it has not acknowledged, in order of their frames

	seats   map[do.Location]*seat
	handles []*handle            // ascending by number
	follows bool                 // one of them follows, or did
	autos   map[do.ID]uint16     // handles that were opened for what it sees (rule 163), by that object
	permits map[do.ID]permission // by parent
	held    holding

	objects     []do.ID        // session objects, in the order in which they were added
	postRemoves []wire.Message // routed when it ends
	opened      []do.Channel

	unsure   int64 // until when writes of it may come of which it was told that their outcome is unknown
	calls    callMemory
	called   calledMemory
	requests int // unanswered
}

// uberdogField is a field of an UberDOG, which no session has a grip on.
type uberdogField struct {
	id     do.ID
	number fields.Number
}

// doom is why a session will end with this Step.
type doom struct {
	set    bool
	silent bool // closes without a word
	reason wire.Reason
	text   string
}

// sessionOpened takes a new connection; one too many is told so (reason 1).
func (s *State) sessionOpened(b *wire.SessionOpened) error {
	if s.sessions[b.Session] != nil {
		return fmt.Errorf("clientagent: open session %s: it is open: %w", b.Session, errRefused)
	}
	t := &session{
		id: b.Session, number: s.stats.SessionsOpened, channel: do.Session(b.Session), remote: b.Remote, local: b.Local, datagrams: b.Datagrams,
		heard:  s.now,
		ackAt:  s.now,
		in:     bucket{tokens: float64(2 * s.cfg.Frames), at: s.now},
		inByte: bucket{tokens: float64(2 * s.cfg.Bytes), at: s.now},
		lost:   map[do.ID]int64{},
		grants: map[do.ID]grant{},
		seats:  map[do.Location]*seat{},
	}
	t.out.Session = b.Session
	t.progress = s.now
	s.sessions[t.id] = t
	t.at = len(s.order)
	s.order = append(s.order, t)
	s.stats.SessionsOpened++
	s.control(&wire.AddChannels{Channels: []do.Channel{t.channel}})
	if len(s.order) > s.cfg.MaxSessions {
		s.eject(t, wire.ReasonFull, "this agent is full")
	}
	return nil
}

// sessionClosed ends a session whose connection is gone.
func (s *State) sessionClosed(b *wire.SessionClosed) {
	if t := s.sessions[b.Session]; t != nil {
		s.drop(t)
		t.doom.text = b.Reason
	}
}

// eject ends a session at the end of this Step, and tells it why. Only the first reason counts.
func (s *State) eject(t *session, reason wire.Reason, text string) {
	if t.doom.set || t.ended {
		return
	}
	t.doom = doom{set: true, reason: reason, text: text}
	s.doomed = append(s.doomed, t)
}

// drop ends a session at the end of this Step without a word (rule 97).
func (s *State) drop(t *session) {
	if t.doom.set || t.ended {
		return
	}
	t.doom = doom{set: true, silent: true}
	s.doomed = append(s.doomed, t)
}

// end takes a session out: nothing reaches it any more, then the calls to it are answered, its session objects deleted,
// its pending interests answered, and its post-removes come last (rule 104). Session ids are never used again, so nothing
// that is late can reach somebody else.
func (s *State) end(t *session) {
	s.lastWord(t)
	t.ended = true
	delete(s.sessions, t.id)
	last := len(s.order) - 1
	s.order[t.at] = s.order[last]
	s.order[t.at].at = t.at
	s.order[last] = nil
	s.order = s.order[:last]
	s.forgetViews(t)
	gone := append([]do.Channel{t.channel}, s.unbind(t)...)
	s.control(&wire.RemoveChannels{Channels: gone})
	s.unhold(t)
	s.abandonCalled(t)
	for _, id := range t.objects {
		s.out.SendTo(do.ObjectChannel(id), t.channel, &wire.DeleteRAM{DO: id})
	}
	s.abandonInterests(t)
	if len(t.objects)+len(t.postRemoves) > 0 {
		s.control(&wire.ClearPostRemoves{Key: t.channel})
	}
	for _, m := range t.postRemoves {
		s.out.Send(m.To, m.From, m.Body)
	}
	s.stats.SessionsClosed++
}

// lastWord puts the eject into the output, and leaves the session's buffers to Flush.
func (s *State) lastWord(t *session) {
	if !t.doom.silent {
		s.stats.eject(t.doom.reason)
		s.send(t, &wire.ClientEject{Reason: t.doom.reason, Text: t.doom.text})
	}
	t.out.Close, t.out.Reason, t.out.Text = true, t.doom.reason, t.doom.text
	s.touch(t)
}

// unbind takes a session out of what finds it by account or channel, and returns what nobody here listens to any more.
func (s *State) unbind(t *session) []do.Channel {
	var silent []do.Channel
	if !t.account.IsZero() && s.leaveAccount(t) {
		silent = append(silent, do.Account(t.account))
	}
	for _, c := range t.opened {
		if s.leaveChannel(t, c) {
			silent = append(silent, c)
		}
	}
	return silent
}

// leaveAccount reports whether t was the account's last session here.
func (s *State) leaveAccount(t *session) (last bool) {
	rest := slices.DeleteFunc(s.accounts[t.account], func(o *session) bool { return o == t })
	if len(rest) == 0 {
		delete(s.accounts, t.account)
		return true
	}
	s.accounts[t.account] = rest
	return false
}

// leaveChannel reports whether t was the last session here that had c open.
func (s *State) leaveChannel(t *session, c do.Channel) (last bool) {
	rest := slices.DeleteFunc(s.channels[c], func(o *session) bool { return o == t })
	if len(rest) == 0 {
		delete(s.channels, c)
		return true
	}
	s.channels[c] = rest
	return false
}

const (
	// serverHeartbeat is how often a client's frames are acknowledged at most, nanoseconds: that goes with what the
	// session is owed anyway.
	serverHeartbeat = int64(1e9)
	// lateHeartbeat is when they are acknowledged in any case, nanoseconds: a packet of its own costs as much as any.
	lateHeartbeat = int64(5e9)
)

// counted counts a frame that came on the stream.
func (s *State) counted(t *session) {
	if t.got == t.gotAck {
		t.gotAt = s.now
	}
	t.got++
}

// acknowledge acknowledges what came on the stream, if it is time.
func (s *State) acknowledge(t *session, waited int64) {
	if t.got > t.gotAck && s.now-t.gotAt >= waited && s.now-t.ackAt >= serverHeartbeat {
		t.gotAck, t.ackAt = t.got, s.now
		s.send(t, &wire.ServerHeartbeat{Frames: t.got})
	}
}

const (
	// sweepSome is how many sessions, or requests, a sweep looks at if there are so many.
	sweepSome = 256
	// sweepRound is in how many sweeps all of them are looked at, where there are more: their deadlines are of seconds.
	sweepRound = 16
)

// sweepShare is how many of n a sweep looks at.
func sweepShare(n int) int { return min(n, max(sweepSome, n/sweepRound)) }

// sweepSessions does what time brings to sessions: to all of them while they are few, else to some in turn.
func (s *State) sweepSessions() {
	for range sweepShare(len(s.order)) {
		if s.swept >= len(s.order) {
			s.swept = 0
		}
		t := s.order[s.swept]
		s.swept++
		s.sweepFollows(t)
		s.sweepSession(t)
	}
}

// leastLeave is how many bytes a ClientLeave has at least. So no backlog has more leaves than Backlog/leastLeave: of more
// than these the client has read some, and says nothing.
const leastLeave = 4

// sweepSession does what time brings to one session: silence, a stalled output, acknowledgements, forgetting.
func (s *State) sweepSession(t *session) {
	quiet := s.now - t.heard
	switch {
	case t.state == wire.StateNew && quiet > int64(s.cfg.HelloTimeout):
		s.eject(t, wire.ReasonHeartbeat, "no Hello")
	case s.cfg.Heartbeat > 0 && quiet > int64(s.cfg.Heartbeat):
		s.eject(t, wire.ReasonHeartbeat, "no sign of life")
	case t.pending > 0 && s.now-t.progress > int64(s.cfg.WriteStall):
		s.eject(t, wire.ReasonSlow, "output stalled")
	case t.unacked.len() > s.cfg.Backlog/leastLeave:
		s.eject(t, wire.ReasonSlow, "it does not acknowledge what left")
	}
	s.acknowledge(t, lateHeartbeat)
	s.forgetPast(t)
	s.forgetCalled(t)
}

// heartbeat takes the client's acknowledgement of frames: aliases that it knows to have left are free of it.
func (s *State) heartbeat(t *session, frames uint64) {
	n := 0
	for ; n < t.unacked.len() && t.unacked.at(n).frame <= frames; n++ {
		s.aliases.release(t.unacked.at(n).alias, s.now+int64(s.cfg.AliasRest))
	}
	t.unacked.drop(n)
}

// bucket is a token bucket: what may still come now.
type bucket struct {
	tokens float64
	at     int64
}

// take takes n tokens, of which rate come back in a second and burst are kept at most. False: there are not as many.
func (b *bucket) take(n, rate, burst float64, now int64) bool {
	b.tokens = min(burst, b.tokens+rate*float64(now-b.at)/1e9)
	b.at = now
	if b.tokens < n {
		return false
	}
	b.tokens -= n
	return true
}
