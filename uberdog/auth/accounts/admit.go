package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// Sessions says how many sessions an account may have.
type Sessions uint8

// The policies.
const (
	KickOld   Sessions = iota // one: a login ends the session that there is, with reason 100
	RefuseNew                 // one: a login is refused (CodeExists) while there is a session
	AllowMany                 // as many as there are logins
)

// ErrSessions is wrapped by errors about a word that names no policy.
var ErrSessions = errors.New("want kick, refuse or allow")

var sessionsNames = [...]string{"kick", "refuse", "allow"}

// String is "kick", "refuse" or "allow".
func (p Sessions) String() string { return sessionsNames[min(int(p), len(sessionsNames)-1)] }

// MarshalText is String.
func (p Sessions) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String writes: for flags and configuration files.
func (p *Sessions) UnmarshalText(b []byte) error {
	for i, name := range sessionsNames {
		if string(b) == name {
			*p = Sessions(i)
			return nil
		}
	}
	return fmt.Errorf("accounts: sessions %q: %w", b, ErrSessions)
}

// admit lets a session in to an account, as the policy says.
func (s *service) admit(ctx context.Context, a *account, from comer) (auth.Identity, error) {
	if err := s.notBanned(a); err != nil {
		return auth.Identity{}, err
	}
	if err := s.turns.take(ctx, a.id); err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: admit %s: %w", a.name, err)
	}
	defer s.turns.give(a.id)
	var err error
	if s.cfg.Sessions == AllowMany {
		err = s.admitBeside(ctx, a, from.session)
	} else {
		err = s.admitOne(ctx, a, from.session)
	}
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: admit %s: %w", a.name, err)
	}
	s.counts.admitted.Add(1)
	return a.identity(), nil
}

// notBanned refuses who is, as the account was read.
func (s *service) notBanned(a *account) error {
	if !a.identity().Has(auth.RoleBanned) {
		return nil
	}
	s.counts.denied.Add(1)
	return refused(wire.CodeDenied, "this account is banned")
}

// admitBeside binds the session, whatever others the account has. One that was banned since it was read is out again: a
// kick that comes later finds it bound.
func (s *service) admitBeside(ctx context.Context, a *account, session do.Channel) error {
	if err := s.gate.bind(ctx, session, a.id); err != nil {
		return err
	}
	now, err := s.store.byID(ctx, a.id)
	if err == nil {
		*a = *now
		err = s.notBanned(a)
	}
	if err != nil {
		return errors.Join(err, s.gate.kick(session, wire.ReasonKicked, ""))
	}
	return nil
}

// admitOne makes the session the account's only one. The account's row says which session that is, and changes only by
// compare-and-set, so that this holds with several processes, too: of logins at once each ends the one that it takes the
// account from, by that session's own channel, on which its agent has listened from the beginning, bound or not. The
// last one stays.
func (s *service) admitOne(ctx context.Context, a *account, session do.Channel) error {
	if s.cfg.Sessions == KickOld {
		// Sessions that no row knows, of a time when there could be many. Before the claim: later it could hit a session
		// that took the account from this one.
		if err := s.gate.kick(do.Account(a.id), wire.ReasonLoggedInElsewhere, ""); err != nil {
			return err
		}
	}
	var before do.ID
	err := s.update(ctx, a, func() error {
		if err := s.notBanned(a); err != nil { // since it was read; a kick that comes later finds the holder
			return err
		}
		before = a.holder
		if s.cfg.Sessions == RefuseNew && !before.IsZero() && before != session.ID && s.gate.alive(ctx, do.Session(before)) {
			s.counts.refusedNew.Add(1)
			return refused(wire.CodeExists, "the account is logged in elsewhere")
		}
		a.holder = session.ID
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.enter(ctx, a, session, before); err != nil {
		// What was sent before this is sent with it, and not undone by the error.
		if late := s.gate.freeNow(ctx, session, a.id); late != nil && !errors.Is(late, wire.CodeConflict) {
			err = errors.Join(err, late)
		}
		return err
	}
	return nil
}

// enter ends the session before, brings the account's objects to life, and binds the one that holds the account now.
func (s *service) enter(ctx context.Context, a *account, session do.Channel, before do.ID) error {
	if !before.IsZero() && before != session.ID {
		if err := s.gate.kick(do.Session(before), wire.ReasonLoggedInElsewhere, ""); err != nil {
			return err
		}
	}
	if err := s.gate.release(ctx, session, a.id); err != nil {
		return err
	}
	brought, err := s.embody(ctx, a, session)
	if err != nil {
		return err
	}
	if err := s.gate.bind(ctx, session, a.id); err != nil {
		s.dismiss(ctx, session, brought)
		return err
	}
	return nil
}
