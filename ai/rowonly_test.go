package ai_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
)

// rule 129: what is db without required or ram is not loaded, which is said once for each class; it is in the row, a set
// of it is written, and another field's set does not touch it.
func TestRule129RowOnlyFieldsAreNotLoaded(t *testing.T) {
	c := testcluster.New(t)
	var log bytes.Buffer
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Purse{}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := ai.Connect(ctx, ai.Config{
		Director: c.Director, Registry: registry, Name: "one", Log: slog.New(slog.NewTextHandler(&log, nil)), Timeout: time.Minute,
	})
	require.NoError(t, err)
	c.Run(r.Run)
	row := func(ctx context.Context, id do.ID) *Purse {
		loaded, err := ai.Load[Purse](ctx, r, id)
		require.NoError(t, err)
		return loaded.Object
	}
	on(t, r, func(ctx context.Context) error {
		for range 2 {
			p := do.New[Purse]()
			p.Gold, p.Label = 10, "mine"
			id, err := r.CreateStored(ctx, p, ai.Place{})
			require.NoError(t, err)
			live, err := ai.Activate[Purse](ctx, r, id, ai.Place{})
			require.NoError(t, err)
			require.EqualValues(t, 10, live.Gold)
			require.Empty(t, live.Label)
			require.False(t, live.IsSet(&live.Label))
			live.Gold = 11
			require.NoError(t, live.Commit(ctx))
			require.Equal(t, "mine", row(ctx, id).Label)
			live.Label = "yours"
			require.NoError(t, live.Commit(ctx))
			require.Equal(t, "yours", row(ctx, id).Label)
			require.EqualValues(t, 11, row(ctx, id).Gold)
		}
		return nil
	})
	text := log.String()
	require.Equal(t, 1, strings.Count(text, "Activate does not load fields that are db without required or ram"), text)
	require.Contains(t, text, "class=Purse fields=[Label]")
}
