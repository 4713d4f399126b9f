package databasetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// New returns the address of a new, empty database, which is gone when the test ends.
type New func(t *testing.T) string

// Open opens the database at an address, which New returned.
type Open func(ctx context.Context, address string) (database.Backend, error)

// Run runs the suite.
func Run(t *testing.T, newAddress New, open Open) {
	s := &suite{newAddress, open}
	for name, test := range map[string]func(*suite, *testing.T){
		"Rule140OnlyDBFieldsAreStored":             (*suite).onlyDBFields,
		"Rule141UnknownClassAndFieldAreRefused":    (*suite).unknownClassAndField,
		"Rule142AbsentIsDifferentFromZero":         (*suite).absent,
		"Rule145UnsetMakesAbsent":                  (*suite).unset,
		"Rule146IfEquals":                          (*suite).ifEquals,
		"Rule147IfEmpty":                           (*suite).ifEmpty,
		"Rule149ConditionsSerialise":               (*suite).conditionsSerialise,
		"Rule149BatchesInOppositeOrder":            (*suite).oppositeOrder,
		"Rule151IDIsTakenOnce":                     (*suite).taken,
		"Rule71ValuesThatDoNotFitAreRefused":       (*suite).misfits,
		"Rule139OldEpochIsRefused":                 (*suite).epochs,
		"Rule139RaiseEpochWaitsForBatches":         (*suite).raceOfEpochs,
		"EveryTypeComesBack":                       (*suite).everyType,
		"RandomValuesComeBack":                     (*suite).randomValues,
		"ExpectedVersion":                          (*suite).expectedVersion,
		"ManySetsAtOnceAreEachTheirOwn":            (*suite).manySets,
		"OneFailureLeavesTheOthers":                (*suite).oneFailure,
		"UniqueFieldIsNamed":                       (*suite).uniqueField,
		"FindByIndexedField":                       (*suite).find,
		"FindByEveryIndexableType":                 (*suite).findTypes,
		"ListPages":                                (*suite).listPages,
		"PagesInTheOrderOfEveryType":               (*suite).orders,
		"PagesHoldWhileRowsChange":                 (*suite).pagesHold,
		"ClassIsKnownFromTheRow":                   (*suite).classFromRow,
		"HeirHasItsOwnTable":                       (*suite).heirs,
		"HostileNamesAndValues":                    (*suite).hostile,
		"SecondOpenSeesTheFirst":                   (*suite).reopen,
		"ClusterRecordIsFixedOnce":                 (*suite).cluster,
		"SchemaRecordIsComparedAndSet":             (*suite).schemaRecord,
		"AdditiveChangesAreMade":                   (*suite).additive,
		"DestructiveChangesAreRefused":             (*suite).destructive,
		"NamesThatOneDatabaseCannotKeepAreRefused": (*suite).badNames,
		"UnmigratedClassFailsItsOperationOnly":     (*suite).unmigrated,
		"ClosedContextIsUnavailable":               (*suite).cancelled,
		"TransactionIsAllOrNothing":                (*suite).allOrNothing,
		"TransactionIsDoneOnce":                    (*suite).doneOnce,
		"TransactionOutcomeIsFinal":                (*suite).finalOutcome,
		"TransactionsKeepTheSum":                   (*suite).keepTheSum,
		"MalformedTransactionIsRefused":            (*suite).badTransactions,
	} {
		t.Run(name, func(t *testing.T) { test(s, t) })
	}
}

type suite struct {
	newAddress New
	open       Open
}

// limit bounds every call of a test.
const limit = 30 * time.Second

// db is an open database with a schema applied, and a test around it.
type db struct {
	t      *testing.T
	ctx    context.Context
	schema *do.Schema
	database.Backend
}

func (s *suite) openEmpty(t *testing.T) *db {
	t.Helper()
	return s.openAt(t, s.newAddress(t))
}

func (s *suite) openAt(t *testing.T, address string) *db {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	b, err := s.open(ctx, address)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		cancel()
	})
	return &db{t: t, ctx: ctx, Backend: b}
}

// openWith opens a new database with a schema of the classes.
func (s *suite) openWith(t *testing.T, classes ...do.ClassDecl) *db {
	t.Helper()
	d := s.openEmpty(t)
	d.apply(schemaOf(t, classes...))
	return d
}

// apply makes a schema the database's.
func (d *db) apply(s *do.Schema) {
	d.t.Helper()
	record, err := d.Schema(d.ctx)
	require.NoError(d.t, err)
	version, err := d.SetSchema(d.ctx, record.Version, s)
	require.NoError(d.t, err)
	require.Equal(d.t, record.Version+1, version)
	d.schema = s
}

// do runs a batch whose operations may fail.
func (d *db) do(ops ...database.Op) []database.Result {
	d.t.Helper()
	results, err := d.Do(d.ctx, d.schema, ops)
	require.NoError(d.t, err)
	require.Len(d.t, results, len(ops))
	return results
}

// must runs one operation that must succeed.
func (d *db) must(op database.Op) database.Result {
	d.t.Helper()
	r := d.do(op)[0]
	require.NoError(d.t, r.Err)
	return r
}

// fails runs one operation that must fail so.
func (d *db) fails(want error, op database.Op) database.Result {
	d.t.Helper()
	r := d.do(op)[0]
	require.ErrorIs(d.t, r.Err, want)
	return r
}

// all returns every stored field of an object.
func (d *db) all(id do.ID) fields.Map {
	d.t.Helper()
	return d.must(database.Op{Kind: database.OpGet, ID: id, All: true}).Fields
}

func (d *db) class(name string) *do.Class {
	d.t.Helper()
	c := d.schema.Class(name)
	require.NotNil(d.t, c, name)
	return c
}

// create is a create of an object of a class with values of fields: name, text, name, text.
func (d *db) create(id do.ID, class string, values ...string) database.Op {
	d.t.Helper()
	return database.Op{Kind: database.OpCreate, ID: id, Class: d.class(class), Fields: d.values(class, values...)}
}

// values encodes fields of a class.
func (d *db) values(class string, values ...string) fields.Map {
	d.t.Helper()
	var pairs []fields.Pair
	for i := 0; i < len(values); i += 2 {
		f := d.class(class).FieldByName(values[i])
		require.NotNil(d.t, f, values[i])
		pairs = append(pairs, fields.Pair{Number: f.Number, Value: text(d.t, f.Type, values[i+1])})
	}
	return fields.MapOf(pairs...)
}

// number is the number of a field.
func (d *db) number(class, field string) fields.Number {
	d.t.Helper()
	f := d.class(class).FieldByName(field)
	require.NotNil(d.t, f, field)
	return f.Number
}

// text encodes the text of a value.
func text(t *testing.T, typ *fields.Type, s string) []byte {
	t.Helper()
	encoded, err := typ.ParseText(s)
	require.NoError(t, err, "%s as %s", s, typ)
	return encoded
}

// id is the n-th DoID of partition 1.
func id(n uint64) do.ID { return do.NewID(1, 1_700_000_000_000, n) }

// field declares a state field.
func field(t *testing.T, name, typ, keywords string) do.FieldDecl {
	t.Helper()
	ty, err := fields.ParseType(typ)
	require.NoError(t, err, typ)
	k, err := fields.ParseKeyword(keywords)
	require.NoError(t, err, keywords)
	return do.FieldDecl{Name: name, Kind: do.FieldState, Keywords: k, Type: ty}
}

func schemaOf(t *testing.T, classes ...do.ClassDecl) *do.Schema {
	t.Helper()
	s, err := do.NewSchema(classes, nil)
	require.NoError(t, err)
	return s
}

// avatar is the class of most tests.
func avatar(t *testing.T) do.ClassDecl {
	return do.ClassDecl{Name: "Avatar", Fields: []do.FieldDecl{
		field(t, "Name", "string(max 24)", "required db unique"),
		field(t, "HP", "int16(0..100)", "required db broadcast"),
		field(t, "Gold", "int64", "db"),
		field(t, "Team", "string", "db index"),
		field(t, "Pos", "{X float32, Y float32}", "ram broadcast"),
	}}
}
