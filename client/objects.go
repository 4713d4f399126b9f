package client

import (
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// Session is where this client's session stands.
type Session struct {
	ID      do.ID // as the agent gave it
	Account do.ID // zero before login
	State   wire.SessionState
}

// Channel is the session's channel, by which AIs know it.
func (s Session) Channel() do.Channel { return do.Session(s.ID) }

// Session is where the session stands.
func (r *Repository) Session() Session {
	return Session{ID: r.core.Session(), Account: r.core.Account(), State: r.core.SessionState()}
}

// Err is why the session ended, nil while it lives.
func (r *Repository) Err() error { return r.core.Err() }

// AddInterest opens an interest in zones below a parent. Objects enter as they come; Wait returns when all have, or why they do
// not. An interest that is refused keeps its number until it is removed, or altered to what is allowed.
func (r *Repository) AddInterest(parent do.ID, zones ...do.Zone) (Interest, error) {
	return r.core.AddInterest(parent, zones...)
}

// Interests are the open interests, those that the server opened included.
func (r *Repository) Interests() []*repository.Handle { return r.core.Handles() }

// UberDOG is a game global to send to and to call through.
func UberDOG[T any](r *Repository, id do.ID) (*T, error) {
	x, err := r.core.UberDOG(id)
	if err != nil {
		return nil, err
	}
	t, ok := x.(*T)
	if !ok {
		return nil, fmt.Errorf("client: uberdog %s: %w: it is a %T", id, ErrNoObject, x)
	}
	return t, nil
}

// Find is the object with the id, nil if it is not in view nor owned, or of another type.
func Find[T any](r *Repository, id do.ID) *T {
	t, _ := r.core.Find(id).(*T)
	return t
}

// FindAll are all objects of a type, in the order of their ids.
func FindAll[T any](r *Repository) []*T {
	var out []*T
	for _, x := range r.core.FindAll(func(x any) bool { _, ok := x.(*T); return ok }) {
		out = append(out, x.(*T))
	}
	return out
}

// Owned reports whether the client owns an object.
func (r *Repository) Owned(obj *do.Object) bool { return r.core.Owns(obj.ID()) }

// Allow tells the client that it was granted fields of an object beyond their keywords (rule 90).
func (r *Repository) Allow(obj *do.Object, names ...string) error { return r.core.Allow(obj, names...) }

// Schema is the cluster's schema.
func (r *Repository) Schema() *do.Schema { return r.core.Schema() }

// Quiet reports whether nothing of this client is in flight.
func (r *Repository) Quiet() bool { return r.core.Quiet() }

// View is a copy of everything that the repository holds, for tests and tools.
func (r *Repository) View() []repository.ObjectView { return r.core.View() }

// Traffic counts what came and went.
type Traffic = repository.Traffic

// Traffic is what came and went so far.
func (r *Repository) Traffic() Traffic { return r.core.Traffic() }
