package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testpg"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/uberdog/auth/accounts"
)

// Hero is what an account of this game has in the world. Visits counts the sessions that ended.
type Hero struct {
	do.Object
	Account do.ID                 `do:"required,db,unique"`
	Gold    int64                 `do:"required,db,ownrecv"`
	Visits  int64                 `do:"required,db,ownrecv"`
	Mood    string                `do:"required,db,ownrecv"`
	Earn    do.Call[int64, int64] `do:"ownsend,rate=10000"`
}

// HeroAI changes the hero, and leaves the saving to others.
type HeroAI struct {
	Hero
	r *ai.Repository
}

// OnEarn answers with the gold that there is then.
func (h *HeroAI) OnEarn(_ context.Context, n int64) (int64, error) {
	h.Gold += n
	return h.Gold, nil
}

// OnDelete takes its time: a player who comes back at once is faster.
func (h *HeroAI) OnDelete(ctx context.Context) error {
	if err := h.r.Sleep(ctx, rand.N(200*time.Millisecond)); err != nil {
		return err
	}
	h.Visits++
	return nil
}

// inn is a daemon, and a game that is served by processes of the test's own.
type inn struct {
	t *testing.T
	*server
}

// host serves accounts and heroes as one AI process, until the returned function ends it.
func (n *inn) host() (r *ai.Repository, end func()) {
	registry := do.NewRegistry()
	require.NoError(n.t, errors.Join(registry.Class(Hero{}), auth.Register(registry), accounts.Register(registry),
		registry.Behave(func() *HeroAI { return &HeroAI{r: r} })))
	r = joined(n.t, n.join, "inn", registry, 0)
	_, err := accounts.Serve(r, accounts.Config{
		Params: accounts.Cheap(), AddressBurst: -1, Burst: 1000, Log: slog.New(slog.DiscardHandler), ObjectsTime: patience,
		Objects: func(ctx context.Context, who auth.Identity) ([]ai.Place, error) {
			rows, err := ai.Query[Hero](ctx, r, "Account", who.Account, 1)
			if err != nil {
				return nil, err
			}
			if len(rows) > 0 {
				return []ai.Place{{ID: rows[0].ID}}, nil
			}
			h := do.New[Hero]()
			h.Account = who.Account
			id, err := r.CreateStored(ctx, h, ai.Place{})
			return []ai.Place{{ID: id}}, err
		},
	})
	require.NoError(n.t, err)
	end, _ = drive(n.t, r.Run)
	return r, end
}

// cable is the network of one player, until it is cut: then no packet passes any more, as when the player's machine
// died.
type cable struct {
	addr string
	cut  func()
}

func (n *inn) cable() *cable {
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(n.t, err)
	back, err := net.Dial("udp", n.addr)
	require.NoError(n.t, err)
	var player net.Addr
	known := make(chan struct{})
	go func() {
		b := make([]byte, 1<<16)
		for {
			k, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			if player == nil {
				player = from
				close(known)
			}
			_, _ = back.Write(b[:k]) // a packet is lost
		}
	}()
	go func() {
		b := make([]byte, 1<<16)
		for {
			k, err := back.Read(b)
			if err != nil {
				return
			}
			<-known
			_, _ = front.WriteTo(b[:k], player)
		}
	}()
	c := &cable{addr: front.LocalAddr().String(), cut: sync.OnceFunc(func() { front.Close(); back.Close() })}
	n.t.Cleanup(c.cut)
	return c
}

// guest is a player who is logged in.
type guest struct {
	n    *inn
	r    *client.Repository
	hero *Hero
}

// visit logs in, with an account that is made the first time. The hero is there when the login is answered.
func (n *inn) visit(c *cable) *guest {
	registry := do.NewRegistry()
	require.NoError(n.t, errors.Join(registry.Class(Hero{}), auth.Register(registry)))
	r := n.dial(c.addr, registry)
	g := &guest{n: n, r: r}
	require.NoError(n.t, g.do(func(ctx context.Context) error {
		if err := login(ctx, r, "remy"); err != nil {
			return err
		}
		for g.hero == nil { // it comes from its State, and the answer from the AI
			for _, h := range client.FindAll[Hero](r) {
				if r.Owned(&h.Object) {
					g.hero = h
				}
			}
			if err := r.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	}))
	return g
}

func (g *guest) do(fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(g.n.t.Context(), patience)
	defer cancel()
	return g.r.DoWait(ctx, fn)
}

// values are what the player sees of the hero.
func (g *guest) values() (h struct {
	Gold, Visits int64
	Mood         string
},
) {
	require.NoError(g.n.t, g.do(func(context.Context) error {
		h.Gold, h.Visits, h.Mood = g.hero.Gold, g.hero.Visits, g.hero.Mood
		return nil
	}))
	return h
}

// A player logs in, plays, and vanishes without a word, and comes back at once or by and by, while the hero of before still
// says its last words: what was answered is there, and what nobody saved, and each visit has ended once. One daemon and
// two AI processes that share the logins, over QUIC. (K6, K7, rules 101, 131)
func TestK6PlayersVanishAndComeBack(t *testing.T) {
	for kind, args := range map[string][]string{"sqlite": nil, "postgres": {"--db=" + testpg.URL(t)}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			n := &inn{t: t, server: serve(t, data, args...)}
			one, _ := n.host()
			two, _ := n.host()
			var gold atomic.Int64 // the most that was answered
			const visits = 12
			for visit := range int64(visits) {
				c := n.cable()
				g := n.visit(c)
				was := g.values()
				require.Equal(t, visit, was.Visits, "each visit before has ended, and once")
				require.GreaterOrEqual(t, was.Gold, gold.Load(), "what was answered is there")
				if visit > 0 {
					require.Equal(t, fmt.Sprint("visit ", visit-1), was.Mood, "what nobody saved is there")
				}
				require.NoError(t, g.do(func(ctx context.Context) error {
					for range 20 {
						earned, err := g.hero.Earn.Call(ctx, 1)
						if err != nil {
							return err
						}
						gold.Store(earned)
					}
					return nil
				}))
				changed := 0
				for _, r := range []*ai.Repository{one, two} {
					require.NoError(t, r.DoWait(t.Context(), func(context.Context) error {
						for _, h := range ai.FindAll[HeroAI](r) {
							h.Mood = fmt.Sprint("visit ", visit) // and nobody saves it
							changed++
						}
						return nil
					}))
				}
				require.Equal(t, 1, changed, "one process runs the hero")
				leaving := make(chan struct{})
				require.NoError(t, g.r.Do(func(ctx context.Context) error {
					close(leaving)
					for { // something is always on its way
						earned, err := g.hero.Earn.Call(ctx, 1)
						if err != nil {
							return err
						}
						gold.Store(earned)
					}
				}))
				<-leaving
				time.Sleep(rand.N(20 * time.Millisecond)) // to vanish at any moment
				c.cut()
			}
		})
	}
}

// The daemon, and with it every State and agent, is killed while a player is there: nothing is owned by who is not there any
// more, and the next login does not wait for anybody.
func TestK6DaemonDiesWithThePlayersThere(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	n := &inn{t: t, server: serve(t, data)}
	r, end := n.host()
	g := n.visit(n.cable())
	id := g.hero.ID()
	require.NoError(t, g.do(func(ctx context.Context) error {
		_, err := g.hero.Earn.Call(ctx, 5)
		if err != nil {
			return err
		}
		_, err = g.hero.Earn.Call(ctx, 5)
		return err
	}))
	require.Eventually(t, func() bool {
		stored := int64(0)
		err := r.DoWait(t.Context(), func(ctx context.Context) error {
			row, err := ai.Load[Hero](ctx, r, id)
			stored = row.Object.Gold
			return err
		})
		return err == nil && stored == 10
	}, patience, 5*time.Millisecond)
	n.kill()
	end()
	for _, left := range leftBehind(t, data) {
		require.NoError(t, os.Remove(left))
	}
	n.server = serve(t, data)
	n.host()
	g = n.visit(n.cable())
	require.EqualValues(t, 10, g.values().Gold)
}
