package wire

import (
	"github.com/otpd/otpd/do"
)

// Where objects are.

// SetLocation moves an object (rules 28 to 36).
type SetLocation struct {
	Context  uint32
	DO       do.ID
	Location do.Location
}

func (*SetLocation) Type() Type       { return TypeSetLocation }
func (m *SetLocation) String() string { return text(m) }

func (m *SetLocation) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.location("location", &m.Location)
}

// ChangingLocation tells AI, owner, old parent, old location and new parent of a move; its sender is the mover (rule 30).
type ChangingLocation struct {
	DO      do.ID
	Class   uint32
	Version do.Version
	New     do.Location
	Old     do.Location
}

func (*ChangingLocation) Type() Type       { return TypeChangingLocation }
func (m *ChangingLocation) String() string { return text(m) }

func (m *ChangingLocation) code(c *coder) {
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.version(&m.Version)
	c.location("new", &m.New)
	c.location("old", &m.Old)
}

// LocationAck is a parent's answer to a child that arrived: it is in the list now. It carries the parent's AI. (rules 25, 35, 46)
type LocationAck struct {
	DO       do.ID // the child
	Version  do.Version
	Location do.Location
	AI       do.Channel
}

func (*LocationAck) Type() Type       { return TypeLocationAck }
func (m *LocationAck) String() string { return text(m) }

func (m *LocationAck) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.location("location", &m.Location)
	c.channel("ai", &m.AI)
}

// EnterLocation shows an object to those who watch its new location; its sender is the object (rule 32).
type EnterLocation struct{ Entry Entry }

func (*EnterLocation) Type() Type       { return TypeEnterLocation }
func (m *EnterLocation) String() string { return text(m) }

func (m *EnterLocation) code(c *coder) {
	c.nested("entry", &m.Entry)
}

// WakeChildren is a new parent's question to children that were there before it (rules 22, 24 to 26). On the children channel.
type WakeChildren struct{ Parent do.ID }

func (*WakeChildren) Type() Type       { return TypeWakeChildren }
func (m *WakeChildren) String() string { return text(m) }

func (m *WakeChildren) code(c *coder) {
	c.id("parent", &m.Parent)
}

// GetLocation asks where an object is. Answered by GetLocationResp.
type GetLocation struct {
	Context uint32
	DO      do.ID
}

func (*GetLocation) Type() Type       { return TypeGetLocation }
func (m *GetLocation) String() string { return text(m) }

func (m *GetLocation) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetLocationResp answers GetLocation.
type GetLocationResp struct {
	Context  uint32
	DO       do.ID
	Version  do.Version
	Location do.Location
}

func (*GetLocationResp) Type() Type       { return TypeGetLocationResp }
func (m *GetLocationResp) String() string { return text(m) }

func (m *GetLocationResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.location("location", &m.Location)
}
