package wire

import (
	"github.com/otpd/otpd/do"
)

// What is in a zone: openings (rules 80 to 84), gaps, and digests.

// GetZonesObjects asks a parent for all objects in zones: a snapshot (rules 80 to 84). The answers are
// ZonesObjects chunks from the parent's State and ZoneEntries from the States of the listed children elsewhere.
type GetZonesObjects struct {
	Context uint32
	Parent  do.ID
	Zones   []do.Zone // each once
}

func (*GetZonesObjects) Type() Type       { return TypeGetZonesObjects }
func (m *GetZonesObjects) String() string { return text(m) }

func (m *GetZonesObjects) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
}

// ZonesObjects is a chunk of the parent's answer: the list in the order of rule 109, and with it the entries of
// those children that live in the same State, in list order. Listed children without an entry here answer by themselves.
type ZonesObjects struct {
	Context uint32
	Parent  do.ID
	Last    bool     // the list is complete with this chunk
	List    []Listed // children elsewhere: their entries come in ZoneEntries
	Entries []Entry  // children here
}

func (*ZonesObjects) Type() Type       { return TypeZonesObjects }
func (m *ZonesObjects) String() string { return text(m) }

func (m *ZonesObjects) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	c.bool("last", &m.Last)
	list(c, "list", &m.List, 4, nest[*Listed])
	list(c, "entries", &m.Entries, 9, nest[*Entry])
}

// AskEntries asks the State of a partition, for Asker, for the entries of listed children; also what a watcher sends after a gap.
// All DOs are of one partition; it is addressed to the channel of the first.
type AskEntries struct {
	Context uint32
	Asker   do.Channel
	Parent  do.ID
	Zones   []do.Zone // where they were listed; empty: wherever they are now
	DOs     []do.ID
	Watch   bool // from now on the channel of their children is told, too, where they go: Asker listens there
}

func (*AskEntries) Type() Type       { return TypeAskEntries }
func (m *AskEntries) String() string { return text(m) }

func (m *AskEntries) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("asker", &m.Asker)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
	list(c, "dos", &m.DOs, 1, plainID)
	c.bool("watch", &m.Watch)
}

// ZoneEntries answers AskEntries to Asker: each DoID is either an entry, or not there (any more) at that version.
type ZoneEntries struct {
	Context uint32
	Parent  do.ID
	Entries []Entry
	Gone    []Listed // zero version: no such object
	Unseen  []do.ID  // of Entries: they wait for their parent, which has them in no list, and are in no view
}

func (*ZoneEntries) Type() Type       { return TypeZoneEntries }
func (m *ZoneEntries) String() string { return text(m) }

func (m *ZoneEntries) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	list(c, "entries", &m.Entries, 9, nest[*Entry])
	list(c, "gone", &m.Gone, 4, nest[*Listed])
	list(c, "unseen", &m.Unseen, 1, plainID)
}

// GetChildren asks a parent for its children in all zones. Answered by Children.
type GetChildren struct {
	Context uint32
	DO      do.ID
}

func (*GetChildren) Type() Type       { return TypeGetChildren }
func (m *GetChildren) String() string { return text(m) }

func (m *GetChildren) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// Children answers GetChildren, ordered by zone, then DoID.
type Children struct {
	Context uint32
	DO      do.ID
	List    []Listed
}

func (*Children) Type() Type       { return TypeChildren }
func (m *Children) String() string { return text(m) }

func (m *Children) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "list", &m.List, 4, nest[*Listed])
}

// Digest is what a State publishes within a second to each location in which something changed: what of its
// partitions is there. It counts objects that entered. Who watches compares and, where it differs, asks again.
type Digest struct {
	Location do.Location
	Parts    []DigestPart // every partition of the State that has or had objects there since the last digest
}

func (*Digest) Type() Type       { return TypeDigest }
func (m *Digest) String() string { return text(m) }

func (m *Digest) code(c *coder) {
	c.location("location", &m.Location)
	list(c, "parts", &m.Parts, 4, nest[*DigestPart])
}

// GroundDigest is what a State tells within a second after it told, on the channel of an object's children, what the
// object's fields say of the zones below it: the version of the last of these sets. Who knows an older one missed a set,
// and asks for the object.
type GroundDigest struct {
	DO      do.ID
	Version do.Version
}

func (*GroundDigest) Type() Type       { return TypeGroundDigest }
func (m *GroundDigest) String() string { return text(m) }

func (m *GroundDigest) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
}

// DigestPart sums up one partition: Sum is the wrapping sum of DigestOf over the objects.
type DigestPart struct {
	Partition do.Partition
	Count     uint32
	Sum       uint64
}

func (m *DigestPart) code(c *coder) {
	num(c, "partition", &m.Partition)
	num(c, "count", &m.Count)
	num(c, "sum", &m.Sum)
}
