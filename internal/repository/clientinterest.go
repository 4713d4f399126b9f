package repository

import (
	"context"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// serverHandle is the bit of the handles that servers give (rule 162); the others are ours.
const serverHandle = 1 << 15

// Interest is a wish to see the objects in some zones below a parent. Each operation on it is completed exactly once.
type Interest interface {
	// Wait waits until the newest operation is complete; its error is why it failed, or that the interest was closed.
	Wait(ctx context.Context) error
	// Alter changes parent and zones (rule 118).
	Alter(parent do.ID, zones ...do.Zone) error
	// Remove closes the interest.
	Remove() error
	// Done reports whether the newest operation is complete, and its error.
	Done() (bool, error)
}

// Handle is an interest of a client.
type Handle struct {
	c      *Client
	id     uint16
	parent do.ID
	zones  []do.Zone
	server bool // opened by the server (rule 96)
	newest uint32
	done   bool
	closed bool
	err    error
	waits  []*waiter
}

var _ Interest = (*Handle)(nil)

// interestOp is one operation on a handle that is not answered.
type interestOp struct {
	h      *Handle
	remove bool
}

// AddInterest opens an interest. Wait tells when everything in it has entered.
func (c *Client) AddInterest(parent do.ID, zones ...do.Zone) (*Handle, error) {
	if c.failure != nil {
		return nil, c.failure
	}
	h, err := c.newHandle()
	if err != nil {
		return nil, err
	}
	h.open(parent, zones)
	return h, nil
}

// newHandle makes an interest with a number that is not in use.
func (c *Client) newHandle() (*Handle, error) {
	for range serverHandle {
		c.handle = (c.handle + 1) & (serverHandle - 1)
		if c.handle != 0 && c.handles[c.handle] == nil {
			h := &Handle{c: c, id: c.handle}
			c.handles[h.id] = h
			return h, nil
		}
	}
	return nil, fmt.Errorf("repository: open an interest: %w: no handle is free; Remove those that are not needed", &wire.Error{Code: wire.CodeOverload})
}

func (h *Handle) open(parent do.ID, zones []do.Zone) {
	h.parent, h.zones = parent, slices.Compact(slices.Sorted(slices.Values(zones)))
	ctx := h.operate(false)
	h.c.frame(&wire.ClientAddInterest{Context: ctx, Handle: h.id, Parent: parent, Zones: h.zones})
}

// operate begins an operation; only the newest one's end counts (rule 162).
func (h *Handle) operate(remove bool) uint32 {
	ctx := h.c.nextContext()
	h.c.ops[ctx] = &interestOp{h: h, remove: remove}
	h.newest, h.done, h.err = ctx, false, nil
	return ctx
}

// Alter changes parent and zones; what is in both stays in view.
func (h *Handle) Alter(parent do.ID, zones ...do.Zone) error {
	if err := h.alive("alter"); err != nil {
		return err
	}
	h.open(parent, zones)
	return nil
}

// Remove closes the interest; the handle is free again when that is answered.
func (h *Handle) Remove() error {
	if err := h.alive("remove"); err != nil {
		return err
	}
	h.c.frame(&wire.ClientRemoveInterest{Context: h.operate(true), Handle: h.id})
	return nil
}

func (h *Handle) alive(verb string) error {
	if h.c.failure != nil {
		return h.c.failure
	}
	if h.closed || h.server {
		return fmt.Errorf("repository: %s interest %d: %w", verb, h.id, ErrClosed)
	}
	return nil
}

// Done reports whether the newest operation is complete.
func (h *Handle) Done() (bool, error) { return h.done, h.err }

// Wait waits until the newest operation is complete. It is a save point.
func (h *Handle) Wait(ctx context.Context) error {
	if h.done {
		return h.err
	}
	a, err := h.c.handler()
	if err != nil {
		return fmt.Errorf("repository: wait for interest %d: %w", h.id, err)
	}
	if err := a.savePoint(); err != nil {
		return err
	}
	w := &waiter{what: fmt.Sprintf("interest %d", h.id), ctx: ctx}
	h.waits = append(h.waits, w)
	_, err = h.c.await(w, h.c.deadline(ctx))
	return err
}

// settle completes the newest operation.
func (h *Handle) settle(s *State, err error) {
	h.done, h.err = true, err
	waits := h.waits
	h.waits = nil
	for _, w := range waits {
		s.wake(w, nil, err)
	}
}

func (c *Client) hearInterestDone(f *wire.ClientInterestDone) {
	if f.Context == 0 {
		if h := c.handles[f.Handle]; h != nil && h.server {
			h.settle(&c.State, f.Code.Err(f.Text))
		}
		return
	}
	c.finishOp(f.Context, f.Code.Err(f.Text))
}

// finishOp completes an operation.
func (c *Client) finishOp(ctx uint32, err error) {
	op := c.ops[ctx]
	if op == nil {
		return
	}
	delete(c.ops, ctx)
	h := op.h
	if op.remove && err == nil || c.failure != nil {
		h.closed = true
		if c.handles[h.id] == h {
			delete(c.handles, h.id)
		}
	}
	if h.newest == ctx {
		h.settle(&c.State, err)
	}
}

// operates reports whether an operation on the handle has no answer.
func (c *Client) operates(h *Handle) bool {
	for _, op := range c.ops {
		if op.h == h {
			return true
		}
	}
	return false
}

// hearInterestOpened books what the server opened or closed (rules 96, 123).
func (c *Client) hearInterestOpened(f *wire.ClientInterestOpened) {
	h := c.handles[f.Handle]
	if f.Closed {
		if h != nil && c.operates(h) {
			// It was closed before the agent heard of the newest operation, which opens it again.
			return
		}
		if h != nil {
			delete(c.handles, f.Handle)
			h.closed = true
			h.settle(&c.State, fmt.Errorf("repository: interest %d: %w", h.id, ErrClosed))
		}
		return
	}
	if h == nil {
		h = &Handle{c: c, id: f.Handle, server: f.Handle&serverHandle != 0}
		c.handles[f.Handle] = h
	}
	h.parent, h.zones, h.done = f.Parent, slices.Clone(f.Zones), false
}

// Handles are the open interests in the order of their numbers.
func (c *Client) Handles() []*Handle {
	out := make([]*Handle, 0, len(c.handles))
	for _, id := range sortedKeys(c.handles) {
		out = append(out, c.handles[id])
	}
	return out
}

// Where is what the interest was asked to cover last, also while that is not answered, or if it was refused.
func (h *Handle) Where() (parent do.ID, zones []do.Zone) { return h.parent, h.zones }

// Closed reports whether the interest is gone.
func (h *Handle) Closed() bool { return h.closed }
