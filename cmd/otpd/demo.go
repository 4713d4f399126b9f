package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/cmd/otpd/internal/demo"
)

// demoCmd is `otpd demo`.
type demoCmd struct {
	Bots   int           `default:"100" help:"Bots: real clients over QUIC."`
	For    time.Duration `placeholder:"DURATION" help:"How long; 0 until interrupted."`
	Hz     int           `default:"10" help:"Positions that each bot sends a second."`
	DB     string        `placeholder:"URL" help:"A postgres:// URL; without one SQLite in the data directory."`
	Data   string        `default:"otpd-demo" type:"path" help:"Data directory: a second run finds the accounts of the first."`
	Seed   uint64        `help:"Of what the bots decide; 0: a random one, which is printed."`
	JSON   bool          `help:"End with one JSON object on standard output; the lines for people go to standard error."`
	Split  bool          `help:"Three processes: the daemon, the AI, the bots, with NATS between daemon and AI."`
	Record string        `type:"path" placeholder:"DIR" help:"Keep a recording of every core's inputs, for otpd replay."`
}

// Run shows the world until the time is over or a signal comes.
func (c *demoCmd) Run() error {
	switch {
	case c.Bots < 0 || c.Bots > 10_000:
		return fmt.Errorf("--bots=%d: want 0 to 10000: %w", c.Bots, daemon.ErrConfig)
	case c.Hz < 1 || c.Hz > 100:
		return fmt.Errorf("--hz=%d: want 1 to 100: %w", c.Hz, daemon.ErrConfig)
	case c.For < 0:
		return fmt.Errorf("--for=%v is negative: %w", c.For, daemon.ErrConfig)
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64N(1<<53) + 1 // fits a JSON number
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	opts := demo.Options{
		Bots: c.Bots, For: c.For, Hz: c.Hz, DB: c.DB, Data: c.Data, Seed: c.Seed, JSON: c.JSON, Split: c.Split, Record: c.Record,
		Out: os.Stdout, Errs: os.Stderr, Log: logger(slog.LevelWarn.String(), "auto"),
	}
	if c.JSON {
		opts.Out = os.Stderr
	}
	summary, err := demo.Run(ctx, opts)
	if summary.Bots != c.Bots {
		return err // it never got so far
	}
	if c.JSON {
		text, jsonErr := json.Marshal(summary)
		fmt.Println(string(text))
		return errors.Join(err, jsonErr)
	}
	fmt.Print(summary.Text())
	return err
}

// demoAICmd is the AI of `otpd demo --split`. The join URL is in the environment, because it has the credential.
type demoAICmd struct{}

// Run runs the AI until a signal comes; it says one line when the street stands.
func (demoAICmd) Run() error {
	url := os.Getenv("OTPD_JOIN")
	if url == "" {
		return fmt.Errorf("OTPD_JOIN is not set: it must be the join URL of a daemon: %w", daemon.ErrConfig)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := demo.RunAI(ctx, nil, url, logger(slog.LevelWarn.String(), "auto"), func() { fmt.Println("ready") })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
