package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Frames to the client.

// ClientEnter shows an object. A second one for an object in view replaces its values (rule 157).
type ClientEnter struct {
	Alias    uint32
	DO       do.ID
	Class    uint32
	Location do.Location
	Serial   uint16
	Owned    bool
	Version  do.Version
	Fields   fields.Map
}

func (*ClientEnter) FrameType() FrameType { return FrameClientEnter }
func (m *ClientEnter) String() string     { return text(m) }

func (m *ClientEnter) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.location("location", &m.Location)
	num(c, "serial", &m.Serial)
	c.bool("owned", &m.Owned)
	c.version(&m.Version)
	c.fields("fields", &m.Fields)
}

// ClientEnterOwner gives an object to the client as its owner, seen or not (rules 53, 55).
type ClientEnterOwner struct {
	Alias    uint32
	DO       do.ID
	Class    uint32
	Location do.Location
	Serial   uint16
	Version  do.Version
	Fields   fields.Map
}

func (*ClientEnterOwner) FrameType() FrameType { return FrameClientEnterOwner }
func (m *ClientEnterOwner) String() string     { return text(m) }

func (m *ClientEnterOwner) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.location("location", &m.Location)
	num(c, "serial", &m.Serial)
	c.version(&m.Version)
	c.fields("fields", &m.Fields)
}

// ClientDeclare makes an object known to the client that it need not see: it may be sent to by this alias, as far as the
// client may (rules 89, 90). Said again for one that is known already, it changes nothing but that.
type ClientDeclare struct {
	Alias uint32
	DO    do.ID
	Class uint32
}

func (*ClientDeclare) FrameType() FrameType { return FrameClientDeclare }
func (m *ClientDeclare) String() string     { return text(m) }

func (m *ClientDeclare) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.id("do", &m.DO)
	c.class(&m.Class)
}

// ClientUndeclare takes ClientDeclare back. If the client neither sees nor owns the object, the alias has left.
type ClientUndeclare struct{ Alias uint32 }

func (*ClientUndeclare) FrameType() FrameType { return FrameClientUndeclare }
func (m *ClientUndeclare) String() string     { return text(m) }

func (m *ClientUndeclare) code(c *coder) {
	num(c, "alias", &m.Alias)
}

// ClientLeave takes an object out of view.
type ClientLeave struct {
	Alias  uint32
	Reason LeaveReason
}

func (*ClientLeave) FrameType() FrameType { return FrameClientLeave }
func (m *ClientLeave) String() string     { return text(m) }

func (m *ClientLeave) code(c *coder) {
	num(c, "alias", &m.Alias)
	enum(c, "reason", &m.Reason, LeaveMoved, LeaveDeleted)
}

// ClientLeaveOwner takes ownership back.
type ClientLeaveOwner struct {
	Alias  uint32
	Reason LeaveReason
}

func (*ClientLeaveOwner) FrameType() FrameType { return FrameClientLeaveOwner }
func (m *ClientLeaveOwner) String() string     { return text(m) }

func (m *ClientLeaveOwner) code(c *coder) {
	num(c, "alias", &m.Alias)
	enum(c, "reason", &m.Reason, LeaveMoved, LeaveDeleted)
}

// ClientUpdate brings one field.
type ClientUpdate struct {
	Alias uint32
	Field fields.Number
	Value []byte
}

func (*ClientUpdate) FrameType() FrameType { return FrameClientUpdate }
func (m *ClientUpdate) String() string     { return text(m) }

func (m *ClientUpdate) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.field(&m.Field)
	c.value("value", &m.Value)
}

// ClientUpdates brings several fields that were set as one.
type ClientUpdates struct {
	Alias  uint32
	Fields fields.Map
}

func (*ClientUpdates) FrameType() FrameType { return FrameClientUpdates }
func (m *ClientUpdates) String() string     { return text(m) }

func (m *ClientUpdates) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.fields("fields", &m.Fields)
}

// ClientLatest brings one latest field, on the stream or in a datagram.
type ClientLatest struct {
	Alias  uint32
	Serial uint16
	Field  fields.Number
	Value  []byte
}

func (*ClientLatest) FrameType() FrameType { return FrameClientLatest }
func (m *ClientLatest) String() string     { return text(m) }

func (m *ClientLatest) code(c *coder) {
	num(c, "alias", &m.Alias)
	num(c, "serial", &m.Serial)
	c.field(&m.Field)
	c.value("value", &m.Value)
}

// ClientLocation tells that a visible or owned object moved; Fields came in the same bundle.
type ClientLocation struct {
	Alias    uint32
	Location do.Location
}

func (*ClientLocation) FrameType() FrameType { return FrameClientLocation }
func (m *ClientLocation) String() string     { return text(m) }

func (m *ClientLocation) code(c *coder) {
	num(c, "alias", &m.Alias)
	c.location("location", &m.Location)
}
