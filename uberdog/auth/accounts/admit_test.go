package accounts

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

func with(p Sessions) func(*Config) { return func(c *Config) { c.Sessions = p } }

func TestSessionsHaveNames(t *testing.T) {
	for _, p := range []Sessions{KickOld, RefuseNew, AllowMany} {
		text, err := p.MarshalText()
		require.NoError(t, err)
		var back Sessions
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, p, back)
	}
	var p Sessions
	require.EqualError(t, p.UnmarshalText([]byte("both")), `accounts: sessions "both": want kick, refuse or allow`)
}

func TestConfigIsChecked(t *testing.T) {
	for name, c := range map[string]Config{
		"hashes":   {Hashes: -1},
		"queue":    {Queue: -1},
		"patience": {Patience: -1},
		"sessions": {Sessions: 3},
		"objects of many sessions": {
			Sessions: AllowMany, Objects: func(context.Context, auth.Identity) ([]ai.Place, error) { return nil, nil },
		},
		"time of objects": {ObjectsTime: -1},
	} {
		_, err := newService(c)
		require.ErrorIs(t, err, ErrConfig, name)
	}
	_, err := newService(Config{Params: Params{Time: 1000}})
	require.ErrorIs(t, err, ErrHash)
}

func TestRefuseTheNewSession(t *testing.T) {
	w, ctx := newWorld(t, with(RefuseNew)), context.Background()
	made, err := w.register(ctx, flippy)
	require.NoError(t, err)
	first := w.who.Channel
	w.heard()

	w.as(2)
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeExists)
	require.Empty(t, w.heard(), "nobody is kicked and nobody bound")

	// Its holder died with its agent, which could not say so.
	w.dead[first] = true
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
	require.Equal(t, "kick "+first.String()+" 100", w.heard()[0], "should it live after all")
	require.Equal(t, w.who.Channel.ID, w.rows.list[0].holder)

	// The agent took the holder back when the session ended.
	require.NoError(t, w.freeNow(ctx, w.who.Channel, made.Account))
	w.as(3)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
}

func TestAllowManySessions(t *testing.T) {
	w, ctx := newWorld(t, with(AllowMany)), context.Background()
	made, err := w.register(ctx, flippy)
	require.NoError(t, err)
	w.as(2)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
	bind := func(n uint64) string {
		return "bind " + do.Session(do.NewID(0, 1, n)).String() + " " + made.Account.String()
	}
	require.Equal(t, []string{bind(1), bind(2)}, w.heard())
}

func TestFailedLoginFreesTheAccount(t *testing.T) {
	w, ctx := newWorld(t, with(RefuseNew)), context.Background()
	w.failed = &wire.Error{Code: wire.CodeGone}
	_, err := w.register(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeGone)
	require.True(t, w.rows.list[0].holder.IsZero())
	w.failed = nil
	w.as(2)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
}

// Two processes serve Auth; two sessions log in to one account at once, one by each. Whatever comes between, one of them
// is the holder, and the other was kicked by the holder's process or ended by its own.
func TestTwoProcessesAgreeOnOneSession(t *testing.T) {
	ctx := context.Background()
	for name, race := range map[string]func(left, right *world, login func(*world, uint64)){
		"between claim and bind": func(left, right *world, login func(*world, uint64)) {
			left.binding = func() {
				left.binding = nil
				login(right, 20)
			}
			login(left, 10)
		},
		"before the claim": func(left, right *world, login func(*world, uint64)) {
			left.rows.before = func() {
				left.rows.before = nil
				login(right, 20)
			}
			login(left, 10)
		},
		"one after the other": func(left, right *world, login func(*world, uint64)) {
			login(left, 10)
			login(right, 20)
		},
	} {
		t.Run(name, func(t *testing.T) {
			rows := &memory{}
			left, right := newWorldOn(t, rows), newWorldOn(t, rows)
			_, err := left.register(ctx, flippy)
			require.NoError(t, err)
			left.heard()
			login := func(w *world, session uint64) {
				w.as(session)
				_, _ = w.login(ctx, flippy) // the loser has an error, or not yet
			}
			race(left, right, login)
			require.Equal(t, []string{do.Session(rows.list[0].holder).String()}, stillBound(left.heard()))
		})
	}
}

// stillBound plays what agents were told, and lists the sessions that are bound in the end.
func stillBound(log []string) (bound []string) {
	ended := map[string]bool{}
	for _, line := range log {
		words := strings.Fields(line)
		session := strings.Join(words[1:3], " ")
		switch {
		case words[0] == "kick" && words[1] == "account":
			bound = nil
		case words[0] == "kick":
			ended[session] = true
			bound = slices.DeleteFunc(bound, func(s string) bool { return s == session })
		case words[0] == "bind" && !ended[session]:
			bound = append(bound, session)
		}
	}
	return bound
}

// Of two processes that refuse the newer session, one lets its session in.
func TestTwoProcessesRefuseAllButOne(t *testing.T) {
	ctx, rows := context.Background(), &memory{}
	left, right := newWorldOn(t, rows, with(RefuseNew)), newWorldOn(t, rows, with(RefuseNew))
	made, err := left.register(ctx, flippy)
	require.NoError(t, err)
	require.NoError(t, left.freeNow(ctx, left.who.Channel, made.Account))
	rows.before = func() {
		rows.before = nil
		right.as(20)
		_, err := right.login(ctx, flippy)
		require.NoError(t, err)
	}
	left.as(10)
	_, err = left.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeExists, "right was faster, and its session lives")
	require.Equal(t, do.NewID(0, 1, 20), rows.list[0].holder)
}

func TestChangesOfTwoProcessesAreBothKept(t *testing.T) {
	ctx, rows := context.Background(), &memory{}
	left, right := newWorldOn(t, rows), newWorldOn(t, rows)
	made, err := left.register(ctx, flippy)
	require.NoError(t, err)
	left.who.Account = made.Account
	rows.before = func() {
		rows.before = nil
		right.who.Channel = do.AI(do.NewID(0, 1, 1))
		_, err := right.setRoles(ctx, auth.RoleChange{Name: "Flippy", Roles: []string{auth.RoleAdmin, "tester", "tester"}})
		require.NoError(t, err)
	}
	_, err = left.token(ctx, auth.TokenRequest{Device: "phone"})
	require.NoError(t, err)
	require.Equal(t, []string{auth.RoleAdmin, "tester"}, rows.list[0].roles)
	require.Len(t, rows.list[0].tokens, 1)

	// A row that changes for ever is given up.
	rows.before = func() { rows.list[0].row++ }
	_, err = left.token(ctx, auth.TokenRequest{})
	require.ErrorIs(t, err, wire.CodeConflict)
}
