package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Packets travel between the directors of two processes, over a bus that keeps the order from one node to another
// but may lose its tail. Each is a msgpack array of the packet's number and its members, as frames are.
//
// Every packet says from which node and epoch it is. Packets of an epoch that is dead are refused.

// Packet is a pointer to one of the Bus structs.
type Packet interface {
	PacketType() PacketType
	String() string
	code(c *coder)
}

// PacketType is a packet's number.
type PacketType uint16

// The numbers of packets.
const (
	PacketBusHello     PacketType = 1
	PacketBusSubscribe PacketType = 2
	PacketBusAck       PacketType = 3
	PacketBusBatch     PacketType = 4
	PacketBusGoodbye   PacketType = 5
	PacketBusWill      PacketType = 6
	PacketBusLost      PacketType = 7
	PacketBusCredit    PacketType = 8
	PacketBusPart      PacketType = 9
)

// packetSpec is what is known of a packet apart from its members.
type packetSpec struct {
	number uint16
	name   string
	empty  func() Packet
}

// packets is every packet, ascending by number.
var packets = []packetSpec{
	{1, "BusHello", func() Packet { return new(BusHello) }},
	{2, "BusSubscribe", func() Packet { return new(BusSubscribe) }},
	{3, "BusAck", func() Packet { return new(BusAck) }},
	{4, "BusBatch", func() Packet { return new(BusBatch) }},
	{5, "BusGoodbye", func() Packet { return new(BusGoodbye) }},
	{6, "BusWill", func() Packet { return new(BusWill) }},
	{7, "BusLost", func() Packet { return new(BusLost) }},
	{8, "BusCredit", func() Packet { return new(BusCredit) }},
	{9, "BusPart", func() Packet { return new(BusPart) }},
}

// find is the row of a number, nil if there is no such packet.
func (t PacketType) find() *packetSpec {
	i, ok := slices.BinarySearchFunc(packets, t, func(s packetSpec, t PacketType) int { return cmp.Compare(s.number, uint16(t)) })
	if !ok {
		return nil
	}
	return &packets[i]
}

// String is the name of the packet.
func (t PacketType) String() string {
	if s := t.find(); s != nil {
		return s.name
	}
	return "packet " + strconv.Itoa(int(t))
}

// Source says from which life of which node a packet is, and its place in what that node sends to this one. Seq
// counts from 1 for each receiver, over all packets: a hole means that something was lost.
type Source struct {
	Node  do.ID
	Epoch uint64
	Seq   uint64
}

func (m *Source) code(c *coder) {
	c.id("node", &m.Node)
	num(c, "epoch", &m.Epoch)
	num(c, "seq", &m.Seq)
}

// BusHello is the first packet that a node sends to another. Who gets one from an unknown node answers with its own,
// then with all its subscriptions.
type BusHello struct {
	Source     Source
	Name       string // for people: the process and its host
	Proof      []byte // that it knows the cluster's token, where the bus does not check it itself
	Partitions bool   // it hosts partitions: openings wait for its acknowledgements
	Reply      bool   // it answers a hello
	Clock      int64  // of its host, unix nanoseconds, to report hosts whose clocks differ
}

func (*BusHello) PacketType() PacketType { return PacketBusHello }
func (m *BusHello) String() string       { return text(m) }

func (m *BusHello) code(c *coder) {
	c.nested("source", &m.Source)
	c.string("name", &m.Name)
	c.bytes("proof", &m.Proof)
	c.bool("partitions", &m.Partitions)
	c.bool("reply", &m.Reply)
	c.int("clock", &m.Clock)
}

// BusSubscribe changes what a node listens to: only what becomes covered or silent as a whole (rule 8); ranges stay
// ranges. Number counts the changes of the node; BusAck repeats it.
type BusSubscribe struct {
	Source         Source
	Number         uint64
	Reset          bool // forget all before it: this is the whole
	AddChannels    []do.Channel
	RemoveChannels []do.Channel
	AddRanges      []do.Range
	RemoveRanges   []do.Range
}

func (*BusSubscribe) PacketType() PacketType { return PacketBusSubscribe }
func (m *BusSubscribe) String() string       { return text(m) }

func (m *BusSubscribe) code(c *coder) {
	c.nested("source", &m.Source)
	num(c, "subscription", &m.Number)
	c.bool("reset", &m.Reset)
	list(c, "addChannels", &m.AddChannels, 1, plainChannel)
	list(c, "removeChannels", &m.RemoveChannels, 1, plainChannel)
	list(c, "addRanges", &m.AddRanges, 3, plainRange)
	list(c, "removeRanges", &m.RemoveRanges, 3, plainRange)
}

// BusAck says that changes up to Number are in force: what this node sends from now on takes them into account.
type BusAck struct {
	Source Source
	Number uint64
}

func (*BusAck) PacketType() PacketType { return PacketBusAck }
func (m *BusAck) String() string       { return text(m) }

func (m *BusAck) code(c *coder) {
	c.nested("source", &m.Source)
	num(c, "subscription", &m.Number)
}

// BusBatch carries messages in order. A message goes once to each node that has a listener.
type BusBatch struct {
	Source   Source
	Messages []Message
}

func (*BusBatch) PacketType() PacketType { return PacketBusBatch }
func (m *BusBatch) String() string       { return text(m) }

func (m *BusBatch) code(c *coder) {
	c.nested("source", &m.Source)
	list(c, "messages", &m.Messages, 5, plainMessage)
}

// BusWill keeps a copy of a participant's post-removes with its peers, so that they outlive its process (rule 11).
// It replaces what was kept before under the same participant and key; without Messages it clears it.
type BusWill struct {
	Source      Source
	Participant uint64 // of the node
	Key         do.Channel
	Messages    []Message
}

func (*BusWill) PacketType() PacketType { return PacketBusWill }
func (m *BusWill) String() string       { return text(m) }

func (m *BusWill) code(c *coder) {
	c.nested("source", &m.Source)
	num(c, "participant", &m.Participant)
	c.channel("key", &m.Key)
	list(c, "messages", &m.Messages, 5, plainMessage)
}

// BusGoodbye ends a node's epoch in good order: it has routed its post-removes itself.
type BusGoodbye struct {
	Source Source
	Reason string
}

func (*BusGoodbye) PacketType() PacketType { return PacketBusGoodbye }
func (m *BusGoodbye) String() string       { return text(m) }

func (m *BusGoodbye) code(c *coder) {
	c.nested("source", &m.Source)
	c.string("reason", &m.Reason)
}

// BusLost asks who gets it to start over with a hello: what it sent was lost on the way, or came in the wrong order.
type BusLost struct {
	Source Source
	Reason string
}

func (*BusLost) PacketType() PacketType { return PacketBusLost }
func (m *BusLost) String() string       { return text(m) }

func (m *BusLost) code(c *coder) {
	c.nested("source", &m.Source)
	c.string("reason", &m.Reason)
}

// BusCredit says whether an inbox of the node is past its high-water mark: then originators everywhere hold back.
type BusCredit struct {
	Source Source
	Held   bool
}

func (*BusCredit) PacketType() PacketType { return PacketBusCredit }
func (m *BusCredit) String() string       { return text(m) }

func (m *BusCredit) code(c *coder) {
	c.nested("source", &m.Source)
	c.bool("held", &m.Held)
}

// BusPart is a piece of a packet that is larger than a bus carries at once. The pieces, up to the one that is Last, are its
// bytes; each counts in Seq, and the Seq within means nothing. A hello and a BusLost are never in pieces.
type BusPart struct {
	Source Source
	Last   bool
	Bytes  []byte
}

func (*BusPart) PacketType() PacketType { return PacketBusPart }
func (m *BusPart) String() string       { return text(m) }

func (m *BusPart) code(c *coder) {
	c.nested("source", &m.Source)
	c.bool("last", &m.Last)
	c.bytes("bytes", &m.Bytes)
}

// AppendPacket appends p.
func AppendPacket(dst []byte, p Packet) []byte {
	c := coder{mode: encoding, buf: dst}
	c.packet(p)
	return c.buf
}

// packet codes the number and the members of p.
func (c *coder) packet(p Packet) {
	m := c.open()
	t := p.PacketType()
	num(c, "number", &t)
	p.code(c)
	c.close(m)
}

// DecodePacket decodes b, which must be exactly one packet. Values alias b, which must not be reused. Errors wrap
// ErrMalformed or ErrUnknown.
func DecodePacket(b []byte) (Packet, error) {
	_, rest, err := fields.ReadArrayHeader(b)
	if err != nil {
		return nil, fmt.Errorf("wire: decode packet: %w: %w", ErrMalformed, err)
	}
	n, _, err := fields.ReadUint(rest)
	if err != nil {
		return nil, fmt.Errorf("wire: decode packet: %w: %w", ErrMalformed, err)
	}
	s := PacketType(min(n, 1<<16-1)).find()
	if s == nil {
		return nil, fmt.Errorf("wire: decode packet %d: %w", n, ErrUnknown)
	}
	p := s.empty()
	c := coder{mode: decoding, buf: b}
	c.packet(p)
	if err := c.finish(); err != nil {
		return nil, fmt.Errorf("wire: decode %s: %w: %w", s.name, ErrMalformed, err)
	}
	return p, nil
}
