package fields

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Empty values overwrite what was there, in every part.
func TestDecodeOverwrites(t *testing.T) {
	typ, empty := encode(t, "", plain{})
	c, err := CodecOf(plainType, typ)
	require.NoError(t, err)
	v := plain{G: []byte{1}, H: []int32{1}, J: map[string]string{"a": "b"}, F: "x"}
	_, err = c.Decode(pointer(&v), empty)
	require.NoError(t, err)
	require.Equal(t, plain{}, v)
}

// What was decoded keeps its value when the bytes are used again, and when more is decoded over it.
func TestDecodeSharesNoMemory(t *testing.T) {
	type lists struct {
		S string
		B []byte
		L []string
		M map[string]int8
	}
	typ, enc := encode(t, "", lists{"a", []byte{1}, []string{"b"}, map[string]int8{"c": 1}})
	c, err := CodecOf(reflect.TypeFor[lists](), typ)
	require.NoError(t, err)
	var v lists
	_, err = c.Decode(pointer(&v), enc)
	require.NoError(t, err)
	kept := v
	clear(enc)
	_, err = c.Decode(pointer(&v), c.Append(nil, pointer(&lists{"d", []byte{2}, []string{"e"}, map[string]int8{"c": 2}})))
	require.NoError(t, err)
	require.Equal(t, lists{"a", []byte{1}, []string{"b"}, map[string]int8{"c": 1}}, kept)
}

func TestCodecOfErrors(t *testing.T) {
	for _, test := range []struct {
		v         any
		typ, want string
	}{
		{int8(0), "int16", "int8 is no int16"},
		{float64(0), "float32 as int8", "float64 is no float32 as int8"},
		{[2]int8{}, "[3]int8", "[2]int8 is no [3]int8"},
		{[]int8{}, "[]bool", "int8 is no bool"},
		{struct{ A int8 }{}, "{B int8}", "member A of"},
		{struct{ A int8 }{}, "{A int8, B int8}", "has no member B"},
		{struct{ A, B int8 }{}, "{A int8}", "member B of"},
		{struct{ A int8 }{}, "{A bool}", "member A: wrong declaration: int8 is no bool"},
	} {
		typ, err := ParseType(test.typ)
		require.NoError(t, err)
		_, err = CodecOf(reflect.TypeOf(test.v), typ)
		require.ErrorIs(t, err, ErrDeclare)
		require.ErrorContains(t, err, test.want)
	}
}
