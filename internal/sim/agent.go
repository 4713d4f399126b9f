package sim

import (
	"bytes"
	"errors"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// agent is a client agent with its shell.
type agent struct {
	*participant
	w      *world
	policy clientagent.InterestPolicy
	state  *clientagent.State
	out    wire.Outbox
	conns  map[do.ID]*conn // by session; only looked up
	heard  heardOf
}

// conn is one connection of a client: a stream in each direction, and datagrams.
type conn struct {
	w       *world
	agent   *agent
	who     *actor
	session do.ID
	up      int64  // when what the client wrote last arrives
	down    int64  // the same of the agent
	stalled int64  // until when the client does not read
	unread  uint32 // bytes that the agent wrote and the client did not read
	closed  bool

	view    view    // what the client was told
	written written // what the agent wrote, of which some is under way
	rights  rights
}

// noteLoss notes that links of a participant are cut for a while, or that a State dies.
func (w *world) noteLoss(p *participant, until int64) {
	p.lost = max(p.lost, until)
	for _, s := range w.states {
		if s != nil && s.participant == p {
			w.statesLost = max(w.statesLost, until)
		}
	}
}

// repaired is how long it takes at most after a loss until what was missed is made good: two digests, and an opening that is asked
// for again.
const repaired = 4 * second

// astray reports whether the agent may have gone by what long ago was, at some time since: messages to it were lost, or between
// States, and that was not made good yet. What others missed does not concern it.
func (a *agent) astray(since int64) bool {
	return max(a.lost, a.w.statesLost) > since-repaired && max(a.lost, a.w.statesLost) > 0
}

// step gives the agent a message, and sends what it caused.
func (a *agent) step(m wire.Message) {
	_ = a.state.Step(m, &a.out) // refusals are answers
	a.flush()
}

func (a *agent) tick() {
	for _, b := range a.state.Backlogged() {
		unread := uint32(0)
		if c := a.conns[b.Session]; c != nil {
			unread = c.unread
		}
		_ = a.state.Step(wire.Message{Body: &wire.SessionDrained{Session: b.Session, Pending: unread}}, &a.out)
	}
	_ = a.state.Step(a.w.tickOf(a.participant), &a.out)
	a.flush()
}

// flush sends messages to the cluster, and bytes to clients.
func (a *agent) flush() {
	a.w.net.route(a.participant, a.out.Messages)
	a.out.Reset()
	a.state.Flush(func(o *clientagent.Out) {
		if c := a.conns[o.Session]; c != nil {
			c.write(o)
		}
	})
}

// write carries what the agent wrote.
func (c *conn) write(o *clientagent.Out) {
	if len(o.Stream) > 0 {
		c.written.stream(o.Stream)
		c.deliver(bytes.Clone(o.Stream))
	}
	begin := 0
	for _, end := range o.Ends {
		c.datagram(bytes.Clone(o.Datagrams[begin:end]))
		begin = end
	}
	if o.Close {
		c.w.at(c.arrival(), func() { c.end(errClosed) })
	}
}

// arrival is when what is written to the client now arrives, behind all before it.
func (c *conn) arrival() int64 {
	c.down = max(c.down, c.stalled, c.w.now+c.w.delay())
	return c.down
}

// deliver carries bytes of the stream, in one or two pieces.
func (c *conn) deliver(b []byte) {
	c.unread += uint32(len(b))
	if n := c.w.rand.IntN(len(b) + 1); n > 0 && n < len(b) && c.w.chance(20) {
		c.w.at(c.arrival(), func() { c.read(b[:n]) })
		c.w.at(c.arrival(), func() { c.read(b[n:]) })
		return
	}
	c.w.at(c.arrival(), func() { c.read(b) })
}

func (c *conn) read(b []byte) {
	if c.closed {
		return
	}
	c.unread -= uint32(len(b))
	c.w.steps++
	c.w.stamp(c.who.place)
	c.w.hash.Write(b)
	c.view.stream(b)
	c.who.run(func() {
		if err := c.who.client.Receive(b, false, c.w.now); err != nil && c.who.client.Err() == nil {
			c.w.problem("%s cannot read: %v", c.who.name, err)
		}
	})
	c.who.afterInput()
}

// lossy is how many datagrams in a hundred are lost.
const lossy = 20

// datagram carries one, perhaps.
func (c *conn) datagram(b []byte) {
	if !c.w.opts.Calm && c.w.chance(lossy) {
		c.w.count.DatagramsLost++
		return
	}
	c.w.at(max(c.stalled, c.w.now+2*c.w.delay()), func() {
		if c.closed {
			return
		}
		c.w.steps++
		c.w.hash.Write(b)
		c.w.frames("datagram", c.agent.name, c.who.name, b)
		c.who.run(func() { _ = c.who.client.Receive(b, true, c.w.now) })
	})
}

// send carries what the client wrote: frames of its stream, and datagrams that may be lost.
func (c *conn) send(stream []byte, datagrams [][]byte) {
	if c.closed {
		return
	}
	if len(stream) > 0 {
		c.view.asked(stream)
		c.up = max(c.up, c.w.now+c.w.delay())
		c.w.at(c.up, func() { c.post(stream, false) })
	}
	for _, d := range datagrams {
		if !c.w.opts.Calm && c.w.chance(lossy) {
			c.w.count.DatagramsLost++
			continue
		}
		c.w.after(2*c.w.delay(), func() { c.post(d, true) })
	}
}

// post gives the agent what the client sent.
func (c *conn) post(b []byte, datagram bool) {
	if c.closed {
		return
	}
	c.w.steps++
	c.w.stamp(c.agent.index)
	c.w.hash.Write(b)
	if datagram {
		c.w.frames("datagram", c.who.name, c.agent.name, b)
	}
	c.agent.step(wire.Message{Body: &wire.SessionFrames{Session: c.session, Datagram: datagram, Bytes: b}})
}

// errClosed is how connections end.
var errClosed = errors.New("sim: the connection is closed")

// end ends the connection on both sides.
func (c *conn) end(err error) {
	if c.closed {
		return
	}
	c.closed = true
	c.w.record("hangs up", c.who.name, "", wire.Message{})
	delete(c.agent.conns, c.session)
	c.w.after(c.w.delay(), func() {
		if !c.agent.gone {
			c.agent.step(wire.Message{Body: &wire.SessionClosed{Session: c.session, Reason: err.Error()}})
		}
	})
	c.who.lost(err)
}

// frames records the frames in b.
func (w *world) frames(note, from, to string, b []byte) {
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		if err != nil {
			return
		}
		w.recordFrame(note, from, to, f)
		b = b[n:]
	}
}
