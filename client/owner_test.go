package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/wire"
)

// Fighter asks its owner before it fights: a call from the client to the AI, and from there back to the owner.
type Fighter struct {
	do.Object
	Wins  int16                    `do:"required,broadcast,airecv"`
	Fight do.Call[string, string]  `do:"ownsend,max=16"`
	Dare  do.Call[string, consent] `do:"ownrecv,max=16"`
}

type consent struct {
	Text string `do:"max=8"`
}

type Arena struct{ do.Object }

type Gate struct {
	do.Object
	Enter do.Call[string, do.ID] `do:"clsend,max=16"`
}

var (
	gateID = do.WellKnown(1)
	arena  = do.Location{Parent: do.WellKnown(2), Zone: 1}
)

type FighterAI struct{ Fighter }

func (f *FighterAI) OnFight(ctx context.Context, with string) (string, error) {
	said, err := f.Dare.Call(ctx, with)
	if err != nil {
		return "", err
	}
	f.Wins++
	return "owner says " + said.Text, nil
}

type GateUD struct {
	Gate
	repo *ai.Repository
	made chan<- *FighterAI
}

func (g *GateUD) OnEnter(ctx context.Context, _ string) (do.ID, error) {
	who := ai.CallerOf(ctx).Channel
	if err := g.repo.Session(who).Establish(ctx); err != nil {
		return do.ID{}, err
	}
	f := do.New[FighterAI]()
	if err := g.repo.CreateAs(f, ai.Place{At: arena, Owner: who}); err != nil {
		return do.ID{}, err
	}
	g.made <- f
	return f.ID(), g.repo.Await(ctx, &f.Object)
}

// FighterCL is a fighter as its player has it.
type FighterCL struct {
	Fighter
	dare func(ctx context.Context, with string) (consent, error)
}

func (f *FighterCL) OnDare(ctx context.Context, with string) (consent, error) {
	return f.dare(ctx, with)
}

func classes(t *testing.T) *do.Registry {
	r := do.NewRegistry()
	require.NoError(t, errors.Join(r.Class(Arena{}), r.Class(Fighter{}), r.UberDOG(gateID, Gate{}, true)))
	return r
}

// serve runs the game; made gets each fighter.
func serve(t *testing.T, c *testcluster.Cluster, made chan<- *FighterAI) *ai.Repository {
	r := classes(t)
	require.NoError(t, errors.Join(
		r.Behave(func() *FighterAI { return &FighterAI{} }),
		r.Behave(func() *GateUD { return &GateUD{} }),
	))
	repo, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: r, Name: "arena", Log: c.Log})
	require.NoError(t, err)
	require.NoError(t, errors.Join(
		repo.CreateAs(do.New[Arena](), ai.Place{ID: arena.Parent}),
		uberdog.Serve(repo, gateID, &GateUD{repo: repo, made: made}),
	))
	c.Run(repo.Run)
	return repo
}

// play is a player's client and its fighter.
func play(t *testing.T, c *testcluster.Cluster, dare func(ctx context.Context, with string) (consent, error)) (*client.Repository, *FighterCL) {
	r := classes(t)
	require.NoError(t, r.Behave(func() *FighterCL { return &FighterCL{dare: dare} }))
	repo, err := client.Dial(t.Context(), c.Addr, client.Config{Registry: r, TLS: client.Pinned(c.Pin), Log: c.Log})
	require.NoError(t, err)
	c.Run(repo.Run)
	var mine *FighterCL
	require.NoError(t, repo.DoWait(t.Context(), func(ctx context.Context) error {
		gate, err := client.UberDOG[Gate](repo, gateID)
		if err != nil {
			return err
		}
		id, err := gate.Enter.Call(ctx, "Flippy")
		mine = client.Find[FighterCL](repo, id)
		return err
	}))
	require.NotNil(t, mine, "its owner knows it before the answer")
	return repo, mine
}

func TestAICallsOwner(t *testing.T) {
	c := testcluster.New(t)
	made := make(chan *FighterAI, 1)
	game := serve(t, c, made)
	repo, mine := play(t, c, func(ctx context.Context, with string) (consent, error) {
		switch with {
		case "nobody":
			return consent{}, errors.New("not with nobody")
		case "bore":
			return consent{"longer than eight"}, nil
		}
		return consent{"gladly"}, nil
	})
	theirs := <-made

	fight := func(with string) (said string, err error) {
		err = repo.DoWait(t.Context(), func(ctx context.Context) (err error) { said, err = mine.Fight.Call(ctx, with); return err })
		return said, err
	}
	said, err := fight("Joe")
	require.NoError(t, err)
	require.Equal(t, "owner says gladly", said)
	_, err = fight("nobody")
	require.ErrorIs(t, err, wire.CodeHandler)
	require.ErrorContains(t, err, "not with nobody")
	_, err = fight("bore")
	require.ErrorIs(t, err, wire.CodeHandler, "its own mistake is no reason to end a session")
	require.NoError(t, game.DoWait(t.Context(), func(context.Context) error {
		require.EqualValues(t, 1, theirs.Wins)
		return nil
	}))
}

// An owner that goes before it answered is gone.
func TestOwnerGoesBeforeItAnswers(t *testing.T) {
	c := testcluster.New(t)
	made := make(chan *FighterAI, 1)
	game := serve(t, c, made)
	var player atomic.Pointer[client.Repository]
	repo, _ := play(t, c, func(context.Context, string) (consent, error) {
		player.Load().Goodbye()
		return consent{"gladly"}, nil
	})
	player.Store(repo)
	theirs := <-made
	require.ErrorIs(t, game.DoWait(t.Context(), func(ctx context.Context) error {
		_, err := theirs.Dare.Call(ctx, "Joe")
		return err
	}), wire.CodeGone)
}
