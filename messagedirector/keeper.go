package messagedirector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// keeper renews this node's lease and judges those of the others. It is owned by one goroutine. An operation on the
// registry that takes long makes the next tick late, and then nobody is judged.
type keeper struct {
	node    *Node
	own     *record
	records map[do.ID]*record // of the other nodes, as last heard; a living one is a peer
	since   map[do.ID]time.Duration
	leases  *leases
	start   time.Time
	renewed time.Duration // when the last renewal was asked for that succeeded
	asked   time.Duration // when the last renewal was asked for
	held    bool          // what the peers were last told of this node's credit
}

func newKeeper(n *Node, own *record) *keeper {
	return &keeper{
		node: n, own: own, records: map[do.ID]*record{}, since: map[do.ID]time.Duration{},
		leases: newLeases(n.config.Lease, 0), start: time.Now(),
	}
}

func (k *keeper) now() time.Duration { return time.Since(k.start) }

// run ends with the context, or when this node has been declared dead.
func (k *keeper) run(ctx context.Context, w jetstream.KeyWatcher) error {
	tick := time.NewTicker(k.node.config.Lease / 12)
	defer tick.Stop()
	again := make(chan jetstream.KeyWatcher)
	for {
		select {
		case <-k.node.back:
			k.node.work.Go(func() { k.node.watchAgain(ctx, again) })
		case fresh := <-again:
			_ = w.Stop() // the server that it was of may be gone
			w = fresh
		case e, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("messagedirector: watch of the registry ended: %w", ErrClosed)
			}
			if e == nil {
				k.node.list()
				continue
			}
			k.entry(e)
		case <-tick.C:
			if err := k.tick(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// entry takes a change of the registry.
func (k *keeper) entry(e jetstream.KeyValueEntry) {
	rec, err := parseRecord(e)
	if err != nil {
		k.node.log.Error("registry", "err", err)
		return
	}
	if rec.Node == k.node.id {
		return
	}
	if old := k.records[rec.Node]; old != nil && old.revision >= rec.revision {
		return
	}
	k.took(rec)
	if e.Operation() != jetstream.KeyValuePut {
		k.forget(rec.Node)
	}
}

// took brings what this node knows in line with a record.
func (k *keeper) took(rec *record) {
	n := k.node
	k.records[rec.Node] = rec
	k.leases.renewed(rec.Node, k.now())
	if rec.State != stateAlive {
		k.since[rec.Node] = k.now()
	}
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	if n.err != nil {
		return
	}
	p := n.find(rec.Node, rec.Epoch)
	switch {
	case rec.State == stateAlive && p == nil:
		n.meet(rec, false)
	case rec.State == stateLeft:
		delete(n.estates, rec.Node)
	case rec.State == stateDead:
		if p := n.named(rec.Node); p != nil {
			n.bury(p, "declared dead")
		}
		if rec.Done {
			delete(n.estates, rec.Node)
		}
	}
}

// tick renews, judges and cleans up.
func (k *keeper) tick(ctx context.Context) error {
	now := k.now()
	late := now-k.leases.ticked > k.leases.lateness()
	if late || now-k.asked >= k.node.config.Lease/6 {
		if err := k.renew(ctx); err != nil {
			return err
		}
	}
	fresh := now-k.renewed <= k.node.config.Lease/2
	for _, node := range k.leases.tick(now, fresh) {
		k.expired(ctx, k.records[node])
	}
	k.tellCredit()
	k.node.insist()
	return nil
}

// renew renews this node's lease. ErrEpochDead: somebody else changed the record.
func (k *keeper) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.node.config.Lease/3)
	defer cancel()
	k.asked = k.now()
	rec := *k.own
	rec.Beat++
	err := k.node.registry.swap(ctx, &rec)
	if errors.Is(err, errLost) {
		return k.check(ctx)
	}
	if err != nil {
		if !k.node.conn.IsConnected() {
			err = nats.ErrDisconnected // else it is that nothing is kept to be sent later
		}
		k.node.log.Warn("lease not renewed", "err", err)
		return nil
	}
	*k.own = rec
	k.renewed = k.asked
	return nil
}

// check reads the record after a renewal that lost. It may be that an earlier renewal was made although its answer
// was lost; else this node is dead.
func (k *keeper) check(ctx context.Context) error {
	rec, err := k.node.registry.get(ctx, k.node.id)
	if err != nil {
		k.node.log.Warn("lease not renewed", "err", err)
		return nil
	}
	if rec == nil || rec.State != stateAlive || rec.Epoch != k.own.Epoch {
		return fmt.Errorf("messagedirector: node %s epoch %d: %w", k.node.id, k.own.Epoch, ErrEpochDead)
	}
	k.own = rec
	return nil
}

// expired does what is due for a node that nothing was heard of for a whole lease.
func (k *keeper) expired(ctx context.Context, rec *record) {
	ctx, cancel := context.WithTimeout(ctx, k.node.config.Lease/3)
	defer cancel()
	switch {
	case rec.State == stateAlive:
		k.claim(ctx, rec)
	case rec.State == stateLeft || rec.Done:
		k.cleanUp(ctx, rec)
	case rec.By == k.node.id || !k.alive(rec.By): // not finished here, or by who is dead now
		k.claim(ctx, rec)
	}
}

// alive reports whether a node runs, as far as this one knows.
func (k *keeper) alive(node do.ID) bool {
	if node == k.node.id {
		return true
	}
	rec := k.records[node]
	return rec != nil && rec.State == stateAlive
}

// claim declares a node dead, or takes over from a winner that died, and runs the will. One node wins (rule 11). Who
// has not heard the whole will leaves it to others, if there are any, for two leases more.
func (k *keeper) claim(ctx context.Context, rec *record) {
	n := k.node
	if !n.hasWill(rec.Node) && n.hasPeers() && k.now()-k.leases.seen[rec.Node] < 3*n.config.Lease {
		return
	}
	dead := *rec
	dead.State, dead.By, dead.Done = stateDead, n.id, false
	if err := n.registry.swap(ctx, &dead); err != nil {
		if !errors.Is(err, errLost) {
			n.log.Warn("node not declared dead", "node", rec.Node, "err", err)
		}
		return // whoever was faster: the watch will tell
	}
	n.log.Warn("node declared dead", "node", rec.Node, "name", rec.Name, "epoch", rec.Epoch)
	k.took(&dead)
	n.execute(rec.Node)
	dead.Done = true
	if err := n.registry.swap(ctx, &dead); err != nil {
		n.log.Warn("will not marked as done", "node", rec.Node, "err", err)
		return
	}
	k.took(&dead)
}

// cleanUp removes the record of a node that is gone for ten leases, and parts from one that left without its goodbye
// having arrived.
func (k *keeper) cleanUp(ctx context.Context, rec *record) {
	n := k.node
	n.director.mu.Lock()
	if p := n.named(rec.Node); p != nil {
		n.part(p, "it left")
	}
	n.director.mu.Unlock()
	if k.now()-k.since[rec.Node] < 10*n.config.Lease {
		return
	}
	if err := n.registry.remove(ctx, rec); err != nil {
		n.log.Warn("record not removed", "node", rec.Node, "err", err)
		return
	}
	k.forget(rec.Node)
}

// forget drops what is known of a node that the registry has forgotten.
func (k *keeper) forget(node do.ID) {
	delete(k.records, node)
	delete(k.since, node)
	k.leases.forget(node)
	n := k.node
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	delete(n.gone, node)
	delete(n.estates, node)
}

// tellCredit tells the peers when this node's credit changed.
func (k *keeper) tellCredit() {
	n := k.node
	held := n.director.gate.own()
	if held == k.held {
		return
	}
	k.held = held
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	for _, p := range n.peers {
		n.packet(p, &wire.BusCredit{Held: held})
	}
}

// list notes that all nodes that were in the registry at the start are known.
func (n *Node) list() {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	n.listed = true
	n.settle()
}

// named returns the peer of a node in whatever epoch. Called under the director's mu.
func (n *Node) named(node do.ID) *peer {
	i := slices.IndexFunc(n.peers, func(p *peer) bool { return p.id == node })
	if i < 0 {
		return nil
	}
	return n.peers[i]
}

// bury parts from a dead peer and keeps its will until the registry says that it has been run. Called under the
// director's mu.
func (n *Node) bury(p *peer, why string) {
	n.part(p, why)
	if p.wills != nil {
		n.estates[p.id] = p.wills
	}
}

// hasWill reports whether the whole will of a node is known here.
func (n *Node) hasWill(node do.ID) bool {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	if _, ok := n.estates[node]; ok {
		return true
	}
	p := n.named(node)
	return p != nil && p.wills != nil
}

// hasPeers reports whether there are other nodes that this one has heard of all they subscribe to.
func (n *Node) hasPeers() bool {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	return slices.ContainsFunc(n.peers, func(p *peer) bool { return p.synced })
}

// execute runs the will of a dead node: participants in the order in which they joined, each one's post-removes as it
// would have sent them.
func (n *Node) execute(node do.ID) {
	d := n.director
	d.mu.Lock()
	wills, ok := n.estates[node]
	participants := make([]uint64, 0, len(wills))
	for id := range wills {
		participants = append(participants, id)
	}
	slices.Sort(participants)
	var messages []wire.Message
	for _, id := range participants {
		posts := wills[id]
		messages = append(messages, posts.all()...)
	}
	d.mu.Unlock()
	if !ok {
		n.log.Error("the will of a dead node is not known", "node", node)
	}
	sent := d.route(nil, messages)
	d.gone.merge(&sent.count)
	n.log.Info("will run", "node", node, "messages", len(messages))
}
