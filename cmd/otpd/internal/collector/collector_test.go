package collector

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPercentFollowsTheHeap(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 300, 50 << 20: 300, 128 << 20: 300, 200 << 20: 250, 512 << 20: 100, 8 << 30: 100, math.MaxUint64: 100,
	} {
		require.Equal(t, want, percent(live), live)
	}
	// Garbage is bounded by spare, or by what is live where that is more.
	for live := uint64(1 << 20); live < 4<<30; live += 7 << 20 {
		garbage := live * uint64(percent(live)) / 100
		require.LessOrEqual(t, garbage, max(spare, live))
	}
}

func current() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

func TestStartSetsAndStopTakesBack(t *testing.T) {
	if v, ok := os.LookupEnv("GOGC"); ok {
		require.NoError(t, os.Unsetenv("GOGC"))
		defer func() { require.NoError(t, os.Setenv("GOGC", v)) }()
	}
	runtime.GC()
	stop := Start()
	require.Equal(t, percent(live()), current())
	require.Greater(t, current(), leastPercent)
	stop()
	stop()
	require.Equal(t, leastPercent, current())

	t.Setenv("GOGC", "150")
	debug.SetGCPercent(150)
	defer debug.SetGCPercent(leastPercent)
	Start()()
	require.Equal(t, 150, current())
}
