package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Frames from the client.

// ClientHello is the first frame (rule 85).
type ClientHello struct {
	Version string // of the game; compared with the agent's when that has one
	Schema  []byte // fingerprint, 32 bytes
	Meta    string // free text of the client: platform, build
	Early   bool   // after ClientSchema: the client compared and stays
	Enters  bool   // the client reads ClientEnters; may be missing
}

func (*ClientHello) FrameType() FrameType { return FrameClientHello }
func (m *ClientHello) String() string     { return text(m) }

func (m *ClientHello) code(c *coder) {
	c.string("version", &m.Version)
	c.bytes("schema", &m.Schema)
	c.string("meta", &m.Meta)
	c.bool("early", &m.Early)
	if c.optional(!m.Enters) {
		c.bool("enters", &m.Enters)
	}
}

// ClientDisconnect says goodbye.
type ClientDisconnect struct{}

func (*ClientDisconnect) FrameType() FrameType { return FrameClientDisconnect }
func (m *ClientDisconnect) String() string     { return text(m) }

func (m *ClientDisconnect) code(*coder) {}

// ClientHeartbeat proves life and acknowledges frames: Frames counts all that this side received on the stream. A client
// that reads and never acknowledges is ended (346): the aliases of what left are its until then.
type ClientHeartbeat struct{ Frames uint64 }

func (*ClientHeartbeat) FrameType() FrameType { return FrameClientHeartbeat }
func (m *ClientHeartbeat) String() string     { return text(m) }

func (m *ClientHeartbeat) code(c *coder) {
	num(c, "frames", &m.Frames)
}

// ClientSet sets fields of an object, all or nothing. Context is answered by ClientDone or ClientRefused.
type ClientSet struct {
	Context uint32
	Ref     Ref
	Fields  fields.Map
}

func (*ClientSet) FrameType() FrameType { return FrameClientSet }
func (m *ClientSet) String() string     { return text(m) }

func (m *ClientSet) code(c *coder) {
	num(c, "context", &m.Context)
	c.ref(&m.Ref)
	c.fields("fields", &m.Fields)
}

// ClientSetLatest sets one latest field; it may travel as a datagram. Acknowledged by serial, cumulatively (ClientLatestDone).
type ClientSetLatest struct {
	Ref    Ref
	Serial uint16 // the client's own counter for this object
	Field  fields.Number
	Value  []byte
}

func (*ClientSetLatest) FrameType() FrameType { return FrameClientSetLatest }
func (m *ClientSetLatest) String() string     { return text(m) }

func (m *ClientSetLatest) code(c *coder) {
	c.ref(&m.Ref)
	num(c, "serial", &m.Serial)
	c.field(&m.Field)
	c.value("value", &m.Value)
}

// ClientMove moves an owned object and sets fields with it as one bundle (rules 94, 169).
type ClientMove struct {
	Context  uint32
	Ref      Ref
	Location do.Location
	Fields   fields.Map
}

func (*ClientMove) FrameType() FrameType { return FrameClientMove }
func (m *ClientMove) String() string     { return text(m) }

func (m *ClientMove) code(c *coder) {
	num(c, "context", &m.Context)
	c.ref(&m.Ref)
	c.location("location", &m.Location)
	c.fields("fields", &m.Fields)
}

// ClientCall calls an object's AI or an UberDOG. Call is unique in the session; a repeated one is answered from memory.
type ClientCall struct {
	Call    uint32
	Ref     Ref
	Field   fields.Number
	Timeout uint32 // milliseconds
	Args    []byte
}

func (*ClientCall) FrameType() FrameType { return FrameClientCall }
func (m *ClientCall) String() string     { return text(m) }

func (m *ClientCall) code(c *coder) {
	num(c, "call", &m.Call)
	c.ref(&m.Ref)
	c.field(&m.Field)
	num(c, "timeout", &m.Timeout)
	c.value("args", &m.Args)
}

// ClientAnswer is the one answer to a ClientCalled. One that comes too late is dropped.
type ClientAnswer struct {
	Call   uint32
	Code   Code   // 0: Result is the answer
	Text   string // with a Code
	Result []byte
}

func (*ClientAnswer) FrameType() FrameType { return FrameClientAnswer }
func (m *ClientAnswer) String() string     { return text(m) }

func (m *ClientAnswer) code(c *coder) {
	num(c, "call", &m.Call)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.value("result", &m.Result)
}

// ClientAddInterest opens an interest, or alters the one with this handle (rules 106 to 118). Answered by ClientInterestDone.
type ClientAddInterest struct {
	Context uint32
	Handle  uint16
	Parent  do.ID
	Zones   []do.Zone
}

func (*ClientAddInterest) FrameType() FrameType { return FrameClientAddInterest }
func (m *ClientAddInterest) String() string     { return text(m) }

func (m *ClientAddInterest) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
}

// ClientRemoveInterest closes one. Answered by ClientInterestDone.
type ClientRemoveInterest struct {
	Context uint32
	Handle  uint16
}

func (*ClientRemoveInterest) FrameType() FrameType { return FrameClientRemoveInterest }
func (m *ClientRemoveInterest) String() string     { return text(m) }

func (m *ClientRemoveInterest) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
}

// ClientFollow opens an interest that follows an owned object: the agent widens it over the grid, and alters it when the
// object moves (rule 164). Answered by ClientInterestDone; ClientRemoveInterest closes it.
type ClientFollow struct {
	Context uint32
	Handle  uint16
	Ref     Ref
	Outer   uint8 // how many of the parents above are seen around, too: 1 is the street around a tavern
}

func (*ClientFollow) FrameType() FrameType { return FrameClientFollow }
func (m *ClientFollow) String() string     { return text(m) }

func (m *ClientFollow) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
	c.ref(&m.Ref)
	num(c, "outer", &m.Outer)
}

// ClientPing asks for the time, in a datagram or on the stream: T1 is the client's clock, unix nanoseconds or any other zero.
type ClientPing struct{ T1 int64 }

func (*ClientPing) FrameType() FrameType { return FrameClientPing }
func (m *ClientPing) String() string     { return text(m) }

func (m *ClientPing) code(c *coder) {
	c.int("t1", &m.T1)
}
