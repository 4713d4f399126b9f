package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// benchCmd is `otpd bench`.
type benchCmd struct {
	Zone    benchZoneCmd    `cmd:"" help:"Clients that all see each other, against a server of its own."`
	Server  benchServerCmd  `cmd:"" help:"Serve clients of other processes: print where as one line of JSON, then serve."`
	Clients benchClientsCmd `cmd:"" help:"The clients of bench zone against a bench server."`
}

// benchLoad is what clients do, in every command that runs some.
type benchLoad struct {
	Clients  int           `default:"50" help:"Clients."`
	Zones    int           `default:"1" help:"Zones that they are dealt out over."`
	Hz       int           `default:"10" help:"Updates a second of each client."`
	For      time.Duration `default:"10s" help:"Measured time."`
	Warmup   time.Duration `default:"2s" help:"Time under load before it."`
	Coalesce bool          `help:"Set a latest field, by datagrams: an agent coalesces its values for a client that is behind."`
	Ack      bool          `default:"true" negatable:"" help:"Ask for an acknowledgement of each update, as game clients do."`
	JSON     bool          `help:"One JSON object on standard output."`
	Profile  string        `type:"path" placeholder:"FILE" help:"Take a CPU profile of the server in the measured time."`
}

func (l benchLoad) config(core int) bench.ZoneConfig {
	return bench.ZoneConfig{
		Clients: l.Clients, Zones: l.Zones, Hz: l.Hz, For: l.For, Warmup: l.Warmup, Coalesce: l.Coalesce, NoAck: !l.Ack, Core: core,
	}
}

// run runs the clients and prints what was measured.
func (l benchLoad) run(ctx context.Context, server bench.Info, core int) error {
	profiled := make(chan error, 1)
	if l.Profile != "" {
		go func() { profiled <- bench.Profile(ctx, server, l.Warmup+l.For, l.Profile) }()
	} else {
		profiled <- nil
	}
	result, err := bench.Zone(ctx, l.config(core), server)
	if err != nil {
		return benchError(err)
	}
	if !l.JSON {
		fmt.Print(result.Text())
		return <-profiled
	}
	return errors.Join(json.NewEncoder(os.Stdout).Encode(result), <-profiled)
}

// benchError makes a wrong command line of what the bench refuses.
func benchError(err error) error {
	if errors.Is(err, bench.ErrConfig) {
		return fmt.Errorf("%w: %w", err, daemon.ErrConfig)
	}
	return err
}

// benchShape is how a server is built.
type benchShape struct {
	Agents int `default:"1" help:"Client agents of the server."`
	States int `default:"4" help:"State servers of the server."`
}

// benchZoneCmd is `otpd bench zone`.
type benchZoneCmd struct {
	benchLoad
	benchShape
	Split bool `default:"true" negatable:"" help:"The server is a process of its own, so that its CPU can be told apart."`
	Pin   bool `help:"Bind server and clients to a core each."`
}

// Run measures.
func (c *benchZoneCmd) Run() error {
	if cfg := c.config(-1); cfg.Validate() != nil {
		return benchError(cfg.Validate())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !c.Split {
		return c.together(ctx)
	}
	serverCore, core := -1, -1
	if c.Pin {
		var err error
		if serverCore, core, err = bench.Cores(); err != nil {
			return err
		}
		if err := bench.Bind(core); err != nil {
			return err
		}
	}
	child, err := bench.Spawn(ctx, serverCore, os.Stderr, "bench", "server", "--attached",
		fmt.Sprint("--core=", serverCore), fmt.Sprint("--agents=", c.Agents), fmt.Sprint("--states=", c.States))
	if err != nil {
		return err
	}
	return errors.Join(c.run(ctx, child.Info(), core), child.Close())
}

// together runs the server in this process.
func (c *benchZoneCmd) together(ctx context.Context) error {
	if c.Pin {
		return fmt.Errorf("--pin needs two processes: %w", daemon.ErrConfig)
	}
	server, err := bench.Serve(ctx, c.serverConfig())
	if err != nil {
		return err
	}
	return errors.Join(c.run(ctx, server.Info(), -1), server.Close())
}

func (c benchShape) serverConfig() bench.ServerConfig {
	return bench.ServerConfig{Agents: c.Agents, States: c.States, Core: -1, Log: logger(slog.LevelWarn.String(), "auto")}
}

// benchServerCmd is `otpd bench server`.
type benchServerCmd struct {
	benchShape
	Listen   string `default:"127.0.0.1:0" help:"UDP address for clients."`
	Control  string `default:"127.0.0.1:0" help:"TCP address that bench clients ask; it answers anybody who reaches it."`
	Core     int    `default:"-1" hidden:"" help:"The core that this process was bound to."`
	Attached bool   `hidden:"" help:"End when standard input does."`
}

// Run serves until a signal comes.
func (c *benchServerCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := c.serverConfig()
	cfg.Listen, cfg.Control, cfg.Core = c.Listen, c.Control, c.Core
	server, err := bench.Serve(ctx, cfg)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(server.Info()); err != nil {
		return errors.Join(err, server.Close())
	}
	if c.Attached {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case <-ctx.Done():
		return server.Close()
	case err := <-ended:
		return errors.Join(err, server.Close())
	}
}

// benchClientsCmd is `otpd bench clients`.
type benchClientsCmd struct {
	benchLoad
	Server string `required:"" placeholder:"HOST:PORT" help:"Control address of a bench server."`
}

// Run measures.
func (c *benchClientsCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := bench.Ask(ctx, c.Server)
	if err != nil {
		return err
	}
	return c.run(ctx, server, -1)
}
