package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Errors of a Backend, wrapped with what they concern. The first group is the outcome of one operation, the second of
// a whole call.
var (
	// ErrNotFound says that no object of that class has the id.
	ErrNotFound = errors.New("no such object")
	// ErrExists says that the id is taken, by whatever class.
	ErrExists = errors.New("object exists")
	// ErrUnique says that another object has that value in a unique field; Result.Field says which.
	ErrUnique = errors.New("value of a unique field is taken")
	// ErrVersion says that the row's version is not the expected one; Result.Version is the current one.
	ErrVersion = errors.New("row has another version")
	// ErrCondition says that Equals or Empty did not hold; Result.Fields has what the compared fields have
	// (rules 146 and 147).
	ErrCondition = errors.New("condition does not hold")
	// ErrEpoch says that the operation carried another epoch than that of the object's partition: somebody else
	// owns it now (rule 139).
	ErrEpoch = errors.New("partition has another epoch")
	// ErrClass says that the class is unknown, or has no db field, so that nothing of it can be stored (rule 141).
	ErrClass = errors.New("class is not stored")
	// ErrField says that a field is not a db field of the class (rules 140, 141, 146).
	ErrField = errors.New("not a db field of the class")
	// ErrNotIndexed says that objects cannot be found or ordered by the field: it is neither index nor unique.
	ErrNotIndexed = errors.New("field has no index")
	// ErrAborted says that somebody asked for the outcome of the transaction before it was done: it never is.
	ErrAborted = errors.New("transaction was given up")
	// ErrValue says that a value does not fit its field, going in (rule 71) or, changed by other hands, coming out
	// (rule 150).
	ErrValue = errors.New("value does not fit the field")

	// ErrUnavailable says that the database is away, locked, or gave up on the transaction. Whether a batch
	// was stored is then not known; doing it again is safe where its operations carry an expected version.
	ErrUnavailable = errors.New("database is not available")
	// ErrDenied says that the database refuses this user, password or file; of one operation, that it refuses its table.
	ErrDenied = errors.New("database refuses access")
	// ErrReadOnly says that it can be read and not written, to this user or at all. It is an ErrDenied.
	ErrReadOnly = fmt.Errorf("%w: it is read-only", ErrDenied)
	// ErrFull says that there is no room for what was to be written.
	ErrFull = errors.New("disk of the database is full")
	// ErrAddress says that the address of a database cannot be understood.
	ErrAddress = errors.New("wrong database address")
	// ErrNewer says that a newer release has written the database in a form that this one does not know.
	ErrNewer = errors.New("database has a newer format")
	// ErrSchema says that the tables do not fit the schema: it was never set, or cannot be kept in tables.
	ErrSchema = errors.New("schema does not fit the database")
	// ErrSchemaVersion says that somebody else changed the schema record first.
	ErrSchemaVersion = errors.New("schema record has another version")
	// ErrDestructive says that a schema needs changes that would lose data; the error has the statements.
	ErrDestructive = errors.New("schema needs changes that a person must make")
)

const (
	// MaxPage is the most rows that one Find or List answers, and what a Limit of 0 means.
	MaxPage = 1000
	// MaxBatch is the most operations of one Do.
	MaxBatch = 10000
	// MaxParts is the most objects of one transaction.
	MaxParts = 64
	// OutcomeLife is for how long at least the outcome of a transaction can be asked for.
	OutcomeLife = 24 * time.Hour
)

// Backend stores objects. Its methods may be called by several goroutines at once; batches that touch the same object
// then come one after the other, in some order.
type Backend interface {
	// Do runs the operations in order, in one transaction, and returns one result for each. An operation that
	// fails changes nothing and does not disturb the others. The error is about the batch: then nothing of it is
	// stored, except where it wraps ErrUnavailable. s is the schema of the classes that the operations leave out.
	Do(ctx context.Context, s *do.Schema, ops []Op) ([]Result, error)

	// Cluster returns the cluster record. The first caller ever makes it: it is then want. The same for all later.
	Cluster(ctx context.Context, want Cluster) (Cluster, error)
	// RaiseEpoch takes the partitions over: it gives them all one epoch, above any that one of them had, and
	// returns it. From then on a write with an older epoch is refused; one that is under way is waited for.
	RaiseEpoch(ctx context.Context, partitions []do.Partition) (epoch uint32, err error)

	// Schema returns the schema record, the zero record if there is none.
	Schema(ctx context.Context) (SchemaRecord, error)
	// Plan tells what SetSchema would do to the tables, without doing it.
	Plan(ctx context.Context, s *do.Schema) (Plan, error)
	// SetSchema makes tables, columns and indexes for s and stores its text as the schema record, all or nothing. The
	// record must have the version expect (0 for none), else ErrSchemaVersion. It returns the new version.
	// Where the plan has destructive statements, nothing is done: ErrDestructive.
	SetSchema(ctx context.Context, expect uint64, s *do.Schema) (version uint64, err error)

	// Probe writes something that changes nothing: its error is why the database takes no writes.
	Probe(ctx context.Context) error

	// Close lets running calls end and gives up all connections.
	Close() error
}

// Cluster is the record of what is fixed when a cluster is first made.
type Cluster struct {
	ID         do.ID     // names the cluster; random
	Partitions uint16    // objects get the partitions 1..Partitions
	Created    time.Time // to the microsecond, UTC
}

// SchemaRecord is the schema of the cluster as the database has it.
type SchemaRecord struct {
	Version uint64 // 1 for the first, 0 for none
	Text    []byte // canonical text, which do.ParseSchema reads
}

// Plan is what a schema needs from the tables as they are.
type Plan struct {
	Additive    []string // statements that SetSchema runs
	Destructive []string // statements that only a person may run; SetSchema refuses while there is one
}

// OpKind says what an operation does.
type OpKind uint8

// The operations.
const (
	OpGet      OpKind = iota // reads one object; without wanted fields it asks whether there is one
	OpCreate                 // stores a new object
	OpSet                    // changes fields, makes fields absent, under conditions
	OpDelete                 // removes an object
	OpFind                   // lists the objects of a class that have a value in an indexed field
	OpList                   // lists the objects of a class
	OpTransact               // does its Parts, all or none, once
	OpOutcome                // asks what became of a transaction, and ends one that nobody knows
)

// writes reports whether the operation may change something.
func (k OpKind) writes() bool {
	switch k {
	case OpGet, OpFind, OpList:
		return false
	}
	return true
}

func (k OpKind) String() string {
	if int(k) < len(opNames) {
		return opNames[k]
	}
	return "unknown operation"
}

var opNames = [...]string{"get", "create", "set", "delete", "find", "list", "transact", "outcome"}

// Op is one operation. What a kind does not name below it ignores.
type Op struct {
	Kind OpKind
	ID   do.ID
	// Class is needed by create, find and list, which mean exactly that class, never its heirs. Others may leave it
	// nil: then the row says it. If it is given and the object is of another class, that is ErrNotFound.
	Class *do.Class
	// Epoch of the object's partition, as RaiseEpoch gave it to the writer; for create, set, delete. 0 is for writers
	// that own no partition, as a create by an UberDOG, or a tool: they are not checked.
	Epoch uint32

	Fields fields.Map      // create, set: values
	Unset  []fields.Number // set: fields to make absent
	// Conditions of a set or delete; all must hold.
	Expect uint64          // row version; 0 = any
	Equals fields.Map      // set: fields that must have these values; an absent one does not (rule 146)
	Empty  []fields.Number // set: fields that must be absent (rule 147)
	// Initial: an absent field that has an initial value has that when it is compared by Equals. So it is in the memory
	// of the State that the object lives in, which a transaction's conditions come from.
	Initial bool

	// What get, find and list return of each object besides its version. Fields that the class does not keep are
	// left out, absent ones, too (rule 142).
	All  bool            // every field
	Want []fields.Number // or these

	Field fields.Number // find: an index or unique field
	Value []byte        // find: its value
	After do.ID         // find, list: only ids above it, for the next page
	Limit int           // find, list: most rows; 0 and more than MaxPage mean MaxPage
	Order *Order        // find, list: nil is ascending by id

	// transact: creates, sets and deletes of different objects, each with its own conditions. ID names the transaction:
	// its outcome is kept for OutcomeLife, and the same transaction again is not done again.
	Parts []Op
}

// Order is an order of rows by the value of an index or unique field, and by id, ascending, where that is the same. Rows
// without a value are left out. False is before true, NaN behind all numbers; texts are in the order of the database:
// that of their bytes, except where a PostgreSQL has another collation.
type Order struct {
	Field fields.Number
	Desc  bool
	// Value is that of the last row of the page before, whose id Op.After is; nil: the first page. A row that is not
	// changed meanwhile is on one page, and on one only.
	Value []byte
}

// Result is the outcome of one operation.
type Result struct {
	// Err is nil or wraps one of the first group of errors.
	Err error
	// Class is the object's, where the operation found one.
	Class *do.Class
	// Version of the row after the operation; with ErrVersion and ErrCondition the current one.
	Version uint64
	// Fields are the wanted fields of a get, and with ErrCondition what is there of the compared ones.
	Fields fields.Map
	// Field is the taken one with ErrUnique.
	Field fields.Number
	// Rows are those of a find or list, in their order. Of a transaction that was done now they are its objects with
	// their new versions; of one that failed, the object at fault, with what is there of the compared fields.
	Rows []Row
	// Committed: the transaction was done, now or before.
	Committed bool
}

// Row is one object of a find or list.
type Row struct {
	ID      do.ID
	Version uint64
	Fields  fields.Map
}
