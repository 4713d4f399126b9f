package do

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestIDIsAUUIDOfVersion8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Partition(rapid.Uint16().Draw(t, "partition"))
		ms := rapid.Int64Range(0, 1<<44-1).Draw(t, "ms")
		random := rapid.Uint64().Draw(t, "random")
		id := NewID(p, ms, random)
		u := uuid.UUID(id)
		if u.Version() != 8 || u.Variant() != uuid.RFC4122 {
			t.Fatalf("%s has version %d and variant %s", id, u.Version(), u.Variant())
		}
		if id.Partition() != p || id.UnixMilli() != ms || id.IsWellKnown() || id.IsZero() || id.Number() != 0 {
			t.Fatalf("%s", id)
		}
		if [7]byte(id[9:]) != [7]byte(binary.BigEndian.AppendUint64(nil, random)[1:]) || id[8]&0x3f != byte(random>>56)&0x3f {
			t.Fatalf("%s does not hold the random bits of %x", id, random)
		}
		back, err := ParseID(id.String())
		if err != nil || back != id {
			t.Fatalf("%s reads as %s, %v", id, back, err)
		}
		if back, err = ParseID(fmt.Sprintf("%x", id[:])); err != nil || back != id {
			t.Fatalf("%s without dashes reads as %s, %v", id, back, err)
		}
	})
}

func TestIDsOfAPartitionSortByAge(t *testing.T) {
	young, old := NewID(2, 2000, 0), NewID(2, 1999, ^uint64(0))
	require.Equal(t, 1, young.Compare(old))
	require.Equal(t, -1, old.Compare(young))
	require.Equal(t, -1, young.Compare(NewID(3, 0, 0)), "the partition goes first")
	require.Zero(t, young.Compare(young))
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawID(t), drawID(t)
		if a.Compare(b) != bytes.Compare(a[:], b[:]) {
			t.Fatalf("%s and %s", a, b)
		}
	})
}

func TestWellKnownIDs(t *testing.T) {
	id := WellKnown(4670)
	require.Equal(t, "#4670", id.String())
	require.True(t, id.IsWellKnown())
	require.Equal(t, uint64(4670), id.Number())
	require.Equal(t, Partition(0), id.Partition())
	require.Zero(t, id.UnixMilli())
	require.True(t, WellKnown(0).IsZero())
	require.False(t, WellKnown(0).IsWellKnown())
	require.Equal(t, "none", ID{}.String())
	for _, s := range []string{"00000000-0000-0000-0000-00000000123e", "0000000000000000000000000000123e"} {
		back, err := ParseID(s)
		require.NoError(t, err)
		require.Equal(t, id, back, "as a database prints it")
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{
		"", "#", "#0", "#x", "#-1", "#18446744073709551616", "# 5", "#+5", "5", "None", "none ", "0001", "{00010000-0000-8000-8000-000000000000}",
		"urn:uuid:00010000-0000-8000-8000-000000000000", "00010000-0000-8000-8000-00000000000", "00010000-0000-8000-8000-00000000000g",
	} {
		_, err := ParseID(s)
		require.ErrorIs(t, err, ErrID, "%q", s)
		var id ID
		require.ErrorIs(t, id.UnmarshalText([]byte(s)), ErrID)
	}
	var id ID
	require.NoError(t, id.UnmarshalText([]byte("#7")))
	text, err := id.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "#7", string(text))
}

func drawID(t *rapid.T) ID {
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		return WellKnown(rapid.Uint64Range(1, 1<<64-1).Draw(t, "number"))
	case 1:
		return NewID(Partition(rapid.Uint16Range(1, 4).Draw(t, "partition")), rapid.Int64Range(0, 3).Draw(t, "ms"), rapid.Uint64().Draw(t, "random"))
	}
	return NewID(Partition(rapid.Uint16().Draw(t, "partition")), rapid.Int64Range(0, 1<<44-1).Draw(t, "ms"), rapid.Uint64().Draw(t, "random"))
}

// channels is one of each kind.
func channels() []Channel {
	id := NewID(3, 1000, 5)
	return []Channel{
		{},
		Control(RoleDirector), Control(RoleStateServer), ControlOf(RoleClientAgent, id), Control(Role(77)), ControlOf(Role(78), id), ObjectChannel(id), UberDOG(WellKnown(4670)),
		At(Location{Parent: id, Zone: 20}), Children(id), Session(id), Account(id), AI(id), Record(id), Group(id), AllClients(),
	}
}

func TestChannelText(t *testing.T) {
	var got []string
	for _, c := range channels() {
		got = append(got, c.String())
		back, err := ParseChannel(c.String())
		require.NoError(t, err)
		require.Equal(t, c, back)
	}
	const id = "00030000-0000-83e8-8000-000000000005"
	require.Equal(t, []string{
		"none", "control director", "control stateserver", "control clientagent " + id, "control 77", "control 78 " + id, "object " + id, "uberdog #4670", "location " + id + "/20",
		"children " + id, "session " + id, "account " + id, "ai " + id, "record " + id, "group " + id, "clients",
	}, got)
	require.Equal(t, "kind(12)", Kind(12).String())
}

func TestParseChannelRefuses(t *testing.T) {
	for _, s := range []string{
		"", "x", "none x", "clients x", "object", "object x", "control", "control chef", "control 0", "control 5000000000", "control -1", "control database x", "location",
		"location none", "location #5", "location #5/x", "location #5/-1", "location none/5", "session  #5", "Object #5", "object #5 ",
	} {
		c, err := ParseChannel(s)
		require.ErrorIs(t, err, ErrChannel, "%q reads as %v", s, c)
		require.Zero(t, c, "%q", s)
	}
}

func TestRule14ChannelsDoNotCollide(t *testing.T) {
	seen := make(map[Channel]bool)
	for _, c := range channels() {
		require.False(t, seen[c], "%s", c)
		seen[c] = true
	}
	id := WellKnown(1)
	require.NotEqual(t, ObjectChannel(id), Session(id))
	require.NotEqual(t, Children(id), At(Location{Parent: id}))
}

func TestRule15NowhereHasNoChannel(t *testing.T) {
	require.True(t, At(Location{Zone: 5}).IsZero())
	require.False(t, At(Location{Parent: WellKnown(1)}).IsZero())
	require.Equal(t, Location{Parent: WellKnown(1), Zone: 3}, At(Location{Parent: WellKnown(1), Zone: 3}).Location())
	require.True(t, ObjectChannel(WellKnown(1)).Location().IsZero())
}

func drawChannel(t *rapid.T) Channel {
	return Channel{
		Kind: Kind(rapid.Uint32Range(0, uint32(kinds)-1).Draw(t, "kind")), ID: drawID(t),
		Zone: Zone(rapid.SampledFrom([]uint32{0, 1, 20, 1<<32 - 1}).Draw(t, "zone")),
	}
}

func TestChannelsHaveATotalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cs := []Channel{drawChannel(t), drawChannel(t), drawChannel(t)}
		slices.SortFunc(cs, Channel.Compare)
		for i, a := range cs {
			for j, b := range cs {
				r := a.Compare(b)
				if r != -b.Compare(a) || (r == 0) != (a == b) || i < j && r > 0 {
					t.Fatalf("%s and %s: %d", a, b, r)
				}
			}
		}
	})
}

func TestPartitionRangeHoldsExactlyThePartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChannel(t)
		for _, kind := range []Kind{c.Kind, KindObject} {
			for _, p := range []Partition{c.ID.Partition(), c.ID.Partition() + 1, c.ID.Partition() - 1, 0} {
				want := c.Kind == kind && c.ID.Partition() == p
				if r := PartitionRange(kind, p); r.Contains(c) != want {
					t.Fatalf("%s contains %s: %t", r, c, !want)
				}
			}
		}
	})
	require.Equal(t, "object 00020000-0000-0000-0000-000000000000 to object 0002ffff-ffff-ffff-ffff-ffffffffffff", PartitionRange(KindObject, 2).String())
}

func TestLocations(t *testing.T) {
	a := Location{Parent: WellKnown(1), Zone: 9}
	for _, l := range []Location{{}, a, {Parent: NewID(1, 1, 1), Zone: 1<<32 - 1}} {
		back, err := ParseLocation(l.String())
		require.NoError(t, err)
		require.Equal(t, l, back)
	}
	require.Equal(t, "#1/9", a.String())
	require.Equal(t, -1, a.Compare(Location{Parent: WellKnown(1), Zone: 10}))
	require.Equal(t, 1, Location{Parent: WellKnown(2)}.Compare(a))
	require.Zero(t, a.Compare(a))
}

func TestVersionsAreOrderedByLifeThenUpdates(t *testing.T) {
	order := []Version{
		{}, {NewIncarnation(1, 1), 0, 0}, {NewIncarnation(1, 1), 0, 5}, {NewIncarnation(1, 1), 1, 0}, {NewIncarnation(1, 2), 0, 0}, {NewIncarnation(2, 0), 0, 0},
	}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i != j {
				want = 1
				if i < j {
					want = -1
				}
			}
			require.Equal(t, want, a.Compare(b), "%s and %s", a, b)
		}
		require.Equal(t, i == 0, a.IsZero())
	}
	require.Equal(t, "1.2:3.4", Version{NewIncarnation(1, 2), 3, 4}.String())
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"none", "#4670", "#0", "00010000-0000-8000-8000-000000000000", "00010000000080008000000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			require.ErrorIs(t, err, ErrID)
			require.Zero(t, id)
			return
		}
		back, err := ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, back)
	})
}

func FuzzParseChannel(f *testing.F) {
	for _, c := range channels() {
		f.Add(c.String())
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseChannel(s)
		if err != nil {
			require.ErrorIs(t, err, ErrChannel)
			require.Zero(t, c)
			return
		}
		require.Equal(t, s == "none", c.IsZero())
		back, err := ParseChannel(c.String())
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}
