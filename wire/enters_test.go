package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// randomEnters are objects of a few classes and places, in any order.
func randomEnters(t *rapid.T) []ClientEnter {
	places := []do.Location{{Parent: do.WellKnown(5), Zone: 3}, {Parent: do.WellKnown(5), Zone: 1<<32 - 1}, {Parent: do.NewID(1, 1, 1), Zone: 1 << 30}, {}}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ClientEnter {
		return ClientEnter{
			Alias: rapid.Uint32().Draw(t, "alias"), DO: randomID(t), Class: rapid.Uint32Max(1).Draw(t, "class"),
			Location: rapid.SampledFrom(places).Draw(t, "place"), Serial: rapid.Uint16().Draw(t, "serial"),
			Version: do.Version{Inc: do.Incarnation(rapid.Uint64().Draw(t, "inc")), N: rapid.Uint32().Draw(t, "n"), M: rapid.Uint32().Draw(t, "m")},
			Fields:  randomMap(t),
		}
	}), 1, 40).Draw(t, "enters")
}

// What the writer gathers is what was given to it, in its order, also with other frames between; it is what the codec writes; and
// by reader and codec it reads the same.
func TestEntersAreThoseThatWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := randomEnters(t)
		var w EntersWriter
		var b []byte
		begun := 0
		for i := range want {
			if rapid.IntRange(0, 5).Draw(t, "other") == 0 {
				b = AppendFrame(b, &ServerHeartbeat{})
			}
			if rapid.IntRange(0, 20).Draw(t, "large") == 0 {
				want[i].Fields = fields.MapOf(fields.Pair{Number: 1, Value: fields.AppendBin(nil, make([]byte, 70_000))})
			}
			var first bool
			if b, first = w.Append(b, &want[i]); first {
				begun++
			}
		}
		var byCodec, byReader []ClientEnter
		for len(b) > 0 {
			f, n, err := NextFrame(b)
			require.NoError(t, err)
			if m, ok := f.(*ClientEnters); ok {
				begun--
				require.Equal(t, b[:n], AppendFrame(nil, m))
				for e := range m.All() {
					byCodec = append(byCodec, *e)
				}
				r, size, err := ParseClientEnters(b)
				require.NoError(t, err)
				require.Equal(t, n, size)
				for r.Next() {
					byReader = append(byReader, r.Enter)
				}
				require.NoError(t, r.Err())
			}
			b = b[n:]
		}
		require.Zero(t, begun)
		require.Equal(t, want, byCodec)
		require.Equal(t, want, byReader)
	})
}

// entered is a stream of n objects as an opening has them.
func entered(n int) []byte {
	var w EntersWriter
	var b []byte
	for i := range n {
		b, _ = w.Append(b, &ClientEnter{
			Alias: 70000 + uint32(i), DO: do.NewID(3, 1e12, uint64(i)), Class: 3, Location: do.Location{Parent: do.WellKnown(9), Zone: 100_000},
			Version: do.Version{Inc: do.NewIncarnation(1, uint32(7*i)), N: 1}, Fields: testMap,
		})
	}
	return b
}

// Objects next to each other share a frame of a few kilobytes, so that none is long waited for.
func TestEntersShareFrames(t *testing.T) {
	const n = 1000
	b := entered(n)
	require.Less(t, len(b), n*(33+len(testMap)))
	frames, objects := 0, 0
	for len(b) > 0 {
		r, size, err := ParseClientEnters(b)
		require.NoError(t, err)
		require.Less(t, size, entersMost+100)
		for r.Next() {
			objects++
		}
		frames++
		b = b[size:]
	}
	require.Equal(t, n, objects)
	require.Less(t, frames, n/50)

	var w EntersWriter
	for _, c := range []struct {
		size  int
		begun bool
	}{{10, true}, {entersMost / 2, false}, {entersMost / 2, true}, {1 << 20, true}, {10, true}, {10, false}} {
		var begun bool
		b, begun = w.Append(b, &ClientEnter{Fields: fields.MapOf(fields.Pair{Number: 1, Value: fields.AppendBin(nil, make([]byte, c.size))})})
		require.Equal(t, c.begun, begun, "%d bytes", c.size)
	}
}

// A stream that begins anew may have the length at which the last frame ended.
func TestEntersBeginAnewWithTheStream(t *testing.T) {
	var w EntersWriter
	m := ClientEnter{Alias: 1, DO: do.WellKnown(7), Class: 3, Version: do.Version{Inc: 1}}
	b, _ := w.Append(nil, &m)
	w.Reset()
	_, begun := w.Append(make([]byte, len(b)), &m)
	require.True(t, begun)
}

// Bad bytes among the objects are an error that says which; what is before them was read.
func TestWrongEntersAreRefused(t *testing.T) {
	good := &ClientEnters{Class: 3, Alias: 5, Inc: 1, Entered: []Entered{{DO: do.WellKnown(7), Fields: fields.EmptyMap()}, {Alias: 1, DO: do.WellKnown(8), Fields: fields.EmptyMap()}}}
	for name, broken := range map[string]func(b []byte) []byte{
		"a class above 32 bits": func(b []byte) []byte { return append([]byte{0x96, 117, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0}, b[3:]...) },
		"fields cut short":      func(b []byte) []byte { b[len(b)-1] = 0x81; return b },
		"a member of another":   func(b []byte) []byte { b[len(b)-2] = 0xa0; return b },
		"a member too few":      func(b []byte) []byte { b[len(b)-26] = 0x97; return b },
	} {
		t.Run(name, func(t *testing.T) {
			b := broken(AppendFrame(nil, good))
			_, _, err := NextFrame(b)
			require.ErrorIs(t, err, ErrMalformed)
			require.NotErrorIs(t, err, fields.ErrShort)
			r, _, err := ParseClientEnters(b)
			if err == nil {
				require.True(t, r.Next())
				require.Equal(t, do.WellKnown(7), r.Enter.DO)
				require.False(t, r.Next())
				err = r.Err()
				require.False(t, r.Next())
			}
			require.ErrorIs(t, err, ErrMalformed)
			require.NotErrorIs(t, err, fields.ErrShort)
		})
	}
	_, _, err := ParseClientEnters(AppendFrame(nil, &ClientLeave{}))
	require.ErrorIs(t, err, ErrMalformed, "another frame")
	b := AppendFrame(nil, good)
	for i := range b {
		_, _, err := ParseClientEnters(b[:i])
		require.ErrorIs(t, err, fields.ErrShort)
	}
}

// Longer forms than ours are read by the reader, too.
func TestLongerFormsOfEntersAreRead(t *testing.T) {
	b := []byte{
		0xdc, 0, 6, 0xcc, 117, 0xcd, 0, 3, 0xc0, 0xcc, 5, 0xcc, 1, 0xc4, 31,
		0xdc, 0, 8, 0xcc, 2, 0xc4, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0xcc, 0, 0xcc, 1, 0, 0, 0x80,
	}
	_, _, err := ParseClientEnters(b)
	require.ErrorIs(t, err, ErrMalformed, "a frame's header is one byte")
	b = append([]byte{0x96}, b[3:]...)
	r, n, err := ParseClientEnters(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
	require.True(t, r.Next(), r.Err())
	require.Equal(t, ClientEnter{Alias: 7, DO: do.WellKnown(7), Class: 3, Version: do.Version{Inc: 2}, Fields: fields.EmptyMap()}, r.Enter)
	require.False(t, r.Next())
	require.NoError(t, r.Err())
}

func TestEntersArePrintedAsTheirObjects(t *testing.T) {
	m := &ClientEnters{
		Class: 3, Location: do.Location{Parent: do.WellKnown(5), Zone: 3}, Alias: 7, Inc: 9,
		Entered: []Entered{{DO: do.WellKnown(7), N: 1, Fields: testMap}, {Alias: 1, DO: do.WellKnown(8), Zone: 1, N: 2}},
	}
	p := Printer{Names: map[do.ID]string{do.WellKnown(5): "street", do.WellKnown(7): "avatar1", do.WellKnown(8): "avatar2"}}
	require.Equal(t, `ClientEnters class=3 [alias=7 avatar1 street/3 {0.1:15 1.2:"Flippy"}, alias=8 avatar2 street/4]`, p.Frame(m))
	require.Equal(t, "ClientLeave avatar2 moved", p.Frame(&ClientLeave{8, LeaveMoved}))
}

func BenchmarkEnters(b *testing.B) {
	in := entered(100)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var w EntersWriter
		buf := make([]byte, 0, len(in)+100)
		m := ClientEnter{
			Alias: 70001, DO: testEntered, Class: 3, Location: do.Location{Parent: do.WellKnown(9), Zone: 100_000}, Version: testVer, Fields: testMap,
		}
		for b.Loop() {
			if buf, _ = w.Append(buf, &m); len(buf) > len(in) {
				buf = buf[:0]
				w.Reset()
			}
		}
	})
	b.Run("read100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for rest := in; len(rest) > 0; {
				r, n, err := ParseClientEnters(rest)
				if err != nil {
					b.Fatal(err)
				}
				for r.Next() {
				}
				rest = rest[n:]
			}
		}
	})
}
