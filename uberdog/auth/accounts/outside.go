package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// Authenticator decides, instead of a password, who a client is: by the session ticket of a platform, a signed token, or
// an account system that a studio has already. It is called on goroutines of its own, several at once, and may take its
// time: nothing else waits for it but the login.
type Authenticator interface {
	// Authenticate says who has this ticket. An error that wraps ErrTicket refuses the client; any other is trouble, of
	// which the log has the text and the client hears that it may try again.
	Authenticate(ctx context.Context, t auth.Ticket) (Subject, error)
}

// AuthenticatorFunc is a function as an Authenticator.
type AuthenticatorFunc func(ctx context.Context, t auth.Ticket) (Subject, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, t auth.Ticket) (Subject, error) {
	return f(ctx, t)
}

// Subject is whom a ticket is about.
type Subject struct {
	Issuer string // who says so; part of what makes Name unique
	Name   string // what the issuer calls it, for ever the same; never empty
}

// ErrTicket says that a ticket is not good: forged, expired, for another game.
var ErrTicket = errors.New("the ticket is not valid")

// Anybody takes the ticket's text for the name and lets everybody in as whoever they say they are: for demos and
// development.
func Anybody() Authenticator {
	return AuthenticatorFunc(func(_ context.Context, t auth.Ticket) (Subject, error) {
		if t.Text == "" {
			return Subject{}, fmt.Errorf("no name: %w", ErrTicket)
		}
		return Subject{Issuer: "anybody", Name: t.Text}, nil
	})
}

// maxAsking is how many tickets are looked at at once.
const maxAsking = 64

// ticket lets a session in by what the authenticator says of its ticket. Without one nobody comes in this way.
func (s *service) ticket(ctx context.Context, t auth.Ticket) (auth.Identity, error) {
	if s.cfg.Authenticator == nil {
		return auth.Identity{}, refused(wire.CodeDenied, "tickets are not taken here")
	}
	from, err := s.come(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	limited, cancel := context.WithTimeout(context.Background(), s.cfg.AuthenticatorTime)
	defer cancel()
	var who Subject
	err = s.inTurn(ctx, s.asking, from.session, 0, "ask the authenticator", func() (err error) {
		who, err = s.cfg.Authenticator.Authenticate(limited, t)
		if err == nil && who.Name == "" {
			err = errors.New("the authenticator gave no name")
		}
		return err
	})
	switch {
	case errors.Is(err, ErrTicket):
		s.counts.denied.Add(1)
		return auth.Identity{}, refused(wire.CodeDenied, ErrTicket.Error())
	case errors.Is(err, wire.CodeOverload):
		return auth.Identity{}, err
	case err != nil:
		s.log.Warn("accounts: authenticator", "session", from.session, "err", err)
		return auth.Identity{}, refused(wire.CodeAway, "who issues the tickets cannot be asked, try again")
	}
	a, err := s.outsider(ctx, who)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: enter as %q of %q: %w", who.Name, who.Issuer, err)
	}
	s.addresses.giveBack(from.network)
	return s.admit(ctx, a, from)
}

// outsider is the account of somebody for whom somebody else vouches, made the first time. Of two that are made at once
// the database keeps one: the name is unique.
func (s *service) outsider(ctx context.Context, who Subject) (*account, error) {
	name := outsideName(who)
	for {
		a, err := s.store.byName(ctx, name)
		if !errors.Is(err, wire.CodeNoObject) {
			return a, err
		}
		a = &account{name: name, created: s.stamp(), outside: cut(who.Issuer+"/"+who.Name, 255)}
		err = s.store.create(ctx, a)
		if err == nil {
			s.counts.registered.Add(1)
		}
		if !errors.Is(err, wire.CodeUnique) {
			return a, err
		}
	}
}

// outsideName is the name of such an account: one that nobody can register, since it begins with a tilde, and the same
// for the same subject. It has 110 bits of a hash, whatever the length of the issuer's name for it.
func outsideName(who Subject) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(who.Issuer), who.Issuer, who.Name))
	return "~" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:22])
}

// cut is s without what is over n bytes; half a character goes with it.
func cut(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}
