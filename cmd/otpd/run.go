package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lmittmann/tint"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// runCmd is `otpd run`.
type runCmd struct {
	ConfigFile string `name:"config" short:"c" placeholder:"FILE" help:"YAML file; else OTPD_CONFIG, ./otpd.yaml, the user's configuration directory, /etc/otpd/otpd.yaml."`
	daemon.Config
}

// Run serves until SIGINT or SIGTERM.
func (c *runCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := logger(c.LogLevel, c.LogFormat)
	d, err := daemon.Start(ctx, c.Config, log)
	if err != nil {
		return err
	}
	for _, a := range d.Addrs() {
		log.Info("clients connect by QUIC", "addr", a.String())
	}
	log.Info("ready", "data", c.Data, "admin", d.AdminAddr(), "bus", c.Bus != "")
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
		if err := d.Stop(); err != nil {
			log.Error("stop", "err", err)
		}
	}()
	return d.Wait()
}

// configCmd is `otpd config`.
type configCmd struct {
	Default configDefaultCmd `cmd:"" help:"Print a configuration file with every key, its default and what it means."`
	Check   configCheckCmd   `cmd:"" help:"Read the configuration as run would, and say what is wrong."`
}

type configDefaultCmd struct{}

// Run prints the default configuration.
func (configDefaultCmd) Run() error {
	_, err := fmt.Print(daemon.Default())
	return err
}

type configCheckCmd struct {
	ConfigFile string `name:"config" short:"c" placeholder:"FILE" help:"YAML file, as for run."`
	daemon.Config
}

// Run validates the configuration.
func (c *configCheckCmd) Run() error {
	if err := c.Validate(); err != nil {
		return err
	}
	if c.Schema != "" {
		_, _, notices, err := daemon.ReadSchema(c.Schema)
		if err != nil {
			return fmt.Errorf("schema: %w: %w", err, daemon.ErrConfig)
		}
		for _, n := range notices {
			fmt.Fprintln(os.Stderr, n)
		}
	}
	fmt.Println("the configuration is good")
	return nil
}

// exitStatus tells a wrong configuration (2) from a failure (1).
func exitStatus(err error) int {
	if errors.Is(err, daemon.ErrConfig) {
		return 2
	}
	return 1
}

// logger writes to standard error: coloured lines on a terminal, else JSON, unless format says otherwise.
func logger(level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	terminal := isTerminal(os.Stderr)
	switch {
	case format == "json", format == "auto" && !terminal:
		return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
	}
	return slog.New(tint.NewTextHandler(os.Stderr, &tint.Options{Level: l, TimeFormat: time.TimeOnly, NoColor: !terminal}))
}

// isTerminal reports whether f is a character device, which is close enough for colours.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
