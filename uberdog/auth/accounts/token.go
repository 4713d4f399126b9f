package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// A token is the account's id and a secret, 16 and 32 bytes, in base64 for URLs. The account keeps the SHA-256 of the
// secret: a secret of 256 random bits needs no slow hash.
const tokenSecret = 32

// maxTokens is how many tokens an account has at most; the oldest goes when one more is made.
const maxTokens = 8

func wrongToken() error { return refused(wire.CodeDenied, "the token is not valid, or not any more") }

// token makes a token for the session's account.
func (s *service) token(ctx context.Context, r auth.TokenRequest) (auth.Token, error) {
	if s.cfg.TokenLife < 0 {
		return auth.Token{}, refused(wire.CodeDenied, "there are no tokens here")
	}
	a, err := s.self(ctx)
	if err != nil {
		return auth.Token{}, err
	}
	secret, err := s.hasher.bytes(tokenSecret)
	if err != nil {
		return auth.Token{}, err
	}
	expires := s.stamp().Add(s.cfg.TokenLife)
	sum := sha256.Sum256(secret)
	err = s.update(ctx, a, func() error {
		s.dropExpired(a)
		if over := len(a.tokens) - maxTokens + 1; over > 0 {
			a.tokens = slices.Delete(a.tokens, 0, over)
		}
		a.tokens = append(a.tokens, auth.StoredToken{Sum: sum[:], Expires: expires, Device: r.Device})
		return nil
	})
	if err != nil {
		return auth.Token{}, fmt.Errorf("accounts: token for %s: %w", a.id, err)
	}
	return auth.Token{Secret: base64.RawURLEncoding.EncodeToString(append(a.id[:], secret...)), Expires: expires}, nil
}

// revoke takes tokens of the session's account back.
func (s *service) revoke(ctx context.Context, r auth.Revocation) (auth.Identity, error) {
	a, err := s.self(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	err = s.update(ctx, a, func() error {
		a.tokens = slices.DeleteFunc(slices.Clone(a.tokens), func(t auth.StoredToken) bool { return r.Device == "" || t.Device == r.Device })
		return nil
	})
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: revoke tokens of %s: %w", a.id, err)
	}
	return a.identity(), nil
}

func (s *service) dropExpired(a *account) {
	now := s.now()
	a.tokens = slices.DeleteFunc(slices.Clone(a.tokens), func(t auth.StoredToken) bool { return !t.Expires.After(now) })
}

// resume lets a session in by a token.
func (s *service) resume(ctx context.Context, r auth.Resumption) (auth.Identity, error) {
	from, err := s.come(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(r.Secret)
	if err != nil || len(raw) != len(do.ID{})+tokenSecret {
		s.counts.denied.Add(1)
		return auth.Identity{}, wrongToken()
	}
	id := do.ID(raw[:len(do.ID{})])
	a, err := s.store.byID(ctx, id)
	switch {
	case errors.Is(err, wire.CodeNoObject), errors.Is(err, wire.CodeNoClass):
		s.counts.denied.Add(1)
		return auth.Identity{}, wrongToken()
	case err != nil:
		return auth.Identity{}, fmt.Errorf("accounts: resume %s: %w", id, err)
	}
	s.dropExpired(a)
	sum := sha256.Sum256(raw[len(id):])
	good := 0
	for _, t := range a.tokens {
		good |= subtle.ConstantTimeCompare(t.Sum, sum[:])
	}
	if good == 0 {
		s.counts.denied.Add(1)
		return auth.Identity{}, wrongToken()
	}
	s.addresses.giveBack(from.network)
	s.counts.resumed.Add(1)
	return s.admit(ctx, a, from)
}
