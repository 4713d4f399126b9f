package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// Launcher starts the servers of runs.
type Launcher struct {
	Split bool      // as processes of their own, so that their CPU can be told apart
	Pin   bool      // server and clients bound to a core each
	Errs  io.Writer // what servers complain about

	// Running, if set, is asked for a server that is there already, in place of all that.
	Running func(context.Context) (Info, error)

	serverCore, own int
}

// Prepare binds this process if that is asked for. It is called once, before the first server.
func (l *Launcher) Prepare() (err error) {
	l.serverCore, l.own = -1, -1
	if !l.Pin {
		return nil
	}
	if !l.Split {
		return fmt.Errorf("--pin needs two processes: %w", ErrConfig)
	}
	if l.serverCore, l.own, err = Cores(); err != nil {
		return err
	}
	return Bind(l.own)
}

// Core is what this process is bound to, -1: none.
func (l *Launcher) Core() int { return l.own }

// Start starts a server.
func (l *Launcher) Start(ctx context.Context, cfg ServerConfig) (Running, error) {
	// What an earlier run left is not this run's work.
	runtime.GC()
	if l.Running != nil {
		info, err := l.Running(ctx)
		return elsewhere{info}, err
	}
	if !l.Split {
		cfg.Core = -1
		return Serve(ctx, cfg)
	}
	args := []string{"bench", "server", "--attached", fmt.Sprint("--core=", l.serverCore)}
	if cfg.Agents > 0 {
		args = append(args, fmt.Sprint("--agents=", cfg.Agents))
	}
	if cfg.States > 0 {
		args = append(args, fmt.Sprint("--states=", cfg.States))
	}
	if cfg.Bare {
		args = append(args, "--bare", fmt.Sprint("--flush=", cfg.Flush))
	}
	return Spawn(ctx, l.serverCore, l.Errs, args...)
}

// With starts a server, lets f use it, and ends it.
func (l *Launcher) With(ctx context.Context, cfg ServerConfig, f func(Info) (Sample, error)) (Sample, error) {
	server, err := l.Start(ctx, cfg)
	if err != nil {
		return Sample{}, err
	}
	s, err := f(server.Info())
	return s, errors.Join(err, server.Close())
}

// elsewhere is a server that others started, and end.
type elsewhere struct{ info Info }

func (e elsewhere) Info() Info { return e.info }
func (elsewhere) Close() error { return nil }
