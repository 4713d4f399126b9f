package stateserver

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

var tester = do.AI(do.WellKnown(9))

// step gives a State a message of the tester and returns what it caused.
func step(t testing.TB, s *State, b wire.Body) []wire.Message {
	t.Helper()
	var out wire.Outbox
	_ = s.Step(wire.Message{From: tester, Body: b}, &out)
	return out.Messages
}

func TestConfigRefused(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Instance: do.WellKnown(1), Epoch: 1},
		{Instance: do.WellKnown(1), Partitions: []do.Partition{1}},
	} {
		_, err := New(cfg)
		require.ErrorIs(t, err, ErrConfig)
	}
	_, err := ParseConfig("{")
	require.Error(t, err)
}

// TestRule109Chunks opens a zone that takes several messages: every object once, in order, and an end.
func TestRule109Chunks(t *testing.T) {
	b := newBench(t, 200)
	for i := range 100 {
		step(t, b.state, &wire.ChangingLocation{
			DO: do.NewID(9, int64(i+1), uint64(i)), Class: 1, Version: do.Version{Inc: 1}, New: do.Location{Parent: b.ids[0], Zone: 20},
		})
	}
	var entries, listed []do.ID
	messages := step(t, b.state, &wire.GetZonesObjects{Context: 4, Parent: b.ids[0], Zones: []do.Zone{20}})
	for i, m := range messages[:len(messages)-1] {
		z := m.Body.(*wire.ZonesObjects)
		require.Equal(t, i == len(messages)-2, z.Last)
		require.LessOrEqual(t, len(z.Entries), chunkEntries)
		for _, e := range z.Entries {
			entries = append(entries, e.DO)
		}
		for _, l := range z.List {
			listed = append(listed, l.DO)
		}
	}
	require.Equal(t, b.ids[1:], entries)
	require.True(t, slices.IsSortedFunc(listed, do.ID.Compare))
	require.Len(t, listed, 100)
	require.Equal(t, listed, messages[len(messages)-1].Body.(*wire.AskEntries).DOs)
}

// TestRule109Elsewhere lets children elsewhere come, move, change their class and go: the list is always in order, and the
// questions to their States are by partition, in the same order.
func TestRule109Elsewhere(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBench(t, 0)
		version := uint32(0)
		for range rapid.IntRange(1, 40).Draw(r, "changes") {
			version++
			id := do.NewID(do.Partition(rapid.IntRange(2, 4).Draw(r, "partition")), 1, uint64(rapid.IntRange(1, 6).Draw(r, "id")))
			at := do.Location{Parent: b.ids[0], Zone: do.Zone(rapid.IntRange(20, 21).Draw(r, "zone"))}
			if rapid.IntRange(0, 3).Draw(r, "leaves") == 0 {
				at = do.Location{}
			}
			step(t, b.state, &wire.ChangingLocation{
				DO: id, Class: uint32(rapid.IntRange(0, 1).Draw(r, "class")), Version: do.Version{Inc: 1, N: version}, New: at,
			})
			var want []*child
			for _, c := range b.state.away {
				if c.place.loc.Zone == 20 {
					want = append(want, c)
				}
			}
			slices.SortFunc(want, compareChildren)
			var listed, asked, wanted []do.ID
			for _, m := range step(t, b.state, &wire.GetZonesObjects{Context: 4, Parent: b.ids[0], Zones: []do.Zone{20}}) {
				switch body := m.Body.(type) {
				case *wire.ZonesObjects:
					for _, l := range body.List {
						listed = append(listed, l.DO)
					}
				case *wire.AskEntries:
					asked = append(asked, body.DOs...)
				}
			}
			for _, c := range want {
				wanted = append(wanted, c.id)
			}
			require.Equal(r, wanted, listed)
			slices.SortStableFunc(wanted, func(a, b do.ID) int { return cmp.Compare(a.Partition(), b.Partition()) })
			require.Equal(r, wanted, asked)
		}
	})
}

// TestStoredIsCopied writes over the bytes of a set after its Step.
func TestStoredIsCopied(t *testing.T) {
	b := newBench(t, 1)
	set := three(5)
	step(t, b.state, &wire.SetFields{DO: b.ids[1], Fields: set})
	before := step(t, b.state, &wire.GetAll{DO: b.ids[1]})[0].Body.(*wire.GetAllResp).Entry.Fields
	require.Equal(t, three(5), before)
	for i := range set {
		set[i] = 0xff
	}
	step(t, b.state, &wire.SetFields{DO: b.ids[1], Fields: three(7)})
	require.Equal(t, three(5), before, "an entry that was sent does not change")
	require.Equal(t, three(7), step(t, b.state, &wire.GetAll{DO: b.ids[1]})[0].Body.(*wire.GetAllResp).Entry.Fields)
}

// TestDeepDeletion deletes the top of a long chain.
func TestDeepDeletion(t *testing.T) {
	b := newBench(t, 0)
	for range 2000 {
		b.create(t, 0, do.Location{Parent: b.ids[len(b.ids)-1], Zone: 1})
	}
	step(t, b.state, &wire.DeleteRAM{DO: b.ids[0]})
	require.Zero(t, b.state.Counters().Objects)
	step(t, b.state, &wire.Tick{Unix: 1})
	require.Empty(t, b.state.places)
	require.Empty(t, b.state.families)
}

// TestParkedEnds fills the queue of an object that waits: what comes then is refused, a call by its own answer.
func TestParkedEnds(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema, MaxParked: 2})
	require.NoError(t, err)
	id := do.NewID(1, 1, 1)
	require.Len(t, step(t, s, &wire.Activate{Context: 1, DO: id, Class: 1}), 1)
	require.Empty(t, step(t, s, &wire.GetLocation{Context: 2, DO: id}))
	require.Equal(t, uint64(2), s.Counters().Parked)
	failed := step(t, s, &wire.GetLocation{Context: 3, DO: id})[0].Body.(*wire.Failed)
	require.Equal(t, wire.CodeOverload, failed.Code)
	require.Equal(t, uint32(3), failed.Context)
	reply := step(t, s, &wire.Call{Context: 4, Caller: tester, DO: id})[0].Body.(*wire.CallReply)
	require.Equal(t, wire.CodeOverload, reply.Code)
}

// TestParkedGoesOn lets what waited for one object wait for another, too, where the queue is full: nothing is refused that
// was taken.
func TestParkedGoesOn(t *testing.T) {
	schema := readSchema(t, "testdata/world.dc")
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema, MaxParked: 2})
	require.NoError(t, err)
	place := schema.Class("Place")
	title := fieldsOf(place.FieldByName("Title"), `"x"`)
	one, other, tx := do.NewID(1, 1, 1), do.NewID(1, 1, 2), do.NewID(1, 1, 3)
	for _, id := range []do.ID{one, other} {
		step(t, s, &wire.Create{DO: id, Class: place.Number(), Fields: title})
		step(t, s, &wire.Freeze{DO: id, Tx: tx})
	}
	require.Empty(t, step(t, s, &wire.Bundle{Context: 1, DO: one, Ops: []wire.Op{
		{Kind: wire.OpSet, DO: one, Fields: title}, {Kind: wire.OpSet, DO: other, Fields: title},
	}}))
	require.Empty(t, step(t, s, &wire.SetFields{Context: 2, DO: one, Fields: title}))
	require.Empty(t, step(t, s, &wire.SetFields{Context: 3, DO: other, Fields: title}))

	require.Len(t, step(t, s, &wire.Thaw{DO: one, Tx: tx}), 1)
	failed := step(t, s, &wire.SetFields{Context: 4, DO: other, Fields: title})[0].Body.(*wire.Failed)
	require.Equal(t, wire.CodeOverload, failed.Code)
	var done []uint32
	for _, m := range step(t, s, &wire.Thaw{DO: other, Tx: tx}) {
		if b, ok := m.Body.(*wire.Done); ok {
			done = append(done, b.Context)
		}
	}
	require.Equal(t, []uint32{1, 2, 3}, done)
}

// TestAppendedToAncestor gives a State a schema in which an ancestor has one field more: the slots of its descendants
// move, and each value stays with its field.
func TestAppendedToAncestor(t *testing.T) {
	const base = "dclass Base {\n  int8 A = 1 required broadcast;\n"
	const child = "};\ndclass Child : Base {\n  string(0-9) B = \"b\" required broadcast;\n  int32 C ram broadcast;\n};\n"
	parse := func(text string) *do.Schema {
		schema, err := do.ParseSchema([]byte(text))
		require.NoError(t, err)
		return schema
	}
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: parse(base + child)})
	require.NoError(t, err)
	id := do.NewID(1, 1, 1)
	c := s.schema.Class("Child")
	set := fields.Merge(fieldsOf(c.FieldByName("B"), `"x"`), fieldsOf(c.FieldByName("C"), "70000"))
	step(t, s, &wire.Create{DO: id, Class: 1, Fields: set})

	newer := parse(base + "  string(0-9) New = \"new\" required broadcast;\n" + child)
	step(t, s, &wire.SchemaRecord{Version: 2, Text: newer.Text()})
	got := step(t, s, &wire.GetAll{DO: id})[0].Body.(*wire.GetAllResp).Entry.Fields
	c = newer.Class("Child")
	want := fields.Merge(set, fields.Merge(fieldsOf(c.FieldByName("A"), "1"), fieldsOf(c.FieldByName("New"), `"new"`)))
	require.Equal(t, want, got)

	// One that is no superset, or no schema, changes nothing.
	var out wire.Outbox
	require.ErrorIs(t, s.Step(wire.Message{Body: &wire.SchemaRecord{Version: 3, Text: parse(base + child).Text()}}, &out), do.ErrIncompatible)
	require.Error(t, s.Step(wire.Message{Body: &wire.SchemaRecord{Version: 3, Text: []byte("dclass")}}, &out))
	require.Equal(t, want, step(t, s, &wire.GetAll{DO: id})[0].Body.(*wire.GetAllResp).Entry.Fields)
}

// TestUnexpected gives a State what is none of its business: one answer, and none to what is an answer itself.
func TestUnexpected(t *testing.T) {
	b := newBench(t, 1)
	require.Len(t, step(t, b.state, &wire.DBGet{Context: 1, DO: b.ids[1]}), 1)
	for _, body := range []wire.Body{
		&wire.Done{Context: 1}, &wire.Failed{Context: 1}, &wire.DBObject{Context: 1}, &wire.CallReply{}, &wire.Update{},
		&wire.LocationAck{DO: b.ids[1]}, &wire.WakeChildren{Parent: b.ids[0]}, &wire.GetAIResp{},
	} {
		require.Empty(t, step(t, b.state, body), "%v", body)
	}
	var out wire.Outbox
	require.ErrorIs(t, b.state.Step(wire.Message{}, &out), ErrUnexpected)
}

// TestGhosts keeps the last ids and no more.
func TestGhosts(t *testing.T) {
	var g ghosts
	for i := range maxGhosts + 10 {
		g.add(do.WellKnown(uint64(i + 1)))
		g.add(do.WellKnown(uint64(i + 1)))
	}
	require.False(t, g.has(do.WellKnown(10)))
	require.True(t, g.has(do.WellKnown(11)))
	require.Len(t, g.set, maxGhosts)
}

// rule 5: a message whose only recipient is the director is a control message. What the director tells is no request,
// so nothing is answered to it, whatever it says.
func TestRule5NoAnswerToTheDirector(t *testing.T) {
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: readSchema(t, "testdata/world.dc")})
	require.NoError(t, err)
	var out wire.Outbox
	for _, b := range []wire.Body{&wire.LinkLost{}, &wire.Failed{Of: wire.TypeAddChannels, Code: wire.CodeMalformed}, &wire.Drop{}, &wire.DeleteRAM{DO: do.NewID(1, 1, 1)}} {
		_ = s.Step(wire.Message{To: []do.Channel{s.Channel()}, From: director, Body: b}, &out)
		require.Empty(t, out.Messages, "%T", b)
	}
}
