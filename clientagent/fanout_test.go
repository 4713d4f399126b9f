package clientagent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// fanned is an agent with n sessions that all see one avatar.
func fanned(t testing.TB, n int) (*State, []do.ID) { return crowd(t, n, 1) }

// avatarID is the i-th avatar of a crowd.
func avatarID(i int) do.ID { return do.NewID(1, 2, uint64(2+i)) }

// crowd is an agent with n sessions that all see the same avatars.
func crowd(t testing.TB, n, avatars int) (*State, []do.ID) {
	t.Helper()
	s, err := New(Config{Instance: do.NewID(0, 1, 1), Backlog: 1 << 30})
	require.NoError(t, err)
	ids := fan(t, s, n, avatars)
	s.Flush(func(*Out) {})
	require.Len(t, s.objects[avatarID(avatars-1)].viewers, n)
	return s, ids
}

// fan gives a State such sessions, and returns them.
func fan(t testing.TB, s *State, n, avatars int) (ids []do.ID) {
	t.Helper()
	schema := readSchema(t, "testdata/world.dc")
	var out wire.Outbox
	step := func(to do.Channel, b wire.Body) {
		require.NoError(t, s.Step(wire.Message{To: []do.Channel{to}, Body: b}, &out))
	}
	step(s.self, &wire.Tick{Unix: 1e9})
	step(s.self, &wire.SchemaRecord{Version: 1, Text: schema.Text()})
	street := do.NewID(1, 1, 1)
	var entries []wire.Entry
	for i := range avatars {
		entries = append(entries, wire.Entry{
			DO: avatarID(i), Class: schema.Class("Avatar").Number(), Version: do.Version{Inc: 1, N: 1},
			Location: do.Location{Parent: street, Zone: 20}, Fields: fields.EmptyMap(),
		})
	}
	sum := schema.Fingerprint()
	for i := range n {
		id := do.NewID(0, 5, uint64(i+1))
		ids = append(ids, id)
		step(s.self, &wire.SessionOpened{Session: id, Datagrams: i%2 == 1})
		step(s.self, &wire.SessionFrames{Session: id, Bytes: wire.AppendFrame(nil, &wire.ClientHello{Schema: sum[:], Enters: true})})
		step(do.Session(id), &wire.SetState{State: wire.StateEstablished})
		out.Reset()
		step(s.self, &wire.SessionFrames{Session: id, Bytes: wire.AppendFrame(nil, &wire.ClientAddInterest{Handle: 1, Parent: street, Zones: []do.Zone{20}})})
		for i := 0; i < len(out.Messages); i++ {
			switch b := out.Messages[i].Body.(type) {
			case *wire.AddChannels:
				step(s.self, &wire.ChannelsAdded{Context: b.Context})
			case *wire.GetZonesObjects:
				step(s.self, &wire.ZonesObjects{Context: b.Context, Parent: street, Last: true, Entries: entries})
			}
		}
	}
	return ids
}

// movement is updates of one avatar: HP on the stream, Pos as a latest value.
func movement(s *State, latest bool) func() wire.Message { return movementOf(s, 0, latest) }

// movementOf is those of the i-th avatar.
func movementOf(s *State, i int, latest bool) func() wire.Message {
	o := s.objects[avatarID(i)]
	pos := fields.AppendArrayHeader(nil, 3)
	for range 3 {
		pos = fields.AppendFloat32(pos, 1.5)
	}
	name, value := "HP", fields.AppendInt(nil, 7)
	if latest {
		name, value = "Pos", pos
	}
	u := &wire.Update{DO: o.id, Version: do.Version{Inc: 1, N: 1}, Latest: latest, Fields: fields.MapOf(fields.Pair{
		Number: o.class.FieldByName(name).Number, Value: value,
	})}
	to := []do.Channel{do.At(o.location)}
	return func() wire.Message {
		u.Version.N++
		u.Serial++
		return wire.Message{To: to, From: do.AI(o.id), Body: u}
	}
}

func TestDeliveryAllocatesNothing(t *testing.T) {
	for _, latest := range []bool{false, true} {
		t.Run(fmt.Sprintf("latest=%v", latest), func(t *testing.T) {
			s, _ := fanned(t, 10)
			next := movement(s, latest)
			var out wire.Outbox
			drain := func(o *Out) {}
			once := func() {
				_ = s.Step(next(), &out)
				s.Flush(drain)
				for _, t := range s.order {
					t.pending = 0
				}
			}
			for range 100 {
				once()
			}
			before := s.Stats().Deliveries
			require.Zero(t, testing.AllocsPerRun(200, once))
			require.Equal(t, before+201*10, s.Stats().Deliveries)
		})
	}
}

// What fits into one datagram goes there; more fills packets of the stream. Nothing is lost between the two.
func TestLatestValuesThatFillPacketsGoOnTheStream(t *testing.T) {
	s, ids := crowd(t, 2, 100) // the second has datagrams
	var out wire.Outbox
	var next []func() wire.Message
	for i := range 100 {
		next = append(next, movementOf(s, i, true))
	}
	for _, n := range []int{1, 30, 100} {
		for i := range n {
			require.NoError(t, s.Step(next[i](), &out))
		}
		s.Flush(func(o *Out) {
			grams, stream := latestIn(t, o.Datagrams), latestIn(t, o.Stream)
			switch {
			case o.Session == ids[0] || n == 100:
				require.Equal(t, []int{0, n}, []int{grams, stream})
			default:
				require.Equal(t, []int{n, 0}, []int{grams, stream})
			}
			require.LessOrEqual(t, len(o.Datagrams), link.MaxDatagram)
		})
		for _, u := range s.order {
			u.pending = 0
		}
	}
}

// latestIn counts ClientLatest frames.
func latestIn(t testing.TB, b []byte) (n int) {
	for len(b) > 0 {
		f, size, err := wire.NextFrame(b)
		require.NoError(t, err)
		if _, ok := f.(*wire.ClientLatest); ok {
			n++
		}
		b = b[size:]
	}
	return n
}

func BenchmarkFanOut(b *testing.B) {
	for _, latest := range []bool{false, true} {
		for _, n := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("latest=%v/sessions=%d", latest, n), func(b *testing.B) {
				s, _ := fanned(b, n)
				next := movement(s, latest)
				var out wire.Outbox
				for b.Loop() {
					_ = s.Step(next(), &out)
					s.Flush(func(*Out) {})
					for _, t := range s.order {
						t.pending = 0
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			})
		}
	}
}

// Who closed its eyes hears no more, whatever its place among those who see the object; all others go on hearing.
func TestDeliveryAfterSomeLeft(t *testing.T) {
	const n = 7
	s, ids := fanned(t, n)
	next := movement(s, false)
	var out wire.Outbox
	left := map[do.ID]bool{}
	for _, i := range []int{3, 0, 6, 2, 1} {
		require.NoError(t, s.Step(wire.Message{Body: &wire.SessionFrames{Session: ids[i], Bytes: wire.AppendFrame(nil, &wire.ClientRemoveInterest{Handle: 1})}}, &out))
		left[ids[i]] = true
		s.Flush(func(*Out) {})
		require.NoError(t, s.Step(next(), &out))
		heard := map[do.ID]bool{}
		s.Flush(func(o *Out) { heard[o.Session] = len(o.Stream) > 0 })
		for _, id := range ids {
			require.Equal(t, !left[id], heard[id], "session %s of %d that see it", id, n-len(left))
		}
	}
}

// BenchmarkCrowd is what a full zone costs: everybody moves, output is gathered meanwhile. Who is behind misses four
// rounds and gets the newest then.
func BenchmarkCrowd(b *testing.B) {
	const slots = 10
	for _, n := range []int{100, 400} {
		for _, c := range []struct {
			name   string
			latest bool
			behind bool
		}{{name: "stream"}, {"latest", true, false}, {"behind", true, true}} {
			b.Run(fmt.Sprintf("%s/sessions=%d", c.name, n), func(b *testing.B) {
				s, _ := crowd(b, n, n)
				var next []func() wire.Message
				for i := range n {
					next = append(next, movementOf(s, i, c.latest))
				}
				var out wire.Outbox
				rounds := 0
				round := func() {
					for i, m := range next {
						_ = s.Step(m(), &out)
						if i%(n/5) != 0 {
							continue
						}
						for slot := range slots {
							s.FlushPart(&wire.Flush{Slot: uint16(slot), Slots: slots}, func(*Out) {})
						}
						for _, t := range s.order {
							if t.pending = 0; c.behind && rounds%4 != 3 {
								t.pending = s.cfg.Behind + 1
							}
						}
					}
					rounds++
				}
				for range 40 { // until all buffers have their size
					round()
				}
				for b.Loop() {
					round()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*n), "ns/update")
			})
		}
	}
}
