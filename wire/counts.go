package wire

import (
	"github.com/otpd/otpd/do"
)

// Short questions about objects and what is below them, and the orders that empty zones.

// GetClass asks of which class an object is; one that only the database has answers, too. Answered by GetClassResp.
type GetClass struct {
	Context uint32
	DO      do.ID
}

func (*GetClass) Type() Type       { return TypeGetClass }
func (m *GetClass) String() string { return text(m) }

func (m *GetClass) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetClassResp answers GetClass with the class's number in the cluster's schema.
type GetClassResp struct {
	Context uint32
	DO      do.ID
	Class   uint32
}

func (*GetClassResp) Type() Type       { return TypeGetClassResp }
func (m *GetClassResp) String() string { return text(m) }

func (m *GetClassResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
}

// GetZonesCount asks a parent how many children it has in zones, a zone listed twice counted once. The older
// GET_ZONE_COUNT is this with one zone. Answered by GetZonesCountResp.
type GetZonesCount struct {
	Context uint32
	Parent  do.ID
	Zones   []do.Zone
}

func (*GetZonesCount) Type() Type       { return TypeGetZonesCount }
func (m *GetZonesCount) String() string { return text(m) }

func (m *GetZonesCount) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
}

// GetZonesCountResp answers GetZonesCount with the children in all the zones together.
type GetZonesCountResp struct {
	Context uint32
	Parent  do.ID
	Count   uint32
}

func (*GetZonesCountResp) Type() Type       { return TypeGetZonesCountResp }
func (m *GetZonesCountResp) String() string { return text(m) }

func (m *GetZonesCountResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	num(c, "count", &m.Count)
}

// GetChildCount asks an object how many children it has in all zones. Answered by GetChildCountResp.
type GetChildCount struct {
	Context uint32
	DO      do.ID
}

func (*GetChildCount) Type() Type       { return TypeGetChildCount }
func (m *GetChildCount) String() string { return text(m) }

func (m *GetChildCount) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetChildCountResp answers GetChildCount.
type GetChildCountResp struct {
	Context uint32
	DO      do.ID
	Count   uint32
}

func (*GetChildCountResp) Type() Type       { return TypeGetChildCountResp }
func (m *GetChildCountResp) String() string { return text(m) }

func (m *GetChildCountResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	num(c, "count", &m.Count)
}

// GetActiveZones asks an object for its zones that have at least one child (rule 37). Answered by GetActiveZonesResp.
type GetActiveZones struct {
	Context uint32
	DO      do.ID
}

func (*GetActiveZones) Type() Type       { return TypeGetActiveZones }
func (m *GetActiveZones) String() string { return text(m) }

func (m *GetActiveZones) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetActiveZonesResp answers GetActiveZones, ascending.
type GetActiveZonesResp struct {
	Context uint32
	DO      do.ID
	Zones   []do.Zone
}

func (*GetActiveZonesResp) Type() Type       { return TypeGetActiveZonesResp }
func (m *GetActiveZonesResp) String() string { return text(m) }

func (m *GetActiveZonesResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "zones", &m.Zones, 1, plainZone)
}

// DeleteZones, sent to a parent, deletes what it has in zones, and everything below that; the parent stays. The older
// DELETE_ZONE is this with one zone. On the children channel it is heard by children in other States, as DeleteChildren
// is (rules 75, 76). Answered by Done.
type DeleteZones struct {
	Context uint32
	Parent  do.ID
	Zones   []do.Zone
}

func (*DeleteZones) Type() Type       { return TypeDeleteZones }
func (m *DeleteZones) String() string { return text(m) }

func (m *DeleteZones) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
}
