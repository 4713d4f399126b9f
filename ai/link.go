package ai

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
)

// The times of a lost link.
const (
	cutAfter   = 3 * messagedirector.DefaultLease // without a connection the process counts as gone, and joins anew
	watchEvery = 250 * time.Millisecond
	againFirst = 100 * time.Millisecond // between two attempts to join; it doubles
	againMost  = 5 * time.Second
)

// link is how a process of its own is connected to the cluster.
type link struct {
	url    string // Set by open, then read-only.
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	node *messagedirector.Node // Owned by the loop. The one of before while the process is cut off.

	joins atomic.Uint64 // after the first
	up    atomic.Bool
	fails atomic.Uint64 // attempts to join that failed
}

// address is where the cluster is.
func (l *link) address() (string, error) {
	path, file := strings.CutPrefix(l.url, "file:")
	if !file {
		return l.url, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("join URL: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// open joins for the first time.
func (l *link) open(ctx context.Context, r *Repository, url string) (err error) {
	l.url = url
	if r.director, err = messagedirector.New(messagedirector.Config{Log: r.log}); err != nil {
		return err
	}
	address, err := l.address()
	if err != nil {
		return err
	}
	if l.node, err = r.director.Connect(ctx, address, messagedirector.NodeConfig{Name: r.name}); err != nil {
		return err
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return nil
}

// watch gives the node up when it has had no connection for too long, or when the cluster is somewhere else now. It is
// called on the loop.
func (l *link) watch(r *Repository) {
	l.up.Store(true)
	node := l.node
	l.work.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-node.Done():
				return
			case <-l.ctx.Done():
				return
			}
			down := node.Down()
			l.up.Store(down == 0)
			if address, err := l.address(); down > cutAfter || down > 0 && err == nil && address != node.URL() {
				r.log.Warn("ai: no connection to the cluster", "for", down.Round(time.Millisecond))
				node.Abandon()
				return
			}
		}
	})
}

// cutOff is called on the loop when the process is none of the cluster's any more. What is in flight fails, and it is
// joined again, however long that takes.
func (r *Repository) cutOff(cause error) {
	l := &r.link
	l.up.Store(false)
	r.log.Warn("ai: cut off from the cluster; joining again", "err", cause)
	r.participant = nil
	r.core.Away(r.loop.Now())
	before := l.node
	l.work.Go(func() {
		<-before.Done()
		if node := l.joinAgain(r, before.ID()); node != nil && !r.loop.Post(func() { r.rejoined(node) }) {
			l.leave(r, node)
		}
	})
}

// rejoined is called on the loop when the process is a node again.
func (r *Repository) rejoined(node *messagedirector.Node) {
	l := &r.link
	l.node = node
	r.join()
	l.joins.Add(1)
	r.log.Info("ai: joined the cluster again", "self", node.ID(), "epoch", node.Epoch())
	l.watch(r)
	r.core.Rejoin(r.loop.Now())
}

// joinAgain tries until it succeeds; nil: the repository is closed.
func (l *link) joinAgain(r *Repository, before do.ID) *messagedirector.Node {
	for wait := againFirst; ; wait = min(2*wait, againMost) {
		address, err := l.address()
		if err == nil {
			var node *messagedirector.Node
			if node, err = r.director.Connect(l.ctx, address, messagedirector.NodeConfig{Name: r.name, After: before}); err == nil {
				return node
			}
		}
		if l.ctx.Err() != nil {
			return nil
		}
		l.fails.Add(1)
		r.log.Warn("ai: cannot join the cluster yet", "again", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-l.ctx.Done():
			return nil
		}
	}
}

// close leaves the cluster.
func (l *link) close(r *Repository) {
	if r.participant != nil {
		r.participant.Leave()
	}
	if l.node == nil {
		return
	}
	l.cancel()
	if r.participant != nil {
		l.leave(r, l.node)
	}
	l.work.Wait()
}

// leave says goodbye.
func (l *link) leave(r *Repository, node *messagedirector.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if err := node.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		r.log.Warn("ai: leave", "err", err)
	}
}

// Metrics are the numbers of the link to the cluster.
func (r *Repository) Metrics() []Metric {
	up := 0.0
	if r.link.url == "" || r.link.up.Load() {
		up = 1
	}
	return []Metric{
		{Name: "otpd_ai_connected", Help: "1 while this AI process takes part in the cluster.", Value: up},
		{Name: "otpd_ai_rejoins_total", Help: "How often this AI process joined the cluster again.", Counter: true, Value: float64(r.link.joins.Load())},
		{Name: "otpd_ai_join_failures_total", Help: "Attempts to join the cluster again that failed.", Counter: true, Value: float64(r.link.fails.Load())},
	}
}
