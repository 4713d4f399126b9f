package clientagent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFlushFollowsTheLoad(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	require.Equal(t, 50*time.Microsecond, p.interval(2))
	require.Equal(t, flushMost, p.interval(1000))
	step, slots := p.step(2)
	require.Equal(t, 50*time.Microsecond, step)
	require.Equal(t, 1, slots)
	step, slots = p.step(200)
	require.Equal(t, time.Millisecond, step)
	require.Equal(t, 5, slots)

	late := func(by time.Duration) {
		p.due = now
		now = now.Add(by)
		p.flushed(now)
	}
	late(time.Millisecond)
	require.Equal(t, 50*time.Microsecond, p.interval(2), "a timer is never quite in time")
	for range 10 {
		late(20 * time.Millisecond)
	}
	require.Equal(t, flushMost, p.interval(2), "the machine is behind")
	for range 100 {
		late(0)
	}
	require.Equal(t, 50*time.Microsecond, p.interval(2), "and is so no more")

	p.flushed(now.Add(time.Hour))
	require.Equal(t, 50*time.Microsecond, p.interval(2), "nothing was due")
}
