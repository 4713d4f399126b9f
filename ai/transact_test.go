package ai_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/wire"
)

// Purse is a stored object whose Gold only its owner hears of, as in most games: not even its AI is told.
type Purse struct {
	do.Object
	Gold  int64  `do:"required,db,ownrecv"`
	Label string `do:"db,broadcast"`
	Mood  int8   `do:"ram,broadcast"`
}

func connect(t *testing.T, c *testcluster.Cluster, name string) *ai.Repository {
	t.Helper()
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Purse{}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: name, Log: c.Log, Timeout: time.Minute})
	require.NoError(t, err)
	c.Run(r.Run)
	return r
}

// on runs a handler and waits for it.
func on(t *testing.T, r *ai.Repository, fn func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, r.DoWait(ctx, fn))
}

// purses makes stored purses in partitions of their own, and brings those to life that are wanted.
func purses(t *testing.T, r *ai.Repository, gold ...int64) (ids []do.ID) {
	t.Helper()
	on(t, r, func(ctx context.Context) error {
		for i, g := range gold {
			p := do.New[Purse]()
			p.Gold = g
			id, err := r.CreateStored(ctx, p, ai.Place{Partition: do.Partition(i%8 + 1)})
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	return ids
}

func golds(t *testing.T, r *ai.Repository, ids ...do.ID) (list []int64) {
	t.Helper()
	on(t, r, func(ctx context.Context) error {
		for _, id := range ids {
			row, err := ai.Load[Purse](ctx, r, id)
			if err != nil {
				return err
			}
			list = append(list, row.Object.Gold)
		}
		return nil
	})
	return list
}

// A trade between an object of this AI, one of another AI and a row that is not active, in three partitions.
func TestTransactAcrossPartitionsAndProcesses(t *testing.T) {
	c := testcluster.New(t)
	one, two := connect(t, c, "one"), connect(t, c, "two")
	ids := purses(t, one, 10, 20, 30)
	on(t, two, func(ctx context.Context) error {
		p, err := ai.Activate[Purse](ctx, two, ids[1], ai.Place{})
		if err == nil {
			p.Gold = 25 // dirty in memory when the trade begins
			err = p.Commit(ctx)
		}
		return err
	})
	on(t, one, func(ctx context.Context) error {
		mine, err := ai.Activate[Purse](ctx, one, ids[0], ai.Place{})
		require.NoError(t, err)
		mine.Gold = 11
		theirs, err := ai.Load[Purse](ctx, one, ids[1])
		require.NoError(t, err)
		stored, err := ai.Load[Purse](ctx, one, ids[2])
		require.NoError(t, err)
		trade := func() error {
			mine.Gold += 9
			theirs.Object.Gold -= 4
			stored.Object.Gold -= 5
			stored.Object.Label = "lender"
			return nil
		}
		require.NoError(t, one.Transact(ctx, trade, &mine.Object, &theirs.Object.Object, &stored.Object.Object))
		require.EqualValues(t, 20, mine.Gold)
		require.EqualValues(t, 21, theirs.Object.Gold)
		require.EqualValues(t, 25, stored.Object.Gold)

		// What is compared has changed meanwhile: nothing is done, and everything is as before.
		theirs.Object.Gold = 21
		err = one.Transact(ctx, func() error { mine.Gold--; return errors.New("no") }, &mine.Object)
		require.EqualError(t, err, "no")
		require.EqualValues(t, 20, mine.Gold)
		return nil
	})
	require.Equal(t, []int64{20, 21, 25}, golds(t, two, ids...))
	on(t, two, func(ctx context.Context) error {
		p := ai.Find[Purse](two, ids[1])
		p.Gold = 1 // its own AI was not told that there are 21, and says what it wants
		return p.Commit(ctx)
	})
	on(t, one, func(ctx context.Context) error {
		mine := ai.Find[Purse](one, ids[0])
		theirs, err := ai.Load[Purse](ctx, one, ids[1])
		require.NoError(t, err)
		on := theirs.Object
		require.EqualValues(t, 1, on.Gold)
		require.NoError(t, one.Transact(ctx, func() error { mine.Gold -= 2; on.Gold += 2; return nil }, &mine.Object, &on.Object))
		_, err = ai.Store(ctx, one, ids[1], on, 0)
		require.NoError(t, err)
		stale, err := ai.Load[Purse](ctx, one, ids[2])
		require.NoError(t, err)
		require.NoError(t, one.Transact(ctx, func() error { stale.Object.Gold++; mine.Gold--; return nil }, &stale.Object.Object, &mine.Object))
		fresh, err := ai.Load[Purse](ctx, one, ids[2])
		require.NoError(t, err)
		require.NoError(t, one.Transact(ctx, func() error { fresh.Object.Gold++; mine.Gold--; return nil }, &fresh.Object.Object, &mine.Object))
		err = one.Transact(ctx, func() error { stale.Object.Gold = 0; mine.Gold += 100; return nil }, &mine.Object, &stale.Object.Object)
		require.ErrorIs(t, err, wire.CodeConflict)
		require.EqualValues(t, 16, mine.Gold)
		require.EqualValues(t, 26, stale.Object.Gold)
		return nil
	})
	require.Equal(t, []int64{16, 3, 27}, golds(t, two, ids...))
}

func TestTransactRefusesWhatItCannotDo(t *testing.T) {
	c := testcluster.New(t)
	r := connect(t, c, "one")
	ids := purses(t, r, 10)
	on(t, r, func(ctx context.Context) error {
		p, err := ai.Activate[Purse](ctx, r, ids[0], ai.Place{})
		require.NoError(t, err)
		for name, fn := range map[string]func() error{
			"a ram field":   func() error { p.Mood = 3; return nil },
			"no change":     func() error { return nil },
			"a field unset": func() error { p.Unset(&p.Label); return nil },
		} {
			p.Label = "x"
			require.ErrorIs(t, r.Transact(ctx, fn, &p.Object), ai.ErrTransaction, name)
			require.Zero(t, p.Mood)
			require.Equal(t, "x", p.Label)
		}
		require.ErrorIs(t, r.Transact(ctx, func() error { p.Gold++; return nil }, &p.Object, &p.Object), ai.ErrTransaction)
		require.ErrorIs(t, r.Transact(ctx, func() error { return nil }), ai.ErrTransaction)
		require.ErrorIs(t, r.Transact(ctx, func() error { return nil }, &do.New[Purse]().Object), ai.ErrTransaction)
		committed, err := r.Outcome(ctx, do.NewID(1, 2, 3))
		require.NoError(t, err)
		require.False(t, committed)
		return nil
	})
}

// Two AIs trade between the same objects as fast as they can, some of them active here, some there, some nowhere, while
// their other fields change, too. The sum of the gold stays, in rows and in memory.
func TestTransactionsKeepTheSumOfGold(t *testing.T) {
	const objects, each, trades = 6, 100, 40
	c := testcluster.New(t)
	repositories := []*ai.Repository{connect(t, c, "one"), connect(t, c, "two")}
	gold := make([]int64, objects)
	for i := range gold {
		gold[i] = each
	}
	ids := purses(t, repositories[0], gold...)
	for i, id := range ids[:4] {
		on(t, repositories[i%2], func(ctx context.Context) error {
			_, err := ai.Activate[Purse](ctx, repositories[i%2], id, ai.Place{})
			return err
		})
	}
	var wg sync.WaitGroup
	done := make([]int, 2)
	for n, r := range repositories {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 7))
			for done[n] < trades {
				on(t, r, func(ctx context.Context) error {
					from := random.IntN(objects)
					to := (from + 1 + random.IntN(objects-1)) % objects
					a, err := ai.Load[Purse](ctx, r, ids[from])
					if err != nil {
						return err
					}
					b, err := ai.Load[Purse](ctx, r, ids[to])
					if err != nil {
						return err
					}
					if p := ai.Find[Purse](r, ids[from]); p != nil {
						p.Mood++
						p.Label = fmt.Sprint(p.Mood)
						if err := p.Save(); err != nil {
							return err
						}
					}
					amount := 1 + random.Int64N(9)
					err = r.Transact(ctx, func() error {
						a.Object.Gold -= amount
						b.Object.Gold += amount
						return nil
					}, &a.Object.Object, &b.Object.Object)
					if errors.Is(err, wire.CodeConflict) {
						return nil
					}
					done[n]++
					return err
				})
			}
		})
	}
	wg.Wait()
	sum := int64(0)
	for _, g := range golds(t, repositories[0], ids...) {
		sum += g
	}
	require.EqualValues(t, objects*each, sum)
	rows := golds(t, repositories[1], ids...)
	for _, o := range c.Truth() {
		for i, id := range ids {
			if o.ID == id {
				v, ok := o.Fields.Get(o.Class.FieldByName("Gold").Number)
				require.True(t, ok)
				require.Equal(t, fmt.Sprint(rows[i]), o.Class.FieldByName("Gold").Type.Text(v), "memory and row agree")
			}
		}
	}
}

func TestListAndDeleteDisk(t *testing.T) {
	c := testcluster.New(t)
	r := connect(t, c, "one")
	ids := purses(t, r, make([]int64, 1203)...)
	on(t, r, func(ctx context.Context) error {
		seen := map[do.ID]bool{}
		for row, err := range ai.List[Purse](ctx, r) {
			require.NoError(t, err)
			seen[row.ID] = true
		}
		require.Len(t, seen, len(ids))
		page, err := ai.ListPage[Purse](ctx, r, do.ID{}, 3)
		require.NoError(t, err)
		require.Len(t, page, 3)

		class, err := r.ClassOf(ctx, ids[0])
		require.NoError(t, err)
		require.NoError(t, r.DeleteFields(ctx, ids[0], class, "Label"))
		require.ErrorIs(t, r.DeleteFields(ctx, ids[0], class, "Nothing"), do.ErrNoField)

		p, err := ai.Activate[Purse](ctx, r, ids[0], ai.Place{})
		require.NoError(t, err)
		require.NoError(t, r.DeleteDisk(ctx, ids[0]))
		require.NoError(t, r.DeleteDisk(ctx, ids[1]))
		require.ErrorIs(t, r.DeleteDisk(ctx, ids[1]), wire.CodeNoObject)
		p.Gold = 3
		require.ErrorIs(t, p.Commit(ctx), wire.CodeNotDB)
		p.Gold = 4
		require.NoError(t, p.Save())
		_, err = ai.Load[Purse](ctx, r, ids[0])
		require.ErrorIs(t, err, wire.CodeNoObject)
		return nil
	})
}
