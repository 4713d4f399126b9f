package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
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
	return &account{
		id: row.ID, row: row.Version, name: o.Name, hash: o.Hash, created: o.Created, roles: o.Roles,
		holder: o.Holder, tokens: o.Tokens, outside: o.Outside,
	}
}

// create makes the row, and reads the version that it got.
func (s *rows) create(ctx context.Context, a *account) error {
	id, err := s.r.CreateStored(ctx, objectOf(a), ai.Place{})
	if err != nil {
		return err
	}
	made, err := s.byID(ctx, id)
	if err == nil {
		*a = *made
	}
	return err
}

// objectOf is the account with every field that is ever emptied said, so that Store writes it.
func objectOf(a *account) *auth.Account {
	o := do.New[auth.Account]()
	o.Name, o.Hash, o.Created, o.Roles = a.name, a.hash, a.created, a.roles
	o.Holder, o.Tokens, o.Outside = a.holder, a.tokens, a.outside
	for _, field := range []any{&o.Roles, &o.Holder, &o.Tokens} {
		// These are fields of the class.
		_ = o.Touch(field)
	}
	return o
}

func (s *rows) put(ctx context.Context, a *account) error {
	row, err := ai.Store(ctx, s.r, a.id, objectOf(a), a.row)
	if err == nil {
		a.row = row
	}
	return err
}

// sessions are the client sessions of the cluster.
type sessions struct{ r *ai.Repository }

// agentTime is how long an agent has to answer.
const agentTime = 3 * time.Second

func (s *sessions) address(ctx context.Context, session do.Channel) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	remote, _, err := s.r.Session(session).Address(ctx)
	return remote, err
}

func (s *sessions) alive(ctx context.Context, session do.Channel) bool {
	_, err := s.address(ctx, session)
	return err == nil
}

// kick tells all agents that have such a session.
func (s *sessions) kick(to do.Channel, reason wire.Reason, text string) error {
	return s.r.Send(to, &wire.Eject{Reason: reason, Text: text})
}

func (s *sessions) bind(ctx context.Context, session do.Channel, id do.ID) error {
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	to := s.r.Session(session)
	if err := to.SetClientID(ctx, id); err != nil {
		return fmt.Errorf("bind session %s: %w", session, err)
	}
	return to.SetState(ctx, wire.StateEstablished)
}

// errNoHolder says that the cluster's schema is older than this program's.
var errNoHolder = errors.New("class Account has no field Holder in the cluster's schema")

// freed takes the holder of an account back, if it is that session still (rule 146).
func (s *sessions) freed(session do.Channel, id do.ID) (*wire.DBSet, error) {
	class := s.r.Schema().Class("Account")
	if class == nil {
		return nil, errNoHolder
	}
	f := class.FieldByName("Holder")
	if f == nil {
		return nil, errNoHolder
	}
	holder := func(h do.ID) fields.Map {
		return fields.MapOf(fields.Pair{Number: f.Number, Value: fields.AppendBin(nil, h[:])})
	}
	return &wire.DBSet{DO: id, Fields: holder(do.ID{}), Expect: holder(session.ID)}, nil
}

func (s *sessions) release(ctx context.Context, session do.Channel, id do.ID) error {
	set, err := s.freed(session, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	return s.r.Session(session).PostRemove(ctx, do.Control(do.RoleDatabase), set)
}

func (s *sessions) freeNow(ctx context.Context, session do.Channel, id do.ID) error {
	set, err := s.freed(session, id)
	if err != nil {
		return err
	}
	_, err = s.r.Request(ctx, do.Control(do.RoleDatabase), func(c uint32) wire.Body {
		set.Context = c
		return set
	})
	return err
}
