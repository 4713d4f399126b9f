package repository

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

func int64msDuration(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

func (x *aiTest) entry(part do.Partition, n uint64, zone do.Zone, name string, v uint32) wire.Entry {
	return wire.Entry{
		DO: do.NewID(part, 1, n), Class: x.class.Number(), Version: do.Version{Inc: 1, N: v},
		Location: do.Location{Parent: street, Zone: zone}, Fields: values(x.t, x.class, "Name", name),
	}
}

// open begins an interest in zones of the street and gives the query.
func (x *aiTest) open(zones ...do.Zone) (*Watch, *wire.GetZonesObjects) {
	x.t.Helper()
	w, err := x.a.AddInterest(street, zones...)
	require.NoError(x.t, err)
	add := x.one().(*wire.AddChannels)
	require.NotZero(x.t, add.Context, "rule 106: first subscribe, and be sure of it")
	x.step(&wire.ChannelsAdded{Context: add.Context})
	return w, x.one().(*wire.GetZonesObjects)
}

// rules 80, 109, 113: the parent's list decides; entries come from it and from the States of listed children.
func TestRule80Opening(t *testing.T) {
	x := newAITest(t)
	w, q := x.open(20, 21)
	require.Equal(t, []do.Zone{20, 21}, q.Zones)
	waited := x.do(w.Wait)
	e1, e2, e3 := x.entry(1, 1, 20, "A", 3), x.entry(2, 2, 21, "B", 4), x.entry(3, 3, 20, "C", 4)
	// An entry from elsewhere may overtake the list.
	x.step(&wire.ZoneEntries{Parent: street, Entries: []wire.Entry{e2}})
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Entries: []wire.Entry{e1}, List: []wire.Listed{{DO: e2.DO, Zone: 21}}})
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, List: []wire.Listed{{DO: e3.DO, Zone: 20}}})
	require.ErrorIs(t, *waited, errPending)
	x.step(&wire.ZoneEntries{Parent: street, Gone: []wire.Listed{{DO: e3.DO, Version: do.Version{Inc: 1, N: 9}}}})
	require.NoError(t, *waited)
	require.Equal(t, []string{`generate B mood=""`, `generate A mood=""`}, x.heard())

	// rule 107: what is covered already is done at once; while it opens, not before.
	w2, err := x.a.AddInterest(street, 20)
	require.NoError(t, err)
	done, _ := w2.Done()
	require.True(t, done)
	require.Empty(t, x.sent())

	// rule 118: altering closes what nobody covers any more.
	require.NoError(t, w.Alter(street, 20))
	require.Equal(t, []do.Channel{do.At(do.Location{Parent: street, Zone: 21})}, x.one().(*wire.RemoveChannels).Channels)
	require.Equal(t, []string{"disable B"}, x.heard())
	require.NoError(t, w.Remove())
	require.Empty(t, x.sent(), "rule 117: zones shared with another: nothing")
	require.NoError(t, w2.Remove())
	require.Equal(t, []string{"disable A"}, x.heard())
}

func TestRule107PendingCoverage(t *testing.T) {
	x := newAITest(t)
	w1, q := x.open(20)
	w2, err := x.a.AddInterest(street, 20)
	require.NoError(t, err)
	done, _ := w2.Done()
	require.False(t, done)
	require.NoError(t, w1.Remove())
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true})
	done, _ = w2.Done()
	require.True(t, done)
}

// rule 83: a parent that does not exist fails the interest at once; rule 114: only a dead shard times out.
func TestRule83NoParent(t *testing.T) {
	x := newAITest(t)
	w, q := x.open(20)
	waited := x.do(w.Wait)
	x.step(&wire.Failed{Context: q.Context, Of: q.Type(), Code: wire.CodeNoParent})
	require.ErrorIs(t, *waited, wire.CodeNoParent)
	require.True(t, w.Closed())

	w, _ = x.openAgain(20)
	waited = x.do(w.Wait)
	x.tick(3 * second)
	require.NoError(t, *waited)
	e := x.entry(1, 1, 20, "Late", 1)
	x.step(&wire.ZoneEntries{Parent: street, Entries: []wire.Entry{e}})
	require.Equal(t, []string{`generate Late mood=""`}, x.heard(), "late entries are announced")
}

func (x *aiTest) openAgain(zones ...do.Zone) (*Watch, *wire.GetZonesObjects) {
	x.sent()
	return x.open(zones...)
}

// rules 32, 120: moves between watched places keep the object; out of them it is disabled; deleted is deleted.
func TestRule120Moves(t *testing.T) {
	x := newAITest(t)
	_, q := x.open(20, 21)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, Entries: []wire.Entry{x.entry(1, 1, 20, "A", 1)}})
	id := do.NewID(1, 1, 1)
	x.heard()
	moved := func(zone do.Zone, n uint32) *wire.ChangingLocation {
		return &wire.ChangingLocation{DO: id, Version: do.Version{Inc: 1, N: n}, New: do.Location{Parent: street, Zone: zone}}
	}
	x.step(moved(21, 2))
	e := x.entry(1, 1, 21, "A", 3)
	x.step(&wire.EnterLocation{Entry: e})
	require.Empty(t, x.heard())
	require.EqualValues(t, 21, x.a.View()[0].Location.Zone)
	x.step(moved(20, 2))
	require.EqualValues(t, 21, x.a.View()[0].Location.Zone, "older")
	x.step(moved(99, 4))
	require.Equal(t, []string{"disable A"}, x.heard())
	x.step(&wire.EnterLocation{Entry: x.entry(1, 1, 20, "A", 6)})
	x.step(&wire.Deleted{DO: id, Version: do.Version{Inc: 1, N: 7}})
	require.Equal(t, []string{`generate A mood=""`, "delete A"}, x.heard())
	require.Empty(t, x.sent())
}

// A hole in the versions is a gap: the object is asked for again.
func TestGapIsRepaired(t *testing.T) {
	x := newAITest(t)
	_, q := x.open(20)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, Entries: []wire.Entry{x.entry(1, 1, 20, "A", 1)}})
	id := do.NewID(1, 1, 1)
	x.step(&wire.Update{DO: id, Version: do.Version{Inc: 1, N: 2}, Fields: values(t, x.class, "HP", 5)})
	require.Empty(t, x.sent())
	x.step(&wire.Update{DO: id, Version: do.Version{Inc: 1, N: 4}, Fields: values(t, x.class, "HP", 6)})
	ask := x.one().(*wire.AskEntries)
	require.Equal(t, x.a.Channel(), ask.Asker)
	require.Equal(t, []do.ID{id}, ask.DOs)
	e := x.entry(1, 1, 20, "A", 4)
	e.Fields = values(t, x.class, "Name", "Zed", "HP", 6)
	x.step(&wire.ZoneEntries{Parent: street, Entries: []wire.Entry{e}})
	require.Equal(t, "Zed", x.a.Find(id).(*AvatarAI).Name)
}

// A digest that differs from the view asks again: a missing object enters, one too many leaves.
func TestDigestRepairs(t *testing.T) {
	x := newAITest(t)
	_, q := x.open(20)
	a, b := x.entry(1, 1, 20, "A", 1), x.entry(1, 2, 20, "B", 1)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, Entries: []wire.Entry{a}})
	digest := func(es ...wire.Entry) *wire.Digest {
		p := wire.DigestPart{Partition: 1, Count: uint32(len(es))}
		for _, e := range es {
			p.Sum += wire.DigestOf(e.DO, e.Version)
		}
		return &wire.Digest{Location: streetAt, Parts: []wire.DigestPart{p}}
	}
	x.heard()
	x.step(digest(a))
	require.Empty(t, x.sent(), "equal")
	x.step(digest(b))
	q = x.one().(*wire.GetZonesObjects)
	x.step(digest(b))
	require.Empty(t, x.sent(), "asked already")
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, Entries: []wire.Entry{b}})
	require.Equal(t, []string{`generate B mood=""`, "disable A"}, x.heard())
	x.step(digest(b))
	require.Empty(t, x.sent())
}

// rule 123: an interest below an object closes when that object is deleted.
func TestRule123ParentDeleted(t *testing.T) {
	x := newAITest(t)
	w, q := x.open(20)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, Entries: []wire.Entry{x.entry(1, 1, 20, "A", 1)}})
	x.step(&wire.Deleted{DO: street})
	require.True(t, w.Closed())
	_, err := w.Done()
	require.ErrorIs(t, err, wire.CodeGone)
	require.Equal(t, []string{`generate A mood=""`, "disable A"}, x.heard())
	require.ErrorIs(t, w.Alter(street, 1), ErrClosed)
}

// What the parent listed and its children's State does not tell is asked for before the time-out, and once more at it: the
// links between States are not ours (rules 82, 114).
func TestRule114MissingIsAskedAgain(t *testing.T) {
	x := newAITest(t)
	w, q := x.open(20)
	waited := x.do(w.Wait)
	e1, e2, e3 := x.entry(2, 1, 20, "A", 3), x.entry(3, 2, 20, "B", 4), x.entry(2, 3, 20, "C", 4)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true, List: []wire.Listed{{DO: e1.DO, Zone: 20}, {DO: e2.DO, Zone: 20}, {DO: e3.DO, Zone: 20}}})
	x.step(&wire.ZoneEntries{Context: q.Context, Parent: street, Entries: []wire.Entry{e1}})
	x.tick(openingTimeout / 2)
	out := x.sent()
	require.Len(t, out, 2)
	for i, id := range []do.ID{e3.DO, e2.DO} {
		require.Equal(t, []do.Channel{do.ObjectChannel(id)}, out[i].To)
		require.Equal(t, &wire.AskEntries{
			Context: q.Context, Asker: x.a.Channel(), Parent: street, Zones: []do.Zone{20}, DOs: []do.ID{id},
		}, out[i].Body)
	}
	x.step(&wire.ZoneEntries{Context: q.Context, Parent: street, Entries: []wire.Entry{e2}})
	require.ErrorIs(t, *waited, errPending)
	x.tick(openingTimeout / 2)
	require.NoError(t, *waited)
	require.Equal(t, []do.ID{e3.DO}, x.one().(*wire.AskEntries).DOs)
	x.step(&wire.ZoneEntries{Context: q.Context, Parent: street, Entries: []wire.Entry{e3}})
	require.Len(t, x.heard(), 3)
}

// A lost link opens everything that is watched again.
func TestLinkLostReopens(t *testing.T) {
	x := newAITest(t)
	w, _ := x.open(20, 21)
	x.step(lostLink)
	out := x.sent()
	require.Len(t, out, 2)
	require.IsType(t, &wire.AskHeld{}, out[0].Body)
	q := out[1].Body.(*wire.GetZonesObjects)
	require.Equal(t, []do.Zone{20, 21}, q.Zones)
	waited := x.do(w.Wait)
	x.step(&wire.ZonesObjects{Context: q.Context, Parent: street, Last: true})
	require.NoError(t, *waited)
}

func TestActivateWaitsForTheObject(t *testing.T) {
	x := newAITest(t)
	id := do.NewID(2, 1, 5)
	var got any
	err := x.do(func(ctx context.Context) (err error) {
		got, err = x.a.Activate(ctx, id, Place{At: streetAt}, nil)
		return err
	})
	act := x.one().(*wire.Activate)
	require.Equal(t, wire.AnyClass, act.Class)
	require.Equal(t, x.a.Channel(), act.AI)
	x.step(&wire.Done{Context: act.Context, DO: id})
	require.ErrorIs(t, *err, errPending)
	e := x.entry(2, 5, 20, "Pete", 1)
	e.AI = x.a.Channel()
	x.step(&wire.EnterAI{Entry: e})
	require.NoError(t, *err)
	require.Equal(t, "Pete", got.(*AvatarAI).Name)

	err = x.do(func(ctx context.Context) error { return x.a.Unload(ctx, id) })
	un := x.one().(*wire.Unload)
	x.heard()
	x.step(&wire.Deleted{DO: id, Version: do.Version{Inc: 1, N: 2}, Unloaded: true}, &wire.Done{Context: un.Context})
	require.NoError(t, *err)
	require.Equal(t, []string{"disable Pete"}, x.heard(), "its row lives on")
}

// rule 123: an interest below an object closes when that object is deleted; of one that this repository does not see
// the children channel tells, which it hears as long as anything below it is watched.
func TestRule123ChildrenChannel(t *testing.T) {
	x := newAITest(t)
	market := do.NewID(1, 1, 77)
	w, err := x.a.AddInterest(market, 1)
	require.NoError(t, err)
	add := x.one().(*wire.AddChannels)
	require.Contains(t, add.Channels, do.Children(market))
	second, err := x.a.AddInterest(market, 2)
	require.NoError(t, err)
	require.NotContains(t, x.one().(*wire.AddChannels).Channels, do.Children(market), "once is enough")

	require.NoError(t, second.Remove())
	require.NotContains(t, x.one().(*wire.RemoveChannels).Channels, do.Children(market))
	x.step(&wire.Deleted{DO: market, Version: do.Version{Inc: 1, N: 2}})
	require.True(t, w.Closed())
	require.Contains(t, x.one().(*wire.RemoveChannels).Channels, do.Children(market))
}
