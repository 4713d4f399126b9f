package messagedirector

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/otpd/otpd/do"
)

// shards is how many parts the index of channels has. A part grows by itself, so that growing a table of a million
// subscriptions never stops changes for longer than it takes to copy one part.
const shards = 64

// index finds the members that subscribed to exactly one channel. Readers need no lock: a bucket is a chain of
// entries that never change, replaced as a whole by one atomic store. There is one writer at a time.
type index struct {
	seed   uint64
	shards [shards]shard
}

type shard struct {
	buckets atomic.Pointer[[]atomic.Pointer[entry]]
	entries int // Owned by the writer.
}

// entry is one subscribed channel. It is immutable; members are in the order in which they joined and never empty.
type entry struct {
	channel do.Channel
	members []*Member
	next    *entry
}

// hash mixes the 24 bytes of a channel with the table's seed by two wide multiplications (the mixer of wyhash).
func (x *index) hash(c do.Channel) uint64 {
	a := binary.LittleEndian.Uint64(c.ID[:8])
	b := binary.LittleEndian.Uint64(c.ID[8:])
	k := uint64(c.Kind)<<32 | uint64(c.Zone)
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^x.seed)
	hi2, lo2 := bits.Mul64(hi^lo^k, 0xe7037ed1a0b428db^x.seed)
	return hi2 ^ lo2
}

// lookup returns the members of c, nil if there are none. It may be called at any time by anyone.
func (x *index) lookup(c do.Channel) []*Member {
	if e := x.entry(c); e != nil {
		return e.members
	}
	return nil
}

func (x *index) entry(c do.Channel) *entry {
	h := x.hash(c)
	buckets := x.shards[h%shards].buckets.Load()
	if buckets == nil {
		return nil
	}
	e := (*buckets)[slot(h, len(*buckets))].Load()
	for e != nil && e.channel != c {
		e = e.next
	}
	return e
}

// slot is the bucket of a hash in a shard of n buckets, a power of two. The low bits have chosen the shard.
func slot(h uint64, n int) int { return int(h/shards) & (n - 1) }

// set gives c these members; none removes it. Only the writer calls it.
func (x *index) set(c do.Channel, members []*Member) {
	h := x.hash(c)
	s := &x.shards[h%shards]
	buckets := x.room(s)
	b := &buckets[slot(h, len(buckets))]
	old := b.Load()
	rest, had := without(old, c)
	switch {
	case len(members) > 0:
		b.Store(&entry{channel: c, members: members, next: rest})
		if !had {
			s.entries++
		}
	case had:
		b.Store(rest)
		s.entries--
	}
}

// without copies the part of a chain before c, shares the part behind it, and reports whether c was there.
func without(e *entry, c do.Channel) (*entry, bool) {
	if e == nil {
		return nil, false
	}
	if e.channel == c {
		return e.next, true
	}
	rest, had := without(e.next, c)
	if !had {
		return e, false
	}
	return &entry{channel: e.channel, members: e.members, next: rest}, true
}

// room returns the shard's buckets, doubled when there is less than one for each entry. Readers of the old buckets
// see what held until now.
func (x *index) room(s *shard) []atomic.Pointer[entry] {
	p := s.buckets.Load()
	if p == nil {
		grown := make([]atomic.Pointer[entry], 8)
		s.buckets.Store(&grown)
		return grown
	}
	if s.entries < len(*p) {
		return *p
	}
	grown := make([]atomic.Pointer[entry], 2*len(*p))
	for i := range *p {
		for e := (*p)[i].Load(); e != nil; e = e.next {
			b := &grown[slot(x.hash(e.channel), len(grown))]
			b.Store(&entry{channel: e.channel, members: e.members, next: b.Load()})
		}
	}
	s.buckets.Store(&grown)
	return grown
}

// each calls f for every entry, in no order that means anything.
func (x *index) each(f func(*entry)) {
	for i := range x.shards {
		p := x.shards[i].buckets.Load()
		if p == nil {
			continue
		}
		for j := range *p {
			for e := (*p)[j].Load(); e != nil; e = e.next {
				f(e)
			}
		}
	}
}
