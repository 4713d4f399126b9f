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
	repo, err := ai.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	err = errors.Join(
		repo.CreateAs(do.New[Square](), ai.Place{ID: square().Parent}),
		repo.Create(do.New[BellAI](), square()),
		uberdog.Serve(repo, gateID(), &GateUD{repo: repo}),
	)
	if err != nil {
		repo.Close()
		return err
	}
	return repo.Run(ctx)
}
