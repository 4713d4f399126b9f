package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Fields of objects: to ask for them, to set and to delete them, and to hear of it.

// GetField asks for one field; an unset one is an error (rule 64). Answered by GetFieldsResp.
type GetField struct {
	Context uint32
	DO      do.ID
	Field   fields.Number
}

func (*GetField) Type() Type       { return TypeGetField }
func (m *GetField) String() string { return text(m) }

func (m *GetField) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.field(&m.Field)
}

// GetFields asks for several; unset ones are absent in the answer, one that is invalid fails the whole (rule 64).
type GetFields struct {
	Context uint32
	DO      do.ID
	Fields  []fields.Number
}

func (*GetFields) Type() Type       { return TypeGetFields }
func (m *GetFields) String() string { return text(m) }

func (m *GetFields) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "fields", &m.Fields, 1, plainField)
}

// GetFieldsResp answers GetField and GetFields, ascending by number.
type GetFieldsResp struct {
	Context uint32
	DO      do.ID
	Version do.Version
	Fields  fields.Map
	Now     uint16 // as in Done: that of Fields
}

func (*GetFieldsResp) Type() Type       { return TypeGetFieldsResp }
func (m *GetFieldsResp) String() string { return text(m) }

func (m *GetFieldsResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.fields("fields", &m.Fields)
	num(c, "now", &m.Now)
}

// GetAll asks for everything stored. Answered by GetAllResp.
type GetAll struct {
	Context uint32
	DO      do.ID
}

func (*GetAll) Type() Type       { return TypeGetAll }
func (m *GetAll) String() string { return text(m) }

func (m *GetAll) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetAllResp answers GetAll with everything that is stored.
type GetAllResp struct {
	Context uint32
	Entry   Entry
}

func (*GetAllResp) Type() Type       { return TypeGetAllResp }
func (m *GetAllResp) String() string { return text(m) }

func (m *GetAllResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.nested("entry", &m.Entry)
}

// SetFields sets fields of one object, all or nothing (rule 63). Events are fields that nobody stores.
//
// With Row it is what an AI that was cut off still has to write of an object that it ran: it counts only while that is not
// alive again and its row is still of the version that GetAllResp told, or has these values already. Else it is refused
// (Conflict): the next life did not begin with it.
type SetFields struct {
	Context uint32
	DO      do.ID
	Fields  fields.Map
	Serial  uint16 // with Latest: the writer's own counter
	Latest  bool   // every field is a latest one; Done echoes Serial
	Durable bool   // Done only when the database has it (Commit)
	Row     uint32 // of a last write: see above; 0 of any other
}

func (*SetFields) Type() Type       { return TypeSetFields }
func (m *SetFields) String() string { return text(m) }

func (m *SetFields) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.fields("fields", &m.Fields)
	num(c, "serial", &m.Serial)
	c.bool("latest", &m.Latest)
	c.bool("durable", &m.Durable)
	num(c, "row", &m.Row)
}

// Update tells an object's audiences of a set: one message to location, AI and owner with the whole set; who
// forwards to clients cuts it by keyword (rules 54, 63). Its sender is the writer (rule 59).
type Update struct {
	DO      do.ID
	Version do.Version
	Fields  fields.Map
	Serial  uint16 // of the object's latest counter, when Latest
	Latest  bool
}

func (*Update) Type() Type       { return TypeUpdate }
func (m *Update) String() string { return text(m) }

func (m *Update) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.fields("fields", &m.Fields)
	num(c, "serial", &m.Serial)
	c.bool("latest", &m.Latest)
}

// DeleteFields resets fields with a declared default, removes ram ones, refuses other required ones (rule 70).
type DeleteFields struct {
	Context uint32
	DO      do.ID
	Fields  []fields.Number
	Durable bool   // Done only when the database has it (Commit)
	Row     uint32 // of a last write: see SetFields
}

func (*DeleteFields) Type() Type       { return TypeDeleteFields }
func (m *DeleteFields) String() string { return text(m) }

func (m *DeleteFields) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "fields", &m.Fields, 1, plainField)
	c.bool("durable", &m.Durable)
	num(c, "row", &m.Row)
}
