package dc

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// objectMethod reports whether every object has a method of that name.
func objectMethod(name string) bool {
	_, ok := reflect.TypeFor[*do.Object]().MethodByName(name)
	return ok
}

// fieldType is the type of a parameter field or of an atomic one: nothing for no argument, the argument's own type for
// one, and a struct for several.
func (m *mapper) fieldType(f *field) (*fields.Type, error) {
	text, err := m.paramsText(f)
	if err != nil {
		return nil, err
	}
	t, err := fields.ParseType(text)
	if err != nil {
		return nil, failAt(f.at, "field %s: %w", f.name, err)
	}
	return t, nil
}

func (m *mapper) paramsText(f *field) (string, error) {
	if len(f.params) == 1 {
		return m.typeText(f.params[0].typ)
	}
	var b strings.Builder
	for i, name := range argNames(f.params) {
		t, err := m.typeText(f.params[i].typ)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name + " " + t)
	}
	return "{" + b.String() + "}", nil
}

// argNames are the names of arguments as members of a struct. One without a name is Arg and its place from 1.
func argNames(params []param) []string {
	names := make([]string, len(params))
	for i := range params {
		names[i] = uniqueName(params[i].name, "Arg", i, names[:i])
	}
	return names
}

// uniqueName is the exported name, or prefix and place, and has an underscore for each time it is there already.
func uniqueName(name, prefix string, i int, before []string) string {
	out := exported(name)
	if out == "" {
		out = prefix + strconv.Itoa(i+1)
	}
	for again := true; again; {
		again = false
		for _, b := range before {
			if b == out {
				out += "_"
				again = true
			}
		}
	}
	return out
}

// structType is the type of a struct or dclass as a value.
func (m *mapper) structType(c *class) (*fields.Type, error) {
	text, err := m.structText(c)
	if err != nil {
		return nil, err
	}
	return fields.ParseType(text)
}

func (m *mapper) structText(c *class) (string, error) {
	var b strings.Builder
	members, names := structMembers(c)
	for i, f := range members {
		if f.form == molecular {
			return "", failAt(f.at, "a molecular field cannot be part of a value")
		}
		t, err := m.paramsText(f)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(names[i] + " " + t)
	}
	return "{" + b.String() + "}", nil
}

// structMembers are the members of a struct, those of its parents first, and their names.
func structMembers(c *class) (members []*field, names []string) {
	var walk func(c *class)
	walk = func(c *class) {
		for _, p := range c.parents {
			walk(p)
		}
		for _, f := range c.fields {
			if f.form != gone {
				members = append(members, f)
			}
		}
	}
	walk(c)
	for i, f := range members {
		names = append(names, uniqueName(f.name, "Member", i, names))
	}
	return members, names
}

// typeText is the canonical text of a type, or close to it.
func (m *mapper) typeText(t *typ) (string, error) {
	switch t.base {
	case baseClass:
		return m.structText(t.class)
	case baseArray:
		return m.arrayText(t)
	case baseString:
		return "string" + m.lengths(t, t.ranges), nil
	case baseBlob, baseBlob32:
		return "bytes" + m.lengths(t, t.ranges), nil
	case baseUint32Uint8Array:
		return "[]{Wide uint32, Narrow uint8}", nil
	}
	if e, ok := t.base.elem(); ok {
		elem := *t
		elem.base = e
		return m.listText(t, &elem, nil)
	}
	return m.numberText(t)
}

// lengths is the constraint of a length, with the space that a slice needs left to the caller.
func (m *mapper) lengths(t *typ, ranges []span) string {
	if len(ranges) == 0 {
		return ""
	}
	lo, hi := ranges[0].lo.abs, ranges[0].hi.abs
	for _, r := range ranges[1:] {
		lo, hi = min(lo, r.lo.abs), max(hi, r.hi.abs)
	}
	if len(ranges) > 1 {
		m.notice(t.at, "the lengths between the %d ranges are allowed, too: %d to %d", len(ranges), lo, hi)
	}
	if lo == 0 {
		return fmt.Sprintf("(max %d)", hi)
	}
	return fmt.Sprintf("(min %d, max %d)", lo, hi)
}

// arrayText is a list; one of exactly n elements is an array, one of chars a string.
func (m *mapper) arrayText(t *typ) (string, error) {
	e := t.elem
	if e.base == baseChar && len(e.ranges) == 0 {
		return "string" + m.lengths(t, t.ranges), nil
	}
	if len(t.ranges) == 1 && t.ranges[0].lo.abs == t.ranges[0].hi.abs {
		elem, err := m.typeText(e)
		return fmt.Sprintf("[%d]%s", t.ranges[0].lo.abs, elem), err
	}
	return m.listText(t, e, t.ranges)
}

// listText is a list of e. Lists of bytes are bytes; where these are constrained, they are a list of uint16.
func (m *mapper) listText(t, e *typ, size []span) (string, error) {
	elem, err := m.typeText(e)
	if err != nil {
		return "", err
	}
	if elem == "uint8" {
		return "bytes" + m.lengths(t, size), nil
	}
	if rest, ok := strings.CutPrefix(elem, "uint8("); ok {
		elem = "uint16(" + rest
		m.notice(t.at, "the elements are uint16, since a list of uint8 is bytes, which have no range")
	}
	return "[]" + m.lengths(t, size) + " " + elem, nil
}

// numberText is a number: an int, a float, or, with a divisor or a modulus, a packed float.
func (m *mapper) numberText(t *typ) (string, error) {
	word := baseWords[t.base]
	float := t.base == baseFloat32 || t.base == baseFloat64
	switch {
	case t.base == baseChar:
		word = "uint8"
	case float && t.divisor != 1:
		m.notice(t.at, "the divisor of a %s is left out: it travels as it is", word)
	case float && t.modulus != 0:
		m.notice(t.at, "the modulus of a %s is left out: it is not brought into [0, %v)", word, t.modulus)
	}
	packed := !float && (t.divisor != 1 || t.modulus != 0)
	if packed && (t.base == baseInt64 || t.base == baseUint64) {
		packed = false
		m.notice(t.at, "%s/%d is a float64: only up to 32 bits are packed", word, t.divisor)
		word, float = "float64", true
	}
	cons, err := m.numberRange(t, float || packed)
	if err != nil || !packed {
		return word + cons, err
	}
	packing := " as " + word
	if t.divisor != 1 {
		packing += "/" + strconv.FormatUint(uint64(t.divisor), 10)
	}
	if t.modulus != 0 {
		if scaled := t.modulus * float64(t.divisor); scaled != math.Round(scaled) {
			m.notice(t.at, "the modulus %v is left out: with the divisor %d it is not whole", t.modulus, t.divisor)
		} else {
			packing += "%" + strconv.FormatFloat(t.modulus, 'g', -1, 64)
		}
	}
	return "float64" + cons + packing, nil
}

// maxOneOf is how many single values are listed.
const maxOneOf = 32

// numberRange is the constraint of a number. Several ranges are a list of values if they are few, else the range over all
// of them.
func (m *mapper) numberRange(t *typ, real bool) (string, error) {
	if len(t.ranges) == 0 {
		return "", nil
	}
	lo, hi := t.ranges[0].lo, t.ranges[0].hi
	var all []string
	few := !real
	for _, r := range t.ranges {
		if !real && (!r.lo.whole || !r.hi.whole) {
			return "", failAt(t.at, "the range %s-%s of a whole number is not whole", r.lo, r.hi)
		}
		if r.lo.real < lo.real {
			lo = r.lo
		}
		if r.hi.real > hi.real {
			hi = r.hi
		}
		few = few && r.hi.real-r.lo.real+float64(len(all)) < maxOneOf
		for v := int64(r.lo.real); few && v <= int64(r.hi.real); v++ {
			all = append(all, strconv.FormatInt(v, 10))
		}
	}
	switch {
	case len(t.ranges) == 1:
	case few:
		return "(oneof " + strings.Join(all, "|") + ")", nil
	default:
		m.notice(t.at, "the values between the %d ranges are allowed, too: %s to %s", len(t.ranges), lo, hi)
	}
	return "(" + lo.String() + ".." + hi.String() + ")", nil
}
