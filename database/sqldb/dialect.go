package sqldb

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// dialect is what differs between the two databases in the text of statements and the form of parameters.
type dialect interface {
	// placeholder is the n-th parameter, from 1.
	placeholder(n int) string
	// shapeColumn fills in decl, read, write and json.
	shapeColumn(c *column)
	// scalarParam turns what scalar returns into what the driver takes.
	scalarParam(v any) any
	// id is a DoID as a parameter.
	id(id do.ID) any
	// lockRow ends a select of a row that the transaction is about to change.
	lockRow() string
	// lockShared ends a select of rows that must not change before the transaction ends.
	lockShared() string
	// now is the present time, as the columns for it have it.
	now() string
	// ago is a time some hours before now.
	ago(hours int) string
	// The types of the columns otpd_id, and otpd_created and otpd_updated.
	idDecl() string
	timeDecl() string
	// boolDecl is the type of a bool.
	boolDecl() string

	// metaExists is a query with a row if otpd_meta exists.
	metaExists() string
	// lockSchema and lockEpochs are statements that let one transaction at a time pass; empty where all writers
	// wait for each other anyway.
	lockSchema() string
	lockEpochs() string
	// listColumns is a query for table, column, type of all tables; listIndexes one for the names of all indexes.
	listColumns() string
	listIndexes() string
	// alterType is the statement by which a person gives a column, which has the type have, the declared one.
	alterType(table string, c *column, have string) string
}

type postgresDialect struct{}

func (postgresDialect) placeholder(n int) string { return fmt.Sprintf("$%d", n) }
func (postgresDialect) lockRow() string          { return " FOR UPDATE" }
func (postgresDialect) lockShared() string       { return " FOR SHARE" }
func (postgresDialect) now() string              { return "clock_timestamp()" }
func (postgresDialect) boolDecl() string         { return "boolean" }
func (postgresDialect) idDecl() string           { return "uuid" }
func (postgresDialect) timeDecl() string         { return "timestamp with time zone" }
func (postgresDialect) id(id do.ID) any          { return [16]byte(id) }

func (postgresDialect) ago(hours int) string {
	return fmt.Sprintf("clock_timestamp() - interval '%d hours'", hours)
}

// schemaLock is an arbitrary number that all releases of otpd share.
const schemaLock = 0x6f747064

func (postgresDialect) lockSchema() string {
	return fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)::text", schemaLock)
}

// The mode conflicts with itself, but not with the row locks of batches.
func (postgresDialect) lockEpochs() string {
	return "LOCK TABLE otpd_partition IN SHARE ROW EXCLUSIVE MODE"
}

// ownSchema is the PostgreSQL schema that new tables go to.
const ownSchema = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"

func (postgresDialect) metaExists() string {
	return "SELECT 1 FROM pg_class WHERE relname = 'otpd_meta' AND relnamespace = " + ownSchema
}

func (postgresDialect) listColumns() string {
	return "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid" +
		" WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace = " + ownSchema
}

func (postgresDialect) listIndexes() string {
	return "SELECT relname::text FROM pg_class WHERE relkind IN ('i', 'I') AND relnamespace = " + ownSchema
}

func (postgresDialect) alterType(table string, c *column, _ string) string {
	return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::%s", table, c.name, c.decl, c.name, c.decl)
}

func (postgresDialect) shapeColumn(c *column) {
	switch c.shape {
	case shapeScalar:
		c.decl = postgresType(c.field.Type)
	case shapeList:
		c.decl = postgresType(c.field.Type.Elem()) + "[]"
	default:
		// As text: pgx would turn the numbers of a jsonb into float64.
		c.decl, c.json = "jsonb", true
		c.read, c.write = "%s::text", "%s::text::jsonb"
	}
}

// postgresType is the type of a scalar, as format_type writes it.
func postgresType(t *fields.Type) string {
	switch t.Kind() {
	case fields.KindBool:
		return "boolean"
	case fields.KindInt8, fields.KindUint8, fields.KindInt16:
		return "smallint"
	case fields.KindUint16, fields.KindInt32:
		return "integer"
	case fields.KindUint64:
		return "numeric(20,0)"
	case fields.KindFloat32:
		return "real"
	case fields.KindFloat64, fields.KindPacked:
		return "double precision"
	case fields.KindString:
		return "text"
	case fields.KindBytes:
		return "bytea"
	case fields.KindTime:
		return "timestamp with time zone"
	case fields.KindID:
		return "uuid"
	}
	return "bigint"
}

func (postgresDialect) scalarParam(v any) any {
	switch v := v.(type) {
	case uint64:
		return pgtype.Numeric{Int: new(big.Int).SetUint64(v), Valid: true}
	case uuid.UUID:
		return [16]byte(v)
	}
	return v
}

type sqliteDialect struct{}

func (sqliteDialect) placeholder(n int) string { return fmt.Sprintf("?%d", n) }
func (sqliteDialect) lockRow() string          { return "" } // one writer, which holds the whole database
func (sqliteDialect) lockShared() string       { return "" }
func (sqliteDialect) now() string              { return "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')" }
func (sqliteDialect) boolDecl() string         { return "INTEGER" }
func (sqliteDialect) idDecl() string           { return "TEXT" }
func (sqliteDialect) timeDecl() string         { return "TEXT" }
func (sqliteDialect) id(id do.ID) any          { return uuid.UUID(id).String() }

func (sqliteDialect) ago(hours int) string {
	return fmt.Sprintf("strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '-%d hours')", hours)
}

func (sqliteDialect) lockSchema() string { return "" }
func (sqliteDialect) lockEpochs() string { return "" }

func (sqliteDialect) metaExists() string {
	return "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'otpd_meta'"
}

func (sqliteDialect) listColumns() string {
	return "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
}

func (sqliteDialect) listIndexes() string {
	return "SELECT name FROM sqlite_master WHERE type = 'index'"
}

// SQLite cannot change the type of a column: the old one steps aside.
func (sqliteDialect) alterType(table string, c *column, have string) string {
	return fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", table, c.name, quote(c.field.Name+"_"+have))
}

func (sqliteDialect) shapeColumn(c *column) {
	if c.shape != shapeScalar {
		c.decl, c.json = "TEXT", true
		return
	}
	switch c.field.Type.Kind() {
	case fields.KindUint64:
		c.decl = "" // no affinity: integers stay integers, text stays text
	case fields.KindFloat32, fields.KindFloat64, fields.KindPacked:
		c.decl = "REAL"
	case fields.KindString, fields.KindTime, fields.KindID:
		c.decl = "TEXT"
	case fields.KindBytes:
		c.decl = "BLOB"
	default:
		c.decl = "INTEGER"
	}
}

// sqliteTime has a fixed width, so that the texts sort as the times do.
const sqliteTime = "2006-01-02T15:04:05.000000Z"

func (sqliteDialect) scalarParam(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case uint64:
		if v > math.MaxInt64 {
			return fmt.Sprintf("%020d", v)
		}
		return int64(v)
	case float32:
		return sqliteFloat(float64(v))
	case float64:
		return sqliteFloat(v)
	case time.Time:
		return v.Format(sqliteTime)
	case uuid.UUID:
		return v.String()
	}
	return v
}

// sqliteFloat keeps a NaN as text: SQLite would make it NULL.
func sqliteFloat(f float64) any {
	if math.IsNaN(f) {
		return "NaN"
	}
	return f
}
