package do

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unsafe"

	"github.com/otpd/otpd/fields"
)

// plan is what reflection found out about a Go type that is a class or a behaviour, once. It is immutable.
type plan struct {
	rt      reflect.Type // a struct
	class   *Class       // of a schema with nothing in it but the class and its ancestors: the numbers are the same
	decls   []ClassDecl  // the ancestors first
	types   map[string]reflect.Type
	objects []uintptr // where in rt an Object is
	members []member  // by the number of their fields
}

// member is a field of the class as it stands in the Go type.
type member struct {
	field  *Field
	offset uintptr
	rt     reflect.Type
	codec  *fields.Codec // of the value, argument or request
	reply  *fields.Codec
	arg    reflect.Type // what codec is for
	res    reflect.Type // what reply is for
	parts  []int        // of a molecular: places in plan.members
	zero   []byte       // encoding of the Go zero value of a state field
}

func (m *member) required() bool { return m.field.Keywords.Has(fields.Required) }

// plans holds the plan, or the error, of each Go type that New or Bind met: a pure cache, since New has no other
// place to keep what it depends on, the Go type alone.
var plans sync.Map // of reflect.Type to planned

type planned struct {
	plan *plan
	err  error
}

// planOf is the plan of a struct type.
func planOf(rt reflect.Type) (*plan, error) {
	if p, ok := plans.Load(rt); ok {
		return p.(planned).plan, p.(planned).err
	}
	p, err := makePlan(rt)
	plans.Store(rt, planned{p, err})
	return p, err
}

// makePlan reads the declarations in rt.
func makePlan(rt reflect.Type) (*plan, error) {
	if rt.Kind() != reflect.Struct {
		return nil, fmt.Errorf("do: %v: %w: a class is a struct", rt, ErrSchema)
	}
	class, offset, err := classPart(rt)
	if err != nil {
		return nil, fmt.Errorf("do: %v: %w", rt, err)
	}
	w := walker{plan: &plan{rt: rt, types: make(map[string]reflect.Type)}, at: make(map[string]member), names: make(map[string]string)}
	if err := w.class(class, offset); err != nil {
		return nil, err
	}
	s, err := NewSchema(w.plan.decls, nil)
	if err != nil {
		return nil, err
	}
	w.plan.class = s.byName[class.Name()]
	return w.plan, w.compile()
}

var (
	objectType    = reflect.TypeFor[Object]()
	goneType      = reflect.TypeFor[Gone]()
	molecularType = reflect.TypeFor[Molecular]()
)

// sent is what Event, Call and nothing else implement.
type sent interface {
	declared() (kind FieldKind, arg, res reflect.Type)
}

func (*Event[T]) declared() (FieldKind, reflect.Type, reflect.Type) {
	return FieldEvent, reflect.TypeFor[T](), nil
}

func (*Call[Req, Res]) declared() (FieldKind, reflect.Type, reflect.Type) {
	return FieldCall, reflect.TypeFor[Req](), reflect.TypeFor[Res]()
}

// sentOf is the kind and types of an Event or Call.
func sentOf(rt reflect.Type) (sent, bool) {
	if rt.Kind() != reflect.Struct {
		return nil, false
	}
	s, ok := reflect.New(rt).Interface().(sent)
	// A struct that embeds an Event has the method, too, and is none.
	return s, ok && rt.PkgPath() == objectType.PkgPath()
}

// declares reports whether rt is a class itself, not a behaviour: it embeds Object directly or has a member that
// declares a field.
func declares(rt reflect.Type) bool {
	for i := range rt.NumField() {
		f := rt.Field(i)
		_, tagged := f.Tag.Lookup("do")
		_, is := sentOf(f.Type)
		if tagged || is || f.Type == goneType || f.Type == molecularType || f.Type == objectType {
			return true
		}
	}
	return false
}

// holdsObject reports whether rt embeds an Object, at any depth.
func holdsObject(rt reflect.Type) bool {
	if rt == objectType {
		return true
	}
	for i := 0; rt.Kind() == reflect.Struct && i < rt.NumField(); i++ {
		if f := rt.Field(i); f.Anonymous && holdsObject(f.Type) {
			return true
		}
	}
	return false
}

// classPart finds the class in rt: rt itself, or the one class that a behaviour embeds.
func classPart(rt reflect.Type) (class reflect.Type, offset uintptr, err error) {
	if declares(rt) {
		return rt, 0, nil
	}
	for i := range rt.NumField() {
		f := rt.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Pointer && holdsObject(f.Type.Elem()) {
			return nil, 0, fmt.Errorf("%w: it embeds %s by pointer: embed it by value", ErrSchema, f.Name)
		}
		if !f.Anonymous || !holdsObject(f.Type) {
			continue
		}
		if class != nil {
			return nil, 0, fmt.Errorf("%w: it embeds the classes %s and %s: a behaviour embeds one, and a class with several parents embeds do.Object first", ErrSchema, class.Name(), f.Name)
		}
		inner, at, err := classPart(f.Type)
		if err != nil {
			return nil, 0, err
		}
		class, offset = inner, f.Offset+at
	}
	if class == nil {
		return nil, 0, fmt.Errorf("%w: it embeds neither do.Object nor a class", ErrSchema)
	}
	return class, offset, nil
}

// compile makes the members of the class's fields, with their codecs.
func (w *walker) compile() error {
	p := w.plan
	place := make(map[string]int)
	for i, f := range p.class.fields {
		m := w.at[f.Name]
		m.field = f
		place[f.Name] = i
		var err error
		if f.Kind != FieldMolecular {
			m.codec, err = fields.CodecOf(m.arg, f.Type)
		}
		if err == nil && f.Kind == FieldCall {
			m.reply, err = fields.CodecOf(m.res, f.Reply)
		}
		if err != nil {
			return fmt.Errorf("do: class %s: field %s: %w: %w", f.Class, f.Name, ErrSchema, err)
		}
		if f.Kind == FieldState {
			m.zero = m.codec.Append(nil, reflect.New(m.rt).UnsafePointer())
		}
		p.members = append(p.members, m)
	}
	for i, f := range p.class.fields {
		for _, part := range f.Parts {
			if part.Kind != FieldState {
				return fmt.Errorf("do: class %s: field %s: %w: part %s is no state field: in Go a molecular is sent with the values of its parts", f.Class, f.Name, ErrSchema, part.Name)
			}
			p.members[i].parts = append(p.members[i].parts, place[part.Name])
		}
	}
	return nil
}

// find is the place of the member with the number, -1 if there is none.
func (p *plan) find(n fields.Number) int {
	lo, hi := 0, len(p.members)
	for lo < hi {
		mid := (lo + hi) / 2
		if p.members[mid].field.Number < n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(p.members) && p.members[lo].field.Number == n {
		return lo
	}
	return -1
}

// pointerOf takes a pointer apart.
func pointerOf(v any) (p unsafe.Pointer, elem reflect.Type, ok bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return nil, nil, false
	}
	return rv.UnsafePointer(), rv.Type().Elem(), true
}

// typeName is the name of a Go type as a class has it.
func typeName(rt reflect.Type) string {
	name, _, _ := strings.Cut(rt.Name(), "[")
	return name
}
