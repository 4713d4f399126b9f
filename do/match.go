package do

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/otpd/otpd/fields"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// matchMethods matches the methods of a plan's type by name.
func matchMethods(p *plan, side Side, construct func([]reflect.Value) []reflect.Value) (*Behaviour, error) {
	n := len(p.members)
	b := &Behaviour{plan: p, side: side, make: construct, on: make([]*handler, n), clean: make([]*handler, n), validate: make([]*handler, n)}
	ptr := reflect.PointerTo(p.rt)
	for i := range ptr.NumMethod() {
		method := ptr.Method(i)
		if err := b.match(method); err != nil {
			return nil, fmt.Errorf("do: behaviour %s: method %s: %w", p.rt.Name(), method.Name, err)
		}
	}
	return b, nil
}

// cutVerb takes a method's name apart: OnHP is On and HP. ok is false for other methods, like Online.
func cutVerb(name string) (verb, field string, ok bool) {
	for _, verb := range []string{"On", "Clean", "Validate"} {
		field, found := strings.CutPrefix(name, verb)
		if found && field != "" && field[0] >= 'A' && field[0] <= 'Z' {
			return verb, field, true
		}
	}
	return "", "", false
}

// match puts one method in its place.
func (b *Behaviour) match(method reflect.Method) error {
	verb, name, ok := cutVerb(method.Name)
	if !ok {
		return nil
	}
	if verb == "On" {
		for _, l := range []struct {
			name string
			to   **handler
		}{{"Generate", &b.generate}, {"Disable", &b.disable}, {"Delete", &b.remove}} {
			if l.name == name {
				h, err := newHandler(method, nil, nil, false)
				*l.to = h
				return err
			}
		}
	}
	f := b.plan.class.byName[name]
	if f == nil {
		return fmt.Errorf("%w: class %s has no field %s", ErrSchema, b.plan.class, name)
	}
	i := b.plan.find(f.Number)
	m := &b.plan.members[i]
	h, err := b.handlerOf(verb, method, m)
	if err != nil {
		return err
	}
	switch verb {
	case "On":
		b.on[i] = h
		return b.audience(f)
	case "Clean":
		b.clean[i] = h
	default:
		b.validate[i] = h
	}
	return b.reviews(f)
}

// handlerOf makes the handler of a method that is about m, if it has the signature.
func (b *Behaviour) handlerOf(verb string, method reflect.Method, m *member) (*handler, error) {
	switch {
	case verb == "Clean" && m.field.Kind == FieldState:
		return newHandler(method, m.arg, m.arg, true)
	case verb == "Validate" && m.field.Kind == FieldState:
		return newHandler(method, m.arg, nil, true)
	case verb != "On":
		return nil, fmt.Errorf("%w: %s is no state field: Clean and Validate are about those", ErrSchema, m.field)
	case m.field.Kind == FieldCall:
		return newHandler(method, m.arg, m.res, true)
	case m.field.Kind == FieldMolecular:
		return newHandler(method, nil, nil, false)
	}
	return newHandler(method, m.arg, nil, false)
}

// newHandler checks a method's signature: func([ctx,] arg) (res, error), where arg and res may be nil for none, and
// the error may be left out unless fails.
func newHandler(method reflect.Method, arg, res reflect.Type, fails bool) (*handler, error) {
	h := &handler{fn: method.Func, arg: arg, answers: res != nil}
	ft := method.Type
	in := 1 // after the receiver
	if in < ft.NumIn() && ft.In(in) == contextType && arg != contextType {
		h.ctx = true
		in++
	}
	ok := !ft.IsVariadic()
	if arg != nil {
		ok = ok && in < ft.NumIn() && ft.In(in) == arg
		in++
	}
	ok = ok && in == ft.NumIn()
	out := 0
	if res != nil {
		ok = ok && out < ft.NumOut() && ft.Out(out) == res
		out++
	}
	if out < ft.NumOut() && ft.Out(out) == errorType {
		h.fails = true
		out++
	}
	ok = ok && out == ft.NumOut() && (h.fails || !fails)
	if !ok {
		return nil, fmt.Errorf("%w: it is %s, want %s", ErrSchema, signature(ft), wanted(arg, res, fails))
	}
	return h, nil
}

// signature is the type of a method without its receiver.
func signature(ft reflect.Type) string {
	var in, out []string
	for i := 1; i < ft.NumIn(); i++ {
		in = append(in, ft.In(i).String())
	}
	if ft.IsVariadic() {
		in[len(in)-1] = "..." + ft.In(ft.NumIn()-1).Elem().String()
	}
	for i := range ft.NumOut() {
		out = append(out, ft.Out(i).String())
	}
	return "func(" + strings.Join(in, ", ") + ")" + results(out)
}

// results is how Go writes results.
func results(out []string) string {
	switch len(out) {
	case 0:
		return ""
	case 1:
		return " " + out[0]
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// wanted is the signature that newHandler accepts, with what may be left out in brackets.
func wanted(arg, res reflect.Type, fails bool) string {
	in := "[context.Context]"
	if arg != nil {
		in = "[context.Context,] " + arg.String()
	}
	switch {
	case res != nil:
		return "func(" + in + ")" + results([]string{res.String(), "error"})
	case fails:
		return "func(" + in + ") error"
	}
	return "func(" + in + ") [error]"
}

// audience refuses a handler that would never be called, because nobody tells this side of the field.
func (b *Behaviour) audience(f *Field) error {
	k := f.Keywords
	switch b.side {
	case SideAI:
		if f.Kind != FieldCall && f.Settable() && !k.Has(fields.AIRecv) {
			return fmt.Errorf("%w: clients may set %s, but the AI never hears of it: add airecv", ErrSchema, f)
		}
	case SideClient:
		if !k.Any(fields.Broadcast | fields.OwnRecv) {
			return fmt.Errorf("%w: clients never hear of %s: it is neither broadcast nor ownrecv", ErrSchema, f)
		}
	case SideOwner:
		if !k.Has(fields.OwnRecv) {
			return fmt.Errorf("%w: an owner view only hears ownrecv fields, and %s is none (rule 158)", ErrSchema, f)
		}
	case SideUberDOG:
		if f.Kind == FieldState || f.Kind == FieldMolecular {
			return fmt.Errorf("%w: an UberDOG has no state, and %s is a %s field (rule 171)", ErrSchema, f, f.Kind)
		}
	}
	return nil
}

// reviews refuses a Clean or Validate method that would never be called.
func (b *Behaviour) reviews(f *Field) error {
	switch {
	case !f.Keywords.Has(fields.Review):
		return fmt.Errorf("%w: what clients set in %s does not pass by the AI: add review", ErrSchema, f)
	case b.side == SideClient || b.side == SideOwner:
		return fmt.Errorf("%w: values are cleaned and validated by the AI, and this is a %s behaviour", ErrSchema, b.side)
	}
	return nil
}
