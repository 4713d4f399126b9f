package do

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/otpd/otpd/fields"
)

// Side says in which process a behaviour lives. It decides what its handlers can hear.
type Side uint8

// The sides.
const (
	SideAny     Side = iota // the class's own methods: wherever no behaviour is registered
	SideClient              // what clients see
	SideAI                  // the game's logic
	SideUberDOG             // serves a global object
	SideOwner               // the owner's view, apart from the visible one (rule 158)
)

func (s Side) String() string {
	return [...]string{"class", "client", "AI", "UberDOG", "owner view"}[min(s, SideOwner)]
}

// suffix is how the names of the side's types end.
func (s Side) suffix() string {
	return [...]string{"", "", "AI", "UD", "OV"}[min(s, SideOwner)]
}

// Behaviour is how a process treats the objects of a class: its Go type, and its handlers by field. It is immutable.
// Repositories use it; games register one by Registry.Behave.
type Behaviour struct {
	plan     *plan
	side     Side
	make     func([]reflect.Value) []reflect.Value // nil: a zero struct
	on       []*handler                            // by place in plan.members, nil where there is none
	clean    []*handler
	validate []*handler
	generate *handler
	disable  *handler
	remove   *handler
}

// handler is one method. Calling it is reflection; what it gets and gives is encoded and decoded by codecs.
type handler struct {
	fn      reflect.Value // of the method, with the receiver as first argument
	ctx     bool
	arg     reflect.Type // nil: it takes none
	fails   bool         // the last result is an error
	answers bool         // the first of two results is a value
}

// Class is the behaviour's class as the Go type declares it. Its fields' numbers are those of any compatible schema.
func (b *Behaviour) Class() *Class { return b.plan.class }

// Side is the side that it was registered for.
func (b *Behaviour) Side() Side { return b.side }

// GoType is the struct type.
func (b *Behaviour) GoType() reflect.Type { return b.plan.rt }

// New makes an object of the behaviour's type. Where its function left Go's zero value, defaults are filled in.
func (b *Behaviour) New() (*Instance, error) {
	ptr := reflect.Value{}
	if b.make == nil {
		ptr = reflect.New(b.plan.rt)
	} else if ptr = b.make(nil)[0]; ptr.IsNil() {
		return nil, fmt.Errorf("do: behaviour %s: %w: its function returned nil", b.plan.rt.Name(), ErrSchema)
	}
	in := b.plan.bind(ptr.Interface(), ptr.UnsafePointer())
	in.fillDefaults()
	return in, nil
}

// Generate calls OnGenerate: the object entered the view, its fields are set.
func (b *Behaviour) Generate(ctx context.Context, in *Instance) error {
	return b.generate.lifecycle(ctx, in)
}

// Disable calls OnDisable: the object left the view, and may come back.
func (b *Behaviour) Disable(ctx context.Context, in *Instance) error {
	return b.disable.lifecycle(ctx, in)
}

// Delete calls OnDelete: the object is gone from the world.
func (b *Behaviour) Delete(ctx context.Context, in *Instance) error {
	return b.remove.lifecycle(ctx, in)
}

// Generates reports whether there is an OnGenerate.
func (b *Behaviour) Generates() bool { return b.generate != nil }

// Disables reports whether there is an OnDisable.
func (b *Behaviour) Disables() bool { return b.disable != nil }

// Deletes reports whether there is an OnDelete.
func (b *Behaviour) Deletes() bool { return b.remove != nil }

// Handles reports whether there is an On method for the field.
func (b *Behaviour) Handles(n fields.Number) bool {
	i := b.plan.find(n)
	return i >= 0 && b.on[i] != nil
}

// TakesContext reports whether the On method of a field, if there is one, gets the context of its run.
func (b *Behaviour) TakesContext(n fields.Number) bool {
	i := b.plan.find(n)
	return i >= 0 && b.on[i] != nil && b.on[i].ctx
}

// Handle calls the On method of a field, if there is one. arg is the old value of a state field as Apply gave it,
// the argument of an event, the request of a call; nothing of a molecular. reply is what a call answers. The error
// is the method's own, or wraps ErrNoField for a call without method, or says that arg is no value of the field.
func (b *Behaviour) Handle(ctx context.Context, in *Instance, n fields.Number, arg []byte) (reply []byte, err error) {
	i := b.plan.find(n)
	if i < 0 {
		return nil, fmt.Errorf("do: handle %s of %s: %w", n, in.id, ErrNoField)
	}
	m, h := &b.plan.members[i], b.on[i]
	if h == nil {
		if m.field.Kind == FieldCall {
			return nil, fmt.Errorf("do: handle %s of %s: %w: %s has no On%s", m.field, in.id, ErrNoField, b.plan.rt.Name(), m.field.Name)
		}
		return nil, nil
	}
	out, err := h.call(ctx, in, m, arg)
	if err != nil || !h.answers {
		return nil, err
	}
	reply = m.reply.Append(nil, box(out[0]).UnsafePointer())
	if err := m.field.Reply.Check(reply); err != nil {
		return nil, fmt.Errorf("do: handle %s of %s: reply: %w", m.field, in.id, err)
	}
	return reply, nil
}

// Review gives a value that a client set to the field's Clean method and what that returns to its Validate method.
// cleaned is what the AI is to set.
func (b *Behaviour) Review(ctx context.Context, in *Instance, n fields.Number, value []byte) (cleaned []byte, err error) {
	i := b.plan.find(n)
	if i < 0 || b.plan.members[i].field.Kind != FieldState {
		return nil, fmt.Errorf("do: review %s of %s: %w", n, in.id, ErrNoField)
	}
	m := &b.plan.members[i]
	if err := m.field.Type.Check(value); err != nil {
		return nil, fmt.Errorf("do: review %s of %s: %w", m.field, in.id, err)
	}
	if h := b.clean[i]; h != nil {
		out, err := h.call(ctx, in, m, value)
		if err != nil {
			return nil, err
		}
		value = m.codec.Append(nil, box(out[0]).UnsafePointer())
		if err := m.field.Type.Check(value); err != nil {
			return nil, fmt.Errorf("do: review %s of %s: cleaned: %w", m.field, in.id, err)
		}
	}
	if h := b.validate[i]; h != nil {
		if _, err := h.call(ctx, in, m, value); err != nil {
			return nil, err
		}
	}
	return bytes.Clone(value), nil
}

// lifecycle calls h, which may be nil, without argument.
func (h *handler) lifecycle(ctx context.Context, in *Instance) error {
	if h == nil {
		return nil
	}
	_, err := h.call(ctx, in, nil, nil)
	return err
}

// call decodes the argument, calls the method, and takes its error off.
func (h *handler) call(ctx context.Context, in *Instance, m *member, arg []byte) ([]reflect.Value, error) {
	args := make([]reflect.Value, 1, 3)
	args[0] = reflect.ValueOf(in.target)
	if h.ctx {
		args = append(args, reflect.ValueOf(ctx))
	}
	if h.arg != nil {
		v := reflect.New(h.arg)
		rest, err := m.codec.Decode(v.UnsafePointer(), arg)
		if err == nil && len(rest) > 0 {
			err = fields.ErrTrailing
		}
		if err != nil {
			return nil, fmt.Errorf("do: handle %s of %s: %w", m.field, in.id, err)
		}
		args = append(args, v.Elem())
	}
	out := h.fn.Call(args)
	if h.fails {
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// box is a pointer to a copy of v.
func box(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}
