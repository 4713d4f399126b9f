package link

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

func sample() []byte {
	var b []byte
	for _, f := range []wire.Frame{
		&wire.ClientDisconnect{},
		&wire.ClientHello{Version: "1", Schema: make([]byte, 32), Meta: "test"},
		&wire.ClientSet{Ref: 7, Fields: fields.MapOf(
			fields.Pair{Number: 1, Value: fields.AppendArrayHeader(nil, 0)},
			fields.Pair{Number: 2, Value: fields.AppendMapHeader(nil, 0)})},
	} {
		b = wire.AppendFrame(b, f)
	}
	return b
}

func TestReaderCutsAtFramesHoweverTheyCome(t *testing.T) {
	for name, src := range map[string]io.Reader{
		"at once":      bytes.NewReader(sample()),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(sample())),
		"with the end": iotest.DataErrReader(bytes.NewReader(sample())),
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(src, 1000)
			var got []byte
			for {
				b, err := r.Next()
				if err != nil {
					require.ErrorIs(t, err, io.EOF)
					break
				}
				for rest := b; len(rest) > 0; {
					_, n, err := wire.NextFrame(rest)
					require.NoError(t, err, "only whole frames")
					rest = rest[n:]
				}
				got = append(got, b...)
			}
			require.Equal(t, sample(), got)
		})
	}
}

func TestReaderNeverWritesOverWhatItReturned(t *testing.T) {
	one := wire.AppendFrame(nil, &wire.ClientHello{Version: "abcdefgh"})
	r := NewReader(iotest.OneByteReader(bytes.NewReader(bytes.Repeat(one, 2000))), 1000)
	var all [][]byte
	for {
		b, err := r.Next()
		if err != nil {
			break
		}
		all = append(all, b)
	}
	require.Equal(t, bytes.Repeat(one, 2000), bytes.Join(all, nil))
}

func TestReaderRefuses(t *testing.T) {
	long := wire.AppendFrame(nil, &wire.ClientHello{Meta: string(make([]byte, 2000))})
	many := append([]byte{0x92, 0x01, 0xdd, 0, 0, 0xff, 0xff}, make([]byte, 3000)...)
	for _, c := range []struct {
		name string
		in   []byte
		err  error
	}{
		{"a frame beyond the limit", long, ErrFrameSize},
		{"a frame of many small parts beyond the limit", many, ErrFrameSize},
		{"bytes that are no frame", []byte("GET / HTTP/1.1\r\n"), fields.ErrType},
		{"bytes that are no msgpack", []byte{0x92, 0x01, 0xc1}, fields.ErrSyntax},
		{"the end within a frame", long[:100], io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := NewReader(bytes.NewReader(c.in), 1000).Next()
			require.ErrorIs(t, err, c.err)
			require.NotEmpty(t, b, "what is at fault comes along")
		})
	}
}

func TestReaderTakesALengthOnTrustOnlyUpToTheLimit(t *testing.T) {
	endless := io.MultiReader(bytes.NewReader([]byte{0x92, 0x01, 0xdb, 0xff, 0xff, 0xff, 0xff}), zeros{})
	b, err := NewReader(endless, 1000).Next()
	require.ErrorIs(t, err, ErrFrameSize)
	require.Less(t, cap(b), 32<<10)
}

// zeros is an endless stream.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
