package fields

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzType holds every kind and constraint, so that bytes find their way into each check.
const fuzzType = `{A int16(0..100), B string(max 24, pattern "[a-z ]*"), C [3]float32(-1..1), D map(max 4) uint64, ` +
	`E []string(oneof "red"|"blue"), F {H float32 as int16/10%360, P float32 as int8}, G id, H time, I bytes, J bool, ` +
	`K float64, L [](max 9) duration, M float64 as int32/1000, N {X uint8(oneof 1|2)}}`

// FuzzSkip: Skip stays within the bytes, and every prefix of what it skips is short.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{"", "\xc0", "\x93\x01\xa1a\xc4\x01b", "\x81\xa1k\xcb12345678", "\xdd\xff\xff\xff\xff", "\xc1", "\xd4\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Skip(b)
		if err != nil {
			return
		}
		require.True(t, n > 0 && n <= len(b))
		for i := range min(n, 64) {
			_, err := Skip(b[:n-1-i])
			require.ErrorIs(t, err, ErrShort)
		}
	})
}

// FuzzCheck: whatever the bytes, Check and Decode agree, and what is right has a canonical form and a text that reads
// back as that form.
func FuzzCheck(f *testing.F) {
	typ, err := ParseType(fuzzType)
	require.NoError(f, err)
	rt := goType(typ)
	c, err := CodecOf(rt, typ)
	require.NoError(f, err)
	f.Add(typ.Zero())
	f.Add([]byte("\x9e\x05\xa1a\x93"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := newValue(rt)
		rest, err := typ.CheckPrefix(b)
		_, decodeErr := c.Decode(v, b)
		require.Equal(t, err == nil, decodeErr == nil)
		if err != nil {
			return
		}
		enc := b[:len(b)-len(rest)]
		n, err := Skip(enc)
		require.NoError(t, err)
		require.Equal(t, len(enc), n)
		canonical := typ.AppendCanonical(nil, enc)
		require.NoError(t, typ.Check(canonical))
		require.Equal(t, canonical, c.Append(nil, v))
		text := typ.Text(enc)
		again, err := typ.ParseText(text)
		require.NoError(t, err)
		require.Equal(t, text, typ.Text(again))
	})
}

// FuzzMap: the iterator, Valid and ReadMap agree, and a valid map survives Merge.
func FuzzMap(f *testing.F) {
	for _, m := range []Map{nil, EmptyMap(), MapOf(Pair{1, []byte{1}}, Pair{900, []byte("\xa1a")}), Map("\xdf\xff\xff\xff\xff")} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, rest, err := ReadMap(b)
		if err != nil {
			require.Error(t, Map(b).Valid())
			return
		}
		require.NoError(t, m.Valid())
		require.Equal(t, len(rest) == 0, Map(b).Valid() == nil)
		n := 0
		for it := m.Iter(); it.Next(); n++ {
			v, ok := m.Get(it.Number())
			require.True(t, ok)
			require.Equal(t, it.Value(), v)
		}
		require.Equal(t, m.Len(), n)
		require.Equal(t, Merge(m, nil), Merge(m, m))
	})
}

// FuzzParseType: what is read writes itself, and that reads back as the same.
func FuzzParseType(f *testing.F) {
	f.Add(fuzzType)
	for _, s := range []string{"", "int8(..5)", "map(max 2, key string(min 1)) [3]id", "float32 as int16/10%360", "duration(1s..)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		typ, err := ParseType(s)
		if err != nil {
			return
		}
		again, err := ParseType(typ.String())
		require.NoError(t, err)
		require.Equal(t, typ.String(), again.String())
		if typ.pattern == "" && typ.kind <= KindID {
			require.NoError(t, typ.Check(typ.Zero()))
		}
	})
}

// FuzzParseTag: no text makes it panic, and its errors are all of one kind.
func FuzzParseTag(f *testing.F) {
	for _, s := range []string{"", "required,db,max=24", "pattern='a,''b'", "elem='min=1,max=2',key='len=3'", "as=int16,scale=10,mod=360", "default='"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := ParseTag(s)
		if err != nil {
			require.Equal(t, Tag{}, tag)
			return
		}
		for _, kind := range []Kind{KindInt8, KindFloat32, KindString} {
			if typ, err := TypeOf(goScalar(kind), tag); err == nil {
				_, err = ParseType(typ.String())
				require.NoError(t, err)
			}
		}
	})
}
