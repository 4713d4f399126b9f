package uberdog_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/uberdog"
)

// Herald tells one client something, because another asked for it.
type Herald struct {
	do.Object
	Tell  do.Call[string, bool] `do:"clsend"`
	Heard do.Event[string]      `do:"broadcast"`
}

type HeraldUD struct {
	Herald
	last do.Channel
}

func (h *HeraldUD) OnTell(ctx context.Context, what string) (bool, error) {
	to := h.last
	h.last = uberdog.CallerOf(ctx).Channel
	if to.IsZero() {
		return false, nil
	}
	return true, h.Heard.SendTo(to, what)
}

type HeraldCL struct {
	Herald
	heard chan string
}

func (h *HeraldCL) OnHeard(what string) { h.heard <- what }

// rule 171: an UberDOG answers one client by its channel; no other hears it, and it needs no interest.
func TestRule171UberDOGSpeaksToOneClient(t *testing.T) {
	c := testcluster.New(t)
	id := do.WellKnown(7)
	registry := do.NewRegistry()
	require.NoError(t, registry.UberDOG(id, Herald{}, true))
	require.NoError(t, registry.Behave(func() *HeraldUD { return &HeraldUD{} }))
	repo, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: "herald", Log: c.Log})
	require.NoError(t, err)
	require.NoError(t, uberdog.Serve(repo, id, &HeraldUD{}))
	c.Run(repo.Run)

	type listener struct {
		tell  func(what string) (told bool)
		heard chan string
	}
	listen := func() listener {
		heard := make(chan string, 10)
		registry := do.NewRegistry()
		require.NoError(t, registry.UberDOG(id, Herald{}, true))
		require.NoError(t, registry.Behave(func() *HeraldCL { return &HeraldCL{heard: heard} }))
		r := c.Dial(registry)
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = r.Run(ctx)
		}()
		t.Cleanup(func() { stop(); <-done })
		return listener{heard: heard, tell: func(what string) (told bool) {
			require.NoError(t, r.DoWait(t.Context(), func(ctx context.Context) error {
				h, err := client.UberDOG[HeraldCL](r, id)
				if err != nil {
					return err
				}
				told, err = h.Tell.Call(ctx, what)
				return err
			}))
			return told
		}}
	}
	hears := func(l listener, what string) {
		select {
		case heard := <-l.heard:
			require.Equal(t, what, heard)
		case <-time.After(10 * time.Second):
			require.Fail(t, "nothing was heard")
		}
	}
	one, two := listen(), listen()
	require.False(t, one.tell("nobody is there yet"))
	require.True(t, two.tell("for one"))
	require.True(t, one.tell("for two"))
	hears(one, "for one")
	hears(two, "for two")
	require.Empty(t, one.heard)
	require.Empty(t, two.heard)
}
