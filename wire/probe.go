package wire

import (
	"github.com/otpd/otpd/do"
)

// How cycles of parents are found through several States (rule 29).

// Probe walks up the chain of parents that an object would have after a move, from State to State: at the end Asker
// hears whether the mover is in it, and so would be its own ancestor (rule 29). It is addressed to At. Where it meets an
// object that is about to move itself, the lower Lead goes on, and the other one's walk is begun again; a higher one
// waits until it is decided. So of moves that would make a cycle together one sees the other.
type Probe struct {
	Context uint32
	Asker   do.Channel // the mover's State
	Mover   do.ID
	Lead    do.ID // the lowest of the objects that move together: the rank among moves
	At      do.ID // the next link of the chain
	Arrival bool  // At is the new parent: from now on it counts as one that has a child
	Leaf    bool  // nothing is below the mover, so only the new parent is asked
	Plan    []PlannedMove
}

func (*Probe) Type() Type       { return TypeProbe }
func (m *Probe) String() string { return text(m) }

func (m *Probe) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("asker", &m.Asker)
	c.id("mover", &m.Mover)
	c.id("lead", &m.Lead)
	c.id("at", &m.At)
	c.bool("arrival", &m.Arrival)
	c.bool("leaf", &m.Leaf)
	list(c, "plan", &m.Plan, 2, nest[*PlannedMove])
}

// PlannedMove is a move that goes before the mover's in the same bundle.
type PlannedMove struct {
	DO     do.ID
	Parent do.ID
}

func (m *PlannedMove) code(c *coder) {
	c.id("do", &m.DO)
	c.id("parent", &m.Parent)
}

// Probed answers Probe to Asker.
type Probed struct {
	Context uint32
	Mover   do.ID
	Cycle   bool
}

func (*Probed) Type() Type       { return TypeProbed }
func (m *Probed) String() string { return text(m) }

func (m *Probed) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("mover", &m.Mover)
	c.bool("cycle", &m.Cycle)
}
