package main

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testpg"
)

// What docs/operations.md says of backups is done here: pg_dump under load, pg_restore into an empty database, and a
// daemon that goes on from there.
func TestBackupAndRestoreOfPostgreSQL(t *testing.T) {
	t.Parallel()
	b := newBank(t, 2)
	stop := b.load()
	b.progress(3)
	dump := filepath.Join(t.TempDir(), "otpd.dump")
	run := func(program string, args ...string) {
		t.Helper()
		path, err := testpg.Program(program)
		require.NoError(t, err)
		out, err := exec.Command(path, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	run("pg_dump", "--format=custom", "--file="+dump, b.url)
	b.progress(1) // what comes after the dump is not in it
	stop()

	url, err := b.pg.NewDatabase(t.Context(), "restored")
	require.NoError(t, err)
	run("pg_restore", "--no-owner", "--exit-on-error", "--dbname="+url, dump)
	restored := &bank{t: t, pg: b.pg, url: url, data: t.TempDir(), random: rand.New(rand.NewPCG(3, 3)), ids: b.ids}
	restored.asked = b.trades + b.asked // any of them may have been done before the dump
	restored.audit("as it was restored")
	restored.startDaemon()
	restored.connect()
	restored.wake()
	stop = restored.load()
	restored.progress(3)
	stop()
	restored.audit("after it went on")
	b.audit("the original")
}

// SQLite: VACUUM INTO makes a copy while the daemon writes.
func TestBackupAndRestoreOfSQLite(t *testing.T) {
	t.Parallel()
	b := &bank{t: t, data: t.TempDir()}
	b.startDaemon()
	b.connect()
	b.handle(func(ctx context.Context) error {
		for i := range 5 {
			p := do.New[Coffer]()
			p.Gold = int64(100 * i)
			id, err := b.r.CreateStored(ctx, p, ai.Place{})
			if err != nil {
				return err
			}
			b.ids = append(b.ids, id)
		}
		p, err := ai.Activate[Coffer](ctx, b.r, b.ids[1], ai.Place{})
		if err != nil {
			return err
		}
		p.Gold = 77
		return p.Commit(ctx)
	})
	data := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(b.data, databaseFile))
	require.NoError(t, err)
	_, err = db.Exec("VACUUM INTO ?", filepath.Join(data, databaseFile))
	require.NoError(t, err)
	require.NoError(t, db.Close())

	restored := &bank{t: t, data: data}
	restored.startDaemon()
	restored.connect()
	restored.handle(func(ctx context.Context) error {
		for i, id := range b.ids {
			row, err := ai.Load[Coffer](ctx, restored.r, id)
			require.NoError(t, err)
			want := int64(100 * i)
			if i == 1 {
				want = 77
			}
			require.Equal(t, want, row.Object.Gold)
		}
		p, err := ai.Activate[Coffer](ctx, restored.r, b.ids[1], ai.Place{})
		require.NoError(t, err)
		p.Gold = 78
		return p.Commit(ctx)
	})
}

// What docs/operations.md says of rows that are changed by other hands (rule 138).
func TestRule138RowsChangedFromOutside(t *testing.T) {
	t.Parallel()
	b := &bank{t: t, data: t.TempDir()}
	b.startDaemon()
	b.connect()
	db, err := sql.Open("sqlite", filepath.Join(b.data, databaseFile)+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	outside := func(id do.ID, field string, value int) {
		t.Helper()
		_, err := db.Exec(`UPDATE "Coffer" SET "`+field+`" = ?, otpd_version = otpd_version + 1 WHERE otpd_id = ?`, value, id.String())
		require.NoError(t, err)
	}
	b.handle(func(ctx context.Context) error {
		p := do.New[Coffer]()
		p.Gold = 10
		id, err := b.r.CreateStored(ctx, p, ai.Place{})
		require.NoError(t, err)

		// Not active: seen at once, and who has read before is refused.
		stale, err := ai.Load[Coffer](ctx, b.r, id)
		require.NoError(t, err)
		outside(id, "Gold", 20)
		_, err = ai.Store(ctx, b.r, id, stale.Object, stale.Version)
		require.ErrorIs(t, err, ai.CodeConflict)
		err = b.r.Transact(ctx, func() error { stale.Object.Gold--; return nil }, &stale.Object.Object)
		require.ErrorIs(t, err, ai.CodeConflict)

		// Active: what the game sets stands, the rest of the row stays as it was made.
		active, err := ai.Activate[Coffer](ctx, b.r, id, ai.Place{})
		require.NoError(t, err)
		require.EqualValues(t, 20, active.Gold)
		outside(id, "Count", 7)
		outside(id, "Gold", 99)
		active.Gold = 30
		require.NoError(t, active.Commit(ctx))
		require.Zero(t, active.Count)
		row, err := ai.Load[Coffer](ctx, b.r, id)
		require.NoError(t, err)
		require.EqualValues(t, 30, row.Object.Gold)
		require.EqualValues(t, 7, row.Object.Count)

		// A trade is decided by the row.
		outside(id, "Count", 8)
		err = b.r.Transact(ctx, func() error { active.Count++; return nil }, &active.Object)
		require.ErrorIs(t, err, ai.CodeConflict)
		require.NoError(t, b.r.Unload(ctx, id))
		active, err = ai.Activate[Coffer](ctx, b.r, id, ai.Place{})
		require.NoError(t, err)
		require.EqualValues(t, 8, active.Count)
		return nil
	})
}
