package stateserver

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

const benchSchema = `
dclass Place {
  string(0-24) Title = "" required broadcast;
};
dclass Mover {
  float32 X = 0 required broadcast ownsend;
  float32 Y = 0 required broadcast ownsend;
  float32 H = 0 required broadcast ownsend;
};
`

// bench is a State with a street and n movers in it.
type bench struct {
	state *State
	out   wire.Outbox
	ids   []do.ID
}

func newBench(t testing.TB, n int) *bench {
	t.Helper()
	schema, err := do.ParseSchema([]byte(benchSchema))
	require.NoError(t, err)
	s, err := New(Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema, NoDatabase: true})
	require.NoError(t, err)
	b := &bench{state: s}
	b.create(t, 0, do.Location{})
	for range n {
		b.create(t, 1, do.Location{Parent: b.ids[0], Zone: 20})
	}
	return b
}

func (b *bench) create(t testing.TB, class uint32, at do.Location) do.ID {
	id := do.NewID(1, int64(len(b.ids)+1), uint64(len(b.ids)+1))
	b.ids = append(b.ids, id)
	require.NoError(t, b.state.Step(wire.Message{Body: &wire.Create{DO: id, Class: class, Location: at, Fields: fields.EmptyMap()}}, &b.out))
	b.out.Reset()
	return id
}

func three(x float32) fields.Map {
	var b fields.MapBuilder
	for i := range 3 {
		if err := b.Add(fields.Number(i), fields.AppendFloat32(nil, x+float32(i))); err != nil {
			panic(err)
		}
	}
	return b.Map()
}

func TestSetFieldAllocatesNothing(t *testing.T) {
	b := newBench(t, 100)
	m := wire.Message{From: do.AI(do.WellKnown(9)), Body: &wire.SetFields{Context: 1, DO: b.ids[50], Fields: three(2)}}
	allocs := testing.AllocsPerRun(1000, func() {
		if err := b.state.Step(m, &b.out); err != nil {
			t.Fatal(err)
		}
		b.out.Reset()
	})
	require.Zero(t, allocs)
}

// TestMemoryPerObject holds the line of 400 bytes for an object of three small fields.
func TestMemoryPerObject(t *testing.T) {
	const n = 20000
	b := newBench(t, 0)
	street := do.Location{Parent: b.ids[0], Zone: 20}
	b.ids = append(make([]do.ID, 0, n+1), b.ids...)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		b.create(t, 1, street)
	}
	b.out = wire.Outbox{}
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("%d bytes per object", per)
	require.Less(t, per, uint64(400))
	runtime.KeepAlive(b)
}

func BenchmarkSetField(b *testing.B) {
	w := newBench(b, 1000)
	m := wire.Message{From: do.AI(do.WellKnown(9)), Body: &wire.SetFields{Context: 1, DO: w.ids[500], Fields: three(2)}}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.state.Step(m, &w.out); err != nil {
			b.Fatal(err)
		}
		w.out.Reset()
	}
}

func BenchmarkCreate(b *testing.B) {
	w := newBench(b, 0)
	body := &wire.Create{Class: 1, Location: do.Location{Parent: w.ids[0], Zone: 20}, Fields: three(1)}
	b.ReportAllocs()
	n := uint64(1)
	for b.Loop() {
		n++
		body.DO = do.NewID(1, int64(n), n)
		if err := w.state.Step(wire.Message{Body: body}, &w.out); err != nil {
			b.Fatal(err)
		}
		w.out.Reset()
	}
}

func BenchmarkMove(b *testing.B) {
	w := newBench(b, 1000)
	body := &wire.SetLocation{DO: w.ids[500]}
	b.ReportAllocs()
	zone := do.Zone(0)
	for b.Loop() {
		zone = (zone + 1) % 100
		body.Location = do.Location{Parent: w.ids[0], Zone: zone}
		if err := w.state.Step(wire.Message{Body: body}, &w.out); err != nil {
			b.Fatal(err)
		}
		w.out.Reset()
	}
}

func BenchmarkOpenZone1000(b *testing.B) {
	w := newBench(b, 1000)
	m := wire.Message{From: do.AI(do.WellKnown(9)), Body: &wire.GetZonesObjects{Context: 1, Parent: w.ids[0], Zones: []do.Zone{20}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.state.Step(m, &w.out); err != nil {
			b.Fatal(err)
		}
		w.out.Reset()
	}
}

// BenchmarkAskEntries1000 asks for the children in one zone, beside a hundred times as many in others.
func BenchmarkAskEntries1000(b *testing.B) {
	w := newBench(b, 0)
	ask := &wire.AskEntries{Context: 1, Asker: do.AI(do.WellKnown(9)), Parent: w.ids[0], Zones: []do.Zone{7}}
	for i := range 100_000 {
		id := w.create(b, 1, do.Location{Parent: w.ids[0], Zone: do.Zone(i % 100)})
		if i%100 == 7 {
			ask.DOs = append(ask.DOs, id)
		}
	}
	m := wire.Message{Body: ask}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.state.Step(m, &w.out); err != nil {
			b.Fatal(err)
		}
		w.out.Reset()
	}
}

// BenchmarkDelete40000 deletes a parent with 40,000 children.
func BenchmarkDelete40000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		w := newBench(b, 40000)
		b.StartTimer()
		if err := w.state.Step(wire.Message{Body: &wire.DeleteRAM{DO: w.ids[0]}}, &w.out); err != nil {
			b.Fatal(err)
		}
	}
}
