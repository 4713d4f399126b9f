package tavern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/ai/jobs"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/uberdog/auth/accounts"
)

// Options say how the world is run. The zero value is fit for players.
type Options struct {
	Accounts accounts.Config // what a password's hash costs, above all
	Jobs     jobs.Config     // how wages are paid
}

// World is what the AI process of the game runs.
type World struct {
	// Set by NewAI, then read-only.
	repo   *ai.Repository
	auth   *accounts.AuthUD
	worker *jobs.Worker
	built  chan struct{} // closed when err is set

	// Owned by the loop.
	paying map[do.ID]bool // avatars
	whole  bool           // the street and all that stands on it

	err error // Set before built is closed, then read-only.
}

// AIRegistry has the classes with the AI's behaviours.
func AIRegistry() (*do.Registry, error) {
	r := do.NewRegistry()
	if err := Classes(r); err != nil {
		return nil, err
	}
	err := errors.Join(
		r.Behave(func() *AvatarAI { return &AvatarAI{} }),
		r.Behave(func() *RealmUD { return &RealmUD{} }),
		accounts.Register(r),
	)
	return r, err
}

// NewAI sets the world up on a repository that was made with AIRegistry: it serves Auth and the Realm, and builds the
// street. It is called on the repository's loop, or before that runs.
func NewAI(repo *ai.Repository, opts Options) (*World, error) {
	w := &World{repo: repo, built: make(chan struct{}), paying: make(map[do.ID]bool)}
	var err error
	if w.auth, err = accounts.Serve(repo, opts.Accounts); err != nil {
		return nil, err
	}
	if err := uberdog.Serve(repo, RealmID(), &RealmUD{world: w}); err != nil {
		return nil, err
	}
	if err := w.payWages(opts.Jobs); err != nil {
		return nil, err
	}
	err = repo.Do(func(ctx context.Context) error {
		defer close(w.built)
		w.err = w.build(ctx)
		w.whole = w.err == nil
		return w.err
	})
	if err != nil {
		return nil, fmt.Errorf("tavern: build: %w", err)
	}
	return w, nil
}

// Metrics are what the world has to show: see ai.MetricsHandler.
func (w *World) Metrics() []ai.Metric { return append(w.auth.Metrics(), w.worker.Metrics()...) }

// Stop takes no more jobs and waits for those that run, in a handler.
func (w *World) Stop(ctx context.Context) error { return w.worker.Stop(ctx) }

// Wait returns when the street stands, or could not be built. The repository must run meanwhile.
func (w *World) Wait(ctx context.Context) error {
	select {
	case <-w.built:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Err is why the street could not be built; nil while it is being built, and when it stands.
func (w *World) Err() error {
	select {
	case <-w.built:
		return w.err
	default:
		return nil
	}
}

// ready reports whether the street stands.
func (w *World) ready() bool {
	select {
	case <-w.built:
		return w.err == nil
	default:
		return false
	}
}

// Restore builds the street again when it went with a daemon: it is for ai.Config. Players bring their avatars when they
// come back.
func (w *World) Restore(ctx context.Context) error {
	switch s := ai.Find[Street](w.repo, StreetID()); {
	case !w.ready() || s != nil && w.whole:
		return nil
	case s != nil: // half of it, of an attempt that failed
		return errors.Join(s.Delete(), errors.New("tavern: restore: the street is not whole"))
	}
	w.whole = false
	if err := w.build(ctx); err != nil {
		return err
	}
	w.whole = true
	return nil
}

// build makes the street and all that stands on it.
func (w *World) build(ctx context.Context) error {
	if err := w.street(ctx); err != nil {
		return fmt.Errorf("tavern: build the street: %w", err)
	}
	var made []*do.Object
	for _, s := range sites() {
		t := do.New[Tavern]()
		x, y := s.door()
		outside := do.Location{Parent: StreetID(), Zone: s.zone}
		t.Name, t.Pos = s.name, at(x, y)
		t.Doors = []do.Edge{{Name: "door", From: Inside, To: outside, See: true}}
		if err := w.put(t, outside, &made, &t.Object); err != nil {
			return err
		}
		if err := w.furnish(InTavern(t.ID()), &made); err != nil {
			return err
		}
	}
	if err := w.light(&made); err != nil {
		return err
	}
	for _, o := range made {
		if err := w.repo.Await(ctx, o); err != nil {
			return fmt.Errorf("tavern: build: %w", err)
		}
	}
	return nil
}

// restart is how long a street that another process has left may take to go.
const restart = 15 * time.Second

// street makes the root. After a crash the one of the process before is still there, until the cluster has noticed.
func (w *World) street(ctx context.Context) error {
	for end := w.repo.Now().Add(restart); ; {
		s := do.New[Street]()
		s.Name, s.Ground = "Silly Street", Ground()
		if err := w.repo.CreateAs(s, ai.Place{ID: StreetID()}); err != nil {
			return err
		}
		err := w.repo.Await(ctx, &s.Object)
		if !errors.Is(err, ai.CodeExists) || w.repo.Now().After(end) {
			return err
		}
		if err := w.repo.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// furnish puts kegs into a tavern.
func (w *World) furnish(inside do.Location, made *[]*do.Object) error {
	for i, beer := range []string{"pale", "stout", "mead"} {
		if err := w.keg(beer, float64(i-1)*2, 4, inside, made); err != nil {
			return err
		}
	}
	return nil
}

// light puts a lamp into each zone of the street, and a keg into every other one.
func (w *World) light(made *[]*do.Object) error {
	g := Ground()
	for i := range cells * cells {
		z := g.Start + do.Zone(i)
		x, y := g.Centre(z)
		here := do.Location{Parent: StreetID(), Zone: z}
		l := do.New[Lamp]()
		l.Pos = at(x+5, y+5)
		if err := w.put(l, here, made, &l.Object); err != nil {
			return err
		}
		if (i+i/cells)%2 == 0 {
			if err := w.keg("pale", x-5, y+5, here, made); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *World) keg(beer string, x, y float64, where do.Location, made *[]*do.Object) error {
	k := do.New[Keg]()
	k.Beer, k.Pos = beer, at(x, y)
	return w.put(k, where, made, &k.Object)
}

// put brings something into the world.
func (w *World) put(obj any, where do.Location, made *[]*do.Object, o *do.Object) error {
	if err := w.repo.Create(obj, where); err != nil {
		return fmt.Errorf("tavern: build: %w", err)
	}
	*made = append(*made, o)
	return nil
}

// at is a place of something that never moves.
func at(x, y float64) Vec2 { return Vec2{X: float32(x), Y: float32(y)} }
