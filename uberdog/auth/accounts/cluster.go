package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// rows are the accounts in the cluster's database.
type rows struct{ r *ai.Repository }

func (s *rows) byName(ctx context.Context, name string) (*account, error) {
	found, err := ai.Query[auth.Account](ctx, s.r, "Name", name, 1)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &wire.Error{Code: wire.CodeNoObject}
	}
	return accountOf(found[0]), nil
}

func (s *rows) byID(ctx context.Context, id do.ID) (*account, error) {
	row, err := ai.Load[auth.Account](ctx, s.r, id)
	if err != nil {
		return nil, err
	}
	return accountOf(row), nil
}

func accountOf(row ai.Row[auth.Account]) *account {
	o := row.Object
	return &account{id: row.ID, row: row.Version, name: o.Name, hash: o.Hash, created: o.Created, roles: o.Roles}
}

func (s *rows) create(ctx context.Context, a *account) (err error) {
	a.id, err = s.r.CreateStored(ctx, objectOf(a), ai.Place{})
	return err
}

func objectOf(a *account) *auth.Account {
	o := do.New[auth.Account]()
	o.Name, o.Hash, o.Created, o.Roles = a.name, a.hash, a.created, a.roles
	return o
}

func (s *rows) setHash(ctx context.Context, a *account, hash string) error {
	o := objectOf(a)
	o.Hash = hash
	row, err := ai.Store(ctx, s.r, a.id, o, a.row)
	if err == nil {
		a.hash, a.row = hash, row
	}
	return err
}

// sessions are the client sessions of the cluster.
type sessions struct{ r *ai.Repository }

// bindTime is how long an agent has to bind a session. One whose client has gone never answers: nobody listens on its
// channel any more.
const bindTime = 3 * time.Second

// kick tells all agents that have a session of the account; they listen on its channel.
func (s *sessions) kick(id do.ID) error {
	return s.r.Send(do.Account(id), &wire.Eject{Reason: wire.ReasonLoggedInElsewhere})
}

func (s *sessions) bind(ctx context.Context, session do.Channel, id do.ID) error {
	ctx, cancel := context.WithTimeout(ctx, bindTime)
	defer cancel()
	to := s.r.Session(session)
	if err := to.SetClientID(ctx, id); err != nil {
		return fmt.Errorf("bind session %s: %w", session, err)
	}
	return to.SetState(ctx, wire.StateEstablished)
}
