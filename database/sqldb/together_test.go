package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// daemons is how many begin at once.
const daemons = 6

// together runs fn for each at the same moment, and fails the test with what any of them returned.
func together(t *testing.T, fn func(ctx context.Context, n int) error) {
	t.Helper()
	var wait sync.WaitGroup
	start, errs := make(chan struct{}), make([]error, daemons)
	for n := range daemons {
		wait.Go(func() {
			<-start
			errs[n] = fn(t.Context(), n)
		})
	}
	close(start)
	wait.Wait()
	require.NoError(t, errors.Join(errs...))
}

// offer has the database keep what it has and s, as the role does it: whoever was first is merged with. done is how often
// this one changed it.
func offer(ctx context.Context, b database.Backend, s *do.Schema) (done int, err error) {
	for {
		record, err := b.Schema(ctx)
		if err != nil {
			return done, err
		}
		if record.Version > 0 {
			have, err := do.ParseSchema(record.Text)
			if err != nil {
				return done, err
			}
			if s, err = do.Merge(have, s); err != nil {
				return done, err
			}
			if s.Fingerprint() == have.Fingerprint() {
				return done, nil
			}
		}
		switch _, err := b.SetSchema(ctx, record.Version, s); {
		case err == nil:
			done++
		case !errors.Is(err, database.ErrSchemaVersion):
			return done, err
		}
	}
}

// thing has db fields A0, A1, ... of which the even ones have an index.
func thing(t *testing.T, n int) *do.Schema {
	t.Helper()
	c := do.ClassDecl{Name: "Thing"}
	for i := range n {
		f := do.FieldDecl{Name: fmt.Sprintf("A%d", i), Kind: do.FieldState, Keywords: fields.DB, Type: intType(t)}
		if i%2 == 0 {
			f.Keywords |= fields.Index
		}
		c.Fields = append(c.Fields, f)
	}
	s, err := do.NewSchema([]do.ClassDecl{c}, nil)
	require.NoError(t, err)
	return s
}

// beginDaemon is what a daemon does at its start, with migrate: auto. Its epoch is its own.
func beginDaemon(ctx context.Context, address string, n int, s *do.Schema) (o database.Opening, done int, err error) {
	b, err := Open(ctx, address)
	if err != nil {
		return o, 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if o, err = database.Begin(ctx, b, database.Cluster{ID: do.NewID(1, 1, uint64(n)), Partitions: uint16(n + 1), Created: time.Unix(int64(1_700_000_000+n), 0)}); err != nil {
		return o, 0, err
	}
	done, err = offer(ctx, b, s)
	return o, done, err
}

// Daemons that begin at once on an empty database make one cluster and one set of tables.
func TestDaemonsThatBeginAtOnceOnAnEmptyDatabase(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		s := thing(t, 8)
		openings, changes := make([]database.Opening, daemons), make([]int, daemons)
		together(t, func(ctx context.Context, n int) (err error) {
			openings[n], changes[n], err = beginDaemon(ctx, address, n, s)
			return err
		})
		sum := 0
		var epochs []uint32
		for n, o := range openings {
			require.Equal(t, openings[0].Cluster, o.Cluster, "they agree on who was first")
			epochs = append(epochs, o.Epoch)
			sum += changes[n]
		}
		slices.Sort(epochs)
		require.Len(t, slices.Compact(epochs), daemons, "each has an epoch of its own, so that one is the last")
		require.Equal(t, 1, sum, "one of them made the tables")
		b := opened(t, address)
		plan, err := b.Plan(t.Context(), s)
		require.NoError(t, err)
		require.Zero(t, plan)
		record, err := b.Schema(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, record.Version)
	})
}

// The same on a database of an earlier release, with an earlier schema, which they bring further than each other: rows
// stay, and nothing is done twice.
func TestDaemonsThatMigrateAtOnceFromAnEarlierSchema(t *testing.T) {
	both(t, func(t *testing.T, address string) {
		b := opened(t, address)
		first := thing(t, 2)
		_, err := b.SetSchema(t.Context(), 0, first)
		require.NoError(t, err)
		value := fields.MapOf(fields.Pair{Number: first.Class("Thing").FieldByName("A0").Number, Value: fields.AppendInt(nil, 7)})
		id := do.NewID(1, 1, 1)
		rs, err := b.Do(t.Context(), first, []database.Op{{Kind: database.OpCreate, ID: id, Class: first.Class("Thing"), Fields: value}})
		require.NoError(t, err)
		require.NoError(t, rs[0].Err)
		raw(t, address, `DROP TABLE otpd_outcome`, `UPDATE otpd_meta SET format = 1`)

		changes := make([]int, daemons)
		together(t, func(ctx context.Context, n int) (err error) {
			_, changes[n], err = beginDaemon(ctx, address, n, thing(t, 3+n%3)) // some see more than others
			return err
		})
		last := thing(t, 5)
		plan, err := b.Plan(t.Context(), last)
		require.NoError(t, err)
		require.Zero(t, plan)
		record, err := b.Schema(t.Context())
		require.NoError(t, err)
		require.Equal(t, string(last.Text()), string(record.Text))
		sum := 0
		for _, n := range changes {
			sum += n
		}
		require.EqualValues(t, 1+sum, record.Version)
		require.LessOrEqual(t, sum, 3)
		rs, err = b.Do(t.Context(), last, []database.Op{{Kind: database.OpGet, ID: id, All: true}, {Kind: database.OpOutcome, ID: do.NewID(1, 1, 9)}})
		require.NoError(t, err)
		require.NoError(t, rs[0].Err)
		require.Equal(t, value, rs[0].Fields)
		require.NoError(t, rs[1].Err, "the table of the newer format is there")
	})
}

// Who opens a new SQLite file while another one makes it waits until that is done. The lock is the one that the change to
// WAL mode takes, and that SQLite's own busy_timeout does not wait for.
func TestSQLiteFileThatAnotherOneMakesIsWaitedFor(t *testing.T) {
	address := newSQLite(t)
	path := strings.TrimPrefix(address, "sqlite:")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	other, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_txlock=immediate")
	require.NoError(t, err)
	defer other.Close()
	tx, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Open(ctx, address)
	require.ErrorIs(t, err, database.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded, "not before who opens it has enough")

	done := make(chan error, 1)
	go func() {
		b, err := Open(t.Context(), address)
		if err == nil {
			err = b.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		require.Fail(t, "it did not wait", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, tx.Rollback())
	require.NoError(t, <-done)
}
