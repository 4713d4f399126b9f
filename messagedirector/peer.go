package messagedirector

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// peer is another node as this one knows it: a member of the table whose inbox is the queue of what goes to it.
type peer struct {
	// Set before run, then read-only.
	id       do.ID
	epoch    uint64
	name     string
	member   *Member
	stop     chan struct{} // closed when its writer must end
	finished chan struct{} // closed when its writer has ended

	// Guarded by the director's mu.
	acked  uint64                 // the last of this node's subscription changes that is in force there
	number uint64                 // the last of its own subscription changes that is in force here
	told   bool                   // it has acknowledged something: it knows this node
	synced bool                   // all of its subscriptions and its will have come
	hosts  bool                   // it hosts partitions
	hosted []do.Range             // those that it hosts or hosted
	held   bool                   // it has no credit to give
	lost   bool                   // what it sends is dropped until its next hello
	met    bool                   // its first hello has come
	wills  map[uint64]postRemoves // by participant: what must be routed if it dies; nil: not known yet
	coming map[uint64]postRemoves // the same of a snapshot that has not ended; nil: there is none
	partly Delta                  // the subscriptions of that snapshot so far

	next   uint64 // Owned by the reader: the sequence number of the next packet
	pieces []byte // Owned by the reader: of a packet that comes in parts
	seq    uint64 // Owned by the writer: the sequence number of the last packet

	silent int // Guarded by the director's mu: ticks since its hello was asked for

	lostLinks uint64 // Guarded by the director's mu.
}

// PeerStats are the measures of the link to another node.
type PeerStats struct {
	Node  do.ID
	Name  string
	Epoch uint64
	Queue InboxStats
	Lost  uint64 // how often the link started over
}

// source is the place of a packet in the order of what comes from a peer.
func source(p wire.Packet) *wire.Source {
	switch p := p.(type) {
	case *wire.BusHello:
		return &p.Source
	case *wire.BusSubscribe:
		return &p.Source
	case *wire.BusAck:
		return &p.Source
	case *wire.BusBatch:
		return &p.Source
	case *wire.BusWill:
		return &p.Source
	case *wire.BusLost:
		return &p.Source
	case *wire.BusCredit:
		return &p.Source
	case *wire.BusGoodbye:
		return &p.Source
	case *wire.BusPart:
		return &p.Source
	}
	return nil
}

// order says what to do with a packet.
type order int

const (
	inOrder order = iota
	duplicate
	outOfOrder // something between was lost
	unwanted   // the link is lost, and this is no hello
)

// host takes over what the peer covers of object channels, and gives what is new among it. What it hosted once counts
// when its link is lost: on its way out it unsubscribes first.
func (p *peer) host(ranges []do.Range) (fresh []do.Range) {
	p.hosts = len(ranges) > 0
	before := len(p.hosted)
	p.hosted = join(p.hosted, ranges)
	return p.hosted[before:]
}

// join appends the ranges that are not in a list yet.
func join(list, ranges []do.Range) []do.Range {
	for _, r := range ranges {
		if !slices.Contains(list, r) {
			list = append(list, r)
		}
	}
	return list
}

// overlap reports whether some ranges have a channel in common with others.
func overlap(some, others []do.Range) bool {
	return slices.ContainsFunc(some, func(a do.Range) bool {
		return slices.ContainsFunc(others, func(b do.Range) bool {
			return a.Lo.Compare(b.Hi) <= 0 && b.Lo.Compare(a.Hi) <= 0
		})
	})
}

// arrives judges a packet by its sequence number and counts it. A hello starts the sequence anew.
func (p *peer) arrives(seq uint64, hello bool) order {
	switch {
	case !p.lost && seq < p.next:
		return duplicate
	case hello:
	case p.lost:
		return unwanted
	case seq > p.next:
		return outOfOrder
	}
	p.next = seq + 1
	return inOrder
}

// keep stores one key of a participant's post-removes, as its node told. What belongs to a snapshot takes effect with the
// end of that: until then the will from before is good.
func (p *peer) keep(w *wire.BusWill) {
	wills := p.wills
	if p.coming != nil {
		wills = p.coming
	}
	posts := wills[w.Participant]
	posts.clear(w.Key)
	for _, m := range w.Messages {
		posts.add(w.Key, m)
	}
	if len(posts.keys) == 0 {
		delete(wills, w.Participant)
		return
	}
	wills[w.Participant] = posts
}
