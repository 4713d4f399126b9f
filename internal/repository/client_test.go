package repository

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// rule 156: required fields, OnGenerate, then the others.
func TestRule156RamValuesComeAfterGenerate(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "HP", 15, "Mood", "glad")
	require.Equal(t, []string{`generate Flippy mood=""`}, x.heard())
	require.Equal(t, "glad", a.Mood)
	require.EqualValues(t, 15, a.HP)
	require.Equal(t, streetAt, a.Location())
}

// rule 157: a second enter is an update of the one object; rule 121: disable and delete are told apart.
func TestRule157SecondEnterUpdates(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "HP", 15, "Mood", "glad")
	x.heard()
	b := x.enter(1, 1, false, "Name", "Flippy", "HP", 16)
	require.Same(t, a, b)
	require.EqualValues(t, 16, a.HP)
	require.Equal(t, "", a.Mood, "the entry covers it and does not have it")
	require.False(t, a.IsSet(&a.Mood))
	require.Empty(t, x.heard(), "a snapshot is no live update (rule 167)")
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved})
	require.Equal(t, []string{"disable Flippy"}, x.heard())
	require.ErrorIs(t, a.Save(), do.ErrDetached)
	x.enter(2, 1, false, "Name", "Flippy")
	x.heard()
	x.feed(&wire.ClientLeave{Alias: 2, Reason: wire.LeaveDeleted})
	require.Equal(t, []string{"delete Flippy"}, x.heard())
	require.Zero(t, x.c.Len())
}

// rules 55, 122: an owned object that leaves view stays; it goes when the ownership goes, too.
func TestRule55OwnedStaysOutOfView(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	x.feed(&wire.ClientEnterOwner{
		Alias: 1, DO: a.ID(), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 1, N: 1},
		Fields: values(t, x.class, "Name", "Flippy", "Gold", 7),
	})
	require.EqualValues(t, 7, a.Gold)
	x.heard()
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved})
	require.Empty(t, x.heard())
	v := x.c.View()
	require.Len(t, v, 1)
	require.True(t, v[0].Owned)
	require.False(t, v[0].Visible)
	x.feed(&wire.ClientLeaveOwner{Alias: 1, Reason: wire.LeaveMoved})
	require.Equal(t, []string{"disable Flippy"}, x.heard())
}

// rule 93: a write is not echoed; while it is in flight foreign values are held, and the older ones are dropped.
func TestRule93ForeignValueDuringPendingWrite(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "HP", 15)
	n := x.class.FieldByName("HP").Number
	x.heard()
	a.HP = 30
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientUpdate{Alias: 1, Field: n, Value: encode(t, 20)})
	require.EqualValues(t, 30, a.HP, "held")
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 3}})
	require.EqualValues(t, 30, a.HP, "what came before the acknowledgement is older")
	require.Empty(t, x.heard())
	x.feed(&wire.ClientUpdate{Alias: 1, Field: n, Value: encode(t, 40)})
	require.EqualValues(t, 40, a.HP)
	require.Equal(t, []string{"hp 30 -> 40"}, x.heard())
	require.True(t, x.c.Quiet())
}

// rule 93: a refusal brings the present value; not before the last write of the field is settled.
func TestRule93RefusalWhilePending(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "HP", 15)
	a.HP = 30
	require.NoError(t, a.Save())
	a.HP = 31
	require.NoError(t, a.Save())
	sets := x.sent()
	first, second := sets[0].(*wire.ClientSet), sets[1].(*wire.ClientSet)
	x.heard()
	// The agent refuses the second at once, and does not know the value.
	x.feed(&wire.ClientRefused{Context: second.Context, Alias: 1, Code: wire.CodeRate})
	require.EqualValues(t, 31, a.HP)
	x.feed(&wire.ClientDone{Context: first.Context, Version: do.Version{Inc: 1, N: 2}})
	require.EqualValues(t, 30, a.HP, "the first one was applied")
	require.Equal(t, []string{"hp 31 -> 30"}, x.heard())
	require.ErrorIs(t, x.errs[0], wire.CodeRate)

	a.HP = 50
	require.NoError(t, a.Save())
	third := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientRefused{Context: third.Context, Alias: 1, Code: wire.CodeConstraint, Fields: values(t, x.class, "HP", 12)})
	require.EqualValues(t, 12, a.HP)
}

// What a review made of a value is not replaced by the acknowledgement, though the object left and entered in between.
func TestReviewedValueStaysAfterReenter(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "Title", "Lord")
	a.Title = "sir"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved})
	b := x.enter(2, 1, false, "Name", "Flippy", "Title", "Lord")
	x.feed(&wire.ClientUpdate{Alias: 2, Field: x.class.FieldByName("Title").Number, Value: encode(t, "Sir")})
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, "Sir", b.Title)
}

// An object that leaves and enters again while a write is in flight: the acknowledgement decides by version.
func TestAcknowledgementAfterReenter(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy", "HP", 15)
	a.HP = 30
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved})
	b := x.enter(2, 1, false, "Name", "Flippy", "HP", 15)
	require.NotSame(t, a, b)
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	require.EqualValues(t, 30, b.HP, "the entry was older than the write")

	b.HP = 31
	require.NoError(t, b.Save())
	set = x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientLeave{Alias: 2, Reason: wire.LeaveMoved})
	x.feed(&wire.ClientEnter{
		Alias: 3, DO: b.ID(), Class: x.class.Number(), Location: streetAt, Version: do.Version{Inc: 1, N: 9},
		Fields: values(t, x.class, "Name", "Flippy", "HP", 77),
	})
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 3}})
	require.EqualValues(t, 77, x.c.Find(b.ID()).(*AvatarCL).HP, "the entry has the write and what came after")
}

// A value that a review changed is heard before the acknowledgement, and is what stays.
func TestReviewedValueStays(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	a.Title = "boss"
	require.NoError(t, a.Save())
	set := x.sent()[0].(*wire.ClientSet)
	x.feed(&wire.ClientUpdate{Alias: 1, Field: x.class.FieldByName("Title").Number, Value: encode(t, "Sir")})
	x.feed(&wire.ClientDone{Context: set.Context, Version: do.Version{Inc: 1, N: 2}})
	require.Equal(t, "Sir", a.Title)
}

// A client sends only what it may; the object shows the truth again.
func TestClientMayNotSetGold(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "Gold", 7)
	a.Gold = 1000
	require.ErrorIs(t, a.Save(), ErrDenied)
	require.EqualValues(t, 7, a.Gold)
	require.Empty(t, x.sent())
	require.ErrorIs(t, a.Delete(), ErrDenied)
	require.NoError(t, x.c.Allow(&a.Object, "Gold"))
	a.Gold = 8
	require.NoError(t, a.Save(), "rule 90: granted")
}

// Latest values travel as datagrams, with all unacknowledged ones of the object, and are repeated on the stream.
func TestLatestIsRepeatedOnTheStream(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	pos, look := x.class.FieldByName("Pos").Number, x.class.FieldByName("Look").Number
	a.Pos = vec3{1, 2, 3}
	require.NoError(t, a.Save())
	require.Empty(t, x.sent())
	require.Equal(t, []wire.Frame{&wire.ClientSetLatest{Ref: 1, Serial: 1, Field: pos, Value: encode(t, vec3{1, 2, 3})}}, x.grams())
	a.Look = 7
	require.NoError(t, a.Save())
	require.Equal(t, []wire.Frame{
		&wire.ClientSetLatest{Ref: 1, Serial: 1, Field: pos, Value: encode(t, vec3{1, 2, 3})},
		&wire.ClientSetLatest{Ref: 1, Serial: 2, Field: look, Value: encode(t, 7)},
	}, x.grams(), "a cumulative acknowledgement must not cover a lost value")
	a.Pos = vec3{4, 5, 6}
	require.NoError(t, a.Save())
	require.Len(t, x.grams(), 2)
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 2})
	require.False(t, x.c.View()[0].Fields == nil)
	require.True(t, x.c.View()[0].Pending)
	x.tick(199e6)
	require.Empty(t, x.sent())
	x.tick(100e6)
	require.Equal(t, []wire.Frame{&wire.ClientSetLatest{Ref: 1, Serial: 3, Field: pos, Value: encode(t, vec3{4, 5, 6})}}, x.sent())
	x.tick(1e9)
	require.Empty(t, x.sent(), "once")
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 3})
	require.False(t, x.c.View()[0].Pending)
	require.Equal(t, vec3{4, 5, 6}, a.Pos)
}

// A datagram overtakes the stream, and is acknowledged with all before it: so while a value is repeated on the stream,
// those of other fields follow it there. One that replaces it need not.
func TestLatestFollowsWhatIsOnTheStream(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	pos, look := x.class.FieldByName("Pos").Number, x.class.FieldByName("Look").Number
	a.Pos = vec3{1, 2, 3}
	require.NoError(t, a.Save())
	require.Len(t, x.grams(), 1, "which is lost")
	x.tick(repeatAfter)
	require.Equal(t, []wire.Frame{&wire.ClientSetLatest{Ref: 1, Serial: 1, Field: pos, Value: encode(t, vec3{1, 2, 3})}}, x.sent())

	a.Look = 7
	require.NoError(t, a.Save())
	require.Empty(t, x.grams(), "its acknowledgement would count for the position, too, which an agent did not get yet")
	require.Equal(t, []wire.Frame{&wire.ClientSetLatest{Ref: 1, Serial: 2, Field: look, Value: encode(t, 7)}}, x.sent())
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 2})
	require.False(t, x.c.View()[0].Pending)

	a.Pos = vec3{4, 5, 6}
	require.NoError(t, a.Save())
	require.Len(t, x.grams(), 1)
	x.tick(repeatAfter)
	require.Len(t, x.sent(), 1)
	a.Pos = vec3{7, 8, 9}
	require.NoError(t, a.Save())
	require.Equal(t, []wire.Frame{&wire.ClientSetLatest{Ref: 1, Serial: 4, Field: pos, Value: encode(t, vec3{7, 8, 9})}}, x.grams())
	require.Empty(t, x.sent())
}

// A refused latest value becomes the present one.
func TestLatestRefused(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "Look", 3)
	a.Look = 9
	require.NoError(t, a.Save())
	x.feed(&wire.ClientRefused{Alias: 1, Serial: 1, Code: wire.CodeRate, Fields: values(t, x.class, "Look", 4)})
	require.EqualValues(t, 4, a.Look)
	require.False(t, x.c.View()[0].Pending)
}

// rule 93: the values that come with a refusal were looked up before; what a datagram has brought since stays.
func TestRule93RefusalOvertakenByADatagram(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "Look", 3)
	n := x.class.FieldByName("Look").Number
	for _, c := range []struct {
		now  uint16
		want int
	}{{1, 5}, {3, 4}} {
		a.Look = 9
		require.NoError(t, a.Move(do.Location{Parent: street, Zone: 21}))
		move := x.sent()[0].(*wire.ClientMove)
		require.NoError(t, x.c.Receive(wire.AppendFrame(nil, &wire.ClientLatest{Alias: 1, Serial: 2, Field: n, Value: encode(t, 5)}), true, x.now))
		x.feed(&wire.ClientRefused{
			Context: move.Context, Alias: 1, Code: wire.CodePlace, Location: streetAt, Fields: values(t, x.class, "Look", 4), Now: c.now,
		})
		require.EqualValues(t, c.want, a.Look, "looked up when the counter was %d", c.now)
	}
}

// Serials are compared per field, in serial arithmetic; the entry's is the first.
func TestLatestDropsStale(t *testing.T) {
	x := newClientTest(t)
	id := do.NewID(2, 1, 1)
	x.feed(&wire.ClientEnter{Alias: 1, DO: id, Class: x.class.Number(), Serial: 65530, Version: do.Version{Inc: 1, N: 1}, Fields: values(t, x.class, "Name", "F")})
	a := x.c.Find(id).(*AvatarCL)
	n := x.class.FieldByName("Look").Number
	hear := func(serial uint16, v int) {
		b := wire.AppendFrame(nil, &wire.ClientLatest{Alias: 1, Serial: serial, Field: n, Value: encode(t, v)})
		require.NoError(t, x.c.Receive(b, true, x.now))
	}
	hear(65530, 1)
	require.EqualValues(t, 0, a.Look, "as old as the entry")
	hear(3, 2)
	require.EqualValues(t, 2, a.Look)
	hear(65535, 3)
	require.EqualValues(t, 2, a.Look, "older")
	require.NoError(t, x.c.Receive([]byte{0xc1, 1, 2}, true, x.now), "a broken datagram ends nothing")
	require.NoError(t, x.c.Err())
}

// rule 169: position and zone leave as one; what is in flight by datagram goes before them on the stream, and what
// follows stays there until they are settled.
func TestRule169MoveCarriesFields(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	a.Pos = vec3{1, 1, 1}
	require.NoError(t, a.Save())
	x.grams()
	a.Pos = vec3{2, 2, 2}
	to := do.Location{Parent: street, Zone: 21}
	require.NoError(t, a.Move(to))
	out := x.sent()
	require.Len(t, out, 2)
	require.IsType(t, &wire.ClientSetLatest{}, out[0])
	move := out[1].(*wire.ClientMove)
	require.Equal(t, to, move.Location)
	require.Equal(t, values(t, x.class, "Pos", vec3{2, 2, 2}), move.Fields)
	require.Equal(t, to, a.Location())
	a.Pos = vec3{3, 3, 3}
	require.NoError(t, a.Save())
	require.Empty(t, x.grams())
	require.Len(t, x.sent(), 1)
	x.feed(&wire.ClientRefused{Context: move.Context, Alias: 1, Code: wire.CodeDenied, Location: streetAt})
	require.Equal(t, streetAt, a.Location(), "refused: where it was")
	require.Equal(t, vec3{3, 3, 3}, a.Pos)
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 2})
	a.Pos = vec3{4, 4, 4}
	require.NoError(t, a.Save())
	require.Len(t, x.grams(), 1)
}

// An answer and a datagram may overtake each other: the object's counter of latest values tells which value is newer.
func TestLatestOvertakesTheAcknowledgement(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	pos := x.class.FieldByName("Pos").Number
	a.Pos = vec3{1, 1, 1}
	require.NoError(t, a.Save())
	foreign := &wire.ClientLatest{Alias: 1, Serial: 9, Field: pos, Value: encode(t, vec3{9, 9, 9})}
	x.feed(foreign)
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 1, Now: 8})
	require.Equal(t, vec3{9, 9, 9}, a.Pos, "stored as the 8th, superseded by the 9th")

	a.Pos = vec3{2, 2, 2}
	require.NoError(t, a.Save())
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 2, Now: 11})
	x.feed(&wire.ClientLatest{Alias: 1, Serial: 10, Field: pos, Value: encode(t, vec3{10, 10, 10})})
	require.Equal(t, vec3{2, 2, 2}, a.Pos, "a datagram of the 10th comes after the 11th was acknowledged")
}

// The acknowledgement of an earlier value says nothing of a later one that was acknowledged before it.
func TestALateAcknowledgementChangesNothing(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy")
	a.Pos = vec3{1, 1, 1}
	require.NoError(t, a.Save())
	a.Pos = vec3{2, 2, 2}
	to := do.Location{Parent: street, Zone: 21}
	require.NoError(t, a.Move(to))
	out := x.sent()
	move := out[len(out)-1].(*wire.ClientMove)
	x.feed(&wire.ClientDone{Context: move.Context, Version: do.Version{Inc: 1, N: 5}, Now: 6})
	x.feed(&wire.ClientLatestDone{Alias: 1, Serial: 1, Now: 5})
	require.Equal(t, vec3{2, 2, 2}, a.Pos)
	require.False(t, x.c.View()[0].Pending)
}

func TestCallHasOneAnswer(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	var paid receipt
	err := x.do(func(ctx context.Context) (err error) { paid, err = a.Buy.Call(ctx, order{"tea"}); return err })
	call := x.sent()[0].(*wire.ClientCall)
	require.Equal(t, wire.AliasRef(1), call.Ref)
	require.EqualValues(t, 10_000, call.Timeout)
	require.ErrorIs(t, *err, errPending)
	x.feed(&wire.ClientReply{Call: call.Call, Result: append(fields.AppendArrayHeader(nil, 1), encode(t, 5)...)})
	require.NoError(t, *err)
	require.EqualValues(t, 5, paid.Paid)

	err = x.do(func(ctx context.Context) (err error) { _, err = a.Buy.Call(ctx, order{"tea"}); return err })
	call = x.sent()[0].(*wire.ClientCall)
	x.feed(&wire.ClientReply{Call: call.Call, Code: wire.CodeGone})
	require.ErrorIs(t, *err, wire.CodeGone)

	err = x.do(func(ctx context.Context) (err error) { _, err = a.Buy.Call(ctx, order{"tea"}); return err })
	call = x.sent()[0].(*wire.ClientCall)
	x.tick(11 * second)
	require.ErrorIs(t, *err, wire.CodeUnknown, "outcome unknown")
	require.ErrorIs(t, *err, context.DeadlineExceeded)
	x.feed(&wire.ClientReply{Call: call.Call, Result: encode(t, 5)})
	require.True(t, x.c.Quiet(), "a late reply is dropped")

	_, e := a.Buy.Call(context.Background(), order{"tea"})
	require.ErrorIs(t, e, ErrNoHandler)

	ctx, cancel := context.WithCancel(context.Background())
	err = new(error)
	x.c.Do(ctx, func(ctx context.Context) error { _, err := a.Buy.Call(ctx, order{"tea"}); return err }, func(e error) { *err = e })
	cancel()
	x.tick(1)
	require.ErrorIs(t, *err, context.Canceled)
}

func TestUberDOGCall(t *testing.T) {
	x := newClientTest(t)
	u, err := x.c.UberDOG(authID)
	require.NoError(t, err)
	auth := u.(*Auth)
	var n int64
	done := x.do(func(ctx context.Context) (err error) { n, err = auth.Login.Call(ctx, "joe"); return err })
	call := x.sent()[0].(*wire.ClientCall)
	require.Equal(t, wire.UberDOGRef(4670), call.Ref)
	x.feed(&wire.ClientReply{Call: call.Call, Result: encode(t, 42)})
	require.NoError(t, *done)
	require.EqualValues(t, 42, n)
	require.NoError(t, auth.Ping.Send("hi"))
	require.Equal(t, wire.UberDOGRef(4670), x.sent()[0].(*wire.ClientSet).Ref)
	_, err = x.c.UberDOG(do.WellKnown(1))
	require.ErrorIs(t, err, ErrNoObject)
}

// rules 116, 162: each operation has one completion; only the newest one's counts for the handle.
func TestRule162InterestCompletions(t *testing.T) {
	x := newClientTest(t)
	h, err := x.c.AddInterest(street, 20, 21, 20)
	require.NoError(t, err)
	add := x.sent()[0].(*wire.ClientAddInterest)
	require.Equal(t, []do.Zone{20, 21}, add.Zones)
	waited := x.do(h.Wait)
	require.NoError(t, h.Alter(street, 22))
	alter := x.sent()[0].(*wire.ClientAddInterest)
	require.Equal(t, add.Handle, alter.Handle)
	x.feed(&wire.ClientInterestDone{Context: add.Context, Handle: add.Handle})
	require.ErrorIs(t, *waited, errPending)
	x.feed(&wire.ClientInterestDone{Context: alter.Context, Handle: add.Handle})
	require.NoError(t, *waited)
	require.NoError(t, h.Remove())
	remove := x.sent()[0].(*wire.ClientRemoveInterest)
	waited = x.do(h.Wait)
	x.feed(&wire.ClientInterestDone{Context: remove.Context, Handle: add.Handle})
	require.NoError(t, *waited)
	require.ErrorIs(t, h.Remove(), ErrClosed)
	require.Empty(t, x.c.Handles())

	// There is an end of the numbers, which is said.
	for range serverHandle - 1 {
		h, err = x.c.AddInterest(street, 20)
		require.NoError(t, err)
	}
	_, err = x.c.AddInterest(street, 20)
	require.ErrorIs(t, err, wire.CodeOverload)
	require.NoError(t, h.Remove())
	for _, f := range x.sent() {
		if remove, ok := f.(*wire.ClientRemoveInterest); ok {
			x.feed(&wire.ClientInterestDone{Context: remove.Context, Handle: remove.Handle})
		}
	}
	_, err = x.c.AddInterest(street, 20)
	require.NoError(t, err)
	clear(x.c.handles)
	x.sent()

	// rules 96, 123: what the server opens and closes is only booked.
	x.feed(&wire.ClientInterestOpened{Handle: serverHandle | 1, Parent: street, Zones: []do.Zone{5}}, &wire.ClientInterestDone{Handle: serverHandle | 1})
	s := x.c.Handles()[0]
	done, err := s.Done()
	require.True(t, done)
	require.NoError(t, err)
	require.ErrorIs(t, s.Remove(), ErrClosed)
	x.feed(&wire.ClientInterestOpened{Handle: serverHandle | 1, Closed: true})
	require.Empty(t, x.c.Handles())
}

// rule 97: an eject is a typed error; everything in flight fails once, and every object leaves the view.
func TestRule97Eject(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "Flippy")
	h, _ := x.c.AddInterest(street, 20)
	called := x.do(func(ctx context.Context) error { _, err := a.Buy.Call(ctx, order{}); return err })
	waited := x.do(h.Wait)
	a.HP = 3
	require.NoError(t, a.Save())
	x.heard()
	x.feed(&wire.ClientEject{Reason: wire.ReasonKicked, Text: "bye"})
	var eject *EjectError
	require.ErrorAs(t, x.c.Err(), &eject)
	require.Equal(t, wire.ReasonKicked, eject.Reason)
	require.ErrorAs(t, *called, &eject)
	require.ErrorAs(t, *waited, &eject)
	require.Equal(t, []string{"hp 3 -> 100", "disable Flippy"}, x.heard())
	require.Zero(t, x.c.Len())
	_, err := x.c.AddInterest(street, 20)
	require.ErrorAs(t, err, &eject)
}

// The client leaves with the first difference when the agent's schema is incompatible, and stays when it fits.
func TestSchemaIsCompared(t *testing.T) {
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"more classes", "", true},
		{"other", "dclass Avatar {\n  int8 other required;\n};\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &testWorld{}
			cfg := w.config(t)
			cfg.Side = do.SideClient
			cl := NewClient(cfg, ClientConfig{})
			defer cl.Close()
			cl.Start(1)
			decode(t, cl.TakeOutput().Stream)
			s := cfg.Registry.Schema()
			text := []byte(c.text)
			if c.ok {
				text = append([]byte{}, s.Text()...)
			}
			err := cl.Receive(wire.AppendFrame(nil, &wire.ClientSchema{Text: text}), false, 2)
			if !c.ok {
				require.Error(t, err)
				require.Error(t, cl.Err())
				return
			}
			require.NoError(t, err)
			require.True(t, decode(t, cl.TakeOutput().Stream)[0].(*wire.ClientHello).Early)
		})
	}
}

// Frames may come in any pieces; garbage ends the session with an error.
func TestStreamInPieces(t *testing.T) {
	x := newClientTest(t)
	b := wire.AppendFrame(nil, &wire.ClientEnter{Alias: 1, DO: do.NewID(1, 1, 1), Class: x.class.Number(), Version: do.Version{Inc: 1, N: 1}, Fields: values(t, x.class, "Name", "F")})
	b = wire.AppendFrame(b, &wire.ClientUpdate{Alias: 1, Field: x.class.FieldByName("HP").Number, Value: encode(t, 9)})
	for i := range b {
		require.NoError(t, x.c.Receive(b[i:i+1], false, x.now))
	}
	require.Equal(t, []string{`generate F mood=""`, "hp 100 -> 9"}, x.heard())
	require.Error(t, x.c.Receive([]byte{0xc1}, false, x.now))
	require.Error(t, x.c.Err())
}

// What a client acknowledges lets the agent use aliases again.
func TestHeartbeatCountsFrames(t *testing.T) {
	x := newClientTest(t)
	x.enter(1, 1, false, "Name", "F")
	x.c.out.Stream = nil
	x.tick(2 * second)
	var frames []uint64
	for b := x.c.out.Stream; len(b) > 0; {
		f, n, err := wire.NextFrame(b)
		require.NoError(t, err)
		b = b[n:]
		if h, ok := f.(*wire.ClientHeartbeat); ok {
			frames = append(frames, h.Frames)
		}
	}
	require.Equal(t, []uint64{2}, frames, "welcome and enter")
}

// An update of three floats, as those of moving objects are, costs no allocation.
func TestApplyUpdateAllocates(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, false, "Name", "F")
	home, pos := x.class.FieldByName("Home").Number, x.class.FieldByName("Pos").Number
	for name, next := range map[string]func(i int) []byte{
		"update": func(i int) []byte {
			return wire.AppendClientUpdate(nil, 1, home, encode(t, vec3{float32(i), 2, 3}))
		},
		"latest": func(i int) []byte {
			return wire.AppendClientLatest(nil, 1, uint16(i), pos, encode(t, vec3{float32(i), 2, 3}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var bufs [][]byte
			for i := range 1200 {
				bufs = append(bufs, next(i+1))
			}
			i := 0
			got := testing.AllocsPerRun(1000, func() {
				if err := x.c.Receive(bufs[i], name == "latest", x.now); err != nil {
					t.Fatal(err)
				}
				i++
			})
			require.Zero(t, got)
			require.Equal(t, vec3{float32(i), 2, 3}, map[string]vec3{"update": a.Home, "latest": a.Pos}[name])
		})
	}
}

func BenchmarkClientUpdate(b *testing.B) {
	x := newClientTest(b)
	x.enter(1, 1, false, "Name", "F")
	f := wire.AppendClientUpdate(nil, 1, x.class.FieldByName("Home").Number, encode(b, vec3{1, 2, 3}))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.c.Receive(f, false, x.now); err != nil {
			b.Fatal(err)
		}
	}
}

// A latest value that was sent by an alias which the object does not have any more is answered by that alias.
func TestLatestAnsweredByTheFormerAlias(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "Look", 3)
	a.Look = 9
	require.NoError(t, a.Save())
	x.feed(&wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved}, &wire.ClientLeaveOwner{Alias: 1, Reason: wire.LeaveMoved})
	b := x.enter(2, 1, true, "Name", "Flippy", "Look", 3)
	require.EqualValues(t, 9, b.Look)
	x.feed(&wire.ClientLeave{Alias: 2, Reason: wire.LeaveMoved}, &wire.ClientLeaveOwner{Alias: 2, Reason: wire.LeaveMoved})
	b = x.enter(3, 1, true, "Name", "Flippy", "Look", 3)
	require.True(t, x.c.View()[0].Pending)
	x.feed(&wire.ClientRefused{Alias: 1, Serial: 1, Code: wire.CodeDenied, Text: "the object left"})
	require.False(t, x.c.View()[0].Pending)
	require.EqualValues(t, 3, b.Look)
}

// So is one of an object that came back under another alias, and is gone again: else it would wait for that for ever, when it
// comes back once more.
func TestLatestAnsweredByTheFormerAliasWhileAway(t *testing.T) {
	x := newClientTest(t)
	a := x.enter(1, 1, true, "Name", "Flippy", "Look", 3)
	a.Look = 9
	require.NoError(t, a.Save())
	leave := func(alias uint32) {
		x.feed(&wire.ClientLeave{Alias: alias, Reason: wire.LeaveMoved}, &wire.ClientLeaveOwner{Alias: alias, Reason: wire.LeaveMoved})
	}
	leave(1)
	x.enter(2, 1, true, "Name", "Flippy", "Look", 3)
	leave(2)
	x.feed(&wire.ClientRefused{Alias: 1, Serial: 1, Code: wire.CodeDenied, Text: "the object left"})
	b := x.enter(3, 1, true, "Name", "Flippy", "Look", 3)
	require.False(t, x.c.View()[0].Pending)
	require.EqualValues(t, 3, b.Look)
}

// Each handler hears its own value before, however many of them there were: the runs of On methods are used again.
func TestHandlersHearTheValueBefore(t *testing.T) {
	x := newClientTest(t)
	x.enter(1, 1, false, "Name", "Flippy", "HP", 15, "Mood", "glad")
	x.heard()
	for range 3 {
		x.feed(&wire.ClientUpdates{Alias: 1, Fields: values(t, x.class, "HP", 16, "Mood", "sad")})
		x.feed(&wire.ClientUpdates{Alias: 1, Fields: values(t, x.class, "HP", 17, "Mood", "very glad")})
		x.feed(&wire.ClientUpdates{Alias: 1, Fields: values(t, x.class, "HP", 15, "Mood", "glad")})
		require.Equal(t, []string{
			"hp 15 -> 16", `mood "glad" -> "sad"`, "hp 16 -> 17", `mood "sad" -> "very glad"`, "hp 17 -> 15", `mood "very glad" -> "glad"`,
		}, x.heard())
	}
	require.Empty(t, x.errs)
	require.Len(t, x.c.spare, 2)
}
