package do

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Registry collects the Go types of a game: its classes, the UberDOGs among them, and the behaviours of one
// process. The zero value is not ready: use NewRegistry. It is filled before a repository is made with it, and only
// read after that. A registration that returns an error changed nothing.
type Registry struct {
	decls      []ClassDecl
	types      map[string]reflect.Type // by class name
	bindings   []Binding
	schema     *Schema
	behaviours map[behaviourKey]*Behaviour
	byType     map[reflect.Type]*Behaviour
}

type behaviourKey struct {
	class string
	side  Side
}

// NewRegistry makes an empty Registry.
func NewRegistry() *Registry {
	s, _ := NewSchema(nil, nil) // nothing can contradict itself
	return &Registry{
		types: make(map[string]reflect.Type), schema: s,
		behaviours: make(map[behaviourKey]*Behaviour), byType: make(map[reflect.Type]*Behaviour),
	}
}

// Schema is the schema of what was registered, classes in the order in which they came: parents before the class
// that embeds them, if they were not registered before.
func (r *Registry) Schema() *Schema { return r.schema }

// Class registers a class, given as a value (Avatar{}) or a pointer, and the classes that it embeds.
func (r *Registry) Class(v any) error {
	rt := structOf(v)
	if rt == nil {
		return fmt.Errorf("do: register %T: %w: want a class, like Avatar{}", v, ErrSchema)
	}
	_, err := r.class(rt)
	return err
}

// UberDOG registers a class and binds it to a well-known id. An anonymous one is reachable before login.
func (r *Registry) UberDOG(id ID, v any, anonymous bool) error {
	rt := structOf(v)
	if rt == nil {
		return fmt.Errorf("do: register %T: %w: want a class, like Auth{}", v, ErrSchema)
	}
	old := *r
	old.types = maps.Clone(r.types)
	old.byType, old.behaviours = maps.Clone(r.byType), maps.Clone(r.behaviours)
	p, err := r.class(rt)
	if err != nil {
		return err
	}
	bindings := append(slices.Clone(r.bindings), Binding{ID: id, Class: p.class.name, Anonymous: anonymous})
	s, err := NewSchema(r.decls, bindings)
	if err != nil {
		*r = old
		return err
	}
	r.bindings, r.schema = bindings, s
	return nil
}

// structOf is the struct type of a value or of what it points at; nil if it is neither.
func structOf(v any) reflect.Type {
	rt := reflect.TypeOf(v)
	if rt != nil && rt.Kind() == reflect.Pointer {
		rt = rt.Elem()
	}
	if rt == nil || rt.Kind() != reflect.Struct {
		return nil
	}
	return rt
}

// class registers the class rt with its ancestors. Each becomes its own behaviour, too, for processes that register
// none: methods of the class itself are then its handlers.
func (r *Registry) class(rt reflect.Type) (*plan, error) {
	p, err := planOf(rt)
	if err != nil {
		return nil, err
	}
	if p.types[p.class.name] != rt {
		return nil, fmt.Errorf("do: class %s: %w: it declares nothing: embed do.Object first if it is a class, and use Behave if it is a behaviour of %s", rt.Name(), ErrSchema, p.class)
	}
	decls := slices.Clone(r.decls)
	var added []*Behaviour
	for _, d := range p.decls {
		if other := r.types[d.Name]; other != nil && other != p.types[d.Name] {
			return nil, fmt.Errorf("do: class %s: %w: %v and %v have the same name", d.Name, ErrSchema, other, p.types[d.Name])
		} else if other != nil {
			continue
		}
		decls = append(decls, d)
		own, err := planOf(p.types[d.Name])
		if err != nil {
			return nil, err
		}
		b, err := matchMethods(own, SideAny, nil)
		if err != nil {
			return nil, err
		}
		added = append(added, b)
	}
	s, err := NewSchema(decls, r.bindings)
	if err != nil {
		return nil, err
	}
	r.decls, r.schema = decls, s
	for _, b := range added {
		r.types[b.Class().name] = b.plan.rt
		r.behaviours[behaviourKey{b.Class().name, SideAny}] = b
		r.byType[b.plan.rt] = b
	}
	return p, nil
}

// Behave registers a behaviour: a function that makes one, like func() *AvatarAI { return &AvatarAI{shop: s} }.
// The type embeds its class, which is registered, too. Its side follows from its name, as in OTP: it ends in AI, UD
// (UberDOG) or OV (owner view), and is a client's otherwise.
//
// Its methods are matched by name; one that begins with On, Clean or Validate and an upper-case letter, and fits
// nothing, is an error:
//
//	OnGenerate, OnDisable, OnDelete   func([ctx]) [error]
//	OnHP      of a state field        func([ctx,] old int16) [error]
//	OnSay     of an event             func([ctx,] text string) [error]
//	OnBuy     of a call               func([ctx,] req BuyRequest) (Receipt, error)
//	OnWalk    of a molecular          func([ctx]) [error]
//	CleanName, ValidateName           func(string) (string, error), func(string) error: of fields with review
func (r *Registry) Behave(newBehaviour any) error {
	name := ""
	if ft := reflect.TypeOf(newBehaviour); ft != nil && ft.Kind() == reflect.Func && ft.NumOut() == 1 && ft.Out(0).Kind() == reflect.Pointer {
		name = ft.Out(0).Elem().Name()
	}
	return r.BehaveAs(sideOf(name), newBehaviour)
}

// BehaveAs is Behave for types whose names do not say the side.
func (r *Registry) BehaveAs(side Side, newBehaviour any) error {
	fn := reflect.ValueOf(newBehaviour)
	if !fn.IsValid() || fn.Kind() != reflect.Func || fn.IsNil() || fn.Type().NumIn() != 0 || fn.Type().NumOut() != 1 ||
		fn.Type().Out(0).Kind() != reflect.Pointer || fn.Type().Out(0).Elem().Kind() != reflect.Struct {
		return fmt.Errorf("do: behaviour %T: %w: want a function like func() *AvatarAI", newBehaviour, ErrSchema)
	}
	rt := fn.Type().Out(0).Elem()
	p, err := planOf(rt)
	if err != nil {
		return err
	}
	b, err := matchMethods(p, side, fn.Call)
	if err != nil {
		return err
	}
	key := behaviourKey{p.class.name, side}
	if o := r.behaviours[key]; o != nil && side != SideAny {
		return fmt.Errorf("do: behaviour %s: %w: class %s has the %s behaviour %s already", rt.Name(), ErrSchema, p.class, side, o.plan.rt.Name())
	}
	if r.types[p.class.name] == nil {
		if _, err := r.class(p.types[p.class.name]); err != nil {
			return err
		}
	} else if r.types[p.class.name] != p.types[p.class.name] {
		return fmt.Errorf("do: behaviour %s: %w: %v and %v have the same name", rt.Name(), ErrSchema, r.types[p.class.name], p.types[p.class.name])
	}
	r.behaviours[key] = b
	r.byType[rt] = b
	return nil
}

// sideOf is the side that a type's name says.
func sideOf(name string) Side {
	for _, s := range []Side{SideAI, SideUberDOG, SideOwner} {
		if strings.HasSuffix(name, s.suffix()) {
			return s
		}
	}
	return SideClient
}

// Behaviour is the behaviour of a class on a side; the class's own if none was registered for the side, nil if the
// class is not known here.
func (r *Registry) Behaviour(class string, side Side) *Behaviour {
	if b := r.behaviours[behaviourKey{class, side}]; b != nil {
		return b
	}
	return r.behaviours[behaviourKey{class, SideAny}]
}

// BehaviourOf is the behaviour whose type target, a pointer to a struct, has.
func (r *Registry) BehaviourOf(target any) (*Behaviour, error) {
	if _, rt, ok := pointerOf(target); ok {
		if b := r.byType[rt]; b != nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("do: %T: %w: it is not registered", target, ErrSchema)
}
