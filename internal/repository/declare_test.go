package repository

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// rules 89, 90: an object that was declared is known without being seen: it can be sent to, and hears what is sent to it
// directly; OnGenerate and OnDisable belong to views alone.
func TestRule89Declared(t *testing.T) {
	x := newClientTest(t)
	id := do.NewID(2, 1, 1)
	x.feed(&wire.ClientDeclare{Alias: 7, DO: id, Class: x.class.Number()})
	require.Empty(t, x.heard())
	a := x.c.Find(id).(*AvatarCL)
	v := x.c.View()[0]
	require.True(t, v.Declared)
	require.False(t, v.Visible || v.Owned)

	require.NoError(t, x.c.Allow(&a.Object, "HP"))
	a.HP = 30
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	require.Equal(t, wire.AliasRef(7), set.Ref)
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	require.EqualValues(t, 30, a.HP)

	// It enters, as the same Go object, and leaves: it is declared still.
	require.Same(t, a, x.enter(7, 1, false, "Name", "Flippy", "HP", 15, "Mood", "glad"))
	require.Equal(t, []string{`generate Flippy mood=""`}, x.heard())
	x.feed(&wire.ClientLeave{Alias: 7, Reason: wire.LeaveMoved})
	require.Equal(t, []string{"disable Flippy"}, x.heard())
	b := x.c.Find(id).(*AvatarCL)
	require.NotSame(t, a, b)
	require.NoError(t, x.c.Allow(&b.Object, "HP"))
	b.HP = 31
	require.NoError(t, b.Save())
	require.Equal(t, wire.AliasRef(7), x.sent()[0].(*wire.ClientSet).Ref)

	x.feed(&wire.ClientUndeclare{Alias: 7})
	require.Empty(t, x.heard())
	require.Nil(t, x.c.Find(id))
	require.ErrorIs(t, b.Save(), do.ErrDetached)
}

// rule 89: of an object that is only declared a client knows what it wrote itself, but not what became of it. What the
// entry says holds, required or not.
func TestRule89WrittenBeforeItEntered(t *testing.T) {
	x := newClientTest(t)
	id := do.NewID(2, 1, 1)
	x.feed(&wire.ClientDeclare{Alias: 7, DO: id, Class: x.class.Number()})
	a := x.c.Find(id).(*AvatarCL)
	a.Mood, a.Name = "glad", "Sam"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	a.Name = "Kim"
	require.NoError(t, a.Save())
	require.Same(t, a, x.enter(7, 1, false, "Name", "Flippy", "HP", 15, "Mood", "sad"))
	require.Equal(t, "sad", a.Mood)
	require.Equal(t, "Kim", a.Name, "its write is under way")
}

// A field that the entry does not have is unset, also below a write in flight: when that is refused there is no value.
func TestEntryWithoutTheFieldOfAWrite(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "Mood", "sad")
	a.Mood = "glad"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	require.Same(t, a, x.enter(1, 1, false, "Name", "Flippy"))
	require.Equal(t, "glad", a.Mood, "its write is under way")
	x.feed(&wire.ClientRefused{Context: set.Context, Alias: 1, Code: wire.CodeDenied})
	require.False(t, a.IsSet(&a.Mood))
}

// rule 89: declared and seen are two things: either goes without the other.
func TestRule89DeclaredInView(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	x.heard()
	declare := &wire.ClientDeclare{Alias: 1, DO: a.ID(), Class: x.class.Number()}
	x.feed(declare)
	x.feed(&wire.ClientUndeclare{Alias: 1})
	require.Same(t, a, x.c.Find(a.ID()))
	x.feed(declare)
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveDeleted})
	require.Equal(t, []string{"delete Flippy"}, x.heard())
	require.Equal(t, 1, x.c.Len())
	x.feed(&wire.ClientUndeclare{Alias: 1})
	require.Zero(t, x.c.Len())
}
