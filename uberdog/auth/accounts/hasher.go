package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// ErrBusy says that too many hashes are asked for at once.
var ErrBusy = errors.New("too many logins at once")

// hasher makes and checks hashes, some at a time. Its methods block, and are safe for concurrent use.
type hasher struct {
	// Set before use, then read-only.
	params Params
	random io.Reader
	slots  chan struct{} // as many as hashes may run
	queue  int64         // how many may wait
	nobody hash          // what a name that does not exist is checked against

	asked atomic.Int64 // run or wait
}

// newHasher makes a hasher that runs as many hashes at once as slots says and lets queue others wait.
func newHasher(p Params, slots, queue int, random io.Reader) (*hasher, error) {
	p = p.withDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	h := &hasher{params: p, random: random, slots: make(chan struct{}, slots), queue: int64(queue)}
	var err error
	if h.nobody.salt, err = h.salt(); err != nil {
		return nil, err
	}
	// No password has this key: whatever is derived is compared with random bytes.
	h.nobody.params = p
	h.nobody.key = make([]byte, keyBytes)
	if _, err := io.ReadFull(random, h.nobody.key); err != nil {
		return nil, fmt.Errorf("accounts: random bytes: %w", err)
	}
	return h, nil
}

func (h *hasher) salt() ([]byte, error) {
	b := make([]byte, saltBytes)
	if _, err := io.ReadFull(h.random, b); err != nil {
		return nil, fmt.Errorf("accounts: random bytes: %w", err)
	}
	return b, nil
}

// take waits for a slot; give returns it. ErrBusy comes at once when the queue is full.
func (h *hasher) take(ctx context.Context) error {
	if h.asked.Add(1) > h.queue+int64(cap(h.slots)) {
		h.asked.Add(-1)
		return ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		h.asked.Add(-1)
		return ctx.Err()
	}
}

func (h *hasher) give() {
	<-h.slots
	h.asked.Add(-1)
}

// make hashes a password.
func (h *hasher) make(ctx context.Context, password string) (string, error) {
	salt, err := h.salt()
	if err != nil {
		return "", err
	}
	if err := h.take(ctx); err != nil {
		return "", err
	}
	defer h.give()
	return newHash(password, h.params, salt).String(), nil
}

// verdict is how a password was found.
type verdict struct {
	ok    bool
	fresh string // the hash to store instead, if the stored one is not of the configured cost
}

// check compares a password with a stored hash, or, when that is empty, with nobody's, which takes as long.
func (h *hasher) check(ctx context.Context, stored, password string) (verdict, error) {
	want := h.nobody
	if stored != "" {
		var err error
		if want, err = parseHash(stored); err != nil {
			return verdict{}, err
		}
	}
	if err := h.take(ctx); err != nil {
		return verdict{}, err
	}
	defer h.give()
	v := verdict{ok: want.matches(password) && stored != ""}
	if v.ok && want.params != h.params {
		salt, err := h.salt()
		if err != nil {
			return verdict{}, err
		}
		v.fresh = newHash(password, h.params, salt).String()
	}
	return v, nil
}
