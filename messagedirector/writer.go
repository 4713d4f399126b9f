package messagedirector

import (
	"errors"

	"github.com/otpd/otpd/wire"
)

// batchWeight is about how many bytes of messages go into one packet. A message that is larger goes alone.
const batchWeight = 256 << 10

// write sends what is queued for a peer, in order: packets of their own, and messages batched between them.
func (n *Node) write(p *peer) {
	defer n.work.Done()
	defer close(p.finished)
	var batch []wire.Message
	var packets []placed
	for {
		ok, taken, err := p.member.inbox.take(&batch, packets)
		packets = taken
		if err != nil && !errors.Is(err, ErrOverflow) { // that is over when the link has been started over
			return
		}
		if ok {
			if n.writeAll(p, batch, packets) {
				return
			}
			continue
		}
		select {
		case <-p.member.inbox.wake:
		case <-p.stop:
			return
		}
	}
}

// writeAll sends what was taken from a queue, and reports whether that ended with a goodbye.
func (n *Node) writeAll(p *peer, messages []wire.Message, packets []placed) (last bool) {
	at := 0
	for _, q := range packets {
		n.writeMessages(p, messages[at:q.at])
		at = q.at
		n.publish(p, q.packet)
		if _, last = q.packet.(*wire.BusGoodbye); last {
			return true
		}
	}
	n.writeMessages(p, messages[at:])
	return false
}

// writeMessages sends messages in packets of about batchWeight.
func (n *Node) writeMessages(p *peer, messages []wire.Message) {
	for len(messages) > 0 {
		size, count := 0, 0
		for count < len(messages) && (count == 0 || size < batchWeight) {
			size += weight(&messages[count])
			count++
		}
		n.publish(p, &wire.BusBatch{Messages: messages[:count]})
		messages = messages[count:]
	}
}

// largest is how many bytes a packet may have that is not sent in parts: what any NATS carries that is not told otherwise
// (1 MiB), with the envelope of a part.
const largest = 1<<20 - 1<<10

// publish hands a packet to the connection, in parts if it is large. Without a connection it is lost: the link starts over
// when there is one again.
func (n *Node) publish(p *peer, packet wire.Packet) {
	b := n.encode(p, packet)
	if len(b) <= largest {
		n.transmit(p, packet, b)
		return
	}
	p.seq-- // the parts have the numbers
	for len(b) > 0 {
		size := min(len(b), largest)
		part := &wire.BusPart{Last: size == len(b), Bytes: b[:size]}
		b = b[size:]
		if !n.transmit(p, packet, n.encode(p, part)) {
			return
		}
	}
}

// encode numbers a packet and encodes it.
func (n *Node) encode(p *peer, packet wire.Packet) []byte {
	p.seq++
	*source(packet) = wire.Source{Node: n.id, Epoch: n.epoch, Seq: p.seq}
	return wire.AppendPacket(nil, packet)
}

// transmit sends the bytes of a packet, or of a part of it.
func (n *Node) transmit(p *peer, packet wire.Packet, b []byte) (ok bool) {
	err := n.conn.Publish(n.subject(p.id.String()), b)
	if err == nil {
		return true
	}
	if !n.conn.IsConnected() {
		n.log.Debug("packet not sent: no connection", "node", p.id, "packet", packet.PacketType().String())
		return false
	}
	n.log.Error("packet not sent", "node", p.id, "packet", packet.PacketType().String(), "err", err)
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	n.restart(p, err.Error())
	return false
}

func (n *Node) subject(node string) string { return "otp." + n.config.Cluster + ".node." + node }
