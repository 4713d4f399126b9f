package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// getField answers with one field; an unset one, or one that is not kept, is an error (rules 21, 62, 64).
func (s *State) getField(m *wire.Message, b *wire.GetField, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, r, out)
	}
	pairs, code, text := o.get(nil, b.Field)
	if code == wire.CodeOK && len(pairs) == 0 {
		code, text = wire.CodeUnset, o.class.Field(b.Field).Name
	}
	if code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	s.answerGet(r, o, pairs, out)
	return nil
}

// getFields answers with several fields, each once and ascending by number; unset ones are left out, and one that the
// class does not keep fails the whole (rules 62, 64).
func (s *State) getFields(m *wire.Message, b *wire.GetFields, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, r, out)
	}
	var pairs []fields.Pair
	var code wire.Code
	var text string
	for _, n := range b.Fields {
		if pairs, code, text = o.get(pairs, n); code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
	}
	s.answerGet(r, o, pairs, out)
	return nil
}

// answerGet sends copies of the values.
func (s *State) answerGet(r request, o *object, pairs []fields.Pair, out *wire.Outbox) {
	out.SendTo(r.from, o.channel(), &wire.GetFieldsResp{
		Context: r.context, DO: o.id, Version: o.version(), Fields: fields.MapOf(pairs...), Now: o.serial,
	})
}

// get appends the value of a field, if it has one. A molecular has one if all its parts have: an array of theirs; with
// a part unset it is an error (rule 62).
func (o *object) get(pairs []fields.Pair, n fields.Number) ([]fields.Pair, wire.Code, string) {
	f := o.class.Field(n)
	switch {
	case f == nil:
		return nil, wire.CodeNoField, n.String()
	case f.Kind == do.FieldMolecular:
		v := fields.AppendArrayHeader(nil, len(f.Parts))
		for _, part := range f.Parts {
			if part.Slot < 0 || o.value(part.Slot) == nil {
				return nil, wire.CodeUnset, f.Name + ": " + part.Name
			}
			v = append(v, o.value(part.Slot)...)
		}
		return append(pairs, fields.Pair{Number: n, Value: v}), wire.CodeOK, ""
	case f.Slot < 0:
		return nil, wire.CodeNoField, f.Name + " is not kept in memory"
	}
	if v := o.value(f.Slot); v != nil {
		pairs = append(pairs, fields.Pair{Number: n, Value: v})
	}
	return pairs, wire.CodeOK, ""
}

// getAll answers with everything that is stored (rule 65).
func (s *State) getAll(m *wire.Message, b *wire.GetAll, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.askDormant(m, r, out)
	}
	out.SendTo(m.From, o.channel(), &wire.GetAllResp{Context: b.Context, Entry: o.entry(aiView)})
	return nil
}
