package messagedirector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/otpd/otpd/wire"
)

// ErrNode says that a director is a node of a cluster already.
var ErrNode = errors.New("the director is a node already")

// begin takes the director, enters the registry and starts the node's goroutines.
func (n *Node) begin(ctx context.Context) error {
	d := n.director
	d.mu.Lock()
	taken := d.node != nil
	if !taken {
		d.node = n
	}
	d.mu.Unlock()
	if taken {
		return fmt.Errorf("messagedirector: join: %w", ErrNode)
	}
	life, cancel := context.WithCancel(context.Background())
	own := &record{Node: n.id, Name: n.config.Name, Epoch: n.epoch, State: stateAlive}
	w, err := n.registry.watch(life)
	if err == nil {
		err = n.registry.create(ctx, own)
	}
	if err != nil {
		cancel()
		d.mu.Lock()
		d.node = nil
		d.mu.Unlock()
		return err
	}
	n.cancel = cancel
	n.work.Add(1)
	go n.read(life)
	go n.live(life, newKeeper(n, own), w)
	return nil
}

// live keeps the node's lease until it ends, and then ends everything else.
func (n *Node) live(ctx context.Context, k *keeper, w jetstream.KeyWatcher) {
	cause := k.run(ctx, w)
	n.cancel()

	d := n.director
	d.mu.Lock()
	if n.err == nil {
		n.err = cause
	}
	cause = n.err
	d.mu.Unlock()
	d.fail(cause)

	d.mu.Lock()
	for _, p := range slices.Clone(n.peers) {
		n.part(p, cause.Error())
	}
	d.node = nil
	d.mu.Unlock()
	n.log.Info("node ended", "epoch", n.epoch, "err", cause)
	n.work.Wait()
	if errors.Is(cause, ErrClosed) {
		n.sign(k.own)
	}
	n.conn.Close()
	closeAll(n.closing)
	close(n.ended)
}

// sign enters into the registry that this node left in good order.
func (n *Node) sign(own *record) {
	if !n.conn.IsConnected() {
		return // its lease will run out
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.config.Lease)
	defer cancel()
	left := *own
	left.State = stateLeft
	err := n.registry.swap(ctx, &left)
	if errors.Is(err, errLost) { // to a renewal of this node that was interrupted, or to who declared it dead
		var now *record
		if now, err = n.registry.get(ctx, n.id); now != nil && now.State == stateAlive {
			left.revision = now.revision
			err = n.registry.swap(ctx, &left)
		}
	}
	if err != nil {
		n.log.Warn("departure not entered", "err", err)
	}
}

// Close leaves the cluster in good order: all participants leave, which routes their post-removes, the peers hear a
// goodbye, and the node ends with ErrClosed. If ctx ends first, the rest is done without waiting for the peers.
func (n *Node) Close(ctx context.Context) error {
	d := n.director
	d.mu.Lock()
	participants := slices.Clone(d.participants)
	d.mu.Unlock()
	for _, p := range participants {
		d.remove(p, ErrClosed)
	}
	var err error
	select {
	case <-n.ended:
	default:
		err = n.goodbye(ctx)
	}
	d.mu.Lock()
	if n.err == nil {
		n.err = fmt.Errorf("messagedirector: node %s: %w", n.id, ErrClosed)
	}
	d.mu.Unlock()
	n.cancel()
	<-n.ended
	return err
}

// goodbye is the last packet to every peer; it returns when the bus has them.
func (n *Node) goodbye(ctx context.Context) error {
	d := n.director
	d.mu.Lock()
	peers := slices.Clone(n.peers)
	for _, p := range peers {
		n.packet(p, &wire.BusGoodbye{Reason: "closed"})
	}
	d.mu.Unlock()
	if !n.conn.IsConnected() {
		return fmt.Errorf("messagedirector: close: %w", nats.ErrDisconnected)
	}
	for _, p := range peers {
		select {
		case <-p.finished:
		case <-n.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("messagedirector: close: %w", ctx.Err())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.Lease)
	defer cancel()
	err := n.conn.FlushWithContext(ctx)
	if errors.Is(err, nats.ErrConnectionClosed) { // what nats.go says when it is lost meanwhile
		err = nats.ErrDisconnected
	}
	if err != nil {
		return fmt.Errorf("messagedirector: close: %w", err)
	}
	return nil
}

// meetAll waits until the nodes that were in the registry have told their subscriptions and have this node's in
// force. It waits for one lease at most: who does not answer by then is dead, or will be found to be.
func (n *Node) meetAll(ctx context.Context) error {
	late := time.NewTimer(n.config.Lease)
	defer late.Stop()
	for {
		met, changed, err := n.met()
		if met || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-late.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("messagedirector: join: %w", ctx.Err())
		}
	}
}

func (n *Node) met() (met bool, changed <-chan struct{}, err error) {
	n.director.mu.Lock()
	defer n.director.mu.Unlock()
	met = n.listed
	for _, p := range n.peers {
		met = met && p.synced && p.told
	}
	return met, n.changed, n.err
}
