package repository

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// row is an avatar of the database as somebody loads it who does not run it.
func (x *aiTest) row(id do.ID, name string, gold int) *AvatarAI {
	a := do.New[AvatarAI]()
	a.t = x.testWorld
	in, err := do.Bind(a)
	require.NoError(x.t, err)
	in.Attach(id, nil, nil)
	for it := values(x.t, x.class, "Name", name, "Gold", gold).Iter(); it.Next(); {
		_, _, err := in.Apply(it.Number(), it.Value())
		require.NoError(x.t, err)
	}
	return a
}

// A row is part of a transaction, and comes to life here before that is decided. Whether with the values from before or
// after, its State is asked; its handlers wait for that.
func TestRowOfATransactionComesToLife(t *testing.T) {
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprint(committed), func(t *testing.T) {
			x := newAITest(t)
			x.buy = func(ctx context.Context, a *AvatarAI, o order) (receipt, error) {
				a.Gold -= 1
				return receipt{}, nil
			}
			id := do.NewID(2, 1, 5)
			row, b := x.row(id, "Flippy", 10), x.stored("Goofy")
			result, tx := x.trade(row, b)
			x.step(&wire.EnterAI{Entry: wire.Entry{
				DO: id, Class: x.class.Number(), Version: do.Version{Inc: 1}, Location: streetAt, AI: x.a.Channel(),
				Fields: values(t, x.class, "Name", "Flippy", "HP", 100, "Gold", 10),
			}})
			a := x.a.Find(id).(*AvatarAI)
			x.step(x.call(a, 77, "tea"))
			require.Empty(t, x.sent(), "no handler counts with values that are in doubt")
			want := 10
			if committed {
				want = 5
				x.step(&wire.Done{Context: tx.Context})
				require.NoError(t, *result)
				get, other := x.asked()
				require.Empty(t, other)
				x.step(x.is(get[id], 2, "Name", "Flippy", "HP", 100, "Gold", 5))
			} else {
				x.step(&wire.Failed{Context: tx.Context, Code: wire.CodeConflict})
				require.ErrorIs(t, *result, wire.CodeConflict)
			}
			require.EqualValues(t, want, row.Gold)
			require.Equal(t, values(t, x.class, "Gold", want-1), x.one().(*wire.Bundle).Ops[0].Fields)
		})
	}
}
