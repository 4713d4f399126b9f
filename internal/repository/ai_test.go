package repository

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

func (x *aiTest) call(a *AvatarAI, context uint32, item string) *wire.Call {
	f := x.class.FieldByName("Buy")
	return &wire.Call{
		Context: context, Caller: do.Session(do.NewID(9, 9, 9)), Account: do.NewID(8, 8, 8), DO: a.ID(), Field: f.Number,
		Args: append(fields.AppendArrayHeader(nil, 1), encode(x.t, item)...), Deadline: x.now + 5*second,
	}
}

func reply(paid int) []byte {
	return append(fields.AppendArrayHeader(nil, 1), fields.AppendInt(nil, int64(paid))...)
}

// rule 27: the library fills in its own channel as AI and owner; the id is in the partition of the parent.
func TestRule27CreateFillsInAIAndOwner(t *testing.T) {
	x := newAITest(t)
	parent := do.NewID(3, 1, 1)
	a := do.New[AvatarAI]()
	a.t, a.Name, a.Mood = x.testWorld, "Flippy", "glad"
	require.NoError(t, x.a.Create(a, Place{At: do.Location{Parent: parent, Zone: 5}}))
	c := x.one().(*wire.Create)
	require.Equal(t, x.a.Channel(), c.AI)
	require.Equal(t, x.a.Channel(), c.Owner)
	require.EqualValues(t, 3, c.DO.Partition())
	require.Equal(t, c.DO, a.ID())
	require.Equal(t, values(t, x.class, "Name", "Flippy", "HP", 100, "Gold", 0, "Mood", "glad"), c.Fields)
	require.Equal(t, []string{`generate Flippy mood="glad"`}, x.heard())

	// What it sets before the answer is not undone by the entry, which is older.
	a.HP = 7
	require.NoError(t, a.Save())
	set := x.one().(*wire.SetFields)
	x.step(&wire.EnterAI{Entry: wire.Entry{DO: c.DO, Class: c.Class, Version: do.Version{Inc: 1, N: 1}, Location: c.Location, AI: c.AI, Fields: c.Fields}})
	x.step(&wire.Done{Context: c.Context, DO: c.DO, Version: do.Version{Inc: 1, N: 1}})
	x.step(&wire.Done{Context: set.Context, DO: c.DO, Version: do.Version{Inc: 1, N: 2}})
	require.EqualValues(t, 7, a.HP)
	require.Empty(t, x.heard(), "rule 157: no second generate")
	require.Equal(t, do.Version{Inc: 1, N: 2}, a.Version())
	require.ErrorIs(t, x.a.Create(a, Place{}), wire.CodeExists)

	// rule 77: its own delete counts when the State says so.
	require.NoError(t, a.Delete())
	del := x.one().(*wire.DeleteRAM)
	require.NotNil(t, x.a.Find(a.ID()))
	x.step(&wire.Deleted{DO: a.ID(), Version: do.Version{Inc: 1, N: 3}}, &wire.Done{Context: del.Context, DO: a.ID()})
	require.Equal(t, []string{"delete Flippy"}, x.heard())
	require.Nil(t, x.a.Find(a.ID()))
}

// What a handler changes on objects is one bundle also while their Creates have no answer yet; only what the handler itself
// makes cannot be in it, and follows its Create.
func TestChangesOfWhatIsBeingMadeAreOneBundle(t *testing.T) {
	x := newAITest(t)
	var made [2]*AvatarAI
	for i := range made {
		made[i] = &AvatarAI{t: x.testWorld}
		made[i].Name = "Flippy"
		require.NoError(t, x.a.Create(made[i], Place{Partition: 1}))
		x.one()
	}
	err := x.do(func(context.Context) error {
		if err := x.a.Change(&made[0].Object, &made[1].Object); err != nil {
			return err
		}
		made[0].Gold, made[1].Gold = 5, -5
		return nil
	})
	require.NoError(t, *err)
	require.Len(t, x.one().(*wire.Bundle).Ops, 2)

	third := &AvatarAI{t: x.testWorld}
	third.Name = "Sam"
	err = x.do(func(context.Context) error {
		if err := x.a.Create(third, Place{Partition: 1}); err != nil {
			return err
		}
		if err := x.a.Change(&made[0].Object, &third.Object); err != nil {
			return err
		}
		made[0].Gold, third.Gold = 0, 5
		return nil
	})
	require.NoError(t, *err)
	out := x.sent()
	require.Len(t, out, 3)
	require.IsType(t, &wire.Create{}, out[1].Body)
	require.Equal(t, third.ID(), out[2].Body.(*wire.SetFields).DO)
}

// rule 18: a refused Create takes the object out again, and tells who waits.
func TestRule18RefusedCreate(t *testing.T) {
	x := newAITest(t)
	a := do.New[AvatarAI]()
	a.t, a.Name = x.testWorld, "Flippy"
	err := x.do(func(ctx context.Context) error {
		if err := x.a.Create(a, Place{At: streetAt}); err != nil {
			return err
		}
		return x.a.Created(ctx, &a.Object)
	})
	c := x.one().(*wire.Create)
	require.NotZero(t, c.DO.Partition(), "a parent with a well-known id: a random partition")
	x.step(&wire.Failed{Context: c.Context, Of: c.Type(), DO: c.DO, Code: wire.CodeExists})
	require.ErrorIs(t, *err, wire.CodeExists)
	require.Zero(t, x.a.Len())
	require.Equal(t, []string{`generate Flippy mood=""`, "delete Flippy"}, x.heard())
}

// Handlers are atomic: sets, events and the reply are one bundle, in order.
func TestHandlerLeavesAsOneBundle(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	b := x.made("Goofy", Place{Partition: a.ID().Partition()})
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		require.Equal(t, do.NewID(8, 8, 8), CallerOf(ctx).Account, "rule 91")
		require.NoError(t, x.a.Change(&b.Object))
		a.Gold -= 5
		require.NoError(t, a.Say.Send("thanks"))
		b.Gold += 5
		a.HP = 50
		return receipt{Paid: 5}, nil
	}
	call := x.call(a, 77, "tea")
	x.step(call)
	bundle := x.one().(*wire.Bundle)
	require.Equal(t, a.ID(), bundle.DO)
	require.Equal(t, []wire.Op{
		{Kind: wire.OpSet, DO: a.ID(), Fields: values(t, x.class, "Gold", -5)},
		{Kind: wire.OpSet, DO: a.ID(), Fields: values(t, x.class, "Say", "thanks")},
		{Kind: wire.OpSet, DO: a.ID(), Fields: values(t, x.class, "HP", 50)},
		{Kind: wire.OpSet, DO: b.ID(), Fields: values(t, x.class, "Gold", 5)},
		{Kind: wire.OpReply, DO: a.ID(), Caller: call.Caller, Reply: wire.CallReply{Context: 77, DO: a.ID(), Field: call.Field, Result: reply(5)}},
	}, bundle.Ops)
	x.step(&wire.Done{Context: bundle.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 4}})
	require.True(t, x.a.Quiet())
	require.Empty(t, x.errs)
}

// An error, and a panic, drop the bundle, restore the objects and answer the call.
func TestFailedHandlerIsUndone(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprint(panics), func(t *testing.T) {
			x := newAITest(t)
			a := x.made("Flippy", Place{})
			b := x.made("Goofy", Place{})
			x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
				a.Gold = 99
				require.NoError(t, a.Say.Send("thanks"))
				a.HP = 1
				b.HP = 2
				require.NoError(t, b.Save())
				require.NoError(t, a.Move(do.Location{Parent: street, Zone: 99}))
				c := do.New[AvatarAI]()
				c.t, c.Name = x.testWorld, "New"
				require.NoError(t, x.a.Create(c, Place{}))
				if panics {
					panic("oops")
				}
				return receipt{}, errors.New("sold out")
			}
			call := x.call(a, 77, "tea")
			x.step(call)
			bundle := x.one().(*wire.Bundle)
			require.Len(t, bundle.Ops, 1)
			require.Equal(t, wire.CodeHandler, bundle.Ops[0].Reply.Code)
			want := "sold out"
			if panics {
				want = "handler panicked"
				require.ErrorIs(t, x.errs[0], ErrPanic)
			}
			require.Equal(t, want, bundle.Ops[0].Reply.Text)
			require.EqualValues(t, 0, a.Gold)
			require.EqualValues(t, 100, a.HP)
			require.EqualValues(t, 100, b.HP)
			require.Equal(t, streetAt, a.Location())
			require.Equal(t, 2, x.a.Len())
			require.NoError(t, a.Save())
			require.Empty(t, x.sent(), "nothing is left to save")
			require.Empty(t, x.heard())
		})
	}
}

// A waiting call is a save point: what came before is sent, others run meanwhile, and undo goes back to there.
func TestSavePointUndo(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	b := x.made("Goofy", Place{})
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		a.Gold = 10
		if _, err := b.Buy.Call(ctx, order{"supply"}); err != nil {
			return receipt{}, err
		}
		a.Gold = 20
		return receipt{}, errors.New("changed my mind")
	}
	x.step(x.call(a, 77, "tea"))
	out := x.sent()
	require.Len(t, out, 2)
	set := out[0].Body.(*wire.SetFields)
	require.Equal(t, values(t, x.class, "Gold", 10), set.Fields)
	inner := out[1].Body.(*wire.Call)
	require.Equal(t, x.now+5*second, inner.Deadline, "the deadline travels with the call")
	x.say = func(ctx context.Context, a *AvatarAI, text string) error { a.HP = 60; return nil }
	x.from(do.Session(do.NewID(1, 2, 3)), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 3}, Fields: values(t, x.class, "Say", "hello")})
	require.Len(t, x.sent(), 1, "another handler of the same object runs meanwhile")
	x.step(&wire.CallReply{Context: inner.Context, Result: reply(1)})
	bundle := x.one().(*wire.Bundle)
	require.Equal(t, "changed my mind", bundle.Ops[0].Reply.Text)
	require.EqualValues(t, 10, a.Gold, "back to the save point")
	require.EqualValues(t, 60, a.HP, "what the other did stays")
}

// A refused bundle: nothing was applied, the objects return to the State's values, the caller gets the error.
func TestRefusedBundle(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		a.Gold, a.HP = 3, 4
		return receipt{Paid: 1}, a.Move(do.Location{Parent: street, Zone: 21})
	}
	call := x.call(a, 77, "tea")
	x.step(call)
	bundle := x.one().(*wire.Bundle)
	require.Len(t, bundle.Ops, 3)
	require.EqualValues(t, 4, a.HP)
	x.step(&wire.Failed{Context: bundle.Context, Of: bundle.Type(), DO: a.ID(), Code: wire.CodeCycle, Fields: values(t, x.class, "HP", 44)})
	require.EqualValues(t, 44, a.HP, "what the refusal says")
	require.EqualValues(t, 0, a.Gold, "what the State said last")
	require.Equal(t, streetAt, a.Location())
	again := x.one().(*wire.Bundle)
	require.Equal(t, []wire.Op{{Kind: wire.OpReply, DO: a.ID(), Caller: call.Caller, Reply: wire.CallReply{
		Context: 77, DO: a.ID(), Field: call.Field, Code: wire.CodeCycle,
	}}}, again.Ops)
	x.step(&wire.Failed{Context: again.Context, DO: a.ID(), Code: wire.CodeNoObject})
	require.Empty(t, x.sent(), "that is the end of it")
}

func TestChangeInAnotherPartition(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{Partition: 1})
	b := x.made("Goofy", Place{Partition: 2})
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		return receipt{}, x.a.Change(&b.Object)
	}
	x.step(x.call(a, 1, "tea"))
	require.Equal(t, wire.CodeOtherPartition, x.one().(*wire.Bundle).Ops[0].Reply.Code)
	require.ErrorIs(t, x.errs[0], ErrOtherPartition)
	require.ErrorIs(t, x.a.Change(&a.Object), ErrNoHandler)
}

func TestCallsThatCannotRun(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	for _, c := range []struct {
		name string
		edit func(c *wire.Call)
		code wire.Code
	}{
		{"no object", func(c *wire.Call) { c.DO = do.NewID(1, 1, 1234) }, wire.CodeNoObject},
		{"no field", func(c *wire.Call) { c.Field = fields.MaxNumber }, wire.CodeNoField},
		{"an event", func(c *wire.Call) { c.Field = x.class.FieldByName("Say").Number }, wire.CodeNoField},
		{"wrong value", func(c *wire.Call) { c.Args = encode(t, "tea") }, wire.CodeValue},
		{"too late", func(c *wire.Call) { c.Deadline = 5 }, wire.CodeTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := x.call(a, 5, "tea")
			c.edit(call)
			x.step(call)
			b := x.one().(*wire.Bundle)
			require.Len(t, b.Ops, 1)
			require.Equal(t, c.code, b.Ops[0].Reply.Code)
			require.Equal(t, call.DO, b.DO)
		})
	}
}

// Commit returns when the database has it; a failure is its error, and the object shows the truth.
func TestCommit(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	err := x.do(func(ctx context.Context) error { a.Gold = 12; return a.Commit(ctx) })
	set := x.one().(*wire.SetFields)
	require.True(t, set.Durable)
	require.ErrorIs(t, *err, errPending)
	x.step(&wire.Done{Context: set.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.NoError(t, *err)
	err = x.do(func(ctx context.Context) error { a.Gold = 13; return a.Commit(ctx) })
	set = x.one().(*wire.SetFields)
	x.step(&wire.Failed{Context: set.Context, DO: a.ID(), Code: wire.CodeEpoch})
	require.ErrorIs(t, *err, wire.CodeEpoch)
	require.EqualValues(t, 12, a.Gold)
	require.Empty(t, x.errs, "who waits is told, nobody else")
	err = x.do(func(ctx context.Context) error { return a.Commit(ctx) })
	before := x.one().(*wire.Bundle)
	require.Equal(t, &wire.Bundle{Context: before.Context, DO: a.ID(), Durable: true}, before)
	require.ErrorIs(t, *err, errPending, "what was saved before may not be written yet")
	x.step(&wire.Done{Context: before.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.NoError(t, *err)
	x.a.Lost(errors.New("no cluster"), x.now)
	err = x.do(func(ctx context.Context) error { return a.Commit(ctx) })
	require.ErrorIs(t, *err, wire.CodeLinkLost, "it is known at once")
}

// A commit that takes a value back waits for the database, too.
func TestCommitOfWhatIsUnset(t *testing.T) {
	x := newLastTest(t)
	chest := x.enter("Chest", 1).(*ChestAI)
	err := x.do(func(ctx context.Context) error {
		chest.Label = "old"
		return chest.Commit(ctx)
	})
	x.written(wire.CodeOK)
	require.NoError(t, *err)
	err = x.do(func(ctx context.Context) error {
		if err := chest.Unset(&chest.Label); err != nil {
			return err
		}
		return chest.Commit(ctx)
	})
	unset := x.one().(*wire.DeleteFields)
	require.True(t, unset.Durable)
	require.ErrorIs(t, *err, errPending)
	x.step(&wire.Done{Context: unset.Context, DO: chest.ID(), Row: 2})
	require.NoError(t, *err)
}

// A commit that the database refuses for good was applied by the State all the same: this side asks what it has. One that
// was refused before anything was done is not asked for.
func TestRefusedCommitIsWhatTheStateHas(t *testing.T) {
	for code, kept := range map[wire.Code]bool{wire.CodeValue: true, wire.CodeReadOnly: false, wire.CodeOverload: false} {
		x := newAITest(t)
		a := x.made("Flippy", Place{})
		err := x.do(func(ctx context.Context) error {
			a.Gold = 5
			return a.Commit(ctx)
		})
		set := x.one().(*wire.SetFields)
		require.True(t, set.Durable)
		x.step(&wire.Failed{Context: set.Context, Of: set.Type(), DO: a.ID(), Code: code, Text: "a constraint"})
		require.ErrorIs(t, *err, code)
		if !kept {
			require.Empty(t, x.sent())
			require.Zero(t, a.Gold)
			continue
		}
		get := x.one().(*wire.GetAll)
		x.step(&wire.GetAllResp{Context: get.Context, Entry: wire.Entry{
			DO: a.ID(), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 2}, Location: streetAt, AI: x.a.Channel(),
			Fields: values(t, x.class, "Name", "Flippy", "HP", 100, "Gold", 5),
		}})
		require.EqualValues(t, 5, a.Gold)
	}
}

// rules 49, 93: an AI does not hear its own writes; foreign ones are held while one is in flight.
func TestRule49AIOwnWrites(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	a.HP = 30
	require.NoError(t, a.Save())
	set := x.one().(*wire.SetFields)
	x.from(do.Session(do.NewID(1, 2, 3)), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 2}, Fields: values(t, x.class, "HP", 20)})
	require.EqualValues(t, 30, a.HP)
	x.from(x.a.Channel(), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 3}, Fields: values(t, x.class, "HP", 30)})
	x.step(&wire.Done{Context: set.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 3}})
	require.EqualValues(t, 30, a.HP)
	require.Empty(t, x.heard())
	x.from(do.Session(do.NewID(1, 2, 3)), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 3}, Fields: values(t, x.class, "HP", 20)})
	require.EqualValues(t, 30, a.HP, "not newer")
	x.from(do.Session(do.NewID(1, 2, 3)), &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 4}, Fields: values(t, x.class, "HP", 21)})
	require.Equal(t, []string{"hp 30 -> 21"}, x.heard())
}

// rules 42, 43, 52, 53: AI and owner changes bring and take objects.
func TestRule42AIAndOwnerChanges(t *testing.T) {
	x := newAITest(t)
	id, me := do.NewID(2, 1, 5), x.a.Channel()
	e := wire.Entry{DO: id, Class: x.class.Number(), Version: do.Version{Inc: 3, N: 1}, Location: streetAt, AI: me, Fields: values(t, x.class, "Name", "Pete", "HP", 9, "Gold", 5, "Mood", "sad")}
	x.step(&wire.EnterAI{Entry: e})
	require.Equal(t, []string{`generate Pete mood=""`}, x.heard())
	x.step(&wire.EnterOwner{Entry: e})
	require.Empty(t, x.heard(), "rule 56: once")
	require.Equal(t, "sad", x.a.Find(id).(*AvatarAI).Mood)
	x.step(&wire.ChangingAI{DO: id, Version: do.Version{Inc: 3, N: 1, M: 1}, Old: me})
	require.Empty(t, x.heard(), "still owned")
	x.step(&wire.ChangingOwner{DO: id, Version: do.Version{Inc: 3, N: 1, M: 2}, Old: me, New: do.Session(do.NewID(1, 1, 1))})
	require.Equal(t, []string{"disable Pete"}, x.heard())
	require.Zero(t, x.a.Len())
}

// rule 78: another life of the same DoID is another object.
func TestRule78NewIncarnation(t *testing.T) {
	x := newAITest(t)
	id := do.NewID(2, 1, 5)
	e := wire.Entry{DO: id, Class: x.class.Number(), Version: do.Version{Inc: 3, N: 7}, AI: x.a.Channel(), Fields: values(t, x.class, "Name", "Pete")}
	x.step(&wire.EnterAI{Entry: e})
	first := x.a.Find(id)
	e.Version = do.Version{Inc: 4, N: 1}
	x.step(&wire.EnterAI{Entry: e})
	require.NotSame(t, first, x.a.Find(id))
	require.Equal(t, []string{`generate Pete mood=""`, "delete Pete", `generate Pete mood=""`}, x.heard())
	x.step(&wire.Deleted{DO: id, Version: do.Version{Inc: 3, N: 9}})
	require.NotNil(t, x.a.Find(id), "of the life before")
}

// rule 78: the end of a life was lost with the link. What the State then says of the next one, which is out of view
// and not ours, ends what is here and puts nothing in its place.
func TestRule78NextLifeElsewhere(t *testing.T) {
	e := wire.Entry{DO: do.NewID(2, 1, 5), Version: do.Version{Inc: 3, N: 7}, Location: streetAt}
	next := do.Version{Inc: 4, N: 8}
	elsewhere := e
	elsewhere.Version, elsewhere.Location = next, do.Location{Parent: do.WellKnown(11), Zone: 2}
	for name, answer := range map[string]*wire.ZoneEntries{
		"an entry":  {Parent: street, Entries: []wire.Entry{elsewhere}},
		"not there": {Parent: street, Gone: []wire.Listed{{DO: e.DO, Version: next}}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newAITest(t)
			here := e
			here.Class, here.AI, here.Fields = x.class.Number(), x.a.Channel(), values(t, x.class, "Name", "Pete")
			x.step(&wire.EnterAI{Entry: here})
			x.step(lostLink)
			for i := range answer.Entries {
				answer.Entries[i].Class, answer.Entries[i].Fields = here.Class, here.Fields
			}
			x.step(answer)
			require.Equal(t, []string{`generate Pete mood=""`, "delete Pete"}, x.heard())
			require.Zero(t, x.a.Len())
		})
	}
}

// rule 171: an UberDOG's answer goes straight to the caller, and not before the effects are acknowledged.
func TestRule171UberDOG(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	u := do.New[AuthUD]()
	u.t = x.testWorld
	require.NoError(t, x.a.Serve(authID, u))
	require.Equal(t, []do.Channel{do.UberDOG(authID)}, x.one().(*wire.AddChannels).Channels)
	login := u.Class().FieldByName("Login")
	call := func(context uint32, name string) {
		x.step(&wire.Call{Context: context, Caller: do.Session(do.NewID(9, 9, 9)), DO: authID, Field: login.Number, Args: encode(t, name)})
	}
	x.login = func(ctx context.Context, _ *AuthUD, name string) (int64, error) {
		if name == "bad" {
			return 0, &wire.Error{Code: wire.CodeDenied, Text: "no"}
		}
		if name == "gold" {
			require.NoError(t, x.a.Change(&a.Object))
			a.Gold++
		}
		return 5, nil
	}
	call(1, "joe")
	m := x.sent()
	require.Len(t, m, 1)
	require.Equal(t, []do.Channel{do.Session(do.NewID(9, 9, 9))}, m[0].To)
	require.Equal(t, &wire.CallReply{Context: 1, DO: authID, Field: login.Number, Result: encode(t, 5)}, m[0].Body)
	call(2, "bad")
	require.Equal(t, &wire.CallReply{Context: 2, DO: authID, Field: login.Number, Code: wire.CodeDenied, Text: "no"}, x.one())
	call(3, "gold")
	set := x.one().(*wire.SetFields)
	x.step(&wire.Done{Context: set.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, wire.CodeOK, x.one().(*wire.CallReply).Code)
	call(4, "gold")
	set = x.one().(*wire.SetFields)
	x.step(&wire.Failed{Context: set.Context, DO: a.ID(), Code: wire.CodeAway})
	require.Equal(t, wire.CodeAway, x.one().(*wire.CallReply).Code)

	// Its own process calls it, too: no message comes back to its sender (rule 2).
	var got int64
	err := x.do(func(ctx context.Context) (err error) { got, err = u.Login.Call(ctx, "joe"); return err })
	x.tick(1)
	require.NoError(t, *err)
	require.EqualValues(t, 5, got)
	require.Empty(t, x.sent())
	ping := u.Class().FieldByName("Ping")
	x.from(do.Session(do.NewID(9, 9, 9)), &wire.SetFields{Context: 4, DO: authID, Fields: fields.MapOf(fields.Pair{Number: ping.Number, Value: encode(t, "hi")})})
	require.Equal(t, []string{"ping hi"}, x.heard())
	require.Equal(t, &wire.Done{Context: 4, Of: wire.TypeSetFields, DO: authID}, x.one())
}

// A client's set of a review field is cleaned, validated, set, and then answered.
func TestReview(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	who := do.Session(do.NewID(9, 9, 9))
	x.from(who, &wire.SetFields{Context: 8, DO: a.ID(), Fields: values(t, x.class, "Title", "boss")})
	b := x.one().(*wire.Bundle)
	require.Equal(t, []wire.Op{
		{Kind: wire.OpSet, DO: a.ID(), Fields: values(t, x.class, "Title", "Sir")},
		{Kind: wire.OpReply, DO: a.ID(), Caller: who, Reply: wire.CallReply{Context: 8, DO: a.ID()}},
	}, b.Ops)
	x.step(&wire.Done{Context: b.Context, DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, "Sir", a.Title)

	x.from(who, &wire.SetFields{Context: 9, DO: a.ID(), Fields: values(t, x.class, "Title", "bad")})
	b = x.one().(*wire.Bundle)
	require.Len(t, b.Ops, 1)
	require.Equal(t, wire.CallReply{Context: 9, DO: a.ID(), Code: wire.CodeHandler, Text: "bad title"}, b.Ops[0].Reply)
	require.Equal(t, "Sir", a.Title)

	// Who does not ask for an answer gets only a refusal.
	x.from(who, &wire.SetFields{DO: a.ID(), Fields: values(t, x.class, "Title", "bad")})
	require.Equal(t, wire.CodeHandler, x.one().(*wire.Failed).Code)
	x.from(who, &wire.SetFields{DO: a.ID(), Fields: values(t, x.class, "Title", "boss")})
	require.Equal(t, values(t, x.class, "Title", "Sir"), x.one().(*wire.SetFields).Fields)
}

// lostLink is the loss of a link to where all objects are.
var lostLink = &wire.LinkLost{Hosts: []do.Range{{
	Lo: do.PartitionRange(do.KindObject, 0).Lo, Hi: do.PartitionRange(do.KindObject, 1<<16-1).Hi,
}}}

// A State that is dead takes its objects with it: they are deleted, and interests below them close (rule 123).
func TestDeadStateTakesItsObjects(t *testing.T) {
	x := newAITest(t)
	dead, other := x.made("Flippy", Place{ID: do.NewID(1, 1, 7)}), x.made("Dot", Place{ID: do.NewID(2, 1, 7)})
	w, err := x.a.AddInterest(dead.ID(), 1)
	require.NoError(t, err)
	x.sent()
	x.heard()
	x.step(&wire.LinkLost{Dead: true, Hosts: []do.Range{do.PartitionRange(do.KindObject, 1)}})
	require.Equal(t, []string{"delete Flippy"}, x.heard())
	require.True(t, w.Closed())
	require.Nil(t, x.a.Find(dead.ID()))
	require.Same(t, other, x.a.Find(other.ID()))
}

// A lost link to where an object is not: its writes go on, and nothing is asked for again. Who handles a call may be
// there, so its outcome is unknown.
func TestLinkLostElsewhere(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	_, _ = x.open(20)
	called := x.do(func(ctx context.Context) error { _, err := a.Buy.Call(ctx, order{}); return err })
	asked := x.do(func(ctx context.Context) error { return x.a.SetOwner(ctx, a.ID(), do.Channel{}) })
	a.HP = 4
	require.NoError(t, a.Save())
	out := x.sent()
	x.step(&wire.LinkLost{})
	require.ErrorIs(t, *called, wire.CodeLinkLost)
	require.ErrorIs(t, *asked, errPending)
	require.Empty(t, x.sent())
	require.EqualValues(t, 4, a.HP)
	set := out[len(out)-1].Body.(*wire.SetFields)
	x.step(&wire.Done{Context: set.Context, Of: set.Type(), DO: a.ID(), Version: do.Version{Inc: 1, N: 2}})
	require.EqualValues(t, 4, a.HP)
	require.Empty(t, x.sent())
}

// A lost link: what was in flight has an unknown outcome, and what is watched is asked for again.
func TestLinkLost(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	err := x.do(func(ctx context.Context) error { _, err := a.Buy.Call(ctx, order{}); return err })
	a.HP = 4
	require.NoError(t, a.Save())
	x.sent()
	x.step(lostLink)
	require.ErrorIs(t, *err, wire.CodeLinkLost)
	require.EqualValues(t, 100, a.HP)
	out := x.sent()
	require.Len(t, out, 2)
	require.Equal(t, &wire.AskHeld{Owners: []do.Channel{x.a.Channel()}, AI: x.a.Channel()}, out[0].Body)
	get := out[1].Body.(*wire.GetAll)
	require.Equal(t, a.ID(), get.DO)
	x.step(&wire.GetAllResp{Context: get.Context, Entry: wire.Entry{DO: a.ID(), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 2}, Location: streetAt, AI: x.a.Channel(), Fields: values(t, x.class, "Name", "Flippy", "HP", 4)}})
	require.EqualValues(t, 4, a.HP, "it had arrived")
}

func TestTimers(t *testing.T) {
	x := newAITest(t)
	var fired []int64
	note := func(context.Context) error { fired = append(fired, x.a.Now()-second); return nil }
	x.a.After(5, note)
	every := x.a.Every(int64msDuration(10), note)
	x.tick(5)
	require.Equal(t, []int64{5}, fired)
	x.tick(25e6)
	x.tick(1e6)
	require.Equal(t, []int64{5, 25e6 + 5}, fired, "missed runs are not made up for")
	x.a.StopTimer(every)
	x.tick(1e9)
	require.Len(t, fired, 2)
}

// Closing ends every wait, and the handlers return.
func TestCloseEndsWaits(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	err := x.do(func(ctx context.Context) error {
		_, err := a.Buy.Call(ctx, order{})
		_, again := a.Buy.Call(ctx, order{})
		require.ErrorIs(t, again, ErrClosed)
		a.HP = 1
		return err
	})
	x.sent()
	x.a.Close()
	require.ErrorIs(t, *err, ErrClosed)
	require.Empty(t, x.sent())
	err = x.do(func(context.Context) error { return nil })
	require.ErrorIs(t, *err, ErrClosed)
}

// In dev mode an object that is touched off the loop fails with both stacks.
func TestOffLoopFailsWithBothStacks(t *testing.T) {
	x := newAITest(t, func(c *Config) { c.Dev = true })
	x.a.OwnLoop()
	a := x.made("Flippy", Place{})
	a.HP = 3
	require.NoError(t, a.Save())
	require.NoError(t, *x.do(func(context.Context) error { a.HP = 4; return a.Save() }))
	result := make(chan error)
	go func() { result <- a.Save() }()
	err := <-result
	require.ErrorIs(t, err, ErrOffLoop)
	require.Contains(t, err.Error(), "the caller:\ngoroutine ")
	require.Contains(t, err.Error(), "the loop:\ngoroutine ")
	require.Contains(t, err.Error(), "TestOffLoopFailsWithBothStacks")
}
