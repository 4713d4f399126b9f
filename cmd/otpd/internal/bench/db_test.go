package bench

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/fields"
)

func TestDatabaseIsMeasured(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "bench.db")
	c := DBConfig{
		Open:    func(ctx context.Context) (database.Backend, error) { return sqldb.Open(ctx, address) },
		Workers: 1, Rates: []int{200}, Objects: 20, Activate: 30, List: 2500,
		For: 300 * time.Millisecond, Warmup: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	jobs, err := c.Jobs()
	require.NoError(t, err)
	r, err := Measure(t.Context(), "db", DBMethod, "test", 2, jobs, nil) // the second run finds the rows of the first
	require.NoError(t, err)
	require.Len(t, r.Rows, 3)
	for _, row := range r.Rows {
		require.Positive(t, row.Values["operations_per_s"].Min, row.Name)
	}
	commit := r.Rows[0].Values
	require.LessOrEqual(t, commit["operations_per_s"].Max, 210.0, "no more than was asked for")
	require.Positive(t, commit["p50_ms"].Min)
	require.LessOrEqual(t, commit["p50_ms"].Median, commit["p99_ms"].Median)

	// What was acknowledged is in the rows.
	b, err := c.Open(t.Context())
	require.NoError(t, err)
	defer b.Close()
	s, err := dbSchema()
	require.NoError(t, err)
	results, err := b.Do(t.Context(), s, []database.Op{{Kind: database.OpList, Class: s.Class("BenchUpdated"), All: true}, {Kind: database.OpList, Class: s.Class("BenchListed"), Limit: 1}})
	require.NoError(t, err)
	updated := 0
	for _, row := range results[0].Rows {
		gold, ok := row.Fields.Get(s.Class("BenchUpdated").FieldByName("Gold").Number)
		require.True(t, ok)
		n, _, err := fields.ReadInt(gold)
		require.NoError(t, err)
		if row.Version > 1 {
			updated++
			require.GreaterOrEqual(t, n, int64(60), "the last of its four updates")
		}
	}
	require.Equal(t, 2*20, updated)
	require.Len(t, results[1].Rows, 1)
}

func TestWrongDatabaseMeasuresAreRefused(t *testing.T) {
	open := func(context.Context) (database.Backend, error) { return database.NewMemory(), nil }
	for _, c := range []DBConfig{
		{}, {Open: open, Objects: 1}, {Open: open, For: time.Second}, {Open: open, Objects: 1, For: time.Second, Rates: []int{0}},
	} {
		_, err := c.Jobs()
		require.ErrorIs(t, err, ErrConfig)
	}
}
