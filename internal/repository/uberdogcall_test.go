package repository

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// rule 171: one of the processes that serve an UberDOG gets a call to it. Were there more answers, the first would be the
// call's; the later ones are dropped without a word.
func TestRule171FirstAnswerCounts(t *testing.T) {
	x := newAITest(t)
	u, err := x.a.UberDOG(authID)
	require.NoError(t, err)
	got := int64(0)
	called := x.do(func(ctx context.Context) error {
		n, err := u.(*Auth).Login.Call(ctx, "flip")
		got = n
		return err
	})
	m := x.sent()
	require.ErrorIs(t, *called, errPending)
	require.Equal(t, []do.Channel{do.UberDOG(authID)}, m[0].To)
	call := m[0].Body.(*wire.Call)
	x.step(&wire.CallReply{Context: call.Context, DO: authID, Field: call.Field, Result: encode(t, 5)})
	require.NoError(t, *called)
	x.step(
		&wire.CallReply{Context: call.Context, DO: authID, Field: call.Field, Result: encode(t, 6)},
		&wire.CallReply{Context: call.Context, DO: authID, Field: call.Field, Code: wire.CodeDenied},
	)
	require.NoError(t, *called)
	require.EqualValues(t, 5, got)
	require.Empty(t, x.errs)
	require.Empty(t, x.sent())
}

// rule 171: an event of a process that serves the UberDOG itself is heard there and by the others that serve it; its call
// is its own.
func TestRule171EventReachesTheOtherServers(t *testing.T) {
	x := newAITest(t)
	u := do.New[AuthUD]()
	u.t = x.testWorld
	require.NoError(t, x.a.Serve(authID, u))
	x.sent()
	require.NoError(t, *x.do(func(context.Context) error { return u.Ping.Send("hi") }))
	x.tick(1)
	require.Equal(t, []string{"ping hi"}, x.heard())
	m := x.sent()
	require.Len(t, m, 1)
	require.Equal(t, []do.Channel{do.UberDOG(authID)}, m[0].To)
	set := m[0].Body.(*wire.SetFields)
	x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: authID})
	require.True(t, x.a.Quiet())
	require.Empty(t, x.errs)

	x.login = func(context.Context, *AuthUD, string) (int64, error) { return 5, nil }
	called := x.do(func(ctx context.Context) error { _, err := u.Login.Call(ctx, "joe"); return err })
	x.tick(1)
	require.NoError(t, *called)
	require.Empty(t, x.sent())
}
