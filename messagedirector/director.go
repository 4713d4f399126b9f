package messagedirector

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Director connects the participants of one process and, once it serves or is connected, those of other nodes.
// Its methods may be called from any goroutine.
type Director struct {
	// Set before run, then read-only.
	config Config
	table  *Table
	gate   *gate
	start  time.Time
	part   int // maxSubscriptions, less in tests

	gone counters // of participants that left

	mu sync.Mutex
	// Guarded by mu. So are the changes of table.
	participants []*Participant // in the order of joining
	node         *Node          // nil: this process is all there is
}

// New makes a director for the participants of this process.
func New(config Config) (*Director, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	for config.Seed == 0 {
		config.Seed = new(maphash.Hash).Sum64()
	}
	return &Director{config: config, table: NewTable(config.Seed), gate: newGate(), start: time.Now(), part: maxSubscriptions}, nil
}

// Join adds a participant. Its name is for people: logs and metrics.
func (d *Director) Join(name string) *Participant {
	p := &Participant{director: d}
	p.inbox = newInbox(d.gate, d.config.HighWater, d.config.Limit, d.start)
	p.router.table = d.table
	d.mu.Lock()
	defer d.mu.Unlock()
	p.member = d.table.join(&Member{name: name, inbox: p.inbox, owner: p})
	d.participants = append(d.participants, p)
	return p
}

// Run joins, runs f on this goroutine, and leaves when f ends, however it ends.
func (d *Director) Run(name string, f func(*Participant) error) error {
	p := d.Join(name)
	defer p.Leave()
	return f(p)
}

// Overloaded reports whether originators must hold back: some inbox is past its high-water mark.
func (d *Director) Overloaded() bool { return d.gate.held() }

// Credit is a channel that is closed when originators may go on. Ask for it again each time.
func (d *Director) Credit() <-chan struct{} { return d.gate.credit() }

// WaitCredit returns when originators may go on, or with the error of ctx.
func (d *Director) WaitCredit(ctx context.Context) error {
	select {
	case <-d.Credit():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats are the measures of a director.
type Stats struct {
	Routed       uint64 // messages that participants and peers sent
	Delivered    uint64 // copies put into inboxes and into queues to peers
	Silent       uint64 // messages that nobody listened to
	Refused      uint64 // messages of participants that had left, or failed
	Strange      uint64 // packets of nodes that are dead or not known
	Participants []ParticipantStats
	Peers        []PeerStats
}

// ParticipantStats are the measures of one participant.
type ParticipantStats struct {
	Name  string
	Inbox InboxStats
}

// Stats measures the director. Participants and peers are in the order of joining.
func (d *Director) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	var s Stats
	d.gone.addTo(&s)
	for _, p := range d.participants {
		p.count.addTo(&s)
		s.Participants = append(s.Participants, ParticipantStats{Name: p.member.name, Inbox: p.inbox.Stats()})
	}
	if d.node != nil {
		d.node.stats(&s)
	}
	return s
}

// counters are written by one sender and read by Stats.
type counters struct{ routed, delivered, silent, refused atomic.Uint64 }

func (c *counters) addTo(s *Stats) {
	s.Routed += c.routed.Load()
	s.Delivered += c.delivered.Load()
	s.Silent += c.silent.Load()
	s.Refused += c.refused.Load()
}

func (c *counters) merge(o *counters) {
	c.routed.Add(o.routed.Load())
	c.delivered.Add(o.delivered.Load())
	c.silent.Add(o.silent.Load())
	c.refused.Add(o.refused.Load())
}

// toDirector reports whether a message is a control message: the director is its only recipient (rule 5).
func toDirector(m *wire.Message) bool {
	return len(m.To) == 1 && m.To[0].Kind == do.KindControl && m.To[0] == do.Control(do.RoleDirector)
}

// control carries out a control message of p and answers it into p's own inbox.
func (d *Director) control(p *Participant, m *wire.Message) {
	answer, waits := d.apply(p, m)
	if answer == nil || waits {
		return
	}
	p.answer(m.From, answer)
}

// apply changes the table and tells the peers. waits: the answer comes when they have acknowledged.
func (d *Director) apply(p *Participant, m *wire.Message) (answer wire.Body, waits bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delta, err := d.table.Apply(p.member, m.Body)
	if err != nil {
		d.config.Log.Warn("control message refused", "participant", p.member.name, "message", m.Body.Type().String(), "err", err)
		return refusal(m.Body, err), false
	}
	if d.node != nil {
		d.node.tell(delta)
	}
	var context uint32
	switch b := m.Body.(type) {
	case *wire.AddChannels:
		context = b.Context
	case *wire.AddRanges:
		context = b.Context
	case *wire.AddPostRemove:
		d.will(p, b.Key)
	case *wire.ClearPostRemoves:
		d.will(p, b.Key)
	}
	if context == 0 {
		return nil, false
	}
	added := &wire.ChannelsAdded{Context: context}
	return added, d.node != nil && d.node.await(p, m.From, added)
}

// will tells the peers what p has stored under key.
func (d *Director) will(p *Participant, key do.Channel) {
	if d.node != nil {
		d.node.will(p.member, key)
	}
}

// refusal is the one error answer to a control message.
func refusal(body wire.Body, err error) *wire.Failed {
	f := &wire.Failed{Of: body.Type(), Code: wire.CodeMalformed, Text: err.Error()}
	if errors.Is(err, ErrLeft) {
		f.Code = wire.CodeClosed
	}
	switch b := body.(type) {
	case *wire.AddChannels:
		f.Context = b.Context
	case *wire.AddRanges:
		f.Context = b.Context
	}
	return f
}

// remove ends a participant: first it is unsubscribed, then its post-removes are routed, then its peers forget them
// (rules 11, 12). Only the first call does anything.
func (d *Director) remove(p *Participant, cause error) {
	d.mu.Lock()
	i := slices.Index(d.participants, p)
	if i < 0 {
		d.mu.Unlock()
		return
	}
	p.gone.Store(true)
	d.participants = slices.Delete(d.participants, i, i+1)
	keys := p.member.posts.sorted()
	delta, posts := d.table.Leave(p.member)
	if d.node != nil {
		d.node.tell(delta)
		d.node.forget(p)
	}
	d.mu.Unlock()

	p.inbox.fail(cause)
	count := d.route(nil, posts)
	d.gone.merge(&count.count)
	d.gone.merge(&p.count)

	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		d.will(p, key) // nothing any more
	}
}

// route routes the messages of a participant that is gone. Control messages have no meaning any more.
func (d *Director) route(sender *Member, messages []wire.Message) *sending {
	s := &sending{router: router{table: d.table}}
	for i := range messages {
		if !toDirector(&messages[i]) {
			s.send(&messages[i], sender)
		}
	}
	s.flush(d)
	return s
}

// fail ends all participants without their post-removes: the node's epoch is dead, and a peer has run its will.
func (d *Director) fail(cause error) {
	d.mu.Lock()
	failed := d.participants
	d.participants = nil
	for _, p := range failed {
		p.gone.Store(true)
		d.table.Leave(p.member)
	}
	d.mu.Unlock()
	for _, p := range failed {
		p.inbox.fail(cause)
		d.gone.merge(&p.count)
	}
}
