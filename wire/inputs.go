package wire

import (
	"github.com/otpd/otpd/do"
)

// What a pure core hears that no other role sent: the passing of time, and what happens to its connections. Being
// messages, they are recorded and replayed like the rest.

// Tick is the passing of time as a pure core sees it.
type Tick struct{ Unix int64 } // nanoseconds

func (*Tick) Type() Type       { return TypeTick }
func (m *Tick) String() string { return text(m) }

func (m *Tick) code(c *coder) {
	c.int("unix", &m.Unix)
}

// Flush tells that an agent's core was made to hand over its output. It changes nothing by itself: it is in recordings,
// because what is written when decides what a session has been told.
type Flush struct {
	Slot  uint16 // which part of the sessions
	Slots uint16 // of how many
	Turn  uint16 // which part of these gets latest values though it is owed nothing else
	Turns uint16 // of how many
}

func (*Flush) Type() Type       { return TypeFlush }
func (m *Flush) String() string { return text(m) }

func (m *Flush) code(c *coder) {
	num(c, "slot", &m.Slot)
	num(c, "slots", &m.Slots)
	num(c, "turn", &m.Turn)
	num(c, "turns", &m.Turns)
}

// SessionOpened tells an agent's core of a new connection.
type SessionOpened struct {
	Session   do.ID
	Remote    string
	Local     string
	Datagrams bool
}

func (*SessionOpened) Type() Type       { return TypeSessionOpened }
func (m *SessionOpened) String() string { return text(m) }

func (m *SessionOpened) code(c *coder) {
	c.id("session", &m.Session)
	c.string("remote", &m.Remote)
	c.string("local", &m.Local)
	c.bool("datagrams", &m.Datagrams)
}

// SessionFrames brings bytes of a client: whole frames of its stream, or one datagram.
type SessionFrames struct {
	Session  do.ID
	Datagram bool
	Bytes    []byte
}

func (*SessionFrames) Type() Type       { return TypeSessionFrames }
func (m *SessionFrames) String() string { return text(m) }

func (m *SessionFrames) code(c *coder) {
	c.id("session", &m.Session)
	c.bool("datagram", &m.Datagram)
	c.bytes("bytes", &m.Bytes)
}

// SessionClosed tells an agent's core that a connection ended.
type SessionClosed struct {
	Session do.ID
	Reason  string
}

func (*SessionClosed) Type() Type       { return TypeSessionClosed }
func (m *SessionClosed) String() string { return text(m) }

func (m *SessionClosed) code(c *coder) {
	c.id("session", &m.Session)
	c.string("reason", &m.Reason)
}

// SessionDrained tells an agent's core how much of a session's output is still unwritten.
type SessionDrained struct {
	Session do.ID
	Pending uint32 // bytes
}

func (*SessionDrained) Type() Type       { return TypeSessionDrained }
func (m *SessionDrained) String() string { return text(m) }

func (m *SessionDrained) code(c *coder) {
	c.id("session", &m.Session)
	num(c, "pending", &m.Pending)
}
