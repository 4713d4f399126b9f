package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A world in which too little happens for the time that the machine let it run is found; what is wrong with what did
// happen counts on any machine.
func TestJudge(t *testing.T) {
	opts := Options{Bots: 20, For: 5 * time.Second}
	idle := Summary{Bots: 20, Sessions: 20}
	err := idle.judge(opts, 4*time.Second)
	require.ErrorIs(t, err, ErrWorld)
	for _, what := range []string{"zone changes", "calls", "logouts with return", "datagrams", "deliveries per update", "trades"} {
		require.ErrorContains(t, err, what)
	}
	// 20 bots change zones 20 times in 4 s, and 10 times in 2.
	some := Summary{Bots: 20, Sessions: 20, MeanInView: 4, Updates: 100, Deliveries: 200, ZoneChanges: 15, CallsOK: 8, Relogins: 4, Trades: 1, Datagrams: 9, Partitions: 4}
	require.ErrorContains(t, some.judge(opts, 4*time.Second), "zone changes")
	some.StoodStill = 2
	require.NoError(t, some.judge(opts, 4*time.Second))
	some.Diverged = 1
	require.ErrorContains(t, some.judge(opts, 4*time.Second), "1 differences")
}
