package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// checked is what a set of an object's fields is, once all of it was found right.
type checked struct {
	n         int            // entries
	any       fields.Keyword // of at least one field
	latest    bool           // every field is a latest one
	molecular bool           // one of several entries is a molecular, to be taken apart
	found     []found        // the entries, in State.scratch: valid until the next check
}

// found is one entry of a set with its field.
type found struct {
	field *do.Field
	value []byte
}

// check looks at a whole set before any of it is applied (rule 63). It allocates only to refuse.
func (s *State) check(k *class, m fields.Map) (c checked, code wire.Code, text string) {
	c.latest = true
	c.found = s.scratch[:0]
	it := m.Iter()
	for it.Next() {
		f := k.Field(it.Number())
		if f == nil {
			return c, wire.CodeNoField, it.Number().String()
		}
		if f.Kind == do.FieldCall {
			return c, wire.CodeNoField, f.Name + " is a call"
		}
		if err := f.Check(it.Value()); err != nil {
			return c, valueCode(err), f.Name + ": " + err.Error()
		}
		c.n++
		c.found = append(c.found, found{f, it.Value()})
		c.any |= f.Keywords
		c.latest = c.latest && f.Keywords.Has(fields.Latest)
		c.molecular = c.molecular || f.Kind == do.FieldMolecular
	}
	if err := it.Err(); err != nil {
		return c, wire.CodeMalformed, err.Error()
	}
	if len(it.Rest()) > 0 {
		return c, wire.CodeMalformed, "bytes after the values"
	}
	if c.n == 0 {
		return c, wire.CodeMalformed, "no fields"
	}
	c.molecular = c.molecular && c.n > 1
	s.scratch = c.found
	return c, wire.CodeOK, ""
}

// setFields applies a set, tells its audiences, and answers the writer (rules 54 to 63).
func (s *State) setFields(m *wire.Message, b *wire.SetFields, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, requestOf(m), out)
	}
	c, code, text := s.check(o.class, b.Fields)
	switch {
	case code != wire.CodeOK:
	case b.Row != 0:
		code, text = wire.CodeConflict, aliveAgain
	case b.Latest && !c.latest:
		code, text = wire.CodeMalformed, "not every field is a latest one"
	case b.Durable && o.writer() == nil:
		code = wire.CodeNotDB
	case b.Durable:
		code, text = s.mayCommit(o.class.number)
	}
	if code != wire.CodeOK {
		return s.refuseSet(m, b, o, code, text, out)
	}
	if c.any.Has(fields.Review) && m.From != o.ai {
		return s.review(m, b, o, out)
	}
	set := b.Fields
	if c.molecular {
		set = o.class.parts(set)
	}
	if b.Latest {
		if set = o.newer(set, m.From, b.Serial); set == nil {
			s.doneSet(m, b, o, out)
			return nil
		}
	}
	if len(set) != len(b.Fields) || c.molecular {
		c, _, _ = s.check(o.class, set)
	}
	if w := o.writer(); w != nil && c.any.Has(fields.Unique|fields.DB) {
		s.hold(m, o, set, out)
		return nil
	}
	s.apply(o, set, c, m.From, true, out)
	if b.Durable {
		s.await(&waiter{request: request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}, version: o.version()}, out, o.writer())
		return nil
	}
	s.doneSet(m, b, o, out)
	return nil
}

// refuseSet answers a refused set with the current values of its fields.
func (s *State) refuseSet(m *wire.Message, b *wire.SetFields, o *object, code wire.Code, text string, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	return s.failWith(r, &wire.Failed{
		Now:  o.serial,
		Code: code, Text: text, Version: o.version(), Fields: o.current(b.Fields), Serial: b.Serial, Latest: b.Latest,
	}, out)
}

// doneSet acknowledges a set to its writer.
func (s *State) doneSet(m *wire.Message, b *wire.SetFields, o *object, out *wire.Outbox) {
	if b.Context == 0 {
		return
	}
	d := out.Done()
	d.Context, d.Of, d.DO, d.Version = b.Context, b.Type(), b.DO, o.version()
	d.Serial, d.Latest, d.Now = b.Serial, b.Latest, o.serial
	out.SendTo(m.From, o.channel(), d)
}

// apply stores a set that was just checked and sends one Update to all who may hear of it: the location, the AI and the owner
// (rules 49, 54, 63). Its sender is the writer (rule 59). The set is forwarded as it came and stored as a copy.
// With write its db fields are written to the database, too.
func (s *State) apply(o *object, set fields.Map, c checked, writer do.Channel, write bool, out *wire.Outbox) {
	w := o.writer()
	if !write || !c.any.Has(fields.DB) {
		w = nil
	}
	for i := range c.found {
		f, v := c.found[i].field, c.found[i].value
		if f.Kind == do.FieldMolecular {
			_ = f.Split(v, func(part *do.Field, v []byte) { s.store(o, w, part, v) })
			continue
		}
		s.store(o, w, f, v)
	}
	s.counters.Updates++
	s.announce(o, set, c.any, c.latest, writer, writer, out)
}

// store keeps one checked value, in memory and for the database, where the field is kept at all.
func (s *State) store(o *object, w *writer, f *do.Field, v []byte) {
	if f.Slot >= 0 {
		o.put(f.Slot, v)
	}
	if w != nil && f.Keywords.Has(fields.DB) {
		s.write(w, f.Number, v)
	}
}

// announce sends the Update of a set that was stored, in the name of its writer. Of AI and owner that one of both is not
// told who knows: he has an answer from this State.
func (s *State) announce(o *object, set fields.Map, any fields.Keyword, latest bool, writer, knows do.Channel, out *wire.Outbox) {
	to := s.hearers(o, any, knows)
	if any.Has(fields.Broadcast) && o.place != nil {
		o.published()
		s.stir(o.place)
	} else {
		o.told()
	}
	if any.Has(fields.Latest) {
		o.serial++
	}
	if len(to) == 0 {
		return
	}
	if any.Any(fields.Grid | fields.Edges | fields.Open) {
		s.grounds = append(s.grounds, wire.GroundDigest{DO: o.id, Version: o.version()})
	}
	u := out.Update()
	u.DO, u.Version, u.Fields = o.id, o.version(), set
	if any.Has(fields.Latest) {
		u.Serial, u.Latest = o.serial, latest
	}
	out.Send(to, writer, u)
}

// hearers are the recipients of an Update whose fields have these keywords among them.
func (s *State) hearers(o *object, any fields.Keyword, writer do.Channel) []do.Channel {
	ai := any.Has(fields.AIRecv) && o.ai != writer && !o.ai.IsZero()
	owner := any.Has(fields.OwnRecv) && o.owner() != writer && !o.owner().IsZero()
	zones := any.Any(fields.Grid | fields.Edges | fields.Open)
	if !ai && !owner && !zones {
		if any.Has(fields.Broadcast) && o.place != nil {
			return o.place.to
		}
		return nil
	}
	var list [4]do.Channel
	if any.Has(fields.Broadcast) {
		list[0] = do.At(o.location())
	}
	if ai {
		list[1] = o.ai
		s.heard(o, o.ai)
	}
	if owner {
		list[2] = o.owner()
		if !ai || o.owner() != o.ai {
			s.heard(o, o.owner())
		}
	}
	if zones {
		// Who has an interest below the object need not see the object itself.
		list[3] = do.Children(o.id)
	}
	return s.audience(list[:]...)
}

// parts is a set with its moleculars taken apart. Of several values of one field the last wins, in the order of the
// numbers of the set.
func (k *class) parts(set fields.Map) fields.Map {
	var pairs []fields.Pair
	it := set.Iter()
	for it.Next() {
		f := k.Field(it.Number())
		if f.Kind != do.FieldMolecular {
			pairs = append(pairs, fields.Pair{Number: f.Number, Value: it.Value()})
			continue
		}
		_ = f.Split(it.Value(), func(part *do.Field, v []byte) {
			pairs = append(pairs, fields.Pair{Number: part.Number, Value: v})
		})
	}
	return fields.MapOf(pairs...)
}

// current are the values that the object has in the fields of a set, moleculars as their parts; what is unset, not
// stored or unknown is left out.
func (o *object) current(set fields.Map) fields.Map {
	var pairs []fields.Pair
	add := func(f *do.Field) {
		if f.Slot >= 0 {
			if v := o.value(f.Slot); v != nil {
				pairs = append(pairs, fields.Pair{Number: f.Number, Value: v})
			}
		}
	}
	for it := set.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		switch {
		case f == nil:
		case f.Kind == do.FieldMolecular:
			for _, part := range f.Parts {
				add(part)
			}
		default:
			add(f)
		}
	}
	return fields.MapOf(pairs...)
}

// aliveAgain is why a last write comes too late.
const aliveAgain = "it is alive again"

// deleteFields resets fields that have a declared default, removes ram ones, and refuses other required ones (rule 70).
// Those who hear the field are told: of a reset by the value, of a removal by nil in its place.
func (s *State) deleteFields(m *wire.Message, b *wire.DeleteFields, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, r, out)
	}
	switch {
	case len(b.Fields) == 0:
		return s.fail(r, wire.CodeMalformed, "no fields", out)
	case b.Row != 0:
		return s.fail(r, wire.CodeConflict, aliveAgain, out)
	case b.Durable && o.writer() == nil:
		return s.fail(r, wire.CodeNotDB, "", out)
	case b.Durable:
		if code, text := s.mayCommit(o.class.number); code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
	}
	var pairs []fields.Pair
	var any fields.Keyword
	for _, n := range b.Fields {
		f := o.class.Field(n)
		switch {
		case f == nil || f.Kind != do.FieldState:
			return s.fail(r, wire.CodeNoField, n.String(), out)
		case f.Keywords.Has(fields.Required) && f.Default == nil:
			return s.fail(r, wire.CodeRequired, f.Name, out)
		case f.Keywords.Has(fields.Required):
			pairs = append(pairs, fields.Pair{Number: n, Value: f.Default})
		default:
			pairs = append(pairs, fields.Pair{Number: n, Value: removed})
		}
		any |= f.Keywords
	}
	set := fields.MapOf(pairs...)
	for it := set.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		if !fields.IsNil(it.Value()) {
			s.store(o, o.writer(), f, it.Value())
			continue
		}
		if f.Slot >= 0 {
			o.unset(f.Slot)
		}
		if w := o.writer(); w != nil && f.Keywords.Has(fields.DB) {
			s.write(w, f.Number, nil)
		}
	}
	s.counters.Updates++
	s.announce(o, set, any, false, m.From, m.From, out)
	if b.Durable {
		s.await(&waiter{request: r, version: o.version()}, out, o.writer())
		return nil
	}
	s.done(r, o, out)
	return nil
}

// removed is the value in an Update of a field that has none any more: no type has nil among its values.
var removed = fields.AppendNil(nil)
