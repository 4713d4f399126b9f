package wire

import (
	"github.com/otpd/otpd/do"
)

// Type is a message's number: the one of the older OTP servers where the message exists there, ours from 5000 up.
type Type uint16

// Body is what a message says: a pointer to one of the structs of this package.
type Body interface {
	Type() Type
	String() string
	code(c *coder)
}

// Message is one message: to whom, from whom, what. Once sent it is never changed, and neither are its bytes.
type Message struct {
	To   []do.Channel // 1..255; empty: it is not sent (rule 16)
	From do.Channel   // a claim, except where an agent stamps it (rule 3)
	Body Body

	Trace *Trace // nil: not traced
}

// Outbox collects what a Step causes, in the order in which it must be sent. Its slices and the slabs from
// which it gives bodies and recipients are shared by a whole batch, so that a message costs no allocation of its own.
type Outbox struct {
	Messages []Message
	updates  []Update
	dones    []Done
	channels []do.Channel
}

// Send appends a message. A message without recipients is not sent (rule 16).
func (o *Outbox) Send(to []do.Channel, from do.Channel, b Body) {
	if len(to) == 0 {
		return
	}
	o.Messages = append(o.Messages, Message{To: to, From: from, Body: b})
}

// SendTo appends a message to one channel; to the invalid channel nothing is sent (rule 15).
func (o *Outbox) SendTo(to, from do.Channel, b Body) {
	if to.IsZero() {
		return
	}
	o.Send(o.One(to), from, b)
}

// One is a recipient list of one channel out of the slab.
func (o *Outbox) One(c do.Channel) []do.Channel {
	if len(o.channels) == cap(o.channels) {
		o.channels = make([]do.Channel, 0, slab)
	}
	o.channels = append(o.channels, c)
	n := len(o.channels)
	return o.channels[n-1 : n : n]
}

// Update gives a zeroed Update out of the slab.
func (o *Outbox) Update() *Update {
	if len(o.updates) == cap(o.updates) {
		o.updates = make([]Update, 0, slab)
	}
	o.updates = append(o.updates, Update{})
	return &o.updates[len(o.updates)-1]
}

// Done gives a zeroed Done out of the slab.
func (o *Outbox) Done() *Done {
	if len(o.dones) == cap(o.dones) {
		o.dones = make([]Done, 0, slab)
	}
	o.dones = append(o.dones, Done{})
	return &o.dones[len(o.dones)-1]
}

// slab is how many bodies or recipients are allocated at once.
const slab = 64

// Reset forgets the messages, which now belong to whoever took them; slabs go on.
func (o *Outbox) Reset() {
	clear(o.Messages)
	o.Messages = o.Messages[:0]
}
