package main

import (
	"context"
	"errors"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
)

// BellAI counts. What a handler changes is sent when it returns.
type BellAI struct{ Bell }

func (b *BellAI) OnRing(string) { b.Rings++ }

// GateUD lets everybody in.
type GateUD struct {
	Gate
	repo *ai.Repository
}

func (g *GateUD) OnEnter(ctx context.Context, name string) (bool, error) {
	return true, g.repo.Session(ai.CallerOf(ctx).Channel).Establish(ctx)
}

// hang puts the bell on the square, where they are missing: at the beginning, and when they went with a daemon.
func hang(ctx context.Context, repo *ai.Repository) error {
	if ai.Find[Square](repo, square().Parent) == nil {
		root := do.New[Square]()
		if err := errors.Join(repo.CreateAs(root, ai.Place{ID: square().Parent}), repo.Await(ctx, &root.Object)); err != nil {
			return err
		}
	}
	if len(ai.FindAll[BellAI](repo)) > 0 {
		return nil
	}
	bell := do.New[BellAI]()
	return errors.Join(repo.Create(bell, square()), repo.Await(ctx, &bell.Object))
}

// runAI is the game: it joins the cluster, hangs up the bell and serves the gate.
func runAI(ctx context.Context, cfg ai.Config) (err error) {
	if cfg.Registry, err = classes(); err != nil {
		return err
	}
	err = errors.Join(
		cfg.Registry.Behave(func() *BellAI { return &BellAI{} }),
		cfg.Registry.Behave(func() *GateUD { return &GateUD{} }),
	)
	if err != nil {
		return err
	}
	cfg.Restore = hang
	repo, err := ai.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	err = errors.Join(
		repo.Do(func(ctx context.Context) error { return hang(ctx, repo) }),
		uberdog.Serve(repo, gateID(), &GateUD{repo: repo}),
	)
	if err != nil {
		repo.Close()
		return err
	}
	return repo.Run(ctx)
}
