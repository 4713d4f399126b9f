package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Messages of the state server. A request goes to the object's channel (Create and Activate too: the partition
// in the DoID finds the State) and is answered to its sender by Done, a result, or Failed. This file has what
// several of them are made of.

// Entry is an object as one audience may see it at one version.
type Entry struct {
	DO       do.ID
	Class    uint32 // number in the cluster's schema
	Version  do.Version
	Location do.Location
	AI       do.Channel
	Owner    do.Channel
	Serial   uint16     // of the newest latest value
	Fields   fields.Map // what the audience may see: location broadcast|clrecv, owner that and ownrecv, AI everything stored
}

func (m *Entry) code(c *coder) {
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.version(&m.Version)
	c.location("location", &m.Location)
	c.channel("ai", &m.AI)
	c.channel("owner", &m.Owner)
	num(c, "serial", &m.Serial)
	c.fields("fields", &m.Fields)
}

// Listed is one child in a parent's list, with the version as the parent last heard it.
type Listed struct {
	DO      do.ID
	Zone    do.Zone
	Version do.Version
}

func (m *Listed) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "zone", &m.Zone)
	c.version(&m.Version)
}
