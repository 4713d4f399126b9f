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
		for i, u := range s.order {
			require.True(t, u.at == i && s.sessions[u.id] == u, "each is known by its index")
		}
	}
	require.Equal(t, []Ejects{{wire.ReasonHeartbeat, sessions}}, s.Stats().Ejects)
}

// TestManyRequestsAreSweptInTurn: so does one with thousands of requests that nobody answers.
func TestManyRequestsAreSweptInTurn(t *testing.T) {
	const requests = 40 * sweepSome
	s, ids := fanned(t, 1)
	u := s.sessions[ids[0]]
	step := func(b wire.Body) {
		var out wire.Outbox
		require.NoError(t, s.Step(wire.Message{To: []do.Channel{s.self}, Body: b}, &out))
	}
	step(&wire.SessionDrained{Session: u.id})
	for i := range requests {
		s.requests.add(request{kind: requestSet, t: u, client: uint32(i + 1), deadline: s.now + int64(time.Second)})
	}
	step(&wire.Tick{Unix: s.now + int64(time.Second)})
	require.Equal(t, requests-requests/sweepRound, u.requests)
	for sweeps := 1; u.requests > 0; sweeps++ {
		step(&wire.Tick{Unix: s.now + sweepEvery})
		require.LessOrEqual(t, sweeps, sweepRound)
	}
	refused := map[uint32]bool{}
	for b := u.out.Stream; len(b) > 0; {
		f, n, err := wire.NextFrame(b)
		require.NoError(t, err)
		if r, ok := f.(*wire.ClientRefused); ok {
			refused[r.Context] = true
		}
		b = b[n:]
	}
	require.Len(t, refused, requests, "each is answered")
}

// TestRule1SessionIsAddressedOnce: by whatever channels a message names it.
func TestRule1SessionIsAddressedOnce(t *testing.T) {
	s, ids := fanned(t, 3)
	account := do.NewID(0, 7, 7)
	var out wire.Outbox
	for _, id := range ids[:2] {
		require.NoError(t, s.Step(wire.Message{To: []do.Channel{do.Session(id)}, Body: &wire.SetClientID{Account: account}}, &out))
	}
	for _, c := range []struct {
		to   []do.Channel
		want int
	}{
		{[]do.Channel{do.Session(ids[0]), do.Session(ids[0])}, 1},
		{[]do.Channel{do.Session(ids[0]), do.Account(account)}, 2},
		{[]do.Channel{do.Account(account), do.AllClients(), do.Session(ids[2])}, 3},
		{[]do.Channel{do.Session(do.NewID(0, 8, 8))}, 0},
	} {
		for range 2 { // the next message finds them again
			named := map[*session]int{}
			for _, u := range s.addressees(c.to) {
				named[u]++
				require.Equal(t, 1, named[u])
			}
			require.Len(t, named, c.want, "%v", c.to)
		}
	}
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

// TestRule100WhoNeverAcknowledgesIsCut: an alias is not given again until its leave is acknowledged, so a client that reads, and
// never says so, would take more and more of them.
func TestRule100WhoNeverAcknowledgesIsCut(t *testing.T) {
	s, ids := fanned(t, 1)
	s.cfg.Backlog = 4 << 10
	step := func(b wire.Body) {
		var out wire.Outbox
		require.NoError(t, s.Step(wire.Message{To: []do.Channel{s.self}, Body: b}, &out))
		s.Flush(func(o *Out) { o.Written = true })
	}
	u := s.sessions[ids[0]]
	step(&wire.SessionDrained{Session: u.id})
	round := func() {
		answer := snapshot(opened(t, s, u.id, 30), s.schema.Class("Avatar"), 30, 300)
		for _, z := range answer {
			step(z)
		}
		step(&wire.SessionFrames{Session: u.id, Bytes: wire.AppendFrame(nil, &wire.ClientRemoveInterest{Handle: 2})})
		step(&wire.Tick{Unix: s.now + int64(time.Second)})
	}
	for range 8 {
		round()
		step(&wire.SessionFrames{Session: u.id, Bytes: wire.AppendFrame(nil, &wire.ClientHeartbeat{Frames: u.sent})})
	}
	require.Zero(t, u.unacked.len())
	for range 3 {
		round()
	}
	require.Equal(t, 900, u.unacked.len())
	require.False(t, u.ended)
	round()
	require.True(t, u.ended)
	require.Equal(t, []Ejects{{wire.ReasonSlow, 1}}, s.Stats().Ejects)
	require.Less(t, s.aliases.slots.len(), 3000)
}
