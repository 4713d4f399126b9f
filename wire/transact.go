package wire

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// A transaction changes several stored objects, all or none. The database role coordinates: it has the State of each
// object write what is dirty and hold the object still (Freeze, Frozen), runs the conditions and writes in one
// transaction of the database, together with a record of the outcome, and tells the States (Thaw, Thawed). They apply
// and broadcast what was committed, and nothing else; then the asker has its answer. Whoever missed the end asks for
// the outcome (DBOutcome, DBDecided).

// DBTransact asks for it. Answered by Done when the States have applied it, or by Failed, which names the object whose
// part does not fit; with CodeConflict it has what is there of the compared fields. Tx is random, and the same when the
// same transaction is asked for again: it is done once. That one that is asked for again fails says nothing of the first
// time: DBOutcome does.
type DBTransact struct {
	Context uint32
	Tx      do.ID
	Parts   []DBPart
}

func (*DBTransact) Type() Type       { return TypeDBTransact }
func (m *DBTransact) String() string { return text(m) }

func (m *DBTransact) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("tx", &m.Tx)
	list(c, "parts", &m.Parts, 6, nest[*DBPart])
}

// DBPart is what a transaction does to one object: it sets Fields, db fields only, if Row, Expect and Absent hold, as in
// DBSet. Without Fields it only compares.
type DBPart struct {
	DO     do.ID
	Row    uint64
	Fields fields.Map
	Expect fields.Map
	Absent []fields.Number
}

func (m *DBPart) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "row", &m.Row)
	c.fields("fields", &m.Fields)
	c.fields("expect", &m.Expect)
	list(c, "absent", &m.Absent, 1, plainField)
}

// DBOutcome asks what became of a transaction. Answered by DBDecided, once it is decided. One that nobody knows is
// decided by the question: it is never done.
type DBOutcome struct {
	Context uint32
	Tx      do.ID
}

func (*DBOutcome) Type() Type       { return TypeDBOutcome }
func (m *DBOutcome) String() string { return text(m) }

func (m *DBOutcome) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("tx", &m.Tx)
}

// DBDecided answers DBOutcome.
type DBDecided struct {
	Context   uint32
	Tx        do.ID
	Committed bool
}

func (*DBDecided) Type() Type       { return TypeDBDecided }
func (m *DBDecided) String() string { return text(m) }

func (m *DBDecided) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("tx", &m.Tx)
	c.bool("committed", &m.Committed)
}

// Freeze has an object's State write what is dirty of it, and then hold back every message for it until Thaw. The
// object need not be in memory. Answered by Frozen.
type Freeze struct {
	Tx     do.ID
	DO     do.ID
	Fields fields.Map // what the transaction will set
	By     do.Channel // who asked for the transaction
}

func (*Freeze) Type() Type       { return TypeFreeze }
func (m *Freeze) String() string { return text(m) }

func (m *Freeze) code(c *coder) {
	c.id("tx", &m.Tx)
	c.id("do", &m.DO)
	c.fields("fields", &m.Fields)
	c.channel("by", &m.By)
}

// Frozen answers Freeze: with CodeOK the row is as the object is and stays so. Any other code ends the transaction.
type Frozen struct {
	Tx    do.ID
	DO    do.ID
	Epoch uint32 // of the partition, for the write
	Code  Code
	Text  string
}

func (*Frozen) Type() Type       { return TypeFrozen }
func (m *Frozen) String() string { return text(m) }

func (m *Frozen) code(c *coder) {
	c.id("tx", &m.Tx)
	c.id("do", &m.DO)
	num(c, "epoch", &m.Epoch)
	num(c, "code", &m.Code)
	c.string("text", &m.Text)
}

// Thaw ends what Freeze began: the State applies and broadcasts the fields if they were committed, in the name of who
// asked, and goes on with what waited. Answered by Thawed.
type Thaw struct {
	Tx        do.ID
	DO        do.ID
	Committed bool
	Row       uint64 // of the row now; 0: not known
	Again     bool   // it was committed some time before, maybe before the Freeze: only the row says what there is now
}

func (*Thaw) Type() Type       { return TypeThaw }
func (m *Thaw) String() string { return text(m) }

func (m *Thaw) code(c *coder) {
	c.id("tx", &m.Tx)
	c.id("do", &m.DO)
	c.bool("committed", &m.Committed)
	num(c, "row", &m.Row)
	c.bool("again", &m.Again)
}

// Thawed answers Thaw.
type Thawed struct {
	Tx do.ID
	DO do.ID
}

func (*Thawed) Type() Type       { return TypeThawed }
func (m *Thawed) String() string { return text(m) }

func (m *Thawed) code(c *coder) {
	c.id("tx", &m.Tx)
	c.id("do", &m.DO)
}
