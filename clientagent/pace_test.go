package clientagent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load lets so many frames a second go to so many sessions, for a second.
func (p *pace) load(now time.Time, frames, sessions int) time.Time {
	seen := make([]uint64, sessions)
	owed := p.frames
	for range time.Second / paceWindow {
		now = now.Add(paceWindow)
		owed += uint64(frames / int(time.Second/paceWindow))
		for i := range seen {
			seen[i] = p.flushing(seen[i])
		}
		p.measure(now, owed)
	}
	return now
}

func testPace() pace {
	p := newPace(0)
	p.packets, p.latest, p.atOnce = 16_000, 25_000, 26_000
	return p
}

func TestFlushFollowsTheLoad(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		frames, sessions int
		least, most      time.Duration
	}{
		{100, 2, 0, 0},
		{24_500, 50, 0, 0}, // a packet for each is what there is time for
		{200_000, 100, 5 * time.Millisecond, 6 * time.Millisecond},
		{40_000, 200, 7 * time.Millisecond, 8 * time.Millisecond}, // a frame comes for each session every 5 ms
		{800_000, 200, flushMost, flushMost},
		{200_000, 2, 0, 200 * time.Microsecond}, // two that hear much: packets are few
	} {
		p := testPace()
		now = p.load(now, c.frames, c.sessions)
		require.GreaterOrEqual(t, p.interval(), c.least, c)
		require.LessOrEqual(t, p.interval(), c.most, c)
	}
}

func TestFlushCalmsDownAfterALoad(t *testing.T) {
	p := testPace()
	now := p.load(time.Unix(1000, 0), 200_000, 100)
	require.Positive(t, p.interval())
	now = p.load(now, 24_500, 100)
	require.Positive(t, p.interval(), "it does not change its mind for a little less")
	now = p.load(now, 15_000, 100)
	require.Zero(t, p.interval())
	now = p.load(now, 24_500, 100)
	require.Zero(t, p.interval(), "nor for a little more")

	now = p.load(now, 200_000, 100)
	require.Positive(t, p.interval())
	now = now.Add(time.Minute)
	p.measure(now, p.frames+100)
	require.Zero(t, p.interval(), "it was idle")
}

func TestFlushSlots(t *testing.T) {
	p := testPace()
	step, slots := p.step()
	require.Zero(t, step)
	require.Equal(t, 1, slots)
	p.load(time.Unix(1000, 0), 200_000, 100)
	step, slots = p.step()
	require.Equal(t, 5, slots)
	require.InDelta(t, 1.1, step.Seconds()*1e3, 0.2)
}

// TestLatestValuesAloneTakeTurns: where the longest interval does not keep packets to what there is time for.
func TestLatestValuesAloneTakeTurns(t *testing.T) {
	for _, c := range []struct{ frames, sessions, turns int }{
		{24_500, 50, 1},
		{800_000, 200, 1},
		{3_200_000, 400, 2},
		{9_000_000, 700, 3},
		{90_000_000, 5000, turnsMost},
	} {
		p := testPace()
		p.load(time.Unix(1000, 0), c.frames, c.sessions)
		require.Equal(t, c.turns, p.turns(), c)
	}
}

func TestFlushWaitsLongerWhileTheMachineIsBehind(t *testing.T) {
	p := newPace(8 * time.Millisecond)
	now := time.Unix(1000, 0)
	late := func(by time.Duration) {
		p.due = now
		now = now.Add(by)
		p.flushed(now)
	}
	late(time.Millisecond)
	require.Zero(t, p.interval(), "a timer is never quite in time")
	for range 10 {
		late(20 * time.Millisecond)
	}
	require.Equal(t, 8*time.Millisecond, p.interval(), "the machine is behind, and the bound was set")
	for range 100 {
		late(0)
	}
	require.Zero(t, p.interval(), "and is so no more")

	p.flushed(now.Add(time.Hour))
	require.Zero(t, p.interval(), "nothing was due")
}
