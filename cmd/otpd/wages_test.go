package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/examples/tavern"
	"github.com/otpd/otpd/internal/testpg"
)

// workplace is a daemon with the tavern's AI, both as processes.
type workplace struct {
	*server
	game *process
}

func openTavern(t *testing.T, data string, args ...string) *workplace {
	for _, left := range leftBehind(t, data) {
		require.NoError(t, os.Remove(left)) // by a daemon that was killed: it would look like readiness
	}
	w := &workplace{server: serve(t, data, args...)}
	w.hire()
	return w
}

// hire starts the AI.
func (w *workplace) hire() {
	w.game = start(w.t, nil, built.build(w.t, "github.com/otpd/otpd/examples/tavern/ai", ""), "--join="+w.join, "--cheap-passwords", "--lease=2s")
	w.game.says("the street is open")
}

// cook is a player who works in the tavern's kitchen.
type cook struct {
	t      *testing.T
	r      *client.Repository
	avatar *tavern.Avatar
}

// newCook logs in, with an account that is made the first time, and goes to the street.
func (w *workplace) newCook() *cook {
	c := &cook{t: w.t}
	registry := do.NewRegistry()
	require.NoError(w.t, tavern.Classes(registry))
	c.r = w.dial(w.addr, registry)
	limited, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, c.r.DoWait(limited, func(ctx context.Context) error {
		if err := login(ctx, c.r, "remy"); err != nil {
			return err
		}
		realm, err := client.UberDOG[tavern.Realm](c.r, tavern.RealmID())
		if err != nil {
			return err
		}
		var at tavern.Arrival
		for { // a session that was killed is still leaving
			if at, err = realm.Enter.Call(ctx, tavern.Entrance{Name: "Remy"}); err == nil {
				break
			}
			if err := c.r.Sleep(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
		for c.avatar == nil {
			if err := c.r.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
			if a := client.Find[tavern.Avatar](c.r, at.Avatar); a != nil && c.r.Owned(&a.Object) {
				c.avatar = a
			}
		}
		return nil
	}))
	return c
}

// work works shift after shift until there is no answer, and returns the last that was promised, and why it ended.
// promised is told of each.
func (c *cook) work(promised func()) (last int64, end error) {
	end = c.r.DoWait(c.t.Context(), func(ctx context.Context) error {
		for {
			limited, cancel := context.WithTimeout(ctx, 3*time.Second)
			p, err := c.avatar.Work.Call(limited, tavern.Shift{})
			cancel()
			switch {
			case err == nil:
				last = max(last, p.Shift)
				promised()
			case errors.Is(err, client.CodeRate):
				if err := c.r.Sleep(ctx, 20*time.Millisecond); err != nil {
					return err
				}
			default:
				return err
			}
		}
	})
	return last, end
}

// books is an AI that looks into the database.
func (w *workplace) books() *ai.Repository {
	registry := do.NewRegistry()
	require.NoError(w.t, tavern.Classes(registry))
	r := joined(w.t, w.join, "books", registry, 0)
	drive(w.t, r.Run)
	return r
}

// payroll is what the database says of an avatar's wages.
type payroll struct {
	gold, paid int64
	open       []jobs.Info
	failed     []jobs.Info
	done       map[string]jobs.Info
}

func payrollOf(ctx context.Context, r *ai.Repository, avatar do.ID) (p payroll, err error) {
	p.done = map[string]jobs.Info{}
	for _, s := range []jobs.State{jobs.Waiting, jobs.Taken, jobs.Retried, jobs.Failed, jobs.Done} {
		list, err := jobs.List(ctx, r, "wages", s, 1000)
		if err != nil {
			return p, err
		}
		switch s {
		case jobs.Failed:
			p.failed = list
		case jobs.Done:
			for _, j := range list {
				p.done[j.Key] = j
			}
		default:
			p.open = append(p.open, list...)
		}
	}
	row, err := ai.Load[tavern.Avatar](ctx, r, avatar)
	if err == nil {
		p.gold, p.paid = row.Object.Gold, row.Object.PaidShift
	}
	return p, err
}

// T25: shifts are worked and paid while the AI, the daemon, and both are killed, and PostgreSQL where it is the database.
// Each shift that was promised is paid, and none twice.
func TestT25WagesSurviveKills(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		wagesSurviveKills(t, nil)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		limited, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		pg, err := testpg.Start(limited, testpg.WithFsync())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pg.Stop()) })
		url, err := pg.NewDatabase(limited, "wages")
		require.NoError(t, err)
		down := func() {
			require.NoError(t, pg.Kill())
			limited, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			require.NoError(t, pg.Restart(limited))
		}
		wagesSurviveKills(t, down, "--db="+url)
	})
}

// wagesSurviveKills is the test on one database, which down kills and starts again; nil: it is a part of the daemon.
func wagesSurviveKills(t *testing.T, down func(), args ...string) {
	data := t.TempDir()
	w := openTavern(t, data, args...)
	kills := []func(){
		func() { w.game.kill() },
		func() { w.kill() },
		func() { w.game.kill(); w.kill() },
	}
	if down != nil {
		kills = append(kills, func() { down(); w.game.kill() }, func() { w.kill(); down() })
	}
	var avatar do.ID
	var promised int64
	for _, kill := range kills {
		c := w.newCook()
		avatar = c.avatar.ID()
		some, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			n := 0
			for until := time.Now().Add(patience); n < 8 && time.Now().Before(until); { // a busy machine may take too long for a shift
				last, err := c.work(func() {
					if n++; n == 8 {
						close(some)
					}
				})
				promised = max(promised, last)
				c.t.Logf("%d shifts in this round, until: %v", n, err)
			}
		}()
		select {
		case <-some: // while the next ones are asked for, and these are paid
		case <-ended:
			require.Fail(t, "the work ended by itself")
		}
		time.Sleep(rand.N(50 * time.Millisecond)) // to die at any moment
		kill()
		<-ended

		select {
		case <-w.done:
			w.game.kill() // one whose daemon is gone waits for it at its old address
			w = openTavern(t, data, args...)
		default:
			w.hire()
		}
	}
	require.GreaterOrEqual(t, promised, int64(8*len(kills)))
	books := w.books()
	var p payroll
	require.Eventually(t, func() bool {
		err := books.DoWait(t.Context(), func(ctx context.Context) (err error) {
			p, err = payrollOf(ctx, books, avatar)
			return err
		})
		return err == nil && len(p.open) == 0
	}, 2*patience, 20*time.Millisecond, "all wages are paid")
	require.Empty(t, p.failed)
	require.GreaterOrEqual(t, p.paid, promised)
	require.Equal(t, 10000+p.paid*tavern.Wage, p.gold)
	again := 0
	for n := range p.paid {
		j, ok := p.done[fmt.Sprintf("%s/%d", avatar, n+1)]
		require.True(t, ok, "shift %d has its job", n+1)
		if j.Tries > 1 {
			again++
		}
	}
	t.Logf("%d shifts promised, %d paid; %d jobs were tried more than once", promised, p.paid, again)
}
