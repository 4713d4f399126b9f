package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// What the database role's core hears from its backend. Work is a number that the core gave to what it asked for.

// DBWorked says how a batch of operations went: with CodeOK one result for each, in order; else nothing of it was
// stored, except with CodeAway, where that is not known.
type DBWorked struct {
	Work    uint32
	Code    Code
	Text    string
	Results []DBResult
}

func (*DBWorked) Type() Type       { return TypeDBWorked }
func (m *DBWorked) String() string { return text(m) }

func (m *DBWorked) code(c *coder) {
	num(c, "work", &m.Work)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	list(c, "results", &m.Results, 8, nest[*DBResult])
}

// DBResult is the outcome of one operation.
type DBResult struct {
	Code   Code
	Text   string
	Class  uint32 // the object's; AnyClass where the operation found none
	Row    uint64 // version of the row after the operation; with CodeConflict the current one; 1: the transaction is committed
	Field  fields.Number
	Fields fields.Map // what was asked for; with CodeConflict what is there of the compared fields
	Rows   []DBRow
}

func (m *DBResult) code(c *coder) {
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
	c.class(&m.Class)
	num(c, "row", &m.Row)
	c.field(&m.Field)
	c.fields("fields", &m.Fields)
	list(c, "rows", &m.Rows, 4, nest[*DBRow])
}

// DBRow is one object that was found.
type DBRow struct {
	DO     do.ID
	Row    uint64
	Fields fields.Map
}

func (m *DBRow) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "row", &m.Row)
	c.fields("fields", &m.Fields)
}

// DBSchemaIs tells the schema record as the backend has it, after it was read or after a try to change it. With
// another code than CodeOK the text is not known; CodeConflict: somebody else changed it first.
type DBSchemaIs struct {
	Work    uint32
	Code    Code
	Reason  string
	Version uint32 // 0: there is none
	Text    []byte
}

func (*DBSchemaIs) Type() Type       { return TypeDBSchemaIs }
func (m *DBSchemaIs) String() string { return text(m) }

func (m *DBSchemaIs) code(c *coder) {
	num(c, "work", &m.Work)
	num(c, "code", &m.Code)
	c.string("reason", &m.Reason)
	num(c, "version", &m.Version)
	c.bytes("text", &m.Text)
}
