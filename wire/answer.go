package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// The answers that any request may have.

// Done is the answer to a request that has no other result.
type Done struct {
	Context uint32
	Of      Type // of the request
	DO      do.ID
	Version do.Version // the object's after it
	Row     uint64     // database: the row's version after it
	Serial  uint16     // of a latest set: the writer's own, cumulative
	Latest  bool
	Now     uint16 // the object's counter of latest values after it, with which updates are compared
}

func (*Done) Type() Type       { return TypeDone }
func (m *Done) String() string { return text(m) }

func (m *Done) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "of", &m.Of)
	c.id("do", &m.DO)
	c.version(&m.Version)
	num(c, "row", &m.Row)
	num(c, "serial", &m.Serial)
	c.bool("latest", &m.Latest)
	num(c, "now", &m.Now)
}

// Failed is the one error answer to any request; nothing changed.
type Failed struct {
	Context uint32
	Of      Type
	DO      do.ID
	Code    Code
	Text    string
	Version do.Version // where there is one
	Fields  fields.Map // a refused set: the current values of its fields
	Serial  uint16
	Latest  bool
	Now     uint16 // as in Done: that of Fields
}

func (*Failed) Type() Type       { return TypeFailed }
func (m *Failed) String() string { return text(m) }

func (m *Failed) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "of", &m.Of)
	c.id("do", &m.DO)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.version(&m.Version)
	c.fields("fields", &m.Fields)
	num(c, "serial", &m.Serial)
	c.bool("latest", &m.Latest)
	num(c, "now", &m.Now)
}
