package accounts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// at is a place that Objects may return.
func at(n uint64) ai.Place {
	return ai.Place{ID: do.NewID(1, 1, 100+n), At: do.Location{Parent: do.WellKnown(5), Zone: 7}}
}

func owning(list ...ai.Place) func(*Config) {
	return func(c *Config) {
		c.Objects = func(context.Context, auth.Identity) ([]ai.Place, error) { return list, nil }
	}
}

func TestObjectsComeBeforeTheLoginIsAnswered(t *testing.T) {
	w, ctx := newWorld(t, owning(at(1), at(2))), context.Background()
	who, err := w.register(ctx, flippy)
	require.NoError(t, err)
	session := w.who.Channel.String()
	require.Equal(t, []string{
		"kick account " + who.Account.String() + " 100", "release " + session + " " + who.Account.String(),
		"activate " + at(1).ID.String() + " at " + at(1).At.String() + " for " + session, "tie " + session + " " + at(1).ID.String(),
		"activate " + at(2).ID.String() + " at " + at(2).At.String() + " for " + session, "tie " + session + " " + at(2).ID.String(),
		"bind " + session + " " + who.Account.String(),
	}, w.heard())
}

// A login waits for what the session before had to go.
func TestObjectsOfTheSessionBeforeAreWaitedFor(t *testing.T) {
	w, ctx := newWorld(t, owning(at(1))), context.Background()
	w.living = map[do.ID]int{at(1).ID: 10}
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	require.Greater(t, w.slept, 500*time.Millisecond)
	require.Less(t, w.slept, 9*lastLook)

	// Not for ever: it has a clear answer, and nothing is left of the attempt.
	w.as(2)
	w.living = map[do.ID]int{at(1).ID: -1}
	w.heard()
	begun := w.at
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeExists)
	require.ErrorContains(t, err, "still there")
	require.GreaterOrEqual(t, w.at.Sub(begun), 20*time.Second)
	require.Less(t, w.at.Sub(begun), 21*time.Second)
	require.True(t, w.rows.list[0].holder.IsZero())
	for _, line := range w.heard() {
		require.NotContains(t, line, "bind")
		require.NotContains(t, line, "dismiss", "what is another's is left alone")
	}
}

// What was brought is taken back when the rest fails: the session is as it was before.
func TestObjectsOfALoginThatFailsGo(t *testing.T) {
	session := do.Session(do.NewID(0, 1, 1)).String()
	gone := func(n uint64) string { return "dismiss " + session + " " + at(n).ID.String() }
	for name, c := range map[string]struct {
		list []ai.Place
		fail func(w *world)
		last []string
		want error
	}{
		"the second lives":    {[]ai.Place{at(1), at(2)}, func(w *world) { w.living = map[do.ID]int{at(2).ID: -1} }, []string{gone(1)}, wire.CodeExists},
		"the agent is silent": {[]ai.Place{at(1)}, func(w *world) { w.tieing = &wire.Error{Code: wire.CodeTimeout} }, []string{gone(1)}, wire.CodeTimeout},
		"it is not bound":     {[]ai.Place{at(1), at(2)}, func(w *world) { w.failed = &wire.Error{Code: wire.CodeGone} }, []string{gone(1), gone(2)}, wire.CodeGone},
		"no id":               {[]ai.Place{{At: at(1).At}}, nil, nil, ErrObjects},
		"another's":           {[]ai.Place{{ID: at(1).ID, Owner: do.AI(do.NewID(0, 1, 9))}}, nil, nil, ErrObjects},
		"elsewhere":           {[]ai.Place{{ID: at(1).ID, AI: do.AI(do.NewID(0, 1, 9))}}, nil, nil, ErrObjects},
		"nobody's":            {[]ai.Place{{ID: at(1).ID, NoAI: true}}, nil, nil, ErrObjects},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, owning(c.list...))
			if c.fail != nil {
				c.fail(w)
			}
			_, err := w.register(context.Background(), flippy)
			require.ErrorIs(t, err, c.want)
			var dismissed []string
			for _, line := range w.heard() {
				if len(line) > 7 && line[:7] == "dismiss" {
					dismissed = append(dismissed, line)
				}
			}
			require.Equal(t, c.last, dismissed)
			require.True(t, w.rows.list[0].holder.IsZero(), "another may log in")
		})
	}
}

func TestObjectsMayRefuse(t *testing.T) {
	errFull := errors.New("the world is full")
	w := newWorld(t, func(c *Config) {
		c.Objects = func(context.Context, auth.Identity) ([]ai.Place, error) { return nil, errFull }
	})
	_, err := w.register(context.Background(), flippy)
	require.ErrorIs(t, err, errFull)
	require.True(t, w.rows.list[0].holder.IsZero())
}
