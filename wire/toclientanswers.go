package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Frames to the client that are about the session, or that answer it.

// ClientWelcome answers ClientHello.
type ClientWelcome struct {
	Session    do.ID
	Schema     []byte // the cluster's fingerprint
	Partitions uint16
	Heartbeat  uint32 // milliseconds after which silence ends the session, 0: never
	Now        int64  // server time, unix nanoseconds
}

func (*ClientWelcome) FrameType() FrameType { return FrameClientWelcome }
func (m *ClientWelcome) String() string     { return text(m) }

func (m *ClientWelcome) code(c *coder) {
	c.id("session", &m.Session)
	c.bytes("schema", &m.Schema)
	num(c, "partitions", &m.Partitions)
	num(c, "heartbeat", &m.Heartbeat)
	c.int("now", &m.Now)
}

// ClientSchema answers a ClientHello whose fingerprint the agent does not know: compare, then Hello again with Early, or leave.
type ClientSchema struct{ Text []byte }

func (*ClientSchema) FrameType() FrameType { return FrameClientSchema }
func (m *ClientSchema) String() string     { return text(m) }

func (m *ClientSchema) code(c *coder) {
	c.bytes("text", &m.Text)
}

// ClientEject says why the session ends (rule 97).
type ClientEject struct {
	Reason Reason
	Text   string
}

func (*ClientEject) FrameType() FrameType { return FrameClientEject }
func (m *ClientEject) String() string     { return text(m) }

func (m *ClientEject) code(c *coder) {
	num(c, "reason", &m.Reason)
	c.string("text", &m.Text)
}

// ClientState tells the session's state after a change.
type ClientState struct {
	State   SessionState
	Account do.ID
}

func (*ClientState) FrameType() FrameType { return FrameClientState }
func (m *ClientState) String() string     { return text(m) }

func (m *ClientState) code(c *coder) {
	enum(c, "state", &m.State, StateNew, StateEstablished)
	c.id("account", &m.Account)
}

// ClientDone acknowledges a ClientSet or ClientMove.
type ClientDone struct {
	Context uint32
	Version do.Version
	Now     uint16 // the object's counter of latest values after it: a ClientLatest is newer only if its serial is
}

func (*ClientDone) FrameType() FrameType { return FrameClientDone }
func (m *ClientDone) String() string     { return text(m) }

func (m *ClientDone) code(c *coder) {
	num(c, "context", &m.Context)
	c.version(&m.Version)
	num(c, "now", &m.Now)
}

// ClientLatestDone acknowledges latest sets of an object up to Serial.
type ClientLatestDone struct {
	Alias  uint32
	Serial uint16
	Now    uint16 // as in ClientDone
}

func (*ClientLatestDone) FrameType() FrameType { return FrameClientLatestDone }
func (m *ClientLatestDone) String() string     { return text(m) }

func (m *ClientLatestDone) code(c *coder) {
	num(c, "alias", &m.Alias)
	num(c, "serial", &m.Serial)
	num(c, "now", &m.Now)
}

// ClientRefused refuses a ClientSet or ClientMove, or with Context 0 a latest set; Fields are the current values.
type ClientRefused struct {
	Context  uint32
	Alias    uint32
	Serial   uint16
	Code     Code
	Text     string
	Location do.Location // ClientMove: where the object is
	Fields   fields.Map
	Now      uint16 // as in ClientDone: that of Fields
}

func (*ClientRefused) FrameType() FrameType { return FrameClientRefused }
func (m *ClientRefused) String() string     { return text(m) }

func (m *ClientRefused) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "alias", &m.Alias)
	num(c, "serial", &m.Serial)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.location("location", &m.Location)
	c.fields("fields", &m.Fields)
	num(c, "now", &m.Now)
}

// ClientReply is the one answer to a ClientCall.
type ClientReply struct {
	Call   uint32
	Code   Code
	Text   string
	Result []byte
}

func (*ClientReply) FrameType() FrameType { return FrameClientReply }
func (m *ClientReply) String() string     { return text(m) }

func (m *ClientReply) code(c *coder) {
	num(c, "call", &m.Call)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.value("result", &m.Result)
}

// ClientCalled is a call to the owner of an object. Call counts from 1 in the session; ClientAnswer is the one answer.
type ClientCalled struct {
	Call    uint32
	Alias   uint32
	Field   fields.Number
	Timeout uint32 // milliseconds; 0: not said
	Args    []byte
}

func (*ClientCalled) FrameType() FrameType { return FrameClientCalled }
func (m *ClientCalled) String() string     { return text(m) }

func (m *ClientCalled) code(c *coder) {
	num(c, "call", &m.Call)
	num(c, "alias", &m.Alias)
	c.field(&m.Field)
	num(c, "timeout", &m.Timeout)
	c.value("args", &m.Args)
}

// ClientInterestDone answers adding and removing; exactly one each.
type ClientInterestDone struct {
	Context uint32
	Handle  uint16
	Code    Code
	Text    string
}

func (*ClientInterestDone) FrameType() FrameType { return FrameClientInterestDone }
func (m *ClientInterestDone) String() string     { return text(m) }

func (m *ClientInterestDone) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
}

// ClientInterestOpened mirrors an interest that the server opened or closed (rule 96); ClientInterestDone with Context 0 follows.
type ClientInterestOpened struct {
	Handle uint16
	Parent do.ID
	Zones  []do.Zone
	Closed bool // the interest is gone, e.g. its parent was deleted (rule 123)
}

func (*ClientInterestOpened) FrameType() FrameType { return FrameClientInterestOpened }
func (m *ClientInterestOpened) String() string     { return text(m) }

func (m *ClientInterestOpened) code(c *coder) {
	num(c, "handle", &m.Handle)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
	c.bool("closed", &m.Closed)
}

// ClientGround tells the grid below a parent, as its field has it, to who follows an object there; nil: there is none.
type ClientGround struct {
	Parent do.ID
	Grid   []byte
}

func (*ClientGround) FrameType() FrameType { return FrameClientGround }
func (m *ClientGround) String() string     { return text(m) }

func (m *ClientGround) code(c *coder) {
	c.id("parent", &m.Parent)
	c.value("grid", &m.Grid)
}

// ClientPong answers ClientPing: T1 echoed, T2 when it came, T3 when this left, server clock in unix nanoseconds.
type ClientPong struct{ T1, T2, T3 int64 }

func (*ClientPong) FrameType() FrameType { return FrameClientPong }
func (m *ClientPong) String() string     { return text(m) }

func (m *ClientPong) code(c *coder) {
	c.int("t1", &m.T1)
	c.int("t2", &m.T2)
	c.int("t3", &m.T3)
}

// ServerHeartbeat acknowledges the client's frames on the stream, cumulatively: with other output, at most once a second;
// alone when there was none for 5 s.
type ServerHeartbeat struct{ Frames uint64 }

func (*ServerHeartbeat) FrameType() FrameType { return FrameServerHeartbeat }
func (m *ServerHeartbeat) String() string     { return text(m) }

func (m *ServerHeartbeat) code(c *coder) {
	num(c, "frames", &m.Frames)
}
