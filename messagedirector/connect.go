package messagedirector

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/otpd/otpd/do"
)

// Limits of this node's connection.
const (
	pendingBytes  = 512 << 20 // received and not read yet, before packets are dropped and the links start over
	reconnectWait = 50 * time.Millisecond
	joinTimeout   = 20 * time.Second
)

// Connect makes the director a node of a running cluster. It returns when the node takes part and the nodes that live have
// exchanged their subscriptions with it. ctx bounds the start only. A refused credential is ErrCredential.
func (d *Director) Connect(ctx context.Context, url string, config NodeConfig) (*Node, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return d.connect(ctx, url, config, nil)
}

// connect is Connect with what must be closed at the end of the node, or at once if there is none.
func (d *Director) connect(ctx context.Context, url string, config NodeConfig, closing []func(), options ...nats.Option) (*Node, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	n, err := d.newNode(url, config)
	if err != nil {
		closeAll(closing)
		return nil, err
	}
	n.closing = closing
	if err := n.dial(options); err != nil {
		closeAll(closing)
		return nil, err
	}
	if err := n.enter(ctx); err != nil {
		n.conn.Close()
		closeAll(closing)
		return nil, err
	}
	if err := n.meetAll(ctx); err != nil {
		return nil, errors.Join(err, n.Close(context.WithoutCancel(ctx)))
	}
	return n, nil
}

func (d *Director) newNode(url string, config NodeConfig) (*Node, error) {
	hosts, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	id, err := newNodeID()
	if err != nil {
		return nil, err
	}
	return &Node{
		director: d, id: id, config: config, url: url, host: hosts,
		log:   d.config.Log.With("self", id),
		ended: make(chan struct{}), changed: make(chan struct{}), back: make(chan struct{}, 1),
		estates: map[do.ID]map[uint64]postRemoves{}, gone: map[do.ID]struct{}{},
	}, nil
}

// dial connects to the bus.
func (n *Node) dial(options []nats.Option) error {
	var err error
	if n.conn, err = nats.Connect(n.url, append(n.options(), options...)...); err != nil {
		if errors.Is(err, nats.ErrAuthorization) {
			err = ErrCredential
		}
		return fmt.Errorf("messagedirector: join %s: %w", n.host, err)
	}
	return nil
}

// newNodeID makes a name that no node ever had.
func newNodeID() (do.ID, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return do.ID{}, fmt.Errorf("messagedirector: join: %w", err)
	}
	return do.NewID(0, time.Now().UnixMilli(), binary.BigEndian.Uint64(b[:])), nil
}

func (n *Node) options() []nats.Option {
	return []nats.Option{
		nats.Name(n.config.Name),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait, reconnectWait),
		nats.ReconnectBufSize(-1), // what is sent without a connection fails at once: the link starts over
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { n.down.CompareAndSwap(0, time.Now().UnixNano()) }),
		nats.ReconnectHandler(func(*nats.Conn) { n.reconnected() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			n.log.Warn("bus", "err", err)
			if errors.Is(err, nats.ErrSlowConsumer) {
				n.interrupted("packets were dropped: this node reads too slowly")
			}
		}),
	}
}

// enter listens, takes an epoch, enters the registry, and starts the node's goroutines.
func (n *Node) enter(ctx context.Context) error {
	sub, err := n.conn.SubscribeSync(n.subject(n.id.String()))
	if err != nil {
		return fmt.Errorf("messagedirector: join: %w", err)
	}
	if err := errors.Join(sub.SetPendingLimits(-1, pendingBytes), n.conn.FlushWithContext(ctx)); err != nil {
		return fmt.Errorf("messagedirector: join: %w", err)
	}
	n.inbound = sub
	js, err := jetstream.New(n.conn)
	if err != nil {
		return fmt.Errorf("messagedirector: join: %w", err)
	}
	if n.registry, err = openRegistry(ctx, js, n.config.Cluster); err != nil {
		return err
	}
	if !n.config.before.IsZero() {
		if err := n.declare(ctx, n.config.before); err != nil {
			return err
		}
	}
	if !n.config.After.IsZero() {
		if err := n.succeed(ctx, n.config.After); err != nil {
			return err
		}
	}
	if n.epoch, err = n.registry.nextEpoch(ctx); err != nil {
		return err
	}
	return n.begin(ctx)
}
