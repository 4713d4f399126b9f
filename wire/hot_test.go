package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

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

func TestHotPathDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	in := AppendFrame(nil, &ClientSet{Context: 7, Ref: AliasRef(300), Fields: testMap})
	latest := AppendFrame(nil, &ClientSetLatest{Ref: AliasRef(300), Serial: 9, Field: testField, Value: testValue})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := AppendClientUpdate(buf, 9, testField, testValue)
		b = AppendClientUpdates(b, 9, testMap)
		b = AppendClientLatest(b, 9, 1, testField, testValue)
		b = AppendClientDone(b, 9, testVer, 1)
		b = AppendClientEnter(b, &ClientEnter{Alias: 9, DO: testEntered, Location: do.Location{Parent: testEntered}, Version: testVer, Fields: testMap})
		b = AppendClientLeave(b, 9, LeaveMoved)
		AppendClientLatestDone(b, 9, 1, 1)
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, _, err := ParseClientSet(in); err != nil {
			panic(err)
		}
		if _, _, err := ParseClientSetLatest(latest); err != nil {
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
