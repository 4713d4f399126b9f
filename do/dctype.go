package do

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/otpd/otpd/fields"
)

// noArgument is the type of an event without argument, which .dc writes as ().
const noArgument = "{}"

// dcBases are the types of .dc files and what they are here.
var dcBases = []struct{ dc, here string }{
	{"int8", "int8"},
	{"int16", "int16"},
	{"int32", "int32"},
	{"int64", "int64"},
	{"uint8", "uint8"},
	{"uint16", "uint16"},
	{"uint32", "uint32"},
	{"uint64", "uint64"},
	{"float32", "float32"},
	{"float64", "float64"},
	{"string", "string"},
	{"blob", "bytes"},
}

// dcBase is what the .dc type is here, "" if it is none.
func dcBase(word string) string {
	for _, b := range dcBases {
		if b.dc == word {
			return b.here
		}
	}
	return ""
}

// typeOfDC is the type that a .dc type without spaces says.
func typeOfDC(dc string) (*fields.Type, error) {
	if dc == "" {
		return fields.ParseType(noArgument)
	}
	slicesOf := 0
	for strings.HasSuffix(dc, "[]") {
		dc = strings.TrimSuffix(dc, "[]")
		slicesOf++
	}
	base, limit, limited := strings.Cut(dc, "(")
	here := dcBase(base)
	if here == "" || limited && !strings.HasSuffix(limit, ")") {
		return nil, fmt.Errorf("%w: %q is no type", ErrSchema, dc)
	}
	if limited {
		here += "(" + limitOfDC(here, strings.TrimSuffix(limit, ")")) + ")"
	}
	return fields.ParseType(strings.Repeat("[]", slicesOf) + here)
}

// limitOfDC turns 0-100 into 0..100; for lengths 2-24 into min 2, max 24, and 4 into min 4, max 4.
func limitOfDC(here, limit string) string {
	lo, hi := limit, limit
	if len(limit) > 1 {
		if i := strings.IndexByte(limit[1:], '-'); i >= 0 {
			lo, hi = limit[:i+1], limit[i+2:]
		}
	}
	if here == "string" || here == "bytes" {
		return "min " + lo + ", max " + hi
	}
	return lo + ".." + hi
}

// dcDefault reads a number, or a string in quotes, as the text of a value.
func (p *parser) dcDefault() (string, error) {
	sign := ""
	if p.is("-") {
		sign = "-"
		if err := p.advance(); err != nil {
			return "", err
		}
	}
	switch {
	case p.tok.kind == tokenNumber:
		v := sign + p.tok.text
		return v, p.advance()
	case p.tok.kind == tokenString && sign == "":
		v := strconv.Quote(p.tok.text)
		return v, p.advance()
	}
	return "", p.fail("want a number or a string as default, not %s", p.tok)
}

// dcType reads a .dc type and gives it back without spaces: int16(0-100), string(0-24)[].
func (p *parser) dcType() (string, error) {
	at := p.tok.at
	base, err := p.word("a type")
	if err != nil {
		return "", err
	}
	if dcBase(base) == "" {
		return "", failAt(at, "%q is no type", base)
	}
	var b strings.Builder
	b.WriteString(base)
	for _, pair := range []string{"()", "[]"} {
		for p.is(pair[:1]) {
			for !p.is(pair[1:]) {
				if p.tok.kind != tokenPunct && p.tok.kind != tokenNumber || p.is(";") {
					return "", p.fail("want %q, not %s", pair[1:], p.tok)
				}
				b.WriteString(p.tok.text)
				if err := p.advance(); err != nil {
					return "", err
				}
			}
			b.WriteString(pair[1:])
			if err := p.advance(); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

// dcPlain reports whether a default, given as the text of a value, is the same in .dc: ints, and strings without
// anything that the two escape differently.
func dcPlain(t *fields.Type, text string) bool {
	switch k := t.Kind(); {
	case k >= fields.KindInt8 && k <= fields.KindUint64:
		return true
	case k != fields.KindString:
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' })
}

// dcType is the .dc type nearest to t, and whether it says everything about t.
func dcType(t *fields.Type) (text string, exact bool) {
	switch k := t.Kind(); k {
	case fields.KindBool:
		return "uint8", false
	case fields.KindTime, fields.KindDuration:
		return "int64", false
	case fields.KindStruct, fields.KindMap, fields.KindID, fields.KindSlice, fields.KindArray:
		return dcCompound(t)
	case fields.KindBytes:
		return exactly("blob"+dcRange(t), t)
	case fields.KindPacked:
		return "float64", false
	case fields.KindFloat32, fields.KindFloat64:
		return exactly(k.String(), t)
	default:
		return exactly(k.String()+dcRange(t), t)
	}
}

// dcCompound is dcType of what has parts. Elements keep their own .dc type only where that is exact.
func dcCompound(t *fields.Type) (string, bool) {
	if t.Kind() == fields.KindSlice {
		if el, ok := dcType(t.Elem()); ok {
			return exactly(el+"[]", t)
		}
	}
	return "blob", false
}

// exactly says whether dc, read as .dc, gives t back.
func exactly(dc string, t *fields.Type) (string, bool) {
	u, err := typeOfDC(dc)
	if err == nil && u.Equal(t) {
		return dc, true
	}
	base, _, _ := strings.Cut(dc, "(")
	return base, false
}

// dcRange turns the constraint of a canonical type text into .dc's: int8(0..5) is (0-5), string(max 24) is (0-24),
// bytes(min 4, max 4) is (4). It is empty where there is none, or where it cannot be said.
func dcRange(t *fields.Type) string {
	_, c, ok := strings.Cut(t.String(), "(")
	c, end, _ := strings.Cut(c, ")")
	if !ok || end != "" {
		return ""
	}
	if lo, hi, ok := strings.Cut(c, ".."); ok {
		return intRange(t.Kind(), lo, hi)
	}
	lo := "0"
	if rest, ok := strings.CutPrefix(c, "min "); ok {
		lo, c, _ = strings.Cut(rest, ", ")
	}
	hi, ok := strings.CutPrefix(c, "max ")
	switch {
	case !ok || !digits(lo) || !digits(hi):
		return ""
	case lo == hi:
		return "(" + lo + ")"
	}
	return "(" + lo + "-" + hi + ")"
}

// intRange is a .dc range, which has both bounds: one that is not there is that of the kind.
func intRange(k fields.Kind, lo, hi string) string {
	least, most := int64(0), uint64(math.MaxUint64)
	if k >= fields.KindUint8 {
		most >>= 64 - 8<<(k-fields.KindUint8)
	} else {
		bits := 8 << (k - fields.KindInt8)
		least, most = -1<<(bits-1), 1<<(bits-1)-1
	}
	if lo == "" {
		lo = strconv.FormatInt(least, 10)
	}
	if hi == "" {
		hi = strconv.FormatUint(most, 10)
	}
	return "(" + lo + "-" + hi + ")"
}

// digits reports whether s is a number without sign.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
