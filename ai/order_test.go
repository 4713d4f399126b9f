package ai_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
)

// Score is a line of a table of the best.
type Score struct {
	do.Object
	Guild  string `do:"required,db,index"`
	Points int64  `do:"required,db,index"`
	Note   string `do:"db"`
}

func TestRowsInTheOrderOfAField(t *testing.T) {
	c := testcluster.New(t)
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Score{}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: "scores", Log: c.Log})
	require.NoError(t, err)
	c.Run(r.Run)
	points := func(rows []ai.Row[Score]) (out []int64) {
		for _, row := range rows {
			out = append(out, row.Object.Points)
		}
		return out
	}
	on(t, r, func(ctx context.Context) error {
		for i, p := range []int64{5, -3, 100, 20, 20, 7, 20} {
			s := do.New[Score]()
			s.Guild, s.Points = []string{"red", "blue"}[i/6], p
			if _, err := r.CreateStored(ctx, s, ai.Place{}); err != nil {
				return err
			}
		}
		best, err := ai.QueryBy[Score](ctx, r, "Guild", "red", ai.Order{By: "Points", Desc: true}, nil, 3)
		require.NoError(t, err)
		require.Equal(t, []int64{100, 20, 20}, points(best))
		require.Negative(t, best[1].ID.Compare(best[2].ID), "by id where it is equal")
		best[2].Object.Points = 1 // what becomes of the row later does not matter
		rest, err := ai.QueryBy[Score](ctx, r, "Guild", "red", ai.Order{By: "Points", Desc: true}, &best[2], 10)
		require.NoError(t, err)
		require.Equal(t, []int64{7, 5, -3}, points(rest))

		var all []int64
		var last *ai.Row[Score]
		for {
			page, err := ai.ListBy(ctx, r, ai.Order{By: "Points"}, last, 2)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			all, last = append(all, points(page)...), &page[len(page)-1]
		}
		require.Equal(t, []int64{-3, 5, 7, 20, 20, 20, 100}, all)

		_, err = ai.ListBy[Score](ctx, r, ai.Order{By: "Note"}, nil, 2)
		require.ErrorContains(t, err, "no index")
		_, err = ai.ListBy[Score](ctx, r, ai.Order{By: "Nothing"}, nil, 2)
		require.ErrorIs(t, err, do.ErrNoField)
		_, err = ai.ListBy(ctx, r, ai.Order{By: "Points"}, &ai.Row[Score]{Object: do.New[Score]()}, 2)
		require.ErrorIs(t, err, do.ErrNoField)
		return nil
	})
}
