package database

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// findLimit is the most objects that a find lists that does not say how many.
const findLimit = 100

// come makes a request of a message, and refuses it where no request of any kind could be served.
func (s *State) come(m *wire.Message, context uint32, id do.ID, out *wire.Outbox) (*request, error) {
	s.counters.Requests++
	r := &request{from: m.From, context: context, of: m.Body.Type(), id: id, at: s.now, class: wire.AnyClass}
	r.op.ID = id
	switch {
	case s.away:
		return nil, s.fail(r, wire.CodeAway, "", out)
	case s.schema == nil:
		return nil, s.fail(r, wire.CodeNotReady, "there is no schema", out)
	case s.waiting >= s.cfg.Waiting:
		return nil, s.fail(r, wire.CodeOverload, "", out)
	}
	return r, nil
}

// create stores a new object: its db fields, and the declared defaults of those that are missing. The others stay
// absent (rules 140, 141).
func (s *State) create(m *wire.Message, b *wire.DBCreate, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, b.DO, out)
	if err != nil {
		return err
	}
	class := s.schema.ByNumber(b.Class)
	switch {
	case class == nil:
		return s.fail(r, wire.CodeNoClass, "", out)
	case b.DO.IsZero():
		return s.fail(r, wire.CodeMalformed, "no id", out)
	case !stores(class):
		return s.fail(r, wire.CodeNoClass, class.Name()+" has no db field", out)
	}
	values, code, text := stored(class, b.Fields)
	if code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	r.class = b.Class
	r.op.Kind, r.op.Fields = OpCreate, fields.Merge(defaults(class), values)
	s.enqueue(r)
	return nil
}

// get reads fields of an object. Absent ones, and those that are not of the class, are left out (rule 142).
func (s *State) get(m *wire.Message, b *wire.DBGet, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, b.DO, out)
	if err != nil {
		return err
	}
	r.op.Kind, r.op.Want, r.op.All = OpGet, b.Fields, len(b.Fields) == 0
	s.enqueue(r)
	return nil
}

// set writes fields under conditions. Only the row says of which class the object is, so the class is looked up first
// where the request cannot be understood without: to remove a field, its declared default must be known (rule 145).
// Otherwise the backend is asked at once, and the request taken apart only if it finds fields that it does not store.
func (s *State) set(m *wire.Message, b *wire.DBSet, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, b.DO, out)
	if err != nil {
		return err
	}
	if text := malformed(b); text != "" {
		return s.fail(r, wire.CodeMalformed, text, out)
	}
	r.set = b
	if len(b.Delete) > 0 || b.Fields.Len() == 0 {
		r.ask()
	} else {
		r.op = Op{Kind: OpSet, ID: b.DO, Epoch: b.Epoch, Expect: b.Row, Fields: b.Fields, Equals: b.Expect, Empty: b.Absent}
	}
	s.enqueue(r)
	return nil
}

// malformed says what is wrong with a set whatever the object's class.
func malformed(b *wire.DBSet) string {
	for _, m := range []fields.Map{b.Fields, b.Expect} {
		it := m.Iter()
		for it.Next() {
		}
		if err := it.Err(); err != nil {
			return err.Error()
		}
	}
	for _, n := range b.Delete {
		if _, both := b.Fields.Get(n); both {
			return "field " + n.String() + " is both set and deleted"
		}
	}
	return ""
}

// ask makes the request a question for the class of its object.
func (r *request) ask() {
	r.asks = true
	r.op = Op{Kind: OpGet, ID: r.id}
}

// understand makes the operation of a set of an object of the class.
func (r *request) understand(class *do.Class) (code wire.Code, text string) {
	b := r.set
	for _, n := range b.Absent {
		if f := class.Field(n); f == nil || !f.Keywords.Has(fields.DB) {
			return wire.CodeNoField, n.String()
		}
	}
	for it := b.Expect.Iter(); it.Next(); {
		if f := class.Field(it.Number()); f == nil || !f.Keywords.Has(fields.DB) {
			return wire.CodeNoField, it.Number().String()
		}
	}
	values, code, text := stored(class, b.Fields)
	if code != wire.CodeOK {
		return code, text
	}
	values, unset, code, text := removed(class, values, b.Delete)
	if code != wire.CodeOK {
		return code, text
	}
	r.asks, r.understood = false, true
	r.op = Op{Kind: OpSet, ID: b.DO, Epoch: b.Epoch, Expect: b.Row, Fields: values, Unset: unset, Equals: b.Expect, Empty: b.Absent}
	if values.Len()+len(unset)+b.Expect.Len()+len(b.Absent) == 0 && b.Row == 0 {
		// Nothing to write and nothing to compare: what remains is whether the object exists.
		r.op = Op{Kind: OpGet, ID: b.DO}
	}
	return wire.CodeOK, ""
}

// remove deletes an object's row (rule 79).
func (s *State) remove(m *wire.Message, b *wire.DBDelete, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, b.DO, out)
	if err != nil {
		return err
	}
	r.op.Kind, r.op.Epoch = OpDelete, b.Epoch
	s.enqueue(r)
	return nil
}

// find lists the objects of exactly one class that have a value in an indexed field.
func (s *State) find(m *wire.Message, b *wire.DBFind, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, do.ID{}, out)
	if err != nil {
		return err
	}
	class := s.schema.ByNumber(b.Class)
	if class == nil {
		return s.fail(r, wire.CodeNoClass, "", out)
	}
	f := class.Field(b.Field)
	switch {
	case f == nil:
		return s.fail(r, wire.CodeNoField, b.Field.String(), out)
	case !f.Keywords.Has(fields.DB) || !f.Keywords.Any(fields.Index|fields.Unique):
		return s.fail(r, wire.CodeNoField, f.Name+": "+ErrNotIndexed.Error(), out)
	}
	if err := f.Check(b.Value); err != nil {
		return s.fail(r, valueCode(err), f.Name+": "+err.Error(), out)
	}
	order, code, text := orderOf(class, b.Order)
	if code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	r.class = b.Class
	r.op = Op{Kind: OpFind, Field: b.Field, Value: b.Value, Limit: pageOf(b.Limit), After: b.After, All: true, Order: order}
	s.enqueue(r)
	return nil
}

// orderOf checks the order that a find or list asks for.
func orderOf(class *do.Class, list []wire.DBOrder) (o *Order, code wire.Code, text string) {
	switch {
	case len(list) == 0:
		return nil, wire.CodeOK, ""
	case len(list) > 1:
		return nil, wire.CodeMalformed, "more than one order"
	}
	b := &list[0]
	f := class.Field(b.Field)
	switch {
	case f == nil:
		return nil, wire.CodeNoField, b.Field.String()
	case !f.Keywords.Has(fields.DB) || !f.Keywords.Any(fields.Index|fields.Unique):
		return nil, wire.CodeNoField, f.Name + ": " + ErrNotIndexed.Error()
	}
	if b.Value != nil {
		if err := f.Check(b.Value); err != nil {
			return nil, valueCode(err), f.Name + ": " + err.Error()
		}
	}
	return &Order{Field: b.Field, Desc: b.Desc, Value: b.Value}, wire.CodeOK, ""
}
