package repository

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// What the simulation found, in its smallest form.

// A field that somebody removed has no value any more, also under a write in flight (rule 70).
func TestRule70RemovedFieldHasNoValue(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "Mood", "sad")
	mood := x.class.FieldByName("Mood").Number
	x.feed(&wire.ClientUpdate{Alias: 1, Field: mood, Value: fields.AppendNil(nil)})
	require.Empty(t, a.Mood)
	require.False(t, a.IsSet(&a.Mood))

	a.Mood = "glad"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientUpdate{Alias: 1, Field: mood, Value: fields.AppendNil(nil)}, &wire.ClientRefused{Context: set.Context, Alias: 1, Code: wire.CodeDenied})
	require.False(t, a.IsSet(&a.Mood))
}

// What an AI is given before it knows the schema waits for it.
func TestEntriesBeforeTheSchemaWait(t *testing.T) {
	w := &testWorld{}
	x := &aiTest{testWorld: w, t: t, a: NewAI(w.config(t), AIConfig{Instance: do.NewID(1, 1, 99)}), now: second}
	t.Cleanup(x.a.Close)
	x.a.Start(x.now)
	set := x.sent()[2].Body.(*wire.SchemaSet)
	class := x.a.cfg.Registry.Schema().Class("Avatar")
	id := do.NewID(1, 1, 5)
	x.step(&wire.EnterAI{Entry: wire.Entry{
		DO: id, Class: class.Number(), Version: do.Version{Inc: 1, N: 1}, Location: streetAt, AI: x.a.Channel(),
		Fields: values(t, class, "Name", "Flippy", "HP", 5),
	}})
	require.Nil(t, x.a.Find(id))
	x.step(&wire.SchemaRecord{Context: set.Context, Version: 1, Text: set.Text, Partitions: 4})
	require.Equal(t, "Flippy", x.a.Find(id).(*AvatarAI).Name)
}

// The answer to a durable set waits for the database, and comes after what others have set since: that stays.
func TestLateAnswerIsNotNewer(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	a.Name = "Dot"
	require.NoError(t, a.Save())
	set := x.one().(*wire.SetFields)
	x.from(do.Session(do.NewID(0, 1, 1)), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 3}, Fields: values(t, x.class, "Name", "Kim")})
	x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, "Kim", a.Name)
}

// A write that a lost link settled may be done all the same: then the object is loaded again.
func TestLostWriteThatIsDone(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	a.Name = "Dot"
	require.NoError(t, a.Save())
	set := x.one().(*wire.SetFields)
	x.step(lostLink)
	require.Equal(t, "Flippy", a.Name)
	x.sent()
	x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	get := x.one().(*wire.GetAll)
	x.step(&wire.GetAllResp{Context: get.Context, Entry: wire.Entry{
		DO: a.ID(), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 2}, Location: streetAt, AI: x.a.Channel(),
		Owner: x.a.Channel(), Fields: values(t, x.class, "Name", "Dot", "HP", 100, "Gold", 0),
	}})
	require.Equal(t, "Dot", a.Name)
}

// An interest that the agent closes while an operation that opens it again is on its way stays open.
func TestClosedWhileItChanges(t *testing.T) {
	x := newClientTest(t)
	h, err := x.c.AddInterest(street, 20)
	require.NoError(t, err)
	add := x.sent()[0].(*wire.ClientAddInterest)
	x.feed(&wire.ClientInterestDone{Context: add.Context, Handle: add.Handle})
	require.NoError(t, h.Alter(street, 21))
	alter := x.sent()[0].(*wire.ClientAddInterest)
	x.feed(&wire.ClientInterestOpened{Handle: add.Handle, Parent: street, Zones: []do.Zone{20}, Closed: true})
	require.False(t, h.Closed())
	x.feed(&wire.ClientInterestDone{Context: alter.Context, Handle: add.Handle})
	done, err := h.Done()
	require.True(t, done)
	require.NoError(t, err)
}

// An AI loses an object with a write of it in flight and gets it back at once. The entry is older than the write, and the
// version has grown since by the write's own move: its values count.
func TestWriteOfTheRecordBefore(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	me, id := x.a.Channel(), a.ID()
	a.HP = 80
	require.NoError(t, a.Move(do.Location{Parent: street, Zone: 21}))
	move := x.one().(*wire.Bundle)
	lose := func(m uint32) {
		x.step(&wire.ChangingAI{DO: id, Version: do.Version{Inc: 1, N: 1, M: m}, Old: me})
		x.step(&wire.ChangingOwner{DO: id, Version: do.Version{Inc: 1, N: 1, M: m}, Old: me, New: do.Session(do.NewID(0, 1, 1))})
		require.Nil(t, x.a.Find(id))
	}
	enter := func(m uint32) *AvatarAI {
		x.step(&wire.EnterAI{Entry: wire.Entry{
			DO: id, Class: x.class.Number(), Version: do.Version{Inc: 1, N: 1, M: m}, Location: streetAt, AI: me,
			Fields: values(t, x.class, "Name", "Flippy", "HP", 100, "Gold", 0),
		}})
		return x.a.Find(id).(*AvatarAI)
	}
	lose(1)
	b := enter(2)
	require.EqualValues(t, 100, b.HP)
	at := do.Version{Inc: 1, N: 3}
	x.from(me, &wire.ChangingLocation{DO: id, Version: at, Old: streetAt, New: do.Location{Parent: street, Zone: 21}})
	x.step(&wire.Done{Context: move.Context, Of: move.Type(), DO: id, Version: at})
	require.EqualValues(t, 80, b.HP)

	// Something newer was heard: nobody here can tell what holds, so the State is asked.
	b.HP = 70
	require.NoError(t, b.Save())
	set := x.one().(*wire.SetFields)
	lose(9)
	x.step(&wire.EnterAI{Entry: wire.Entry{
		DO: id, Class: x.class.Number(), Version: do.Version{Inc: 1, N: 4}, Location: streetAt, AI: me,
		Fields: values(t, x.class, "Name", "Flippy", "HP", 80, "Gold", 0),
	}})
	x.from(do.Session(do.NewID(0, 1, 1)), &wire.Update{DO: id, Version: do.Version{Inc: 1, N: 6}, Fields: values(t, x.class, "HP", 60)})
	x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: id, Version: do.Version{Inc: 1, N: 5}})
	require.IsType(t, &wire.GetAll{}, x.one())
	require.EqualValues(t, 60, x.a.Find(id).(*AvatarAI).HP)
}

// A client's set of a reviewed field is done when the object has left and entered again: what the AI made of the value was
// told behind the entry, and stays.
func TestReviewedValueOfTheRecordBefore(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	a.Title, a.Mood = "sir", "glad"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveInterest})
	b := x.enter(1, 1, false, "Name", "Flippy")
	x.feed(&wire.ClientUpdates{Alias: 1, Fields: values(t, x.class, "Title", "Sir", "Mood", "glad")})
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 9}})
	require.Equal(t, "Sir", b.Title)
	require.Equal(t, "glad", b.Mood)
}

// The answer to a durable set comes after that to a later write of the same field, which was a bundle of another object
// and has that one's version: the later one stays.
func TestLateAnswerIsNotNewerThanABundle(t *testing.T) {
	x := newAITest(t)
	a, b := x.made("Flippy", Place{ID: do.NewID(1, 1, 76)}), x.made("Dot", Place{ID: do.NewID(1, 1, 77)})
	b.Name = "n3"
	committed := x.do(func(ctx context.Context) error { return b.Commit(ctx) })
	durable := x.one().(*wire.SetFields)
	require.True(t, durable.Durable)
	x.do(func(ctx context.Context) error {
		if err := x.a.Change(&a.Object, &b.Object); err != nil {
			return err
		}
		a.Gold, b.Name = 4, "t14"
		return nil
	})
	bundle := x.one().(*wire.Bundle)
	require.Equal(t, a.ID(), bundle.DO)
	x.step(&wire.Done{Context: bundle.Context, Of: bundle.Type(), DO: a.ID(), Version: do.Version{Inc: 9, N: 2}})
	x.step(&wire.Done{Context: durable.Context, Of: durable.Type(), DO: b.ID(), Version: do.Version{Inc: 1, N: 12}})
	require.NoError(t, *committed)
	require.Equal(t, "t14", b.Name)
}

// An AI does not hear what others set, or unset, of fields without airecv. When it becomes the owner, too, the owner's
// entry says what holds: a field that it could have and does not is unset (rule 53).
func TestRule53OwnersEntryUnsets(t *testing.T) {
	x := newAITest(t)
	id := do.NewID(2, 1, 5)
	e := wire.Entry{
		DO: id, Class: x.class.Number(), Version: do.Version{Inc: 3, N: 1}, Location: streetAt, AI: x.a.Channel(),
		Fields: values(t, x.class, "Name", "Pete", "Home", vec3{1, 2, 3}),
	}
	x.step(&wire.EnterAI{Entry: e})
	a := x.a.Find(id).(*AvatarAI)
	require.True(t, a.IsSet(&a.Home))
	e.Version.N, e.Fields = 3, values(t, x.class, "Name", "Pete")
	x.step(&wire.EnterOwner{Entry: e})
	require.False(t, a.IsSet(&a.Home))
}
