package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/internal/testcluster"
)

// lines is a writer that a test reads while it is written to.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // Guarded by mu.
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestPlayersHearEachOther(t *testing.T) {
	c := testcluster.New(t)
	c.Run(func(ctx context.Context) error {
		return runAI(ctx, ai.Config{Director: c.Director, Name: "hello", Log: c.Log})
	})
	require.Eventually(t, func() bool { return len(c.Truth()) == 2 }, time.Minute, time.Millisecond, "the square and its bell")
	player := func(name string) *lines {
		out := &lines{}
		c.Run(func(ctx context.Context) error {
			return ring(ctx, c.Addr, name, client.Config{TLS: client.Pinned(c.Pin), Log: c.Log}, out)
		})
		return out
	}
	hears := func(l *lines, what string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(l.String(), what) }, time.Minute, time.Millisecond, "%q", l)
	}
	first := player("Flippy")
	hears(first, "rung 1 times\n")
	second := player("Duke")
	hears(second, "rung 2 times\n")
	hears(first, "ding, says Duke\nrung 2 times\n")
	require.NotContains(t, first.String(), "says Flippy", "rule 93: who rings does not hear it")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"ai"}, {"dance", "x"}, {"ring", "xyz"}, {"ring", "00"}} {
		require.ErrorIs(t, run(t.Context(), args), errUsage, "%q", args)
	}
}
