package databasetest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// typeValues are types with texts of values that must come back as they are.
var typeValues = []struct {
	typ    string
	values []string
}{
	{"bool", []string{"true", "false"}},
	{"int8", []string{"-128", "0", "127"}},
	{"int16", []string{"-32768", "32767"}},
	{"int32", []string{"-2147483648", "2147483647"}},
	{"int64", []string{"-9223372036854775808", "9223372036854775807"}},
	{"uint8", []string{"0", "255"}},
	{"uint16", []string{"65535"}},
	{"uint32", []string{"4294967295"}},
	{"uint64", []string{"0", "9223372036854775807", "9223372036854775808", "18446744073709551615"}},
	{"float32", []string{"0", "0.1", "-3.4e38", "1e-45"}},
	{"float64", []string{"0.1", "1e308", "-5e-324"}},
	{"float32 as int16/10%360", []string{"0", "359.9", "0.1", "77.7"}},
	{"string", []string{`""`, `"Flippy"`, `"\u00e9\U0001F600'\"\\;--"`}},
	{"bytes", []string{"0x", "0x000102ff"}},
	{"duration", []string{"0s", "-1ns", "2562047h47m16.854775807s"}},
	{"id", []string{"00010203-0405-0607-0809-0a0b0c0d0e0f", "00000000-0000-0000-0000-000000000000"}},
	{"[4]int8", []string{"[1 -2 3 -4]"}},
	{"[]uint16", []string{"[]", "[0 65535]"}},
	{"[]uint64", []string{"[0 18446744073709551615]"}},
	{"[]string", []string{"[]", `["" "a,b" "{}" "NULL"]`}},
	{"[]bool", []string{"[true false]"}},
	{"[]float32", []string{"[0.1 2]"}},
	{"[]bytes", []string{"[0x 0x00ff]"}},
	{"[]id", []string{"[00010203-0405-0607-0809-0a0b0c0d0e0f]"}},
	{"[][]int32", []string{"[[] [1 2]]"}},
	{"map int64", []string{"{}", `{"a":9007199254740993 "b\"":-1}`}},
	{"map []string", []string{`{"k":["x"]}`}},
	{"{X float32, Y float32}", []string{"{X:0.1 Y:-2}"}},
	{"{N uint64, T bytes, L []{A int8}}", []string{"{N:18446744073709551615 T:0x00 L:[{A:1} {A:2}]}"}},
	{"{X float32 as int16/10, H float32 as uint16/10%360}", []string{"{X:-3276.8 H:359.9}"}},
}

// typedClass has a db field F0, F1, ... for each type.
func typedClass(t *testing.T, keywords string, keep func(*fields.Type) bool, types ...string) do.ClassDecl {
	t.Helper()
	c := do.ClassDecl{Name: "Typed"}
	for i, typ := range types {
		f := field(t, fmt.Sprintf("F%d", i), typ, "db")
		if keep(f.Type) {
			c.Fields = append(c.Fields, field(t, f.Name, typ, keywords))
		}
	}
	return c
}

func any(*fields.Type) bool { return true }

func (s *suite) everyType(t *testing.T) {
	var types []string
	for _, c := range typeValues {
		types = append(types, c.typ)
	}
	d := s.openWith(t, typedClass(t, "db", any, append(types, "time", "[]time")...))
	next := uint64(0)
	check := func(name string, stored, want []byte) {
		next++
		n := d.number("Typed", name)
		d.must(database.Op{Kind: database.OpCreate, ID: id(next), Class: d.class("Typed"), Fields: fields.MapOf(fields.Pair{Number: n, Value: stored})})
		got, _ := d.all(id(next)).Get(n)
		require.Equal(t, want, got, "%s %s", name, d.class("Typed").FieldByName(name).Type)
		d.must(database.Op{
			Kind: database.OpSet, ID: id(next), Unset: []fields.Number{n},
			Equals: fields.MapOf(fields.Pair{Number: n, Value: stored}),
		})
		require.Zero(t, d.all(id(next)).Len())
	}
	for i, c := range typeValues {
		name := fmt.Sprintf("F%d", i)
		typ := d.class("Typed").FieldByName(name).Type
		for _, v := range c.values {
			check(name, text(t, typ, v), text(t, typ, v))
		}
	}
	times, lists := fmt.Sprintf("F%d", len(types)), fmt.Sprintf("F%d", len(types)+1)
	for ns, kept := range map[int64]int64{0: 0, 1_700_000_000_123_456_789: 1_700_000_000_123_456_000, 1000: 1000, 999: 0} {
		check(times, fields.AppendInt(nil, ns), fields.AppendInt(nil, kept))
		check(lists, fields.AppendInt(fields.AppendArrayHeader(nil, 1), ns), fields.AppendInt(fields.AppendArrayHeader(nil, 1), kept))
	}
	float := fmt.Sprintf("F%d", 10)
	check(float, fields.AppendFloat64(nil, math.Copysign(0, -1)), fields.AppendFloat64(nil, 0))
	check(float, fields.AppendFloat64(nil, math.Inf(-1)), fields.AppendFloat64(nil, math.Inf(-1)))
	nan := id(9999)
	d.must(database.Op{Kind: database.OpCreate, ID: nan, Class: d.class("Typed"), Fields: fields.MapOf(fields.Pair{Number: d.number("Typed", float), Value: fields.AppendFloat64(nil, math.NaN())})})
	got, _ := d.all(nan).Get(d.number("Typed", float))
	v, _, err := fields.ReadFloat64(got)
	require.NoError(t, err)
	require.True(t, math.IsNaN(v), "a NaN is a value, not absent")
}

// randomValues writes random values of a few types and compares what comes back with a map in memory.
func (s *suite) randomValues(t *testing.T) {
	d := s.openWith(t, typedClass(t, "db", any, "int64", "uint64", "float32", "float64", "string", "bytes", "[]string", "map float32"))
	class := d.class("Typed")
	next := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		var pairs []fields.Pair
		for i, f := range class.Fields() {
			if rapid.Bool().Draw(rt, "present") {
				pairs = append(pairs, fields.Pair{Number: f.Number, Value: randomValue(rt, i)})
			}
		}
		next++
		want := fields.MapOf(pairs...)
		d.must(database.Op{Kind: database.OpCreate, ID: id(next), Class: class, Fields: want})
		require.Equal(rt, want, d.all(id(next)))
	})
}

// randomValue draws a value of the i-th type of randomValues.
func randomValue(rt *rapid.T, i int) []byte {
	word := rapid.String().Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
	positive := func(f float64) float64 { return f + 0 }
	switch i {
	case 0:
		return fields.AppendInt(nil, rapid.Int64().Draw(rt, "int64"))
	case 1:
		return fields.AppendUint(nil, rapid.Uint64().Draw(rt, "uint64"))
	case 2:
		return fields.AppendFloat32(nil, float32(positive(float64(rapid.Float32().Draw(rt, "float32")))))
	case 3:
		return fields.AppendFloat64(nil, positive(rapid.Float64().Draw(rt, "float64")))
	case 4:
		return fields.AppendString(nil, word.Draw(rt, "string"))
	case 5:
		return fields.AppendBin(nil, rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"))
	case 6:
		list := rapid.SliceOf(word).Draw(rt, "list")
		b := fields.AppendArrayHeader(nil, len(list))
		for _, v := range list {
			b = fields.AppendString(b, v)
		}
		return b
	}
	b := fields.AppendString(fields.AppendMapHeader(nil, 1), word.Draw(rt, "key"))
	return fields.AppendFloat32(b, float32(positive(float64(rapid.Float32().Draw(rt, "value")))))
}

func (s *suite) find(t *testing.T) {
	d := s.openWith(t, avatar(t))
	for n := range uint64(9) {
		d.must(d.create(id(n+1), "Avatar", "Name", fmt.Sprintf("%q", fmt.Sprint("a", n)), "Team", fmt.Sprintf("%q", fmt.Sprint(n%2)), "HP", fmt.Sprint(n)))
	}
	d.must(d.create(id(99), "Avatar"))
	team := d.class("Avatar").FieldByName("Team")
	op := database.Op{Kind: database.OpFind, Class: d.class("Avatar"), Field: team.Number, Value: text(t, team.Type, `"1"`), Limit: 3, All: true}
	rows := d.must(op).Rows
	require.Len(t, rows, 3)
	require.Equal(t, database.Row{ID: id(2), Version: 1, Fields: d.values("Avatar", "Name", `"a1"`, "Team", `"1"`, "HP", "1")}, rows[0])
	op.After, op.All = rows[2].ID, false
	rows = d.must(op).Rows
	require.Len(t, rows, 1)
	require.Equal(t, id(8), rows[0].ID)
	require.Zero(t, rows[0].Fields.Len())

	name := d.class("Avatar").FieldByName("Name")
	op = database.Op{Kind: database.OpFind, Class: d.class("Avatar"), Field: name.Number, Value: text(t, name.Type, `"a4"`)}
	require.Equal(t, []database.Row{{ID: id(5), Version: 1, Fields: fields.EmptyMap()}}, d.must(op).Rows)
	op.Value = text(t, name.Type, `"nobody"`)
	require.Empty(t, d.must(op).Rows)
	op.Field, op.Value = d.number("Avatar", "HP"), fields.AppendInt(nil, 1)
	d.fails(database.ErrNotIndexed, op)
	op.Field, op.Value = name.Number, fields.AppendInt(nil, 1)
	d.fails(database.ErrValue, op)
}

func (s *suite) findTypes(t *testing.T) {
	var types []string
	for _, c := range typeValues {
		types = append(types, c.typ)
	}
	scalars := func(typ *fields.Type) bool {
		return typ.Kind() != fields.KindBytes && !strings.ContainsAny(typ.String(), "[{") && typ.Kind() != fields.KindMap
	}
	d := s.openWith(t, typedClass(t, "db index", scalars, types...))
	next := uint64(0)
	for i, c := range typeValues {
		f := d.class("Typed").FieldByName(fmt.Sprintf("F%d", i))
		if f == nil {
			continue
		}
		for _, v := range c.values {
			next++
			value := text(t, f.Type, v)
			d.must(database.Op{Kind: database.OpCreate, ID: id(next), Class: d.class("Typed"), Fields: fields.MapOf(fields.Pair{Number: f.Number, Value: value})})
			rows := d.must(database.Op{Kind: database.OpFind, Class: d.class("Typed"), Field: f.Number, Value: value}).Rows
			require.Len(t, rows, 1, "%s %s", f.Type, v)
			require.Equal(t, id(next), rows[0].ID)
		}
	}
	require.Greater(t, next, uint64(20))
}

func (s *suite) hostile(t *testing.T) {
	d := s.openWith(t, do.ClassDecl{Name: "Select", Fields: []do.FieldDecl{
		field(t, "from_", "string", "db"), field(t, "Order", "string", "db index"), field(t, "Group", "string", "db unique"), field(t, "rowid", "int8", "db"),
	}}, do.ClassDecl{Name: "User", Fields: []do.FieldDecl{field(t, "Table", "map string", "db")}})
	for n, v := range []string{`'; DROP TABLE "Select"; --`, `"`, `\`, `%`, `?1 $1 :a @b`, "\x01\x7f", `{"a":1}`, strings.Repeat("x", 60000)} {
		enc := fields.AppendString(nil, v)
		m := fields.MapOf(
			fields.Pair{Number: d.number("Select", "from_"), Value: enc}, fields.Pair{Number: d.number("Select", "Order"), Value: enc[:min(len(enc), 40)]},
			fields.Pair{Number: d.number("Select", "Group"), Value: enc}, fields.Pair{Number: d.number("Select", "rowid"), Value: fields.AppendInt(nil, int64(n))},
		)
		if len(v) > 1000 { // longer than an entry of an index can be
			m = fields.MapOf(fields.Pair{Number: d.number("Select", "from_"), Value: enc})
		}
		d.must(database.Op{Kind: database.OpCreate, ID: id(uint64(n + 1)), Class: d.class("Select"), Fields: m})
		require.Equal(t, m, d.all(id(uint64(n+1))), "%.40q", v)
		key := fields.AppendString(fields.AppendString(fields.AppendMapHeader(nil, 1), v), v)
		table := fields.MapOf(fields.Pair{Number: d.number("User", "Table"), Value: key})
		d.must(database.Op{Kind: database.OpCreate, ID: id(uint64(n + 100)), Class: d.class("User"), Fields: table})
		require.Equal(t, table, d.all(id(uint64(n+100))), "%.40q", v)
	}
	require.Len(t, d.must(database.Op{Kind: database.OpList, Class: d.class("Select")}).Rows, 8)
}
