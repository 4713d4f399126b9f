package messagedirector

import (
	"encoding/binary"
	"math/bits"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// router finds the receivers of messages for one sender, and is owned by it. It marks by slot who has been found
// already, so that neither a map nor a search is needed however many recipients and receivers there are.
type router struct {
	table *Table
	local bool // find no peers: for what came from one (rule 9)
	found []*Member
	marks []uint32 // by slot: the turn in which the member was found
	turn  uint32
}

// find returns who gets a message of sender to these recipients, in the order of Table.Lookup. The result is valid
// until the next find.
func (r *router) find(to []do.Channel, sender *Member) []*Member {
	r.found = r.found[:0]
	r.turn++
	if r.turn == 0 {
		clear(r.marks)
		r.turn = 1
	}
	if sender != nil {
		r.mark(sender) // it never gets its own message back (rule 2)
	}
	for _, c := range to {
		if c.IsZero() {
			continue // rule 15
		}
		r.take(r.table.exact.lookup(c))
		if c.Kind < kinds {
			if s := r.table.ranges[c.Kind].Load(); s != nil {
				r.take(s.find(c))
			}
		}
	}
	return r.found
}

// receivers is find for a message. A call to an UberDOG has exactly one receiver (rule 171): of those that listen, always
// the same for one caller as long as they are the same, so that its calls stay in order.
func (r *router) receivers(m *wire.Message, sender *Member) []*Member {
	found := r.find(m.To, sender)
	if len(found) < 2 || len(m.To) != 1 || m.To[0].Kind != do.KindUberDOG {
		return found
	}
	call, ok := m.Body.(*wire.Call)
	if !ok {
		return found
	}
	i := choice(call.Caller, m.To[0], r.local, len(found))
	return found[i : i+1]
}

// choice spreads callers evenly over n receivers. Among the nodes, and again among the members of the chosen node, it
// draws anew, or half of these would never be drawn.
func choice(caller, to do.Channel, local bool, n int) int {
	h := uint64(0x9e3779b97f4a7c15)
	if local {
		h = 0xc2b2ae3d27d4eb4f
	}
	for _, id := range [2]do.ID{caller.ID, to.ID} {
		for _, part := range [2]uint64{binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])} {
			hi, lo := bits.Mul64(h^part, 0xa0761d6478bd642f)
			h = hi ^ lo ^ 0xe7037ed1a0b428db
		}
	}
	hi, _ := bits.Mul64(h, uint64(n))
	return int(hi)
}

func (r *router) take(members []*Member) {
	for _, m := range members {
		if r.local && m.peer {
			continue
		}
		if r.mark(m) {
			r.found = append(r.found, m)
		}
	}
}

// mark reports whether m had no mark in this turn, and gives it one.
func (r *router) mark(m *Member) bool {
	if int(m.slot) >= len(r.marks) {
		grown := make([]uint32, max(int(r.table.slots.Load()), int(m.slot)+1))
		copy(grown, r.marks)
		r.marks = grown
	}
	if r.marks[m.slot] == r.turn {
		return false
	}
	r.marks[m.slot] = r.turn
	return true
}
