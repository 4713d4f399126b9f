package repository

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// is what a State says that it has of an avatar.
func (x *aiTest) is(get *wire.GetAll, n uint32, kv ...any) *wire.GetAllResp {
	return &wire.GetAllResp{Context: get.Context, Entry: wire.Entry{
		DO: get.DO, Class: x.class.Number(), Version: do.Version{Inc: 1, N: n}, Location: streetAt,
		AI: x.a.Channel(), Owner: x.a.Channel(), Fields: values(x.t, x.class, kv...),
	}}
}

// asked gives the GetAlls among what was sent, by object, and how many other messages there were.
func (x *aiTest) asked() (map[do.ID]*wire.GetAll, []wire.Body) {
	get, other := map[do.ID]*wire.GetAll{}, []wire.Body(nil)
	for _, m := range x.sent() {
		if b, ok := m.Body.(*wire.GetAll); ok {
			get[b.DO] = b
		} else {
			other = append(other, m.Body)
		}
	}
	return get, other
}

// pay lets OnBuy move 5 gold to another avatar.
func (x *aiTest) pay(to *AvatarAI) {
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		if err := x.a.Change(&to.Object); err != nil {
			return receipt{}, err
		}
		a.Gold -= 5
		to.Gold += 5
		return receipt{Paid: 5}, nil
	}
}

// A link is lost with a bundle in flight. Whether that was done is not known, so no handler of its objects runs until
// their State has said what it has; then they run in their order and count with that.
func TestHandlersWaitForTheStateAfterALostLink(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprint(arrived), func(t *testing.T) {
			x := newAITest(t)
			a := x.made("Flippy", Place{Partition: 1})
			b := x.made("Goofy", Place{Partition: 1})
			x.pay(b)
			x.step(x.call(a, 77, "tea"))
			require.IsType(t, &wire.Bundle{}, x.one())
			x.step(lostLink)
			get, _ := x.asked()
			require.Len(t, get, 2)

			x.step(&wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 2}, Fields: values(t, x.class, "Say", "first")})
			x.step(x.call(a, 78, "tea"))
			require.Empty(t, x.heard())
			require.Empty(t, x.sent(), "no handler ran")
			require.False(t, x.a.Quiet())
			a.HP = 3
			require.ErrorIs(t, a.Save(), wire.CodeLinkLost)
			require.EqualValues(t, 100, a.HP, "what cannot be saved is taken back")

			gold, other := -5, 5
			if !arrived {
				gold, other = 0, 0
			}
			x.step(x.is(get[b.ID()], 3, "Name", "Goofy", "HP", 100, "Gold", other))
			require.Empty(t, x.sent())
			x.step(x.is(get[a.ID()], 3, "Name", "Flippy", "HP", 100, "Gold", gold))
			require.Equal(t, []string{"say first from none"}, x.heard())
			bundle := x.one().(*wire.Bundle)
			require.Equal(t, values(t, x.class, "Gold", gold-5), bundle.Ops[0].Fields)
			require.Equal(t, values(t, x.class, "Gold", other+5), bundle.Ops[1].Fields)
			require.Zero(t, x.a.State.doubts)
		})
	}
}

// What is built on another object that is still in doubt is refused, and undone.
func TestChangeOfAnObjectInDoubtIsRefused(t *testing.T) {
	x := newAITest(t)
	a, b := x.made("Flippy", Place{Partition: 1}), x.made("Goofy", Place{Partition: 1})
	x.pay(b)
	x.step(lostLink)
	get, _ := x.asked()
	x.step(x.is(get[a.ID()], 2, "Name", "Flippy", "HP", 100, "Gold", 50))
	x.step(x.call(a, 77, "tea"))
	bundle := x.one().(*wire.Bundle)
	require.Equal(t, wire.CodeLinkLost, bundle.Ops[0].Reply.Code)
	require.EqualValues(t, 50, a.Gold)
	require.Zero(t, b.Gold)
	x.step(x.is(get[b.ID()], 2, "Name", "Goofy", "HP", 100, "Gold", 7), x.call(a, 78, "tea"))
	require.Equal(t, values(t, x.class, "Gold", 12), x.one().(*wire.Bundle).Ops[1].Fields)
}

// A handler that waits in the middle goes on when its object is not in doubt any more.
func TestHandlerInTheMiddleWaitsForTheState(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
		a.Gold -= 5
		if err := x.a.Sleep(ctx, time.Second); err != nil {
			return receipt{}, err
		}
		a.Gold -= 1
		return receipt{}, nil
	}
	x.step(x.call(a, 77, "tea"))
	require.IsType(t, &wire.SetFields{}, x.one())
	x.step(lostLink)
	get, _ := x.asked()
	x.tick(2 * second)
	require.Empty(t, x.sent())
	x.step(x.is(get[a.ID()], 2, "Name", "Flippy", "HP", 100, "Gold", -5))
	require.Equal(t, values(t, x.class, "Gold", -6), x.one().(*wire.Bundle).Ops[0].Fields)
}

// What waits is bounded: more calls are refused, other handlers are reported. A call whose caller has given up is not run.
func TestHandlersOfAnObjectInDoubtAreBounded(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	ran := 0
	x.buy = func(context.Context, *AvatarAI, order) (receipt, error) { ran++; return receipt{}, nil }
	x.step(lostLink)
	get, _ := x.asked()
	late := x.call(a, 1, "late")
	late.Deadline = x.now + 1
	x.step(late)
	for i := range uint32(maxDoubtful) {
		x.step(x.call(a, 2+i, "tea"))
	}
	bundle := x.one().(*wire.Bundle)
	require.Equal(t, wire.CallReply{Context: maxDoubtful + 1, DO: a.ID(), Field: late.Field, Code: wire.CodeOverload, Text: "too many handlers wait for an object in doubt"}, bundle.Ops[0].Reply)
	x.errs = nil
	x.step(&wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 2}, Fields: values(t, x.class, "Say", "lost")})
	require.Len(t, x.errs, 1)
	require.ErrorIs(t, x.errs[0], wire.CodeOverload)
	x.tick(second)
	x.step(x.is(get[a.ID()], 3, "Name", "Flippy", "HP", 100, "Gold", 0))
	require.Equal(t, maxDoubtful-1, ran)
	out := x.sent()
	require.Len(t, out, maxDoubtful)
	require.Equal(t, wire.CodeTimeout, out[0].Body.(*wire.Bundle).Ops[0].Reply.Code)
}

// A State that does not answer is asked again; an answer to a question from before the next loss does not count. One
// that has the object no more ends it, and who called it is told.
func TestObjectInDoubtThatIsGone(t *testing.T) {
	x := newAITest(t)
	a, b := x.made("Flippy", Place{}), x.made("Goofy", Place{})
	x.step(lostLink)
	old, _ := x.asked()
	x.step(lostLink)
	get, _ := x.asked()
	x.step(x.is(old[a.ID()], 2, "Name", "Flippy", "HP", 100, "Gold", 9))
	x.step(x.call(a, 77, "tea"), x.call(b, 78, "tea"))
	require.Empty(t, x.sent())
	x.step(&wire.Failed{Context: get[a.ID()].Context, DO: a.ID(), Code: wire.CodeAway})
	x.tick(openingTimeout)
	get, _ = x.asked()
	require.Len(t, get, 2)
	x.step(&wire.Failed{Context: get[a.ID()].Context, DO: a.ID(), Code: wire.CodeNoObject})
	require.Equal(t, wire.CodeGone, x.one().(*wire.Bundle).Ops[0].Reply.Code)
	require.Equal(t, []string{"delete Flippy"}, x.heard())
	dormant := x.is(get[b.ID()], 0, "Name", "Goofy", "Gold", 9)
	dormant.Entry.Version.Inc = 0
	x.step(dormant)
	require.Equal(t, wire.CodeGone, x.one().(*wire.Bundle).Ops[0].Reply.Code)
	require.Equal(t, []string{"disable Goofy"}, x.heard(), "it is in the database only")
	x.tick(openingTimeout)
	require.Empty(t, x.sent())
	require.Zero(t, x.a.State.doubts)
}

// What was written in the round in which the loss is heard of was built on what may be lost: it is not handed over.
func TestWritesBehindALossAreWithdrawn(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	a.Gold = 5
	require.NoError(t, a.Save())
	x.step(lostLink)
	get, other := x.asked()
	require.Len(t, get, 1)
	require.Len(t, other, 1)
	require.IsType(t, &wire.AskHeld{}, other[0])
	require.Zero(t, a.Gold)
}

// stored is an avatar that the AI was given, as of the database.
func (x *aiTest) stored(name string) *AvatarAI {
	x.random++
	id := do.NewID(do.Partition(1+x.random%4), 1, x.random)
	x.step(&wire.EnterAI{Entry: wire.Entry{
		DO: id, Class: x.class.Number(), Version: do.Version{Inc: 1, N: 1}, Location: streetAt, AI: x.a.Channel(),
		Fields: values(x.t, x.class, "Name", name, "HP", 100, "Gold", 0),
	}})
	x.heard()
	return x.a.Find(id).(*AvatarAI)
}

// trade begins a transaction over two avatars and gives its message.
func (x *aiTest) trade(a, b *AvatarAI) (result *error, sent *wire.DBTransact) {
	result = x.do(func(ctx context.Context) error {
		return x.a.Transact(ctx, func() error { a.Gold -= 5; b.Gold += 5; return nil }, []*do.Object{&a.Object, &b.Object})
	})
	sent, ok := x.one().(*wire.DBTransact)
	require.True(x.t, ok)
	return result, sent
}

// While a transaction is in flight handlers of its objects wait, and what it sets is not saved.
func TestHandlersWaitForATransaction(t *testing.T) {
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprint(committed), func(t *testing.T) {
			x := newAITest(t)
			a, b := x.stored("Flippy"), x.stored("Goofy")
			x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
				a.Gold -= 1
				return receipt{}, nil
			}
			result, tx := x.trade(a, b)
			x.step(x.call(a, 77, "tea"))
			require.Empty(t, x.sent())
			b.Gold = 9
			require.ErrorIs(t, b.Save(), wire.CodeConflict)
			require.Zero(t, b.Gold)
			b.HP = 9
			require.NoError(t, b.Save(), "another field")
			require.Equal(t, values(t, x.class, "HP", 9), x.one().(*wire.SetFields).Fields)
			want := -1
			if committed {
				want = -6
				x.step(&wire.Done{Context: tx.Context})
				require.NoError(t, *result)
			} else {
				x.step(&wire.Failed{Context: tx.Context, Code: wire.CodeConflict})
				require.ErrorIs(t, *result, wire.CodeConflict)
			}
			require.Equal(t, values(t, x.class, "Gold", want), x.one().(*wire.Bundle).Ops[0].Fields)
		})
	}
}

// Somebody else sets a field of a transaction whose answer is late, to what it was before: whether that came before the
// transaction or after it, only the State knows, and it is asked.
func TestTransactionWhoseValueCameBack(t *testing.T) {
	x := newAITest(t)
	a, b := x.stored("Flippy"), x.stored("Goofy")
	result, tx := x.trade(a, b)
	update := func(gold int) {
		v := a.Version()
		v.N++
		x.step(&wire.Update{DO: a.ID(), Version: v, Fields: values(t, x.class, "Gold", gold)})
	}
	update(3)
	update(0)
	x.step(&wire.Done{Context: tx.Context})
	require.NoError(t, *result)
	require.EqualValues(t, 5, b.Gold)
	get, ok := x.one().(*wire.GetAll)
	require.True(t, ok)
	require.Equal(t, a.ID(), get.DO)
	require.ErrorIs(t, func() error { a.HP = 4; return a.Save() }(), wire.CodeLinkLost, "it waits")
	x.step(x.is(get, 9, "Name", "Flippy", "HP", 100, "Gold", 0))
	require.Zero(t, a.Gold)
	a.HP = 4
	require.NoError(t, a.Save())
}

// Two handlers that trade with each other's objects do not wait for each other for ever.
func TestTransactionsOfHandlersOverTheSameObjects(t *testing.T) {
	x := newAITest(t)
	a, b := x.stored("Flippy"), x.stored("Goofy")
	var ended []error
	x.buy = func(ctx context.Context, me *AvatarAI, o order) (receipt, error) {
		err := x.a.Transact(ctx, func() error { a.Gold -= 5; b.Gold += 5; return nil }, []*do.Object{&a.Object, &b.Object})
		ended = append(ended, err)
		return receipt{}, err
	}
	x.step(x.call(a, 77, "tea"))
	first := x.one().(*wire.DBTransact)
	x.step(x.call(b, 78, "tea"))
	require.Empty(t, x.sent(), "the second begins when the first is over")
	x.step(&wire.Done{Context: first.Context})
	out := x.sent()
	require.Len(t, out, 2)
	var second *wire.DBTransact
	for _, m := range out {
		if tx, ok := m.Body.(*wire.DBTransact); ok {
			second = tx
		}
	}
	require.Equal(t, values(t, x.class, "Gold", -5), second.Parts[0].Expect, "it sees what the first one did")
	x.step(&wire.Done{Context: second.Context})
	require.Equal(t, []error{nil, nil}, ended)
	require.EqualValues(t, -10, a.Gold)
	require.EqualValues(t, 10, b.Gold)
}

// The answer to a transaction is lost, and so is that to the question what became of it: it is asked again until it is
// known, also when nobody waits for it any more. Handlers of the objects wait so long.
func TestTransactionInDoubtIsResolved(t *testing.T) {
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprint(committed), func(t *testing.T) {
			x := newAITest(t)
			a, b := x.stored("Flippy"), x.stored("Goofy")
			x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
				a.Gold -= 1
				return receipt{}, nil
			}
			result, tx := x.trade(a, b)
			x.step(&wire.LinkLost{})
			require.Equal(t, tx.Tx, x.one().(*wire.DBOutcome).Tx)
			x.step(&wire.LinkLost{})
			require.Empty(t, x.sent())
			x.tick(int64(outcomeEvery))
			require.Equal(t, tx.Tx, x.one().(*wire.DBOutcome).Tx)
			x.tick(11 * second)
			x.tick(1)
			require.ErrorIs(t, *result, wire.CodeUnknown)
			call := x.call(a, 77, "tea")
			call.Deadline = 0
			x.step(call)
			b.Gold = 9
			require.ErrorIs(t, b.Save(), wire.CodeConflict)
			require.False(t, x.a.Quiet())

			ask := x.one().(*wire.DBOutcome)
			x.step(&wire.Failed{Context: ask.Context, Code: wire.CodeAway})
			x.tick(int64(outcomeEvery))
			x.step(&wire.DBDecided{Context: x.one().(*wire.DBOutcome).Context, Tx: tx.Tx, Committed: committed})
			want, other := -1, 0
			if committed {
				want, other = -6, 5
			}
			require.Equal(t, values(t, x.class, "Gold", want), x.one().(*wire.Bundle).Ops[0].Fields)
			require.EqualValues(t, other, b.Gold)
			b.Gold = 9
			require.NoError(t, b.Save())
		})
	}
}
