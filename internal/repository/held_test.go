package repository

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// What an AI hears as AI or owner is counted: what was lost is asked for, object by object, and nothing else is.
func TestHeldDigestRepairs(t *testing.T) {
	x := newAITest(t)
	a := x.made("Flippy", Place{})
	e := wire.Entry{
		DO: a.ID(), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 1}, Location: streetAt,
		AI: x.a.Channel(), Owner: x.a.Channel(), Fields: values(t, x.class, "Name", "Flippy"),
	}
	x.step(&wire.EnterAI{Entry: e}, &wire.EnterOwner{Entry: e})
	count := func(id do.ID, n uint8) *wire.HeldDigest {
		return &wire.HeldDigest{Counts: []wire.HeldCount{{DO: id, Class: x.class.Number(), Count: n}}}
	}
	ask := &wire.AskHeld{Owners: []do.Channel{x.a.Channel()}, AI: x.a.Channel(), DOs: []do.ID{a.ID()}}
	set := &wire.Update{DO: a.ID(), Version: do.Version{Inc: 1, N: 1, M: 1}, Fields: values(t, x.class, "Gold", 3)}
	moved := &wire.ChangingLocation{DO: a.ID(), Version: do.Version{Inc: 1, N: 2}, Old: streetAt, New: do.Location{Parent: street, Zone: 5}}
	x.step(count(a.ID(), 0), set, moved, count(a.ID(), 2))
	require.Empty(t, x.sent(), "all came")

	// What only watchers are told does not count.
	x.a.Step(wire.Message{To: []do.Channel{do.At(streetAt)}, Body: &wire.Update{
		DO: a.ID(), Version: do.Version{Inc: 1, N: 3}, Fields: values(t, x.class, "HP", 3),
	}}, x.now)
	x.step(count(a.ID(), 2))
	require.Empty(t, x.sent())

	x.step(count(a.ID(), 3))
	require.Equal(t, ask, x.one())
	e.Version, e.Fields = do.Version{Inc: 1, N: 3, M: 1}, values(t, x.class, "Name", "Flippy", "Gold", 9)
	x.step(&wire.EnterAI{Entry: e}, &wire.EnterOwner{Entry: e}, count(a.ID(), 0))
	require.EqualValues(t, 9, a.Gold)
	require.Empty(t, x.sent())

	// An object that it was given and does not know, and one of a class that it could not take in.
	other := do.NewID(2, 1, 77)
	x.step(count(other, 0))
	ask.DOs = []do.ID{other}
	require.Equal(t, ask, x.one())
	x.step(&wire.HeldDigest{Counts: []wire.HeldCount{{DO: other, Class: 999}}})
	require.IsType(t, &wire.SchemaGet{}, x.one(), "the schema may have grown")

	// What it does not own any more it asks about, if it thinks that it does.
	lost := &wire.HeldDigest{Lost: []wire.HeldLost{{DO: a.ID()}}}
	x.step(lost)
	require.Equal(t, []do.ID{a.ID()}, x.one().(*wire.AskEntries).DOs)
	e.Owner = do.Session(do.NewID(9, 9, 9))
	x.step(&wire.ZoneEntries{Entries: []wire.Entry{e}}, lost)
	require.Empty(t, x.sent())
	x.step(&wire.HeldDigest{Lost: []wire.HeldLost{{DO: a.ID(), AI: true}}})
	require.Equal(t, []do.ID{a.ID()}, x.one().(*wire.AskEntries).DOs)
	x.heard()
	x.step(&wire.ZoneEntries{Gone: []wire.Listed{{DO: a.ID()}}})
	require.Equal(t, []string{"delete Flippy"}, x.heard())
}
