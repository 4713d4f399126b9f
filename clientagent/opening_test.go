package clientagent

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// TestRollIsASet: a roll knows what is missing as a plain set does, whatever the order of lists and answers (rules 82, 110).
func TestRollIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r roll
		listed, early := map[do.ID]struct{}{}, map[do.ID]struct{}{}
		var next uint64
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			if rapid.Bool().Draw(t, "list") {
				var chunk []wire.Listed
				for range rapid.IntRange(0, 8).Draw(t, "objects") {
					next++
					id := do.NewID(do.Partition(rapid.IntRange(1, 3).Draw(t, "partition")), 1, next)
					if len(early) > 0 && rapid.Bool().Draw(t, "came") {
						id = slices.SortedFunc(maps.Keys(early), do.ID.Compare)[0]
					}
					chunk = append(chunk, wire.Listed{DO: id})
					if _, ok := early[id]; ok {
						delete(early, id)
					} else {
						listed[id] = struct{}{}
					}
				}
				r.list(chunk)
			} else {
				missing := slices.Concat(r.missing()...)
				for range rapid.IntRange(1, 8).Draw(t, "answers") {
					next++
					id := do.NewID(do.Partition(rapid.IntRange(1, 3).Draw(t, "partition")), 1, next)
					if len(missing) > 0 && rapid.IntRange(0, 9).Draw(t, "unlisted") > 0 {
						i := 0
						if rapid.IntRange(0, 9).Draw(t, "in disorder") == 0 {
							i = rapid.IntRange(0, len(missing)-1).Draw(t, "which")
						}
						id = missing[i]
						missing = slices.Delete(missing, i, i+1)
					}
					_, want := listed[id]
					delete(listed, id)
					got := r.tick(id)
					require.Equal(t, want, got)
					if !got {
						r.came(id)
						early[id] = struct{}{}
					}
				}
			}
			require.Equal(t, len(listed) == 0, r.done())
			require.Equal(t, slices.SortedFunc(maps.Keys(listed), do.ID.Compare), slices.Concat(r.missing()...))
		}
	})
}

// TestHistoryIsAMap: what left is found, forgotten and superseded as in a map that is kept up all the time (rule 105).
func TestHistoryIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h history
		all := map[uint32]past{}
		now := int64(1)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			alias := uint32(rapid.IntRange(1, 10).Draw(t, "alias"))
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				p := past{id: do.NewID(1, now, rapid.Uint64().Draw(t, "id")), until: now + 10, alias: alias}
				h.add(p)
				all[alias] = p
			case 1:
				want, known := all[alias]
				got, ok := h.find(alias)
				require.Equal(t, known, ok)
				require.Equal(t, want, got)
			case 2:
				now += int64(rapid.IntRange(0, 6).Draw(t, "passes"))
				h.forget(now)
				for a, p := range all {
					if p.until <= now {
						delete(all, a)
					}
				}
			}
			require.LessOrEqual(t, len(h.index), h.list.len(), "what is forgotten is not indexed")
		}
	})
}

// TestPermissionIsASet: what it covers is what it has, in whatever order the cluster and the client say it.
func TestPermissionIsASet(t *testing.T) {
	s, ids := fanned(t, 1)
	u, parent := s.sessions[ids[0]], do.NewID(1, 1, 1)
	rapid.Check(t, func(rt *rapid.T) {
		zones := rapid.SliceOfN(rapid.Uint32Range(0, 12), 0, 12)
		var has, asked []do.Zone
		for _, z := range zones.Draw(rt, "has") {
			has = append(has, do.Zone(z))
		}
		for _, z := range zones.Draw(rt, "asked") {
			asked = append(asked, do.Zone(z))
		}
		want := len(asked) > 0
		for _, z := range asked {
			want = want && slices.Contains(has, z)
		}
		s.permit(u, &wire.PermitInterest{Parent: parent, Zones: has})
		require.Equal(rt, want, u.permits[parent].covers(asked))
		g := &ground{}
		s.setOpen(g, has)
		require.Equal(rt, want, permission{zones: g.open}.covers(asked))
	})
}

// opened lets a session of fanned open a zone, and returns the context of its opening.
func opened(t testing.TB, s *State, session do.ID, zone do.Zone) uint32 {
	t.Helper()
	var out wire.Outbox
	step := func(b wire.Body) { require.NoError(t, s.Step(wire.Message{To: []do.Channel{s.self}, Body: b}, &out)) }
	step(&wire.SessionFrames{Session: session, Bytes: wire.AppendFrame(nil, &wire.ClientAddInterest{
		Handle: 2, Parent: do.NewID(1, 1, 1), Zones: []do.Zone{zone},
	})})
	for i := 0; i < len(out.Messages); i++ {
		switch b := out.Messages[i].Body.(type) {
		case *wire.AddChannels:
			step(&wire.ChannelsAdded{Context: b.Context})
		case *wire.GetZonesObjects:
			return b.Context
		}
	}
	require.Fail(t, "nothing was asked")
	return 0
}

// snapshot is the answer to an opening: n avatars of the parent's State.
func snapshot(context uint32, class *do.Class, zone do.Zone, n int) []*wire.ZonesObjects {
	const chunk = 64
	street := do.NewID(1, 1, 1)
	var all []*wire.ZonesObjects
	for i := range n {
		if i%chunk == 0 {
			all = append(all, &wire.ZonesObjects{Context: context, Parent: street})
		}
		z := all[len(all)-1]
		z.Entries = append(z.Entries, wire.Entry{
			DO: do.NewID(1, 9, uint64(i+1)), Class: class.Number(), Version: do.Version{Inc: do.NewIncarnation(1, uint32(i+9)), N: 1},
			Location: do.Location{Parent: street, Zone: zone}, Fields: fields.EmptyMap(),
		})
	}
	all[len(all)-1].Last = true
	return all
}

// TestRule108EntriesGoOutAsTheyCome: of a large zone that came in one batch the first entries are handed to the writers before the
// last were taken.
func TestRule108EntriesGoOutAsTheyCome(t *testing.T) {
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	var inputs []wire.Body
	a, err := NewAgent(AgentConfig{
		Config: Config{Instance: do.NewID(0, 1, 1)}, Director: d, Listener: link.NewMemory(link.PipeConfig{}),
		Record: func(m wire.Message) { inputs = append(inputs, m.Body) },
	})
	require.NoError(t, err)
	a.part = d.Join("agent")
	defer a.part.Leave()
	a.state.Start(&a.out)
	a.route()
	session := fan(t, a.state, 1, 1)[0]
	a.state.Flush(func(*Out) {})
	_, conn := link.Pipe(link.PipeConfig{})
	p := newPeer(a, conn, session)
	defer p.closed()
	a.peers[session] = p

	const n = 1000
	context := opened(t, a.state, session, 30)
	from := d.Join("state")
	defer from.Leave()
	var out wire.Outbox
	for _, z := range snapshot(context, a.state.schema.Class("Avatar"), 30, n) {
		out.SendTo(a.state.self, do.ObjectChannel(z.Parent), z)
	}
	from.Route(out.Messages)
	inputs = nil
	require.NoError(t, a.takeInbox())
	require.IsType(t, &wire.ZonesObjects{}, inputs[len(inputs)-1])
	first := slices.IndexFunc(inputs, func(b wire.Body) bool { return b.Type() == wire.TypeFlush })
	require.Positive(t, first, "nothing was flushed within the batch")
	require.Less(t, first, len(inputs)/2)
	require.Positive(t, len(p.w.stream))
	a.flushed = time.Time{}
	a.flush(time.Now())
	entered := 0
	for b := p.w.stream; len(b) > 0; {
		f, n, err := wire.NextFrame(b)
		require.NoError(t, err)
		if f, ok := f.(*wire.ClientEnters); ok {
			entered += len(f.Entered)
		}
		b = b[n:]
	}
	require.Equal(t, n, entered)
}

// reopener opens and closes one zone of n objects.
func reopener(t testing.TB, n int) func() {
	s, ids := fanned(t, 1)
	s.cfg.AliasRest = time.Second
	answer := snapshot(0, s.schema.Class("Avatar"), 30, n)
	remove := wire.AppendFrame(nil, &wire.ClientRemoveInterest{Handle: 2})
	var out wire.Outbox
	step := func(b wire.Body) { _ = s.Step(wire.Message{To: []do.Channel{s.self}, Body: b}, &out) }
	flush := func() {
		s.Flush(func(*Out) {})
		out.Reset()
		for _, t := range s.order {
			t.pending = 0
		}
	}
	return func() {
		context := opened(t, s, ids[0], 30)
		for _, z := range answer {
			z.Context = context
			step(z)
		}
		if got := len(s.places[do.Location{Parent: do.NewID(1, 1, 1), Zone: 30}].objects); got != n {
			require.Equal(t, n, got)
		}
		flush()
		step(&wire.SessionFrames{Session: ids[0], Bytes: remove})
		step(&wire.SessionFrames{Session: ids[0], Bytes: wire.AppendFrame(nil, &wire.ClientHeartbeat{Frames: s.order[0].sent})})
		step(&wire.Tick{Unix: s.now + int64(11e9)}) // what left is forgotten
		flush()
	}
}

// TestOpeningAllocatesOncePerObject: an opening makes one record of each object, and little beside.
func TestOpeningAllocatesOncePerObject(t *testing.T) {
	const n = 640
	once := reopener(t, n)
	for range 5 {
		once()
	}
	require.Less(t, testing.AllocsPerRun(10, once), 1.25*n)
}

func BenchmarkOpen1000(b *testing.B) {
	once := reopener(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}
