package scenario

import (
	"slices"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Core is a role's state machine.
type Core interface {
	Step(m wire.Message, out *wire.Outbox) error
}

// Net is a message director for tests: cores that subscribe, and a queue. Messages between cores are delivered in the
// order in which they were sent, whoever sent them. What is sent to nobody here is only printed.
type Net struct {
	Print   func(wire.Message) // of each message that a core sent, before it is delivered; may be nil
	members []*Member
	cut     [][2]*Member // links on which everything is lost
	queue   []wire.Message
	senders []*Member
}

// Member is a core on a Net.
type Member struct {
	Name     string
	core     Core
	channels map[do.Channel]int
	ranges   []do.Range
	holds    func(from *Member) bool // what is kept back, nil: nothing
	waiting  []wire.Message          // what was kept back
	Errors   []error                 // of its Steps
}

// Add puts a core on the net and runs start, which may be nil, with an outbox.
func (n *Net) Add(name string, core Core, start func(*wire.Outbox)) *Member {
	m := &Member{Name: name, core: core, channels: make(map[do.Channel]int)}
	n.members = append(n.members, m)
	if start != nil {
		var out wire.Outbox
		start(&out)
		n.take(m, &out)
		n.run()
	}
	return m
}

// Send delivers a message from outside and everything that it causes.
func (n *Net) Send(m wire.Message) {
	n.put(m, nil)
	n.run()
}

// Give hands a message to every core, whatever it subscribed to: a Tick.
func (n *Net) Give(m wire.Message) {
	for _, to := range n.members {
		n.step(to, m)
	}
	n.run()
}

// Hold keeps back what is sent to a member from now on; Release delivers it.
func (n *Net) Hold(to *Member) { to.holds = func(*Member) bool { return true } }

// HoldFrom keeps back what one member sends to another, so that what others send overtakes it: there is no order
// between different senders. If something is kept back already, Release it first.
func (n *Net) HoldFrom(to, from *Member) { to.holds = func(m *Member) bool { return m == from } }

// Release delivers what was kept back, in the order of its sending.
func (n *Net) Release(m *Member) {
	waiting := m.waiting
	m.holds, m.waiting = nil, nil
	for _, w := range waiting {
		n.step(m, w)
	}
	n.run()
}

// Cut loses the link between two members: what they send to each other is lost, until Mend.
func (n *Net) Cut(a, b *Member) { n.cut = append(n.cut, [2]*Member{a, b}) }

// Mend makes all links whole and lets those that were cut hear of it.
func (n *Net) Mend() {
	cut := n.cut
	n.cut = nil
	for _, l := range cut {
		n.step(l[0], wire.Message{Body: &wire.LinkLost{Hosts: l[1].ranges}})
		n.step(l[1], wire.Message{Body: &wire.LinkLost{Hosts: l[0].ranges}})
	}
	n.run()
}

// Remove takes a member out. Nobody hears of it.
func (n *Net) Remove(m *Member) {
	n.members = slices.DeleteFunc(n.members, func(other *Member) bool { return other == m })
}

// Kill takes a member out, and lets all others hear that it is dead.
func (n *Net) Kill(m *Member) {
	n.Remove(m)
	n.Give(wire.Message{Body: &wire.LinkLost{Dead: true, Hosts: m.ranges}})
}

// loses reports whether the link between two members is cut.
func (n *Net) loses(from, to *Member) bool {
	return slices.Contains(n.cut, [2]*Member{from, to}) || slices.Contains(n.cut, [2]*Member{to, from})
}

// Member is the member of a name, nil if there is none.
func (n *Net) Member(name string) *Member {
	for _, m := range n.members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func (n *Net) put(m wire.Message, from *Member) {
	n.queue = append(n.queue, m)
	n.senders = append(n.senders, from)
}

func (n *Net) run() {
	for len(n.queue) > 0 {
		m, from := n.queue[0], n.senders[0]
		n.queue, n.senders = n.queue[1:], n.senders[1:]
		for _, to := range n.members {
			if to == from || n.loses(from, to) || !slices.ContainsFunc(m.To, to.hears) {
				continue
			}
			if to.holds != nil && to.holds(from) {
				to.waiting = append(to.waiting, m)
				continue
			}
			n.step(to, m)
		}
	}
}

func (n *Net) step(to *Member, m wire.Message) {
	var out wire.Outbox
	if err := to.core.Step(m, &out); err != nil {
		to.Errors = append(to.Errors, err)
	}
	n.take(to, &out)
}

// take sends what a core caused.
func (n *Net) take(from *Member, out *wire.Outbox) {
	for _, m := range out.Messages {
		if n.Print != nil {
			n.Print(m)
		}
		if len(m.To) == 1 && m.To[0] == do.Control(do.RoleDirector) {
			from.control(m)
			continue
		}
		n.put(m, from)
	}
}

// control handles what is said to the director itself.
func (m *Member) control(msg wire.Message) {
	switch b := msg.Body.(type) {
	case *wire.AddChannels:
		for _, c := range b.Channels {
			m.channels[c]++
		}
	case *wire.RemoveChannels:
		for _, c := range b.Channels {
			delete(m.channels, c)
		}
	case *wire.AddRanges:
		m.ranges = append(m.ranges, b.Ranges...)
	}
}

func (m *Member) hears(c do.Channel) bool {
	return m.channels[c] > 0 || slices.ContainsFunc(m.ranges, func(r do.Range) bool { return r.Contains(c) })
}

// Transcript gathers printed lines.
type Transcript struct {
	Printer *wire.Printer
	lines   strings.Builder
}

// Add prints a message.
func (t *Transcript) Add(m wire.Message) { t.lines.WriteString(t.Printer.Message(m) + "\n") }

// Line adds a line of text.
func (t *Transcript) Line(s string) { t.lines.WriteString(s + "\n") }

// Take is what was gathered since the last Take.
func (t *Transcript) Take() string {
	s := t.lines.String()
	t.lines.Reset()
	return s
}
