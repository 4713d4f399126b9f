package uberdog

import (
	"context"
	"errors"
	"fmt"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
)

// ErrBinding says that the schema binds the id to another class, or to none.
var ErrBinding = errors.New("wrong binding")

// Serve makes the repository's process serve the UberDOG at id with obj, a pointer to a registered behaviour of the
// class that the schema binds to id. It is called on the loop, or before it runs.
func Serve(r *ai.Repository, id do.ID, obj any) error {
	in, err := do.Bind(obj)
	if err != nil {
		return fmt.Errorf("uberdog: serve %s: %w", id, err)
	}
	if err := bound(r.Schema(), id, in.Object().Class()); err != nil {
		return fmt.Errorf("uberdog: serve %s: %w", id, err)
	}
	return r.Serve(id, obj)
}

// bound checks the binding of id.
func bound(s *do.Schema, id do.ID, class *do.Class) error {
	for _, b := range s.UberDOGs() {
		switch {
		case b.ID != id:
		case b.Class != class.Name():
			return fmt.Errorf("%w: the schema has class %s there, not %s", ErrBinding, b.Class, class)
		default:
			return nil
		}
	}
	return fmt.Errorf("%w: the schema has no UberDOG there: use Registry.UberDOG", ErrBinding)
}

// Caller is who sent an event or call: the channel of its session or process, and the account that the session was
// bound to when it sent, zero before login and for processes (rule 91).
type Caller = ai.Caller

// CallerOf is who caused the handler with this context to run.
func CallerOf(ctx context.Context) Caller { return ai.CallerOf(ctx) }
