package do

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
)

// changed is the text of what a save would send.
func changed(t *testing.T, in *Instance) string {
	t.Helper()
	var b fields.MapBuilder
	require.NoError(t, in.Changed(&b))
	return mapText(t, in.class, b.Map())
}

func mapText(t *testing.T, c *Class, m fields.Map) string {
	t.Helper()
	var out []byte
	it := m.Iter()
	for it.Next() {
		f := c.Field(it.Number())
		out = append(out, f.Name+":"...)
		out = append(f.Type.AppendText(out, it.Value()), ' ')
	}
	require.NoError(t, it.Err())
	return string(bytes.TrimSpace(out))
}

func attached(t *testing.T) (*AvatarAI, *Instance, *testLink) {
	t.Helper()
	a := New[AvatarAI]()
	in := InstanceOf(&a.Object)
	link := &testLink{}
	in.Attach(NewID(3, 1, 1), nil, link)
	return a, in, link
}

func TestNewFillsInDefaults(t *testing.T) {
	a := New[Avatar]()
	require.Equal(t, int16(100), a.HP)
	require.Equal(t, uint8(1), a.Level, "rule 69: the least value in range")
	require.Equal(t, "Avatar", a.Class().Name())
	require.Zero(t, a.ID())
	require.Empty(t, changed(t, InstanceOf(&a.Object)))
}

func TestNewOfNoClassPanicsWithTheReason(t *testing.T) {
	require.PanicsWithError(t, "do: do.testVec2: wrong schema: it embeds neither do.Object nor a class", func() { New[testVec2]() })
}

func TestObjectOutsideOfARepository(t *testing.T) {
	var raw Avatar
	require.ErrorIs(t, raw.Save(), ErrDetached)
	require.ErrorIs(t, raw.Say.Send("x"), ErrDetached)
	require.ErrorIs(t, raw.Touch(&raw.HP), ErrDetached)
	require.Nil(t, raw.Class())
	require.Zero(t, raw.Location())
	require.Zero(t, raw.Owner())
	require.Zero(t, raw.Version())

	a := New[Avatar]()
	require.ErrorIs(t, a.Save(), ErrDetached)
	require.ErrorIs(t, a.Commit(context.Background()), ErrDetached)
	require.ErrorIs(t, a.Delete(), ErrDetached)
	require.ErrorIs(t, a.Move(Location{}), ErrDetached)
	require.ErrorIs(t, a.Say.Send("x"), ErrDetached)
	require.ErrorIs(t, a.Walk.Send(), ErrDetached)
	_, err := a.Buy.Call(context.Background(), testRequest{})
	require.ErrorIs(t, err, ErrDetached)
}

func TestObjectAsksItsLink(t *testing.T) {
	a, in, link := attached(t)
	here := Location{Parent: WellKnown(7), Zone: 20}
	in.SetLocation(here)
	in.SetOwner(AI(WellKnown(9)))
	in.SetVersion(Version{N: 4})
	require.Equal(t, here, a.Location())
	require.Equal(t, AI(WellKnown(9)), a.Owner())
	require.Equal(t, Version{N: 4}, a.Version())

	require.NoError(t, a.Save())
	require.NoError(t, a.Commit(context.Background()))
	require.NoError(t, a.Move(here))
	require.NoError(t, a.Say.Send("hi"))
	require.NoError(t, a.Say.SendTo(Session(WellKnown(5)), "psst"))
	require.NoError(t, a.Delete())
	require.Equal(t, []string{
		"save " + a.ID().String(), "commit", "move #7/20", "send Say to none", "send Say to session #5", "delete",
	}, link.log)
	in.Detach()
	require.ErrorIs(t, a.Save(), ErrDetached)
	require.Equal(t, Partition(3), a.ID().Partition(), "the id stays readable")
}

func TestRule71ArgumentsAreCheckedWhereTheyAreSent(t *testing.T) {
	a, _, link := attached(t)
	require.ErrorIs(t, a.Say.Send(string(make([]byte, 201))), fields.ErrLength)
	require.Empty(t, link.log)
}

func TestCallDecodesTheReply(t *testing.T) {
	a, _, link := attached(t)
	link.reply = fields.AppendInt(fields.AppendString(fields.AppendArrayHeader(nil, 2), "ale"), 5)
	got, err := a.Buy.Call(context.Background(), testRequest{Item: "ale"})
	require.NoError(t, err)
	require.Equal(t, testReceipt{Item: "ale", Paid: 5}, got)

	link.reply = append(link.reply, 0)
	_, err = a.Buy.Call(context.Background(), testRequest{Item: "ale"})
	require.ErrorIs(t, err, fields.ErrTrailing)

	link.err = errors.New("gone")
	_, err = a.Buy.Call(context.Background(), testRequest{Item: "ale"})
	require.ErrorIs(t, err, link.err)
}

func TestRule60MolecularSendsItsPartsAsOne(t *testing.T) {
	a, in, link := attached(t)
	a.X, a.Y, a.Gold = 1, 2, 3
	require.NoError(t, a.Walk.Send())
	require.Equal(t, []string{"send Walk to none"}, link.log)
	f := in.class.FieldByName("Walk")
	require.NoError(t, f.Check(link.arg))
	var parts []string
	require.NoError(t, f.Split(link.arg, func(p *Field, v []byte) { parts = append(parts, p.Name+" "+p.Type.Text(v)) }))
	require.Equal(t, []string{"X 1", "Y 2"}, parts)
	require.Equal(t, "Gold:3 X:1 Y:2", changed(t, in), "a handler that fails can still undo them")
	in.MarkSavedField(f.Number)
	require.Equal(t, "Gold:3", changed(t, in), "once it left, the parts count as saved")
	in.MarkSavedField(mustField(in.class, "Gold"))
	in.MarkSavedField(1<<14 - 1)
	require.Empty(t, changed(t, in))

	for n := range link.arg {
		require.Error(t, f.Check(link.arg[:n]), "prefix of %d", n)
	}
	require.ErrorIs(t, f.Check(append(bytes.Clone(link.arg), 0)), fields.ErrTrailing)
	require.ErrorIs(t, f.Check(fields.AppendArrayHeader(nil, 0)), fields.ErrLength)
}

func TestChangedMeansAnotherEncoding(t *testing.T) {
	a, in, _ := attached(t)
	a.HP, a.Name = 50, "Flippy"
	a.Pos = testVec3{X: 1}
	require.Equal(t, `Name:"Flippy" HP:50 Pos:{X:1 Y:0 Z:0}`, changed(t, in))
	in.MarkSaved()
	require.Empty(t, changed(t, in))
	a.HP, a.HP = 40, 50
	require.Empty(t, changed(t, in), "changed and changed back")
	require.NoError(t, a.Touch(&a.HP))
	require.Equal(t, "HP:50", changed(t, in), "touched")
	in.MarkSaved()
	a.Tags = append(a.Tags, "x")
	require.Equal(t, `Tags:["x"]`, changed(t, in))
	in.MarkSaved()
	a.Tags[0] = "y"
	require.Equal(t, `Tags:["y"]`, changed(t, in), "what is inside a slice counts")
}

func TestChangedRefusesWhatTheTypeDoes(t *testing.T) {
	a, in, _ := attached(t)
	a.HP = 101
	var b fields.MapBuilder
	err := in.Changed(&b)
	require.ErrorIs(t, err, fields.ErrRange)
	require.ErrorContains(t, err, "Avatar.HP")
	require.Zero(t, b.Len())
}

func TestUndoRestoresWhatWasSaved(t *testing.T) {
	a, in, _ := attached(t)
	a.HP, a.Tags = 50, []string{"a", "b"}
	in.MarkSaved()
	a.HP, a.Tags[0], a.Pos.X, a.Level = 1, "z", 9, 7
	require.NoError(t, a.Touch(&a.Gold))
	in.Undo()
	require.Equal(t, int16(50), a.HP)
	require.Equal(t, []string{"a", "b"}, a.Tags)
	require.Zero(t, a.Pos)
	require.Equal(t, uint8(1), a.Level)
	require.Empty(t, changed(t, in))
}

func TestPresence(t *testing.T) {
	a, in, _ := attached(t)
	require.True(t, a.IsSet(&a.HP), "required fields always have a value")
	require.False(t, a.IsSet(&a.Pos))
	require.NoError(t, a.Touch(&a.Pos))
	require.True(t, a.IsSet(&a.Pos), "set to zero on purpose")
	require.Equal(t, "Pos:{X:0 Y:0 Z:0}", changed(t, in))
	in.MarkSaved()
	require.True(t, a.IsSet(&a.Pos))
	a.Pos.X = 3
	require.NoError(t, a.Unset(&a.Pos))
	require.False(t, a.IsSet(&a.Pos))
	require.Zero(t, a.Pos)
	require.Equal(t, []fields.Number{mustField(in.class, "Pos")}, in.Removed(nil))
	require.Empty(t, changed(t, in))
	a.Pos.X = 4
	require.Empty(t, in.Removed(nil), "it was set again after it was unset")
	require.Equal(t, "Pos:{X:4 Y:0 Z:0}", changed(t, in))
	require.NoError(t, a.Unset(&a.Pos))
	in.MarkSaved()
	require.Empty(t, in.Removed(nil))
	require.False(t, a.IsSet(&a.Pos))
}

func TestRule70Unset(t *testing.T) {
	a, in, _ := attached(t)
	a.HP = 3
	in.MarkSaved()
	require.NoError(t, a.Unset(&a.HP))
	require.Equal(t, int16(100), a.HP, "required with a default")
	require.Equal(t, []fields.Number{mustField(in.class, "HP")}, in.Removed(nil))
	in.Undo()
	require.Equal(t, int16(3), a.HP)
	require.ErrorContains(t, a.Unset(&a.Gold), "is required and has no default")
}

func TestPointersThatAreNoFields(t *testing.T) {
	a, _, _ := attached(t)
	var other int16
	for _, p := range []any{&other, nil, a.HP, &a.Pos.X, &a.Say, (*int16)(nil), "HP"} {
		require.False(t, a.IsSet(p))
		require.ErrorIs(t, a.Touch(p), ErrNoField)
		require.ErrorIs(t, a.Unset(p), ErrNoField)
	}
}

func TestApply(t *testing.T) {
	a, in, _ := attached(t)
	hp := mustField(in.class, "HP")
	old, known, err := in.Apply(hp, fields.AppendInt(nil, 7))
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, fields.AppendInt(nil, 100), old)
	require.Equal(t, int16(7), a.HP)
	require.Empty(t, changed(t, in), "what the cluster said is no change of ours")
	old, _, err = in.Apply(hp, fields.AppendInt(nil, 8))
	require.NoError(t, err)
	require.Equal(t, fields.AppendInt(nil, 7), old)
	saved, ok := in.Saved(hp)
	require.True(t, ok)
	require.Equal(t, fields.AppendInt(nil, 8), saved)

	_, known, err = in.Apply(hp, fields.AppendInt(nil, 101))
	require.True(t, known)
	require.ErrorIs(t, err, fields.ErrRange)
	_, _, err = in.Apply(hp, []byte{1, 1})
	require.ErrorIs(t, err, fields.ErrTrailing)
	require.Equal(t, int16(8), a.HP, "a refused value changes nothing")
	for _, n := range []fields.Number{1<<14 - 1, mustField(in.class, "Say")} {
		_, known, err = in.Apply(n, []byte{1})
		require.NoError(t, err)
		require.False(t, known)
	}
}

func TestForget(t *testing.T) {
	a, in, _ := attached(t)
	n := mustField(in.class, "X")
	_, _, err := in.Apply(n, fields.AppendFloat32(nil, 4))
	require.NoError(t, err)
	old, known := in.Forget(n)
	require.True(t, known)
	require.Equal(t, fields.AppendFloat32(nil, 4), old)
	require.Zero(t, a.X)
	require.False(t, a.IsSet(&a.X))
	_, ok := in.Saved(n)
	require.False(t, ok)
	_, known = in.Forget(1<<14 - 1)
	require.False(t, known)
}

func TestEntryHasAllRequiredFieldsAndWhatIsSet(t *testing.T) {
	a, in, _ := attached(t)
	a.Name, a.X = "Flippy", 2
	require.NoError(t, a.Touch(&a.Pos))
	var b fields.MapBuilder
	require.NoError(t, in.Entry(&b))
	require.Equal(t, `Name:"Flippy" HP:100 Pos:{X:0 Y:0 Z:0} Gold:0 X:2 Level:1`, mapText(t, in.class, b.Map()))
}

func TestOneBindingPerObject(t *testing.T) {
	a := &AvatarAI{}
	a.HP = 9
	in, err := Bind(a)
	require.NoError(t, err)
	again, err := Bind(a)
	require.NoError(t, err)
	require.Same(t, in, again)
	require.Equal(t, int16(9), a.HP, "Bind leaves values as they are")
	require.Same(t, a, in.Target())
	require.Same(t, &a.Object, in.Object())
	for _, v := range []any{nil, Avatar{}, (*Avatar)(nil), new(int)} {
		_, err := Bind(v)
		require.ErrorIs(t, err, ErrSchema)
	}
}

func TestFieldsThatTheClusterDoesNotHave(t *testing.T) {
	a, in, link := attached(t)
	old, err := ParseSchema([]byte("dclass Named { string Name required; } dclass Avatar : Named { }"))
	require.NoError(t, err)
	in.Attach(a.ID(), old.Class("Avatar"), link)
	require.ErrorIs(t, a.Say.Send("x"), ErrNoField)
	require.Same(t, old.Class("Avatar"), a.Class())
}

func TestUpdatesDoNotAllocate(t *testing.T) {
	a, in, _ := attached(t)
	a.Name, a.Pos = "Flippy", testVec3{1, 2, 3}
	in.MarkSaved()
	var b fields.MapBuilder
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b.Reset()
		if in.Changed(&b) != nil || b.Len() != 0 {
			t.Fatal("changed")
		}
	}))
	pos := mustField(in.class, "Pos")
	value := fields.AppendArrayHeader(nil, 3)
	for range 3 {
		value = fields.AppendFloat32(value, 7)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, _, err := in.Apply(pos, value); err != nil {
			t.Fatal(err)
		}
	}))
	walk := in.class.FieldByName("Walk")
	arg := fields.AppendFloat32(fields.AppendFloat32(fields.AppendArrayHeader(nil, 2), 1), 2)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if walk.Check(arg) != nil {
			t.Fatal("refused")
		}
	}))
}

func BenchmarkChangedUnchanged(b *testing.B) {
	in := InstanceOf(&New[Avatar]().Object)
	var out fields.MapBuilder
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := in.Changed(&out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApplyThreeFloats(b *testing.B) {
	in := InstanceOf(&New[Avatar]().Object)
	pos := mustField(in.class, "Pos")
	value := in.class.FieldByName("Pos").Initial()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := in.Apply(pos, value); err != nil {
			b.Fatal(err)
		}
	}
}
