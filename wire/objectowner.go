package wire

import (
	"github.com/otpd/otpd/do"
)

// Whose objects are: the AI that runs them, and the owner that they belong to.

// SetAI gives an object an explicit AI, none included; Inherit goes back to the parent's (rules 41 to 45).
type SetAI struct {
	Context uint32
	DO      do.ID
	AI      do.Channel
	Inherit bool
}

func (*SetAI) Type() Type       { return TypeSetAI }
func (m *SetAI) String() string { return text(m) }

func (m *SetAI) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.channel("ai", &m.AI)
	c.bool("inherit", &m.Inherit)
}

// ChangingAI tells the old AI, and on the children channel those who inherit, of a change (rule 42).
type ChangingAI struct {
	DO      do.ID
	Version do.Version
	New     do.Channel
	Old     do.Channel
}

func (*ChangingAI) Type() Type       { return TypeChangingAI }
func (m *ChangingAI) String() string { return text(m) }

func (m *ChangingAI) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.channel("new", &m.New)
	c.channel("old", &m.Old)
}

// EnterAI gives an object to its new AI, everything stored in it (rule 43).
type EnterAI struct{ Entry Entry }

func (*EnterAI) Type() Type       { return TypeEnterAI }
func (m *EnterAI) String() string { return text(m) }

func (m *EnterAI) code(c *coder) {
	c.nested("entry", &m.Entry)
}

// GetAI asks for an object's AI. Answered by GetAIResp.
type GetAI struct {
	Context uint32
	DO      do.ID
}

func (*GetAI) Type() Type       { return TypeGetAI }
func (m *GetAI) String() string { return text(m) }

func (m *GetAI) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetAIResp answers GetAI.
type GetAIResp struct {
	Context uint32
	DO      do.ID
	AI      do.Channel
}

func (*GetAIResp) Type() Type       { return TypeGetAIResp }
func (m *GetAIResp) String() string { return text(m) }

func (m *GetAIResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.channel("ai", &m.AI)
}

// SetOwner changes an object's owner (rule 52).
type SetOwner struct {
	Context uint32
	DO      do.ID
	Owner   do.Channel
}

func (*SetOwner) Type() Type       { return TypeSetOwner }
func (m *SetOwner) String() string { return text(m) }

func (m *SetOwner) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.channel("owner", &m.Owner)
}

// ChangingOwner tells the old owner (rule 52).
type ChangingOwner struct {
	DO      do.ID
	Version do.Version
	New     do.Channel
	Old     do.Channel
}

func (*ChangingOwner) Type() Type       { return TypeChangingOwner }
func (m *ChangingOwner) String() string { return text(m) }

func (m *ChangingOwner) code(c *coder) {
	c.id("do", &m.DO)
	c.version(&m.Version)
	c.channel("new", &m.New)
	c.channel("old", &m.Old)
}

// EnterOwner gives an object to its new owner (rule 53).
type EnterOwner struct{ Entry Entry }

func (*EnterOwner) Type() Type       { return TypeEnterOwner }
func (m *EnterOwner) String() string { return text(m) }

func (m *EnterOwner) code(c *coder) {
	c.nested("entry", &m.Entry)
}

// GetOwner asks for an object's owner. Answered by GetOwnerResp.
type GetOwner struct {
	Context uint32
	DO      do.ID
}

func (*GetOwner) Type() Type       { return TypeGetOwner }
func (m *GetOwner) String() string { return text(m) }

func (m *GetOwner) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// GetOwnerResp answers GetOwner.
type GetOwnerResp struct {
	Context uint32
	DO      do.ID
	Owner   do.Channel
}

func (*GetOwnerResp) Type() Type       { return TypeGetOwnerResp }
func (m *GetOwnerResp) String() string { return text(m) }

func (m *GetOwnerResp) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.channel("owner", &m.Owner)
}

// AskHeld asks States to say again what belongs to whom: EnterOwner of every object that one of Owners owns, and
// EnterAI of every object that AI runs, or only of the DOs. It has no other answer; that an object is held no more,
// AskEntries tells. A participant sends it when messages to it may have been lost.
type AskHeld struct {
	Owners []do.Channel
	AI     do.Channel // none: it is no AI
	DOs    []do.ID    // of one State, to the channel of the first; empty: all
}

func (*AskHeld) Type() Type       { return TypeAskHeld }
func (m *AskHeld) String() string { return text(m) }

func (m *AskHeld) code(c *coder) {
	list(c, "owners", &m.Owners, 1, plainChannel)
	c.channel("ai", &m.AI)
	list(c, "dos", &m.DOs, 1, plainID)
}

// HeldDigest is what a State tells each owner and AI within a second after it sent them something as such: how much it
// was. Who counted otherwise missed something, and asks with AskHeld. An owner that is the AI, too, counts both in one.
type HeldDigest struct {
	Counts []HeldCount
	Lost   []HeldLost
}

func (*HeldDigest) Type() Type       { return TypeHeldDigest }
func (m *HeldDigest) String() string { return text(m) }

func (m *HeldDigest) code(c *coder) {
	list(c, "counts", &m.Counts, 3, nest[*HeldCount])
	list(c, "lost", &m.Lost, 2, nest[*HeldLost])
}

// HeldCount is how many Updates and ChangingLocations about an object named its holder as a recipient since the last
// EnterOwner or EnterAI to it, modulo 256.
type HeldCount struct {
	DO    do.ID
	Class uint32
	Count uint8
}

func (m *HeldCount) code(c *coder) {
	c.id("do", &m.DO)
	num(c, "class", &m.Class)
	num(c, "count", &m.Count)
}

// HeldLost is an object that is deleted, or owned or run by another now.
type HeldLost struct {
	DO do.ID
	AI bool // it was the AI; else the owner
}

func (m *HeldLost) code(c *coder) {
	c.id("do", &m.DO)
	c.bool("ai", &m.AI)
}
