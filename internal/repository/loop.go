package repository

import (
	"context"
	"sync"
	"time"
)

// Driver is a repository as its loop drives it.
type Driver interface {
	OwnLoop()
	Advance(now int64)
	Tick(now int64)
	Next() int64
	Close()
	Do(parent context.Context, fn func(ctx context.Context) error, done func(error))
}

// Shell is what stands around a Driver besides its loop. All of it is called on the loop.
type Shell struct {
	Flush func() // sends what the driver wants to send; called after each round
	// Pull takes in what came, and Wake is what tells that there may be something; nil where others Post what comes.
	Pull func()
	Wake func() <-chan struct{}
	// Held reports whether this process must not originate anything now: timers and Do wait until Credit is closed,
	// and what comes is still taken in. nil: never.
	Held   func() bool
	Credit func() <-chan struct{}
	// Ended reports whether the repository is over, which ends Run. nil: never.
	Ended func() bool
}

// Loop is what drives a repository: one goroutine (Run), or the game's own thread (Poll), on which everything that
// concerns objects happens. Others only put work into its queue.
type Loop struct {
	// Set by NewLoop, then read-only.
	driver Driver
	shell  Shell
	now    func() int64
	wake   chan struct{}

	mu     sync.Mutex
	queue  []func() // Guarded by mu.
	closed bool     // Guarded by mu.

	spare []func() // Owned by the loop.
	ended []func() // Owned by the loop. Those in DoWait, to be told when what their handlers caused was sent.
	once  sync.Once
}

// NewLoop makes a loop that is driven by Run or Poll.
func NewLoop(d Driver, s Shell) *Loop {
	return &Loop{driver: d, shell: s, now: monotonic(), wake: make(chan struct{}, 1)}
}

// monotonic is the wall clock at the start and the monotonic one since: unix nanoseconds that never jump.
func monotonic() func() int64 {
	start := time.Now()
	unix := start.UnixNano()
	return func() int64 { return unix + int64(time.Since(start)) }
}

// Now is the loop's clock, unix nanoseconds.
func (l *Loop) Now() int64 { return l.now() }

// Post queues f for the loop; false: the loop is closed and f will never run.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// Do runs fn as a handler on the loop, where it may touch objects and wait. It does not wait for it itself.
func (l *Loop) Do(fn func(ctx context.Context) error) error {
	if !l.Post(func() { l.driver.Do(context.Background(), fn, nil) }) {
		return ErrClosed
	}
	return nil
}

// DoWait runs fn as a handler on the loop and waits until it has returned and what it caused was sent. It must not be
// called on the loop: there, and in a handler, fn can simply be called. When ctx ends first, fn sees its waits end.
func (l *Loop) DoWait(ctx context.Context, fn func(ctx context.Context) error) error {
	result := make(chan error, 1)
	if !l.Post(func() {
		l.driver.Do(ctx, fn, func(err error) {
			l.ended = append(l.ended, func() { result <- err })
		})
	}) {
		return ErrClosed
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Poll handles what has come since the last time, once per frame on the game's own thread.
func (l *Loop) Poll() {
	l.once.Do(l.driver.OwnLoop)
	l.round()
}

// round takes in what came, handles what is queued, lets time pass, and sends. held: only the first and the last.
func (l *Loop) round() (held bool) {
	if l.shell.Pull != nil {
		l.shell.Pull()
	}
	if l.shell.Held != nil && l.shell.Held() {
		l.flush()
		return true
	}
	l.mu.Lock()
	queue := l.queue
	l.queue = l.spare[:0]
	l.mu.Unlock()
	// What is queued happens now, not when the last round was: an idle loop's clock is old.
	l.driver.Advance(l.now())
	for i, f := range queue {
		f()
		queue[i] = nil
	}
	l.spare = queue
	l.driver.Tick(l.now())
	l.flush()
	return false
}

// flush sends, then lets those go on who wait for it.
func (l *Loop) flush() {
	l.shell.Flush()
	for i, tell := range l.ended {
		tell()
		l.ended[i] = nil
	}
	l.ended = l.ended[:0]
}

// Run drives the repository until ctx ends or it is over.
func (l *Loop) Run(ctx context.Context) {
	l.once.Do(l.driver.OwnLoop)
	l.Until(ctx, l.shell.Ended)
}

// Until drives the repository until ctx ends or done says so, without claiming that this goroutine is its loop from
// then on: as while connecting.
func (l *Loop) Until(ctx context.Context, done func() bool) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		held := l.round()
		if done != nil && done() {
			return
		}
		var credit <-chan struct{}
		wait := time.Hour
		if held {
			credit = l.shell.Credit()
		} else if next := l.driver.Next(); next > 0 {
			wait = time.Duration(max(0, next-l.now()))
		}
		var came <-chan struct{}
		if l.shell.Wake != nil {
			came = l.shell.Wake()
		}
		timer.Reset(wait)
		select {
		case <-l.wake:
		case <-came:
		case <-credit:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the repository: what waits fails, and nothing can be queued any more. It is called on the loop, or when
// nobody drives it.
func (l *Loop) Close() {
	l.mu.Lock()
	l.closed = true
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, f := range queue {
		// Those who wait in DoWait get ErrClosed from the driver, which is closed first.
		l.driver.Close()
		f()
	}
	l.driver.Close()
	l.flush()
}
