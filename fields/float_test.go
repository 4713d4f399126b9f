package fields

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestNumberAt(t *testing.T) {
	type mixed struct {
		Name string
		X    float32
		Y    float64 `do:"as=int16,scale=10"`
		N    int16
		U    uint64
		D    float64
	}
	type packed struct {
		X, Y float32 `do:"as=int16,scale=100"`
		H    float32 `do:"as=uint8"`
	}
	for _, c := range []struct {
		v     any
		first int
		want  []float64
	}{
		{mixed{"here", 1.5, -2.5, -7, 1 << 60, 0.1}, 1, []float64{1.5, -2.5, -7, 1 << 60, 0.1}},
		{packed{1.25, -2.5, 200}, 0, []float64{1.25, -2.5, 200}},
	} {
		rt := reflect.TypeOf(c.v)
		typ, err := TypeOf(rt, Tag{})
		require.NoError(t, err)
		codec, err := CodecOf(rt, typ)
		require.NoError(t, err)
		p := reflect.New(rt)
		p.Elem().Set(reflect.ValueOf(c.v))
		value := codec.Append(nil, unsafe.Pointer(p.Pointer()))
		for i, want := range c.want {
			got, ok := typ.NumberAt(value, c.first+i)
			require.True(t, ok)
			require.InDelta(t, want, got, 1e-9)
			for n := range value {
				_, ok := typ.NumberAt(value[:n], c.first+i)
				require.True(t, !ok || n > 0, "a prefix is no panic")
			}
		}
		_, ok := typ.NumberAt(value, len(typ.Members()))
		require.False(t, ok)
		require.Zero(t, testing.AllocsPerRun(100, func() { typ.NumberAt(value, 1) }))
	}
	require.True(t, mustType(t, "uint8").Numeric())
	require.False(t, mustType(t, "string").Numeric())
}

func mustType(t *testing.T, text string) *Type {
	typ, err := ParseType(text)
	require.NoError(t, err)
	return typ
}
