package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
)

// Repositories in the test's own process, of a cluster of other processes.

// drive runs a repository until end is called, and at the latest until the test ends. Its daemon may be gone before: how it
// ends does not matter. ended is closed then.
func drive(t *testing.T, run func(context.Context) error) (end func(), ended <-chan struct{}) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		_ = run(ctx)
		close(done)
	}()
	end = sync.OnceFunc(func() { stop(); <-done })
	t.Cleanup(end)
	return end, done
}

// joined is an AI that has joined, and is not driven yet. timeout is that of its requests, 0 for the default.
func joined(t *testing.T, url, name string, registry *do.Registry, timeout time.Duration) *ai.Repository {
	t.Helper()
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := ai.Connect(limited, ai.Config{URL: url, Registry: registry, Name: name, Log: slog.New(slog.DiscardHandler), Timeout: timeout})
	require.NoError(t, err)
	return r
}

// dial is a client at an address, which may be that of a cable to the daemon. It is driven.
func (s *server) dial(addr string, registry *do.Registry) *client.Repository {
	s.t.Helper()
	r, err := client.Dial(s.t.Context(), addr, client.Config{
		Registry: registry, TLS: s.tls().TLS, Log: slog.New(slog.DiscardHandler), Timeout: patience,
	})
	require.NoError(s.t, err)
	drive(s.t, r.Run)
	return r
}

// login lets a client in, with an account that is made the first time. A call may be without an answer while a cluster
// begins: it is made again.
func login(ctx context.Context, r *client.Repository, name string) error {
	a, err := client.UberDOG[auth.Auth](r, auth.ID())
	if err != nil {
		return err
	}
	who := auth.Credentials{Name: name, Password: "correct horse"}
	for {
		attempt, cancel := context.WithTimeout(ctx, patience/4)
		if _, err = a.Register.Call(attempt, who); errors.Is(err, client.CodeUnique) {
			_, err = a.Login.Call(attempt, who)
		}
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || !errors.Is(err, client.CodeUnknown) && !errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("log in: %w", err)
		}
	}
}
