package fields

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// theirs encodes v by msgpack/v5 in its most compact form.
func theirs(t require.TestingT, v any) []byte {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseCompactInts(true)
	enc.UseArrayEncodedStructs(true)
	enc.SetSortMapKeys(true)
	require.NoError(t, enc.Encode(v))
	return buf.Bytes()
}

// The primitives write what msgpack/v5 writes, and read it back.
func TestPrimitivesAgainstMsgpack5(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i, u := rapid.Int64().Draw(t, "i"), rapid.Uint64().Draw(t, "u")
		s, p := rapid.String().Draw(t, "s"), rapid.SliceOf(rapid.Byte()).Draw(t, "p")
		f, d := rapid.Float32().Draw(t, "f"), rapid.Float64().Draw(t, "d")
		require.Equal(t, theirs(t, i), AppendInt(nil, i))
		require.Equal(t, theirs(t, u), AppendUint(nil, u))
		require.Equal(t, theirs(t, s), AppendString(nil, s))
		require.Equal(t, theirs(t, append([]byte{}, p...)), AppendBin(nil, p))
		require.Equal(t, theirs(t, f), AppendFloat32(nil, f))
		require.Equal(t, theirs(t, d), AppendFloat64(nil, d))

		gotI, rest, err := ReadInt(theirs(t, i))
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, i, gotI)
		gotU, _, err := ReadUint(theirs(t, u))
		require.NoError(t, err)
		require.Equal(t, u, gotU)
	})
}

// Lengths at which the header changes, which random lengths seldom meet.
func TestHeadersAgainstMsgpack5(t *testing.T) {
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		require.Equal(t, theirs(t, string(make([]byte, n))), AppendString(nil, string(make([]byte, n))))
		require.Equal(t, theirs(t, make([]byte, n)), AppendBin(nil, make([]byte, n)))
		require.Equal(t, theirs(t, make([]bool, n))[:len(AppendArrayHeader(nil, n))], AppendArrayHeader(nil, n))
		var buf bytes.Buffer
		require.NoError(t, msgpack.NewEncoder(&buf).EncodeMapLen(n))
		require.Equal(t, buf.Bytes(), AppendMapHeader(nil, n))
	}
	require.Equal(t, theirs(t, nil), AppendNil(nil))
	require.Equal(t, theirs(t, true), AppendBool(nil, true))
	for _, i := range []int64{-1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, math.MinInt32 - 1, math.MinInt64} {
		require.Equal(t, theirs(t, i), AppendInt(nil, i))
	}
}

// plain is a struct that both libraries can hold; times, ids and packed floats have no counterpart there.
type plain struct {
	A bool
	B int8
	C uint64
	D float32
	E float64
	F string
	G []byte
	H []int32
	I [2]uint16
	J map[string]string // msgpack/v5 sorts the keys of few map types, this is one
	K time.Duration
	L struct{ X, Y float32 }
}

// What ours encodes decodes there, and the other way round.
func TestStructsAgainstMsgpack5(t *testing.T) {
	typ, _ := encode(t, "", plain{})
	rapid.Check(t, func(t *rapid.T) {
		v := plain{
			A: rapid.Bool().Draw(t, "a"), B: rapid.Int8().Draw(t, "b"), C: rapid.Uint64().Draw(t, "c"),
			D: rapid.Float32().Draw(t, "d"), E: rapid.Float64().Draw(t, "e"), F: rapid.String().Draw(t, "f"),
			G: append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "g")...),
			H: append([]int32{}, rapid.SliceOf(rapid.Int32()).Draw(t, "h")...),
			I: [2]uint16{rapid.Uint16().Draw(t, "i"), 7}, J: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "j"),
			K: time.Duration(rapid.Int64().Draw(t, "k")),
		}
		v.L.X = rapid.Float32().Draw(t, "x")
		c, err := CodecOf(plainType, typ)
		require.NoError(t, err)
		ours := c.Append(nil, pointer(&v))
		there := theirs(t, v)
		require.NoError(t, typ.Check(ours))

		var back plain
		require.NoError(t, msgpack.Unmarshal(ours, &back))
		require.Equal(t, ours, c.Append(nil, pointer(&back)))

		var from plain
		rest, err := c.Decode(pointer(&from), there)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, ours, c.Append(nil, pointer(&from)))
		require.Equal(t, ours, typ.AppendCanonical(nil, there))
	})
}
