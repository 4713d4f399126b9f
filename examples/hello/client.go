package main

import (
	"context"
	"fmt"
	"io"

	"github.com/otpd/otpd/client"
)

// SeenBell is a bell as a player sees and hears it.
type SeenBell struct {
	Bell
	out io.Writer
}

func (b *SeenBell) OnRing(who string) { fmt.Fprintln(b.out, "ding, says", who) }
func (b *SeenBell) OnRings(old int64) { fmt.Fprintln(b.out, "rung", b.Rings, "times") }

// ring is a player: it comes in, looks around, and rings each bell that it sees.
func ring(ctx context.Context, addr, name string, cfg client.Config, out io.Writer) (err error) {
	if cfg.Registry, err = classes(); err != nil {
		return err
	}
	if err := cfg.Registry.Behave(func() *SeenBell { return &SeenBell{out: out} }); err != nil {
		return err
	}
	c, err := client.Dial(ctx, addr, cfg)
	if err != nil {
		return err
	}
	err = c.Do(func(ctx context.Context) error {
		gate, err := client.UberDOG[Gate](c, gateID())
		if err != nil {
			return err
		}
		if _, err := gate.Enter.Call(ctx, name); err != nil {
			return err
		}
		view, err := c.AddInterest(square().Parent, square().Zone)
		if err != nil {
			return err
		}
		if err := view.Wait(ctx); err != nil {
			return err
		}
		for _, bell := range client.FindAll[SeenBell](c) {
			if err := bell.Ring.Send(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.Close()
		return err
	}
	return c.Run(ctx)
}
