package ai

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Create brings obj, made by do.New of a registered type, into the world at a place, with this AI as its AI and owner.
// It has its id at once, and does not wait for the State: Await does. Within a handler it leaves with the rest.
func (r *Repository) Create(obj any, at do.Location) error {
	return r.core.Create(obj, Place{At: at})
}

// CreateAs is Create with everything chosen.
func (r *Repository) CreateAs(obj any, p Place) error { return r.core.Create(obj, p) }

// Await waits until the State has answered the Create of an object.
func (r *Repository) Await(ctx context.Context, obj *do.Object) error {
	return r.core.Created(ctx, obj)
}

// Change names objects whose changes belong into the running handler's bundle, besides its own object's.
func (r *Repository) Change(objects ...*do.Object) error { return r.core.Change(objects...) }

// SetOwner gives an object to another owner, a session's channel for example.
func (r *Repository) SetOwner(ctx context.Context, id do.ID, owner do.Channel) error {
	return r.core.SetOwner(ctx, id, owner)
}

// SetAI gives an object to another AI.
func (r *Repository) SetAI(ctx context.Context, id do.ID, ai do.Channel) error {
	return r.core.SetAI(ctx, id, ai)
}

// Unload writes what is dirty of a database object and takes it out of memory. Its row stays.
func (r *Repository) Unload(ctx context.Context, id do.ID) error { return r.core.Unload(ctx, id) }

// Activate brings an object of the database to life, with this AI as its AI and owner unless p says otherwise, and
// waits until it is here. Fields that are db without required or ram are not loaded (rule 129).
func (r *Repository) Activate(ctx context.Context, id do.ID, p Place) (any, error) {
	x, err := r.core.Activate(ctx, id, p, nil)
	if o, ok := x.(interface{ Class() *do.Class }); ok && err == nil {
		r.warnRowOnly(o.Class())
	}
	return x, err
}

// warnRowOnly says once for each class what of its objects was not loaded (rule 129).
func (r *Repository) warnRowOnly(class *do.Class) {
	if r.activated[class] {
		return
	}
	if r.activated == nil {
		r.activated = make(map[*do.Class]bool)
	}
	r.activated[class] = true
	var names []string
	for _, f := range class.Fields() {
		if f.Kind == do.FieldState && f.Keywords.Has(fields.DB) && !f.Stored() {
			names = append(names, f.Name)
		}
	}
	if len(names) > 0 {
		r.log.Warn("ai: Activate does not load fields that are db without required or ram; Load does", "class", class.Name(), "fields", names)
	}
}

// Activate is Repository.Activate of an object whose type is known.
func Activate[T any](ctx context.Context, r *Repository, id do.ID, p Place) (*T, error) {
	obj, err := r.Activate(ctx, id, p)
	if err != nil {
		return nil, err
	}
	t, ok := obj.(*T)
	if !ok {
		return nil, fmt.Errorf("ai: activate %s: %w: it is a %T", id, ErrNoObject, obj)
	}
	return t, nil
}

// Find is the object with the id, nil if it is not here or of another type.
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

// AddInterest watches zones below a parent: their objects enter this repository, whoever runs them. A whole district
// is the list of its zones.
func (r *Repository) AddInterest(parent do.ID, zones ...do.Zone) (Interest, error) {
	return r.core.AddInterest(parent, zones...)
}

// Serve makes this process serve an UberDOG with obj, made by do.New of a registered type.
func (r *Repository) Serve(id do.ID, obj any) error { return r.core.Serve(id, obj) }

// UberDOG is a game global to send to and to call through.
func UberDOG[T any](r *Repository, id do.ID) (*T, error) {
	x, err := r.core.UberDOG(id)
	if err != nil {
		return nil, err
	}
	t, ok := x.(*T)
	if !ok {
		return nil, fmt.Errorf("ai: uberdog %s: %w: it is a %T", id, ErrNoObject, x)
	}
	return t, nil
}

// Request sends a message to a channel and waits for its one answer.
func (r *Repository) Request(ctx context.Context, to do.Channel, body func(context uint32) wire.Body) (wire.Body, error) {
	return r.core.Request(ctx, "request to "+to.String(), to, body)
}

// Send sends a message to a channel, without waiting.
func (r *Repository) Send(to do.Channel, body wire.Body) error { return r.core.Send(to, body) }

// Row is an object as the database has it. Object is a Go object that is in no repository: it can be changed by
// Transact, and written by Store.
type Row[T any] struct {
	ID      do.ID
	Version uint64 // of the row
	Object  *T
}

// CreateStored makes a row in the database of obj's db fields; the object is not active. It is made in the partition of
// p's parent, or in a random one.
func (r *Repository) CreateStored(ctx context.Context, obj any, p Place) (do.ID, error) {
	return r.core.Stored(ctx, obj, p)
}

// Load reads a row, active or not, as the database has it now. What a State has yet to write of an object that is active is not
// in it, nor the last word of an AI about one that has just gone: Store and Transact, which compare, find that out.
func Load[T any](ctx context.Context, r *Repository, id do.ID) (Row[T], error) {
	b, err := r.Request(ctx, do.Control(do.RoleDatabase), func(c uint32) wire.Body { return &wire.DBGet{Context: c, DO: id} })
	if err != nil {
		return Row[T]{}, err
	}
	o, ok := b.(*wire.DBObject)
	if !ok {
		return Row[T]{}, fmt.Errorf("ai: load %s: unexpected %s", id, b.Type())
	}
	return rowOf[T](r, o)
}

func rowOf[T any](r *Repository, o *wire.DBObject) (Row[T], error) {
	row := Row[T]{ID: o.DO, Version: o.Row, Object: do.New[T]()}
	in, err := do.Bind(row.Object)
	if err != nil {
		return row, err
	}
	in.Attach(o.DO, nil, nil)
	if c := r.Schema().ByNumber(o.Class); c == nil || !isA(c, in.Object().Class().Name()) {
		return row, fmt.Errorf("ai: load %s: %w: it is of class %d, not %s", o.DO, &wire.Error{Code: wire.CodeNoClass}, o.Class, in.Object().Class())
	}
	it := o.Fields.Iter()
	for it.Next() {
		if _, _, err := in.Apply(it.Number(), it.Value()); err != nil {
			return row, err
		}
	}
	return row, it.Err()
}

func isA(c *do.Class, name string) bool {
	for _, a := range c.Ancestors() {
		if a.Name() == name {
			return true
		}
	}
	return false
}

// Query finds rows of T's class by the value of an indexed field, in the order of their ids; limit 0 is 100.
func Query[T any](ctx context.Context, r *Repository, field string, value any, limit int) ([]Row[T], error) {
	return QueryAfter[T](ctx, r, field, value, do.ID{}, limit)
}

// QueryAfter is Query of the ids after one: the next page.
func QueryAfter[T any](ctx context.Context, r *Repository, field string, value any, after do.ID, limit int) ([]Row[T], error) {
	find, err := findOf[T](r, field, value, limit)
	if err != nil {
		return nil, err
	}
	find.After = after
	return found[T](ctx, r, func(c uint32) wire.Body {
		find.Context = c
		return find
	})
}

// findOf is the question for the rows that have a value.
func findOf[T any](r *Repository, field string, value any, limit int) (*wire.DBFind, error) {
	class, err := classOf[T](r)
	if err != nil {
		return nil, fmt.Errorf("ai: query: %w", err)
	}
	f := class.FieldByName(field)
	if f == nil {
		return nil, fmt.Errorf("ai: query %s.%s: %w", class, field, do.ErrNoField)
	}
	enc, err := encode(f, value)
	if err != nil {
		return nil, fmt.Errorf("ai: query %s: %w", f, err)
	}
	return &wire.DBFind{Class: class.Number(), Field: f.Number, Value: enc, Limit: uint32(max(0, limit))}, nil
}

// encode encodes and checks a value of a field.
func encode(f *do.Field, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return nil, errors.New("no value")
	}
	c, err := fields.CodecOf(v.Type(), f.Type)
	if err != nil {
		return nil, err
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	b := c.Append(nil, p.UnsafePointer())
	return b, f.Type.Check(b)
}

// Store writes the db fields of a Go object that is in no repository into its row: that of an object that is not
// active. With row above 0 only if that is the row's version, else wire.CodeConflict. It returns the new version.
func Store[T any](ctx context.Context, r *Repository, id do.ID, obj *T, row uint64) (uint64, error) {
	in, err := do.Bind(obj)
	if err != nil {
		return 0, err
	}
	var build fields.MapBuilder
	if err := in.Entry(&build); err != nil {
		return 0, fmt.Errorf("ai: store %s: %w", id, err)
	}
	class := in.Object().Class()
	m := build.Map().Filter(func(n fields.Number) bool {
		f := class.Field(n)
		return f != nil && f.Keywords.Has(fields.DB)
	})
	b, err := r.Request(ctx, do.Control(do.RoleDatabase), func(c uint32) wire.Body {
		return &wire.DBSet{Context: c, DO: id, Row: row, Fields: m}
	})
	if err != nil {
		return 0, err
	}
	if done, ok := b.(*wire.Done); ok {
		return done.Row, nil
	}
	return 0, fmt.Errorf("ai: store %s: unexpected %s", id, b.Type())
}
