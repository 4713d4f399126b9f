package tavern

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWalkerStaysOnTheStreetAndRepeats(t *testing.T) {
	walk := func() (path []float64) {
		w := &walker{rng: rand.New(rand.NewPCG(1, 2)), speed: Speed}
		arrived := 0
		for range 5000 {
			x, y := w.x, w.y
			if w.step(100 * time.Millisecond) {
				arrived++
				w.wander(w.x, w.y, 50)
			}
			require.LessOrEqual(t, math.Hypot(w.x-x, w.y-y), Speed*0.1+1e-9)
			_, ok := Ground().ZoneAt(w.x, w.y)
			require.True(t, ok)
			path = append(path, w.x, w.y)
		}
		require.Greater(t, arrived, 50)
		return path
	}
	require.Equal(t, walk(), walk())
}

func TestHistogram(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(0.5))
	for i := range 1000 {
		h.Add(time.Duration(i+1) * time.Millisecond)
	}
	require.InEpsilon(t, 500*time.Millisecond, h.Quantile(0.5), 0.07)
	require.InEpsilon(t, 990*time.Millisecond, h.Quantile(0.99), 0.07)
	require.InEpsilon(t, time.Second, h.Quantile(1), 0.07)
	var all Histogram
	all.Merge(&h)
	all.Add(-time.Second)
	all.Add(time.Hour)
	require.EqualValues(t, 1002, all.Count())
	require.Zero(t, all.Quantile(0))
	require.Less(t, all.Quantile(1), 2*time.Minute)
	all.Subtract(&h)
	require.EqualValues(t, 2, all.Count())
}

func TestBucketsAreSeamless(t *testing.T) {
	last := -1
	for us := range int64(1 << 16) {
		d := time.Duration(us) * time.Microsecond
		i := bucketOf(d)
		require.GreaterOrEqual(t, i, last)
		require.LessOrEqual(t, i, last+1)
		require.GreaterOrEqual(t, top(i), d)
		require.LessOrEqual(t, float64(top(i)-d), float64(d)/16+1)
		last = i
	}
}

func TestSpreadIsEven(t *testing.T) {
	for _, first := range []uint64{0, 1, 4711, 1 << 52} {
		for _, n := range []uint64{2, 20, 100} {
			low := 0
			for i := range n {
				f := spread(first + i)
				require.True(t, f >= 0 && f < 1)
				if f < 0.5 {
					low++
				}
			}
			require.InDelta(t, n/2, low, 2, "%d from %d", n, first)
		}
	}
}
