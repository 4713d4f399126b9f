package dc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

// body is the text of the one class in s.
func body(s *do.Schema) string {
	text := strings.TrimPrefix(string(s.Text()), "dclass A {\n  ")
	return strings.TrimSuffix(text, "\n};\n")
}

func TestHowFieldsAreMapped(t *testing.T) {
	tests := []struct{ dc, ours string }{
		{"setX(int8 x) ram;", "int8 SetX ram;"},
		{"setX(int8 x = 3) required broadcast;", "int8 SetX = 3 required broadcast;"},
		{"setX(int8 x) = (4) ram;", "int8 SetX = 4 ram;"},
		{"setX(int8) broadcast;", "SetX(int8) broadcast;"},
		{"ping() clsend airecv;", "Ping() clsend airecv;"},
		{"int8 x db;", "int8 X db;"},
		{"int8 x broadcast;", "X(int8) broadcast;"},
		{"setXY(int8 x, int8 = 2) ram;", `blob SetXY ram; //! type="{X int8, Arg2 int8}" default="{X:0 Arg2:2}"`},
		{"say(string text, uint8 mood) clsend;", `Say(blob) clsend; //! type="{Text string, Mood uint8}"`},
		{"both(int8 a, int8 a) ram;", `blob Both ram; //! type="{A int8, A_ int8}"`},
		{"save(int8) ram;", "int8 Save_ ram;"},
		{"a(int8) ram;", "int8 A_ ram;"},
		{"_hidden(int8) ram;", "int8 X_hidden ram;"},
		{"setX(int16 / 10) ram;", `float64 SetX ram; //! type="float64 as int16/10"`},
		{"setH(int16 % 360 / 10 h = 90) ram;", `float64 SetH ram; //! type="float64 as int16/10%360" default="90"`},
		{"setZ(int16 z / 1000 = 0.512) ram;", `float64 SetZ ram; //! type="float64 as int16/1000" default="0.512"`},
		{"setZ(int16 z = 512 / 1000) ram;", `float64 SetZ ram; //! type="float64 as int16/1000" default="0.512"`},
		{"int8(-100 - -50) x = -100 ram;", "int8(-100--50) X = -100 ram;"},
		{"int8(-5-5) x ram;", "int8(-5-5) X ram;"},
		{"int16(0x10-0x1F) x = 0x11 ram;", "int16(16-31) X = 17 ram;"},
		{"char('a','c') x = 'c' ram;", `uint8 X ram; //! type="uint8(oneof 97|99)" default="99"`},
		{"string(8-16) x ram;", "string(8-16) X ram;"},
		{"string(5) x = \"\\x41\\066\\67\\n\\q\" ram;", `string(5) X ram; //! default="\"A6C\\nq\""`},
		{"blob x = [0 * 2, 7] ram;", `blob X ram; //! default="0x000007"`},
		{"blob x = <0200abcd> ram;", `blob X ram; //! default="0xabcd"`},
		{"blob x = <abcd> ram;", `blob X ram; //! default="0xabcd"`},
		{"uint8[] x ram;", "blob X ram;"},
		{"uint8(0-9)[] x ram;", "uint16(0-9)[] X ram;"},
		{"char[] x = 'hi' ram;", "string X = \"hi\" ram;"},
		{"int16[3] x = [1 * 3] ram;", `blob X ram; //! type="[3]int16" default="[1 1 1]"`},
		{"int16 x[2-4] = [5, 6] ram;", `int16[] X ram; //! type="[](min 2, max 4) int16" default="[5 6]"`},
		{"int32array x ram;", "int32[] X ram;"},
		{"float32 x = 1.5 ram;", `float32 X ram; //! default="1.5"`},
		{"struct { int8 a = 1; int8 b; } x ram;", `blob X ram; //! type="{A int8, B int8}" default="{A:1 B:0}"`},
		{"struct { int8 a; int8 b; } x[] = [{1, 2}, (b = 3)] ram;", `blob X ram; //! type="[]{A int8, B int8}" default="[{A:1 B:2} {A:0 B:3}]"`},
		{"Buy(blob) clsend; //! rate=5 type=\"{Item int8}\" reply=\"string\"", `Buy(blob) clsend; //! rate=5 type="{Item int8}" reply="string"`},
		{"//! gone;", "//! gone;"},
	}
	for _, test := range tests {
		s, _ := schemaOf(t, "dclass A {\n"+test.dc+"\n};")
		require.Equal(t, test.ours, body(s), test.dc)
	}
}

func TestNothingIsDroppedInSilence(t *testing.T) {
	tests := []struct{ dc, notice string }{
		{"setX(int8) ram p2p;", "test.dc:3:16: field setX: the keyword p2p has no meaning here and is left out"},
		{"a(string name) ram; A(int8 x);", "test.dc:3:21: the constructor A is left out (rule 155)"},
		{"say(string = 'hi') broadcast;", "test.dc:3:1: field say: its default is left out: only what is kept has one"},
		{"say(string) clrecv;", "test.dc:3:1: field say: clrecv is left out: it is about the value at entry, which only required and ram fields have"},
		{"setX(int16(0-99, 200-299)) ram;", "test.dc:3:6: the values between the 2 ranges are allowed, too: 0 to 299"},
		{"setX(string(2, 4)) ram;", "test.dc:3:6: the lengths between the 2 ranges are allowed, too: 2 to 4"},
		{"setX(float64 / 10) ram;", "test.dc:3:6: the divisor of a float64 is left out: it travels as it is"},
		{"setX(float64 % 360) ram;", "test.dc:3:6: the modulus of a float64 is left out: it is not brought into [0, 360)"},
		{"setX(int64 / 10) ram;", "test.dc:3:6: int64/10 is a float64: only up to 32 bits are packed"},
		{"setX(int16 % 0.25 / 10) ram;", "test.dc:3:6: the modulus 0.25 is left out: with the divisor 10 it is not whole"},
		{"setX(uint8(0-9)[]) ram;", "test.dc:3:6: the elements are uint16, since a list of uint8 is bytes, which have no range"},
	}
	for _, test := range tests {
		_, notices := schemaOf(t, "keyword p2p;\ndclass A {\n"+test.dc+"\n};")
		require.Len(t, notices, 1, test.dc)
		require.Equal(t, test.notice, notices[0].String())
	}
}

func TestRule153SameNameInSeveralParents(t *testing.T) {
	s, _ := schemaOf(t, "dclass A { x(int8) ram; }; dclass B { x(int16) ram; y(int8) ram; }; dclass C : A, B { z(int8) ram; yz : y, z; };")
	require.Equal(t, "A", s.Class("C").FieldByName("X").Class.Name())
	require.Len(t, s.Class("C").FieldByName("Yz").Parts, 2)
}

func TestUberDOGsStandInComments(t *testing.T) {
	s, _ := schemaOf(t, "dclass Auth { login(string) clsend; };\n//! uberdog #4670 Auth anonymous;\n//!!! a comment like any other\n")
	require.Equal(t, []do.Binding{{ID: do.WellKnown(4670), Class: "Auth", Anonymous: true}}, s.UberDOGs())
}

// Shipped files are the project's own: licences and provenance of public ones are their authors' affair.
func TestShippedFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.dc")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		f, err := Read(Source{path, text})
		require.NoError(t, err)
		s, _, err := f.Schema()
		require.NoError(t, err)
		again, err := do.ParseSchema(s.Text())
		require.NoError(t, err)
		require.Equal(t, s.Fingerprint(), again.Fingerprint(), path)
	}
}

func TestImports(t *testing.T) {
	text, err := os.ReadFile("testdata/language.dc")
	require.NoError(t, err)
	f, err := Read(Source{"language.dc", text})
	require.NoError(t, err)
	require.Equal(t, []Import{
		{"direct.distributed", []string{"DistributedObject/AI/OV"}},
		{"game.avatar.Avatar/AI", nil},
		{"game.shop", []string{"Shop", "Till/UD"}},
		{"game.types", []string{"*"}},
	}, f.Imports())
}

func TestSeveralFilesAreOne(t *testing.T) {
	a, b := Source{"a.dc", []byte("keyword p2p\ndclass A { };")}, Source{"b.dc", []byte("dclass B : A { x(int8) p2p; };")}
	_, err := Read(a, b)
	require.NoError(t, err)
	_, err = Read(b, a)
	require.EqualError(t, err, "dc: b.dc:1:12: wrong schema: the parent A is not declared before it")
}
