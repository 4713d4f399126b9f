package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/fields"
)

// seeds gives the fuzzer some of each kind to begin with.
func seeds(f *testing.F, want func(v any) bool) {
	for _, s := range all() {
		for i := range 2 {
			v := rapid.Custom(func(t *rapid.T) any {
				// Some have no members, and a generator must draw something.
				rapid.Bool().Draw(t, "")
				return s.random(t)
			}).Example(i)
			if want(v) {
				f.Add(s.append(v))
			}
		}
	}
}

// What decodes has a form of its own that decodes to itself, and can be printed.
func FuzzDecodeMessage(f *testing.F) {
	seeds(f, func(v any) bool { _, ok := v.(Message); return ok })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			require.True(t, errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnknown))
			return
		}
		once := AppendMessage(nil, &m)
		again, err := DecodeMessage(once)
		require.NoError(t, err)
		require.Equal(t, once, AppendMessage(nil, &again))
		require.NotEmpty(t, m.String())
	})
}

func FuzzNextFrame(f *testing.F) {
	seeds(f, func(v any) bool { _, ok := v.(Frame); return ok })
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := NextFrame(b)
		if err != nil {
			return
		}
		require.True(t, 0 < n && n <= len(b))
		for _, short := range []int{0, n / 2, n - 1} {
			_, _, err := NextFrame(b[:short:short])
			require.ErrorIs(t, err, fields.ErrShort)
		}
		once := AppendFrame(nil, frame)
		again, m, err := NextFrame(once)
		require.NoError(t, err)
		require.Equal(t, len(once), m)
		require.Equal(t, once, AppendFrame(nil, again))
		require.NotEmpty(t, frame.String())
		sameByParse(t, b, frame, n)
	})
}

// sameByParse holds the Parse functions to what NextFrame says.
func sameByParse(t *testing.T, b []byte, frame Frame, n int) {
	var got any
	var m int
	var err error
	switch f := frame.(type) {
	case *ClientSet:
		var v ClientSet
		v, m, err = ParseClientSet(b)
		got = &v
	case *ClientSetLatest:
		var v ClientSetLatest
		v, m, err = ParseClientSetLatest(b)
		got = &v
	case *ClientUpdate:
		var v ClientUpdate
		v, m, err = ParseClientUpdate(b)
		got = &v
	case *ClientLatest:
		var v ClientLatest
		v, m, err = ParseClientLatest(b)
		got = &v
	case *ClientEnters:
		r, m, err := ParseClientEnters(b)
		require.NoError(t, err)
		require.Equal(t, n, m)
		for want := range f.All() {
			require.True(t, r.Next())
			require.Equal(t, *want, r.Enter)
		}
		require.False(t, r.Next())
		require.NoError(t, r.Err())
		return
	default:
		return
	}
	require.NoError(t, err)
	require.Equal(t, n, m)
	require.Equal(t, frame, got)
}

func FuzzDecodePacket(f *testing.F) {
	seeds(f, func(v any) bool { _, ok := v.(Packet); return ok })
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePacket(b)
		if err != nil {
			return
		}
		once := AppendPacket(nil, p)
		again, err := DecodePacket(once)
		require.NoError(t, err)
		require.Equal(t, once, AppendPacket(nil, again))
		require.NotEmpty(t, p.String())
	})
}

func FuzzRecording(f *testing.F) {
	f.Add(recorded(nil, testRecording...))
	f.Add([]byte(recordingMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := ReadRecording(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := ReadRecording(bytes.NewReader(recorded(&rec.Header, rec.Messages...)))
		require.NoError(t, err)
		require.Len(t, again.Messages, len(rec.Messages))
		require.Empty(t, again.Notice)
	})
}
