package messagedirector

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Names of the tests.
var (
	street  = do.WellKnown(1000)
	zone20  = do.At(do.Location{Parent: street, Zone: 20})
	zone21  = do.At(do.Location{Parent: street, Zone: 21})
	service = do.Control(do.RoleDirector)
)

func newDirector(t *testing.T) *Director {
	t.Helper()
	d, err := New(Config{})
	require.NoError(t, err)
	return d
}

// digest is a message that says which one it is.
func digest(n int, to ...do.Channel) wire.Message {
	return wire.Message{To: to, From: do.ObjectChannel(street), Body: &wire.Tick{Unix: int64(n)}}
}

func number(m wire.Message) int { return int(m.Body.(*wire.Tick).Unix) }

func control(body wire.Body) wire.Message {
	return wire.Message{To: []do.Channel{service}, Body: body}
}

func subscribe(channels ...do.Channel) wire.Message {
	return control(&wire.AddChannels{Channels: channels})
}

// received is what an inbox holds now.
func received(t *testing.T, p *Participant) []wire.Message {
	t.Helper()
	var batch []wire.Message
	_, err := p.Inbox().Take(&batch)
	require.NoError(t, err)
	return batch
}

func numbers(ms []wire.Message) []int {
	var out []int
	for _, m := range ms {
		out = append(out, number(m))
	}
	return out
}

func TestRule1OnceToEachParticipant(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{
		subscribe(zone20, zone21, do.Children(street)),
		control(&wire.AddRanges{Ranges: []do.Range{do.PartitionRange(do.KindLocation, 0)}}),
	})
	a.Route([]wire.Message{digest(1, zone20, zone21, do.Children(street))})
	require.Equal(t, []int{1}, numbers(received(t, b)))
}

func TestRule2NeverBackToTheSender(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	for _, p := range []*Participant{a, b} {
		p.Route([]wire.Message{subscribe(zone20)})
	}
	a.Route([]wire.Message{digest(1, zone20)})
	require.Empty(t, received(t, a))
	require.Equal(t, []int{1}, numbers(received(t, b)))
}

func TestRule5ControlTakesEffectAtItsPlace(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20), control(&wire.RemoveChannels{Channels: []do.Channel{zone20}})})
	a.Route([]wire.Message{digest(1, zone20)})
	b.Route([]wire.Message{{To: []do.Channel{service}, From: zone21, Body: &wire.AddChannels{Context: 7, Channels: []do.Channel{zone20}}}})
	a.Route([]wire.Message{digest(2, zone20)})
	got := received(t, b)
	require.Len(t, got, 2)
	require.Equal(t, &wire.ChannelsAdded{Context: 7}, got[0].Body)
	require.Equal(t, []do.Channel{zone21}, got[0].To)
	require.Equal(t, 2, number(got[1]))
}

func TestRule15And16NothingToNobody(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{{To: []do.Channel{service}, From: zone20, Body: &wire.AddChannels{Context: 9, Channels: []do.Channel{zone20, {}}}}})
	got := received(t, b)
	require.Len(t, got, 1)
	failed := got[0].Body.(*wire.Failed)
	require.Equal(t, wire.CodeMalformed, failed.Code)
	require.Equal(t, uint32(9), failed.Context)
	// All or nothing: the valid channel of the refused message is not subscribed either.
	a.Route([]wire.Message{digest(1, zone20), digest(2, do.Channel{}), digest(3)})
	require.Empty(t, received(t, b))
	require.Equal(t, uint64(3), d.Stats().Silent)
}

func TestUnknownControlMessageIsRefusedOnce(t *testing.T) {
	d := newDirector(t)
	a := d.Join("a")
	a.Route([]wire.Message{control(&wire.Tick{})})
	got := received(t, a)
	require.Len(t, got, 1)
	require.Equal(t, wire.CodeMalformed, got[0].Body.(*wire.Failed).Code)
}

// rule 6: one recipient has ended with a full inbox, one has left; the others get the message as ever.
func TestRule6OneRecipientDoesNotStopTheOthers(t *testing.T) {
	d, err := New(Config{HighWater: 10 * baseWeight, Limit: 20 * baseWeight})
	require.NoError(t, err)
	a, full, gone, c := d.Join("a"), d.Join("full"), d.Join("gone"), d.Join("c")
	for _, p := range []*Participant{full, gone, c} {
		p.Route([]wire.Message{subscribe(zone20)})
	}
	gone.Leave()
	for i := range 30 {
		a.Route([]wire.Message{digest(i, zone20)})
		require.Equal(t, []int{i}, numbers(received(t, c)))
	}
	var batch []wire.Message
	_, err = full.Inbox().Wait(context.Background(), &batch)
	require.ErrorIs(t, err, ErrOverflow)
}

func TestRule10And12PostRemoves(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	for _, p := range []*Participant{a, b} {
		p.Route([]wire.Message{subscribe(zone20)})
	}
	post := func(key do.Channel, n int) wire.Message {
		return control(&wire.AddPostRemove{Key: key, Message: digest(n, zone20)})
	}
	a.Route([]wire.Message{
		post(zone20, 1), post(zone21, 2), post(zone20, 3), post(do.Children(street), 4),
		control(&wire.ClearPostRemoves{Key: zone21}),
	})
	require.Empty(t, received(t, b))
	a.Leave()
	a.Leave()
	require.Equal(t, []int{1, 3, 4}, numbers(received(t, b)))
	require.Equal(t, uint64(3), d.Stats().Delivered, "it does not hear its own clean-up")

	var batch []wire.Message
	_, err := a.Inbox().Wait(context.Background(), &batch)
	require.ErrorIs(t, err, ErrLeft)
	a.Route([]wire.Message{digest(5, zone20)})
	require.Empty(t, received(t, b), "who has left sends nothing")
	require.Equal(t, uint64(1), d.Stats().Refused)
}

func TestRunLeavesHoweverItEnds(t *testing.T) {
	d := newDirector(t)
	b := d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	require.Panics(t, func() {
		_ = d.Run("a", func(p *Participant) error {
			p.Route([]wire.Message{control(&wire.AddPostRemove{Message: digest(1, zone20)})})
			panic("a bug")
		})
	})
	require.Equal(t, []int{1}, numbers(received(t, b)))
}

func TestOverflowEndsTheParticipantLoudly(t *testing.T) {
	d, err := New(Config{HighWater: 10 * baseWeight, Limit: 20 * baseWeight})
	require.NoError(t, err)
	a, b, c := d.Join("a"), d.Join("b"), d.Join("c")
	b.Route([]wire.Message{subscribe(zone20), control(&wire.AddPostRemove{Message: digest(100, zone21)})})
	c.Route([]wire.Message{subscribe(zone21)})
	for i := range 11 {
		a.Route([]wire.Message{digest(i, zone20)})
		require.Equal(t, i == 10, d.Overloaded(), "%d messages", i+1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, a.Director().WaitCredit(ctx), context.Canceled)
	for i := range 11 {
		a.Route([]wire.Message{digest(i, zone20)})
	}
	require.False(t, d.Overloaded())
	require.NoError(t, d.WaitCredit(context.Background()))
	var batch []wire.Message
	_, err = b.Inbox().Wait(context.Background(), &batch)
	require.ErrorIs(t, err, ErrOverflow)
	require.Equal(t, []int{100}, numbers(received(t, c)), "its post-removes are routed")
}

func TestCreditReturnsWhenTheBatchIsDone(t *testing.T) {
	d, err := New(Config{HighWater: 2 * baseWeight})
	require.NoError(t, err)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	a.Route([]wire.Message{digest(1, zone20), digest(2, zone20), digest(3, zone20)})
	credit := a.Credit()
	require.True(t, a.Overloaded())
	var batch []wire.Message
	_, err = b.Inbox().Wait(context.Background(), &batch)
	require.NoError(t, err)
	ok, err := b.Inbox().Take(&batch)
	require.NoError(t, err)
	require.False(t, ok)
	require.False(t, a.Overloaded())
	<-credit
}

// A role takes only when it is woken, and nobody sends while there is no credit: so the batch that was too large must
// wake it once more.
func TestCreditReturnsToWhoIsOnlyWoken(t *testing.T) {
	d, err := New(Config{HighWater: 2 * baseWeight})
	require.NoError(t, err)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	a.Route([]wire.Message{digest(1, zone20), digest(2, zone20), digest(3, zone20)})
	credit := a.Credit()
	var batch []wire.Message
	for done := false; !done; {
		select {
		case <-b.Inbox().Wake():
			_, err := b.Inbox().Take(&batch)
			require.NoError(t, err)
		case <-credit:
			done = true
		case <-time.After(10 * time.Second):
			require.Fail(t, "the credit never returns")
		}
	}
	require.False(t, a.Overloaded())
	select {
	case <-b.Inbox().Wake():
		require.Fail(t, "an inbox below its mark wakes for nothing")
	default:
	}
}

func TestInboxMeasures(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	require.Zero(t, b.Inbox().Stats())
	a.Route([]wire.Message{digest(1, zone20), digest(2, zone20)})
	s := b.Inbox().Stats()
	require.Equal(t, 2, s.Depth)
	require.Equal(t, 2*baseWeight, s.Bytes)
	require.Positive(t, s.Age)
	var batch []wire.Message
	_, err := b.Inbox().Wait(context.Background(), &batch)
	require.NoError(t, err)
	working := b.Inbox().Stats()
	require.Zero(t, working.Depth)
	require.GreaterOrEqual(t, working.Age, s.Age, "what is in work still ages")
	b.Inbox().Worked()
	require.Zero(t, b.Inbox().Stats(), "an idle participant has nothing old")
	a.Route([]wire.Message{digest(1, zone20), digest(2, zone20)})
	_, err = b.Inbox().Take(&batch)
	require.NoError(t, err)
	require.Positive(t, b.Inbox().Stats().Age)
	_, err = b.Inbox().Take(&batch)
	require.NoError(t, err)
	require.Zero(t, b.Inbox().Stats())
	all := d.Stats()
	require.Equal(t, uint64(4), all.Routed)
	require.Equal(t, uint64(4), all.Delivered)
	require.Equal(t, "b", all.Participants[1].Name)
}

func TestWaitWakes(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	const total = 10_000
	done := make(chan []int)
	go func() {
		var got []int
		var batch []wire.Message
		for len(got) < total {
			ms, err := b.Inbox().Wait(context.Background(), &batch)
			if err != nil {
				break
			}
			got = append(got, numbers(ms)...)
		}
		done <- got
	}()
	for i := range total {
		a.Route([]wire.Message{digest(i, zone20)})
	}
	got := <-done
	require.Len(t, got, total)
	for i, n := range got {
		require.Equal(t, i, n, "rule 4: in order")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := newDirector(t).Join("b")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	var batch []wire.Message
	_, err := b.Inbox().Wait(ctx, &batch)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{HighWater: 100, Limit: 10})
	require.ErrorContains(t, err, "high-water mark 100 and limit 10")
}

func TestRouteAllocatesNothing(t *testing.T) {
	d := newDirector(t)
	a, b := d.Join("a"), d.Join("b")
	b.Route([]wire.Message{subscribe(zone20)})
	out := []wire.Message{digest(1, zone20)}
	var batch []wire.Message
	round := func() {
		for range 100 {
			a.Route(out)
		}
		_, err := b.Inbox().Take(&batch)
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		round()
	}
	require.Zero(t, testing.AllocsPerRun(100, round))
}
