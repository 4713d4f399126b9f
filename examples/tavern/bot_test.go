package tavern

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
)

// play lets bots play until enough says so, then brings them to rest.
func play(t *testing.T, bots []*Bot, enough func() bool) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	bots = slices.Clone(bots)
	var wg sync.WaitGroup
	for _, b := range bots {
		wg.Go(func() { b.Run(ctx) })
	}
	end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(func() {
		end()
		for _, b := range bots {
			t.Log(b.Name(), &b.Stats)
		}
	})
	require.Eventually(t, enough, time.Minute, 10*time.Millisecond)
	for _, b := range bots {
		b.Stop()
	}
	rest, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	for _, b := range bots {
		require.NoError(t, b.Rest(rest))
	}
	return end
}

func all(bots []*Bot, fits func(s *Stats) bool) bool {
	for _, b := range bots {
		if !fits(&b.Stats) {
			return false
		}
	}
	return true
}

func TestBotsPlay(t *testing.T) {
	c := newCluster(t)
	var bots []*Bot
	for i := range 12 {
		bots = append(bots, c.bot(i, func(cfg *BotConfig) {
			cfg.Hz, cfg.Stay, cfg.Away = 20, 4*time.Second, 20*time.Millisecond
		}))
	}
	end := play(t, bots, func() bool {
		var buys, houses, says, trades uint64
		for _, b := range bots {
			buys += b.Stats.Buys.Load()
			houses += b.Stats.Houses.Load()
			says += b.Stats.Says.Load()
			trades += b.Stats.Trades.Load()
		}
		return buys > 10 && houses > 3 && says > 5 && trades > 3 &&
			all(bots, func(s *Stats) bool { return s.Relogins.Load() > 0 && s.ZoneChanges.Load() > 0 })
	})
	for _, b := range bots {
		s := &b.Stats
		require.Zero(t, s.CallsFail.Load())
		require.Zero(t, s.Failures.Load())
		require.Zero(t, s.InterestsFailed.Load())
		require.Equal(t, s.InterestsOpened.Load(), s.InterestsDone.Load())
		v, err := b.View(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, v.Objects)
		require.NotEmpty(t, v.Interests)
		require.True(t, v.Quiet)
	}
	// A seller hears of the sale by the object, its buyer of the purchase by the answer: one may be later.
	golds := map[string]int64{}
	require.Eventually(t, func() bool {
		sum := int64(0)
		for _, b := range bots {
			gold, ok := b.Gold()
			require.True(t, ok)
			golds[b.Name()] = gold
			sum += gold + b.Spent()
		}
		return sum == 10000*int64(len(bots))
	}, time.Minute, 5*time.Millisecond, "what was not drunk is still there")
	mugs := int64(0)
	for _, o := range c.Truth() {
		if o.Class.Name() != "Avatar" {
			continue
		}
		v, _ := o.Fields.Get(o.Class.FieldByName("Mugs").Number)
		n, _, err := fields.ReadInt(v)
		require.NoError(t, err)
		mugs += n
	}
	require.EqualValues(t, 4*len(bots), mugs)
	end()

	// They come back in another run, with the gold that they were told of last.
	for i := range bots {
		bots[i] = c.bot(i, func(cfg *BotConfig) { cfg.Known = true })
	}
	play(t, bots, func() bool { return all(bots, func(s *Stats) bool { return s.Logins.Load() > 0 }) })
	for _, b := range bots {
		gold, ok := b.FirstGold()
		require.True(t, ok)
		require.Equal(t, golds[b.Name()], gold)
	}
}
