package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/uberdog/auth/accounts"
	"github.com/otpd/otpd/wire"
)

// Yard is the root of the world; its zones are where bodies stand.
type Yard struct {
	do.Object
	Name string `do:"required,broadcast,max=24"`
}

// Body is what each client owns. Both fields carry a stamp; a run sets one of them.
type Body struct {
	do.Object
	Pos  [3]int16 `do:"ram,broadcast,ownsend"`
	Last [3]int16 `do:"ram,broadcast,ownsend,latest"`

	Say do.Event[string]        `do:"broadcast,ownsend,max=200"`
	Ask do.Call[uint32, uint32] `do:"ownsend"`
}

// bodyAI answers for a body.
type bodyAI struct{ Body }

// OnAsk is the least that an AI can do for a client.
func (*bodyAI) OnAsk(_ context.Context, n uint32) (uint32, error) { return n + 1, nil }

// Thing is what zones are filled with: three small fields, which everybody sees.
type Thing struct {
	do.Object
	A, B, C int16 `do:"required,ram,broadcast"`
}

// Gate lets clients in.
type Gate struct {
	do.Object
	// Enter makes the session's body, and establishes the session.
	Enter do.Call[Entrance, Pass] `do:"clsend"`
}

// Entrance says into which zone of the yard.
type Entrance struct {
	Zone uint32
}

// Pass is the body that was made.
type Pass struct {
	Body do.ID
}

// yardID and gateID are the world's well-known ids.
func yardID() do.ID { return do.WellKnown(4800) }
func gateID() do.ID { return do.WellKnown(gateNumber) }

const gateNumber = 4801

// newRegistry has the world's classes; with behaviours for its AI.
func newRegistry() (*do.Registry, error) {
	r := do.NewRegistry()
	for _, c := range []any{Yard{}, Body{}, Thing{}} {
		if err := r.Class(c); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	if err := r.UberDOG(gateID(), Gate{}, true); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	for _, err := range []error{
		auth.Register(r), accounts.Register(r),
		r.Behave(func() *gateUD { return &gateUD{} }), r.Behave(func() *bodyAI { return &bodyAI{} }),
	} {
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return r, nil
}

// gateUD serves the gate.
type gateUD struct {
	Gate
	repo *ai.Repository
}

// OnEnter makes a body that the session owns and that goes with it. Bodies lie in partitions at random, like avatars
// that come from a database.
func (g *gateUD) OnEnter(ctx context.Context, e Entrance) (Pass, error) {
	who := uberdog.CallerOf(ctx)
	b := do.New[bodyAI]()
	at := do.Location{Parent: yardID(), Zone: do.Zone(e.Zone)}
	if err := g.repo.CreateAs(b, ai.Place{At: at, Owner: who.Channel}); err != nil {
		return Pass{}, err
	}
	if err := g.repo.Await(ctx, &b.Object); err != nil {
		return Pass{}, err
	}
	session := g.repo.Session(who.Channel)
	if err := session.AddObject(ctx, b.ID()); err != nil {
		return Pass{}, err
	}
	return Pass{Body: b.ID()}, session.SetState(ctx, wire.StateEstablished)
}

// runWorld is the world's AI, until ctx ends. built is called when clients may come.
func runWorld(ctx context.Context, director *messagedirector.Director, log *slog.Logger, built func()) error {
	registry, err := newRegistry()
	if err != nil {
		return err
	}
	repo, err := ai.Connect(ctx, ai.Config{Director: director, Registry: registry, Name: "bench", Log: log})
	if err != nil {
		return err
	}
	if err := uberdog.Serve(repo, gateID(), &gateUD{repo: repo}); err != nil {
		return err
	}
	// All clients come from one address.
	if _, err := accounts.Serve(repo, accounts.Config{AddressBurst: -1, Log: log}); err != nil {
		return err
	}
	err = repo.Do(func(ctx context.Context) error {
		yard := do.New[Yard]()
		yard.Name = "yard"
		if err := repo.CreateAs(yard, ai.Place{ID: yardID()}); err != nil {
			return err
		}
		if err := repo.Await(ctx, &yard.Object); err != nil {
			return err
		}
		built()
		return nil
	})
	if err != nil {
		return err
	}
	if err := repo.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
