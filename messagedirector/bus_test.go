package messagedirector

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// serve makes a director that serves a bus for the test.
func serve(t *testing.T, lease time.Duration) (*Director, *Node) {
	t.Helper()
	d := newLoggingDirector(t, "daemon")
	n, err := d.Serve(context.Background(), BusConfig{NodeConfig: NodeConfig{Name: "daemon", Lease: lease}, StoreDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	return d, n
}

// connect makes a director that joined the bus of n.
func connect(t *testing.T, n *Node, name string) (*Director, *Node) {
	t.Helper()
	d := newLoggingDirector(t, name)
	m, err := d.Connect(context.Background(), n.URL(), NodeConfig{Name: name, Lease: n.config.Lease})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			require.ErrorIs(t, err, nats.ErrDisconnected) // the test has closed the daemon before
		}
	})
	return d, m
}

func newLoggingDirector(t *testing.T, name string) *Director {
	t.Helper()
	c := Config{}
	if testing.Verbose() {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("at", name)
	}
	d, err := New(c)
	require.NoError(t, err)
	return d
}

// next takes messages from p until there are n, or the test's patience ends.
func next(t *testing.T, p *Participant, n int) []wire.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all, batch []wire.Message
	for len(all) < n {
		ms, err := p.Inbox().Wait(ctx, &batch)
		require.NoError(t, err, "after %d of %d messages", len(all), n)
		all = append(all, ms...)
	}
	require.Len(t, all, n)
	return all
}

// settled subscribes p and waits until all nodes that may host partitions know.
func settled(t *testing.T, p *Participant, channels ...do.Channel) {
	t.Helper()
	p.Route([]wire.Message{control(&wire.AddChannels{Context: 1, Channels: channels})})
	got := next(t, p, 1)
	require.Equal(t, &wire.ChannelsAdded{Context: 1}, got[0].Body)
}

// hosting makes p what openings wait for: the host of a partition.
func hosting(p *Participant) {
	p.Route([]wire.Message{control(&wire.AddRanges{Ranges: []do.Range{do.PartitionRange(do.KindObject, 1)}})})
}

func TestTwoNodesHearEachOther(t *testing.T) {
	d, n := serve(t, time.Second)
	a := d.Join("a")
	hosting(a)
	d2, _ := connect(t, n, "district")
	b := d2.Join("b")
	settled(t, b, zone20, zone21)
	a.Route([]wire.Message{digest(1, zone20, zone21), digest(2, zone20)})
	require.Equal(t, []int{1, 2}, numbers(next(t, b, 2)))
	b.Route([]wire.Message{digest(3, do.ObjectChannel(do.ID{1: 1, 15: 1}))})
	require.Equal(t, []int{3}, numbers(next(t, a, 1)))
}

func TestThreeNodesNothingIsSentOn(t *testing.T) {
	d, n := serve(t, time.Second)
	all := []*Participant{d.Join("a")}
	hosting(all[0])
	for _, name := range []string{"b", "c"} {
		d2, _ := connect(t, n, name)
		p := d2.Join(name)
		hosting(p)
		all = append(all, p)
	}
	for _, p := range all {
		settled(t, p, zone20)
	}
	for i, p := range all {
		p.Route([]wire.Message{digest(i, zone20)})
	}
	for i, p := range all {
		got := numbers(next(t, p, 2))
		require.ElementsMatch(t, []int{(i + 1) % 3, (i + 2) % 3}, got, "rule 9: once, and not over a third")
	}
}

func TestManySubscriptionsAreToldInParts(t *testing.T) {
	d, n := serve(t, time.Second)
	d.part = 100
	a := d.Join("a")
	hosting(a)
	var all []do.Channel
	for i := range 305 {
		all = append(all, view(i))
	}
	a.Route([]wire.Message{subscribe(all...)})
	d2, _ := connect(t, n, "district") // is told the snapshot
	d2.part = 100
	b := d2.Join("b")
	var out []wire.Message
	for i := 0; i < len(all); i += 10 {
		out = append(out, digest(i, view(i)))
	}
	b.Route(out)
	require.Len(t, next(t, a, len(out)), len(out))
	hosting(b)
	settled(t, b, all...) // is told as changes
	a.Route(out)
	require.Len(t, next(t, b, len(out)), len(out))
}

func TestRule11GoodbyeRoutesTheWillOnce(t *testing.T) {
	d, n := serve(t, time.Second)
	a := d.Join("a")
	hosting(a)
	a.Route([]wire.Message{subscribe(zone20)})
	d2 := newLoggingDirector(t, "district")
	m, err := d2.Connect(context.Background(), n.URL(), NodeConfig{Name: "district", Lease: time.Second})
	require.NoError(t, err)
	b := d2.Join("b")
	b.Route([]wire.Message{control(&wire.AddPostRemove{Message: digest(1, zone20)})})
	settled(t, b, zone21)
	require.NoError(t, m.Close(context.Background()))
	got := next(t, a, 2)
	require.Equal(t, 1, number(got[0]))
	require.Equal(t, &wire.LinkLost{Node: m.ID(), Epoch: m.Epoch(), Dead: true}, got[1].Body)
	require.ErrorIs(t, m.Err(), ErrClosed)
	<-m.Done()
	var batch []wire.Message
	_, err = b.Inbox().Wait(context.Background(), &batch)
	require.ErrorIs(t, err, ErrClosed)
}

func TestJoinErrors(t *testing.T) {
	_, n := serve(t, time.Second)
	d := newDirector(t)
	_, err := d.Connect(context.Background(), "nats://wrong@"+n.host, NodeConfig{})
	require.ErrorIs(t, err, ErrCredential)
	require.ErrorContains(t, err, "join "+n.host+": the credential in the URL is refused")
	require.NotContains(t, err.Error(), "wrong@")
	_, err = d.Connect(context.Background(), "nats://"+n.host, NodeConfig{})
	require.ErrorIs(t, err, ErrCredential)
	_, err = d.Connect(context.Background(), "nats://secret@127.0.0.1:1", NodeConfig{})
	require.ErrorContains(t, err, "join 127.0.0.1:1")
	require.NotContains(t, err.Error(), "secret")
	_, err = d.Connect(context.Background(), "http://secret@x", NodeConfig{})
	require.ErrorContains(t, err, "nats://TOKEN@127.0.0.1:4222")
	require.NotContains(t, err.Error(), "secret")
	_, err = d.Serve(context.Background(), BusConfig{Port: portOf(t, n)})
	require.ErrorContains(t, err, "address already in use")
	_, err = d.Connect(context.Background(), n.URL(), NodeConfig{Lease: time.Millisecond})
	require.ErrorContains(t, err, "lease of 1ms")
	_, err = d.Connect(context.Background(), n.URL(), NodeConfig{Cluster: "a.b"})
	require.ErrorContains(t, err, `cluster name "a.b"`)
	_, err = n.director.Connect(context.Background(), n.URL(), NodeConfig{})
	require.ErrorIs(t, err, ErrNode)
}
