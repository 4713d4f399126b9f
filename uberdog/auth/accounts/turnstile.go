package accounts

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrBusy says that too much is asked for at once.
var ErrBusy = errors.New("too many logins at once")

// errLeft says that whoever waited for a turn gave up.
var errLeft = errors.New("the turn was given up")

// turnstile lets some in at once, and bounds the memory that they take together. Who comes later waits, in order: nobody
// overtakes, so that one who needs much is not passed by for ever. Its methods are safe for concurrent use.
type turnstile struct {
	// Set before use, then read-only.
	slots    int
	memory   uint64        // KiB that all who are in may take together; one who needs more goes in alone
	queue    int           // how many may wait
	patience time.Duration // refused at once: who would have to wait for longer
	now      func() time.Time

	// Guarded by mu.
	mu      sync.Mutex
	in      int
	taken   uint64 // KiB
	waiting []*turnstileTurn
	mean    time.Duration // of the last stays, 0 before the first
	peak    uint64        // most KiB taken so far
	served  uint64
	refused uint64
}

// turnstileTurn is one who has come. It goes from waiting to granted to inside to over; from the first two it can be
// given up.
type turnstileTurn struct {
	of      *turnstile
	need    uint64        // KiB
	granted chan struct{} // closed when it may go in, or has been given up

	// Guarded by of.mu.
	state turnState
	since time.Time // when it went in
}

type turnState uint8

const (
	turnWaiting turnState = iota
	turnGranted
	turnInside
	turnOver
)

// come asks for a turn, and does not wait. ahead is how many are served before it, wait about how long that takes: with
// ErrBusy, how long the queue is.
func (t *turnstile) come(need uint64) (turn *turnstileTurn, ahead int, wait time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ahead = len(t.waiting)
	full := !t.fits(need) || ahead > 0
	if full {
		ahead += t.in
		wait = t.mean * time.Duration(len(t.waiting)+1) / time.Duration(t.slots)
	} else {
		ahead = 0
	}
	if full && (len(t.waiting) >= t.queue || wait > t.patience) {
		t.refused++
		return nil, ahead, wait, ErrBusy
	}
	turn = &turnstileTurn{of: t, need: need, granted: make(chan struct{})}
	t.waiting = append(t.waiting, turn)
	t.grant()
	return turn, ahead, wait, nil
}

// fits reports whether somebody who needs so much can go in now.
func (t *turnstile) fits(need uint64) bool {
	return t.in == 0 || t.in < t.slots && t.taken+need <= t.memory
}

// grant lets in who waits in front, as long as there is room.
func (t *turnstile) grant() {
	for len(t.waiting) > 0 && t.fits(t.waiting[0].need) {
		turn := t.waiting[0]
		t.waiting = slices.Delete(t.waiting, 0, 1)
		t.in++
		t.taken += turn.need
		t.peak = max(t.peak, t.taken)
		turn.state = turnGranted
		close(turn.granted)
	}
}

// enter waits for the turn and goes in: leave must follow. Its error is that the turn was given up.
func (t *turnstileTurn) enter() error {
	<-t.granted
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.state != turnGranted {
		return errLeft
	}
	t.state, t.since = turnInside, t.of.now()
	return nil
}

// leave ends the stay of one who is inside.
func (t *turnstileTurn) leave() {
	s := t.of
	s.mu.Lock()
	defer s.mu.Unlock()
	stay := s.now().Sub(t.since)
	if s.served++; s.mean == 0 {
		s.mean = stay
	} else {
		s.mean += (stay - s.mean) / 8
	}
	s.out(t)
}

// giveUp ends the turn of one who is not inside yet. One who is inside goes on.
func (t *turnstileTurn) giveUp() {
	s := t.of
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t.state {
	case turnWaiting:
		s.waiting = slices.DeleteFunc(s.waiting, func(o *turnstileTurn) bool { return o == t })
		t.state = turnOver
		close(t.granted)
		s.grant() // one who needs less may have waited behind it
	case turnGranted:
		s.out(t)
	}
}

func (t *turnstile) out(turn *turnstileTurn) {
	turn.state = turnOver
	t.in--
	t.taken -= turn.need
	t.grant()
}

// turnstileStats is what a turnstile has seen.
type turnstileStats struct {
	inside, waiting  int
	peak             uint64
	served, refused  uint64
	meanMicroseconds int64
}

func (t *turnstile) stats() turnstileStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return turnstileStats{t.in, len(t.waiting), t.peak, t.served, t.refused, t.mean.Microseconds()}
}
