package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Life and death of objects.

// Create makes an object. Required fields that are absent take their declared default; one without default is an error. (rules 17 to 27)
type Create struct {
	Context  uint32
	DO       do.ID
	Class    uint32
	Location do.Location
	AI       do.Channel // none: inherited from the parent
	Owner    do.Channel
	Fields   fields.Map
}

func (*Create) Type() Type       { return TypeCreate }
func (m *Create) String() string { return text(m) }

func (m *Create) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.location("location", &m.Location)
	c.channel("ai", &m.AI)
	c.channel("owner", &m.Owner)
	c.fields("fields", &m.Fields)
}

// Activate brings an object of the database to life at a place. Fields override what is stored, in memory only. (rules 125 to 138)
type Activate struct {
	Context  uint32
	DO       do.ID
	Class    uint32 // 0xffffffff: whatever the database has
	Location do.Location
	AI       do.Channel
	Owner    do.Channel
	Fields   fields.Map
}

func (*Activate) Type() Type       { return TypeActivate }
func (m *Activate) String() string { return text(m) }

func (m *Activate) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.location("location", &m.Location)
	c.channel("ai", &m.AI)
	c.channel("owner", &m.Owner)
	c.fields("fields", &m.Fields)
}

// AnyClass in Activate accepts whatever class the database has.
const AnyClass = ^uint32(0)

// GetActivated asks whether an object is alive; answered by Activated.
type GetActivated struct {
	Context uint32
	DO      do.ID
}

func (*GetActivated) Type() Type       { return TypeGetActivated }
func (m *GetActivated) String() string { return text(m) }

func (m *GetActivated) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// Activated answers GetActivated.
type Activated struct {
	Context uint32
	DO      do.ID
	Active  bool
}

func (*Activated) Type() Type       { return TypeActivated }
func (m *Activated) String() string { return text(m) }

func (m *Activated) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.bool("active", &m.Active)
}

// Unload writes what is dirty and takes the object out of memory; watchers hear Deleted. The row stays.
type Unload struct {
	Context uint32
	DO      do.ID
}

func (*Unload) Type() Type       { return TypeUnload }
func (m *Unload) String() string { return text(m) }

func (m *Unload) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// DeleteDisk deletes an object's row for good. An object that is in memory stays there, without a row; its location, AI
// and owner hear the same message, without a context (rule 136).
type DeleteDisk struct {
	Context uint32
	DO      do.ID
}

func (*DeleteDisk) Type() Type       { return TypeDeleteDisk }
func (m *DeleteDisk) String() string { return text(m) }

func (m *DeleteDisk) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// DeleteRAM deletes an object from memory, its children first told (rules 74 to 79).
type DeleteRAM struct {
	Context uint32
	DO      do.ID
}

func (*DeleteRAM) Type() Type       { return TypeDeleteRAM }
func (m *DeleteRAM) String() string { return text(m) }

func (m *DeleteRAM) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// Deleted tells location, owner and AI in one message that an object is gone from memory.
type Deleted struct {
	DO       do.ID
	Version  do.Version
	Location do.Location // where it was
	Unloaded bool        // its row lives on
}

func (*Deleted) Type() Type       { return TypeDeleted }
func (m *Deleted) String() string { return text(m) }

func (m *Deleted) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.location("location", &m.Location)
	c.bool("unloaded", &m.Unloaded)
}

// DeleteChildren, to an object: delete your children, keep yourself. On a parent's children channel: die (rules 75, 76).
type DeleteChildren struct {
	Context  uint32
	Parent   do.ID
	Unloaded bool // on the children channel: the parent went from memory only, and so do children that have a row
}

func (*DeleteChildren) Type() Type       { return TypeDeleteChildren }
func (m *DeleteChildren) String() string { return text(m) }

func (m *DeleteChildren) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	if c.optional(!m.Unloaded) {
		c.bool("unloaded", &m.Unloaded)
	}
}

// DeleteAIObjects deletes every object whose explicit AI is AI (rule 50). To the service of the state servers.
type DeleteAIObjects struct {
	Context uint32
	AI      do.Channel
}

func (*DeleteAIObjects) Type() Type       { return TypeDeleteAIObjects }
func (m *DeleteAIObjects) String() string { return text(m) }

func (m *DeleteAIObjects) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("ai", &m.AI)
}
