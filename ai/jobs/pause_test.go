package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestT25PausesDoubleAndDiffer(t *testing.T) {
	p := Policy{Backoff: time.Second, Longest: time.Minute}
	for attempt, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 8: time.Minute, 1000: time.Minute,
	} {
		require.Equal(t, most/2, p.pause(attempt, 0), "%d", attempt)
		require.Equal(t, most, p.pause(attempt, 1), "%d", attempt)
		require.Equal(t, most*3/4, p.pause(attempt, 0.5), "%d", attempt)
	}
}

func TestJobIDsSortByTime(t *testing.T) {
	now := time.Now()
	last := jobID(now)
	for n := range 1000 {
		next := jobID(now.Add(time.Duration(n+1) * time.Millisecond))
		require.Equal(t, -1, last.Compare(next))
		require.EqualValues(t, 1, next.Partition())
		last = next
	}
	require.Equal(t, State("done"), stateOf(doneOn("x", now)))
	require.Equal(t, State(""), stateOf("x"))
}
