package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/wire"
)

// tell is what /readyz says.
func (b *bank) tell() (int, string) {
	resp, err := http.Get("http://" + b.s.admin + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return resp.StatusCode, string(text)
}

// server runs statements on the server itself, whatever its sessions begin with.
func (b *bank) server(statements ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, b.pg.URL())
	require.NoError(b.t, err)
	defer conn.Close(ctx)
	for _, s := range append([]string{"SET default_transaction_read_only = off"}, statements...) {
		_, err := conn.Exec(ctx, s)
		require.NoError(b.t, err, s)
	}
}

// TestDatabaseReadOnly makes PostgreSQL read-only under load, as a switch-over does: that is what is said of it, it is
// read, commits have their refusal, and when it can be written again all that was accepted is there.
func TestDatabaseReadOnly(t *testing.T) {
	t.Parallel()
	b := newBank(t, 1)
	stop := b.load()
	b.progress(3)
	b.server("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	b.s.until(func() bool {
		code, text := b.tell()
		return code == http.StatusServiceUnavailable &&
			strings.HasPrefix(text, "database: takes no writes: database is read-only: ERROR: cannot execute ") &&
			b.s.metric(`otpd_database_refuses_writes{reason="ReadOnly"}`) == 1 // some of its connections hear of it later
	}, "readyz and the metric say what it is")
	require.Zero(t, b.s.metric("otpd_database_away"))
	require.Contains(t, b.s.errs.String(), "takes no writes: database is read-only")

	b.s.until(func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := b.r.DoWait(ctx, func(ctx context.Context) error { return b.commit(ctx, 0) })
		return errors.Is(err, wire.CodeReadOnly)
	}, "a commit says so")
	b.handle(func(ctx context.Context) error { // what is only read is served
		_, err := ai.Load[Coffer](ctx, b.r, b.ids[cofferCount-1])
		return err
	})
	b.s.until(func() bool {
		var err error
		b.handle(func(ctx context.Context) error {
			_, err = b.r.CreateStored(ctx, &Coffer{}, ai.Place{})
			return nil
		})
		return errors.Is(err, wire.CodeReadOnly)
	}, "a new row is refused")

	b.server("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	b.progress(3)
	b.s.until(func() bool { return b.ready() == http.StatusOK }, "it is ready again")
	require.Contains(t, b.s.errs.String(), "takes writes again")
	require.NotContains(t, b.s.errs.String(), "database: away")
	stop()
	b.audit("after the database was read-only")
}
