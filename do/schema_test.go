package do

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/fields"
)

func parse(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := ParseSchema([]byte(text))
	require.NoError(t, err)
	return s
}

func TestParseSchemaReadsWhatDCFilesSay(t *testing.T) {
	s := parse(t, `
// A comment
keyword latest;
dclass Base { string(0-24) Name required db; /* a
comment */ }
dclass Avatar : Base {
  int16 ( -100 - 100 ) HP = -5 required broadcast; int8(-10--5) Low = -7 ram;
  uint64(5-18446744073709551615) Big ram;
  blob(4) Four ram; string(2-3)[] Pairs ram latest ownrecv;
  uint8 On required; //! type="bool" default="true"
  Say(string(0-200)) broadcast ownsend; //! rate=2.5
  Buy(blob) ownsend; //! type="{Item string}" reply="uint8"
  float32 X ram; float32 Y ram;
  Move : X, Y;
  //! gone;
};`)
	var got []string
	for _, f := range s.Class("Avatar").Fields() {
		got = append(got, fmt.Sprintf("%s %s %s %v %q %d", f.Number, f, f.Kind, f.Type, f.Keywords, f.Slot))
	}
	require.Equal(t, []string{
		`0.0 Base.Name state string(max 24) "required db" 0`,
		`1.0 Avatar.HP state int16(-100..100) "required broadcast" 1`,
		`1.1 Avatar.Low state int8(-10..-5) "ram" 2`,
		`1.2 Avatar.Big state uint64(5..) "ram" 3`,
		`1.3 Avatar.Four state bytes(min 4, max 4) "ram" 4`,
		`1.4 Avatar.Pairs state []string(min 2, max 3) "ram ownrecv latest" 5`,
		`1.5 Avatar.On state bool "required" 6`,
		`1.6 Avatar.Say event string(max 200) "broadcast ownsend" -1`,
		`1.7 Avatar.Buy call {Item string} "ownsend" -1`,
		`1.8 Avatar.X state float32 "ram" 7`,
		`1.9 Avatar.Y state float32 "ram" 8`,
		`1.10 Avatar.Move molecular <nil> "ram" -1`,
	}, got)
	require.Equal(t, fields.AppendInt(nil, -5), s.Class("Avatar").FieldByName("HP").Initial())
	require.Equal(t, 2.5, s.Class("Avatar").FieldByName("Say").Rate)
	again := parse(t, string(s.Text()))
	require.Equal(t, s.Text(), again.Text(), "canonical text is canonical")
}

func TestParseSchemaSaysWhere(t *testing.T) {
	tests := []struct{ text, want string }{
		{"x", `do: 1:1: wrong schema: want dclass, not "x"`},
		{"\n  dclass {", `do: 2:10: wrong schema: want the name of a class, not "{"`},
		{"dclass A", `do: 1:9: wrong schema: want "{", not the end`},
		{"dclass A {", `do: 1:11: wrong schema: want a field, not the end`},
		{"dclass A { 5 }", `do: 1:12: wrong schema: want a field, not "5"`},
		{"dclass A { int8 HP }", `do: 1:20: wrong schema: want ";", not "}"`},
		{"dclass A { int8 HP ramm; }", `do: 1:20: wrong schema: fields: parse keyword "ramm": wrong text: allowed are required ram db broadcast clsend clrecv ownsend ownrecv airecv ai latest review index unique position grid edges auto open`},
		{"dclass A { int8(5 HP ram; }", `do: 1:19: wrong schema: want ")", not "HP"`},
		{"dclass A { int8(5-4) HP ram; }", `do: 1:22: wrong schema: field HP: fields: parse type "int8(5..4)" at byte 10: wrong declaration: min=5 is above max=4`},
		{"dclass A { int8 HP = x ram; }", `do: 1:22: wrong schema: want a number or a string as default, not "x"`},
		{"dclass A { int8 HP = 300 ram; }", `do: 1:17: wrong schema: field HP: fields: parse value "300": fields: check int8: value out of range`},
		{"dclass A { HP ram; }", `do: 1:15: wrong schema: want a type, or : or ( after the name HP, not "ram"`},
		{"dclass A { Say(words) ; }", `do: 1:16: wrong schema: "words" is no type`},
		{"dclass A { int8 HP ram; //! rat=5\n}", `do: 1:25: wrong schema: "rat=" is none of rate=, type=, reply=, default=`},
		{"dclass A { int8 HP ram; //! reply=\"int8\"\n}", `do: 1:17: wrong schema: field HP: only a call has a reply`},
		{"dclass A { int8 HP = 5 ram; //! default=\"5\"\n}", `do: 1:17: wrong schema: field HP: it has two defaults`},
		{"dclass A {\n //! gonee;\n}", `do: 2:2: wrong schema: want a field or //! gone;, not the comment //!gonee;`},
		{"dclass A {\n int8 HP ram;\n string HP ram; }", `do: 3:9: class A: field HP: wrong schema: declared twice`},
		{"dclass A { int8 HP broadcast; }", `do: 1:17: class A: field HP: wrong schema: a state field is required, ram or db: without any it would be an event, which is declared as do.Event`},
		{"dclass A { int8 A ram; }", `do: 1:17: class A: field A: wrong schema: a field cannot have the name of its class (rule 155)`},
		{"dclass A : B { }", `do: 1:8: class A: wrong schema: parent B is not declared before it`},
		{"dclass A { } dclass A { }", `do: 1:21: class A: wrong schema: declared twice`},
		{"dclass A { } dclass B : A, A { }", `do: 1:21: class B: wrong schema: parent A is named twice`},
		{"dclass string { }", `do: 1:8: class string: wrong schema: the name is a reserved word`},
		{"dclass A { float32 X ram; Walk : X, Y; }", `do: 1:27: class A: field Walk: wrong schema: part Y is not declared before it`},
		{"dclass A { } /* x", `do: 1:14: wrong schema: a comment /* without its end`},
		{"dclass A { string S = \"x ram; }", `do: 1:23: wrong schema: a string without its end`},
		{"dclass Ä", `do: 1:8: wrong schema: unexpected character "\u00c4"`},
		{"keyword foo;", `do: 1:9: wrong schema: fields: parse keyword "foo": wrong text: allowed are required ram db broadcast clsend clrecv ownsend ownrecv airecv ai latest review index unique position grid edges auto open`},
		{"//! uberdog #5", `do: 1:1: wrong schema: want uberdog ID CLASS [anonymous];, not the comment //!uberdog #5`},
		{"//! uberdog 5 A;", `do: 1:1: wrong schema: uberdog: do: parse "5": not a DoID`},
		{"//! uberdog #5 A;", `do: uberdog #5: wrong schema: there is no class A`},
		{"dclass A { }\n//! uberdog #5 A;\n//! uberdog #5 A;", `do: uberdog #5: wrong schema: the id is bound twice, to A and A`},
		{"dclass A { Ask(int8) ownrecv; //! reply=\"int8\"\n};\n//! uberdog #5 A;", `do: uberdog #5: wrong schema: an UberDOG has no owner, who would answer A.Ask: leave out ownrecv`},
		{"dclass A { int8 HP ram; }\n//! uberdog #5 A;", `do: uberdog #5: wrong schema: an UberDOG has no state, and A.HP is a state field (rule 171)`},
		{"dclass A { }\n//! uberdog #2147483648 A;", `do: uberdog #2147483648: wrong schema: an UberDOG's number is at most 2147483647, since clients name it in 31 bits`},
		{"dclass A { }\n//! uberdog 00010000-0000-8000-8000-000000000000 A;", `do: uberdog 00010000-0000-8000-8000-000000000000: wrong schema: an UberDOG has a well-known id (do.WellKnown)`},
		{"dclass X { } dclass Y { } dclass A : X, Y { } dclass B : Y, X { } dclass C : A, B { }", `do: 1:74: class C: wrong schema: the order of its parents contradicts the order of theirs (C3): X before Y, and the other way round`},
	}
	for _, test := range tests {
		_, err := ParseSchema([]byte(test.text))
		require.ErrorIs(t, err, ErrSchema, "%s", test.text)
		require.EqualError(t, err, test.want, "%s", test.text)
	}
	_, err := ParseSchema(make([]byte, maxText+1))
	require.ErrorIs(t, err, ErrSchema)
}

func TestWhatDCFilesUse(t *testing.T) {
	const text = `dclass A {
  Ping() clsend;
  float32 T ram broadcast;
  Stop : T;
  string Mail = "a; 'b' // c" db ownrecv airecv;
  string(0-9) Lines required; //! default="\"a\\nb\""
};
`
	s := parse(t, text)
	require.Equal(t, text, string(s.Text()))
	a := s.Class("A")
	require.Equal(t, "{}", a.FieldByName("Ping").Type.String(), "no argument")
	require.Len(t, a.FieldByName("Stop").Parts, 1, "a molecular of one part")
	require.Equal(t, -1, a.FieldByName("Mail").Slot, "rule 21: db alone does not keep it in memory")
	require.False(t, a.FieldByName("Mail").Stored())
	require.True(t, a.FieldByName("Ping").Settable())
}

func names(cs []*Class) string {
	return strings.Join(mapped(cs, (*Class).Name), " ")
}

func TestLinearisationIsC3(t *testing.T) {
	s := parse(t, `
dclass O { string Root ram; }
dclass F : O { string InF ram; }
dclass E : O { string InE ram; }
dclass D : O { string InD ram; }
dclass C : D, F { string InC ram; }
dclass B : D, E { string InB ram; }
dclass A : B, C { string InA ram; }
`)
	require.Equal(t, "O F E D C B A", names(s.Class("A").Ancestors()), "the classic example: A B C D E F O")
	require.Equal(t, "O E D B", names(s.Class("B").Ancestors()))
	require.Equal(t, fields.Number(6<<6), mustField(s.Class("A"), "InA"))
	require.True(t, s.Class("A").IsA(s.Class("O")))
	require.False(t, s.Class("O").IsA(s.Class("A")))
	require.Same(t, s.Class("F"), s.ByNumber(1))
	require.Nil(t, s.ByNumber(7))
	require.Same(t, s.Class("O"), s.Class("A").FieldByName("Root").Class, "the declaring class")
}

func TestRule152NumbersAreStable(t *testing.T) {
	before := parse(t, "dclass P { string A ram; string B ram; } dclass C : P { string X ram; }")
	after := parse(t, "dclass P {\n string A ram;\n //! gone;\n string D ram; }\ndclass C : P { string X ram; string Y ram; }")
	b, a := before.Class("C"), after.Class("C")
	require.Equal(t, mustField(b, "A"), mustField(a, "A"))
	require.Equal(t, mustField(b, "X"), mustField(a, "X"), "appending to a parent moves nothing")
	require.Nil(t, a.Field(mustField(b, "B")), "gone")
	require.Nil(t, a.FieldByName("B"))
	require.Equal(t, fields.Number(2), mustField(a, "D"))
	require.Nil(t, a.Field(fields.MaxNumber+1))
	require.Nil(t, a.Field(5<<6))
}

func TestRule153NamesInSeveralAncestors(t *testing.T) {
	s := parse(t, `
dclass P { string Name ram; string Only ram; }
dclass Q { int8 Name ram; }
dclass C : P, Q { string Only required; }
dclass D : C { float32 Name ram; }
`)
	c, d := s.Class("C"), s.Class("D")
	require.Same(t, s.Class("P"), c.FieldByName("Name").Class, "the first parent wins")
	require.Same(t, c, c.FieldByName("Only").Class, "the child hides the parent")
	require.Same(t, d, d.FieldByName("Name").Class)
	require.Nil(t, c.Field(0), "Q.Name is hidden")
	require.Len(t, c.Fields(), 2)
	require.Len(t, d.Fields(), 2)
}

func TestRule61MolecularKeywords(t *testing.T) {
	s := parse(t, "dclass A {\n float32 X ram broadcast; //! latest\n float32 Y ram broadcast; //! latest\n float32 Z ram broadcast;\n XY : X, Y; XYZ : X, Y, Z; }")
	c := s.Class("A")
	require.Equal(t, fields.RAM|fields.Broadcast|fields.Latest, c.FieldByName("XY").Keywords)
	require.Equal(t, fields.RAM|fields.Broadcast, c.FieldByName("XYZ").Keywords, "latest only if all parts are")
	_, err := ParseSchema([]byte("dclass A { float32 X ram; float32 Y ram ownsend; XY : X, Y; }"))
	require.ErrorContains(t, err, `part X is "ram" and part Y is "ram ownsend"`)
}

func TestRule69InitialValues(t *testing.T) {
	s := parse(t, "dclass A { int8(3-9) Low required; string(2-4) Text required; int16 HP = 15 required; int8 R ram; }")
	for name, want := range map[string]string{"Low": "3", "Text": `"\x00\x00"`, "HP": "15", "R": "0"} {
		f := s.Class("A").FieldByName(name)
		require.Equal(t, want, f.Type.Text(f.Initial()), name)
	}
	require.Nil(t, s.Class("A").FieldByName("Low").Default)
}

func TestRule154FingerprintCoversEverything(t *testing.T) {
	base := "dclass P { string(0-9) N required; }\ndclass A : P { int8(0-9) HP = 3 required ownsend; string S ram; }\ndclass U { Go(int8); }\n//! uberdog #5 U;"
	s := parse(t, base)
	require.Equal(t, s.Fingerprint(), parse(t, "// the same\n"+strings.ReplaceAll(base, "; ", ";\n  ")).Fingerprint())
	require.Equal(t, s.Fingerprint(), parse(t, strings.Replace(base, "S ram", "S ram ai", 1)).Fingerprint(), "ai is the default")
	for _, change := range [][2]string{
		{"dclass A", "dclass B"},
		{" : P", ""},
		{"HP", "MP"},
		{"int8(0-9)", "int16(0-9)"},
		{"(0-9) HP", "(0-8) HP"},
		{"= 3", "= 4"},
		{"ownsend", "clsend"},
		{"string S ram;", ""},
		{"ownsend;", "ownsend; //! rate=4\n"},
		{"#5 U", "#6 U"},
		{"#5 U", "#5 U anonymous"},
		{"(0-9) N", "(1-9) N"},
	} {
		other := parse(t, strings.Replace(base, change[0], change[1], 1))
		require.NotEqual(t, s.Fingerprint(), other.Fingerprint(), "%q", change)
	}
	parent := parse(t, strings.Replace(base, "(0-9) N", "(1-9) N", 1))
	require.NotEqual(t, s.Class("A").Fingerprint(), parent.Class("A").Fingerprint(), "a class's covers what it inherits")
	require.Equal(t, s.Class("U").Fingerprint(), parent.Class("U").Fingerprint())
}

func TestLimits(t *testing.T) {
	text := "dclass C0 { }"
	for i := 1; i <= 16; i++ {
		text += fmt.Sprintf(" dclass C%d : C%d { }", i, i-1)
	}
	_, err := ParseSchema([]byte(text))
	require.ErrorContains(t, err, "with its ancestors it is 17 classes deep, 16 are allowed")
	_, err = ParseSchema([]byte("dclass A {" + strings.Repeat("\n//! gone;", 1025) + "\n}"))
	require.ErrorContains(t, err, "1025 own fields, 1024 are allowed")
	text = "dclass Big {" + strings.Repeat("\nint8 F%d ram;", 1024) + "\n}"
	args := make([]any, 1024)
	for i := range args {
		args[i] = i
	}
	text = fmt.Sprintf(text, args...)
	for i := range 300 {
		text += fmt.Sprintf("dclass C%d : Big { }", i)
	}
	_, err = ParseSchema([]byte(text))
	require.ErrorContains(t, err, "class C255: wrong schema: with it the schema has more than 262144 fields")
	parents := ""
	for i := range 16 {
		parents += fmt.Sprintf("P%d, ", i)
	}
	text = "dclass " + strings.ReplaceAll(strings.TrimSuffix(parents, ", "), ", ", " { } dclass ") + " { } dclass A : " + strings.TrimSuffix(parents, ", ") + " { }"
	_, err = ParseSchema([]byte(text))
	require.ErrorContains(t, err, "class A: wrong schema: 16 parents, 15 are allowed")
	_, err = ParseSchema([]byte("dclass " + strings.Repeat("x", 64) + " { }"))
	require.ErrorContains(t, err, "longer than 63 bytes")
}

// typeTexts are types for random schemas.
var typeTexts = []string{
	"bool", "int8", "int16(0..100)", "int32(-5..)", "uint64", "float32", "float64(..2.5)", "string", "string(max 24)",
	`string(pattern "[a-z]*")`, `string(oneof "a"|"b c")`, "bytes(min 4, max 4)", "time", "duration(0s..1m0s)", "id", "[3]int8",
	"[]string(max 3)", "[](max 5) float32", "map int32", "{X float32, Y float32}", "float32 as int16/10%360", "{A []int8, B {C bool}}", "{}",
}

// drawSchema makes a random schema without Go types.
func drawSchema(t *rapid.T) *Schema {
	var decls []ClassDecl
	for i := range rapid.IntRange(0, 5).Draw(t, "classes") {
		d := ClassDecl{Name: fmt.Sprintf("C%d", i)}
		if i > 0 && rapid.Bool().Draw(t, "inherits") {
			d.Parents = []string{fmt.Sprintf("C%d", rapid.IntRange(0, i-1).Draw(t, "parent"))}
		}
		for j := range rapid.IntRange(0, 6).Draw(t, "fields") {
			d.Fields = append(d.Fields, drawField(t, fmt.Sprintf("F%d_%d", i, j)))
		}
		decls = append(decls, d)
	}
	s, err := NewSchema(decls, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func drawField(t *rapid.T, name string) FieldDecl {
	f := FieldDecl{Name: name, Kind: FieldKind(rapid.IntRange(0, 2).Draw(t, "kind"))}
	drawn := func(label string) *fields.Type {
		typ, err := fields.ParseType(rapid.SampledFrom(typeTexts).Draw(t, label))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return typ
	}
	f.Type = drawn("type")
	switch f.Kind {
	case FieldState:
		f.Keywords = rapid.SampledFrom([]fields.Keyword{
			fields.Required, fields.RAM | fields.Broadcast | fields.Latest, fields.Required | fields.DB | fields.OwnSend | fields.Review,
		}).Draw(t, "keywords")
		if rapid.Bool().Draw(t, "default") {
			f.Default = f.Type.Zero()
		}
		f.Gone = rapid.IntRange(0, 5).Draw(t, "gone") == 0
	case FieldEvent:
		f.Keywords = rapid.SampledFrom([]fields.Keyword{0, fields.Broadcast, fields.OwnSend | fields.AIRecv}).Draw(t, "keywords")
	case FieldCall:
		f.Keywords, f.Reply = fields.OwnSend, drawn("reply")
		f.Rate = rapid.SampledFrom([]float64{0, 0.5, 20}).Draw(t, "rate")
	}
	return f
}

func TestSchemaTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchema(t)
		again, err := ParseSchema(s.Text())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Text())
		}
		if again.Fingerprint() != s.Fingerprint() || string(again.Text()) != string(s.Text()) {
			t.Fatalf("%s\nreads as\n%s", s.Text(), again.Text())
		}
		for i, c := range s.Classes() {
			o := again.ByNumber(uint32(i))
			if c.Fingerprint() != o.Fingerprint() || len(c.Fields()) != len(o.Fields()) {
				t.Fatalf("class %s", c)
			}
			for j, f := range c.Fields() {
				g := o.Fields()[j]
				if f.Number != g.Number || f.Slot != g.Slot || f.Kind != g.Kind || f.Keywords != g.Keywords ||
					!f.Type.Equal(g.Type) || string(f.Initial()) != string(g.Initial()) || f.Rate != g.Rate {
					t.Fatalf("%s: %+v and %+v", f, f, g)
				}
			}
			for j, f := range c.Stored() {
				if f.Slot != j || c.Field(f.Number) != f {
					t.Fatalf("slot of %s", f)
				}
			}
		}
	})
}

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte("dclass P { string(0-9) N required; }\ndclass A : P { int8(0-9) HP = 3 required; }"))
	f.Add([]byte("dclass A {\n blob P ram; //! latest ownrecv type=\"{X float32}\" default=\"{X:1}\"\n //! gone;\n Say(string) ; //! rate=5 reply=\"bool\"\n float32 X ram; float32 Y ram; W : X, Y; };"))
	f.Add([]byte("dclass U { Go(int8[]); } //! uberdog #5 U anonymous;"))
	f.Add([]byte("/* */ keyword ram; dclass A { int16(-5--3) H = -4 ram; }"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSchema(text)
		if err != nil {
			require.ErrorIs(t, err, ErrSchema)
			return
		}
		again, err := ParseSchema(s.Text())
		require.NoError(t, err)
		require.Equal(t, string(s.Text()), string(again.Text()))
	})
}
