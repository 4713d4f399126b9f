package do

import (
	"context"
	"errors"
	"fmt"
	"unsafe"
)

// ErrDetached is wrapped by errors about objects that no repository holds: not yet created, or gone.
var ErrDetached = errors.New("object is in no repository")

// ErrNoField is wrapped by errors about a pointer that is no field of the object, or a field that the cluster's
// class does not have.
var ErrNoField = errors.New("no such field")

// Object is what every class embeds first. It is the object's link to its repository: without one (made, and not
// yet created; or deleted) its methods return zero values and errors that wrap ErrDetached.
// An object must not be copied, and is touched only on its repository's loop.
type Object struct {
	in *Instance // nil until bound by New or Bind
}

// Link is what stands behind an Object: its repository.
type Link interface {
	Save(o *Object) error
	Commit(ctx context.Context, o *Object) error
	Delete(o *Object) error
	Move(o *Object, to Location) error
	// SendEvent sends an event, or a molecular update, with its encoded argument; to the normal audience if to is
	// zero. Once a molecular has left, Instance.MarkSavedField makes its parts count as saved.
	SendEvent(o *Object, f *Field, arg []byte, to Channel) error
	// Call sends a call and waits for the one answer.
	Call(ctx context.Context, o *Object, f *Field, req []byte) (reply []byte, err error)
}

// ID is the object's DoID; zero before it was created.
func (o *Object) ID() ID {
	if o.in == nil {
		return ID{}
	}
	return o.in.id
}

// Class is the object's class: the cluster's once the object is in a repository. It is nil for an object that was
// not made by New.
func (o *Object) Class() *Class {
	if o.in == nil {
		return nil
	}
	return o.in.class
}

// Location is where the object is.
func (o *Object) Location() Location {
	if o.in == nil {
		return Location{}
	}
	return o.in.location
}

// Owner is the channel of the session or AI that the object belongs to, zero if there is none or it is not known
// here.
func (o *Object) Owner() Channel {
	if o.in == nil {
		return Channel{}
	}
	return o.in.owner
}

// Version is how new this view of the object is.
func (o *Object) Version() Version {
	if o.in == nil {
		return Version{}
	}
	return o.in.version
}

// Save sends what changed since the last save as one atomic SET_FIELDS; within a handler, when that returns nil.
// It says nothing about the disk.
func (o *Object) Save() error {
	l, err := o.link("save")
	if err != nil {
		return err
	}
	return l.Save(o)
}

// Commit is Save that returns when the database has it, and what was saved of the object before. What a handler has changed on other objects is sent, too; of those that
// are in its bundle, by Change, the database has what is stored.
func (o *Object) Commit(ctx context.Context) error {
	l, err := o.link("commit")
	if err != nil {
		return err
	}
	return l.Commit(ctx, o)
}

// Delete takes the object out of the world, with all that is below it.
func (o *Object) Delete() error {
	l, err := o.link("delete")
	if err != nil {
		return err
	}
	return l.Delete(o)
}

// Move moves the object to another location.
func (o *Object) Move(to Location) error {
	l, err := o.link("move")
	if err != nil {
		return err
	}
	return l.Move(o, to)
}

// link is the repository's end.
func (o *Object) link(verb string) (Link, error) {
	if o.in == nil || o.in.link == nil {
		return nil, fmt.Errorf("do: %s %s: %w", verb, o.ID(), ErrDetached)
	}
	return o.in.link, nil
}

// IsSet reports whether a state field, given by pointer (&a.Pos), has a value: a required one always, any other if
// it was set or is about to be. For what is no field it is false.
func (o *Object) IsSet(field any) bool {
	in, i, err := o.find(field)
	if err != nil {
		return false
	}
	if in.plan.members[i].required() {
		return true
	}
	set, removed := in.change(i)
	return set || in.slots[i].set && !removed
}

// Unset takes back the value of a state field, given by pointer: with the next save a required field gets its
// default again, and any other has no value. A required field without a default cannot be unset (rule 70).
func (o *Object) Unset(field any) error {
	in, i, err := o.find(field)
	if err != nil {
		return fmt.Errorf("do: unset: %w", err)
	}
	m := &in.plan.members[i]
	if m.required() && m.field.Default == nil {
		return fmt.Errorf("do: unset %s of %s: %w: it is required and has no default", m.field, o.ID(), ErrNoField)
	}
	in.decode(i, m.field.initial)
	in.slots[i].touched, in.slots[i].unset = false, true
	return nil
}

// Touch makes the next save send a state field, given by pointer, even if its value did not change.
func (o *Object) Touch(field any) error {
	in, i, err := o.find(field)
	if err != nil {
		return fmt.Errorf("do: touch: %w", err)
	}
	in.slots[i].touched = true
	return nil
}

// find finds the state field that a pointer points at.
func (o *Object) find(field any) (*Instance, int, error) {
	if o.in == nil {
		return nil, 0, fmt.Errorf("%w: the object was not made by New", ErrDetached)
	}
	p, rt, ok := pointerOf(field)
	if ok && uintptr(p) >= uintptr(o.in.base) {
		offset := uintptr(p) - uintptr(o.in.base)
		for i := range o.in.plan.members {
			m := &o.in.plan.members[i]
			if m.offset == offset && m.rt == rt && m.field.Kind == FieldState {
				return o.in, i, nil
			}
		}
	}
	return nil, 0, fmt.Errorf("%w: %T does not point at a state field of %s", ErrNoField, field, o.in.class)
}

// handle is the front of every member that is sent: which object and which member it is.
type handle struct {
	in *Instance
	m  *member
}

// ready gives what a send needs.
func (h *handle) ready(verb string) (*Instance, *Field, error) {
	if h.in == nil {
		return nil, nil, fmt.Errorf("do: %s: %w: it was not made by New", verb, ErrDetached)
	}
	f := h.in.class.Field(h.m.field.Number)
	switch {
	case h.in.link == nil:
		return nil, nil, fmt.Errorf("do: %s %s of %s: %w", verb, h.m.field, h.in.id, ErrDetached)
	case f == nil:
		return nil, nil, fmt.Errorf("do: %s %s of %s: %w in the cluster's class", verb, h.m.field, h.in.id, ErrNoField)
	}
	return h.in, f, nil
}

// encode encodes an argument and checks it, so that the sender hears what its receivers would refuse (rule 71).
func (h *handle) encode(verb string, p unsafe.Pointer) ([]byte, error) {
	arg := h.m.codec.Append(nil, p)
	if err := h.m.field.Type.Check(arg); err != nil {
		return nil, fmt.Errorf("do: %s %s of %s: %w", verb, h.m.field, h.in.id, err)
	}
	return arg, nil
}

// Event is a member that is sent and not stored. T is its one argument; a struct for several.
type Event[T any] struct{ handle }

// Send sends the event to its normal audience. Within a handler it leaves when that returns nil.
func (e *Event[T]) Send(arg T) error { return e.SendTo(Channel{}, arg) }

// SendTo sends the event to one channel, as only AIs may.
func (e *Event[T]) SendTo(to Channel, arg T) error {
	in, f, err := e.ready("send")
	if err != nil {
		return err
	}
	b, err := e.encode("send", unsafe.Pointer(&arg))
	if err != nil {
		return err
	}
	return in.link.SendEvent(in.object, f, b, to)
}

// Call is a member that is sent to one process, which answers: the object's AI, with ownrecv its owner, or for an UberDOG
// the process that serves it.
type Call[Req, Res any] struct{ handle }

// Call sends the request and waits for the one answer: a result, or an error. Within a handler it is a save point:
// what was changed before it has been sent.
func (c *Call[Req, Res]) Call(ctx context.Context, req Req) (Res, error) {
	var res Res
	in, f, err := c.ready("call")
	if err != nil {
		return res, err
	}
	b, err := c.encode("call", unsafe.Pointer(&req))
	if err != nil {
		return res, err
	}
	reply, err := in.link.Call(ctx, in.object, f, b)
	if err != nil {
		return res, err
	}
	if err := c.m.field.Reply.Check(reply); err != nil {
		return res, fmt.Errorf("do: call %s of %s: reply: %w", f, in.id, err)
	}
	_, err = c.m.reply.Decode(unsafe.Pointer(&res), reply)
	return res, err
}

// Molecular is a name for several state fields that are set together (of=X|Y|Z).
type Molecular struct{ handle }

// Send sends the present values of the parts as one update under the molecular's number (rule 60). They count as
// saved when it has left, as after Save.
func (m *Molecular) Send() error {
	in, f, err := m.ready("send")
	if err != nil {
		return err
	}
	arg, err := in.appendMolecular(nil, m.m)
	if err != nil {
		return err
	}
	return in.link.SendEvent(in.object, f, arg, Channel{})
}

// Gone stands in the place of a field that was removed, so that those after it keep their numbers.
type Gone struct{}
