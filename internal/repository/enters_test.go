package repository

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// entersOf are avatars of street/20 to street/22, as frames of their own and as those that they share.
func entersOf(t *testing.T, x *clientTest) (alone, together []byte) {
	var w wire.EntersWriter
	for i, name := range []string{"Flippy", "Dot", "Sam"} {
		f := &wire.ClientEnter{
			Alias: uint32(9 - i), DO: do.NewID(2, 1, uint64(i+1)), Class: x.class.Number(), Serial: uint16(i),
			Location: do.Location{Parent: streetAt.Parent, Zone: streetAt.Zone + do.Zone(i)},
			Version:  do.Version{Inc: do.Incarnation(5 - i), N: 1, M: uint32(i)}, Fields: values(t, x.class, "Name", name, "HP", 10+i, "Mood", "calm"),
		}
		alone = wire.AppendFrame(alone, f)
		together, _ = w.Append(together, f)
	}
	return alone, together
}

// rule 156: what enters in one frame is generated as if each had come alone, one after the other, in pieces of the stream or not.
func TestRule156EnteredTogether(t *testing.T) {
	want := newClientTest(t)
	alone, together := entersOf(t, want)
	require.NoError(t, want.c.Receive(alone, false, want.now))
	for _, piece := range []int{1, len(together)} {
		x := newClientTest(t)
		for b := together; len(b) > 0; b = b[piece:] {
			require.NoError(t, x.c.Receive(b[:piece], false, x.now))
		}
		require.Equal(t, want.c.View(), x.c.View())
		require.Equal(t, want.c.Traffic().Entered, x.c.Traffic().Entered)
		require.Equal(t, []string{`generate Flippy mood=""`, `generate Dot mood=""`, `generate Sam mood=""`}, x.heard())
		x.feed(&wire.ClientUpdate{Alias: 8, Field: x.class.FieldByName("HP").Number, Value: encode(t, 9)})
		require.Equal(t, []string{"hp 11 -> 9"}, x.heard(), "the aliases are known")
		require.EqualValues(t, 3, x.c.frames, "welcome, enters, update")
	}
}

// What handlers do about an object is done before the next one of its frame is seen: here, the goodbye.
func TestGoodbyeAmongThoseThatEnter(t *testing.T) {
	x := newClientTest(t)
	_, together := entersOf(t, x)
	x.c.Do(t.Context(), func(ctx context.Context) error {
		_, err := x.c.Related(ctx, do.NewID(2, 1, 1))
		x.c.Goodbye()
		return err
	}, nil)
	require.NoError(t, x.c.Err())
	require.NoError(t, x.c.Receive(together, false, x.now))
	require.ErrorIs(t, x.c.Err(), ErrClosed)
	require.Equal(t, []string{`generate Flippy mood=""`, "disable Flippy"}, x.heard())
}

// An object that does not decode ends the session; those before it have entered.
func TestEnteredWrongly(t *testing.T) {
	x := newClientTest(t)
	_, together := entersOf(t, x)
	together[len(together)-5] = 0xc1 // in the place of the header of "calm"
	require.ErrorIs(t, x.c.Receive(together, false, x.now), wire.ErrMalformed)
	require.ErrorIs(t, x.c.Err(), wire.ErrMalformed)
	require.Equal(t, []string{`generate Flippy mood=""`, `generate Dot mood=""`}, x.heard()[:2])
}

// Nothing enters in a datagram.
func TestNothingEntersInADatagram(t *testing.T) {
	x := newClientTest(t)
	_, together := entersOf(t, x)
	require.NoError(t, x.c.Receive(together, true, x.now))
	require.Len(t, x.errs, 1)
	require.ErrorIs(t, x.errs[0], wire.ErrUnknown)
	require.Empty(t, x.c.View())
}

// BenchmarkEnter1000 takes in what an opening of 1000 objects brings, and their leaving.
func BenchmarkEnter1000(b *testing.B) {
	x := newClientTest(b)
	var w wire.EntersWriter
	var enter, leave []byte
	for i := range uint32(1000) {
		enter, _ = w.Append(enter, &wire.ClientEnter{
			Alias: i + 1, DO: do.NewID(2, 1, uint64(i+1)), Class: x.class.Number(), Location: streetAt,
			Version: do.Version{Inc: do.Incarnation(i + 1), N: 1}, Fields: values(b, x.class, "Name", "Flippy", "HP", 15),
		})
		leave = wire.AppendClientLeave(leave, i+1, wire.LeaveInterest)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, in := range [][]byte{enter, leave} {
			if err := x.c.Receive(in, false, x.now); err != nil {
				b.Fatal(err)
			}
		}
		x.heard()
	}
}
