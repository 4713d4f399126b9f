package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/otpd/otpd/cmd/otpd/internal/bench"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// benchCmd is `otpd bench`.
type benchCmd struct {
	Zone    benchZoneCmd    `cmd:"" help:"Clients that all see each other, against a server of its own."`
	State   benchStateCmd   `cmd:"" help:"The state server: sets, creates, memory, openings, deletion."`
	Route   benchRouteCmd   `cmd:"" help:"The message director: within a process and over the bus."`
	DB      benchDBCmd      `cmd:"" name:"db" help:"The database: durable updates, activation, lists."`
	Login   benchLoginCmd   `cmd:"" help:"A storm of logins: without accounts, by password, by token."`
	Idle    benchIdleCmd    `cmd:"" help:"Sessions that do nothing: their memory and CPU."`
	Mixed   benchMixedCmd   `cmd:"" help:"Clients that walk over a grid of zones, chat, and call an AI."`
	Floor   benchFloorCmd   `cmd:"" help:"What this machine can do at all: copy, TCP, QUIC, an echo."`
	Show    benchShowCmd    `cmd:"" help:"Show, compare or draw what a command has saved."`
	Targets benchTargetsCmd `cmd:"" hidden:"" help:"What make performance measured against what is to be reached, as a table for a page."`
	Server  benchServerCmd  `cmd:"" help:"Serve clients of other processes: print where as one line of JSON, then serve."`
	Clients benchClientsCmd `cmd:"" help:"The clients of bench zone against a bench server."`
}

// benchOut is what becomes of a report, in every command that makes one.
type benchOut struct {
	JSON    bool   `help:"One JSON object on standard output."`
	Save    string `type:"path" placeholder:"FILE" help:"Write the JSON to a file, too."`
	SVG     string `name:"svg" type:"path" placeholder:"FILE" help:"Draw how the values grow with what varies between the rows."`
	Compare string `type:"path" placeholder:"FILE" help:"Show the change against JSON that was saved before."`
}

// print writes a report in the ways that were asked for.
func (o benchOut) print(r *bench.Report) error {
	if o.Save != "" {
		if err := r.Write(o.Save); err != nil {
			return err
		}
	}
	if o.SVG != "" {
		svg := r.SVG()
		if svg == "" {
			return fmt.Errorf("--svg: nothing varies between the rows: %w", daemon.ErrConfig)
		}
		if err := os.WriteFile(o.SVG, []byte(svg), 0o644); err != nil {
			return err
		}
	}
	if o.JSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Print(r.Text())
	if o.Compare == "" {
		return nil
	}
	before, err := bench.ReadReport(o.Compare)
	if err != nil {
		return benchError(err)
	}
	fmt.Print("\n", r.Compare(before))
	return nil
}

// benchRuns is how often rows are measured, and what becomes of that.
type benchRuns struct {
	benchOut
	Runs int `default:"3" help:"Runs of each row, all rows in turn; the median is shown, with the spread."`
}

// measure runs jobs and prints the report.
func (o benchRuns) measure(ctx context.Context, name, method string, jobs []bench.Job) error {
	if o.Compare != "" { // a wrong file is better refused before the work
		if _, err := bench.ReadReport(o.Compare); err != nil {
			return benchError(err)
		}
	}
	progress := func(what string) { fmt.Fprintln(os.Stderr, what) }
	r, err := bench.Measure(ctx, name, method, strings.Join(append([]string{"otpd"}, os.Args[1:]...), " "), o.Runs, jobs, progress)
	if err != nil {
		return benchError(err)
	}
	return o.print(r)
}

// benchPlace is where server and clients run.
type benchPlace struct {
	Split bool `default:"true" negatable:"" help:"The server is a process of its own, so that its CPU can be told apart."`
	Pin   bool `help:"Bind server and clients to a core each."`
}

// launcher starts servers there.
func (p benchPlace) launcher() (*bench.Launcher, error) {
	l := &bench.Launcher{Split: p.Split, Pin: p.Pin, Errs: os.Stderr}
	return l, benchError(l.Prepare())
}

// benchError makes a wrong command line of what the bench refuses.
func benchError(err error) error {
	if errors.Is(err, bench.ErrConfig) {
		return fmt.Errorf("%w: %w", err, daemon.ErrConfig)
	}
	return err
}

// benchContext ends with the first signal.
func benchContext() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// benchShowCmd is `otpd bench show`.
type benchShowCmd struct {
	File     string `arg:"" type:"path" help:"JSON that a command has saved."`
	Markdown bool   `help:"A table for a page."`
	benchOut
}

// Run prints.
func (c *benchShowCmd) Run() error {
	r, err := bench.ReadReport(c.File)
	if err != nil {
		return benchError(err)
	}
	if c.Markdown {
		fmt.Print(r.Markdown())
		return nil
	}
	return c.print(r)
}

// benchTargetsCmd is `otpd bench targets`.
type benchTargetsCmd struct {
	Dir string `arg:"" type:"path" help:"Where make performance left its JSON."`
}

// Run prints.
func (c *benchTargetsCmd) Run() error {
	text, err := bench.Targets(c.Dir)
	fmt.Print(text)
	return benchError(err)
}

// benchServerCmd is `otpd bench server`.
type benchServerCmd struct {
	benchShape
	Listen   string `default:"127.0.0.1:0" help:"UDP address for clients."`
	Control  string `default:"127.0.0.1:0" help:"TCP address that bench clients ask; it answers anybody who reaches it."`
	Core     int    `default:"-1" hidden:"" help:"The core that this process was bound to."`
	Attached bool   `hidden:"" help:"End when standard input does."`
	Serve    bool   `name:"bare" help:"Nothing but quic-go, that says all to all."`
}

// Run serves until a signal comes.
func (c *benchServerCmd) Run() error {
	ctx, stop := benchContext()
	defer stop()
	cfg := c.serverConfig()
	cfg.Listen, cfg.Control, cfg.Core, cfg.Bare = c.Listen, c.Control, c.Core, c.Serve
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
