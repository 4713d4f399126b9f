package messagedirector

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Errors of control messages. Nothing changed when one is returned.
var (
	ErrControl = errors.New("not a control message")
	ErrChannel = errors.New("invalid channel")
	ErrRange   = errors.New("not a range of one kind")
	ErrLeft    = errors.New("participant has left")
)

// kinds bounds the kinds of channels that ranges may be of; channels of a kind beyond have no ranges.
const kinds = 16

// Table is the pure routing core: who subscribed to what. It does no I/O and starts no goroutine. Its changes (Join,
// Apply, Leave) have one owner at a time; routing reads immutable snapshots and may run on any goroutine meanwhile.
//
// Channels and ranges are counted apart: removing a range never ends the subscription of a single channel in it
// (rule 7). What a member's ranges cover is a set: covering a part twice is nothing new, and any part may be removed.
type Table struct {
	exact  index
	ranges [kinds]atomic.Pointer[segments]
	slots  atomic.Uint32 // how many slots were ever given

	// Owned by whoever changes the table.
	joined uint64
	free   []uint32
	own    *router
}

// Member is a participant, or a peer node, as the table knows it.
type Member struct {
	// Set by Join, then read-only.
	name  string
	order uint64       // of joining; receivers are found in this order
	slot  uint32       // small, given again after Leave; marks who got a message already
	peer  bool         // stands for another node: its subscriptions are no news to other nodes (rule 9)
	inbox *Inbox       // nil in a table without a director
	owner *Participant // nil for a peer, and in a table without a director

	// Set before the first Route, then read-only.
	builds bool // what it sends is built on what it sent before

	// Owned by whoever changes the table.
	channels map[do.Channel]struct{}
	posts    postRemoves
	left     bool
}

// Name is what Join was given.
func (m *Member) Name() string { return m.name }

// Delta is what a change means for other nodes: what became covered and what fell silent (rule 8), for members of
// this node taken together.
type Delta struct {
	Add          []do.Channel
	Remove       []do.Channel
	AddRanges    []do.Range
	RemoveRanges []do.Range
}

// IsEmpty reports whether nothing changed for others.
func (d *Delta) IsEmpty() bool {
	return len(d.Add)+len(d.Remove)+len(d.AddRanges)+len(d.RemoveRanges) == 0
}

// NewTable makes an empty table. The seed keeps whoever chooses channels from choosing ones that collide; it has no
// influence on what is found, or in which order.
func NewTable(seed uint64) *Table {
	t := &Table{exact: index{seed: seed}}
	t.own = &router{table: t}
	return t
}

// Join adds a member without subscriptions.
func (t *Table) Join(name string) *Member { return t.join(&Member{name: name}) }

func (t *Table) join(m *Member) *Member {
	t.joined++
	m.order = t.joined
	m.channels = map[do.Channel]struct{}{}
	if n := len(t.free); n > 0 {
		m.slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		m.slot = t.slots.Add(1) - 1
	}
	return m
}

// Apply carries out a control message of m: AddChannels, RemoveChannels, AddRanges, RemoveRanges, AddPostRemove or
// ClearPostRemoves. An error means that nothing changed.
func (t *Table) Apply(m *Member, body wire.Body) (Delta, error) {
	var d Delta
	if m.left {
		return d, fmt.Errorf("messagedirector: %s: %w", m.name, ErrLeft)
	}
	if err := check(body); err != nil {
		return d, fmt.Errorf("messagedirector: %s: %w", m.name, err)
	}
	switch b := body.(type) {
	case *wire.AddChannels:
		for _, c := range b.Channels {
			t.add(m, c, &d)
		}
	case *wire.RemoveChannels:
		for _, c := range b.Channels {
			t.remove(m, c, &d)
		}
	case *wire.AddRanges:
		for _, r := range b.Ranges {
			t.cover(m, r, &d)
		}
	case *wire.RemoveRanges:
		for _, r := range b.Ranges {
			t.uncover(m, r, &d)
		}
	case *wire.AddPostRemove:
		m.posts.add(b.Key, b.Message)
	case *wire.ClearPostRemoves:
		m.posts.clear(b.Key)
	}
	return d, nil
}

// check reports what is wrong with a control message.
func check(body wire.Body) error {
	switch b := body.(type) {
	case *wire.AddChannels:
		return checkChannels(b.Channels)
	case *wire.RemoveChannels:
		return checkChannels(b.Channels)
	case *wire.AddRanges:
		return checkRanges(b.Ranges)
	case *wire.RemoveRanges:
		return checkRanges(b.Ranges)
	case *wire.AddPostRemove, *wire.ClearPostRemoves:
		return nil
	}
	return ErrControl
}

func checkChannels(cs []do.Channel) error {
	for _, c := range cs {
		if c.IsZero() || c == do.Control(do.RoleDirector) {
			return fmt.Errorf("%s: %w", c, ErrChannel)
		}
	}
	return nil
}

func checkRanges(rs []do.Range) error {
	for _, r := range rs {
		if r.Lo.IsZero() || r.Lo.Kind != r.Hi.Kind || r.Lo.Kind >= kinds || r.Lo.Compare(r.Hi) > 0 {
			return fmt.Errorf("%s: %w", r, ErrRange)
		}
	}
	return nil
}

func (t *Table) add(m *Member, c do.Channel, d *Delta) {
	if _, ok := m.channels[c]; ok {
		return
	}
	m.channels[c] = struct{}{}
	old := t.exact.lookup(c)
	t.exact.set(c, insert(old, m))
	if !m.peer && !anyLocal(old) {
		d.Add = append(d.Add, c)
	}
}

func (t *Table) remove(m *Member, c do.Channel, d *Delta) {
	if _, ok := m.channels[c]; !ok {
		return
	}
	delete(m.channels, c)
	left := drop(t.exact.lookup(c), m)
	t.exact.set(c, left)
	if !m.peer && !anyLocal(left) {
		d.Remove = append(d.Remove, c)
	}
}

func (t *Table) cover(m *Member, r do.Range, d *Delta) {
	t.change(r, func(part do.Range, members []*Member) []*Member {
		if slices.Contains(members, m) {
			return members
		}
		if !m.peer && !anyLocal(members) {
			d.AddRanges = appendRange(d.AddRanges, part)
		}
		return insert(members, m)
	})
}

func (t *Table) uncover(m *Member, r do.Range, d *Delta) {
	t.change(r, func(part do.Range, members []*Member) []*Member {
		if !slices.Contains(members, m) {
			return members
		}
		left := drop(members, m)
		if !m.peer && !anyLocal(left) {
			d.RemoveRanges = appendRange(d.RemoveRanges, part)
		}
		return left
	})
}

func (t *Table) change(r do.Range, f func(do.Range, []*Member) []*Member) {
	p := &t.ranges[r.Lo.Kind]
	var old segments
	if s := p.Load(); s != nil {
		old = *s
	}
	changed := old.change(r, f)
	if len(changed) == 0 {
		p.Store(nil)
		return
	}
	p.Store(&changed)
}

// Leave unsubscribes m from everything and takes its post-removes, in the order in which they must be routed: the
// caller routes them when Leave has returned, so that m does not hear of its own going (rule 12).
func (t *Table) Leave(m *Member) (Delta, []wire.Message) {
	var d Delta
	if m.left {
		return d, nil
	}
	t.clear(m, &d)
	m.left = true
	t.free = append(t.free, m.slot)
	return d, m.posts.take()
}

// clear ends all subscriptions of m, in the order of channels.
func (t *Table) clear(m *Member, d *Delta) {
	for _, c := range m.sorted() {
		t.remove(m, c, d)
	}
	for _, r := range t.covers(m) {
		t.uncover(m, r, d)
	}
}

// sorted is the channels that m subscribed to, ascending.
func (m *Member) sorted() []do.Channel {
	channels := make([]do.Channel, 0, len(m.channels))
	for c := range m.channels {
		channels = append(channels, c)
	}
	slices.SortFunc(channels, do.Channel.Compare)
	return channels
}

// covers is what the ranges of m cover, ascending.
func (t *Table) covers(m *Member) []do.Range {
	return t.coveredBy(func(members []*Member) bool { return slices.Contains(members, m) })
}

// coveredBy is what members cover that are as wanted, ascending.
func (t *Table) coveredBy(wanted func([]*Member) bool) []do.Range {
	var out []do.Range
	for k := range t.ranges {
		s := t.ranges[k].Load()
		if s == nil {
			continue
		}
		for _, seg := range *s {
			if wanted(seg.members) {
				out = appendRange(out, do.Range{Lo: seg.lo, Hi: seg.hi})
			}
		}
	}
	return out
}

// replace makes these the subscriptions of m and nothing else. What m has and keeps is never without it meanwhile, so
// that no message misses it.
func (t *Table) replace(m *Member, channels []do.Channel, ranges []do.Range) error {
	if err := errors.Join(checkChannels(channels), checkRanges(ranges)); err != nil {
		return fmt.Errorf("messagedirector: %s: %w", m.name, err)
	}
	var d Delta
	keep := make(map[do.Channel]struct{}, len(channels))
	for _, c := range channels {
		keep[c] = struct{}{}
		t.add(m, c, &d)
	}
	for _, c := range m.sorted() {
		if _, ok := keep[c]; !ok {
			t.remove(m, c, &d)
		}
	}
	for _, r := range ranges {
		t.cover(m, r, &d)
	}
	for _, r := range subtract(t.covers(m), ranges) {
		t.uncover(m, r, &d)
	}
	return nil
}

// Hosts is what m covers of object channels, ascending: the partitions of its States.
func (t *Table) Hosts(m *Member) []do.Range {
	var out []do.Range
	if s := t.ranges[do.KindObject].Load(); s != nil {
		for _, seg := range *s {
			if slices.Contains(seg.members, m) {
				out = appendRange(out, do.Range{Lo: seg.lo, Hi: seg.hi})
			}
		}
	}
	return out
}

// Covered is all that members of this node subscribed to, ascending: what a new peer must be told first.
func (t *Table) Covered() Delta {
	var d Delta
	t.exact.each(func(e *entry) {
		if anyLocal(e.members) {
			d.Add = append(d.Add, e.channel)
		}
	})
	slices.SortFunc(d.Add, do.Channel.Compare)
	d.AddRanges = t.coveredBy(anyLocal)
	return d
}

// Lookup returns who gets a message of sender to these recipients: each once, never the sender, by recipient and
// then in the order of joining. The result is valid until the next Lookup, and only the owner of the table may ask.
func (t *Table) Lookup(to []do.Channel, sender *Member) []*Member {
	return t.own.find(to, sender)
}

// Receivers is Lookup for a message: a call to an UberDOG goes to one of those that listen (rule 171).
func (t *Table) Receivers(m *wire.Message, sender *Member) []*Member {
	return t.own.receivers(m, sender)
}

// anyLocal reports whether some member is of this node.
func anyLocal(members []*Member) bool {
	for _, m := range members {
		if !m.peer {
			return true
		}
	}
	return false
}

// insert returns a copy of members with m in its place by order of joining.
func insert(members []*Member, m *Member) []*Member {
	i := len(members)
	for i > 0 && members[i-1].order > m.order {
		i--
	}
	out := make([]*Member, 0, len(members)+1)
	out = append(out, members[:i]...)
	out = append(out, m)
	return append(out, members[i:]...)
}

// drop returns a copy of members without m.
func drop(members []*Member, m *Member) []*Member {
	if len(members) <= 1 {
		return nil
	}
	out := make([]*Member, 0, len(members)-1)
	for _, o := range members {
		if o != m {
			out = append(out, o)
		}
	}
	return out
}
