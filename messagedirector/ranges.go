package messagedirector

import (
	"sort"

	"github.com/otpd/otpd/do"
)

// segment is a part of the channels of one kind, from lo to hi, both included, that the same members cover.
type segment struct {
	lo, hi  do.Channel
	members []*Member // in the order in which they joined, never empty, never changed
}

// segments are disjoint and ascending. The slice is never changed after it was published.
type segments []segment

// find returns the members that cover c.
func (s segments) find(c do.Channel) []*Member {
	lo, hi := 0, len(s)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s[mid].hi.Compare(c) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s) && s[lo].lo.Compare(c) <= 0 {
		return s[lo].members
	}
	return nil
}

// change applies f to the members of every part of r: to nil where nobody covers it. It returns a new slice; parts
// outside of r are shared with the old one, and equal neighbours become one.
func (s segments) change(r do.Range, f func(part do.Range, members []*Member) []*Member) segments {
	first := sort.Search(len(s), func(i int) bool { return s[i].hi.Compare(r.Lo) >= 0 })
	last := first + sort.Search(len(s)-first, func(i int) bool { return s[first+i].lo.Compare(r.Hi) > 0 })
	out := append(make(segments, 0, len(s)+2*(last-first)+3), s[:first]...)
	next := r.Lo // the first channel of r that is not done
	done := false
	for _, seg := range s[first:last] {
		if seg.lo.Compare(r.Lo) < 0 {
			out = out.add(segment{lo: seg.lo, hi: before(r.Lo), members: seg.members})
			seg.lo = r.Lo
		}
		if seg.lo.Compare(next) > 0 {
			gap := do.Range{Lo: next, Hi: before(seg.lo)}
			out = out.add(segment{lo: gap.Lo, hi: gap.Hi, members: f(gap, nil)})
		}
		part := do.Range{Lo: seg.lo, Hi: seg.hi}
		if seg.hi.Compare(r.Hi) > 0 {
			part.Hi = r.Hi
		}
		out = out.add(segment{lo: part.Lo, hi: part.Hi, members: f(part, seg.members)})
		if seg.hi.Compare(r.Hi) > 0 {
			out = out.add(segment{lo: after(r.Hi), hi: seg.hi, members: seg.members})
		}
		if done = seg.hi.Compare(r.Hi) >= 0; !done {
			next = after(seg.hi)
		}
	}
	if !done {
		gap := do.Range{Lo: next, Hi: r.Hi}
		out = out.add(segment{lo: gap.Lo, hi: gap.Hi, members: f(gap, nil)})
	}
	for _, seg := range s[last:] {
		out = out.add(seg)
	}
	return out
}

// add appends a segment, as a part of the last one where it continues it with the same members.
func (s segments) add(seg segment) segments {
	if len(seg.members) == 0 {
		return s
	}
	if n := len(s) - 1; n >= 0 && adjacent(s[n].hi, seg.lo) && same(s[n].members, seg.members) {
		s[n].hi = seg.hi
		return s
	}
	return append(s, seg)
}

func same(a, b []*Member) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// adjacent reports whether no channel lies between a and b.
func adjacent(a, b do.Channel) bool { return a.Compare(b) < 0 && after(a) == b }

// after is the next channel of the same kind: zone first, then id. There must be one.
func after(c do.Channel) do.Channel {
	c.Zone++
	for i := len(c.ID) - 1; c.Zone == 0 && i >= 0; i-- {
		c.ID[i]++
		if c.ID[i] != 0 {
			break
		}
	}
	return c
}

// before is the channel of the same kind whose next is c. There must be one.
func before(c do.Channel) do.Channel {
	c.Zone--
	for i := len(c.ID) - 1; c.Zone == ^do.Zone(0) && i >= 0; i-- {
		c.ID[i]--
		if c.ID[i] != 0xff {
			break
		}
	}
	return c
}

// appendRange appends r, as a part of the last range where it continues it.
func appendRange(rs []do.Range, r do.Range) []do.Range {
	if n := len(rs) - 1; n >= 0 && rs[n].Lo.Kind == r.Lo.Kind && adjacent(rs[n].Hi, r.Lo) {
		rs[n].Hi = r.Hi
		return rs
	}
	return append(rs, r)
}

// subtract is the part of have, which is ascending and disjoint, that is not in without.
func subtract(have, without []do.Range) []do.Range {
	left := make(segments, 0, len(have))
	some := []*Member{nil}
	for _, r := range have {
		left = append(left, segment{lo: r.Lo, hi: r.Hi, members: some})
	}
	for _, r := range without {
		left = left.change(r, func(do.Range, []*Member) []*Member { return nil })
	}
	var out []do.Range
	for _, seg := range left {
		out = append(out, do.Range{Lo: seg.lo, Hi: seg.hi})
	}
	return out
}
