package messagedirector

import (
	"sync/atomic"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Participant is one State, one agent or one repository: what subscribes, sends and receives as a whole.
type Participant struct {
	// Set by Join, then read-only.
	director *Director
	member   *Member
	inbox    *Inbox

	sending // Owned by the goroutine that calls Route.

	gone atomic.Bool // nothing is routed for it any more
}

// Name is what Join was given.
func (p *Participant) Name() string { return p.member.name }

// Inbox is what is routed to the participant.
func (p *Participant) Inbox() *Inbox { return p.inbox }

// Director is where the participant joined.
func (p *Participant) Director() *Director { return p.director }

// Overloaded reports whether an originator must hold back: see Director.Overloaded.
func (p *Participant) Overloaded() bool { return p.director.Overloaded() }

// Credit is a channel that is closed when an originator may go on: see Director.Credit.
func (p *Participant) Credit() <-chan struct{} { return p.director.Credit() }

// Route sends messages in order; control messages take effect at their place. It never blocks on a receiver. The
// slice belongs to the caller again when Route returns; the messages and their bytes must not be changed any more.
// One goroutine at a time may call it.
func (p *Participant) Route(messages []wire.Message) {
	if p.gone.Load() {
		p.director.gone.refused.Add(uint64(len(messages)))
		return
	}
	for i := range messages {
		m := &messages[i]
		if toDirector(m) {
			p.director.control(p, m)
			continue
		}
		if p.send(m, p.member) {
			continue
		}
		if answer, ok := Nobody(m); ok {
			p.inbox.put(&answer, baseWeight, new(clock), nil)
		}
	}
	p.flush(p.director)
}

// Leave ends the participant: it is unsubscribed, then its post-removes are routed (rule 12). Its Wait says ErrLeft.
func (p *Participant) Leave() { p.director.remove(p, ErrLeft) }

// answer puts the director's answer to a control message into the participant's own inbox.
func (p *Participant) answer(to do.Channel, body wire.Body) {
	m := wire.Message{To: []do.Channel{to}, From: do.Control(do.RoleDirector), Body: body}
	p.inbox.put(&m, baseWeight, new(clock), nil)
}

// sending is what routing needs for one sender, and is owned by it.
type sending struct {
	router   router
	clock    clock
	overflow []*Member // that the last batch was too much for
	routed   uint64    // since the last flush, as the two below
	copies   uint64
	silent   uint64
	count    counters
}

// send puts m into the inbox of each receiver, once (rules 1, 171). False: nobody listens.
func (s *sending) send(m *wire.Message, sender *Member) bool {
	found := s.router.receivers(m, sender)
	s.routed++
	if len(found) == 0 {
		s.silent++
		return false
	}
	s.copies += uint64(len(found))
	w := weight(m)
	for _, r := range found {
		if r.inbox.put(m, w, &s.clock, sender) {
			s.overflow = append(s.overflow, r)
		}
	}
	return true
}

// flush ends a batch: it publishes the counts, and ends those who could not take it.
func (s *sending) flush(d *Director) {
	s.clock.at = 0
	s.count.routed.Add(s.routed)
	s.count.delivered.Add(s.copies)
	s.count.silent.Add(s.silent)
	s.routed, s.copies, s.silent = 0, 0, 0
	for len(s.overflow) > 0 {
		m := s.overflow[len(s.overflow)-1]
		s.overflow = s.overflow[:len(s.overflow)-1]
		d.overflowed(m)
	}
}

// overflowed ends loudly what let too much accumulate: a participant for good, the link to a peer to start over.
func (d *Director) overflowed(m *Member) {
	d.config.Log.Error("inbox over its hard limit", "participant", m.name, "err", ErrOverflow)
	if m.owner != nil {
		d.remove(m.owner, ErrOverflow)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.node != nil {
		d.node.overflowed(m)
	}
}
