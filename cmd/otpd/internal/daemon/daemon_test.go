package daemon

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/wire"
)

// Door lets anybody in.
type Door struct {
	do.Object
	Knock do.Call[string, do.ID] `do:"clsend"`
}

type DoorUD struct {
	Door
	repo *ai.Repository
}

// OnKnock makes the caller an avatar.
func (d *DoorUD) OnKnock(ctx context.Context, name string) (do.ID, error) {
	who := uberdog.CallerOf(ctx)
	s := d.repo.Session(who.Channel)
	if err := s.SetState(ctx, wire.StateEstablished); err != nil {
		return do.ID{}, err
	}
	a := do.New[AvatarAI]()
	a.Name = name
	if err := d.repo.CreateAs(a, ai.Place{At: do.Location{Parent: do.WellKnown(1000), Zone: 7}, Owner: who.Channel}); err != nil {
		return do.ID{}, err
	}
	if err := d.repo.Await(ctx, &a.Object); err != nil {
		return do.ID{}, err
	}
	return a.ID(), s.AddObject(ctx, a.ID())
}

type Street struct {
	do.Object
	Name string `do:"required,broadcast"`
}

type Avatar struct {
	do.Object
	Name string                `do:"required,broadcast"`
	X    int16                 `do:"ram,broadcast,ownsend"`
	Gold int64                 `do:"required,ownrecv,default=10"`
	Pay  do.Call[int64, int64] `do:"ownsend"`
	Say  do.Event[string]      `do:"broadcast,ownsend"`
}

type AvatarAI struct{ Avatar }

// OnPay takes gold.
func (a *AvatarAI) OnPay(_ context.Context, n int64) (int64, error) {
	a.Gold -= n
	return a.Gold, nil
}

func registry(t *testing.T, behaviours ...any) *do.Registry {
	r := do.NewRegistry()
	require.NoError(t, r.Class(Street{}))
	require.NoError(t, r.Class(Avatar{}))
	require.NoError(t, r.UberDOG(do.WellKnown(4670), Door{}, true))
	for _, b := range behaviours {
		require.NoError(t, r.Behave(b))
	}
	return r
}

func TestAWholeWorldInOneProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Dev: true, Partitions: 16, States: 4, Agents: 1, Bus: "127.0.0.1:0", Admin: "127.0.0.1:0", Heartbeat: time.Minute}
	d, err := Start(ctx, cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Stop()) }()

	door := &DoorUD{}
	repo, err := ai.Connect(ctx, ai.Config{Director: d.Director(), Registry: registry(t, func() *AvatarAI { return &AvatarAI{} }, func() *DoorUD { return door }), Name: "test"})
	require.NoError(t, err)
	door.repo = repo
	require.NoError(t, uberdog.Serve(repo, do.WellKnown(4670), door))
	aiCtx, stopAI := context.WithCancel(ctx)
	aiDone := make(chan error, 1)
	go func() { aiDone <- repo.Run(aiCtx) }()
	defer func() { stopAI(); <-aiDone }()
	require.NoError(t, repo.DoWait(ctx, func(ctx context.Context) error {
		s := do.New[Street]()
		s.Name = "Punchline Place"
		return repo.CreateAs(s, ai.Place{ID: do.WellKnown(1000)})
	}))

	enter := func(name string) (*client.Repository, do.ID) {
		c, err := client.Dial(ctx, d.Addrs()[0].String(), client.Config{Registry: registry(t), TLS: link.Pinned(d.Pin())})
		require.NoError(t, err)
		cctx, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- c.Run(cctx) }()
		t.Cleanup(func() { stop(); <-done })
		var id do.ID
		require.NoError(t, c.DoWait(ctx, func(ctx context.Context) error {
			g, err := client.UberDOG[Door](c, do.WellKnown(4670))
			if err != nil {
				return err
			}
			if id, err = g.Knock.Call(ctx, name); err != nil {
				return err
			}
			in, err := c.AddInterest(do.WellKnown(1000), 7)
			if err != nil {
				return err
			}
			return in.Wait(ctx)
		}))
		return c, id
	}
	one, id1 := enter("Flippy")
	two, id2 := enter("Dimm")
	require.NoError(t, one.DoWait(ctx, func(ctx context.Context) error {
		a := client.Find[Avatar](one, id1)
		require.NotNil(t, a)
		require.EqualValues(t, 10, a.Gold)
		left, err := a.Pay.Call(ctx, 3)
		require.NoError(t, err)
		require.EqualValues(t, 7, left)
		require.EqualValues(t, 7, a.Gold, "the receipt does not overtake the gold")
		a.X = 5
		return a.Save()
	}))
	require.Eventually(t, func() bool {
		var x int16
		require.NoError(t, two.DoWait(ctx, func(context.Context) error {
			if a := client.Find[Avatar](two, id1); a != nil {
				x = a.X
			}
			return nil
		}))
		return x == 5
	}, time.Minute, 10*time.Millisecond)
	_ = id2
}
