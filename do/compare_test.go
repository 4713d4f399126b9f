package do

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const comparedBase = `dclass P {
  string N required;
}
dclass A : P {
  int8 X ram;
  int8 Y ram;
}
dclass U {
  Go(int8) clsend;
}
//! uberdog #5 U;
`

func TestCompareAndMerge(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // what is replaced in the base by what
		compat   Compat
		why      string // base as the old schema
		merged   string // what of new is in the merged schema; empty: the base is unchanged
	}{
		{"nothing", "", "", Same, "", ""},
		{"layout only", "int8 X ram", "int8   X  ram", Same, "", ""},
		{"class appended", "dclass U {", "dclass V {\n}\ndclass U {", Compatible, "class V is missing in the old schema", "-"},
		{"field appended", "int8 Y ram;", "int8 Y ram;\n  int8 Z ram;", Compatible, "class A: field 2 (Z) is missing in the old schema", "Z"},
		{"field lacking", "  int8 Y ram;\n", "", Compatible, "class A: field 1 (Y) is missing in the new schema", ""},
		{"field gone", "int8 X ram;", "//! gone;", Compatible, "class A: field 0 (X) is gone in the new schema", "//! gone;"},
		{"class lacking", "dclass U {\n  Go(int8) clsend;\n}\n//! uberdog #5 U;\n", "", Compatible, "class U is missing in the new schema", ""},
		{"binding lacking", "//! uberdog #5 U;\n", "", Compatible, "uberdog #5 is missing in the new schema", ""},
		{"binding added", "#5 U;", "#5 U;\n//! uberdog #4 U;", Compatible, "uberdog #4 is missing in the old schema", "#4 U"},
		{"appended to a parent", "string N required;", "string N required;\n  int8 M ram;", Compatible, "class P: field 1 (M) is missing in the old schema", "int8 M"},
		{"type", "int8 X", "int16 X", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int16 X ram; in the new", ""},
		{"constraint", "int8 X", "int8(0-5) X", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8(0-5) X ram; in the new", ""},
		{"keyword", "X ram", "X required", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8 X required; in the new", ""},
		{"name", "int8 X", "int8 W", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8 W ram; in the new", ""},
		{"default", "X ram", "X = 3 ram", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8 X = 3 ram; in the new", ""},
		{"field inserted", "int8 X", "int8 W ram;\n  int8 X", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8 W ram; in the new", ""},
		{"fields reordered", "int8 X ram;\n  int8 Y ram;", "int8 Y ram;\n  int8 X ram;", Incompatible, "class A: field 0 is int8 X ram; in the old schema and int8 Y ram; in the new", ""},
		{"ancestor inserted", "dclass A : P", "dclass Q {\n}\ndclass A : P, Q", Incompatible, `class A has the parents ["P"] in the old schema and ["P" "Q"] in the new`, ""},
		{"classes reordered", comparedBase[strings.Index(comparedBase, "dclass U"):], "", Compatible, "class U is missing in the new schema", ""},
		{"another UberDOG", "#5 U", "#5 P2", Incompatible, "uberdog #5 is a U in the old schema and a P2 in the new", ""},
		{"anonymous", "#5 U", "#5 U anonymous", Incompatible, "uberdog #5 is anonymous in only one of the schemas", ""},
	}
	base := parse(t, comparedBase)
	for _, test := range tests {
		text := strings.Replace(comparedBase, test.old, test.new, 1)
		if strings.Contains(text, "P2") {
			text = strings.Replace(text, "//!", "dclass P2 {\n}\n//!", 1)
		}
		other := parse(t, text)
		compat, why := Compare(base, other)
		require.Equal(t, test.compat, compat, "%s: %s", test.name, why)
		require.Equal(t, test.why, why, test.name)
		back, _ := Compare(other, base)
		require.Equal(t, test.compat, back, "%s: both sides come to the same verdict", test.name)

		merged, err := Merge(base, other)
		switch {
		case test.compat == Incompatible:
			require.ErrorIs(t, err, ErrIncompatible, test.name)
			require.ErrorContains(t, err, test.why, test.name)
		case test.merged == "-":
			require.ErrorContains(t, err, "append, never reorder")
		case test.merged == "":
			require.NoError(t, err, test.name)
			require.Same(t, base, merged, test.name)
		default:
			require.NoError(t, err, test.name)
			require.Contains(t, string(merged.Text()), test.merged, test.name)
			for _, c := range base.Classes() {
				require.Equal(t, c.Number(), merged.Class(c.Name()).Number(), "%s: numbers are kept", test.name)
			}
			compat, _ := Compare(merged, other)
			require.NotEqual(t, Incompatible, compat, test.name)
		}
	}
}

func TestCompareRefusesAnotherOrderOfClasses(t *testing.T) {
	a := parse(t, "dclass A { } dclass B { }")
	b := parse(t, "dclass B { } dclass A { }")
	compat, why := Compare(a, b)
	require.Equal(t, Incompatible, compat)
	require.Equal(t, "class B stands before class A in the new schema, and after it in the old: append, never reorder", why)
}

func TestMergeOfTwoGames(t *testing.T) {
	a := parse(t, "dclass Base { int8 X ram; } dclass Street : Base { }")
	b := parse(t, "dclass Base { int8 X ram; int8 Y ram; } dclass Tavern : Base { }")
	m, err := Merge(a, b)
	require.NoError(t, err)
	require.Equal(t, "Base Street Tavern", names(m.Classes()))
	require.NotNil(t, m.Class("Street").FieldByName("Y"))
	again, err := Merge(m, b)
	require.NoError(t, err)
	require.Same(t, m, again, "a process that comes back changes nothing")
	_, err = Merge(m, parse(t, "dclass Tavern { }"))
	require.EqualError(t, err, `do: merge: incompatible schema: class Tavern has the parents ["Base"] in the old schema and [] in the new`)
	_, err = Merge(parse(t, "dclass A {\n float32 X ram;\n float32 Y ram; W : X, Y; }"), parse(t, "dclass A {\n float32 X ram;\n //! gone;\n}"))
	require.ErrorContains(t, err, "field W: wrong schema: part Y is not declared before it")
}

func TestMergeIsASuperset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSchema(t), drawSchema(t)
		compat, why := Compare(a, b)
		if (compat == Same) != (a.Fingerprint() == b.Fingerprint()) || (why == "") != (compat == Same) {
			t.Fatalf("%v %q", compat, why)
		}
		m, err := Merge(a, b)
		if err != nil {
			return
		}
		for _, s := range []*Schema{a, b} {
			if c, why := Compare(m, s); c == Incompatible {
				t.Fatalf("merged: %s", why)
			}
			for _, c := range s.Classes() {
				for _, f := range c.Fields() {
					if g := m.Class(c.Name()).Field(f.Number); g != nil && g.Name != f.Name {
						t.Fatalf("number %s of %s is %s", f.Number, f, g)
					}
				}
			}
		}
		if again, err := Merge(m, b); err != nil || again != m {
			t.Fatalf("merging again: %v", err)
		}
	})
}
