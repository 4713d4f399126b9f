package wire

import (
	"slices"

	"github.com/otpd/otpd/do"
)

// Control messages go to the message director itself: their only recipient is its control channel (rule 5). The
// director handles them at their place in the sender's order.

// AddChannels subscribes the sender. With Context, ChannelsAdded answers when every node that hosts partitions knows.
type AddChannels struct {
	Context  uint32
	Channels []do.Channel
}

func (*AddChannels) Type() Type       { return TypeAddChannels }
func (m *AddChannels) String() string { return text(m) }

func (m *AddChannels) code(c *coder) {
	num(c, "context", &m.Context)
	list(c, "channels", &m.Channels, 1, plainChannel)
}

// ChannelsAdded answers AddChannels and AddRanges.
type ChannelsAdded struct{ Context uint32 }

func (*ChannelsAdded) Type() Type       { return TypeChannelsAdded }
func (m *ChannelsAdded) String() string { return text(m) }

func (m *ChannelsAdded) code(c *coder) {
	num(c, "context", &m.Context)
}

// RemoveChannels ends subscriptions. Channels and ranges are counted apart (rule 7).
type RemoveChannels struct{ Channels []do.Channel }

func (*RemoveChannels) Type() Type       { return TypeRemoveChannels }
func (m *RemoveChannels) String() string { return text(m) }

func (m *RemoveChannels) code(c *coder) {
	list(c, "channels", &m.Channels, 1, plainChannel)
}

// AddRanges subscribes the sender to ranges.
type AddRanges struct {
	Context uint32
	Ranges  []do.Range
}

func (*AddRanges) Type() Type       { return TypeAddRanges }
func (m *AddRanges) String() string { return text(m) }

func (m *AddRanges) code(c *coder) {
	num(c, "context", &m.Context)
	list(c, "ranges", &m.Ranges, 3, plainRange)
}

// RemoveRanges ends range subscriptions.
type RemoveRanges struct{ Ranges []do.Range }

func (*RemoveRanges) Type() Type       { return TypeRemoveRanges }
func (m *RemoveRanges) String() string { return text(m) }

func (m *RemoveRanges) code(c *coder) {
	list(c, "ranges", &m.Ranges, 3, plainRange)
}

// AddPostRemove stores a message that is routed when the sender goes (rule 10). It must be idempotent (rule 11).
type AddPostRemove struct {
	Key     do.Channel
	Message Message
}

func (*AddPostRemove) Type() Type       { return TypeAddPostRemove }
func (m *AddPostRemove) String() string { return text(m) }

func (m *AddPostRemove) code(c *coder) {
	c.channel("key", &m.Key)
	c.message("message", &m.Message)
}

// ClearPostRemoves forgets the messages stored under Key.
type ClearPostRemoves struct{ Key do.Channel }

func (*ClearPostRemoves) Type() Type       { return TypeClearPostRemoves }
func (m *ClearPostRemoves) String() string { return text(m) }

func (m *ClearPostRemoves) code(c *coder) {
	c.channel("key", &m.Key)
}

// LinkLost tells the participants of a process that messages from or to a node may have been lost: requests in
// flight there fail, and if it hosts objects, watched locations are opened again. It is also said of a node that comes
// to host what a dead one did: what was sent in between is lost. Of a node that is dead the objects are gone.
type LinkLost struct {
	Node  do.ID
	Epoch uint64     // of the node
	Dead  bool       // the node is gone for good: its will was run, and this epoch is refused
	Hosts []do.Range // of object channels, whose State is there
}

// Holds reports whether the State of an object is behind the link.
func (m *LinkLost) Holds(id do.ID) bool {
	c := do.ObjectChannel(id)
	return slices.ContainsFunc(m.Hosts, func(r do.Range) bool { return r.Contains(c) })
}

func (*LinkLost) Type() Type       { return TypeLinkLost }
func (m *LinkLost) String() string { return text(m) }

func (m *LinkLost) code(c *coder) {
	c.id("node", &m.Node)
	num(c, "epoch", &m.Epoch)
	c.bool("dead", &m.Dead)
	list(c, "hosts", &m.Hosts, 3, plainRange)
}
