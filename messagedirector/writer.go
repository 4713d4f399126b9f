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

// publish numbers a packet and hands it to the connection. Without a connection it is lost: the link starts over
// when there is one again.
func (n *Node) publish(p *peer, packet wire.Packet) {
	p.seq++
	*source(packet) = wire.Source{Node: n.id, Epoch: n.epoch, Seq: p.seq}
	err := n.conn.Publish(n.subject(p.id.String()), wire.AppendPacket(nil, packet))
	if err == nil {
		return
	}
	n.log.Error("packet not sent", "node", p.id, "packet", packet.PacketType().String(), "err", err)
	if n.conn.IsConnected() {
		n.director.mu.Lock()
		defer n.director.mu.Unlock()
		n.restart(p, err.Error())
	}
}

func (n *Node) subject(node string) string { return "otp." + n.config.Cluster + ".node." + node }
