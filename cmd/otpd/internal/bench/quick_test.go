package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// TestQuickReadsWhatTheLongWayReads: of every frame that may come, and of what is no whole one.
func TestQuickReadsWhatTheLongWayReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "at")).Truncate(time.Microsecond)
		now := at + time.Duration(rapid.Int64Range(-1000, int64(time.Minute)).Draw(t, "age"))
		now = max(now, 0)
		value := appendStamp(nil, at, rapid.Uint16().Draw(t, "n"))
		alias, field := rapid.Uint32().Draw(t, "alias"), fields.Number(rapid.Uint16().Draw(t, "field"))
		var frame []byte
		if rapid.Bool().Draw(t, "latest") {
			frame = wire.AppendClientLatest(nil, alias, rapid.Uint16().Draw(t, "serial"), field, value)
		} else {
			frame = wire.AppendClientUpdate(nil, alias, field, value)
		}
		require.LessOrEqual(t, len(frame), quickMost)
		long, size, err := delivery(frame)
		require.NoError(t, err)
		want, err := readStamp(long, now)
		require.NoError(t, err)

		behind := make([]byte, quickMost)
		stamp, n := quick(append(frame, behind...))
		require.Equal(t, size, n)
		require.Equal(t, want, stampTime(stamp, now))
		_, n = quick(frame[:rapid.IntRange(0, len(frame)-1).Draw(t, "cut")])
		require.Zero(t, n, "half a frame")
	})
}

// TestQuickLeavesTheRest: what is no delivery in the usual form goes the long way.
func TestQuickLeavesTheRest(t *testing.T) {
	room := make([]byte, 2*quickMost)
	stamp := appendStamp(nil, time.Second, 1)
	for name, b := range map[string][]byte{
		"another frame":        wire.AppendFrame(nil, &wire.ServerHeartbeat{Frames: 1}),
		"acknowledgement":      wire.AppendClientLatestDone(nil, 1, 2, 3),
		"another value":        wire.AppendClientUpdate(nil, 1, 2, fields.AppendUint(nil, 7)),
		"a negative number":    wire.AppendClientUpdate(nil, 1, 2, fields.AppendInt(fields.AppendArrayHeader(nil, 3), -1)),
		"an alias of 64 bits":  append([]byte{0x94, byte(wire.FrameClientUpdate), 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 2}, stamp...),
		"a field that is text": append([]byte{0x94, byte(wire.FrameClientUpdate), 1, 0xa1, 'x'}, stamp...),
		"nothing":              nil,
	} {
		_, n := quick(append(b, room...))
		require.Zero(t, n, name)
	}
}

func BenchmarkBotFrames(b *testing.B) {
	var p []byte
	for i := range 80 {
		p = wire.AppendClientUpdate(p, uint32(200+i), 1, appendStamp(nil, time.Duration(i)*time.Millisecond, uint16(i)))
	}
	for _, c := range []struct {
		name string
		read func([]byte) (time.Duration, int)
	}{
		{"quick", func(p []byte) (time.Duration, int) {
			stamp, n := quick(p)
			return stampTime(stamp, time.Second), n
		}},
		{"long", func(p []byte) (time.Duration, int) {
			value, n, _ := delivery(p)
			at, _ := readStamp(value, time.Second)
			return at, n
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			whole := append(p, make([]byte, quickMost)...)
			for b.Loop() {
				for rest := whole; len(rest) > quickMost; {
					_, n := c.read(rest)
					rest = rest[n:]
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*80), "ns/delivery")
		})
	}
}
