package repository

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// body gives the one message of a type among what was sent.
func body[T wire.Body](x *aiTest, out []wire.Message) (found T) {
	x.t.Helper()
	n := 0
	for _, m := range out {
		if b, ok := m.Body.(T); ok {
			found, n = b, n+1
		}
	}
	require.Equal(x.t, 1, n, "%v", out)
	return found
}

// An AI that was cut off tells the new director all that the old one knew, takes back what the States still have, lets
// go of the rest, and has the game put that back, until it succeeds.
func TestRejoin(t *testing.T) {
	x := newAITest(t)
	var restored []int
	fail := errors.New("not yet")
	x.a.ac.Restore = func(context.Context) error {
		restored = append(restored, x.a.Len())
		return fail
	}
	require.NoError(t, x.a.Serve(authID, &AuthUD{t: x.testWorld}))
	x.sent()
	w, _ := x.open(20)
	a, b := x.made("Flippy", Place{}), x.made("Goofy", Place{})
	a.HP = 4
	require.NoError(t, a.Save())
	asked := x.do(func(ctx context.Context) error { return x.a.SetOwner(ctx, a.ID(), do.Channel{}) })
	x.sent()
	x.heard()

	x.a.Away(x.now)
	require.ErrorIs(t, *asked, wire.CodeLinkLost)
	b.HP = 5
	require.ErrorIs(t, b.Save(), wire.CodeLinkLost)
	require.Empty(t, x.sent(), "nobody would hear it")
	x.tick(60 * second)
	require.Equal(t, []string(nil), x.heard(), "what is here stays")
	x.sent()
	require.False(t, w.Closed())

	x.a.Rejoin(x.now)
	out := x.sent()
	require.Equal(t, []do.Channel{x.a.Channel(), do.UberDOG(authID)}, out[0].Body.(*wire.AddChannels).Channels)
	body[*wire.AddPostRemove](x, out)
	body[*wire.AskHeld](x, out)
	set := body[*wire.SchemaSet](x, out)
	get := map[do.ID]*wire.GetAll{}
	var watched []do.Channel
	for _, m := range out[1:] {
		switch b := m.Body.(type) {
		case *wire.GetAll:
			get[b.DO] = b
		case *wire.AddChannels:
			watched = b.Channels
			x.step(&wire.ChannelsAdded{Context: b.Context})
		}
	}
	require.Equal(t, []do.Channel{do.At(streetAt), do.Children(street)}, watched)
	body[*wire.GetZonesObjects](x, x.sent())
	x.step(&wire.SchemaRecord{Context: set.Context, Version: 1, Text: set.Text, Partitions: 4})
	x.step(x.is(get[a.ID()], 2, "Name", "Flippy", "HP", 7, "Gold", 0))
	require.EqualValues(t, 7, a.HP)
	require.Empty(t, restored, "it is not known yet what is left")
	x.step(&wire.Failed{Context: get[b.ID()].Context, DO: b.ID(), Code: wire.CodeNoObject})
	require.Equal(t, []string{"hp 4 -> 7", "delete Goofy"}, x.heard())
	require.Equal(t, []int{2}, restored, "Flippy and the UberDOG")
	x.tick(mendFirst - 1)
	require.Len(t, restored, 1)
	fail = nil
	x.tick(1)
	require.Len(t, restored, 2)
	x.tick(60 * second)
	require.Len(t, restored, 2)

	// A State that dies with objects of this AI is reason enough; one that had none is not.
	dead := &wire.LinkLost{Dead: true, Hosts: lostLink.Hosts}
	x.step(dead)
	require.Len(t, restored, 3)
	x.step(dead)
	require.Len(t, restored, 3)
}

// A State that is not there does not hear a Create, and nobody tells: it is found out, and the game may try again.
func TestCreateThatNobodyHeard(t *testing.T) {
	x := newAITest(t)
	a := do.New[AvatarAI]()
	a.t, a.Name = x.testWorld, "Flippy"
	made := x.do(func(ctx context.Context) error {
		if err := x.a.Create(a, Place{At: streetAt}); err != nil {
			return err
		}
		return x.a.Created(ctx, &a.Object)
	})
	require.IsType(t, &wire.Create{}, x.one())
	x.tick(openingTimeout)
	require.Empty(t, x.sent())
	x.tick(openingTimeout)
	get := x.one().(*wire.GetAll)
	require.ErrorIs(t, *made, errPending)
	x.step(&wire.Failed{Context: get.Context, DO: get.DO, Code: wire.CodeNoObject})
	require.ErrorIs(t, *made, wire.CodeUnknown)
	require.Zero(t, x.a.Len())
	x.tick(openingTimeout)
	require.Empty(t, x.sent())
}

// The cluster's schema grows while the AI runs: it finds out by an object of a class that it does not know, asks for the
// schema, and then for what it could not take in.
func TestSchemaGrows(t *testing.T) {
	x := newAITest(t)
	grown, err := do.ParseSchema(append(x.a.Schema().Text(), []byte("dclass Lamp {\n  uint8 Light required broadcast;\n};\n")...))
	require.NoError(t, err)
	lamp := grown.Class("Lamp")
	e := wire.Entry{
		DO: do.NewID(1, 1, 5), Class: lamp.Number(), Version: do.Version{Inc: 1, N: 1}, Location: streetAt, AI: x.a.Channel(),
		Fields: values(t, lamp, "Light", 3),
	}
	x.step(&wire.EnterAI{Entry: e}, &wire.EnterAI{Entry: e})
	require.IsType(t, &wire.SchemaGet{}, x.one())
	require.Zero(t, x.a.Len())
	x.tick(second)
	require.IsType(t, &wire.SchemaGet{}, x.one(), "the question or its answer was lost")
	x.tick(second)
	x.step(&wire.HeldDigest{Counts: []wire.HeldCount{{DO: e.DO, Class: e.Class}}})
	get := x.one().(*wire.SchemaGet)
	x.step(&wire.SchemaRecord{Context: get.Context, Version: 2, Text: grown.Text(), Partitions: 4})
	require.IsType(t, &wire.AskHeld{}, x.one())
	x.step(&wire.EnterAI{Entry: e})
	require.Equal(t, 1, x.a.Len())
	x.tick(10 * second)
	require.Empty(t, x.sent())
}

// The schema grew while the AI was cut off, and what it runs there comes before it knows that.
func TestSchemaGrewWhileAway(t *testing.T) {
	x := newAITest(t)
	grown, err := do.ParseSchema(append(x.a.Schema().Text(), []byte("dclass Lamp {\n  uint8 Light required broadcast;\n};\n")...))
	require.NoError(t, err)
	lamp := grown.Class("Lamp")
	e := wire.Entry{
		DO: do.NewID(1, 1, 5), Class: lamp.Number(), Version: do.Version{Inc: 1, N: 1}, AI: x.a.Channel(), Fields: values(t, lamp, "Light", 3),
	}
	x.a.Away(x.now)
	x.a.Rejoin(x.now)
	set := body[*wire.SchemaSet](x, x.sent())
	x.step(&wire.EnterAI{Entry: e})
	require.Empty(t, x.sent())
	x.step(&wire.SchemaRecord{Context: set.Context, Version: 2, Text: grown.Text(), Partitions: 4})
	body[*wire.AskHeld](x, x.sent())
	x.step(&wire.EnterAI{Entry: e})
	require.Equal(t, 1, x.a.Len())
}

// What an AI heard of objects before it knew the schema is of the cluster that was there then.
func TestRejoinForgetsWhatCameBeforeTheSchema(t *testing.T) {
	x := newAITest(t)
	x.a = NewAI(x.a.cfg, AIConfig{Instance: do.NewID(1, 1, 98)})
	t.Cleanup(x.a.Close)
	x.a.Start(x.now)
	enter := func(n uint64) *wire.EnterAI {
		return &wire.EnterAI{Entry: wire.Entry{
			DO: do.NewID(1, 1, n), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 1}, AI: x.a.Channel(),
			Fields: values(t, x.class, "Name", "Flippy"),
		}}
	}
	x.step(enter(1))
	x.a.Away(x.now)
	x.sent()
	x.a.Rejoin(x.now)
	set := body[*wire.SchemaSet](x, x.sent())
	x.step(enter(2))
	x.step(&wire.SchemaRecord{Context: set.Context, Version: 1, Text: set.Text, Partitions: 4})
	require.Nil(t, x.a.Find(enter(1).Entry.DO))
	require.NotNil(t, x.a.Find(enter(2).Entry.DO))
}

// A State begins after another died and hears a Create that its AI has given up with the old one. What it says of that comes
// while the AI makes the object once more, and this is refused: it is asked for again, or the AI would never know that it has it.
func TestCreateThatTheNextStateHeard(t *testing.T) {
	x := newAITest(t)
	id := do.NewID(2, 1, 5)
	create := func(name string) *wire.Create {
		a := do.New[AvatarAI]()
		a.t, a.Name = x.testWorld, name
		require.NoError(t, x.a.Create(a, Place{ID: id, At: streetAt}))
		return x.one().(*wire.Create)
	}
	first := create("Flippy")
	x.step(&wire.LinkLost{Dead: true, Hosts: lostLink.Hosts})
	require.Zero(t, x.a.Len())
	body[*wire.AskHeld](x, x.sent())
	x.heard()

	second := create("Goofy")
	held := &wire.EnterAI{Entry: wire.Entry{
		DO: id, Class: first.Class, Version: do.Version{Inc: 4, N: 1}, Location: streetAt, AI: x.a.Channel(), Fields: first.Fields,
	}}
	x.step(held)
	x.step(&wire.Failed{Context: second.Context, Of: second.Type(), DO: id, Code: wire.CodeExists})
	require.Zero(t, x.a.Len())
	ask := x.one().(*wire.AskHeld)
	require.Equal(t, &wire.AskHeld{Owners: []do.Channel{x.a.Channel()}, AI: x.a.Channel(), DOs: []do.ID{id}}, ask)
	x.heard()
	x.step(held)
	require.Equal(t, []string{`generate Flippy mood=""`}, x.heard())
	require.Equal(t, "Flippy", x.a.Find(id).(*AvatarAI).Name)

	// One that is refused for another reason leaves nothing to ask for.
	x.step(&wire.Deleted{DO: id, Version: do.Version{Inc: 4, N: 2}})
	third := create("Minnie")
	x.step(&wire.Failed{Context: third.Context, Of: third.Type(), DO: id, Code: wire.CodeNoField})
	require.Empty(t, x.sent())
}

// A question of a life that ended is answered while its object is made once more: that there was none says nothing about the
// Create, which went after it. Else the AI would give up what its State makes, and make another one beside it.
func TestAnswerOfTheLifeBeforeACreate(t *testing.T) {
	x := newAITest(t)
	id := do.NewID(2, 1, 5)
	create := func(name string) *wire.Create {
		a := do.New[AvatarAI]()
		a.t, a.Name = x.testWorld, name
		require.NoError(t, x.a.Create(a, Place{ID: id, At: streetAt}))
		return x.one().(*wire.Create)
	}
	first := create("Flippy")
	x.step(&wire.Done{Context: first.Context, Of: first.Type(), DO: id, Version: do.Version{Inc: 1}})
	x.step(&wire.LinkLost{Hosts: lostLink.Hosts})
	get, _ := x.asked()
	x.step(&wire.LinkLost{Dead: true, Hosts: lostLink.Hosts})
	x.sent()
	require.Zero(t, x.a.Len())

	second := create("Goofy")
	x.heard()
	x.step(&wire.Failed{Context: get[id].Context, Of: get[id].Type(), DO: id, Code: wire.CodeNoObject})
	require.NotNil(t, x.a.Find(id))
	require.Empty(t, x.heard())
	x.step(&wire.Done{Context: second.Context, Of: second.Type(), DO: id, Version: do.Version{Inc: 4}})
	require.Equal(t, "Goofy", x.a.Find(id).(*AvatarAI).Name)

	// That there is none now, as asked of this life, ends it.
	x.step(&wire.LinkLost{Hosts: lostLink.Hosts})
	get, _ = x.asked()
	x.step(&wire.Failed{Context: get[id].Context, Of: get[id].Type(), DO: id, Code: wire.CodeNoObject})
	require.Nil(t, x.a.Find(id))
}
