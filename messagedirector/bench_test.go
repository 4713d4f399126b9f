package messagedirector

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// BenchmarkRoute routes batches of 64 messages, each to as many receivers, which take what has accumulated after
// each batch: all of the path within a process, on one goroutine. An operation is one delivery.
func BenchmarkRoute(b *testing.B) {
	for _, receivers := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("to=%d", receivers), func(b *testing.B) {
			d, err := New(Config{})
			require.NoError(b, err)
			sender := d.Join("sender")
			const zones = 64
			ps := make([]*Participant, receivers)
			for i := range ps {
				ps[i] = d.Join("receiver")
				for z := range zones {
					ps[i].Route([]wire.Message{subscribe(view(z))})
				}
			}
			out := make([]wire.Message, zones)
			for z := range out {
				out[z] = wire.Message{To: []do.Channel{view(z)}, Body: &wire.Update{Fields: make([]byte, 20)}}
			}
			var batch []wire.Message
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += zones * receivers {
				sender.Route(out)
				for _, p := range ps {
					_, _ = p.Inbox().Take(&batch)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mdeliveries/s")
		})
	}
}

// BenchmarkRouteParallel has a receiver that takes on a goroutine of its own.
func BenchmarkRouteParallel(b *testing.B) {
	d, err := New(Config{Limit: 4 << 30})
	require.NoError(b, err)
	sender, receiver := d.Join("sender"), d.Join("receiver")
	receiver.Route([]wire.Message{subscribe(zone20)})
	out := make([]wire.Message, 64)
	for i := range out {
		out[i] = digest(i, zone20)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var batch []wire.Message
		for got := 0; got < b.N; {
			ms, err := receiver.Inbox().Wait(b.Context(), &batch)
			if err != nil {
				return
			}
			got += len(ms)
		}
	}()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(out) {
		<-sender.Credit()
		sender.Route(out)
	}
	<-done
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mdeliveries/s")
}

// BenchmarkBus sends updates of 20 bytes in batches of 64 from one node to another, both in this process, over a TCP
// connection of loopback.
func BenchmarkBus(b *testing.B) {
	far, err := New(Config{})
	require.NoError(b, err)
	n, err := far.Serve(b.Context(), BusConfig{StoreDir: b.TempDir()})
	require.NoError(b, err)
	near, err := New(Config{})
	require.NoError(b, err)
	receiver := far.Join("receiver")
	receiver.Route([]wire.Message{subscribe(zone20)})
	m, err := near.Connect(b.Context(), n.URL(), NodeConfig{})
	require.NoError(b, err)
	sender := near.Join("sender")
	out := make([]wire.Message, 64)
	for i := range out {
		out[i] = wire.Message{To: []do.Channel{zone20}, From: zone21, Body: &wire.Update{DO: street, Fields: []byte{0x80}}}
	}
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for i := 0; i < b.N; i += len(out) {
			<-sender.Credit()
			sender.Route(out)
		}
	}()
	var batch []wire.Message
	for got := 0; got < b.N; {
		ms, err := receiver.Inbox().Wait(b.Context(), &batch)
		require.NoError(b, err)
		got += len(ms)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmessages/s")
	require.NoError(b, m.Close(context.Background()))
	require.NoError(b, n.Close(context.Background()))
}

// BenchmarkSubscribe adds and removes one channel while a hundred thousand others are there.
func BenchmarkSubscribe(b *testing.B) {
	t := NewTable(1)
	for p := range 100 {
		m := t.Join("m")
		for z := range 1000 {
			_, err := t.Apply(m, &wire.AddChannels{Channels: []do.Channel{view(p*1000 + z)}})
			require.NoError(b, err)
		}
	}
	m := t.Join("changing")
	add, remove := &wire.AddChannels{Channels: []do.Channel{view(500)}}, &wire.RemoveChannels{Channels: []do.Channel{view(500)}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = t.Apply(m, add)
		_, _ = t.Apply(m, remove)
	}
}
