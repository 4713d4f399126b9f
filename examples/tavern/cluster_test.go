package tavern

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/uberdog/auth/accounts"
)

// cluster is every server role in this process, with the game's world.
type cluster struct {
	*testcluster.Cluster
	t     *testing.T
	world *World
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{Cluster: testcluster.New(t), t: t}
	registry, err := AIRegistry()
	require.NoError(t, err)
	repo, err := ai.Connect(t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: "tavern", Log: c.Log})
	require.NoError(t, err)
	c.world, err = NewAI(repo, Options{Accounts: accounts.Config{Params: accounts.Cheap(), AddressBurst: -1, Log: c.Log}})
	require.NoError(t, err)
	c.Run(repo.Run)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.world.Wait(ctx))
	return c
}

// bot is one that plays in the cluster.
func (c *cluster) bot(n int, change func(*BotConfig)) *Bot {
	cfg := BotConfig{
		Addr: c.Addr, TLS: client.Pinned(c.Pin), Log: c.Log,
		Name: fmt.Sprintf("bot-%03d", n), Password: "a password of a bot", Seed: uint64(n),
	}
	if change != nil {
		change(&cfg)
	}
	return NewBot(cfg)
}
