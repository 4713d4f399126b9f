// Package sqldb keeps objects in SQL databases: PostgreSQL by pgx, and SQLite, embedded, by modernc.org/sqlite.
//
// Each class with db fields has a table of its own, named as the class, with a column named as the field for each db
// field, inherited ones included, so that people who know SQL can read, index and constrain it:
//
//	otpd_id       the DoID: uuid; in SQLite its text
//	otpd_version  the row version, 1 at creation
//	otpd_created  when the row was made
//	otpd_updated  when it was last written
//	"Name" ...    the fields; NULL = absent
//
// The columns' types:
//
//	field                      PostgreSQL         SQLite
//	bool                       boolean            INTEGER (0, 1)
//	int8, uint8, int16         smallint           INTEGER
//	uint16, int32              integer            INTEGER
//	uint32, int64              bigint             INTEGER
//	uint64                     numeric(20)        none: an integer, above 2^63-1 text of 20 digits, which sorts after
//	float32                    real               REAL; NaN is the text NaN
//	float64, packed floats     double precision   REAL; packed floats in their own unit, not the scaled one
//	string                     text               TEXT
//	[]byte                     bytea              BLOB
//	time.Time                  timestamptz        TEXT, UTC, 2026-01-31T12:00:00.000001Z
//	time.Duration              bigint             INTEGER, nanoseconds
//	do.ID                      uuid               TEXT
//	arrays, slices of these    arrays of these    TEXT, JSON
//	all others                 jsonb              TEXT, JSON
//
// In JSON a struct is an object by member names, a map an object, []byte is hex text, a do.ID is its UUID text,
// a time is RFC 3339 text, a duration is nanoseconds, and a float that is no number is the text NaN, Infinity or -Infinity.
//
// Other tables: otpd_meta (format of the database, cluster record), otpd_schema (schema record), otpd_partition
// (epochs), otpd_object (which class an id has).
//
// A schema is applied by adding tables, columns and indexes. A field that is gone keeps its column.
package sqldb
