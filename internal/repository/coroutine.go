package repository

import (
	"iter"
	"sync/atomic"
)

// coroutine runs handlers, one after the other. It is what lets a handler wait in the middle: the handler's stack
// stays, and the loop goes on with others. Exactly one coroutine or the loop itself runs at a time (iter.Pull), so
// there is no concurrency in it and the order is the loop's.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	run   *activity // what it runs now, nil when it is idle
	gid   uint64    // its goroutine, in dev mode
	dead  bool      // stopped: waiting fails at once
}

// maxIdle is how many idle coroutines are kept for reuse.
const maxIdle = 64

// scheduler is the loop's queue of what may run now, and the pool of coroutines.
type scheduler struct {
	ready   []runnable
	idle    []*coroutine
	waiting map[*coroutine]struct{} // suspended ones; only counted and stopped, never ranged over for output
	order   []*coroutine            // the same in order of creation, so that closing is deterministic
	current *coroutine
	draining,
	closed bool
	dev     bool
	waits   func(r runnable) bool // takes what must not run now; nil: nothing
	running atomic.Uint64         // dev mode: the goroutine of the coroutine that runs, 0: the loop itself
}

// runnable is one of: an activity to start, a coroutine to go on with, a step of the loop itself.
type runnable struct {
	start  *activity
	resume *coroutine
	step   func()
}

// enqueue appends to what runs next.
func (d *scheduler) enqueue(r runnable) { d.ready = append(d.ready, r) }

// drain runs everything that can run. Called inside of a handler it does nothing: the loop below goes on after it.
func (d *scheduler) drain() {
	if d.draining || d.current != nil {
		return
	}
	d.draining = true
	defer func() { d.draining = false }()
	for i := 0; i < len(d.ready); i++ {
		r := d.ready[i]
		d.ready[i] = runnable{}
		switch {
		case d.waits != nil && d.waits(r):
		case r.step != nil:
			r.step()
		case r.start != nil:
			c := d.take()
			c.run = r.start
			d.enter(c)
		default:
			d.enter(r.resume)
		}
	}
	d.ready = d.ready[:0]
}

// enter lets a coroutine run until its handler returns or waits.
func (d *scheduler) enter(c *coroutine) {
	if c.dead {
		return
	}
	delete(d.waiting, c)
	d.current = c
	d.running.Store(c.gid)
	defer func() {
		d.current = nil
		d.running.Store(0)
	}()
	c.next()
	if c.run == nil && !c.dead {
		if len(d.idle) >= maxIdle {
			c.dead = true
			c.stop()
			d.forget(c)
			return
		}
		d.idle = append(d.idle, c)
	}
}

// take gives an idle coroutine.
func (d *scheduler) take() *coroutine {
	if n := len(d.idle); n > 0 {
		c := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return c
	}
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		if d.dev {
			c.gid = goroutineID()
			d.running.Store(c.gid)
		}
		for {
			c.run.perform()
			c.run = nil
			if c.dead || !yield(struct{}{}) {
				return
			}
		}
	})
	d.order = append(d.order, c)
	return c
}

// suspend gives control back to the loop until somebody enqueues the coroutine again. False: the repository was
// closed meanwhile, and nothing may wait any more.
func (d *scheduler) suspend(c *coroutine) bool {
	if c.dead {
		return false
	}
	d.waiting[c] = struct{}{}
	if !c.yield(struct{}{}) {
		c.dead = true
		return false
	}
	return true
}

// forget drops a stopped coroutine from the list.
func (d *scheduler) forget(c *coroutine) {
	for i, o := range d.order {
		if o == c {
			d.order = append(d.order[:i], d.order[i+1:]...)
			return
		}
	}
}

// close ends every coroutine: a waiting handler sees its wait fail and returns.
func (d *scheduler) close() {
	if d.closed {
		return
	}
	d.closed = true
	d.ready = nil
	for _, c := range d.order {
		if c == d.current {
			continue
		}
		d.current, c.dead = c, true
		c.stop()
		d.current = nil
	}
	d.order, d.idle = nil, nil
	clear(d.waiting)
}
