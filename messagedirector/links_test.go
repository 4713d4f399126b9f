package messagedirector

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// until takes messages from p until f says that it is enough.
func until(t *testing.T, p *Participant, f func(wire.Message) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var batch []wire.Message
	for {
		ms, err := p.Inbox().Wait(ctx, &batch)
		require.NoError(t, err)
		for _, m := range ms {
			if f(m) {
				return
			}
		}
	}
}

// linkLost recognises the LinkLost of a node that hosts partition 1.
func linkLost(n *Node, dead bool) func(wire.Message) bool {
	return func(m wire.Message) bool {
		l, ok := m.Body.(*wire.LinkLost)
		return ok && l.Node == n.ID() && l.Epoch == n.Epoch() && l.Dead == dead &&
			slices.Equal(l.Hosts, []do.Range{do.PartitionRange(do.KindObject, 1)})
	}
}

// pair is two nodes that listen to zone20 and host partitions.
func pair(t *testing.T) (n1, n2 *Node, p1, p2 *Participant) {
	t.Helper()
	d1, n1 := serve(t, time.Second)
	p1 = d1.Join("one")
	hosting(p1)
	d2, n2 := connect(t, n1, "two")
	p2 = d2.Join("two")
	hosting(p2)
	settled(t, p1, zone20)
	settled(t, p2, zone20)
	return n1, n2, p1, p2
}

// inject sends a packet to a node as if it came from another one.
func inject(t *testing.T, to *Node, packet wire.Packet) {
	t.Helper()
	require.NoError(t, to.conn.Publish(to.subject(to.id.String()), wire.AppendPacket(nil, packet)))
	require.NoError(t, to.conn.FlushTimeout(5*time.Second))
}

// works proves that messages pass in both directions, after the link started over.
func works(t *testing.T, p1, p2 *Participant) {
	t.Helper()
	for _, q := range [][2]*Participant{{p1, p2}, {p2, p1}} {
		q[0].Route([]wire.Message{{To: []do.Channel{service}, Body: &wire.AddChannels{Context: 77, Channels: []do.Channel{zone20}}}})
		until(t, q[0], func(m wire.Message) bool { _, ok := m.Body.(*wire.ChannelsAdded); return ok })
		q[1].Route([]wire.Message{digest(42, zone20)})
		until(t, q[0], func(m wire.Message) bool { b, ok := m.Body.(*wire.Tick); return ok && b.Unix == 42 })
	}
}

func TestHoleInTheSequenceIsALostLink(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	inject(t, n1, &wire.BusBatch{
		Source:   wire.Source{Node: n2.id, Epoch: n2.epoch, Seq: 1000},
		Messages: []wire.Message{digest(1, zone20)},
	})
	lost := 0
	until(t, p1, func(m wire.Message) bool {
		_, tick := m.Body.(*wire.Tick)
		require.False(t, tick, "nothing is taken behind a hole")
		if linkLost(n2, false)(m) {
			lost++
		}
		return lost == 2 // at once, and when the link has started over: what came in between was dropped
	})
	until(t, p2, linkLost(n1, false)) // what it sent was lost: it hears so, too
	works(t, p1, p2)
	require.Equal(t, uint64(1), n1.director.Stats().Peers[0].Lost)
}

func TestDuplicatesAndStrangersAreRefused(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	batch := func(node do.ID, epoch, seq uint64) *wire.BusBatch {
		return &wire.BusBatch{Source: wire.Source{Node: node, Epoch: epoch, Seq: seq}, Messages: []wire.Message{digest(1, zone20)}}
	}
	stranger := do.NewID(0, 1, 1)
	inject(t, n1, batch(n2.id, n2.epoch, 1))                                                // a duplicate
	inject(t, n1, batch(n2.id, n2.epoch+7, 1000))                                           // another epoch
	inject(t, n1, batch(stranger, 9, 1))                                                    // nobody
	inject(t, n1, &wire.BusHello{Source: wire.Source{Node: stranger, Epoch: 9, Seq: 1}})    // not in the registry
	inject(t, n1, &wire.BusHello{Source: wire.Source{Node: n2.id, Epoch: 9, Seq: 100_000}}) // another epoch
	p2.Route([]wire.Message{digest(2, zone20)})
	require.Equal(t, []int{2}, numbers(next(t, p1, 1)))
	require.Len(t, n1.director.Stats().Peers, 1)
	require.Equal(t, uint64(4), n1.director.Stats().Strange)
}

func TestGarbageOnTheBusIsALostLink(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	require.NoError(t, n2.conn.Publish(n1.subject(n1.id.String()), []byte{0xc1}))
	until(t, p1, linkLost(n2, false))
	until(t, p2, linkLost(n1, false))
	works(t, p1, p2)
}

func TestReconnectIsALostLink(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	require.NoError(t, n2.conn.ForceReconnect())
	until(t, p2, linkLost(n1, false))
	until(t, p1, linkLost(n2, false))
	works(t, p1, p2)
	require.NotEqual(t, nats.CLOSED, n2.conn.Status())
}

func TestQueueOverItsLimitIsALostLink(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	d := n1.director
	d.mu.Lock()
	q := n1.peers[0].member.inbox
	d.mu.Unlock()
	q.mu.Lock()
	q.high, q.limit = 1, 2 // the next message is too much
	q.mu.Unlock()
	p1.Route([]wire.Message{digest(1, zone20)})
	q.mu.Lock()
	q.high, q.limit = DefaultHighWater, DefaultLimit
	q.mu.Unlock()
	until(t, p1, linkLost(n2, false))
	until(t, p2, linkLost(n1, false))
	works(t, p1, p2)
}

// What a repository sends before it has heard that a link started over is built on what may be lost, and does not arrive;
// what others send does.
func TestWhatIsBuiltOnALossIsDropped(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	other := n1.director.Join("other")
	p1.Builds()
	again := func() {
		n1.director.mu.Lock()
		defer n1.director.mu.Unlock()
		n1.restart(n1.peers[0], "a test")
	}
	arrive := func(want ...int) {
		t.Helper()
		var got []int
		until(t, p2, func(m wire.Message) bool {
			if b, ok := m.Body.(*wire.Tick); ok {
				got = append(got, int(b.Unix))
			}
			return len(got) == len(want)
		})
		require.Equal(t, want, got)
	}
	again()
	again()
	p1.Route([]wire.Message{digest(1, zone20)})
	other.Route([]wire.Message{digest(2, zone20)})
	until(t, p1, linkLost(n2, false))
	p1.Route([]wire.Message{digest(3, zone20)})
	arrive(2, 3)
	again()
	p1.Route([]wire.Message{digest(4, zone20)})
	p1.Leave()
	n1.director.mu.Lock()
	q := n1.peers[0].member.inbox
	n1.director.mu.Unlock()
	q.mu.Lock()
	require.Empty(t, q.unheard, "who left owes nothing")
	q.mu.Unlock()
	other.Route([]wire.Message{digest(5, zone20)})
	arrive(5)
}

func TestCreditIsSharedBetweenNodes(t *testing.T) {
	n1, n2, _, _ := pair(t)
	n1.director.gate.raise()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !n2.director.Overloaded() { // told with the next tick
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			require.FailNow(t, "not told")
		}
	}
	n1.director.gate.lower()
	require.NoError(t, n2.director.WaitCredit(ctx))
}

// declareDead does what a peer does that wins the compare-and-set on a node's epoch, and then dies.
func declareDead(t *testing.T, n, victim *Node, by do.ID) {
	t.Helper()
	require.Eventually(t, func() bool {
		rec, err := n.registry.get(context.Background(), victim.id)
		require.NoError(t, err)
		rec.State, rec.By = stateDead, by
		return n.registry.swap(context.Background(), rec) == nil
	}, time.Minute, time.Millisecond)
}

func TestRule11WillIsRunByAnotherIfTheWinnerDies(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	p2.Route([]wire.Message{control(&wire.AddPostRemove{Message: digest(5, zone20)})})
	works(t, p1, p2) // the will is known to n1 by now
	declareDead(t, n1, n2, do.NewID(0, 1, 1))
	lost := false
	until(t, p1, func(m wire.Message) bool {
		lost = lost || linkLost(n2, true)(m)
		b, ok := m.Body.(*wire.Tick)
		return ok && b.Unix == 5
	})
	require.True(t, lost, "it is gone before its will is run (rule 12)")

	// The dead node finds out, and so do its participants.
	<-n2.Done()
	require.ErrorIs(t, n2.Err(), ErrEpochDead)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var batch []wire.Message
	var err error
	for err == nil {
		_, err = p2.Inbox().Wait(ctx, &batch)
	}
	require.ErrorIs(t, err, ErrEpochDead)

	// Its director may join again, as a new node.
	again, err := n2.director.Connect(context.Background(), n1.URL(), NodeConfig{Name: "two", Lease: time.Second})
	require.NoError(t, err)
	require.Greater(t, again.Epoch(), n2.Epoch())
	require.NotEqual(t, n2.ID(), again.ID())
	p3 := n2.director.Join("three")
	hosting(p3)
	until(t, p1, linkLost(again, false)) // who hosts the partition now was not there all the time
	works(t, p1, p3)
	require.NoError(t, again.Close(context.Background()))
}

func TestLateNewsOfANodeThatLeftIsIgnored(t *testing.T) {
	n1, n2, p1, _ := pair(t)
	require.NoError(t, n2.Close(context.Background()))
	until(t, p1, linkLost(n2, true))
	n1.director.mu.Lock()
	met := n1.meet(&record{Node: n2.id, Epoch: n2.epoch, State: stateAlive}, false)
	n1.director.mu.Unlock()
	require.Nil(t, met)
	require.Empty(t, n1.director.Stats().Peers)
}

func TestRule13LossOfTheDaemonDoesNotEndTheProcess(t *testing.T) {
	n1, n2, _, p2 := pair(t)
	p3 := n2.director.Join("three")
	p3.Route([]wire.Message{subscribe(zone21)})
	require.NoError(t, n1.Close(context.Background()))
	until(t, p2, linkLost(n1, true))
	p2.Route([]wire.Message{digest(1, zone20, zone21)})
	require.Equal(t, []int{1}, numbers(next(t, p3, 2)[1:]), "the first is LinkLost")
	require.NoError(t, n2.Err())
}

// TestLargeMessagesComeInParts: what a packet of the bus has no room for, one message or many small ones, costs no link.
func TestLargeMessagesComeInParts(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	text := make([]byte, 3*largest+5)
	for i := range text {
		text[i] = byte(i >> 10)
	}
	dos := make([]do.ID, 1000)
	messages := []wire.Message{digest(1, zone20), {To: []do.Channel{zone20}, Body: &wire.SchemaRecord{Text: text}}, digest(2, zone20)}
	const many = 100
	for i := range many {
		messages = append(messages, wire.Message{To: []do.Channel{zone20}, Body: &wire.AskEntries{Context: uint32(i), DOs: dos}})
	}
	messages = append(messages, control(&wire.AddPostRemove{Message: messages[1]}), digest(3, zone20))
	p1.Route(messages)
	got := next(t, p2, many+4)
	require.Equal(t, []int{1, 2, 3}, numbers([]wire.Message{got[0], got[2], got[len(got)-1]}), "in order")
	require.Equal(t, text, got[1].Body.(*wire.SchemaRecord).Text)
	for i := range many {
		require.Equal(t, &wire.AskEntries{Context: uint32(i), DOs: dos}, got[3+i].Body)
	}
	works(t, p1, p2)
	require.Zero(t, n1.director.Stats().Peers[0].Lost)
	require.Zero(t, n2.director.Stats().Peers[0].Lost)

	// A will is kept, however large: a loss would come again with each snapshot.
	n2.director.mu.Lock()
	defer n2.director.mu.Unlock()
	kept := 0
	for _, posts := range n2.peers[0].wills {
		for _, m := range posts.all() {
			kept += len(m.Body.(*wire.SchemaRecord).Text)
		}
	}
	require.Equal(t, len(text), kept)
}

// TestLossWithinAPacketInParts: what came of it is forgotten.
func TestLossWithinAPacketInParts(t *testing.T) {
	n1, n2, p1, p2 := pair(t)
	works(t, p1, p2) // all that n2 has sent has come
	n1.director.mu.Lock()
	seq := n1.peers[0].next
	n1.director.mu.Unlock()
	from := func(seq uint64) wire.Source { return wire.Source{Node: n2.id, Epoch: n2.epoch, Seq: seq} }
	whole := wire.AppendPacket(nil, &wire.BusBatch{Messages: []wire.Message{digest(1, zone20)}})
	inject(t, n1, &wire.BusPart{Source: from(seq), Bytes: whole[:10]})
	inject(t, n1, &wire.BusPart{Source: from(seq + 2), Last: true, Bytes: whole[10:]})
	until(t, p1, linkLost(n2, false))
	until(t, p2, linkLost(n1, false))
	works(t, p1, p2)
	long := wire.Message{To: []do.Channel{zone20}, Body: &wire.SchemaRecord{Text: make([]byte, 2*largest)}}
	p2.Route([]wire.Message{long})
	until(t, p1, func(m wire.Message) bool {
		b, ok := m.Body.(*wire.SchemaRecord)
		return ok && len(b.Text) == 2*largest
	})
}
