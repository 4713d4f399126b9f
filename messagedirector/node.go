package messagedirector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// ErrEpochDead ends a node that its peers have declared dead, and all its participants: its will has been run and
// nobody takes anything from it any more. The process must connect again, as a new node.
var ErrEpochDead = errors.New("this node's epoch is dead")

// ErrClosed ends a node that said goodbye.
var ErrClosed = errors.New("the node is closed")

// Node is a director's place in a cluster.
type Node struct {
	// Set before run, then read-only.
	director *Director
	id       do.ID
	epoch    uint64
	config   NodeConfig
	log      *slog.Logger
	conn     *nats.Conn
	registry *registry
	url      string
	host     string   // of url, without its credential
	closing  []func() // what must be ended after the connection, last first

	inbound *nats.Subscription // Owned by the reader.

	down atomic.Int64  // since when there is no connection, unix nanoseconds; 0: there is one
	back chan struct{} // receives when there is one again; capacity 1

	work   sync.WaitGroup // reader, keeper, writers
	cancel context.CancelFunc
	ended  chan struct{} // closed when the node has ended

	// Guarded by the director's mu.
	peers   []*peer                          // in the order in which they were found
	number  uint64                           // of the last change of subscriptions
	waits   []wait                           // in the order in which they were asked for
	listed  bool                             // all nodes that were in the registry at the start are known
	changed chan struct{}                    // closed and made anew when something came that Connect waits for
	err     error                            // why the node ended
	gone    map[do.ID]struct{}               // nodes that died or left: never met again, however late news of them is
	estates map[do.ID]map[uint64]postRemoves // wills of dead nodes, until they have been run
	vacant  []do.Range                       // object channels that nodes hosted which are gone
	refused uint64                           // packets of nodes that are not alive
}

// wait is an answer that is held until every node that hosts partitions has acknowledged.
type wait struct {
	participant *Participant
	to          do.Channel
	answer      *wire.ChannelsAdded
	number      uint64
}

// ID is the node's name in the cluster, made for this epoch.
func (n *Node) ID() do.ID { return n.id }

// Epoch is greater than that of every node that joined before.
func (n *Node) Epoch() uint64 { return n.epoch }

// URL is what another process joins with. It contains the credential.
func (n *Node) URL() string { return n.url }

// Done is closed when the node has ended.
func (n *Node) Done() <-chan struct{} { return n.ended }

// Err says why the node ended: ErrEpochDead, ErrClosed; nil while it lives.
func (n *Node) Err() error {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	return n.err
}

// tell passes a change of subscriptions to all peers. Called under the director's mu.
func (n *Node) tell(d Delta) {
	if d.IsEmpty() {
		return
	}
	for _, part := range d.parts(n.director.part) {
		n.number++
		for _, p := range n.peers {
			n.packet(p, n.subscribe(part, false))
		}
	}
}

// maxSubscriptions is how many channels, or ranges, one packet may have: so none takes its receiver long.
const maxSubscriptions = 1 << 16

// parts splits a change so that none of its lists is longer than size. There is one part at least.
func (d Delta) parts(size int) []Delta {
	var out []Delta
	for {
		out = append(out, Delta{
			Add: first(&d.Add, size), Remove: first(&d.Remove, size),
			AddRanges: first(&d.AddRanges, size), RemoveRanges: first(&d.RemoveRanges, size),
		})
		if d.IsEmpty() {
			return out
		}
	}
}

// first cuts off and returns the first elements of a list.
func first[T any](list *[]T, size int) []T {
	n := min(size, len(*list))
	head := (*list)[:n:n]
	*list = (*list)[n:]
	return head
}

func (n *Node) subscribe(d Delta, reset bool) *wire.BusSubscribe {
	return &wire.BusSubscribe{
		Number: n.number, Reset: reset,
		AddChannels: d.Add, RemoveChannels: d.Remove, AddRanges: d.AddRanges, RemoveRanges: d.RemoveRanges,
	}
}

// packet puts a packet into the queue to a peer, behind what is there. The writer fills in its source, so each peer
// gets a packet of its own.
func (n *Node) packet(p *peer, packet wire.Packet) {
	p.member.inbox.putPacket(packet, baseWeight, new(clock))
}

// will tells all peers what a member has stored under a key; nothing any more, if so. Called under the director's mu.
func (n *Node) will(m *Member, key do.Channel) {
	for _, p := range n.peers {
		n.packet(p, willOf(m, key))
	}
}

func willOf(m *Member, key do.Channel) *wire.BusWill {
	w := &wire.BusWill{Participant: m.order, Key: key}
	if k := m.posts.keys[key]; k != nil {
		w.Messages = slices.Clone(k.messages)
	}
	return w
}

// snapshot starts the link to a peer over: a hello, the wills of all participants, and all subscriptions, which
// complete it. Called under the director's mu.
func (n *Node) snapshot(p *peer, reply bool) {
	covered := n.director.table.Covered()
	n.packet(p, &wire.BusHello{
		Name: n.config.Name, Partitions: len(covered.AddRanges) > 0, Reply: reply, Clock: time.Now().UnixNano(),
	})
	for _, q := range n.director.participants {
		for _, key := range q.member.posts.sorted() {
			n.packet(p, willOf(q.member, key))
		}
	}
	parts := covered.parts(n.director.part)
	for i, part := range parts {
		n.packet(p, n.subscribe(part, i == len(parts)-1))
	}
	if p.number > 0 {
		n.packet(p, &wire.BusAck{Number: p.number}) // the one before may have been lost
	}
	if n.director.gate.own() {
		n.packet(p, &wire.BusCredit{Held: true})
	}
}

// await holds an answer until every node that hosts partitions has acknowledged all changes so far. It reports false
// if there is nothing to wait for. Called under the director's mu.
func (n *Node) await(p *Participant, to do.Channel, answer *wire.ChannelsAdded) bool {
	if n.acknowledged(n.number) {
		return false
	}
	n.waits = append(n.waits, wait{participant: p, to: to, answer: answer, number: n.number})
	return true
}

// acknowledged reports whether changes up to number are in force wherever partitions may be. A peer that has not
// told all its subscriptions yet may host some.
func (n *Node) acknowledged(number uint64) bool {
	for _, p := range n.peers {
		if (p.hosts || !p.synced) && p.acked < number {
			return false
		}
	}
	return true
}

// settle sends the answers that need not wait any more. Called under the director's mu when a peer acknowledged,
// became known, or went.
func (n *Node) settle() {
	close(n.changed)
	n.changed = make(chan struct{})
	n.waits = slices.DeleteFunc(n.waits, func(w wait) bool {
		if !n.acknowledged(w.number) {
			return false
		}
		w.participant.answer(w.to, w.answer)
		return true
	})
}

// forget drops the answers that a participant waits for. Called under the director's mu.
func (n *Node) forget(p *Participant) {
	n.waits = slices.DeleteFunc(n.waits, func(w wait) bool { return w.participant == p })
}

// find returns the peer of a node in an epoch, nil if it is none. Called under the director's mu.
func (n *Node) find(node do.ID, epoch uint64) *peer {
	for _, p := range n.peers {
		if p.id == node && p.epoch == epoch {
			return p
		}
	}
	return nil
}

// isPeer reports whether p has not parted. Called under the director's mu.
func (n *Node) isPeer(p *peer) bool { return slices.Contains(n.peers, p) }

// meet makes a peer of a living node and starts the link to it. It returns nil if the node was met before and is
// gone. Called under the director's mu.
func (n *Node) meet(rec *record, reply bool) *peer {
	if _, gone := n.gone[rec.Node]; gone || n.err != nil {
		return nil
	}
	d := n.director
	p := &peer{id: rec.Node, epoch: rec.Epoch, name: rec.Name, lost: true}
	p.stop, p.finished = make(chan struct{}), make(chan struct{})
	queue := newInbox(d.gate, d.config.HighWater, d.config.Limit, d.start)
	p.member = d.table.join(&Member{name: "node " + rec.Name, peer: true, inbox: queue})
	n.peers = append(n.peers, p)
	n.snapshot(p, reply)
	n.work.Add(1)
	go n.write(p)
	n.log.Info("node joined", "node", p.id, "name", p.name, "epoch", p.epoch)
	return p
}

// part ends a peer: its subscriptions end, nothing of it is accepted any more, and all participants hear that its link is lost for
// good. Called under the director's mu.
func (n *Node) part(p *peer, why string) {
	i := slices.Index(n.peers, p)
	if i < 0 {
		return
	}
	n.peers = slices.Delete(n.peers, i, i+1)
	n.gone[p.id] = struct{}{}
	n.vacant = join(n.vacant, p.hosted)
	n.director.table.Leave(p.member)
	n.credit(p, false)
	p.member.inbox.fail(ErrLeft)
	close(p.stop)
	n.announce(p, true)
	n.settle()
	n.log.Info("node gone", "node", p.id, "name", p.name, "epoch", p.epoch, "reason", why)
}

// announce tells all participants that what was in flight to and from a peer may be lost, and which partitions it hosts.
func (n *Node) announce(p *peer, dead bool) {
	for _, q := range n.director.participants {
		q.answer(do.Control(do.RoleDirector), p.linkLost(dead))
	}
}

// linkLost is what participants are told of the loss.
func (p *peer) linkLost(dead bool) *wire.LinkLost {
	return &wire.LinkLost{Node: p.id, Epoch: p.epoch, Dead: dead, Hosts: slices.Clone(p.hosted)}
}

// lose gives up what comes from a peer until its next hello, and asks for that. Called under the director's mu.
func (n *Node) lose(p *peer, why string) {
	if p.lost {
		return // and asked for
	}
	p.lost = true
	p.lostLinks++
	n.packet(p, &wire.BusLost{Reason: why})
	n.announce(p, false)
	n.log.Warn("link lost", "node", p.id, "name", p.name, "reason", why)
}

// restart sends a peer everything from the beginning, because what was sent to it is lost. Called under the director's mu.
func (n *Node) restart(p *peer, why string) {
	p.member.inbox.deafen(n.director.participants)
	n.startOver(p, why)
}

// startOver is restart when what repositories send to the peer is dropped already.
func (n *Node) startOver(p *peer, why string) {
	p.lostLinks++
	n.snapshot(p, true)
	for _, q := range n.director.participants {
		q.hears(p, p.linkLost(false)) // after the hello is queued: what they send from then on comes behind it
	}
	n.log.Warn("link starts over", "node", p.id, "name", p.name, "reason", why)
}

// overflowed starts the link to a peer over whose queue is past its limit. Called under the director's mu.
func (n *Node) overflowed(m *Member) {
	for _, p := range n.peers {
		if p.member == m {
			m.inbox.deafen(n.director.participants)
			m.inbox.reset()
			n.startOver(p, "queue over its limit")
			return
		}
	}
}

// interrupted starts all links over, in both directions: the connection was lost, or packets were dropped.
func (n *Node) interrupted(why string) {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	if n.err != nil {
		return
	}
	for _, p := range n.peers {
		n.lose(p, why)
		n.restart(p, why)
	}
}

// insist asks again for the hello of those whose link has been lost for some time: the wish may have been lost, too.
func (n *Node) insist() {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	for _, p := range n.peers {
		switch {
		case !p.lost:
			p.silent = 0
		case p.silent < 4:
			p.silent++
		default:
			p.silent = 0
			n.packet(p, &wire.BusLost{Reason: "no hello yet"})
		}
	}
}

// credit counts a peer that has no credit to give. Called under the director's mu.
func (n *Node) credit(p *peer, held bool) {
	if p.held == held {
		return
	}
	p.held = held
	if held {
		n.director.gate.raiseForeign()
	} else {
		n.director.gate.lowerForeign()
	}
}

// stats adds what concerns peers. Called under the director's mu.
func (n *Node) stats(s *Stats) {
	s.Strange = n.refused
	for _, p := range n.peers {
		s.Peers = append(s.Peers, PeerStats{Node: p.id, Name: p.name, Epoch: p.epoch, Queue: p.member.inbox.Stats(), Lost: p.lostLinks})
	}
}
