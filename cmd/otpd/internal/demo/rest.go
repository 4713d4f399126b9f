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
}

// repairTime is how long the world may take, once it is at rest, to make good what was lost: a digest comes within a
// second, but this machine may have other things to do.
const repairTime = 10 * time.Second

// compare looks at the world at rest until nothing differs, or for repairTime: what differs then, differs for good.
func (d *demo) compare(ctx context.Context, schema *do.Schema) (finding, error) {
	for end := time.Now().Add(repairTime); ; {
		f, err := d.look(ctx, schema)
		if err != nil || len(f.diffs) == 0 && f.sessions() == d.opts.Bots || time.Now().After(end) {
			return f, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return f, nil
		}
	}
}

func (d *demo) look(ctx context.Context, schema *do.Schema) (f finding, err error) {
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
	return f, nil
}

// sessions are those that the agents have.
func (f *finding) sessions() (n int) {
	for _, a := range f.stats.Agents {
		n += a.Sessions
	}
	return n
}

// quietTime is how long nothing may be delivered before the world is at rest, restTime how long that may take.
const (
	quietTime = 1500 * time.Millisecond // the digests run meanwhile
	restTime  = 30 * time.Second
)

// quiet waits until nothing has been delivered for quietTime.
func (d *demo) quiet(ctx context.Context) error {
	began := time.Now()
	last, since := d.sum().deliveries, began
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case now := <-look.C:
			if n := d.sum().deliveries; n != last {
				last, since = n, now
			}
			if now.Sub(since) >= quietTime {
				return nil
			}
			if now.Sub(began) > restTime {
				return fmt.Errorf("the world does not go quiet within %v after all movement ended", restTime)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
