package wire

import "github.com/otpd/otpd/do"

// After a lost link the States of parents and children compare what they know of each other. What moved, came, or was
// deleted meanwhile is set right by that, as if its message had arrived late.

// ChildrenHere says to the State of a parent which children of it live at the sender: all of them, in one or several
// messages. It is answered by ChildrenKnown. It is also the answer to AskChildren; then it has only what is Gone.
type ChildrenHere struct {
	Parent   do.ID
	Children []Child
	Gone     []do.ID // asked for, and not children of the parent (any more)
}

func (*ChildrenHere) Type() Type       { return TypeChildrenHere }
func (m *ChildrenHere) String() string { return text(m) }

func (m *ChildrenHere) code(c *coder) {
	c.id("parent", &m.Parent)
	list(c, "children", &m.Children, 6, nest[*Child])
	list(c, "gone", &m.Gone, 1, plainID)
}

// Child is one child in ChildrenHere.
type Child struct {
	DO      do.ID
	Class   uint32
	Zone    do.Zone
	Version do.Version
	Entered bool // the parent acknowledged it where it is
}

func (m *Child) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "class", &m.Class)
	num(c, "zone", &m.Zone)
	c.version(&m.Version)
	c.bool("entered", &m.Entered)
}

// ChildrenKnown answers ChildrenHere: who is in the parent's list, which acknowledges an arrival as LocationAck does, and
// who was deleted with or by the parent without hearing of it.
type ChildrenKnown struct {
	Parent  do.ID
	AI      do.Channel // of the parent
	Listed  []Listed
	Deleted []Listed
}

func (*ChildrenKnown) Type() Type       { return TypeChildrenKnown }
func (m *ChildrenKnown) String() string { return text(m) }

func (m *ChildrenKnown) code(c *coder) {
	c.id("parent", &m.Parent)
	c.channel("ai", &m.AI)
	list(c, "listed", &m.Listed, 4, nest[*Listed])
	list(c, "deleted", &m.Deleted, 4, nest[*Listed])
}

// AskChildren asks the State of a partition which of the children that a parent lists there are none any more. All DOs
// are of one partition; it is addressed to the channel of the first. With Dead the State that had them is dead, and they are
// listed no more: those that are there again, in a State that has taken over, are said, too.
type AskChildren struct {
	Parent do.ID
	DOs    []do.ID
	Dead   bool
}

func (*AskChildren) Type() Type       { return TypeAskChildren }
func (m *AskChildren) String() string { return text(m) }

func (m *AskChildren) code(c *coder) {
	c.id("parent", &m.Parent)
	list(c, "dos", &m.DOs, 1, plainID)
	c.bool("dead", &m.Dead)
}
