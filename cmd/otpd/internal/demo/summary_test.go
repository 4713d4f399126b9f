package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A world in which too little happens is found, but not held against a machine that did not let it run; what is wrong
// with what did happen counts on any machine.
func TestJudge(t *testing.T) {
	opts := Options{Bots: 20, For: 5 * time.Second}
	idle := Summary{Bots: 20, Sessions: 20}
	err := idle.judge(opts, 4*time.Second)
	require.ErrorIs(t, err, ErrWorld)
	for _, what := range []string{"zone changes", "calls", "logouts with return", "datagrams", "deliveries per update"} {
		require.ErrorContains(t, err, what)
	}
	idle.StoodStill = 0.7
	require.ErrorContains(t, idle.judge(opts, 4*time.Second), "zone changes")
	idle.StoodStill = 0.9
	require.NoError(t, idle.judge(opts, 4*time.Second))
	idle.Diverged = 1
	require.ErrorContains(t, idle.judge(opts, 4*time.Second), "1 differences")
}
