package messagedirector

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/otpd/otpd/wire"
)

// read takes what comes to this node. It is one goroutine, so that what one node sends stays in order.
func (n *Node) read(ctx context.Context) {
	defer n.work.Done()
	in := &sending{router: router{table: n.director.table, local: true}}
	for {
		m, err := n.inbound.NextMsgWithContext(ctx)
		switch {
		case err == nil:
			n.receive(ctx, m.Data, in)
		case errors.Is(err, nats.ErrSlowConsumer):
			n.interrupted("packets were dropped: this node reads too slowly")
		default:
			return
		}
	}
}

// receive takes one packet.
func (n *Node) receive(ctx context.Context, data []byte, in *sending) {
	packet, err := wire.DecodePacket(data)
	if err != nil {
		n.log.Error("packet does not decode", "err", err)
		n.interrupted("a packet does not decode")
		return
	}
	src := source(packet)
	p := n.peer(ctx, src, packet)
	if p == nil {
		return
	}
	switch q := packet.(type) {
	case *wire.BusBatch:
		if n.accept(p, src.Seq, false) {
			n.deliver(p, q.Messages, in)
		}
	case *wire.BusPart:
		if n.accept(p, src.Seq, false) {
			n.collect(p, q, in)
		}
	default:
		n.handle(p, src.Seq, packet)
	}
}

// collect takes a piece of a packet, and the packet when the last one has come.
func (n *Node) collect(p *peer, part *wire.BusPart, in *sending) {
	p.pieces = append(p.pieces, part.Bytes...)
	if !part.Last {
		return
	}
	packet, err := wire.DecodePacket(p.pieces)
	p.pieces = nil
	if err != nil {
		n.log.Error("packet does not decode", "err", err)
		n.interrupted("a packet does not decode")
		return
	}
	if batch, ok := packet.(*wire.BusBatch); ok {
		n.deliver(p, batch.Messages, in)
		return
	}
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	if n.isPeer(p) {
		n.carryOut(p, packet)
	}
}

// peer finds who sent a packet. A hello of a node that is not known yet makes it known, if the registry says that it
// lives; nothing else of it is accepted.
func (n *Node) peer(ctx context.Context, src *wire.Source, packet wire.Packet) *peer {
	d := n.director
	d.mu.Lock()
	p := n.find(src.Node, src.Epoch)
	d.mu.Unlock()
	if p != nil || src.Node == n.id {
		return p
	}
	var rec *record
	if _, ok := packet.(*wire.BusHello); ok {
		rec = n.lookup(ctx, src)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if rec == nil {
		n.refused++
		n.log.Debug("packet refused", "node", src.Node, "epoch", src.Epoch, "packet", packet.PacketType().String())
		return nil
	}
	if p := n.find(src.Node, src.Epoch); p != nil {
		return p // the keeper was faster
	}
	return n.meet(rec, true)
}

// lookup asks the registry for a living node.
func (n *Node) lookup(ctx context.Context, src *wire.Source) *record {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	rec, err := n.registry.get(ctx, src.Node)
	if err != nil {
		n.log.Warn("node not found", "node", src.Node, "err", err)
	}
	if rec == nil || rec.State != stateAlive || rec.Epoch != src.Epoch {
		return nil
	}
	return rec
}

// accept counts a packet and reports whether it is the next one.
func (n *Node) accept(p *peer, seq uint64, hello bool) bool {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	return n.accepted(p, seq, hello)
}

// accepted is accept under the director's mu.
func (n *Node) accepted(p *peer, seq uint64, hello bool) bool {
	if !n.isPeer(p) {
		n.refused++ // it died meanwhile
		return false
	}
	switch p.arrives(seq, hello) {
	case inOrder:
		return true
	case outOfOrder:
		n.lose(p, "a hole in the sequence")
	}
	return false
}

// deliver routes messages of a peer to the participants of this node, never to other nodes (rule 9).
func (n *Node) deliver(p *peer, messages []wire.Message, in *sending) {
	for i := range messages {
		if in.send(&messages[i], p.member) {
			continue
		}
		if answer, ok := Nobody(&messages[i]); ok { // it left while the message was under way
			p.member.inbox.put(&answer, baseWeight, new(clock), nil)
		}
	}
	in.flush(n.director)
}

// handle carries out a packet that is no batch, if it is the next one.
func (n *Node) handle(p *peer, seq uint64, packet wire.Packet) {
	d := n.director
	d.mu.Lock()
	defer d.mu.Unlock()
	_, hello := packet.(*wire.BusHello)
	next := n.accepted(p, seq, hello)
	if lost, ok := packet.(*wire.BusLost); ok && (next || p.lost) && n.isPeer(p) {
		n.restart(p, lost.Reason) // a wish to start over counts behind a hole too: both directions may be lost
		return
	}
	if next {
		n.carryOut(p, packet)
	}
}

// carryOut does what a packet says. Called under the director's mu.
func (n *Node) carryOut(p *peer, packet wire.Packet) {
	switch q := packet.(type) {
	case *wire.BusHello:
		p.pieces = nil
		if p.met {
			n.announce(p, false) // what it sent since the loss is lost, too; or it starts over by itself, and knows of one
		}
		p.met, p.lost, p.synced = true, false, false
		p.coming, p.partly = map[uint64]postRemoves{}, Delta{}
		n.credit(p, false)
	case *wire.BusWill:
		p.keep(q)
	case *wire.BusSubscribe:
		n.subscribed(p, q)
	case *wire.BusAck:
		p.acked, p.told = max(p.acked, q.Number), true
		n.settle()
	case *wire.BusCredit:
		n.credit(p, q.Held)
	case *wire.BusGoodbye:
		n.part(p, "goodbye: "+q.Reason)
		n.estates[p.id] = nil // it has run its will itself
	}
}

// subscribed puts a peer's change in force and acknowledges it.
// What belongs to a snapshot takes effect with the last part of that.
func (n *Node) subscribed(p *peer, s *wire.BusSubscribe) {
	if p.coming != nil {
		p.partly.Add = append(p.partly.Add, s.AddChannels...)
		p.partly.AddRanges = append(p.partly.AddRanges, s.AddRanges...)
		if !s.Reset {
			return
		}
	}
	if err := n.change(p, s); err != nil {
		n.log.Error("subscription refused", "node", p.id, "err", err)
	}
	p.number = s.Number
	if fresh := p.host(n.director.table.Hosts(p.member)); p.synced && overlap(fresh, n.vacant) {
		n.announce(p, false) // it takes the place of a dead one: what was sent there in between is lost
	}
	n.packet(p, &wire.BusAck{Number: s.Number})
	n.settle()
}

func (n *Node) change(p *peer, s *wire.BusSubscribe) error {
	t := n.director.table
	if p.coming != nil {
		all := p.partly
		p.synced, p.wills, p.coming, p.partly = true, p.coming, nil, Delta{}
		return t.replace(p.member, all.Add, all.AddRanges)
	}
	for _, body := range []wire.Body{
		&wire.RemoveChannels{Channels: s.RemoveChannels}, &wire.RemoveRanges{Ranges: s.RemoveRanges},
		&wire.AddChannels{Channels: s.AddChannels}, &wire.AddRanges{Ranges: s.AddRanges},
	} {
		if _, err := t.Apply(p.member, body); err != nil {
			return err
		}
	}
	return nil
}
