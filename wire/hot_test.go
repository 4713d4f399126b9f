package wire

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

var (
	testField   = fields.Number(66)
	testValue   = fields.AppendString(nil, "Flippy")
	testMap     = fields.MapOf(fields.Pair{Number: 1, Value: []byte{15}}, fields.Pair{Number: testField, Value: testValue})
	testEntered = do.NewID(3, 1, 2)
	testVer     = do.Version{Inc: do.NewIncarnation(3, 9), N: 70000, M: 2}
)

func TestHandWrittenFramesAreThoseOfTheCodec(t *testing.T) {
	require.Equal(t, AppendFrame(nil, &ClientUpdate{70000, testField, testValue}), AppendClientUpdate(nil, 70000, testField, testValue))
	require.Equal(t, AppendFrame(nil, &ClientUpdates{5, testMap}), AppendClientUpdates(nil, 5, testMap))
	require.Equal(t, AppendFrame(nil, &ClientLatest{200, 65535, 3, testValue}), AppendClientLatest(nil, 200, 65535, 3, testValue))
	for _, m := range []ClientEnter{
		{
			Alias: 70000, DO: do.NewID(3, 1, 2), Class: 200, Location: do.Location{Parent: do.NewID(2, 9, 9), Zone: 100_000}, Serial: 300, Owned: true,
			Version: testVer, Fields: testMap,
		},
		{Alias: 1, DO: do.WellKnown(7), Class: 3, Location: do.Location{Parent: do.WellKnown(5)}, Version: do.Version{Inc: 1}, Fields: fields.EmptyMap()},
		{},
	} {
		require.Equal(t, AppendFrame(nil, &m), AppendClientEnter(nil, &m), m.String())
	}
	require.Equal(t, AppendFrame(nil, &ClientLeave{70000, LeaveDeleted}), AppendClientLeave(nil, 70000, LeaveDeleted))
	require.Equal(t, AppendFrame(nil, &ClientDone{9, testVer, 4}), AppendClientDone(nil, 9, testVer, 4))
	require.Equal(t, AppendFrame(nil, &ClientDone{9, do.Version{}, 300}), AppendClientDone(nil, 9, do.Version{}, 300))
	require.Equal(t, AppendFrame(nil, &ClientLatestDone{9, 300, 301}), AppendClientLatestDone(nil, 9, 300, 301))
}

func TestParsedFramesAreThoseOfTheCodec(t *testing.T) {
	set := ClientSet{Context: 7, Ref: AliasRef(300), Fields: testMap}
	b := append(AppendFrame(nil, &set), 0xc0)
	got, n, err := ParseClientSet(b)
	require.NoError(t, err)
	require.Equal(t, len(b)-1, n)
	require.Equal(t, set, got)

	latest := ClientSetLatest{Ref: UberDOGRef(4670), Serial: 9, Field: testField, Value: testValue}
	gotLatest, _, err := ParseClientSetLatest(AppendFrame(nil, &latest))
	require.NoError(t, err)
	require.Equal(t, latest, gotLatest)

	gotUpdate, _, err := ParseClientUpdate(AppendClientUpdate(nil, 1, 2, testValue))
	require.NoError(t, err)
	require.Equal(t, ClientUpdate{1, 2, testValue}, gotUpdate)

	gotOut, _, err := ParseClientLatest(AppendClientLatest(nil, 1, 4, 2, testValue))
	require.NoError(t, err)
	require.Equal(t, ClientLatest{1, 4, 2, testValue}, gotOut)

	_, _, err = ParseClientSetLatest(b)
	require.ErrorIs(t, err, ErrMalformed, "another frame")
	for i := range len(b) - 1 {
		_, _, err = ParseClientSet(b[:i])
		require.ErrorIs(t, err, fields.ErrShort)
	}
	_, _, err = ParseClientSet([]byte{0x94, 121, 7, 1})
	require.ErrorIs(t, err, fields.ErrShort)
	_, _, err = ParseClientSet([]byte{0x93, 121, 7, 1})
	require.ErrorIs(t, err, ErrMalformed, "a member is missing")
	require.NotErrorIs(t, err, fields.ErrShort)
}

// A zone without a parent is no location, whoever reads it.
func TestEnterWithoutParentIsRefused(t *testing.T) {
	b := AppendClientEnter(nil, &ClientEnter{DO: testEntered, Location: do.Location{Parent: testEntered, Zone: 3}, Version: testVer, Fields: testMap})
	at := bytes.LastIndex(b, testEntered[:])
	clear(b[at : at+len(testEntered)])
	_, _, err := NextFrame(b)
	require.ErrorContains(t, err, "a zone without parent")
}

// What is read by hand is what the codec reads, and nothing that it refuses.
func TestEnterIsReadAsByTheCodec(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) do.ID {
		return do.NewID(do.Partition(rapid.Uint16().Draw(t, "partition")), rapid.Int64().Draw(t, "ms"), rapid.Uint64().Draw(t, "random"))
	})
	rapid.Check(t, func(t *rapid.T) {
		var set fields.MapBuilder
		for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
			v := fields.AppendInt(nil, rapid.Int64().Draw(t, "value"))
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 28, 29, 30, 31, 32, 33}).Draw(t, "depth") {
				v = append([]byte{fixArray | 1}, v...)
			}
			require.NoError(t, set.Add(fields.Number(i), v))
		}
		want := ClientEnter{
			Alias: rapid.Uint32().Draw(t, "alias"), DO: id.Draw(t, "do"), Class: rapid.Uint32().Draw(t, "class"),
			Location: do.Location{Parent: id.Draw(t, "parent"), Zone: do.Zone(rapid.Uint32().Draw(t, "zone"))},
			Serial:   rapid.Uint16().Draw(t, "serial"), Owned: rapid.Bool().Draw(t, "owned"),
			Version: do.Version{Inc: 1 + do.Incarnation(rapid.Uint32().Draw(t, "inc")), N: rapid.Uint32().Draw(t, "n")}, Fields: set.Map(),
		}
		b := AppendClientEnter(nil, &want)
		if n, err := fields.Skip(b); err == nil {
			require.Equal(t, len(b), n)
			var got ClientEnter
			require.True(t, readEnter(b, &got))
			require.Equal(t, want, got)
		}
		if rapid.Bool().Draw(t, "broken") {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			b[at] = rapid.Byte().Draw(t, "byte")
			if rapid.Bool().Draw(t, "cut") {
				b = b[:at]
			}
		}
		n, err := fields.Skip(b)
		if err != nil {
			return // NextFrame has said so before
		}
		var byHand, byCodec ClientEnter
		c := coder{mode: decoding, buf: b[:n:n]}
		c.frame(&byCodec)
		if readEnter(b[:n:n], &byHand) {
			require.NoError(t, c.finish())
			require.Equal(t, byCodec, byHand)
		}
	})
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	in := AppendFrame(nil, &ClientSet{Context: 7, Ref: AliasRef(300), Fields: testMap})
	latest := AppendFrame(nil, &ClientSetLatest{Ref: AliasRef(300), Serial: 9, Field: testField, Value: testValue})
	enters := entered(10)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := AppendClientUpdate(buf, 9, testField, testValue)
		b = AppendClientUpdates(b, 9, testMap)
		b = AppendClientLatest(b, 9, 1, testField, testValue)
		b = AppendClientDone(b, 9, testVer, 1)
		b = AppendClientEnter(b, &ClientEnter{Alias: 9, DO: testEntered, Location: do.Location{Parent: testEntered}, Version: testVer, Fields: testMap})
		b = AppendClientLeave(b, 9, LeaveMoved)
		var w EntersWriter
		b, _ = w.Append(b, &ClientEnter{Alias: 9, DO: testEntered, Version: testVer, Fields: testMap})
		AppendClientLatestDone(b, 9, 1, 1)
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, _, err := ParseClientSet(in); err != nil {
			panic(err)
		}
		if _, _, err := ParseClientSetLatest(latest); err != nil {
			panic(err)
		}
		if r, _, err := ParseClientEnters(enters); err != nil || !r.Next() || !r.Next() {
			panic(err)
		}
		if f, err := PeekFrame(in); err != nil || f != FrameClientSet {
			panic(err)
		}
	}))
}

func BenchmarkAppendClientUpdate(b *testing.B) {
	buf := make([]byte, 0, 64)
	for b.Loop() {
		AppendClientUpdate(buf, 300, testField, testValue)
	}
}

func BenchmarkParseClientSet(b *testing.B) {
	in := AppendFrame(nil, &ClientSet{Context: 7, Ref: AliasRef(300), Fields: testMap})
	for b.Loop() {
		if _, _, err := ParseClientSet(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNextFrameEnter(b *testing.B) {
	in := AppendClientEnter(nil, &ClientEnter{
		Alias: 70000, DO: testEntered, Class: 3, Location: do.Location{Parent: do.WellKnown(9), Zone: 100_000}, Version: testVer, Fields: testMap,
	})
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := NextFrame(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMessageUpdate(b *testing.B) {
	id := do.NewID(3, 1, 2)
	m := Message{To: []do.Channel{do.At(do.Location{Parent: do.WellKnown(5), Zone: 3})}, From: do.ObjectChannel(id), Body: &Update{DO: id, Version: testVer, Fields: testMap}}
	in := AppendMessage(nil, &m)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 256)
		for b.Loop() {
			AppendMessage(buf, &m)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeMessage(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
