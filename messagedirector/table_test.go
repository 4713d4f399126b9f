package messagedirector

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// TestTable runs the stories of testdata. The commands, each with its arguments as lines:
//
//	join NAME | peer NAME      a participant of this node, or another node
//	add | remove NAME          channels, one a line; shows what other nodes are told
//	cover | uncover NAME       ranges, LOW to HIGH; the same
//	post NAME key=KEY          stores post-removes to a channel each line names
//	clear NAME key=KEY         forgets those of a key
//	send NAME                  recipients; shows who gets it
//	leave NAME                 shows what other nodes are told, then the post-removes and who gets them
//	covered                    shows all that this node listens to
func TestTable(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			s := &story{table: NewTable(1), members: map[string]*Member{}}
			datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
				s.t = t
				return s.run(td)
			})
		})
	}
}

type story struct {
	t       *testing.T
	table   *Table
	members map[string]*Member
}

func (s *story) run(td *datadriven.TestData) string {
	name := ""
	if len(td.CmdArgs) > 0 {
		name = td.CmdArgs[0].Key
	}
	m := s.members[name]
	lines := strings.FieldsFunc(td.Input, func(r rune) bool { return r == '\n' })
	switch td.Cmd {
	case "join":
		s.members[name] = s.table.Join(name)
		return ""
	case "peer":
		s.members[name] = s.table.join(&Member{name: name, peer: true})
		return ""
	case "add":
		return s.apply(m, &wire.AddChannels{Channels: s.channels(lines)})
	case "remove":
		return s.apply(m, &wire.RemoveChannels{Channels: s.channels(lines)})
	case "cover":
		return s.apply(m, &wire.AddRanges{Ranges: s.ranges(lines)})
	case "uncover":
		return s.apply(m, &wire.RemoveRanges{Ranges: s.ranges(lines)})
	case "post":
		for _, c := range s.channels(lines) {
			s.apply(m, &wire.AddPostRemove{Key: s.key(td), Message: wire.Message{To: []do.Channel{c}}})
		}
		return ""
	case "clear":
		return s.apply(m, &wire.ClearPostRemoves{Key: s.key(td)})
	case "send":
		return s.send(s.channels(lines), m)
	case "leave":
		d, posts := s.table.Leave(m)
		out := told(d)
		for _, p := range posts {
			out += fmt.Sprintf("post-remove to %s -> %s", p.To[0], s.send(p.To, m))
		}
		return out
	case "covered":
		return told(s.table.Covered())
	}
	td.Fatalf(s.t, "no command %s", td.Cmd)
	return ""
}

func (s *story) key(td *datadriven.TestData) do.Channel {
	var n uint64
	td.ScanArgs(s.t, "key", &n)
	return do.Group(do.WellKnown(n))
}

func (s *story) apply(m *Member, body wire.Body) string {
	d, err := s.table.Apply(m, body)
	if err != nil {
		require.True(s.t, d.IsEmpty())
		return "refused: " + err.Error() + "\n"
	}
	return told(d)
}

func (s *story) send(to []do.Channel, m *Member) string {
	var names []string
	for _, r := range s.table.Lookup(to, m) {
		names = append(names, r.Name())
	}
	if names == nil {
		return "nobody\n"
	}
	return strings.Join(names, ", ") + "\n"
}

func (s *story) channels(lines []string) []do.Channel {
	var out []do.Channel
	for _, l := range lines {
		c, err := do.ParseChannel(l)
		require.NoError(s.t, err)
		out = append(out, c)
	}
	return out
}

func (s *story) ranges(lines []string) []do.Range {
	var out []do.Range
	for _, l := range lines {
		lo, hi, ok := strings.Cut(l, " to ")
		require.True(s.t, ok, l)
		r := s.channels([]string{lo, hi})
		if r[1].Kind != do.KindLocation {
			r[1].Zone = ^do.Zone(0) // all of the last id
		}
		out = append(out, do.Range{Lo: r[0], Hi: r[1]})
	}
	return out
}

// told is what other nodes hear, a line each.
func told(d Delta) string {
	var b strings.Builder
	for _, c := range d.Add {
		fmt.Fprintf(&b, "tell: listens to %s\n", c)
	}
	for _, c := range d.Remove {
		fmt.Fprintf(&b, "tell: silent on %s\n", c)
	}
	for _, r := range d.AddRanges {
		fmt.Fprintf(&b, "tell: listens from %s\n", r)
	}
	for _, r := range d.RemoveRanges {
		fmt.Fprintf(&b, "tell: silent from %s\n", r)
	}
	return b.String()
}

// twin is the dumbest table: for each channel of a small world, who listens to it and why.
type twin struct {
	members []*twinMember
	// What another node was told.
	exact, covered map[do.Channel]bool
}

type twinMember struct {
	m       *Member
	exact   map[do.Channel]bool
	covered map[do.Channel]bool
}

// smallWorld is every channel of the property test, ascending, and with a border between two kinds in it.
func smallWorld() []do.Channel {
	var out []do.Channel
	for _, kind := range []do.Kind{do.KindLocation, do.KindChildren} {
		for id := range uint64(3) {
			for _, zone := range []do.Zone{0, 1, 2, ^do.Zone(0)} {
				out = append(out, do.Channel{Kind: kind, ID: do.WellKnown(id + 255), Zone: zone})
			}
		}
	}
	return out
}

// TestTableAgainstItsTwin compares with the twin after each of many random changes: who gets what (rules 1, 2, 7),
// in which order, and what another node is told (rule 8).
func TestTableAgainstItsTwin(t *testing.T) {
	world := smallWorld()
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable(rapid.Uint64().Draw(t, "seed"))
		w := &twin{exact: map[do.Channel]bool{}, covered: map[do.Channel]bool{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.step(t, table, world)
			to := rapid.SliceOfN(rapid.SampledFrom(world), 0, 4).Draw(t, "to")
			sender := rapid.SampledFrom(w.members).Draw(t, "sender")
			want, got := w.lookup(to, sender.m), table.Lookup(to, sender.m)
			require.True(t, slices.Equal(want, got), "to %v: want %v, got %v", to, want, got)
			w.checkTold(t, table, world)
		}
	})
}

func (w *twin) step(t *rapid.T, table *Table, world []do.Channel) {
	op := rapid.IntRange(0, 9).Draw(t, "op")
	if len(w.members) == 0 || op == 0 && len(w.members) < 6 {
		m := &Member{name: "m", peer: rapid.IntRange(0, 3).Draw(t, "peer") == 0}
		w.members = append(w.members, &twinMember{table.join(m), map[do.Channel]bool{}, map[do.Channel]bool{}})
		return
	}
	i := rapid.IntRange(0, len(w.members)-1).Draw(t, "member")
	m := w.members[i]
	if op == 1 && len(w.members) > 1 {
		d, _ := table.Leave(m.m)
		w.members = append(w.members[:i:i], w.members[i+1:]...)
		w.hear(t, d, world)
		return
	}
	cs := rapid.SliceOfN(rapid.SampledFrom(world), 1, 3).Draw(t, "channels")
	r := do.Range{Lo: cs[0], Hi: cs[len(cs)-1]}
	var body wire.Body
	switch {
	case op < 4:
		body = &wire.AddChannels{Channels: cs}
		set(m.exact, cs, true)
	case op < 6:
		body = &wire.RemoveChannels{Channels: cs}
		set(m.exact, cs, false)
	case r.Lo.Kind != r.Hi.Kind || r.Lo.Compare(r.Hi) > 0:
		_, err := table.Apply(m.m, &wire.AddRanges{Ranges: []do.Range{r}})
		require.ErrorIs(t, err, ErrRange)
		return
	case op < 8:
		body = &wire.AddRanges{Ranges: []do.Range{r}}
		set(m.covered, within(world, r), true)
	default:
		body = &wire.RemoveRanges{Ranges: []do.Range{r}}
		set(m.covered, within(world, r), false)
	}
	d, err := table.Apply(m.m, body)
	require.NoError(t, err)
	w.hear(t, d, world)
}

func set(s map[do.Channel]bool, cs []do.Channel, to bool) {
	for _, c := range cs {
		s[c] = to
	}
}

func within(world []do.Channel, r do.Range) []do.Channel {
	var out []do.Channel
	for _, c := range world {
		if r.Contains(c) {
			out = append(out, c)
		}
	}
	return out
}

func (w *twin) lookup(to []do.Channel, sender *Member) []*Member {
	var out []*Member
	take := func(m *Member) {
		for _, o := range out {
			if o == m {
				return
			}
		}
		if m != sender {
			out = append(out, m)
		}
	}
	for _, c := range to {
		for _, m := range w.members {
			if m.exact[c] {
				take(m.m)
			}
		}
		for _, m := range w.members {
			if m.covered[c] {
				take(m.m)
			}
		}
	}
	return out
}

// hear is another node, which is told only what is new to it.
func (w *twin) hear(t *rapid.T, d Delta, world []do.Channel) {
	expect := func(s map[do.Channel]bool, cs []do.Channel, to bool) {
		for _, c := range cs {
			require.NotEqual(t, to, s[c], "told again: %s", c)
			s[c] = to
		}
	}
	expect(w.exact, d.Add, true)
	expect(w.exact, d.Remove, false)
	for _, r := range d.AddRanges {
		expect(w.covered, within(world, r), true)
	}
	for _, r := range d.RemoveRanges {
		expect(w.covered, within(world, r), false)
	}
}

func (w *twin) checkTold(t *rapid.T, table *Table, world []do.Channel) {
	all := table.Covered()
	exact, covered := map[do.Channel]bool{}, map[do.Channel]bool{}
	set(exact, all.Add, true)
	for _, r := range all.AddRanges {
		set(covered, within(world, r), true)
	}
	for _, c := range world {
		var wantExact, wantCovered bool
		for _, m := range w.members {
			wantExact = wantExact || !m.m.peer && m.exact[c]
			wantCovered = wantCovered || !m.m.peer && m.covered[c]
		}
		require.Equal(t, wantExact, w.exact[c], "%s", c)
		require.Equal(t, wantCovered, w.covered[c], "%s", c)
		require.Equal(t, wantExact, exact[c], "%s", c)
		require.Equal(t, wantCovered, covered[c], "%s", c)
	}
}

func TestReplaceKeepsWhatIsInBoth(t *testing.T) {
	table := NewTable(1)
	m := table.join(&Member{name: "peer", peer: true})
	r := func(lo, hi uint64) do.Range {
		return do.Range{Lo: do.ObjectChannel(do.WellKnown(lo)), Hi: do.Channel{Kind: do.KindObject, ID: do.WellKnown(hi), Zone: ^do.Zone(0)}}
	}
	require.NoError(t, table.replace(m, []do.Channel{zone20, zone21}, []do.Range{r(1, 10), r(20, 30)}))
	kept := table.exact.entry(zone20)
	require.NoError(t, table.replace(m, []do.Channel{zone20}, []do.Range{r(5, 25)}))
	require.Same(t, kept, table.exact.entry(zone20), "what stays is not touched")
	require.Equal(t, []do.Channel{zone20}, m.sorted())
	require.Equal(t, []do.Range{r(5, 25)}, table.covers(m))
	require.ErrorIs(t, table.replace(m, []do.Channel{{}}, nil), ErrChannel)
	require.Equal(t, []do.Channel{zone20}, m.sorted())
}

func TestHundredThousandSubscriptions(t *testing.T) {
	table := NewTable(7)
	ms := []*Member{table.Join("a"), table.Join("b")}
	var all []do.Channel
	for i := range 100_000 {
		all = append(all, view(i))
	}
	for _, m := range ms {
		_, err := table.Apply(m, &wire.AddChannels{Channels: all})
		require.NoError(t, err)
	}
	for _, c := range all {
		require.Equal(t, ms[1:], table.Lookup([]do.Channel{c}, ms[0]))
	}
	d, _ := table.Leave(ms[0])
	require.True(t, d.IsEmpty())
	d, _ = table.Leave(ms[1])
	require.Equal(t, all, d.Remove)
	table.exact.each(func(e *entry) { require.Fail(t, "left over", "%s", e.channel) })
}

func TestRulesOfControlMessages(t *testing.T) {
	table := NewTable(1)
	m := table.Join("m")
	for _, body := range []wire.Body{
		&wire.AddChannels{Channels: []do.Channel{service}},
		&wire.RemoveChannels{Channels: []do.Channel{{}}},
		&wire.RemoveRanges{Ranges: []do.Range{{}}},
		&wire.AddRanges{Ranges: []do.Range{{Lo: zone21, Hi: zone20}}},
		&wire.AddRanges{Ranges: []do.Range{{Lo: zone20, Hi: do.Children(street)}}},
		&wire.AddRanges{Ranges: []do.Range{{Lo: do.Channel{Kind: kinds}, Hi: do.Channel{Kind: kinds}}}},
		&wire.Tick{},
	} {
		_, err := table.Apply(m, body)
		require.Error(t, err, "%T", body)
	}
	table.Leave(m)
	_, err := table.Apply(m, subscribe(zone20).Body)
	require.True(t, errors.Is(err, ErrLeft))
}

func TestBeforeAndAfterCarry(t *testing.T) {
	last := do.Channel{Kind: do.KindLocation, ID: do.ID{14: 1, 15: 0xff}, Zone: ^do.Zone(0)}
	first := do.Channel{Kind: do.KindLocation, ID: do.ID{14: 2}}
	require.Equal(t, first, after(last))
	require.Equal(t, last, before(first))
	require.True(t, adjacent(last, first))
	require.False(t, adjacent(first, last))
}
