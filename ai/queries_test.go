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

type Room struct {
	do.Object
	Title string `do:"required,db,broadcast"`
}

// An AI in a real cluster, whose objects lie in partitions of different States. (rules 26, 37, 39, 45)
func TestQuestionsAboutTheWorld(t *testing.T) {
	c := testcluster.New(t)
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Room{}))
	connect := func(name string) *ai.Repository {
		r, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: name, Log: c.Log})
		require.NoError(t, err)
		c.Run(r.Run)
		return r
	}
	r, other := connect("first"), connect("second")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, r.DoWait(ctx, func(ctx context.Context) error { return ask(ctx, t, r, other) }))
}

// One AI takes a hall over from another, with what is in it and below that. (rule 48)
func TestRule48TakeOver(t *testing.T) {
	c := testcluster.New(t)
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Room{}))
	connect := func(name string) *ai.Repository {
		r, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: name, Log: c.Log})
		require.NoError(t, err)
		c.Run(r.Run)
		return r
	}
	first, second := connect("first"), connect("second")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var hall do.ID
	require.NoError(t, first.DoWait(ctx, func(ctx context.Context) error {
		room := do.New[Room]()
		if err := first.Create(room, do.Location{}); err != nil {
			return err
		}
		hall = room.ID()
		at := hall
		for i := range 40 { // some below the hall, some below each other, in all partitions
			below := do.New[Room]()
			if err := first.CreateAs(below, ai.Place{At: do.Location{Parent: at, Zone: 1}, Partition: do.Partition(i%8 + 1), NoAI: true}); err != nil {
				return err
			}
			if i%3 == 0 {
				at = below.ID()
			}
			if err := first.Await(ctx, &below.Object); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, second.DoWait(ctx, func(ctx context.Context) error {
		if err := second.TakeOver(ctx, hall); err != nil {
			return err
		}
		require.Len(t, ai.FindAll[Room](second), 41)
		require.ErrorIs(t, second.TakeOver(ctx, do.NewID(1, 1, 1)), ai.CodeNoObject)
		return second.TakeOver(ctx, hall)
	}))
}

func ask(ctx context.Context, t *testing.T, r, other *ai.Repository) error {
	create := func(p ai.Place) *Room {
		room := do.New[Room]()
		require.NoError(t, r.CreateAs(room, p))
		require.NoError(t, r.Await(ctx, &room.Object))
		return room
	}
	hall := create(ai.Place{Partition: 1})
	near := create(ai.Place{Partition: 1, At: do.Location{Parent: hall.ID(), Zone: 3}})
	far := create(ai.Place{Partition: 2, NoAI: true, At: do.Location{Parent: hall.ID(), Zone: 5}})

	zones, err := r.ActiveZones(ctx, hall.ID())
	require.NoError(t, err)
	require.Equal(t, []do.Zone{3, 5}, zones)
	children, err := r.Children(ctx, hall.ID())
	require.NoError(t, err)
	require.Equal(t, []ai.Child{{ID: near.ID(), Zone: 3}, {ID: far.ID(), Zone: 5}}, children)
	n, err := r.CountChildren(ctx, hall.ID())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	n, err = r.CountZones(ctx, hall.ID(), 5, 4, 5)
	require.NoError(t, err)
	require.Equal(t, 1, n)

	at, err := r.LocationOf(ctx, far.ID())
	require.NoError(t, err)
	require.Equal(t, do.Location{Parent: hall.ID(), Zone: 5}, at)
	class, err := r.ClassOf(ctx, far.ID())
	require.NoError(t, err)
	require.Equal(t, "Room", class.Name())
	owner, err := r.OwnerOf(ctx, near.ID())
	require.NoError(t, err)
	require.Equal(t, r.Channel(), owner)
	active, err := r.IsActive(ctx, far.ID())
	require.NoError(t, err)
	require.True(t, active)

	// far has its parent's AI, then one of its own, then its parent's again.
	require.NoError(t, r.SetAI(ctx, far.ID(), other.Channel()))
	runs, err := r.AIOf(ctx, far.ID())
	require.NoError(t, err)
	require.Equal(t, other.Channel(), runs)
	require.NoError(t, r.InheritAI(ctx, far.ID()))
	require.Eventually(t, func() bool {
		runs, err = r.AIOf(ctx, far.ID())
		return err == nil && runs == r.Channel()
	}, time.Minute, time.Millisecond)

	require.NoError(t, r.DeleteZones(ctx, hall.ID(), 3))
	_, err = r.LocationOf(ctx, near.ID())
	require.ErrorIs(t, err, ai.CodeNoObject)
	require.NoError(t, r.DeleteChildren(ctx, hall.ID()))
	n, err = r.CountChildren(ctx, hall.ID())
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = r.ActiveZones(ctx, near.ID())
	require.ErrorIs(t, err, ai.CodeNoObject)
	return nil
}
