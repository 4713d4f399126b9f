package wire

import (
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// What handlers do: bundles, calls and their answers.

// Op is one step of a Bundle.
type Op struct {
	Kind     OpKind
	DO       do.ID
	Fields   fields.Map  // OpSet
	Location do.Location // OpMove
	Reply    CallReply   // OpReply
	Caller   do.Channel  // OpReply: who asked
}

func (m *Op) code(c *coder) {
	enum(c, "kind", &m.Kind, OpSet, OpReply)
	c.id("do", &m.DO)
	c.fields("fields", &m.Fields)
	c.location("location", &m.Location)
	c.nested("reply", &m.Reply)
	c.channel("caller", &m.Caller)
}

// OpKind says what an Op does.
type OpKind uint8

// The kinds of steps in a Bundle.
const (
	OpSet   OpKind = 1 // state fields, or events
	OpMove  OpKind = 2
	OpReply OpKind = 3 // the answer to a call, forwarded after the effects before it
)

// String is "set", "move" or "reply".
func (k OpKind) String() string {
	switch k {
	case OpSet:
		return "set"
	case OpMove:
		return "move"
	case OpReply:
		return "reply"
	}
	return "op " + strconv.Itoa(int(k))
}

// Bundle is what one handler did: applied at once or not at all, by one State, in order; the reply after the
// effects (rule 169). All objects are in the State of DO.
type Bundle struct {
	Context uint32
	DO      do.ID
	Durable bool // Done only when the database has what is stored of it; DO must be (Commit)
	Ops     []Op
}

func (*Bundle) Type() Type       { return TypeBundle }
func (m *Bundle) String() string { return text(m) }

func (m *Bundle) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.bool("durable", &m.Durable)
	list(c, "ops", &m.Ops, 7, nest[*Op])
}

// Call asks an object's AI, its owner, or an UberDOG. Which of the first two, the field says (do.Field.OwnerAnswers).
// A State forwards it to them and keeps it until it is answered.
type Call struct {
	Context  uint32     // unique for the caller
	Caller   do.Channel // who gets the CallReply
	Account  do.ID      // identity of the caller's session, none for a process (rule 91)
	DO       do.ID
	Field    fields.Number
	Args     []byte // one msgpack value
	Deadline int64  // unix nanoseconds of the cluster's clock
}

func (*Call) Type() Type       { return TypeCall }
func (m *Call) String() string { return text(m) }

func (m *Call) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("caller", &m.Caller)
	c.id("account", &m.Account)
	c.id("do", &m.DO)
	c.field(&m.Field)
	c.value("args", &m.Args)
	c.int("deadline", &m.Deadline)
}

// CallReply is the one answer to a Call.
type CallReply struct {
	Context uint32
	DO      do.ID
	Field   fields.Number
	Code    Code   // 0: Result is the answer
	Text    string // with a Code
	Result  []byte // one msgpack value
}

func (*CallReply) Type() Type       { return TypeCallReply }
func (m *CallReply) String() string { return text(m) }

func (m *CallReply) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.field(&m.Field)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.value("result", &m.Result)
}
