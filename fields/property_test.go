package fields

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawEncoded draws a type, a Go value of it, and its encoding.
func drawEncoded(t *rapid.T, form int) (typ *Type, c *Codec, v reflect.Value, enc []byte) {
	typ = drawType(t, form)
	rt := goType(typ)
	c, err := CodecOf(rt, typ)
	if err != nil {
		t.Fatalf("codec of %v for %s: %v", rt, typ, err)
	}
	v = reflect.New(rt)
	drawValue(t, typ, v.Elem())
	return typ, c, v, c.Append(nil, v.UnsafePointer())
}

// What was encoded is right, decodes to the same, and is its own canonical form.
func TestRoundTrip(t *testing.T) {
	eachForm(t, func(t *rapid.T, form int) {
		typ, c, v, enc := drawEncoded(t, form)
		require.NoError(t, typ.Check(enc))
		back := reflect.New(v.Type().Elem())
		rest, err := c.Decode(back.UnsafePointer(), append(enc[:len(enc):len(enc)], 0xc0))
		require.NoError(t, err)
		require.Equal(t, []byte{0xc0}, rest)
		require.Equal(t, v.Elem().Interface(), back.Elem().Interface())
		require.Equal(t, enc, typ.AppendCanonical(nil, enc))
		n, err := Skip(enc)
		require.NoError(t, err)
		require.Equal(t, len(enc), n)
	})
}

// The text of a type, and of a value, read back as the same.
func TestTextRoundTrip(t *testing.T) {
	eachForm(t, func(t *rapid.T, form int) {
		typ, _, _, enc := drawEncoded(t, form)
		again, err := ParseType(typ.String())
		require.NoError(t, err)
		require.Equal(t, typ.String(), again.String())
		require.True(t, typ.Equal(again))

		text := typ.Text(enc)
		back, err := typ.ParseText(text)
		require.NoError(t, err, text)
		require.Equal(t, text, typ.Text(back))
		if typ.kind != KindTime {
			require.Equal(t, enc, back, text)
		}
	})
}

// Every proper prefix of a right value is cut short, and anything after one is trailing.
func TestEveryPrefixIsShort(t *testing.T) {
	eachForm(t, func(t *rapid.T, form int) {
		typ, _, _, enc := drawEncoded(t, form)
		for n := range len(enc) {
			require.ErrorIs(t, typ.Check(enc[:n]), ErrShort, "%d of %x", n, enc)
			_, err := Skip(enc[:n])
			require.ErrorIs(t, err, ErrShort)
		}
		require.ErrorIs(t, typ.Check(append(enc, 0)), ErrTrailing)
	})
}

// Whatever the bytes, Decode takes them exactly if Check does, and changes nothing if not.
func TestCheckAgreesWithDecode(t *testing.T) {
	eachForm(t, func(t *rapid.T, form int) {
		typ, c, v, enc := drawEncoded(t, form)
		for range 3 {
			i := rapid.IntRange(0, len(enc)-1).Draw(t, "at")
			enc[i] = rapid.Byte().Draw(t, "byte")
		}
		want, checkErr := typ.CheckPrefix(enc)
		before := c.Append(nil, v.UnsafePointer())
		rest, err := c.Decode(v.UnsafePointer(), enc)
		require.Equal(t, checkErr == nil, err == nil)
		require.Equal(t, want, rest)
		after := c.Append(nil, v.UnsafePointer())
		if err != nil {
			require.Equal(t, before, after)
			return
		}
		require.Equal(t, typ.AppendCanonical(nil, enc[:len(enc)-len(rest)]), after)
	})
}

// rule 69: the zero value is a value, but for a pattern.
func TestRule69ZeroIsValid(t *testing.T) {
	eachForm(t, func(t *rapid.T, form int) {
		typ := drawType(t, form)
		require.NoError(t, typ.Check(typ.Zero()))
		require.Len(t, typ.Zero(), typ.zeroLen)
	})
}

// A Map built, merged and filtered holds what a Go map would.
func TestMapAgainstGoMap(t *testing.T) {
	draw := func(t *rapid.T) (map[Number]string, Map) {
		model := rapid.MapOf(rapid.Uint32Range(0, uint32(MaxNumber)), rapid.StringN(0, 5, -1)).Draw(t, "map")
		byNumber := map[Number]string{}
		var pairs []Pair
		for n, s := range model {
			byNumber[Number(n)] = s
			pairs = append(pairs, Pair{Number(n), AppendString(nil, s)})
		}
		return byNumber, MapOf(pairs...)
	}
	same := func(t *rapid.T, model map[Number]string, m Map) {
		require.NoError(t, m.Valid())
		require.Equal(t, len(model), m.Len())
		for n, s := range model {
			v, ok := m.Get(n)
			require.True(t, ok)
			require.Equal(t, AppendString(nil, s), v)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		ma, a := draw(t)
		mb, b := draw(t)
		same(t, ma, a)
		for n, s := range mb {
			ma[n] = s
		}
		merged := Merge(a, b)
		same(t, ma, merged)
		odd := func(n Number) bool { return n&1 == 1 }
		for n := range ma {
			if !odd(n) {
				delete(ma, n)
			}
		}
		same(t, ma, merged.Filter(odd))
		for i := range len(merged) {
			err := merged[:i].Valid()
			require.True(t, errors.Is(err, ErrShort), "%v", err)
		}
		require.ErrorIs(t, Map(append(bytes.Clone(merged), 0)).Valid(), ErrTrailing)
	})
}

// Every count of nanoseconds that Check accepts is a time that is written as it was read.
func TestTimesAtTheEdgesRoundTrip(t *testing.T) {
	typ, err := TypeOf(reflect.TypeFor[time.Time](), Tag{})
	require.NoError(t, err)
	codec, err := CodecOf(reflect.TypeFor[time.Time](), typ)
	require.NoError(t, err)
	for _, nanos := range []int64{math.MinInt64, math.MaxInt64, 0x7fff00ff7fffffff, -1, 1} {
		b := AppendInt(nil, nanos)
		require.NoError(t, typ.Check(b))
		var v time.Time
		_, err := codec.Decode(unsafe.Pointer(&v), b)
		require.NoError(t, err)
		require.Equal(t, b, codec.Append(nil, unsafe.Pointer(&v)), "%d", nanos)
	}
}
