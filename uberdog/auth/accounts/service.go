package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// account is a stored account.
type account struct {
	id      do.ID
	row     uint64 // its version
	name    string
	hash    string
	created time.Time
	roles   []string
}

func (a *account) identity() auth.Identity {
	return auth.Identity{Account: a.id, Name: a.name, Roles: a.roles, Created: a.created}
}

// store is where accounts are. Its methods wait, as calls do. Errors are wire errors, with the codes that the database
// gives: NoObject, Unique, Conflict, Away.
type store interface {
	byName(ctx context.Context, name string) (*account, error)
	byID(ctx context.Context, id do.ID) (*account, error)
	// create gives a its id; CodeUnique: the name is taken.
	create(ctx context.Context, a *account) error
	// setHash replaces a's hash if the stored one is still that of a; else CodeConflict.
	setHash(ctx context.Context, a *account, hash string) error
}

// gate is what lets sessions in.
type gate interface {
	// kick ends the sessions that are bound to an account.
	kick(account do.ID) error
	// bind ties a session to an account and establishes it, and waits for both.
	bind(ctx context.Context, session do.Channel, account do.ID) error
}

// service answers the calls. Its methods run as handlers on the repository's loop, which owns it.
type service struct {
	store  store
	gate   gate
	hasher *hasher
	limit  *limiter
	turns  turns
	shared bool // an account may have several sessions
	now    func() time.Time
	caller func(ctx context.Context) uberdog.Caller
	// offload runs fn beside the loop while the handler waits.
	offload func(ctx context.Context, what string, fn func() error) error
}

// refused makes the error that a client gets. Only what is said here reaches it.
func refused(code wire.Code, text string) error { return &wire.Error{Code: code, Text: text} }

func wrongPassword() error { return refused(wire.CodeDenied, "the name or the password is wrong") }

// register makes an account and lets its session in.
func (s *service) register(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := s.mayEnter(ctx); err != nil {
		return auth.Identity{}, err
	}
	name := strings.ToLower(c.Name)
	if !s.limit.allow(name, s.now().UnixNano()) {
		return auth.Identity{}, refused(wire.CodeRate, "too many attempts, try again later")
	}
	a := &account{name: name, created: s.now().UTC().Truncate(time.Microsecond)}
	if err := s.hash(ctx, c.Password, &a.hash); err != nil {
		return auth.Identity{}, err
	}
	if err := s.store.create(ctx, a); err != nil {
		if errors.Is(err, wire.CodeUnique) {
			return auth.Identity{}, refused(wire.CodeUnique, "the name is taken")
		}
		return auth.Identity{}, fmt.Errorf("accounts: register %s: %w", name, err)
	}
	return s.admit(ctx, a)
}

// login checks a password and lets the session in. A name that does not exist takes as long as a wrong password, and
// has the same answer.
func (s *service) login(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := s.mayEnter(ctx); err != nil {
		return auth.Identity{}, err
	}
	name := strings.ToLower(c.Name)
	if !s.limit.allow(name, s.now().UnixNano()) {
		return auth.Identity{}, refused(wire.CodeRate, "too many attempts, try again later")
	}
	a, err := s.store.byName(ctx, name)
	if err != nil && !errors.Is(err, wire.CodeNoObject) {
		return auth.Identity{}, fmt.Errorf("accounts: log in %s: %w", name, err)
	}
	v, err := s.check(ctx, a, c.Password)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case !v.ok:
		return auth.Identity{}, wrongPassword()
	}
	s.limit.forgive(name)
	if v.fresh != "" {
		// Nothing is lost if this does not work: the next login tries again.
		_ = s.store.setHash(ctx, a, v.fresh)
	}
	return s.admit(ctx, a)
}

// changePassword needs the old one, since a session left open is not its owner.
func (s *service) changePassword(ctx context.Context, c auth.PasswordChange) (auth.Identity, error) {
	who := s.caller(ctx)
	if who.Account.IsZero() {
		return auth.Identity{}, refused(wire.CodeDenied, "this needs a login")
	}
	a, err := s.store.byID(ctx, who.Account)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: change password of %s: %w", who.Account, err)
	}
	if !s.limit.allow(a.name, s.now().UnixNano()) {
		return auth.Identity{}, refused(wire.CodeRate, "too many attempts, try again later")
	}
	v, err := s.check(ctx, a, c.Old)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case !v.ok:
		return auth.Identity{}, refused(wire.CodeDenied, "the old password is wrong")
	}
	s.limit.forgive(a.name)
	var hash string
	if err := s.hash(ctx, c.New, &hash); err != nil {
		return auth.Identity{}, err
	}
	if err := s.store.setHash(ctx, a, hash); err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: change password of %s: %w", a.id, err)
	}
	return a.identity(), nil
}

// mayEnter refuses those who are in: a session has one account for its life.
func (s *service) mayEnter(ctx context.Context) error {
	if !s.caller(ctx).Account.IsZero() {
		return refused(wire.CodeDenied, "this session is logged in already")
	}
	return nil
}

// admit ends the account's other sessions and lets the caller's in.
func (s *service) admit(ctx context.Context, a *account) (auth.Identity, error) {
	session := s.caller(ctx).Channel
	if session.Kind != do.KindSession {
		return auth.Identity{}, refused(wire.CodeDenied, "only sessions log in")
	}
	err := s.turns.take(ctx, a.id)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: admit %s: %w", a.name, err)
	}
	defer s.turns.give(a.id)
	if !s.shared {
		if err := s.gate.kick(a.id); err != nil {
			return auth.Identity{}, fmt.Errorf("accounts: admit %s: %w", a.name, err)
		}
	}
	if err := s.gate.bind(ctx, session, a.id); err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: admit %s: %w", a.name, err)
	}
	return a.identity(), nil
}

// hash hashes a password beside the loop.
func (s *service) hash(ctx context.Context, password string, into *string) error {
	var made string
	err := s.offload(ctx, "hash a password", func() (err error) {
		made, err = s.hasher.make(ctx, password)
		return err
	})
	if err != nil {
		return busy(err)
	}
	*into = made
	return nil
}

// check compares a password beside the loop; a nil account has none, and takes as long.
func (s *service) check(ctx context.Context, a *account, password string) (verdict, error) {
	stored := ""
	if a != nil {
		stored = a.hash
	}
	var v verdict
	err := s.offload(ctx, "check a password", func() (err error) {
		v, err = s.hasher.check(ctx, stored, password)
		return err
	})
	if err != nil {
		return verdict{}, busy(err)
	}
	return v, nil
}

// busy is what a client hears when hashing failed.
func busy(err error) error {
	if errors.Is(err, ErrBusy) {
		return refused(wire.CodeOverload, "too many logins at once, try again")
	}
	return fmt.Errorf("accounts: %w", err)
}
