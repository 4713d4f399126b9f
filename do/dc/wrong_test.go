package dc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

func TestErrorsSayWhere(t *testing.T) {
	tests := []struct{ dc, want string }{
		{"dclas A { };", `1:1: wrong schema: want dclass, struct, typedef, keyword or import, not "dclas"`},
		{"dclass A {\n\tx(int8) brodcast;\n};", `2:10: wrong schema: unknown keyword "brodcast": if it is one, declare it: keyword brodcast;`},
		{"dclass A {\n x(int8) ram ram;\n};", `2:14: wrong schema: the keyword "ram" is there twice`},
		{"dclass A {\n x(Foo f);\n};", `2:4: wrong schema: there is no type Foo declared before it`},
		{"dclass A : B { };", "1:12: wrong schema: the parent B is not declared before it"},
		{"struct B { }; dclass A : B { };", "1:26: wrong schema: B is a struct: a dclass inherits from its own kind"},
		{"dclass A { }; dclass B : A, A { };", "1:29: wrong schema: the parent A is named twice"},
		{"dclass A { };\ndclass A { };", "2:8: wrong schema: A is declared twice"},
		{"dclass A {\n x(int8) ram;\n x(int8) ram;\n};", "3:2: wrong schema: the field x is declared twice"},
		{"dclass A {\n x : y;\n};", "2:6: wrong schema: the part y is not declared before it"},
		{"dclass A { a() ram; b() db; c : a, b; };", "1:36: wrong schema: the parts a and b have different keywords (rule 61)"},
		{"dclass A { a() ram; b : a; c : b; };", "1:32: wrong schema: the part b is molecular itself"},
		{"dclass A {\n switch (uint8 x) { case 1: int8 y; break; };\n};", "2:2: wrong schema: a switch is not supported"},
		{"switch S (uint8 x) { };", "1:1: wrong schema: a switch is not supported"},
		{"dclass A { x(switch (uint8 k) { }); };", "1:14: wrong schema: a switch is not supported"},
		{"dclass A { int8; };", "1:12: wrong schema: a field of a dclass has a name"},
		{"dclass A { (int8); };", `1:12: wrong schema: want the name of the field before "("`},
		{"dclass A { int8 A ram; };", "1:12: wrong schema: A is named as its dclass: a constructor is one atomic field (rule 155)"},
		{"struct A { int8 x ram; };", "1:19: wrong schema: a member of a struct has no keywords"},
		{"struct A { x : y; };", "1:16: wrong schema: the part y is not declared before it"},
		{"dclass A { x(int8(5-1)) ram; };", "1:19: wrong schema: the range 5-1 ends before it begins"},
		{"dclass A { x(int8(1-5, 5-9)) ram; };", "1:24: wrong schema: the range 5-9 overlaps 1-5"},
		{"dclass A { x(string(1.5)) ram; };", "1:20: wrong schema: the length of a string is a whole number"},
		{"dclass A { x(string / 10) ram; };", "1:21: wrong schema: only a number has a divisor or a modulus, not string"},
		{"dclass A { x(int8 / 0) ram; };", "1:21: wrong schema: a divisor is a whole number from 1"},
		{"dclass A { x(int8 % 0) ram; };", "1:21: wrong schema: a modulus is above 0"},
		{"typedef int8 T; dclass A { x(T / 10) ram; };", "1:32: wrong schema: a range, divisor or modulus belongs to a built-in type"},
		{"dclass A { x(int8[-1]) ram; };", "1:19: wrong schema: a number of elements is whole and below 2^32"},
		{"dclass A { x(int8(0-300)) ram; };", "1:12: wrong schema: field x: "},
		{"dclass A { x(int8(0.5-3)) ram; };", "1:14: wrong schema: the range 0.5-3 of a whole number is not whole"},
		{"dclass A { x(int8[4000000000]) ram; };", "1:12: wrong schema: field x: "},
		{"dclass A { x(int8 = 300) ram; };", "1:21: wrong schema: field X: "},
		{"dclass A { x(int8 = 'ab') ram; };", `1:21: wrong schema: the string "ab" is no int8`},
		{"dclass A { x(int8 = [1]) ram; };", "1:21: wrong schema: a list is no int8"},
		{"dclass A { x(string = 5) ram; };", "1:23: wrong schema: the number 5 is no string"},
		{"dclass A { x(int8[] = <00>) ram; };", "1:23: wrong schema: a hexadecimal string is the default of a string or blob only, not of []int8"},
		{"dclass A { x(blob = [256]) ram; };", "1:22: wrong schema: want a byte, 0 to 255"},
		{"dclass A { x(int8 a, int8 b) = (1) ram; };", "1:32: wrong schema: 1 values for the 2 members of {A int8, B int8}"},
		{"dclass A { x(struct { int8 a; int8 b; } = {1}) ram; };", "1:43: wrong schema: 1 values for the 2 members of {A int8, B int8}"},
		{"dclass A { x(struct { int8 a; } = {1, 2}) ram; };", "1:39: wrong schema: there is no member for this value in {A int8}"},
		{"dclass A { x(struct { int8 a; } = {b = 2}) ram; };", "1:36: wrong schema: there is no member for this value in {A int8}"},
		{"dclass A { x(blob = [0 * 99999999]) ram; };", "1:22: wrong schema: a value is repeated 0 to 65536 times"},
		{"dclass A { x(int8[] = [a = 0]) ram; };", "1:24: wrong schema: the elements of a list have no names"},
		{"dclass A { x(int8 = ) ram; };", `1:21: wrong schema: want a value, not ")"`},
		{"dclass A { x(int8 = 99999999999999999999) ram; };", "1:21: wrong schema: the number 99999999999999999999 is out of range"},
		{"dclass A { x(int8 = 0x) ram; };", `1:21: wrong schema: "0x" is no number`},
		{"dclass A { x(int8 = 12ab) ram; };", `1:21: wrong schema: "12ab" is no number`},
		{"dclass A { x(string = \"ab\n\") ram; };", "1:23: wrong schema: a string without its end in the line"},
		{"dclass A { x(string = 'ab\\", "1:23: wrong schema: a string without its end"},
		{"dclass A { x(blob = <0", "1:21: wrong schema: a hexadecimal string < without its end"},
		{"dclass A { x(blob = <0>) ram; };", "1:21: wrong schema: a hexadecimal string holds pairs of hexadecimal digits and nothing else"},
		{"dclass A { /* ", "1:12: wrong schema: a comment /* without its end"},
		{"dclass A { x(int8) ram", `1:23: wrong schema: want ";", not the end`},
		{"dclass A { \xc3\xa9", `1:12: wrong schema: unexpected character "\u00e9"`},
		{"dclass struct { };", `1:8: wrong schema: want the name of the dclass, and "struct" is a word of the language`},
		{"typedef int8;", `1:13: wrong schema: want the name of the typedef, not ";"`},
		{"from a import ;", `1:15: wrong schema: want the name of a module, not ";"`},
		{"dclass A { x : ; };", `1:16: wrong schema: want the name of a part, not ";"`},
		{"dclass A { x(int8) ram; //! tpye=\"int8\"\n};", `1:25: wrong schema: field x: "tpye=" is none of`},
		{"dclass A { x(int8 = 1) ram; //! default=2\n};", "1:21: wrong schema: field x: it has a default in its structured comment, too"},
		{"dclass A { a(int8) ram; x : a; //! latest\n};", "1:32: wrong schema: a molecular field has no structured comment"},
		{"//! uberdog A;", "1:1: wrong schema: want uberdog ID CLASS [anonymous];"},
		{"//! uberdog x A;", "1:1: wrong schema: uberdog: "},
		{"dclass A { //! nothing\n};", "1:12: wrong schema: want a field or //! gone;"},
		{"dclass A { a() ram; b : a; x(struct { m : n; }) ram; };", "1:43: wrong schema: the part n is not declared before it"},
		{"struct S { a(); m : a; };\ndclass A { x(S) ram; };", "1:17: wrong schema: a molecular field cannot be part of a value"},
		{"dclass A { }; dclass B { }; dclass C : A, B { }; dclass D : B, A { };\ndclass E : C, D { };", "2:8: class E: wrong schema: the order of its parents contradicts"},
		{"dclass A { x(string(8)) required unique; };", "1:12: class A: field X: wrong schema: index and unique need db"},
	}
	for _, test := range tests {
		f, err := Read(Source{"test.dc", []byte(test.dc)})
		if err == nil {
			_, _, err = f.Schema()
		}
		require.ErrorIs(t, err, do.ErrSchema, test.dc)
		require.ErrorContains(t, err, "test.dc:"+test.want, test.dc)
	}
}

func TestSmallFilesStaySmall(t *testing.T) {
	var doubled strings.Builder
	doubled.WriteString("struct S0 { int8 a; };\n")
	for i := 1; i < 64; i++ {
		fmt.Fprintf(&doubled, "struct S%d { S%d a; S%d b; };\n", i, i-1, i-1)
	}
	diamonds, members, keywords := "struct S0 { };\nstruct T0 { };\n", "struct S { ", "keyword"
	for i := 1; i < 64; i++ {
		diamonds += fmt.Sprintf("struct S%d : S%d, T%d { };\nstruct T%d : S%d, T%d { };\n", i, i-1, i-1, i, i-1, i-1)
	}
	for i := range 2000 {
		members += fmt.Sprintf("int8 m%d; ", i)
		keywords += fmt.Sprintf(" k%d", i)
	}
	keywords += " dclass A { x()" + strings.TrimPrefix(keywords, "keyword") + "; };"
	for name, text := range map[string]string{
		"parents that double":  diamonds,
		"members":              members + "};",
		"keywords":             keywords,
		"structs that double":  doubled.String(),
		"structs within":       strings.Repeat("dclass A { x(struct { int8 a; ", 100),
		"brackets of types":    "dclass A { int8" + strings.Repeat("[]", 100) + " x ram; };",
		"brackets of defaults": "dclass A { blob x = " + strings.Repeat("[", 100),
		"repetition":           "dclass A { x(int8[] = [0 * 60000, 0 * 60000]) ram; };",
	} {
		f, err := Read(Source{"test.dc", []byte(text)})
		if err == nil {
			_, _, err = f.Schema()
		}
		require.ErrorIs(t, err, do.ErrSchema, name)
	}
	_, err := Read(Source{"a.dc", make([]byte, maxText)}, Source{"b.dc", []byte("x")})
	require.ErrorContains(t, err, "a.dc:1:1")
}

// FuzzParseDC: nothing panics, every error has its place, and what is accepted is the same after export and import.
func FuzzParseDC(f *testing.F) {
	f.Add("dclass A { x(int8(0-5)/10 = 3, struct { string s = 'a'; } t[2]) required broadcast; y : x; };")
	f.Add("keyword p2p typedef blob(4) B = <01020304>; struct S { B b; char c[]; }; dclass C { S s ram; C(); d() p2p; };")
	f.Add("dclass A { //! gone;\nbuy(blob) clsend; //! type=\"{X int8}\" reply=\"id\" rate=2\n};\n//! uberdog #5 A;")
	f.Add("from a.b import C/AI, D\ndclass A { uint32uint8array m = [[1, 2]] ram; int16array l = {1 * 3} db; };")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Read(Source{"test.dc", []byte(text)})
		if err == nil {
			file.PandaHash()
			file.AstronHash()
			var s *do.Schema
			if s, _, err = file.Schema(); err == nil {
				again, _ := schemaOf(t, string(s.Text()))
				require.Equal(t, string(s.Text()), string(again.Text()))
				_, _, err := GoSource(s, "game", file.TypeNames())
				require.NoError(t, err)
				return
			}
		}
		require.ErrorIs(t, err, do.ErrSchema)
		if !strings.Contains(err.Error(), "uberdog") {
			require.Regexp(t, `^d[co]: test\.dc:[0-9]+:[0-9]+: `, err.Error())
		}
	})
}
