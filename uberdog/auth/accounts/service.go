package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/otpd/otpd/ai"
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
	hash    string // empty: it has no password
	created time.Time
	roles   []string
	holder  do.ID // the session that it is for
	tokens  []auth.StoredToken
	outside string
}

func (a *account) identity() auth.Identity {
	return auth.Identity{Account: a.id, Name: a.name, Roles: a.roles, Created: a.created}
}

// store is where accounts are. Its methods wait, as calls do. Errors are wire errors, with the codes that the database
// gives: NoObject, Unique, Conflict, Away.
type store interface {
	byName(ctx context.Context, name string) (*account, error)
	byID(ctx context.Context, id do.ID) (*account, error)
	// create gives a its id and row; CodeUnique: the name is taken.
	create(ctx context.Context, a *account) error
	// put stores a if the row still has a's version, which it raises; else CodeConflict.
	put(ctx context.Context, a *account) error
}

// gate is what lets sessions in. Its methods with a context wait.
type gate interface {
	// address is where the client of a session is.
	address(ctx context.Context, session do.Channel) (string, error)
	// alive asks whether there is such a session.
	alive(ctx context.Context, session do.Channel) bool
	// kick ends sessions: those of an account, or one, by its channel. It leaves with the next wait.
	kick(to do.Channel, reason wire.Reason, text string) error
	// bind ties a session to an account and establishes it.
	bind(ctx context.Context, session do.Channel, account do.ID) error
	// release leaves word with the session's agent that the account has no holder any more when the session, which is
	// its holder now, has ended, however that happens. freeNow does it at once.
	release(ctx context.Context, session do.Channel, account do.ID) error
	freeNow(ctx context.Context, session do.Channel, account do.ID) error
	// activate brings a stored object to life; CodeActive: it lives. tie has it deleted when the session ends. dismiss
	// takes both back.
	activate(ctx context.Context, p ai.Place) error
	tie(ctx context.Context, session do.Channel, id do.ID) error
	dismiss(ctx context.Context, session do.Channel, id do.ID) error
}

// service answers the calls. Its methods run as handlers on the repository's loop, which owns it.
type service struct {
	cfg       Config // with defaults
	store     store
	gate      gate
	hasher    *hasher
	hashing   *turnstile
	asking    *turnstile // of the authenticator
	names     *limiter
	addresses *limiter
	turns     turns
	log       *slog.Logger
	counts    counts
	now       func() time.Time
	caller    func(ctx context.Context) uberdog.Caller
	// waiting tells a session that its login waits. It leaves with the next wait.
	waiting func(session do.Channel, p auth.Place)
	// offload runs fn beside the loop while the handler waits.
	offload func(ctx context.Context, what string, fn func() error) error
	sleep   func(ctx context.Context, d time.Duration) error
}

// refused makes the error that a client gets. Only what is said here reaches it.
func refused(code wire.Code, text string) error { return &wire.Error{Code: code, Text: text} }

func wrongPassword() error { return refused(wire.CodeDenied, "the name or the password is wrong") }

// comer is a session that wants to be let in.
type comer struct {
	session do.Channel
	network string
}

// come checks that the caller is a session that nobody is logged in on yet, since a session has one account for its
// life, and that its address has not tried too often.
func (s *service) come(ctx context.Context) (comer, error) {
	who := s.caller(ctx)
	switch {
	case who.Channel.Kind != do.KindSession:
		return comer{}, refused(wire.CodeDenied, "only sessions log in")
	case !who.Account.IsZero():
		return comer{}, refused(wire.CodeDenied, "this session is logged in already")
	}
	c := comer{session: who.Channel}
	if s.addresses.burst < 1 {
		return c, nil
	}
	remote, err := s.gate.address(ctx, c.session)
	if err != nil {
		return comer{}, fmt.Errorf("accounts: %w", err)
	}
	c.network = network(remote)
	if wait := s.addresses.take(c.network, s.now().UnixNano()); wait > 0 {
		s.counts.limitedAddress.Add(1)
		return comer{}, auth.Busy(wire.CodeRate, "too many attempts from this address", wait)
	}
	return c, nil
}

// tryName counts an attempt for a name, whether there is such an account or not.
func (s *service) tryName(name string) error {
	if wait := s.names.take(name, s.now().UnixNano()); wait > 0 {
		s.counts.limitedName.Add(1)
		return auth.Busy(wire.CodeRate, "too many attempts for this name", wait)
	}
	return nil
}

// register makes an account and lets its session in.
func (s *service) register(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if s.cfg.NoPasswords {
		return auth.Identity{}, refused(wire.CodeDenied, "accounts are not made here")
	}
	from, err := s.come(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	name := strings.ToLower(c.Name)
	if err := s.tryName(name); err != nil {
		return auth.Identity{}, err
	}
	a := &account{name: name, created: s.stamp()}
	if err := s.hash(ctx, from.session, c.Password, &a.hash); err != nil {
		return auth.Identity{}, err
	}
	if err := s.store.create(ctx, a); err != nil {
		if errors.Is(err, wire.CodeUnique) {
			return auth.Identity{}, refused(wire.CodeUnique, "the name is taken")
		}
		return auth.Identity{}, fmt.Errorf("accounts: register %s: %w", name, err)
	}
	s.counts.registered.Add(1)
	return s.admit(ctx, a, from)
}

// stamp is the time now, as the database keeps it.
func (s *service) stamp() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// login checks a password and lets the session in. A name that does not exist takes as long as a wrong password, and
// has the same answer.
func (s *service) login(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if s.cfg.NoPasswords {
		return auth.Identity{}, refused(wire.CodeDenied, "there are no passwords here")
	}
	from, err := s.come(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	name := strings.ToLower(c.Name)
	if err := s.tryName(name); err != nil {
		return auth.Identity{}, err
	}
	a, err := s.store.byName(ctx, name)
	if err != nil && !errors.Is(err, wire.CodeNoObject) {
		return auth.Identity{}, fmt.Errorf("accounts: log in %s: %w", name, err)
	}
	v, err := s.check(ctx, from.session, a, c.Password)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case !v.ok:
		s.counts.denied.Add(1)
		return auth.Identity{}, wrongPassword()
	}
	s.names.forgive(name)
	s.addresses.giveBack(from.network)
	if v.fresh != "" {
		// Nothing is lost if this does not work: the next login tries again.
		old := a.hash
		err = s.update(ctx, a, func() error {
			if a.hash == old {
				a.hash = v.fresh
			}
			return nil
		})
		if err != nil {
			s.log.Warn("accounts: a hash of the present cost was not stored", "do", a.id, "err", err)
		}
	}
	return s.admit(ctx, a, from)
}

// changePassword needs the old one, since a session left open is not its owner.
func (s *service) changePassword(ctx context.Context, c auth.PasswordChange) (auth.Identity, error) {
	a, err := s.self(ctx)
	if err != nil {
		return auth.Identity{}, err
	}
	if a.hash == "" {
		return auth.Identity{}, refused(wire.CodeDenied, "this account has no password")
	}
	if err := s.tryName(a.name); err != nil {
		return auth.Identity{}, err
	}
	session := s.caller(ctx).Channel
	v, err := s.check(ctx, session, a, c.Old)
	switch {
	case err != nil:
		return auth.Identity{}, err
	case !v.ok:
		s.counts.denied.Add(1)
		return auth.Identity{}, refused(wire.CodeDenied, "the old password is wrong")
	}
	s.names.forgive(a.name)
	var hash string
	if err := s.hash(ctx, session, c.New, &hash); err != nil {
		return auth.Identity{}, err
	}
	old := a.hash
	err = s.update(ctx, a, func() error {
		if a.hash != old {
			return refused(wire.CodeConflict, "the password was changed meanwhile")
		}
		a.hash, a.tokens = hash, nil
		return nil
	})
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: change password of %s: %w", a.id, err)
	}
	return a.identity(), nil
}

// self is the account of the session that calls.
func (s *service) self(ctx context.Context) (*account, error) {
	who := s.caller(ctx)
	if who.Account.IsZero() {
		return nil, refused(wire.CodeDenied, "this needs a login")
	}
	a, err := s.store.byID(ctx, who.Account)
	if err != nil {
		return nil, fmt.Errorf("accounts: load %s: %w", who.Account, err)
	}
	return a, nil
}

// updateTries is how often a change is made again on the newest row when another process was faster.
const updateTries = 16

// update changes an account and stores it: change may run several times, each time on what is stored.
func (s *service) update(ctx context.Context, a *account, change func() error) error {
	for range updateTries {
		if err := change(); err != nil {
			return err
		}
		err := s.store.put(ctx, a)
		if !errors.Is(err, wire.CodeConflict) {
			return err
		}
		now, err := s.store.byID(ctx, a.id)
		if err != nil {
			return err
		}
		*a = *now
	}
	return refused(wire.CodeConflict, "the account changes all the time")
}

// hash hashes a password beside the loop.
func (s *service) hash(ctx context.Context, session do.Channel, password string, into *string) error {
	var made string
	err := s.inTurn(ctx, s.hashing, session, s.hasher.need(s.hasher.nobody), "hash a password", func() (err error) {
		made, err = s.hasher.make(password)
		return err
	})
	if err == nil { // else it may still be made
		*into = made
	}
	return err
}

// check compares a password beside the loop; a nil account has none, and takes as long.
func (s *service) check(ctx context.Context, session do.Channel, a *account, password string) (verdict, error) {
	stored := ""
	if a != nil {
		stored = a.hash
	}
	want, err := s.hasher.wanted(stored)
	if err != nil {
		return verdict{}, fmt.Errorf("accounts: account %s: %w", a.id, err)
	}
	var v verdict
	err = s.inTurn(ctx, s.hashing, session, s.hasher.need(want), "check a password", func() (err error) {
		v, err = s.hasher.check(want, password)
		return err
	})
	if err != nil { // it may still be looked at
		return verdict{}, err
	}
	return v, nil
}

// inTurn runs fn beside the loop when its turn has come. Who has to wait is told so, and who would have to wait for too
// long is told when to try again.
func (s *service) inTurn(ctx context.Context, at *turnstile, session do.Channel, need uint64, what string, fn func() error) error {
	turn, ahead, wait, err := at.come(need)
	if err != nil {
		return auth.Busy(wire.CodeOverload, ErrBusy.Error(), wait)
	}
	if ahead > 0 {
		s.waiting(session, auth.Place{Ahead: uint32(ahead), Wait: wait})
	}
	err = s.offload(ctx, what, func() error {
		if err := turn.enter(); err != nil {
			return err
		}
		defer turn.leave()
		return fn()
	})
	if err != nil {
		turn.giveUp()
		return fmt.Errorf("accounts: %s: %w", what, err)
	}
	return nil
}
