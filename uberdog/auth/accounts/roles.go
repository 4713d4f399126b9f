package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// Of is who an account is, as the database has it now: for handlers that ask what the caller may do.
//
//	who, err := accounts.Of(ctx, repo, uberdog.CallerOf(ctx).Account)
//	if err != nil || !who.Has(auth.RoleModerator) { ... }
func Of(ctx context.Context, r *ai.Repository, account do.ID) (auth.Identity, error) {
	a, err := (&rows{r: r}).byID(ctx, account)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: account %s: %w", account, err)
	}
	return a.identity(), nil
}

// boss is who changes other accounts: a process of the cluster, which may do everything, or a session with a role.
type boss struct {
	process bool
	auth.Identity
}

// asBoss checks that the caller is a process, or has one of the roles now, whatever it had when it logged in.
func (s *service) asBoss(ctx context.Context, roles ...string) (boss, error) {
	if s.caller(ctx).Channel.Kind != do.KindSession {
		return boss{process: true}, nil
	}
	a, err := s.self(ctx)
	if err != nil {
		return boss{}, err
	}
	if !slices.ContainsFunc(roles, a.identity().Has) {
		return boss{}, refused(wire.CodeDenied, "this needs the role "+strings.Join(roles, " or "))
	}
	return boss{Identity: a.identity()}, nil
}

// other is the account of a name that a boss gives.
func (s *service) other(ctx context.Context, name string) (*account, error) {
	a, err := s.store.byName(ctx, strings.ToLower(name))
	switch {
	case errors.Is(err, wire.CodeNoObject):
		return nil, refused(wire.CodeNoObject, "no account of that name")
	case err != nil:
		return nil, fmt.Errorf("accounts: find %q: %w", name, err)
	}
	return a, nil
}

// setRoles replaces the roles of an account.
func (s *service) setRoles(ctx context.Context, c auth.RoleChange) (auth.Identity, error) {
	by, err := s.asBoss(ctx, auth.RoleAdmin)
	if err != nil {
		return auth.Identity{}, err
	}
	a, err := s.other(ctx, c.Name)
	if err != nil {
		return auth.Identity{}, err
	}
	roles := slices.Clone(c.Roles)
	slices.Sort(roles)
	roles = slices.Compact(roles)
	err = s.update(ctx, a, func() error {
		a.roles = roles
		return nil
	})
	if err != nil {
		return auth.Identity{}, fmt.Errorf("accounts: set roles of %s: %w", a.id, err)
	}
	s.log.Info("accounts: roles", "do", a.id, "name", a.name, "roles", roles, "by", by.Name)
	return a.identity(), nil
}

// kick ends the sessions of an account, also one that it was given to and that is not bound yet. Admins are for admins to
// kick.
func (s *service) kick(ctx context.Context, k auth.KickRequest) (auth.Identity, error) {
	by, err := s.asBoss(ctx, auth.RoleModerator, auth.RoleAdmin)
	if err != nil {
		return auth.Identity{}, err
	}
	a, err := s.other(ctx, k.Name)
	if err != nil {
		return auth.Identity{}, err
	}
	if a.identity().Has(auth.RoleAdmin) && !by.process && !by.Has(auth.RoleAdmin) {
		return auth.Identity{}, refused(wire.CodeDenied, "an admin is for admins to kick")
	}
	s.log.Info("accounts: kick", "do", a.id, "name", a.name, "by", by.Name)
	err = s.gate.kick(do.Account(a.id), wire.ReasonKicked, k.Text)
	if err == nil && !a.holder.IsZero() {
		err = s.gate.kick(do.Session(a.holder), wire.ReasonKicked, k.Text)
	}
	return a.identity(), err
}
