package repository

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// A State is the do.Link of its objects.
var _ do.Link = (*State)(nil)

// Save sends what changed on an object; within a handler it is held until that returns nil.
func (s *State) Save(x *do.Object) error {
	o, err := s.record(x, "save")
	if err != nil {
		return err
	}
	ops, ok, err := s.takeChanges(o)
	if !ok || err != nil {
		return err
	}
	s.hold(o, ops...)
	return nil
}

// hold gives ops to the running handler, or sends them when there is none.
func (s *State) hold(o *object, ops ...op) {
	if s.sched.closed {
		return
	}
	a, err := s.handler()
	if err != nil {
		s.emit(ops, nil, nil)
		return
	}
	a.ops = append(a.ops, ops...)
	if o != nil && o != a.o && !contains(a.named, o) && !contains(a.extra, o) {
		a.extra = append(a.extra, o)
	}
}

// Commit is Save that waits until the database has it, and what else of the handler's bundle is stored. It is a save point.
func (s *State) Commit(ctx context.Context, x *do.Object) error {
	o, err := s.record(x, "commit")
	if err != nil {
		return err
	}
	a, err := s.handler()
	if err != nil {
		return fmt.Errorf("repository: commit %s: %w", o.id, err)
	}
	if !s.port.bundles() {
		return fmt.Errorf("repository: commit %s: %w: only AIs commit", o.id, ErrDenied)
	}
	if err := a.gatherAll(); err != nil {
		return err
	}
	if err := a.gather(o); err != nil {
		return err
	}
	w := &waiter{what: "commit " + o.String(), ctx: ctx}
	writes := s.emit(a.take(), a.bundled(), o)
	if !slices.ContainsFunc(writes, func(x *write) bool { return x.commit == o }) {
		// Nothing is changed now: the database may not have yet what was saved before.
		writes = append(writes, s.send(&write{commit: o}))
	}
	open := 0
	for _, x := range writes {
		if x.settled {
			return x.err // at once: there is no cluster any more
		}
		open++
		x.done = append(x.done, func(err error) {
			if open--; open == 0 || err != nil {
				s.wake(w, nil, err)
			}
		})
	}
	_, err = s.await(w, s.deadline(ctx))
	return err
}

// Delete takes an object out of the world. It leaves the table when the State says that it is gone (rule 77).
func (s *State) Delete(x *do.Object) error {
	o, err := s.record(x, "delete")
	if err != nil {
		return err
	}
	if !s.port.bundles() {
		return fmt.Errorf("repository: delete %s: %w: only AIs delete", o.id, ErrDenied)
	}
	s.hold(o, op{kind: opDelete, o: o})
	return nil
}

// Move moves an object; what changed on it goes with the move as one bundle (rule 169).
func (s *State) Move(x *do.Object, to do.Location) error {
	o, err := s.record(x, "move")
	if err != nil {
		return err
	}
	if !s.port.bundles() && !o.owned {
		return fmt.Errorf("repository: move %s: %w: it is not owned", o.id, ErrDenied)
	}
	ops, _, err := s.takeChanges(o)
	if err != nil {
		return err
	}
	if to.IsZero() {
		to = do.Location{} // nowhere has no zones
	}
	if o.at != to {
		ops = append(ops, op{kind: opMove, o: o, to: to, from: o.at})
		o.at = to
		o.place()
	}
	if len(ops) > 0 {
		s.moveTogether(o, ops)
	}
	return nil
}

// moveTogether holds or sends a move with its set; outside of a handler they are one write.
func (s *State) moveTogether(o *object, ops []op) {
	if _, err := s.handler(); err == nil {
		s.hold(o, ops...)
		return
	}
	s.emit(ops, []*object{o}, nil)
}

// SendEvent sends an event, or a molecular of present values. What changed on the object before it is sent before it.
func (s *State) SendEvent(x *do.Object, f *do.Field, arg []byte, to do.Channel) error {
	o, err := s.record(x, "send "+f.Name+" of")
	if err != nil {
		return err
	}
	if !s.port.maySet(o, f) {
		return fmt.Errorf("repository: send %s of %s: %w", f, o.id, ErrDenied)
	}
	m := fields.MapOf(fields.Pair{Number: f.Number, Value: arg})
	if !to.IsZero() {
		send, err := s.direct(o, m, to)
		if err != nil {
			return err
		}
		s.hold(o, op{kind: opSend, send: send})
		return nil
	}
	if f.Kind == do.FieldMolecular {
		if err := o.certain(m, nil); err != nil {
			return err
		}
		p := op{kind: opSet, o: o, fields: m}
		p.old = s.remember(o, m)
		s.hold(o, p)
		return nil
	}
	ops, _, err := s.takeChanges(o)
	if err != nil {
		return err
	}
	s.hold(o, append(ops, op{kind: opEvent, o: o, fields: m})...)
	return nil
}

// direct is a send to one channel, past the normal audience; only AIs can.
func (s *State) direct(o *object, m fields.Map, to do.Channel) (func(), error) {
	d, ok := s.port.(interface {
		sendTo(o *object, m fields.Map, to do.Channel)
	})
	if !ok {
		return nil, fmt.Errorf("repository: send to %s: %w: only AIs can", to, ErrDenied)
	}
	return func() { d.sendTo(o, m, to) }, nil
}

// Call calls a field of an object and waits for the one answer. It is a save point.
func (s *State) Call(ctx context.Context, x *do.Object, f *do.Field, arg []byte) ([]byte, error) {
	o, err := s.record(x, "call "+f.Name+" of")
	if err != nil {
		return nil, err
	}
	deadline := s.deadline(ctx)
	what := "call " + f.String() + " of " + o.id.String()
	reply, err := s.request(ctx, what, do.Channel{}, deadline, func(context uint32) error {
		return s.port.call(context, o, f, bytes.Clone(arg), deadline)
	})
	if err != nil {
		return nil, err
	}
	b, _ := reply.([]byte)
	return b, nil
}
