package accounts

import (
	"fmt"
	"io"
)

// hasher makes and checks hashes. How many run at once is for its turnstile to say: who calls make or check is inside.
// Its methods are safe for concurrent use.
type hasher struct {
	// Set before use, then read-only.
	params Params
	random io.Reader
	nobody hash // what a name that does not exist is checked against
}

func newHasher(p Params, random io.Reader) (*hasher, error) {
	p = p.withDefaults()
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	h := &hasher{params: p, random: random}
	var err error
	if h.nobody.salt, err = h.bytes(saltBytes); err != nil {
		return nil, err
	}
	// No password has this key: whatever is derived is compared with random bytes.
	h.nobody.params = p
	h.nobody.key, err = h.bytes(keyBytes)
	return h, err
}

func (h *hasher) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(h.random, b); err != nil {
		return nil, fmt.Errorf("accounts: random bytes: %w", err)
	}
	return b, nil
}

// wanted is what a password is compared with: a stored hash, or, when that is empty, nobody's, which takes as long.
func (h *hasher) wanted(stored string) (hash, error) {
	if stored == "" {
		return h.nobody, nil
	}
	return parseHash(stored)
}

// need is the KiB that checking a password against want takes, and hashing it anew after that.
func (h *hasher) need(want hash) uint64 { return uint64(max(want.params.Memory, h.params.Memory)) }

// make hashes a password.
func (h *hasher) make(password string) (string, error) {
	salt, err := h.bytes(saltBytes)
	if err != nil {
		return "", err
	}
	return newHash(password, h.params, salt).String(), nil
}

// verdict is how a password was found.
type verdict struct {
	ok    bool
	fresh string // the hash to store instead, if the stored one is not of the configured cost
}

// check compares a password with what wanted gave. Nobody's never matches.
func (h *hasher) check(want hash, password string) (v verdict, err error) {
	v.ok = want.matches(password)
	if v.ok && want.params != h.params {
		v.fresh, err = h.make(password)
	}
	return v, err
}
