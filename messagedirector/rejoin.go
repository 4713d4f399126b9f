package messagedirector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/otpd/otpd/do"
)

// ErrCut ends a node that had no connection to the bus for too long, and all its participants. The process must connect
// again, as a new node: see NodeConfig.After.
var ErrCut = errors.New("cut off from the bus for too long")

// willTime is how long what a will has sent may be under way.
const willTime = time.Second

// Down is for how long there has been no connection to the bus, 0 while there is one.
func (n *Node) Down() time.Duration {
	since := n.down.Load()
	if since == 0 {
		return 0
	}
	return max(1, time.Duration(time.Now().UnixNano()-since))
}

// reconnected starts all links over, and has the registry watched anew: the server may be another one.
func (n *Node) reconnected() {
	n.down.Store(0)
	n.interrupted("the connection to the bus was lost")
	select {
	case n.back <- struct{}{}:
	default:
	}
}

// watchAgain begins to watch the registry anew. The watch that there was finds out by itself that its server forgot it,
// but only after a quarter of a minute.
func (n *Node) watchAgain(ctx context.Context, again chan<- jetstream.KeyWatcher) {
	for {
		w, err := n.registry.watch(ctx)
		if err == nil {
			select {
			case again <- w:
			case <-ctx.Done():
			}
			return
		}
		if pause(ctx, n.config.Lease/12) != nil {
			return
		}
	}
}

// Abandon ends the node without a goodbye, for want of a connection: its participants fail with ErrCut. What it leaves
// is found by its peers when its lease runs out, or by the node that comes after it.
func (n *Node) Abandon() {
	d := n.director
	d.mu.Lock()
	if n.err == nil {
		n.err = fmt.Errorf("messagedirector: node %s: %w", n.id, ErrCut)
	}
	d.mu.Unlock()
	n.cancel()
	<-n.ended
}

// succeed makes sure that nobody runs the will of the node that this process was, from now on.
func (n *Node) succeed(ctx context.Context, before do.ID) error {
	for {
		rec, err := n.registry.get(ctx, before)
		switch {
		case err != nil:
			return err
		case rec == nil || rec.State == stateLeft:
			return nil
		case rec.State == stateAlive:
			rec.State = stateLeft
			if err = n.registry.swap(ctx, rec); err == nil {
				return nil
			}
			if !errors.Is(err, errLost) {
				return err
			}
		case rec.Done:
			return pause(ctx, willTime)
		default:
			if err := pause(ctx, n.config.Lease/12); err != nil {
				return err
			}
		}
	}
}

// declare declares a node dead. Its will is for who has it.
func (n *Node) declare(ctx context.Context, dead do.ID) error {
	rec, err := n.registry.get(ctx, dead)
	if err != nil || rec == nil || rec.State != stateAlive {
		return err
	}
	rec.State, rec.By, rec.Done = stateDead, do.ID{}, false
	if err = n.registry.swap(ctx, rec); errors.Is(err, errLost) {
		return nil // somebody else did
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("messagedirector: join: %w", ctx.Err())
	}
}
