package clientagent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// TestManySessionsAreSweptInTurn: a sweep looks at a part of thousands of sessions, and none is left out.
func TestManySessionsAreSweptInTurn(t *testing.T) {
	const sessions = 40 * sweepSome
	s, err := New(Config{Instance: do.NewID(0, 1, 1), MaxSessions: sessions})
	require.NoError(t, err)
	var out wire.Outbox
	now := int64(1e9)
	tick := func(passed time.Duration) {
		now += int64(passed)
		require.NoError(t, s.Step(wire.Message{From: s.self, Body: &wire.Tick{Unix: now}}, &out))
		out.Reset()
	}
	tick(0)
	for i := range sessions {
		require.NoError(t, s.Step(wire.Message{From: s.self, Body: &wire.SessionOpened{Session: do.NewID(0, 2, uint64(i+1))}}, &out))
	}
	tick(s.cfg.HelloTimeout)
	require.Equal(t, sessions, len(s.order))
	tick(time.Second) // nobody said Hello: the first part ends
	require.Equal(t, sessions-sessions/sweepRound, len(s.order))
	sweeps := 1
	for len(s.order) > 0 {
		tick(time.Duration(sweepEvery))
		sweeps++
		require.LessOrEqual(t, sweeps, 4*sweepRound, "%d are left", len(s.order))
	}
	require.Equal(t, []Ejects{{wire.ReasonHeartbeat, sessions}}, s.Stats().Ejects)
}

// TestBacklogIsOnlyOfWhatIsUnwritten: who asks what is unwritten does not pass by all sessions.
func TestBacklogIsOnlyOfWhatIsUnwritten(t *testing.T) {
	s, ids := fanned(t, 3)
	written := func(session do.ID) {
		var out wire.Outbox
		require.NoError(t, s.Step(wire.Message{From: s.self, Body: &wire.SessionDrained{Session: session}}, &out))
	}
	require.Len(t, s.Backlogged(), 3, "what they heard when they came")
	for _, id := range ids {
		written(id)
	}
	require.Empty(t, s.Backlogged())
	require.Empty(t, s.unwritten)

	next := movement(s, false)
	var out wire.Outbox
	for range 2 { // one is no more than its output
		require.NoError(t, s.Step(next(), &out))
		s.Flush(func(*Out) {})
	}
	require.Len(t, s.Backlogged(), 3)
	written(ids[1])
	left := s.Backlogged()
	require.Len(t, left, 2)
	require.NotContains(t, []do.ID{left[0].Session, left[1].Session}, ids[1])
	require.NoError(t, s.Step(wire.Message{From: s.self, Body: &wire.SessionClosed{Session: ids[0]}}, &out))
	require.Len(t, s.Backlogged(), 1, "it has ended")
}
