package ai_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/wire"
)

// PurseAI settles its account when it goes.
type PurseAI struct {
	Purse
	r *ai.Repository
}

var errBroken = errors.New("broken")

// OnDelete may wait: it reads its row, and what it sets is written.
func (p *PurseAI) OnDelete(ctx context.Context) error {
	if p.Label == "broken" {
		p.Gold = 0
		return errBroken
	}
	row, err := ai.Load[Purse](ctx, p.r, p.ID())
	if err != nil {
		return err
	}
	if _, bounded := ctx.Deadline(); bounded {
		p.Label = "left with " + row.Object.Label
	}
	p.Gold++
	p.Mood = 3
	return nil
}

// OnDisable is called when it is unloaded.
func (p *PurseAI) OnDisable() { p.Label = "asleep" }

// ScrollAI takes its time when it goes.
type ScrollAI struct {
	Purse
	r    *ai.Repository
	wait func(ctx context.Context) error
}

// OnDelete waits, and then writes what depends on what was there before.
func (p *ScrollAI) OnDelete(ctx context.Context) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	p.Gold *= 2
	return nil
}

// The next life of an object begins behind the last words of the one before, whoever begins it, and however long OnDelete
// takes: so neither overwrites the other's writes (K6, K7, rule 131).
func TestK7NextLifeWaitsForTheLastWords(t *testing.T) {
	c := testcluster.New(t)
	var r *ai.Repository
	leaving := make(chan struct{}, 1)
	finish := make(chan struct{})
	registry := do.NewRegistry()
	require.NoError(t, registry.Behave(func() *ScrollAI {
		return &ScrollAI{r: r, wait: func(ctx context.Context) error {
			leaving <- struct{}{}
			return r.Offload(ctx, "think", func() error { <-finish; return nil })
		}}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	r, err = ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: "one", Log: c.Log, Timeout: time.Minute})
	require.NoError(t, err)
	c.Run(r.Run)
	other := connect(t, c, "other")
	id := purses(t, other, 10)[0]
	on(t, r, func(ctx context.Context) error {
		p, err := ai.Activate[ScrollAI](ctx, r, id, ai.Place{})
		require.NoError(t, err)
		p.Gold = 11 // and nobody saves it
		return p.Delete()
	})
	<-leaving
	on(t, other, func(ctx context.Context) error {
		here, err := other.IsActive(ctx, id)
		require.False(t, here)
		return err
	})
	begun := make(chan struct{})
	lives := make(chan int64, 1)
	require.NoError(t, other.Do(func(ctx context.Context) error {
		close(begun)
		p, err := ai.Activate[Purse](ctx, other, id, ai.Place{})
		if err != nil {
			return err
		}
		lives <- p.Gold
		p.Gold += 100
		return p.Commit(ctx)
	}))
	<-begun
	on(t, other, func(ctx context.Context) error { // behind Activate, and answered before it
		_, err := other.IsActive(ctx, id)
		return err
	})
	require.Empty(t, lives, "it waits")
	close(finish)
	require.EqualValues(t, 22, <-lives)
	require.Eventually(t, func() (ok bool) {
		on(t, other, func(ctx context.Context) error {
			row, err := ai.Load[Purse](ctx, other, id)
			ok = row.Object.Gold == 122
			return err
		})
		return ok
	}, time.Minute, 5*time.Millisecond, "the last words do not come behind what the next life wrote")
}

// A player vanishes: what the AI had not saved, and what its OnDelete still sets, is in the row (K6, K7).
func TestK7LastChangesAreWritten(t *testing.T) {
	c := testcluster.New(t)
	var r *ai.Repository
	registry := do.NewRegistry()
	require.NoError(t, registry.Behave(func() *PurseAI { return &PurseAI{r: r} }))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	r, err = ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: "one", Log: c.Log, Timeout: time.Minute})
	require.NoError(t, err)
	c.Run(r.Run)
	other := connect(t, c, "other")
	ids := purses(t, other, 10, 20, 30)
	row := func(id do.ID) (p *Purse) {
		on(t, other, func(ctx context.Context) error {
			loaded, err := ai.Load[Purse](ctx, other, id)
			p = loaded.Object
			return err
		})
		return p
	}
	on(t, r, func(ctx context.Context) error {
		for _, id := range ids {
			p, err := ai.Activate[PurseAI](ctx, r, id, ai.Place{})
			require.NoError(t, err)
			p.Label = "home"
			require.NoError(t, p.Commit(ctx))
		}
		return nil
	})
	on(t, r, func(context.Context) error {
		ai.Find[PurseAI](r, ids[0]).Gold = 14 // and nobody saves it
		return nil
	})
	on(t, other, func(ctx context.Context) error { // as an agent does it when a client has vanished
		_, err := other.Request(ctx, do.ObjectChannel(ids[0]), func(c uint32) wire.Body { return &wire.DeleteRAM{Context: c, DO: ids[0]} })
		return err
	})
	require.Eventually(t, func() bool { return row(ids[0]).Gold == 15 }, time.Minute, 5*time.Millisecond)
	require.Equal(t, "left with home", row(ids[0]).Label)

	on(t, r, func(context.Context) error {
		p := ai.Find[PurseAI](r, ids[2])
		p.Gold, p.Label = 33, "broken"
		return nil
	})
	on(t, other, func(ctx context.Context) error {
		_, err := other.Request(ctx, do.ObjectChannel(ids[2]), func(c uint32) wire.Body { return &wire.DeleteRAM{Context: c, DO: ids[2]} })
		return err
	})
	require.Eventually(t, func() bool { return row(ids[2]).Gold == 33 }, time.Minute, 5*time.Millisecond)

	on(t, r, func(ctx context.Context) error { return r.Unload(ctx, ids[1]) })
	require.Eventually(t, func() bool { return row(ids[1]).Label == "asleep" }, time.Minute, 5*time.Millisecond)
	require.EqualValues(t, 20, row(ids[1]).Gold)

	// It is no life after death: whoever activates it later finds the row.
	on(t, r, func(ctx context.Context) error {
		p, err := ai.Activate[PurseAI](ctx, r, ids[0], ai.Place{})
		require.NoError(t, err)
		require.EqualValues(t, 15, p.Gold)
		require.Zero(t, p.Mood)
		return nil
	})
}

// A process that is told to end saves what it has changed of what it runs before its objects go (K7).
func TestK7CloseSavesWhatIsChanged(t *testing.T) {
	c := testcluster.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Purse{}))
	r, err := ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: "one", Log: c.Log, Timeout: time.Minute})
	require.NoError(t, err)
	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	other := connect(t, c, "other")
	id := purses(t, other, 10)[0]
	var p *Purse
	on(t, r, func(ctx context.Context) (err error) {
		p, err = ai.Activate[Purse](ctx, r, id, ai.Place{})
		return err
	})
	on(t, r, func(context.Context) error {
		p.Gold = 14 // and nobody saves it
		return nil
	})
	end()
	require.NoError(t, <-ended)
	require.Eventually(t, func() (ok bool) {
		on(t, other, func(ctx context.Context) error {
			row, err := ai.Load[Purse](ctx, other, id)
			if err != nil {
				return err
			}
			here, err := other.IsActive(ctx, id)
			ok = row.Object.Gold == 14 && !here
			return err
		})
		return ok
	}, time.Minute, 5*time.Millisecond)
}

// Lamp is an object that nothing is stored of.
type Lamp struct {
	do.Object
	Lit bool `do:"ram,broadcast"`
}

// A commit is about the object that is committed: what the handler has done to others goes with it, whether they are stored or
// not.
func TestCommitBesideWhatIsNotStored(t *testing.T) {
	c := testcluster.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	registry := do.NewRegistry()
	require.NoError(t, errors.Join(registry.Class(Purse{}), registry.Class(Lamp{})))
	r, err := ai.Connect(ctx, ai.Config{Director: c.Director, Registry: registry, Name: "one", Log: c.Log, Timeout: time.Minute})
	require.NoError(t, err)
	c.Run(r.Run)
	id := purses(t, r, 10)[0]
	for _, named := range []bool{false, true} {
		var lamp *Lamp
		var p *Purse
		var stored int64
		on(t, r, func(ctx context.Context) (err error) {
			lamp = do.New[Lamp]()
			if err := errors.Join(r.CreateAs(lamp, ai.Place{Partition: id.Partition()}), r.Await(ctx, &lamp.Object)); err != nil {
				return err
			}
			if p = ai.Find[Purse](r, id); p == nil {
				if p, err = ai.Activate[Purse](ctx, r, id, ai.Place{}); err != nil {
					return err
				}
			}
			if named {
				if err := r.Change(&lamp.Object, &p.Object); err != nil {
					return err
				}
			}
			lamp.Lit = true
			p.Gold++
			if err := errors.Join(lamp.Save(), p.Commit(ctx)); err != nil {
				return err
			}
			row, err := ai.Load[Purse](ctx, r, id)
			stored = row.Object.Gold
			return err
		})
		require.True(t, lamp.Lit)
		require.Equal(t, p.Gold, stored)
	}
}
