package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/testpg"
	"github.com/otpd/otpd/wire"
)

// What goes wrong with real databases: each has the error that says what it is, or is tried again.

// stored is a database with one object, Thing 1, whose A is 7.
type stored struct {
	t       *testing.T
	address string
	b       *Backend
	schema  *do.Schema
	id      do.ID
}

func newStored(t *testing.T, address, typ string) *stored {
	t.Helper()
	s := &stored{t: t, address: address, b: opened(t, address)}
	value := "7"
	if typ == "bytes" {
		value = "0x07"
	}
	s.schema, s.id = typed(t, s.b, typ, value)
	return s
}

func (s *stored) values(n int64) fields.Map {
	return fields.MapOf(fields.Pair{Number: s.schema.Class("Thing").FieldByName("A").Number, Value: fields.AppendInt(nil, n)})
}

func (s *stored) set(n int64) database.Op {
	return database.Op{Kind: database.OpSet, ID: s.id, Fields: s.values(n)}
}

func (s *stored) get() database.Op { return database.Op{Kind: database.OpGet, ID: s.id, All: true} }

func (s *stored) has(n int64) {
	s.t.Helper()
	rs, err := s.b.Do(s.t.Context(), s.schema, []database.Op{s.get()})
	require.NoError(s.t, err)
	require.NoError(s.t, rs[0].Err)
	require.Equal(s.t, s.values(n), rs[0].Fields)
}

// worked is what the role makes of operations, as it travels.
func (s *stored) worked(ops ...database.Op) *wire.DBWorked {
	w := database.Work{Number: 1, Schema: s.schema, Ops: ops}
	return w.Run(s.t.Context(), s.b).Body.(*wire.DBWorked)
}

// takesNone checks that the database is read, refuses writes with the code, and does not call that being away.
func (s *stored) takesNone(code wire.Code, text string) {
	s.t.Helper()
	worked := s.worked(s.get(), s.set(8))
	require.Equal(s.t, wire.CodeOK, worked.Code, worked.Text)
	require.Equal(s.t, wire.CodeOK, worked.Results[0].Code, worked.Results[0].Text)
	require.Equal(s.t, code, worked.Results[1].Code, worked.Results[1].Text)
	require.Contains(s.t, worked.Results[1].Text, text)
	require.NotContains(s.t, worked.Results[1].Text, database.ErrUnavailable.Error())
	probe := database.Work{Number: 2, Kind: database.WorkProbe}
	probed := probe.Run(s.t.Context(), s.b).Body.(*wire.DBWorked)
	require.Equal(s.t, code, probed.Code, probed.Text)
}

// takes checks that it writes.
func (s *stored) takes(n int64) {
	s.t.Helper()
	require.NoError(s.t, s.b.Probe(s.t.Context()))
	require.Equal(s.t, wire.CodeOK, s.worked(s.set(n)).Results[0].Code)
	s.has(n)
}

func TestRefusedConnectionSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "postgres://otpd@" + l.Addr().String() + "/world"
	require.NoError(t, l.Close())
	_, err = Open(t.Context(), address)
	require.ErrorIs(t, err, database.ErrUnavailable)
	require.ErrorContains(t, err, "connection refused")
	require.ErrorContains(t, err, "127.0.0.1")
}

// A password that is wrong is refused at the start, and when it is changed while the daemon runs the reason is told; with
// the new one it is served again.
func TestWrongPassword(t *testing.T) {
	address := newPostgres(t)
	as := guarded(t, address, "SUPERUSER")
	for _, password := range []string{"wrong", ""} {
		_, err := Open(t.Context(), as(password))
		require.ErrorIs(t, err, database.ErrDenied)
		require.NotErrorIs(t, err, database.ErrReadOnly)
		require.NotContains(t, err.Error(), "wrong", "no password in an error")
	}
	s := newStored(t, as("right"), "int32")
	raw(t, address, "SET password_encryption = 'scram-sha-256'; ALTER ROLE "+testpg.Guarded+" PASSWORD 'other'",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+testpg.Guarded+"'")
	require.Eventually(t, func() bool { // the first may find only that its connection is gone
		worked := s.worked(s.set(8))
		require.Equal(t, wire.CodeAway, worked.Code, "it can not be read either")
		return strings.Contains(worked.Text, "password authentication failed")
	}, time.Minute, 5*time.Millisecond)
	raw(t, address, "SET password_encryption = 'scram-sha-256'; ALTER ROLE "+testpg.Guarded+" PASSWORD 'right'")
	s.has(7)
	s.takes(9)
}

// guarded makes the role that needs a password, for as long as the test takes, and gives the address with a password.
func guarded(t *testing.T, address, attributes string) func(password string) string {
	t.Helper()
	raw(t, address, "SET password_encryption = 'scram-sha-256'; CREATE ROLE "+testpg.Guarded+" LOGIN PASSWORD 'right' "+attributes)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), address)
		require.NoError(t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), "BEGIN READ WRITE; DROP OWNED BY "+testpg.Guarded+"; DROP ROLE "+testpg.Guarded+"; COMMIT")
		require.NoError(t, err)
	})
	return func(password string) string {
		return strings.Replace(address, "user=postgres", "user="+testpg.Guarded+"&password="+password, 1)
	}
}

// A role, or a database, of PostgreSQL that is read-only by its settings, as a standby is: refused at the start, since the
// partitions cannot be taken over; while it runs it is read, and comes back.
func TestReadOnlyPostgres(t *testing.T) {
	for name, what := range map[string]string{
		"database": "DATABASE %q", "role": "ROLE " + testpg.Guarded + " IN DATABASE %q",
	} {
		t.Run(name, func(t *testing.T) {
			admin := newPostgres(t)
			address := guarded(t, admin, "SUPERUSER")("right")
			config, err := pgx.ParseConfig(admin)
			require.NoError(t, err)
			s := newStored(t, address, "int32")
			alter := func(how string) {
				raw(t, admin, "BEGIN READ WRITE; ALTER "+fmt.Sprintf(what, config.Database)+how+"; COMMIT",
					"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+testpg.Guarded+"'")
				require.Eventually(t, func() bool {
					_, err := s.b.Schema(t.Context())
					return err == nil
				}, time.Minute, 5*time.Millisecond)
			}
			alter(" SET default_transaction_read_only = on")
			s.takesNone(wire.CodeReadOnly, "read-only transaction")
			s.has(7)
			again := opened(t, address)
			_, err = database.Begin(t.Context(), again, database.Cluster{ID: do.NewID(1, 1, 1)})
			require.ErrorIs(t, err, database.ErrReadOnly)
			require.ErrorContains(t, err, "it is read-only")
			_, err = again.SetSchema(t.Context(), 1, s.schema)
			require.ErrorIs(t, err, database.ErrReadOnly)
			alter(" RESET default_transaction_read_only")
			s.takes(9)
		})
	}
}

// A role that may read a table and not write to it.
func TestRevokedPrivilegeIsReadOnly(t *testing.T) {
	address := newPostgres(t)
	as := guarded(t, address, "")
	raw(t, address, "GRANT ALL ON SCHEMA public TO "+testpg.Guarded)
	s := newStored(t, as("right"), "int32")
	raw(t, address, `ALTER TABLE "Thing" OWNER TO postgres`, `REVOKE ALL ON "Thing" FROM `+testpg.Guarded, `GRANT SELECT ON "Thing" TO `+testpg.Guarded)
	worked := s.worked(s.get(), s.set(8))
	require.Equal(t, wire.CodeOK, worked.Results[0].Code)
	require.Equal(t, wire.CodeReadOnly, worked.Results[1].Code)
	require.Contains(t, worked.Results[1].Text, "permission denied for table Thing")
	raw(t, address, `GRANT UPDATE ON "Thing" TO `+testpg.Guarded)
	s.takes(9)
}

// One table that may not be written does not keep the objects of others from it, nor a question about it from what may be
// written.
func TestRevokedPrivilegeOfOneTable(t *testing.T) {
	address := newPostgres(t)
	as := guarded(t, address, "")
	raw(t, address, "GRANT ALL ON SCHEMA public TO "+testpg.Guarded)
	s := newStored(t, as("right"), "int32")
	number := do.FieldDecl{Name: "A", Kind: do.FieldState, Keywords: fields.DB, Type: s.schema.Class("Thing").FieldByName("A").Type}
	both, err := do.NewSchema([]do.ClassDecl{
		{Name: "Thing", Fields: []do.FieldDecl{number}}, {Name: "Other", Fields: []do.FieldDecl{number}},
	}, nil)
	require.NoError(t, err)
	_, err = s.b.SetSchema(t.Context(), 1, both)
	require.NoError(t, err)
	s.schema = both
	other := func(kind database.OpKind, n uint64) database.Op {
		return database.Op{Kind: kind, ID: do.NewID(1, 0, 10+n), Class: both.Class("Other"), Fields: s.values(1)}
	}
	require.Equal(t, wire.CodeOK, s.worked(other(database.OpCreate, 0)).Results[0].Code)
	raw(t, address, `ALTER TABLE "Other" OWNER TO postgres`, `REVOKE ALL ON "Other" FROM `+testpg.Guarded)

	trade := func(n uint64, parts ...database.Op) database.Op {
		return database.Op{Kind: database.OpTransact, ID: do.NewID(1, 0, 100+n), Parts: parts}
	}
	worked := s.worked(
		other(database.OpSet, 0), s.set(8), other(database.OpCreate, 1), trade(1, s.set(9)), trade(2, s.set(10), other(database.OpSet, 0)),
		other(database.OpGet, 0), s.get(),
	)
	require.Equal(t, wire.CodeOK, worked.Code, worked.Text)
	var codes []wire.Code
	for _, r := range worked.Results {
		codes = append(codes, r.Code)
	}
	require.Equal(t, []wire.Code{
		wire.CodeReadOnly, wire.CodeOK, wire.CodeReadOnly, wire.CodeOK, wire.CodeReadOnly, wire.CodeAway, wire.CodeOK,
	}, codes)
	require.Contains(t, worked.Results[0].Text, "permission denied for table Other")
	s.has(9)
	raw(t, address, `GRANT ALL ON "Other" TO `+testpg.Guarded)
	require.Equal(t, wire.CodeOK, s.worked(other(database.OpSet, 0)).Results[0].Code)
}

// A transaction that a table does not fit any more, since somebody has changed it by hand, is refused: its objects are not
// held still until that is put right. What a State writes behind is tried again.
func TestTransactionOnATableThatWasChanged(t *testing.T) {
	for name, address := range map[string]string{"postgres": newPostgres(t), "sqlite": newSQLite(t)} {
		t.Run(name, func(t *testing.T) {
			s := newStored(t, address, "int32")
			raw(t, address, `ALTER TABLE "Thing" RENAME COLUMN "A" TO "B"`)
			worked := s.worked(s.set(8), database.Op{Kind: database.OpTransact, ID: do.NewID(1, 0, 100), Parts: []database.Op{s.set(9)}})
			require.Equal(t, wire.CodeOK, worked.Code, worked.Text)
			require.Equal(t, wire.CodeAway, worked.Results[0].Code)
			require.Equal(t, wire.CodeSchema, worked.Results[1].Code, worked.Results[1].Text)
		})
	}
}

// SQLite that turns read-only while it runs, by a pragma of the one connection that writes.
func TestReadOnlySQLite(t *testing.T) {
	s := newStored(t, newSQLite(t), "int32")
	pragma := func(text string) {
		_, err := s.b.engine.(*sqliteEngine).conn.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	pragma("PRAGMA query_only = 1")
	s.takesNone(wire.CodeReadOnly, "readonly database")
	s.has(7)
	pragma("PRAGMA query_only = 0")
	s.takes(9)
}

// A file that this user may read and not write.
func TestReadOnlySQLiteFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "otpd.db")
	s := newStored(t, "sqlite:"+file, "int32")
	require.NoError(t, s.b.Close())
	require.NoError(t, os.Chmod(file, 0o444))
	require.NoError(t, os.Chmod(dir, 0o555))
	asNobody(t, dir, func() {
		b, err := Open(t.Context(), "sqlite:"+file)
		if err == nil {
			_, err = database.Begin(t.Context(), b, database.Cluster{ID: do.NewID(1, 1, 1)})
			err = errors.Join(err, b.Close())
		}
		require.ErrorIs(t, err, database.ErrDenied)
		require.ErrorContains(t, err, file)
		t.Log(err)
	})
	require.NoError(t, os.Chmod(dir, 0o755))
}

// small mounts a small file system, if this process may: others test with what the database says of itself.
func small(t *testing.T, dir string) bool {
	t.Helper()
	if err := syscall.Mount("otpd", dir, "tmpfs", 0, "size=2m,mode=777"); err != nil {
		t.Logf("no file system of its own: %v", err)
		return false
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return true
}

// bytesOf is object n with a value of so many bytes that cannot be compressed.
func (s *stored) bytesOf(n uint64, size int) database.Op {
	random := rand.NewChaCha8([32]byte{byte(n)})
	value := make([]byte, size)
	_, _ = random.Read(value)
	class := s.schema.Class("Thing")
	return database.Op{Kind: database.OpCreate, ID: do.NewID(1, 2, n), Class: class, Fields: fields.MapOf(fields.Pair{
		Number: class.FieldByName("A").Number, Value: fields.AppendBin(nil, value),
	})}
}

// full fills the disk, and checks what is said of it: what fits is stored, deletions among it, and all can be read.
func (s *stored) full() {
	s.t.Helper()
	n := uint64(0)
	for {
		n++
		require.Less(s.t, n, uint64(200), "there is no end to it")
		worked := s.worked(s.bytesOf(n, 50_000), s.get())
		require.Equal(s.t, wire.CodeOK, worked.Code, worked.Text)
		require.Equal(s.t, wire.CodeOK, worked.Results[1].Code, "it can be read")
		if worked.Results[0].Code != wire.CodeOK {
			require.Equal(s.t, wire.CodeDiskFull, worked.Results[0].Code, worked.Results[0].Text)
			require.NotContains(s.t, worked.Results[0].Text, database.ErrUnavailable.Error())
			break
		}
	}
	require.Greater(s.t, n, uint64(1))
	_, err := s.b.Do(s.t.Context(), s.schema, []database.Op{s.bytesOf(n+1, 50_000)})
	require.ErrorIs(s.t, err, database.ErrFull)
	require.ErrorContains(s.t, err, "disk of the database is full")
	require.NotErrorIs(s.t, err, database.ErrUnavailable)
	rs, err := s.b.Do(s.t.Context(), s.schema, []database.Op{s.get(), {Kind: database.OpGet, ID: do.NewID(1, 2, n)}})
	require.NoError(s.t, err)
	require.NoError(s.t, rs[0].Err)
	require.ErrorIs(s.t, rs[1].Err, database.ErrNotFound, "nothing of it was stored")
}

func TestFullDiskOfSQLite(t *testing.T) {
	dir := t.TempDir()
	mounted := small(t, dir)
	s := newStored(t, "sqlite:"+filepath.Join(dir, "otpd.db"), "bytes")
	if !mounted {
		_, err := s.b.engine.(*sqliteEngine).conn.ExecContext(t.Context(), "PRAGMA max_page_count = 300")
		require.NoError(t, err)
	}
	s.full()
	if mounted { // somebody makes room
		require.NoError(t, syscall.Mount("otpd", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
		require.Equal(t, wire.CodeOK, s.worked(s.bytesOf(500, 50_000)).Results[0].Code)
	}
}

// SQLite's own bound on the size of a file is as a full disk; the connection that met it goes on.
func TestFullFileOfSQLite(t *testing.T) {
	s := newStored(t, newSQLite(t), "bytes")
	_, err := s.b.engine.(*sqliteEngine).conn.ExecContext(t.Context(), "PRAGMA max_page_count = 40")
	require.NoError(t, err)
	_, err = s.b.Do(t.Context(), s.schema, []database.Op{s.bytesOf(1, 500_000)})
	require.ErrorIs(t, err, database.ErrFull)
	rs, err := s.b.Do(t.Context(), s.schema, []database.Op{s.bytesOf(1, 50), s.get()})
	require.NoError(t, err)
	require.NoError(t, rs[0].Err)
}

// A tablespace on a small file system, where one can be mounted; else the server says what it would say then.
func TestFullDiskOfPostgres(t *testing.T) {
	server, err := testpg.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	s := newStored(t, server.URL(), "bytes")
	dir := t.TempDir()
	space := filepath.Join(dir, "space")
	require.NoError(t, os.Mkdir(space, 0o755))
	if small(t, space) {
		reachable(t, space)
		require.NoError(t, server.Own(space))
		raw(t, server.URL(), "CREATE TABLESPACE small LOCATION '"+space+"'", `ALTER TABLE "Thing" SET TABLESPACE small`)
	} else {
		raise(t, s, "53100", 2, 1000)
	}
	s.full()
}

// raise lets the database fail with an SQLSTATE when rows of Thing are made or changed, from the first such time to the
// last: a sequence counts, which no rollback takes back.
func raise(t *testing.T, s *stored, state string, first, last int) {
	t.Helper()
	raw(t, s.address, "CREATE SEQUENCE blows", fmt.Sprintf(`CREATE FUNCTION blow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('blows') BETWEEN %d AND %d THEN RAISE EXCEPTION 'blown' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$`, first, last, state),
		`CREATE TRIGGER blow BEFORE INSERT OR UPDATE ON "Thing" FOR EACH ROW EXECUTE FUNCTION blow()`)
}

// What PostgreSQL gave up because of others is done again, a few times, and not more often.
func TestTransactionsAreTriedAgain(t *testing.T) {
	for name, state := range map[string]string{"serialization failure": "40001", "deadlock": "40P01", "lock timeout": "55P03"} {
		t.Run(name, func(t *testing.T) {
			s := newStored(t, newPostgres(t), "int32")
			raise(t, s, state, 1, maxAttempts-1)
			s.takes(9)
			s.takes(10)
			raw(t, s.address, `ALTER SEQUENCE blows RESTART`, `CREATE OR REPLACE FUNCTION blow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				PERFORM nextval('blows'); RAISE EXCEPTION 'blown' USING ERRCODE = '`+state+`'; END $$`)
			worked := s.worked(s.set(11))
			require.Equal(t, wire.CodeAway, worked.Code)
			require.Contains(t, worked.Text, "blown")
			require.Contains(t, worked.Text, fmt.Sprintf("after %d attempts", maxAttempts))
			s.has(10)
		})
	}
}

// A deadlock of two transactions, of which the server chooses ours to give up.
func TestDeadlockIsTriedAgain(t *testing.T) {
	address := newPostgres(t)
	// Only who waits longest looks for a deadlock: ours after 2 s, the other one not at all.
	s := newStored(t, address+"&deadlock_timeout=2s&application_name=ours", "int32")
	other := do.NewID(1, 0, 2)
	_, err := s.b.Do(t.Context(), s.schema, []database.Op{{Kind: database.OpCreate, ID: other, Class: s.schema.Class("Thing"), Fields: s.values(1)}})
	require.NoError(t, err)
	for deadlocks := 0; deadlocks == 0; { // again when the machine was too slow
		tx, conn := begin(t, address)
		change := func(id do.ID) error {
			_, err := tx.Exec(t.Context(), `UPDATE "Thing" SET "A" = "A" WHERE otpd_id = $1`, [16]byte(id))
			return err
		}
		_, err = tx.Exec(t.Context(), "SET LOCAL deadlock_timeout = '20s'")
		require.NoError(t, err)
		require.NoError(t, change(other))
		done := make(chan error, 1)
		go func() {
			rs, err := s.b.Do(t.Context(), s.schema, []database.Op{s.set(8), {Kind: database.OpSet, ID: other, Fields: s.values(9)}})
			if err == nil {
				err = errors.Join(rs[0].Err, rs[1].Err)
			}
			done <- err
		}()
		require.Eventually(t, func() bool {
			return count(t, address, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ours' AND wait_event_type = 'Lock'") == 1
		}, time.Minute, time.Millisecond)
		if err = change(s.id); err == nil { // ours was given up
			deadlocks++
			require.NoError(t, tx.Commit(t.Context()))
		}
		require.NoError(t, conn.Close(t.Context()))
		require.NoError(t, <-done)
	}
	s.has(8)
	rs, err := s.b.Do(t.Context(), s.schema, []database.Op{{Kind: database.OpGet, ID: other, All: true}})
	require.NoError(t, err)
	require.Equal(t, s.values(9), rs[0].Fields)
}

func begin(t *testing.T, address string) (pgx.Tx, *pgx.Conn) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	return tx, conn
}

func count(t *testing.T, address, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
	return n
}

// A row that a constraint of somebody else refuses fails its operation and no other.
func TestConstraintOfSQLiteRefusesOneOperation(t *testing.T) {
	s := newStored(t, newSQLite(t), "int32")
	raw(t, s.address, `CREATE TRIGGER small BEFORE UPDATE ON "Thing" WHEN NEW."A" >= 10 BEGIN SELECT RAISE(ABORT, 'A must be small'); END`)
	worked := s.worked(s.set(10), s.set(9))
	require.Equal(t, wire.CodeValue, worked.Results[0].Code)
	require.Contains(t, worked.Results[0].Text, "A must be small")
	require.Equal(t, wire.CodeOK, worked.Results[1].Code)
	s.has(9)
}

// A short lock of another process is waited for.
func TestLockedSQLiteFileIsWaitedFor(t *testing.T) {
	s := newStored(t, newSQLite(t), "int32")
	other, err := sql.Open("sqlite", sqliteDSN(strings.TrimPrefix(s.address, "sqlite:"), "_txlock=immediate"))
	require.NoError(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	done := make(chan *wire.DBWorked, 1)
	go func() { done <- s.worked(s.set(9)) }()
	require.Eventually(t, func() bool { return len(s.b.engine.(*sqliteEngine).turn) == 1 }, time.Minute, time.Millisecond)
	require.NoError(t, tx.Rollback())
	require.Equal(t, wire.CodeOK, (<-done).Results[0].Code)
	s.has(9)
}

// nobody is the id of a user without rights.
const nobody = 65534

// asNobody runs fn as a user without rights where the tests run as root, to whom no mode of a file says no. It changes who
// this thread is to the file system, for which fn must not leave it.
func asNobody(t *testing.T, dir string, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	reachable(t, dir)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, syscall.Setfsuid(nobody))
	defer func() { require.NoError(t, syscall.Setfsuid(0)) }()
	fn()
}

// reachable lets others get to a folder of the test.
func reachable(t *testing.T, dir string) {
	t.Helper()
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o055 != 0o055 {
			require.NoError(t, os.Chmod(dir, info.Mode().Perm()|0o055))
		}
	}
}
