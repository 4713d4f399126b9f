package repository

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

func accept(t testing.TB) []byte {
	return append(fields.AppendArrayHeader(nil, 1), encode(t, "yes")...)
}

func (x *clientTest) called(alias, call uint32, with string) *wire.ClientCalled {
	return &wire.ClientCalled{Call: call, Alias: alias, Field: x.class.FieldByName("Duel").Number, Timeout: 3000, Args: encode(x.t, with)}
}

// What the owner's handler sets is done before its answer leaves; others run while it waits.
func TestOwnerAnswersAfterItsEffects(t *testing.T) {
	x := newClientTest(t)
	x.enter(1, 1, true, "Name", "Flippy", "HP", 15)
	x.heard()
	x.duel = func(ctx context.Context, a *Avatar, with string) (answer, error) {
		x.note("duel with %s", with)
		until, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Unix(0, x.now+3*second), until)
		a.HP = 20
		return answer{"yes"}, nil
	}
	x.feed(x.called(1, 7, "Joe"))
	require.Equal(t, []string{"duel with Joe"}, x.heard())
	out := x.sent()
	require.Len(t, out, 1, "%v", out)
	set := out[0].(*wire.ClientSet)
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, []wire.Frame{&wire.ClientAnswer{Call: 7, Result: accept(t)}}, x.sent())

	// A refused effect is a refused call.
	x.feed(x.called(1, 8, "Joe"))
	require.Equal(t, []wire.Frame{&wire.ClientAnswer{Call: 8, Result: accept(t)}}, x.sent(), "nothing changed")
	x.duel = func(_ context.Context, a *Avatar, _ string) (answer, error) {
		a.HP = 30
		return answer{"yes"}, nil
	}
	x.feed(x.called(1, 9, "Joe"))
	set = x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientRefused{Context: set.Context, Alias: 1, Code: wire.CodeRate, Text: "slowly"})
	require.Equal(t, []wire.Frame{&wire.ClientAnswer{Call: 9, Code: wire.CodeRate, Text: "slowly"}}, x.sent())
	require.True(t, x.c.Quiet())
}

// Every call has one answer, whatever is wrong with it.
func TestOwnerRefuses(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "HP", 15)
	x.duel = func(_ context.Context, a *Avatar, with string) (answer, error) {
		a.HP = 20
		if with == "long" {
			return answer{"longer than eight"}, nil
		}
		return answer{}, errors.New("not now")
	}
	for _, c := range []struct {
		why  string
		edit func(f *wire.ClientCalled)
		code wire.Code
	}{
		{"the game says no", func(*wire.ClientCalled) {}, wire.CodeHandler},
		{"a result that breaks a constraint", func(f *wire.ClientCalled) { f.Args = encode(t, "long") }, wire.CodeHandler},
		{"no object", func(f *wire.ClientCalled) { f.Alias = 9 }, wire.CodeNoObject},
		{"no field", func(f *wire.ClientCalled) { f.Field = fields.MaxNumber }, wire.CodeNoField},
		{"no call", func(f *wire.ClientCalled) { f.Field = x.class.FieldByName("Say").Number }, wire.CodeNoField},
		{"no handler", func(f *wire.ClientCalled) { f.Field = x.class.FieldByName("Buy").Number }, wire.CodeNoAI},
		{"wrong value", func(f *wire.ClientCalled) { f.Args = encode(t, 5) }, wire.CodeValue},
	} {
		f := x.called(1, 7, "Joe")
		c.edit(f)
		x.feed(f)
		out := x.sent()
		require.Len(t, out, 1, c.why)
		got := out[0].(*wire.ClientAnswer)
		require.Equal(t, c.code, got.Code, "%s: %s", c.why, got)
		require.EqualValues(t, 7, got.Call, c.why)
		require.EqualValues(t, 15, a.HP, "%s: what it changed is undone", c.why)
	}
}

// Clients do not call owners, not even by a grant; nothing is answered after the end of the session.
func TestOwnerCallsAreNotForClients(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	require.NoError(t, x.c.Allow(&a.Object, "Duel"))
	err := x.do(func(ctx context.Context) error { _, err := a.Duel.Call(ctx, "me"); return err })
	require.ErrorIs(t, *err, ErrDenied)
	require.Empty(t, x.sent())

	x.duel = func(ctx context.Context, a *Avatar, _ string) (answer, error) {
		_, err := a.Buy.Call(ctx, order{"sword"})
		return answer{"yes"}, err
	}
	x.feed(x.called(1, 7, "Joe"))
	require.IsType(t, &wire.ClientCall{}, x.sent()[0])
	x.feed(&wire.ClientEject{Reason: wire.ReasonKicked})
	require.Empty(t, x.sent())
}

// An AI calls the owner through the object's State, and an AI that is the owner answers by it.
func TestAICallsOwner(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	var got answer
	err := x.do(func(ctx context.Context) (err error) { got, err = a.Duel.Call(ctx, "Joe"); return err })
	m := x.sent()
	require.Len(t, m, 1)
	require.Equal(t, []do.Channel{do.ObjectChannel(a.ID())}, m[0].To)
	call := m[0].Body.(*wire.Call)
	require.Equal(t, x.a.Channel(), call.Caller)
	require.Equal(t, x.now+10*second, call.Deadline)

	// This AI is the owner as well: the State gives it its own call.
	x.duel = func(_ context.Context, a *Avatar, with string) (answer, error) { a.HP = 42; return answer{"yes"}, nil }
	x.from(x.a.Channel(), call)
	b := x.one().(*wire.Bundle)
	require.Len(t, b.Ops, 2)
	require.Equal(t, wire.OpSet, b.Ops[0].Kind)
	reply := b.Ops[1]
	require.Equal(t, x.a.Channel(), reply.Caller)
	require.Equal(t, accept(t), reply.Reply.Result)
	x.step(&wire.CallReply{Context: reply.Reply.Context, DO: a.ID(), Field: call.Field, Result: reply.Reply.Result})
	require.NoError(t, *err)
	require.Equal(t, answer{"yes"}, got)
}
