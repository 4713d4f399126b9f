package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Messages of the database server; requests go to its control channel. Fields are encoded values by number; only
// db fields are kept (rule 140). Done.Row, and rows in answers, are row versions: they grow with each write.

// DBCreate stores a new object; the creator made its DoID (rule 141).
type DBCreate struct {
	Context uint32
	DO      do.ID
	Class   uint32
	Fields  fields.Map
}

func (*DBCreate) Type() Type       { return TypeDBCreate }
func (m *DBCreate) String() string { return text(m) }

func (m *DBCreate) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
	c.fields("fields", &m.Fields)
}

// DBGet asks for fields, or all when Fields is empty. Absent ones are left out (rule 142). Answered by DBObject.
type DBGet struct {
	Context uint32
	DO      do.ID
	Fields  []fields.Number
}

func (*DBGet) Type() Type       { return TypeDBGet }
func (m *DBGet) String() string { return text(m) }

func (m *DBGet) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "fields", &m.Fields, 1, plainField)
}

// DBObject is a stored object.
type DBObject struct {
	Context uint32
	DO      do.ID
	Class   uint32
	Row     uint64
	Fields  fields.Map
}

func (*DBObject) Type() Type       { return TypeDBObject }
func (m *DBObject) String() string { return text(m) }

func (m *DBObject) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
	num(c, "row", &m.Row)
	c.fields("fields", &m.Fields)
}

// DBSet writes fields. With Row above 0 only if that is the row's version; with Epoch above 0 only if the
// partition's owner has no newer one. Expect must equal (IfEquals), Absent must be empty (IfEmpty), or nothing is written (rules 146, 147).
type DBSet struct {
	Context uint32
	DO      do.ID
	Epoch   uint32
	Row     uint64
	Fields  fields.Map
	Delete  []fields.Number
	Expect  fields.Map
	Absent  []fields.Number
}

func (*DBSet) Type() Type       { return TypeDBSet }
func (m *DBSet) String() string { return text(m) }

func (m *DBSet) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	num(c, "epoch", &m.Epoch)
	num(c, "row", &m.Row)
	c.fields("fields", &m.Fields)
	list(c, "delete", &m.Delete, 1, plainField)
	c.fields("expect", &m.Expect)
	list(c, "absent", &m.Absent, 1, plainField)
}

// DBDelete removes an object's row (rule 79).
type DBDelete struct {
	Context uint32
	DO      do.ID
	Epoch   uint32
}

func (*DBDelete) Type() Type       { return TypeDBDelete }
func (m *DBDelete) String() string { return text(m) }

func (m *DBDelete) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	num(c, "epoch", &m.Epoch)
}

// DBFind asks for the objects of a class whose indexed field has a value, ordered by DoID unless Order says otherwise.
// Answered by DBFound.
type DBFind struct {
	Context uint32
	Class   uint32
	Field   fields.Number
	Value   []byte
	Limit   uint32    // 0: 100
	After   do.ID     // only ids above it: the next page
	Order   []DBOrder // another order than by id: at most one; the member may be missing
}

func (*DBFind) Type() Type       { return TypeDBFind }
func (m *DBFind) String() string { return text(m) }

func (m *DBFind) code(c *coder) {
	num(c, "context", &m.Context)
	c.class(&m.Class)
	c.field(&m.Field)
	c.value("value", &m.Value)
	num(c, "limit", &m.Limit)
	c.id("after", &m.After)
	order(c, &m.Order)
}

// DBOrder is an order of objects by the value of an index or unique field, and by DoID, ascending, where that is the
// same. Objects without a value are left out. For the next page Value is that of the last object, and After its id.
type DBOrder struct {
	Field fields.Number
	Desc  bool
	Value []byte // nil: the first page
}

func (m *DBOrder) code(c *coder) {
	c.field(&m.Field)
	c.bool("desc", &m.Desc)
	c.value("value", &m.Value)
}

func order(c *coder, v *[]DBOrder) {
	if c.optional(len(*v) == 0) {
		list(c, "order", v, 4, nest[*DBOrder])
	}
}

// DBList asks for the objects of a class, ordered by DoID unless Order says otherwise, a page at a time. Answered by
// DBFound.
type DBList struct {
	Context uint32
	Class   uint32
	After   do.ID     // only ids above it: the next page
	Limit   uint32    // 0: 100
	Order   []DBOrder // another order than by id: at most one; the member may be missing
}

func (*DBList) Type() Type       { return TypeDBList }
func (m *DBList) String() string { return text(m) }

func (m *DBList) code(c *coder) {
	num(c, "context", &m.Context)
	c.class(&m.Class)
	c.id("after", &m.After)
	num(c, "limit", &m.Limit)
	order(c, &m.Order)
}

// DBFound answers DBFind and DBList, in their order.
type DBFound struct {
	Context uint32
	Objects []DBObject
}

func (*DBFound) Type() Type       { return TypeDBFound }
func (m *DBFound) String() string { return text(m) }

func (m *DBFound) code(c *coder) {
	num(c, "context", &m.Context)
	list(c, "objects", &m.Objects, 6, nest[*DBObject])
}

// DBChanged is announced on the object's record channel after a write; its sender is the requester (rules 145, 148).
type DBChanged struct {
	DO      do.ID
	Row     uint64
	Fields  fields.Map
	Removed []fields.Number
	Gone    bool // the row was deleted
}

func (*DBChanged) Type() Type       { return TypeDBChanged }
func (m *DBChanged) String() string { return text(m) }

func (m *DBChanged) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "row", &m.Row)
	c.fields("fields", &m.Fields)
	list(c, "removed", &m.Removed, 1, plainField)
	c.bool("gone", &m.Gone)
}

// SchemaGet asks for the cluster's schema record. Answered by SchemaRecord.
type SchemaGet struct{ Context uint32 }

func (*SchemaGet) Type() Type       { return TypeSchemaGet }
func (m *SchemaGet) String() string { return text(m) }

func (m *SchemaGet) code(c *coder) {
	num(c, "context", &m.Context)
}

// SchemaSet offers a schema; what it adds to the cluster's is merged in. Answered by SchemaRecord, or Failed with the first difference.
type SchemaSet struct {
	Context uint32
	Text    []byte
}

func (*SchemaSet) Type() Type       { return TypeSchemaSet }
func (m *SchemaSet) String() string { return text(m) }

func (m *SchemaSet) code(c *coder) {
	num(c, "context", &m.Context)
	c.bytes("text", &m.Text)
}

// SchemaRecord is the cluster's schema; also announced to all roles when it changed. Version 0: there is none yet.
type SchemaRecord struct {
	Context    uint32
	Version    uint32
	Text       []byte
	Partitions uint16 // of the cluster record: created objects get 1 to Partitions
}

func (*SchemaRecord) Type() Type       { return TypeSchemaRecord }
func (m *SchemaRecord) String() string { return text(m) }

func (m *SchemaRecord) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "version", &m.Version)
	c.bytes("text", &m.Text)
	num(c, "partitions", &m.Partitions)
}
