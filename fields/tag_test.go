package fields

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseTag(t *testing.T) {
	for text, want := range map[string]Tag{
		"":                          {},
		"required, db , broadcast":  {Keywords: Required | DB | Broadcast},
		"ai,min=-5,max=1.5":         {Keywords: AI, Min: "-5", Max: "1.5"},
		"pattern='a,b{1,2}=''x'''":  {Pattern: "a,b{1,2}='x'"},
		"pattern=[a-z]+,ram":        {Pattern: "[a-z]+", Keywords: RAM},
		"len=07":                    {MinLen: "7", MaxLen: "7"},
		"oneof=a|b c|d":             {OneOf: []string{"a", "b c", "d"}},
		"as=int16,scale=10,mod=360": {As: "int16", Scale: 10, Mod: 360},
		"default=":                  {HasDefault: true},
		"default='{X:1, Y:2}'":      {HasDefault: true, Default: "{X:1, Y:2}"},
		"rate=0.5":                  {Rate: 0.5},
		"of=X|Y|Z":                  {Of: []string{"X", "Y", "Z"}},
		"elem='min=1,max=2',key=len=3": {
			Elem: &Tag{Min: "1", Max: "2"}, Key: &Tag{MinLen: "3", MaxLen: "3"},
		},
	} {
		got, err := ParseTag(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseTagErrors(t *testing.T) {
	words := "allowed are required ram db broadcast clsend clrecv ownsend ownrecv airecv ai latest review index unique position grid edges auto open, " +
		"and min= max= minlen= maxlen= len= pattern= oneof= as= scale= mod= elem= key= default= rate= of="
	for text, want := range map[string]string{
		"requird":           `unknown word "requird": ` + words,
		"maximum=3":         `unknown word "maximum": ` + words,
		"ram,,db":           "an empty word between commas",
		"ram,":              "an empty word between commas",
		"ram,ram":           `"ram" is there twice`,
		"max=1,max=2":       `"max" is there twice`,
		"db=1":              `the keyword "db" takes no value`,
		"max":               `"max" stands without a value: write max= and one`,
		"max=":              "max= has no value",
		"pattern='a":        "pattern=' has no closing quote",
		"pattern='a'b":      `"b" after the quoted value of pattern=: a comma must follow`,
		"maxlen=-1":         "maxlen=-1: allowed is a whole number from 0 to 1048576",
		"len=1,minlen=1":    "len= with minlen= or maxlen=: give one of them",
		"maxlen=1,len=1":    "len= with minlen= or maxlen=: give one of them",
		"oneof=a||b":        "oneof=a||b: an empty value between |",
		"oneof=a|a":         `oneof=a|a: "a" is there twice`,
		"as=int64":          "as=int64: allowed are int8, int16, int32, uint8, uint16, uint32",
		"as=int8,scale=0":   "scale=0: allowed is a whole number from 1",
		"as=int8,scale=1.5": "scale=1.5: allowed is a whole number from 1",
		"as=int8,mod=0":     "mod=0: allowed is a number above 0",
		"as=int8,mod=NaN":   "mod=NaN: allowed is a number above 0",
		"scale=10":          "scale= and mod= need as=",
		"rate=-1":           "rate=-1: allowed is a number above 0",
		"rate=Inf":          "rate=Inf: allowed is a number above 0",
		"elem='ram'":        `elem='ram': "ram" belongs to the whole field`,
		"key='default=a'":   `key='default=a': "default" belongs to the whole field`,
		"elem='maxx=1'":     `elem='maxx=1': wrong tag: unknown word "maxx": ` + words,
	} {
		_, err := ParseTag(text)
		require.ErrorIs(t, err, ErrTag, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestKeyword(t *testing.T) {
	require.Equal(t, "required ram db", (Required | RAM | DB).String())
	require.Equal(t, keywordNames, Keyword(1<<19-1).String())
	k, err := ParseKeyword(keywordNames)
	require.NoError(t, err)
	require.True(t, k.Has(Unique|Required))
	require.False(t, Required.Has(Required|RAM))
	require.True(t, Required.Any(Required|RAM))
	require.Equal(t, "ram keyword(0x80000000)", (RAM | 1<<31).String())
	_, err = ParseKeyword("ram rom")
	require.ErrorContains(t, err, `parse keyword "rom"`)
	_, err = ParseKeyword("ram ram")
	require.ErrorContains(t, err, "twice")
}

type loop struct{ L []loop }

func TestTypeOf(t *testing.T) {
	type suit uint8
	type vec struct{ X, Y float32 }
	for _, test := range []struct {
		v         any
		tag, want string
	}{
		{true, "", "bool"},
		{int16(0), "min=0,max=100", "int16(0..100)"},
		{int8(0), "min=-128,max=127", "int8"},
		{suit(0), "oneof=1|2", "uint8(oneof 1|2)"},
		{uint64(0), "max=18446744073709551614", "uint64(..18446744073709551614)"},
		{float32(0), "min=0.1", "float32(0.1..)"},
		{"", "max=24", "string(max 24)"},
		{"", "len=3,pattern=[a-z]+", `string(min 3, max 3, pattern "[a-z]+")`},
		{"", "oneof=a|b c", `string(oneof "a"|"b c")`},
		{[]suit{}, "max=3", "bytes(max 3)"},
		{time.Time{}, "", "time"},
		{time.Second, "min=1s,max=1h", "duration(1s..1h0m0s)"},
		{testID{}, "", "id"},
		{[16]byte{}, "", "[16]uint8"},
		{[4]int8{}, "max=3", "[4]int8(..3)"},
		{[]string{}, "", "[]string"},
		{[]string{}, "max=3,elem='max=5'", "[](max 3) string(max 5)"},
		{map[string]int32{}, "", "map int32"},
		{map[string]int32{}, "max=5,key='max=8'", "map(max 5, key string(max 8)) int32"},
		{float32(0), "as=int16,scale=10,mod=360", "float32 as int16/10%360"},
		{float64(0), "as=int8,min=-1,max=1.5,scale=2", "float64(-1..1.5) as int8/2"},
		{float32(0), "as=int32,scale=1000000,mod=2000", "float32 as int32/1000000%2000"},
		{float64(0), "min=1000000", "float64(1e+06..)"},
		{vec{}, "", "{X float32, Y float32}"},
		{vec{}, "as=int16,scale=10", "{X float32 as int16/10, Y float32 as int16/10}"},
		{struct {
			A int8 `do:"min=1"`
			b int  `do:"-"`
		}{}, "", "{A int8(1..)}"},
		{struct{}{}, "", "{}"},
	} {
		tag, err := ParseTag(test.tag)
		require.NoError(t, err)
		typ, err := TypeOf(reflect.TypeOf(test.v), tag)
		require.NoError(t, err, test.want)
		require.Equal(t, test.want, typ.String())
		again, err := ParseType(test.want)
		require.NoError(t, err)
		require.True(t, typ.Equal(again), "%s", again)
		_, err = CodecOf(reflect.TypeOf(test.v), again)
		require.NoError(t, err)
	}
}

func TestTypeOfErrors(t *testing.T) {
	for _, test := range []struct {
		v         any
		tag, want string
	}{
		{0, "", "int has no fixed size: write int64 or another sized one"},
		{uint(0), "", "uint has no fixed size: write uint64"},
		{complex64(0), "", "complex64 cannot be a field: allowed are bool"},
		{new(int8), "", "*int8 cannot be a field"},
		{map[int8]bool{}, "", "the keys of a map must be strings"},
		{loop{}, "", "fields.loop contains itself"},
		{struct{ a int8 }{}, "", "member a is not exported"},
		{struct {
			A int8 `do:"ram"`
		}{}, "", `member A: wrong tag: "ram" belongs to the whole field`},
		{struct {
			A int8 `do:"max=300"`
		}{}, "", "member A: wrong declaration: max=300 is no int8"},
		{struct{ A string }{}, "max=3", "max= on a struct with a member (A) that is no plain float"},
		{struct{}{}, "max=3", "max= on a struct without members"},
		{int8(0), "min=5,max=4", "min=5 is above max=4"},
		{uint64(0), "min=-1", "min=-1 is no uint64"},
		{float32(0), "max=1e40", "max=1e40 is no finite float32"},
		{float64(0), "min=NaN", "min=NaN is no finite float64"},
		{time.Second, "max=5", "max=5 is no duration"},
		{time.Time{}, "min=1", "min= or max= on time"},
		{true, "max=1", "min= or max= on bool"},
		{testID{}, "len=16", "a length on id"},
		{int8(0), "maxlen=3", "a length on int8: only string, bytes, slice and map have one"},
		{"", "max=3,maxlen=3", "mean the same here"},
		{"", "min=4,max=3", "min=4 is above max=3"},
		{"", "max=-1", "max=-1 on string: allowed is a length from 0 to 1048576"},
		{"", "pattern='('", "pattern=(: error parsing regexp"},
		{"", "pattern='a)|(b'", "pattern=a)|(b: error parsing regexp"},
		{int8(0), "pattern=a", "pattern= on int8: only strings have one"},
		{float32(0), "oneof=1", "oneof= on float32: only ints and strings have one"},
		{int8(0), "oneof=1|x", `oneof=: "x"`},
		{int8(0), "oneof=1|01", "oneof=: 01 is there twice"},
		{int8(0), "max=1,oneof=1|2", `oneof=: "2": value out of range`},
		{int8(0), "as=int8", "as=int8 on int8: only floats can be packed"},
		{float32(0), "as=int8,mod=360", "up to 359 does not fit int8"},
		{float32(0), "as=int16,mod=0.5", "mod times scale must be whole"},
		{float32(0), "as=int8,scale=10,max=13", "max=13 times 10 does not fit int8"},
		{map[string]bool{}, "min=1", "a map has no least length"},
		{int8(0), "elem='max=1'", "elem= on int8"},
		{[]int8{}, "key='max=1'", "key= on slice"},
		{[]float32{}, "as=int8,elem='max=1'", "as= beside elem=: put it inside"},
		{[1 << 10][1 << 11]int8{}, "", "its smallest value has more than 1048576 bytes"},
	} {
		tag, err := ParseTag(test.tag)
		require.NoError(t, err)
		_, err = TypeOf(reflect.TypeOf(test.v), tag)
		require.ErrorContains(t, err, test.want)
	}
}
