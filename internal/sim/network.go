package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// participant is whoever sends and receives messages: a State, an agent, the database, an AI.
type participant struct {
	name    string
	index   int
	member  *messagedirector.Member
	gone    bool
	will    []wire.Message // of one that is gone: what is not sent yet, and will be if nobody comes in its place
	receive func(m wire.Message)
	links   []*link // to the others, by their index
	builds  bool    // an AI: what it writes is built on what it wrote before
	far     bool    // on a node of its own: the links to it can be lost
	skew    int64   // what its clock is ahead, nanoseconds
	lost    int64   // until when its own links were cut last
	latest  int64   // the latest time that it was told: for it time never goes back
}

// link is the way from one participant to another. What is on it arrives in order.
type link struct {
	last  int64 // when what was sent last arrives
	down  int64 // until when what is sent is lost
	queue []*event
}

// network carries messages between participants, by the real routing table.
type network struct {
	w     *world
	table *messagedirector.Table
	all   []*participant
	buf   []byte

	hosted map[*participant][]do.Range // by those that are gone; only looked up
}

func (n *network) join(name string, far bool, receive func(wire.Message)) *participant {
	p := &participant{name: name, index: len(n.all), member: n.table.Join(name), receive: receive, far: far}
	n.all = append(n.all, p)
	return p
}

func (n *network) link(from, to *participant) *link {
	for len(from.links) <= to.index {
		from.links = append(from.links, &link{})
	}
	return from.links[to.index]
}

// route sends what a participant's core caused, in order; control messages take effect at their place.
func (n *network) route(from *participant, messages []wire.Message) {
	if from.gone {
		return
	}
	for _, m := range messages {
		if len(m.To) == 1 && m.To[0] == do.Control(do.RoleDirector) {
			n.control(from, m)
			continue
		}
		n.send(from, m)
	}
}

// control applies a control message, and answers those that ask for it.
func (n *network) control(from *participant, m wire.Message) {
	n.w.record("control", from.name, "director", m)
	if _, err := n.table.Apply(from.member, m.Body); err != nil {
		n.w.problem("director: %v", err)
		return
	}
	var context uint32
	switch b := m.Body.(type) {
	case *wire.AddChannels:
		context = b.Context
	case *wire.AddRanges:
		context = b.Context
	}
	if context != 0 {
		answer := wire.Message{To: []do.Channel{m.From}, From: m.To[0], Body: &wire.ChannelsAdded{Context: context}}
		n.carry(from, from, answer, nil)
	}
}

// send carries one message to everybody who subscribed to a recipient of it.
func (n *network) send(from *participant, m wire.Message) {
	if len(m.To) == 0 {
		n.w.problem("%s sent a message to nobody: %v", from.name, m)
		return
	}
	n.w.ledger.sent(m)
	n.buf = wire.AppendMessage(n.buf[:0], &m)
	encoded := bytes.Clone(n.buf)
	n.w.hash.Write(encoded)
	found := slices.Clone(n.memberships(m, from))
	n.w.observeSent(from, m)
	if answer, ok := messagedirector.Nobody(&m); ok && len(found) == 0 {
		n.carry(from, from, answer, nil)
	}
	for _, to := range found {
		n.carry(from, to, m, encoded)
	}
}

func (n *network) memberships(m wire.Message, from *participant) []*participant {
	var out []*participant
	for _, found := range n.table.Receivers(&m, from.member) {
		for _, p := range n.all {
			if p.member == found {
				out = append(out, p)
			}
		}
	}
	return out
}

// carry books the arrival of a message. Between nodes it arrives as what its bytes decode to; within one it is passed
// as it is, and must not have been changed until it arrives.
func (n *network) carry(from, to *participant, m wire.Message, encoded []byte) {
	l := n.link(from, to)
	if n.w.now < l.down {
		n.w.count.MessagesLost++
		n.w.record("lost", from.name, to.name, m)
		return
	}
	var e *event
	l.last = max(l.last, n.w.now+n.w.delay())
	e = n.w.at(l.last, func() {
		l.queue = l.queue[1:]
		n.arrive(from, to, m, encoded)
	})
	l.queue = append(l.queue, e)
}

func (n *network) arrive(from, to *participant, m wire.Message, encoded []byte) {
	if to.gone {
		return
	}
	if encoded != nil {
		if from.far || to.far {
			decoded, err := wire.DecodeMessage(encoded)
			if err != nil {
				n.w.problem("%v does not decode: %v", m, err)
				return
			}
			m = decoded
		} else if n.buf = wire.AppendMessage(n.buf[:0], &m); !bytes.Equal(n.buf, encoded) {
			n.w.problem("a message from %s was changed after it was sent: %v", from.name, m)
		}
	}
	n.w.steps++
	n.w.stamp(to.index)
	n.w.record("", from.name, to.name, m)
	n.w.ledger.arrived(to, m)
	to.receive(m)
}

// leave takes a participant out: nothing reaches it any more, and its post-removes are routed (rule 12).
func (n *network) leave(p *participant) {
	n.takeOut(p)
	n.runWill(p)
	n.dead(p)
}

// takeOut takes a participant out, and keeps its will.
func (n *network) takeOut(p *participant) {
	n.w.record("leaves", p.name, "", wire.Message{})
	n.hosted[p] = n.table.Hosts(p.member)
	_, p.will = n.table.Leave(p.member)
	p.gone = true
}

// runWill routes what a participant left to be sent when it is gone, once.
func (n *network) runWill(p *participant) {
	will := p.will
	p.will = nil
	for _, m := range will {
		n.w.ledger.sent(m)
		encoded := bytes.Clone(wire.AppendMessage(nil, &m))
		for _, to := range n.memberships(m, p) {
			l := n.link(p, to)
			l.down = 0 // others run the will
			n.carry(p, to, m, encoded)
		}
	}
}

// silence loses what is under way from and to a participant from some message on, and all that is sent for a while. Nobody
// is told.
func (n *network) silence(p *participant, lasts int64) {
	for _, q := range n.all {
		if q == p || q.gone {
			continue
		}
		for _, l := range []*link{n.link(p, q), n.link(q, p)} {
			n.lose(l)
			l.down = max(l.down, n.w.now+lasts)
			l.last = max(l.last, n.w.now+lasts)
		}
	}
}

// arrived is when all that a participant sent has arrived.
func (n *network) arrived(p *participant) int64 {
	at := n.w.now
	for _, l := range p.links {
		at = max(at, l.last)
	}
	return at
}

// came tells all others of a participant that hosts objects: what was sent to them before is lost.
func (n *network) came(p *participant) {
	for _, q := range n.all {
		if q != p && !q.gone {
			n.tell(n.link(p, q), q, max(n.w.now, n.link(p, q).last)+n.w.delay(), linkLost(p, n.table.Hosts(p.member)))
		}
	}
}

// dead tells all others that a participant is gone for good, each when all has arrived that it sent there.
func (n *network) dead(p *participant) {
	m := linkLost(p, n.hosted[p])
	m.Body.(*wire.LinkLost).Dead = true
	for _, q := range n.all {
		if !q.gone {
			n.tell(n.link(p, q), q, max(n.w.now, n.link(p, q).last)+n.w.delay(), m)
		}
	}
}

// cut loses the links of a participant to all others, for a while.
func (n *network) cut(p *participant, lasts int64) {
	var others []*participant
	for _, q := range n.all {
		if q != p && !q.gone {
			others = append(others, q)
		}
	}
	n.cutFrom(p, others, lasts)
}

// cutFrom loses the links between a participant and some others, for a while: of what is under way on each, the rest
// from some message on; and all that is sent before it ends. Then everybody concerned hears of it; what an AI sends
// before that is lost, too, as a director sees to.
func (n *network) cutFrom(p *participant, others []*participant, lasts int64) {
	n.w.count.LinksLost++
	names := ""
	for _, q := range others {
		names += " " + q.name
	}
	n.w.record(fmt.Sprint("cut for ", lasts/ms, " ms from", names), p.name, "", wire.Message{})
	until := n.w.now + lasts
	n.w.noteLoss(p, until)
	for _, q := range others {
		for _, l := range []*link{n.link(p, q), n.link(q, p)} {
			n.lose(l)
			l.down = max(l.down, until)
			l.last = max(l.last, until)
		}
	}
	var heard int64
	var hosts []do.Range
	for _, q := range others {
		heard = max(heard, n.link(q, p).last)
		hosts = append(hosts, n.table.Hosts(q.member)...)
		at := n.link(p, q).last + n.w.delay()
		n.tell(n.link(p, q), q, at, linkLost(p, n.table.Hosts(p.member)))
		n.deaf(q, p, at)
	}
	heard += n.w.delay()
	n.tell(&link{}, p, heard, linkLost(others[0], hosts))
	for _, q := range others {
		n.link(q, p).last = max(n.link(q, p).last, heard)
		n.deaf(p, q, heard)
	}
}

// deaf loses what an AI sends over a link until it has heard that it was lost: what it wrote was built on what is lost.
func (n *network) deaf(from, to *participant, until int64) {
	if from.builds {
		n.link(from, to).down = max(n.link(from, to).down, until)
	}
}

// linkLost is what a director says of the link to a participant, as if that were a node.
func linkLost(p *participant, hosts []do.Range) wire.Message {
	return wire.Message{To: []do.Channel{do.Control(do.RoleDirector)}, From: do.Control(do.RoleDirector), Body: &wire.LinkLost{
		Node: do.NewID(0, epoch/ms, uint64(p.index)+1), Epoch: 1, Hosts: hosts,
	}}
}

// tell books what the director of a participant's own node says.
func (n *network) tell(l *link, to *participant, at int64, m wire.Message) {
	l.last = at
	n.w.at(at, func() {
		if !to.gone {
			n.w.stamp(to.index)
			n.w.record("", "director", to.name, m)
			to.receive(m)
		}
	})
}

// lose loses what is under way on a link from some message on.
func (n *network) lose(l *link) {
	if len(l.queue) == 0 {
		return
	}
	from := n.w.rand.IntN(len(l.queue) + 1)
	for _, e := range l.queue[from:] {
		e.lost = true
		n.w.count.MessagesLost++
	}
	l.queue = slices.Clip(l.queue[:from])
}

// underWay is how many messages are on links.
func (n *network) underWay() int {
	total := 0
	for _, p := range n.all {
		for _, l := range p.links {
			total += len(l.queue)
		}
	}
	return total
}
