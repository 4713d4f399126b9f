package accounts

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stopped is a clock that a test sets.
type stopped struct{ at time.Time }

func (c *stopped) now() time.Time { return c.at }

func newTurnstile(slots int, memory uint64, queue int) (*turnstile, *stopped) {
	c := &stopped{time.Unix(1e9, 0)}
	return &turnstile{slots: slots, memory: memory, queue: queue, patience: 10 * time.Second, now: c.now}, c
}

// comes is one who must not be refused.
func comes(t *testing.T, s *turnstile, need uint64) (turn *turnstileTurn, ahead int) {
	turn, ahead, _, err := s.come(need)
	require.NoError(t, err)
	return turn, ahead
}

func TestTurnsAreServedInOrder(t *testing.T) {
	s, _ := newTurnstile(1, 100, 3)
	first, ahead := comes(t, s, 10)
	require.Zero(t, ahead)
	require.NoError(t, first.enter())
	var others []*turnstileTurn
	for n := range 3 {
		turn, ahead := comes(t, s, 10)
		require.Equal(t, n+1, ahead)
		others = append(others, turn)
	}
	_, ahead, _, err := s.come(10)
	require.ErrorIs(t, err, ErrBusy)
	require.Equal(t, 4, ahead)

	others[1].giveUp()
	require.ErrorIs(t, others[1].enter(), errLeft)
	first.leave()
	require.Equal(t, turnGranted, others[0].state)
	require.Equal(t, turnWaiting, others[2].state)
	others[0].giveUp() // granted, and never came: the next one has the turn
	require.ErrorIs(t, others[0].enter(), errLeft)
	require.NoError(t, others[2].enter())
	others[2].giveUp() // nothing: it is inside
	require.Equal(t, 1, s.stats().inside)
	others[2].leave()
	require.Equal(t, turnstileStats{peak: 10, served: 2, refused: 1}, s.stats())
}

func TestMemoryIsBounded(t *testing.T) {
	s, _ := newTurnstile(4, 100, 10)
	a, _ := comes(t, s, 60)
	b, ahead := comes(t, s, 60)
	require.Equal(t, 1, ahead, "there is a slot, and no memory")
	c, ahead := comes(t, s, 10)
	require.Equal(t, 2, ahead, "nobody overtakes")
	huge, _ := comes(t, s, 1000)
	require.NoError(t, a.enter())
	a.leave()
	require.NoError(t, b.enter())
	require.NoError(t, c.enter())
	require.Equal(t, turnWaiting, huge.state)
	b.leave()
	require.Equal(t, turnWaiting, huge.state, "it goes in alone")
	c.leave()
	require.NoError(t, huge.enter())
	require.EqualValues(t, 1000, s.stats().peak)
	late, ahead := comes(t, s, 1)
	require.Equal(t, 1, ahead)
	huge.leave()
	require.NoError(t, late.enter())
	late.leave()
}

func TestWhoGivesUpMakesRoomForThoseBehind(t *testing.T) {
	s, _ := newTurnstile(4, 100, 10)
	a, _ := comes(t, s, 60)
	require.NoError(t, a.enter())
	large, _ := comes(t, s, 60)
	small, _ := comes(t, s, 10)
	large.giveUp()
	require.NoError(t, small.enter())
}

func TestLongWaitsAreRefusedAtOnce(t *testing.T) {
	s, clock := newTurnstile(2, 100, 1000)
	one, _ := comes(t, s, 1)
	require.NoError(t, one.enter())
	clock.at = clock.at.Add(4 * time.Second)
	one.leave()
	for range 2 {
		comes(t, s, 1)
	}
	for n := range 5 {
		_, ahead, wait, err := s.come(1)
		require.NoError(t, err)
		require.Equal(t, n+2, ahead)
		require.Equal(t, time.Duration(n+1)*2*time.Second, wait)
	}
	_, _, wait, err := s.come(1)
	require.ErrorIs(t, err, ErrBusy)
	require.Equal(t, 12*time.Second, wait)
}

// A storm: many come, on as many goroutines. Never are more inside than may be, and all are served.
func TestStorm(t *testing.T) {
	const slots, memory, each, crowd = 3, 50, 20, 500
	s, _ := newTurnstile(slots, memory, crowd)
	var mu sync.Mutex
	var inside, most int
	var wg sync.WaitGroup
	for range crowd {
		turn, _ := comes(t, s, each)
		wg.Go(func() {
			if turn.enter() != nil {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			newHash("password", Cheap(), make([]byte, saltBytes))
			mu.Lock()
			inside--
			mu.Unlock()
			turn.leave()
		})
	}
	wg.Wait()
	st := s.stats()
	require.LessOrEqual(t, most, memory/each, "memory allows fewer than slots")
	require.LessOrEqual(t, st.peak, uint64(memory))
	require.EqualValues(t, crowd, st.served)
	require.Zero(t, st.inside)
}
