package fields

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTypeErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                `no type ""`,
		"int":                             `no type "int"`,
		"int8 x":                          `"x" after the type`,
		"int8(":                           `"": allowed are low..high`,
		"int8()":                          `"": allowed are low..high`,
		"int8(3)":                         `"3": allowed are low..high`,
		"int8(..)":                        `"..": allowed are low..high`,
		"int8(1..2":                       `"," expected`,
		"int8(1..2, 3..4)":                "range is there twice",
		"int8(key string)":                "a key on int8",
		"string(pattern a)":               "a text in double quotes expected",
		"string(max x)":                   "allowed is a length",
		"[x]int8":                         "a length expected in [ ]",
		"[-1]int8":                        "a length expected in [ ]",
		"[2 int8":                         `"]" expected`,
		"[]uint8":                         "[]uint8 is bytes",
		"[9999999]int8":                   "at most 1048576 elements",
		"map(key int8) int8":              "the key of a map must be a string",
		"{X}":                             `no type ""`,
		"{X int8 Y int8}":                 `"," expected`,
		"{X int8, X int8}":                "member X is there twice",
		"{1 int8}":                        "the name of a member expected",
		"float32 as int8/0":               "a whole number from 1 expected after /",
		"float32 as int8%x":               "a number above 0 expected after %",
		"float32 as":                      "an int type expected",
		strings.Repeat("[]", 33) + "int8": "nested too deep",
	} {
		_, err := ParseType(text)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "fields: parse type ")
	}
	_, err := ParseType(strings.Repeat("[]", 32) + "int8")
	require.NoError(t, err)
}

func TestParseText(t *testing.T) {
	for _, test := range []struct{ typ, text, want string }{
		{"string", "Flippy the Toon", `"Flippy the Toon"`},
		{"string", `"a\"b"`, `"a\"b"`},
		{"string", "", `""`},
		{"int16(0..100)", " 15 ", "15"},
		{"uint64", "18446744073709551615", "18446744073709551615"},
		{"float32", "0.1", "0.1"},
		{"float64", "-Inf", "-Inf"},
		{"bytes", "0x0a0B", "0x0a0b"},
		{"duration", "90s", "1m30s"},
		{"time", "2026-01-02T05:04:05.5+02:00", "2026-01-02T03:04:05.5Z"},
		{"time", "0", "1970-01-01T00:00:00Z"},
		{"id", "4670", "4670"},
		{"id", "018F2c00-0001-8203-8405-060708090a0b", "018f2c00-0001-8203-8405-060708090a0b"},
		{"[]string", `[a, "b c" d]`, `["a" "b c" "d"]`},
		{"[2]time", "[0 2026-01-02T03:04:05Z]", "[1970-01-01T00:00:00Z 2026-01-02T03:04:05Z]"},
		{"map [1]int8", `{b:[1], "a":[2]}`, `{"a":[2] "b":[1]}`},
		{"{X int8, Y int8(3..)}", "{X:1}", "{X:1 Y:3}"},
		{"{X int8, Y int8}", "{Y:2 X:1}", "{X:1 Y:2}"},
		{"{H float32 as int16/10%360}", "{H:-90}", "{H:270}"},
		{"float32(-1..1) as int8/100", "-0.126", "-0.13"},
	} {
		typ, err := ParseType(test.typ)
		require.NoError(t, err)
		enc, err := typ.ParseText(test.text)
		require.NoError(t, err, test.text)
		require.Equal(t, test.want, typ.Text(enc))
	}
}

func TestParseTextErrors(t *testing.T) {
	for _, test := range []struct{ typ, text, want string }{
		{"bool", "yes", `"yes" is no bool: true or false`},
		{"int16(0..100)", "101", "value out of range"},
		{"int8", "x", `"x" is no int8`},
		{"uint64", "-1", `"-1" is no uint64`},
		{"float32", "1e99", `"1e99" is no float32`},
		{"float64", "x", `"x" is no number`},
		{"float32 as int8", "NaN", "is no number that can be packed"},
		{"{A float32 as int8}", "{A:200}", "A: value out of range"},
		{"{A float32(..5) as int8}", "{A:6}", "A: value out of range"},
		{"string(max 2)", "abc", "length out of bounds"},
		{"string", `"a`, "a text in double quotes expected"},
		{"bytes", "0a", `"0a" is no bytes like 0x0a0b`},
		{"bytes", "0xa", `is no bytes like 0x0a0b`},
		{"duration", "5", `"5" is no duration`},
		{"time", "today", `"today" is no time like`},
		{"time", "3000-01-01T00:00:00Z", "years 1678..2261"},
		{"id", "xyz", `"xyz" is no id`},
		{"id", "018f2c00-0001-8203-8405-060708090a-b", "is no id"},
		{"[2]int8", "[1]", "1 values for [2]int8"},
		{"[]int8", "[1", `"]" expected`},
		{"[]int8", "1", `"[" expected`},
		{"[]int8", "[1 x]", `[1]: wrong text: "x" is no int8`},
		{"map int8", "{a:1 a:2}", `"a" is there twice`},
		{"map int8", "{a 1}", `":" expected`},
		{"{X int8}", "{Z:1}", `no member "Z" in {X int8}`},
		{"int8", "1 2", `"2" after the value`},
	} {
		typ, err := ParseType(test.typ)
		require.NoError(t, err)
		_, err = typ.ParseText(test.text)
		require.ErrorContains(t, err, test.want)
		require.ErrorContains(t, err, "fields: parse value ")
	}
}

func TestAppendTextOfInvalid(t *testing.T) {
	typ, err := ParseType("int8")
	require.NoError(t, err)
	require.Equal(t, "HP=invalid(0xcd012c)", string(typ.AppendText([]byte("HP="), []byte{0xcd, 1, 0x2c})))
}

func TestNumber(t *testing.T) {
	for level := range MaxLevels {
		for index := range MaxOwnFields {
			n, err := NewNumber(level, index)
			require.NoError(t, err)
			require.True(t, n.Valid() && n.Level() == level && n.Index() == index)
			require.Equal(t, index>>6<<10|level<<6|index&63, int(n))
		}
	}
	for _, bad := range [][2]int{{-1, 0}, {16, 0}, {0, -1}, {0, 1024}} {
		_, err := NewNumber(bad[0], bad[1])
		require.ErrorIs(t, err, ErrRange)
	}
	require.False(t, (MaxNumber + 1).Valid())
	require.Equal(t, "15.1023", MaxNumber.String())
}

func TestMapErrors(t *testing.T) {
	for bytes, want := range map[string]error{
		"":                     ErrShort,
		"\x81":                 ErrShort,
		"\x81\x01":             ErrShort,
		"\x90":                 ErrType,
		"\x81\xa0\x01":         ErrType,
		"\x81\xff\x01":         ErrRange,
		"\x81\xcd\x40\x00\x01": ErrRange,
		"\x82\x01\x01\x01\x01": ErrOrder,
		"\x82\x02\x01\x01\x01": ErrOrder,
		"\x82\x00\x01\x00\x01": ErrOrder,
		"\x81\x01\xc1":         ErrSyntax,
		"\x80\x80":             ErrTrailing,
		"\x80":                 nil,
	} {
		require.ErrorIs(t, Map(bytes).Valid(), want, "%x", bytes)
	}
	require.NoError(t, EmptyMap().Valid())
	require.Zero(t, Map(nil).Len())

	var b MapBuilder
	require.NoError(t, b.Add(5, []byte{1}))
	require.ErrorIs(t, b.Add(5, []byte{1}), ErrOrder)
	require.ErrorIs(t, b.Add(MaxNumber+1, []byte{1}), ErrRange)
	require.Equal(t, Map("\x81\x05\x01"), b.Map())
	b.Reset()
	require.Equal(t, EmptyMap(), b.Map())
	require.Equal(t, Map("\x82\x01\x07\x02\x09"), Merge(MapOf(Pair{2, []byte{8}}, Pair{1, []byte{7}}), MapOf(Pair{2, []byte{9}})))
	require.Equal(t, Map("\x81\x02\x09"), Map("\x82\x01\x07\x02\x09").Without(1))
}
