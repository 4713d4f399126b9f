package uberdog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

type Friends struct {
	do.Object
	Add do.Call[string, bool] `do:"clsend"`
	Hey do.Event[string]      `do:"clsend"`
}

type Counter struct {
	do.Object
	Add   do.Call[string, bool] `do:"clsend"`
	Count int64                 `do:"ram"`
}

type FriendsUD struct{ Friends }

func schema(t *testing.T) *do.Schema {
	r := do.NewRegistry()
	require.NoError(t, r.UberDOG(do.WellKnown(1), Friends{}, false))
	require.NoError(t, r.Class(Counter{}))
	return r.Schema()
}

func TestRule171UberDOGHasNoState(t *testing.T) {
	err := do.NewRegistry().UberDOG(do.WellKnown(2), Counter{}, false)
	require.ErrorContains(t, err, "an UberDOG has no state, and Counter.Count is a state field (rule 171)")
}

func TestBindingDecidesTheClass(t *testing.T) {
	s := schema(t)
	require.NoError(t, bound(s, do.WellKnown(1), s.Class("Friends")))
	require.EqualError(t, bound(s, do.WellKnown(1), s.Class("Counter")), "wrong binding: the schema has class Friends there, not Counter")
	require.EqualError(t, bound(s, do.WellKnown(3), s.Class("Friends")), "wrong binding: the schema has no UberDOG there: use Registry.UberDOG")

	in, err := do.Bind(&FriendsUD{})
	require.NoError(t, err)
	require.Equal(t, "Friends", in.Object().Class().Name(), "a behaviour is of its class")
}
