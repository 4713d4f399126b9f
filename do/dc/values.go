package dc

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// fieldDefault is the default of a field as a whole: what the field itself says, or what its parts say, with nothing for
// those that say nothing. explicit is false if nobody says anything.
func fieldDefault(f *field) (v value, explicit bool) {
	switch {
	case f.def != nil && len(f.params) == 1 && f.def.kind == tokenPunct && len(f.def.list) == 1:
		return f.def.list[0], true // setX(uint8 x) = (5)
	case f.def != nil:
		return *f.def, true
	case len(f.params) == 1:
		return paramDefault(&f.params[0])
	}
	return composed(f.at, argNames(f.params), func(i int) (value, bool) { return paramDefault(&f.params[i]) })
}

// composed is a list of those of the named parts that have a default.
func composed(at do.Position, names []string, part func(i int) (value, bool)) (value, bool) {
	v := value{at: at, kind: tokenPunct, repeat: 1}
	for i, name := range names {
		if d, ok := part(i); ok {
			d.name = name
			v.list = append(v.list, d)
		}
	}
	return v, len(v.list) > 0
}

// paramDefault is a parameter's own default, else that of its type.
func paramDefault(p *param) (value, bool) {
	if p.def != nil {
		return *p.def, true
	}
	return typeDefault(p.typ)
}

// typeDefault is the default of a typedef, or one made of those of a struct's members.
func typeDefault(t *typ) (v value, explicit bool) {
	switch {
	case t.alias != nil && t.alias.def != nil:
		return *t.alias.def, true
	case t.base == baseClass:
		members, names := structMembers(t.class)
		return composed(t.at, names, func(i int) (value, bool) { return fieldDefault(members[i]) })
	case t.base == baseArray && len(t.ranges) == 1 && t.ranges[0].lo.abs == t.ranges[0].hi.abs:
		if e, ok := typeDefault(t.elem); ok && t.ranges[0].lo.abs <= maxRepeat {
			e.repeat = int(t.ranges[0].lo.abs)
			return value{at: t.at, kind: tokenPunct, repeat: 1, list: []value{e}}, true
		}
	}
	return v, false
}

// valueText is v as a text that t.ParseText reads.
func valueText(v *value, t *fields.Type) (string, error) {
	var b strings.Builder
	if err := appendValue(&b, v, t); err != nil {
		return "", err
	}
	return b.String(), nil
}

func appendValue(b *strings.Builder, v *value, t *fields.Type) error {
	if b.Len() > maxText {
		return failAt(v.at, "a default of more than %d bytes", maxText)
	}
	switch v.kind {
	case tokenNumber:
		return appendNumber(b, v, t)
	case tokenString:
		return appendString(b, v, t)
	case tokenHex:
		return appendHex(b, v, t)
	}
	switch t.Kind() {
	case fields.KindArray, fields.KindSlice:
		return appendList(b, v, t)
	case fields.KindStruct:
		return appendStruct(b, v, t)
	case fields.KindBytes, fields.KindString:
		raw, err := listBytes(v)
		if err != nil {
			return err
		}
		return appendString(b, &value{at: v.at, text: raw}, t)
	}
	return failAt(v.at, "a list is no %s", t)
}

// appendNumber writes a number; for a string it is a single byte, as in a list of characters.
func appendNumber(b *strings.Builder, v *value, t *fields.Type) error {
	switch t.Kind() {
	case fields.KindString, fields.KindBytes, fields.KindArray, fields.KindSlice, fields.KindMap, fields.KindStruct:
		return failAt(v.at, "the number %s is no %s", v.num, t)
	}
	b.WriteString(v.num.String())
	return nil
}

// appendString writes a string, also as what it is made of: a number for its one byte, a list for its bytes.
func appendString(b *strings.Builder, v *value, t *fields.Type) error {
	switch k := t.Kind(); {
	case k == fields.KindString:
		b.WriteString(strconv.Quote(v.text))
	case k == fields.KindBytes:
		b.WriteString("0x" + hex.EncodeToString([]byte(v.text)))
	case k == fields.KindArray || k == fields.KindSlice:
		b.WriteByte('[')
		for i := range len(v.text) {
			b.WriteByte(' ')
			if err := appendNumber(b, &value{at: v.at, num: number{whole: true, abs: uint64(v.text[i])}}, t.Elem()); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case k >= fields.KindInt8 && k <= fields.KindUint64 && len(v.text) == 1:
		b.WriteString(strconv.Itoa(int(v.text[0])))
	default:
		return failAt(v.at, "the string %q is no %s", v.text, t)
	}
	return nil
}

// appendHex writes <0a0b>. To Panda3D it is the value as it travels, its length in two bytes in front; to Astron the
// value alone. It is the former if its first two bytes are the length of the rest.
func appendHex(b *strings.Builder, v *value, t *fields.Type) error {
	raw := v.text
	if k := t.Kind(); k != fields.KindString && k != fields.KindBytes {
		return failAt(v.at, "a hexadecimal string is the default of a string or blob only, not of %s", t)
	}
	if len(raw) >= 2 && int(raw[0])|int(raw[1])<<8 == len(raw)-2 {
		raw = raw[2:]
	}
	return appendString(b, &value{at: v.at, text: raw}, t)
}

// listBytes are the bytes of a list of numbers and single characters.
func listBytes(v *value) (string, error) {
	var b strings.Builder
	for i := range v.list {
		e := &v.list[i]
		var one string
		switch {
		case e.kind == tokenNumber && e.num.whole && e.num.abs < 256 && (!e.num.negative || e.num.abs == 0):
			one = string([]byte{byte(e.num.abs)})
		case e.kind == tokenString && len(e.text) == 1:
			one = e.text
		default:
			return "", failAt(e.at, "want a byte, 0 to 255")
		}
		b.WriteString(strings.Repeat(one, e.repeat))
	}
	return b.String(), nil
}

func appendList(b *strings.Builder, v *value, t *fields.Type) error {
	b.WriteByte('[')
	for i := range v.list {
		e := &v.list[i]
		if e.name != "" {
			return failAt(e.at, "the elements of a list have no names")
		}
		for range e.repeat {
			b.WriteByte(' ')
			if err := appendValue(b, e, t.Elem()); err != nil {
				return err
			}
		}
	}
	b.WriteByte(']')
	return nil
}

// appendStruct writes the members in order, or by name; those that are not named keep their zero.
func appendStruct(b *strings.Builder, v *value, t *fields.Type) error {
	members := t.Members()
	next, given := 0, 0
	b.WriteByte('{')
	for i := range v.list {
		e := &v.list[i]
		for range e.repeat {
			for e.name != "" && next < len(members) && members[next].Name != e.name && members[next].Name != exported(e.name) {
				next++
			}
			if next == len(members) {
				return failAt(e.at, "there is no member for this value in %s", t)
			}
			b.WriteString(" " + members[next].Name + ":")
			if err := appendValue(b, e, members[next].Type); err != nil {
				return err
			}
			next++
			given++
		}
	}
	if named := len(v.list) > 0 && v.list[len(v.list)-1].name != ""; !named && given < len(members) {
		return failAt(v.at, "%d values for the %d members of %s", given, len(members), t)
	}
	b.WriteByte('}')
	return nil
}
