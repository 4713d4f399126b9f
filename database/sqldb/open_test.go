package sqldb

import (
	"context"
	"database/sql"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/testpg"
)

// raw runs SQL beside the backend, as a person would.
func raw(t *testing.T, address string, statements ...string) {
	t.Helper()
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		db, err := sql.Open("sqlite", sqliteDSN(path, ""))
		require.NoError(t, err)
		defer db.Close()
		for _, s := range statements {
			_, err := db.Exec(s)
			require.NoError(t, err, s)
		}
		return
	}
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for _, s := range statements {
		_, err := conn.Exec(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// both runs a test on each kind of database.
func both(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newSQLite(t)) })
	t.Run("Postgres", func(t *testing.T) { test(t, newPostgres(t)) })
}

func opened(t *testing.T, address string) *Backend {
	t.Helper()
	b, err := Open(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// typed applies a schema of one class Thing with a db field A of a type, and creates object 1 with a value in it.
func typed(t *testing.T, b *Backend, typ, value string) (*do.Schema, do.ID) {
	t.Helper()
	ty, err := fields.ParseType(typ)
	require.NoError(t, err)
	s, err := do.NewSchema([]do.ClassDecl{{Name: "Thing", Fields: []do.FieldDecl{
		{Name: "A", Kind: do.FieldState, Keywords: fields.DB, Type: ty},
	}}}, nil)
	require.NoError(t, err)
	_, err = b.SetSchema(t.Context(), 0, s)
	require.NoError(t, err)
	encoded, err := ty.ParseText(value)
	require.NoError(t, err)
	f := s.Class("Thing").FieldByName("A")
	id := do.NewID(1, 0, 1)
	rs, err := b.Do(t.Context(), s, []database.Op{{
		Kind: database.OpCreate, ID: id, Class: s.Class("Thing"), Fields: fields.MapOf(fields.Pair{Number: f.Number, Value: encoded}),
	}})
	require.NoError(t, err)
	require.NoError(t, rs[0].Err)
	return s, id
}

func TestWrongAddressesSaySo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("this is no database, but a text of more than a page's header: "+strings.Repeat("x", 5000)), 0o600))
	server := testpg.URL(t)
	for address, want := range map[string]error{
		"":                                  database.ErrAddress,
		"mysql://x":                         database.ErrAddress,
		"sqlite:":                           database.ErrAddress,
		"sqlite::memory:":                   database.ErrAddress,
		"postgres":                          database.ErrAddress,
		"http://127.0.0.1/x":                database.ErrAddress,
		"postgres//127.0.0.1/x":             database.ErrAddress,
		"\x00\xff garbage":                  database.ErrAddress,
		"postgres://host:notaport/x":        database.ErrAddress,
		"postgres://host:99999/x":           database.ErrAddress,
		"postgres://[::1/x":                 database.ErrAddress,
		"postgres://host/x?sslmode=banana":  database.ErrAddress,
		"postgres://:1/x?host=/nonexistent": database.ErrUnavailable, // no host: the default one
		"sqlite:" + file:                    database.ErrAddress,
		"sqlite:" + file + "/below/otpd.db": database.ErrDenied,
		"sqlite:" + filepath.Dir(file):      database.ErrDenied,
		"postgres:///x?host=/nonexistent":   database.ErrUnavailable,
		server + "&database=nosuch":         database.ErrAddress,
		strings.Replace(server, "user=", "user=nobody_", 1): database.ErrDenied,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := Open(ctx, address)
		cancel()
		require.ErrorIs(t, err, want, address)
	}
}

func TestPasswordIsNotInErrors(t *testing.T) {
	for _, address := range []string{"postgres://u:hunter2@host:notaport/x", "postgres://u:hunter2@127.0.0.1:1/x"} {
		_, err := Open(t.Context(), address)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestReadOnlyDatabaseIsDenied(t *testing.T) {
	address := newPostgres(t)
	raw(t, address, `DROP ROLE IF EXISTS reader`, `CREATE ROLE reader LOGIN`)
	_, err := Open(t.Context(), strings.Replace(address, "user=postgres", "user=reader", 1))
	require.ErrorIs(t, err, database.ErrDenied)
}

func TestNewerFormatIsRefused(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		opened(t, address)
		raw(t, address, `UPDATE otpd_meta SET format = 999`)
		_, err := Open(t.Context(), address)
		require.ErrorIs(t, err, database.ErrNewer)
		require.ErrorContains(t, err, "newer otpd")
	})
}

func TestEarlierFormatIsConverted(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		opened(t, address)
		raw(t, address, `DROP TABLE otpd_outcome`, `UPDATE otpd_meta SET format = 1`)
		b := opened(t, address)
		results, err := b.Do(t.Context(), nil, []database.Op{{Kind: database.OpOutcome, ID: do.NewID(1, 1, 1)}})
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
		opened(t, address) // it is converted once
	})
}

// PostgreSQL holds no more than a third of a page in an index, after compression. The one object that needs more is
// refused; the others of its batch are not.
func TestValueTooLargeForAnIndexFailsItsObjectOnly(t *testing.T) {
	address := newPostgres(t)
	b := opened(t, address)
	text, err := fields.ParseType("string")
	require.NoError(t, err)
	s, err := do.NewSchema([]do.ClassDecl{{Name: "Thing", Fields: []do.FieldDecl{
		{Name: "Team", Kind: do.FieldState, Keywords: fields.DB | fields.Index, Type: text},
	}}}, nil)
	require.NoError(t, err)
	_, err = b.SetSchema(t.Context(), 0, s)
	require.NoError(t, err)
	random := rand.NewChaCha8([32]byte{})
	long := make([]byte, 8000)
	_, _ = random.Read(long)
	thing := s.Class("Thing")
	op := func(n uint64, team string) database.Op {
		return database.Op{Kind: database.OpCreate, ID: do.NewID(1, 1, n), Class: thing, Fields: fields.MapOf(fields.Pair{
			Number: thing.FieldByName("Team").Number, Value: fields.AppendString(nil, team),
		})}
	}
	results, err := b.Do(t.Context(), s, []database.Op{op(1, "red"), op(2, hex.EncodeToString(long)), op(3, "blue")})
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, database.ErrValue)
	require.ErrorContains(t, results[1].Err, "index")
	require.NoError(t, results[2].Err)
}

func TestForeignTableIsNotTouched(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		b := opened(t, address)
		raw(t, address, `CREATE TABLE "Thing" (a integer)`)
		s, err := do.NewSchema([]do.ClassDecl{{Name: "Thing", Fields: []do.FieldDecl{
			{Name: "A", Kind: do.FieldState, Keywords: fields.DB, Type: intType(t)},
		}}}, nil)
		require.NoError(t, err)
		_, err = b.SetSchema(t.Context(), 0, s)
		require.ErrorIs(t, err, database.ErrDestructive)
		require.ErrorContains(t, err, `"Thing_before_otpd"`)
	})
}

func intType(t *testing.T) *fields.Type {
	t.Helper()
	ty, err := fields.ParseType("int32")
	require.NoError(t, err)
	return ty
}

func TestRule150ValueChangedByOtherHands(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		b := opened(t, address)
		s, id := typed(t, b, "int16(0..100)", "7")
		raw(t, address, `UPDATE "Thing" SET "A" = 101`)
		rs, err := b.Do(t.Context(), s, []database.Op{
			{Kind: database.OpGet, ID: id, All: true},
			{Kind: database.OpGet, ID: id},
		})
		require.NoError(t, err)
		require.ErrorIs(t, rs[0].Err, database.ErrValue)
		require.ErrorContains(t, rs[0].Err, "Thing.A")
		require.NoError(t, rs[1].Err, "what was not asked for does not matter")
	})
}

func TestConstraintByOtherHandsRefusesOneOperation(t *testing.T) {
	b := opened(t, newPostgres(t))
	s, id := typed(t, b, "int32", "7")
	err := b.engine.transact(t.Context(), writing, func(tx transaction) error {
		_, err := tx.query(t.Context(), statement{sql: `ALTER TABLE "Thing" ADD CHECK ("A" < 10)`})
		return err
	})
	require.NoError(t, err)
	set := func(n int64) database.Op {
		f := s.Class("Thing").FieldByName("A")
		return database.Op{Kind: database.OpSet, ID: id, Fields: fields.MapOf(fields.Pair{Number: f.Number, Value: fields.AppendInt(nil, n)})}
	}
	rs, err := b.Do(t.Context(), s, []database.Op{set(10), set(9), {Kind: database.OpGet, ID: id, All: true}})
	require.NoError(t, err)
	require.ErrorIs(t, rs[0].Err, database.ErrValue)
	require.NoError(t, rs[1].Err)
	require.Equal(t, set(9).Fields, rs[2].Fields)
}

func TestColumnsAreTypedForPeopleWhoKnowSQL(t *testing.T) {
	for _, c := range []struct{ typ, value, postgres, sqlite string }{
		{"float32 as int16/10%360", "359.9", `"A" = 359.9`, `"A" = 359.9`},
		{"{X float32, Y float32}", "{X:1.5 Y:2}", `("A"->>'X')::float = 1.5`, `json_extract("A", '$.X') = 1.5`},
		{"[]string", `["a" "b"]`, `'b' = ANY("A")`, `json_extract("A", '$[1]') = 'b'`},
		{"time", "2026-01-31T12:00:00Z", `"A" = '2026-01-31 12:00:00+00'`, `datetime("A") = '2026-01-31 12:00:00'`},
		{"uint64", "18446744073709551615", `"A" = 18446744073709551615`, `"A" = '18446744073709551615'`},
		{"bytes", "0x0aff", `"A" = '\x0aff'`, `"A" = x'0aff'`},
		{"bool", "true", `"A"`, `"A"`},
	} {
		both(t, func(t *testing.T, address string) {
			b := opened(t, address)
			typed(t, b, c.typ, c.value)
			condition := c.postgres
			if strings.HasPrefix(address, "sqlite:") {
				condition = c.sqlite
			}
			require.NoError(t, b.engine.transact(t.Context(), reading, func(tx transaction) error {
				rows, err := tx.query(t.Context(), statement{sql: `SELECT otpd_version FROM "Thing" WHERE ` + condition})
				require.Len(t, rows, 1, condition)
				return err
			}))
		})
	}
}

func TestKilledServerIsUnavailableAndComesBack(t *testing.T) {
	server, err := testpg.Start(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	b := opened(t, server.URL())
	s, id := typed(t, b, "int32", "7")
	get := []database.Op{{Kind: database.OpGet, ID: id, All: true}}
	require.NoError(t, server.Kill())
	_, err = b.Do(t.Context(), s, get)
	require.ErrorIs(t, err, database.ErrUnavailable)
	require.NoError(t, server.Restart(t.Context()))
	// A connection of before may be tried once more before the pool notices.
	require.Eventually(t, func() bool {
		rs, err := b.Do(t.Context(), s, get)
		return err == nil && rs[0].Err == nil
	}, time.Minute, 5*time.Millisecond)
}

// A batch that has seen its epoch is let finish before the partition has a new owner.
func TestRule139RaiseEpochWaitsForABatchUnderWay(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		b := opened(t, address)
		s, id := typed(t, b, "int32", "7")
		epoch, err := b.RaiseEpoch(t.Context(), []do.Partition{1})
		require.NoError(t, err)
		work := &batch{d: b.d, tables: &b.tables, schema: s, ops: []database.Op{{Kind: database.OpDelete, ID: id, Epoch: epoch}}}
		require.NoError(t, b.engine.transact(t.Context(), writing, func(tx transaction) error {
			require.NoError(t, work.prepare(t.Context(), tx))
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := b.RaiseEpoch(ctx, []do.Partition{1})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return work.runEach(t.Context(), tx)
		}))
		require.NoError(t, work.results[0].Err)
		next, err := b.RaiseEpoch(t.Context(), []do.Partition{1})
		require.NoError(t, err)
		require.Greater(t, next, epoch)
	})
}

func TestLockedSQLiteFileIsUnavailable(t *testing.T) {
	address := newSQLite(t)
	b := opened(t, address)
	s, _ := typed(t, b, "int32", "7")
	other, err := sql.Open("sqlite", sqliteDSN(strings.TrimPrefix(address, "sqlite:"), "_txlock=immediate"))
	require.NoError(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	create := []database.Op{{Kind: database.OpCreate, ID: do.NewID(1, 0, 2), Class: s.Class("Thing")}}
	_, err = b.Do(ctx, s, create)
	require.ErrorIs(t, err, database.ErrUnavailable)
	require.NoError(t, tx.Rollback())
	rs, err := b.Do(t.Context(), s, create)
	require.NoError(t, err)
	require.NoError(t, rs[0].Err)
}
