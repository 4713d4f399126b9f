package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
)

// finding is what one look at the world at rest found.
type finding struct {
	watchers []Watcher
	truth    []daemon.Object
	stats    daemon.Stats
	diffs    []string
	lost     goods
}

// compare looks once.
func (d *demo) compare(ctx context.Context, schema *do.Schema) (f finding, err error) {
	if f.watchers, err = d.views(ctx); err != nil {
		return f, err
	}
	if f.truth, err = d.world.truth(ctx); err != nil {
		return f, err
	}
	if f.stats, err = d.world.stats(ctx); err != nil {
		return f, err
	}
	f.diffs = Compare(f.truth, schema, f.watchers)
	have, err := goodsOf(f.truth, schema)
	owed := owedTo(d.bots)
	f.lost = goods{owed.gold - have.gold, owed.mugs - have.mugs}
	return f, err
}

// sessions are those that the agents have.
func (f *finding) sessions() (n int) {
	for _, a := range f.stats.Agents {
		n += a.Sessions
	}
	return n
}

// The world is at rest when nothing was delivered for quietTime and no digest is due for repairTime: what one shows is
// made good meanwhile. That takes leastTime, and may take restTime, and as long as the machine does not let this process
// run.
const (
	quietTime  = 500 * time.Millisecond
	repairTime = 500 * time.Millisecond
	leastTime  = 1500 * time.Millisecond
	restTime   = 5 * time.Second
)

// quiet waits until the world is at rest.
func (d *demo) quiet(ctx context.Context) error {
	began, stood := time.Now(), d.stood.sum()
	last, since, told := d.sum().deliveries, began, began
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			if n := d.sum().deliveries; n != last {
				last, since = n, now
			}
			due, err := d.digests(ctx)
			if err != nil {
				return err
			}
			if due {
				told = now
			}
			if now.Sub(began) >= leastTime && now.Sub(since) >= quietTime && now.Sub(told) >= repairTime {
				return nil
			}
			if now.Sub(began) > restTime+d.stood.sum()-stood {
				return fmt.Errorf("the world does not go quiet within %v after all movement ended: the last delivery was %v ago, the last digest was due %v ago",
					restTime, now.Sub(since).Round(time.Millisecond), now.Sub(told).Round(time.Millisecond))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// digests tells whether a State has still to tell of a change by a digest.
func (d *demo) digests(ctx context.Context) (bool, error) {
	stats, err := d.world.stats(ctx)
	for _, one := range stats.States {
		if one.Digests > 0 {
			return true, err
		}
	}
	return false, err
}

// views takes each bot's view, once.
func (d *demo) views(ctx context.Context) ([]Watcher, error) {
	var out []Watcher
	for _, b := range d.bots {
		v, err := b.View(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
		w := Watcher{Name: v.Name, Session: do.Session(v.Session.ID), Objects: v.Objects}
		for _, in := range v.Interests {
			w.Interests = append(w.Interests, Zones(in))
		}
		out = append(out, w)
	}
	return out, nil
}

// standstill measures how long this machine did not let the process run, by a goroutine that wants to run once in
// standstillStep: how much a world does then says nothing about the world.
type standstill struct{ total atomic.Int64 }

const standstillStep = 10 * time.Millisecond

func (s *standstill) watch(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		time.Sleep(standstillStep)
		if late := time.Since(began) - standstillStep; late > standstillStep {
			s.total.Add(int64(late))
		}
	}
}

func (s *standstill) sum() time.Duration { return time.Duration(s.total.Load()) }

// rest brings all bots to rest.
func (d *demo) rest(ctx context.Context) error {
	for _, b := range d.bots {
		b.Stop()
	}
	var failure error
	for _, b := range d.bots {
		if err := b.Rest(ctx); err != nil {
			failure = errors.Join(failure, fmt.Errorf("%s does not come to rest: %w", b.Name(), err))
		}
	}
	return errors.Join(failure, d.quiet(ctx))
}
