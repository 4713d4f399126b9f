package messagedirector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

const sec = time.Second

// ticks passes time in steps of a twelfth of a lease and returns who expired at the end.
func ticks(l *leases, from, to time.Duration, fresh bool) []do.ID {
	var expired []do.ID
	for now := from; now <= to; now += l.length / 12 {
		expired = l.tick(now, fresh)
	}
	return expired
}

func TestRule11LeaseRunsOut(t *testing.T) {
	l := newLeases(3*sec, 0)
	a, b := do.WellKnown(1), do.WellKnown(2)
	l.renewed(a, 0)
	l.renewed(b, 0)
	require.Empty(t, ticks(l, 0, 2750*time.Millisecond, true))
	require.Equal(t, []do.ID{a, b}, l.tick(3*sec, true))
	l.renewed(b, 3*sec)
	require.Equal(t, []do.ID{a}, l.tick(3*sec+1, true))
	l.forget(a)
	require.Empty(t, l.tick(3*sec+2, true))
}

func TestRule11WhoWasStoppedJudgesNobody(t *testing.T) {
	l := newLeases(3*sec, 0)
	a := do.WellKnown(1)
	l.renewed(a, 0)
	require.Empty(t, ticks(l, 0, 2*sec, true))
	require.Empty(t, l.tick(7*sec, true), "a late tick starts the count again")
	require.Empty(t, ticks(l, 7*sec, 9750*time.Millisecond, true))
	require.Equal(t, []do.ID{a}, l.tick(10*sec, true))
}

func TestRule11WhoCannotRenewJudgesNobody(t *testing.T) {
	l := newLeases(3*sec, 0)
	a := do.WellKnown(1)
	l.renewed(a, 0)
	require.Empty(t, ticks(l, 0, 20*sec, false))
	require.Empty(t, ticks(l, 20*sec, 22*sec, true))
	require.Equal(t, []do.ID{a}, ticks(l, 22*sec, 23*sec, true))
}

func TestSequenceOfAPeer(t *testing.T) {
	p := &peer{lost: true}
	require.Equal(t, unwanted, p.arrives(1, false), "nothing before the first hello")
	require.Equal(t, inOrder, p.arrives(4, true))
	p.lost = false
	require.Equal(t, inOrder, p.arrives(5, false))
	require.Equal(t, duplicate, p.arrives(5, false))
	require.Equal(t, duplicate, p.arrives(4, true))
	require.Equal(t, inOrder, p.arrives(6, false))
	require.Equal(t, outOfOrder, p.arrives(8, false))
	p.lost = true
	require.Equal(t, unwanted, p.arrives(9, false))
	require.Equal(t, inOrder, p.arrives(12, true))
	p.lost = false
	require.Equal(t, inOrder, p.arrives(13, false))
}
