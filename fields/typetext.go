package fields

import (
	"strconv"
	"strings"
	"time"
)

// format returns the canonical text of t, from the texts of its parts. The grammar:
//
//	type   = scalar [ "(" cons ")" ] [ packing ]
//	       | "[" n "]" type | "[]" [ "(" cons ")" ] type
//	       | "map" [ "(" cons [ "key" type ] ")" ] type
//	       | "{" [ name type { "," name type } ] "}"
//	packing = "as" int [ "/" scale ] [ "%" mod ]
//	cons   = range | "min" n | "max" n | "pattern" quoted | "oneof" value { "|" value }, with commas between
//	range  = [ low ] ".." [ high ]
func (t *Type) format() string {
	switch t.kind {
	case KindArray:
		return "[" + strconv.Itoa(t.n) + "]" + t.elem.text
	case KindSlice:
		if c := t.constraints(); c != "" {
			return "[]" + c + " " + t.elem.text
		}
		return "[]" + t.elem.text
	case KindMap:
		return "map" + t.constraints() + " " + t.elem.text
	case KindStruct:
		return t.formatStruct()
	case KindPacked:
		return t.base.String() + t.constraints() + " as " + t.packing()
	}
	return t.kind.String() + t.constraints()
}

func (t *Type) formatStruct() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range t.members {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.Name + " " + m.Type.text)
	}
	b.WriteByte('}')
	return b.String()
}

// packing returns what follows "as": int16/10%360.
func (t *Type) packing() string {
	s := t.as.String()
	if t.scale != 1 {
		s += "/" + strconv.FormatInt(int64(t.scale), 10)
	}
	if t.mod != 0 {
		s += "%" + formatFloat(t.mod, KindFloat64)
	}
	return s
}

// constraints returns the part in parentheses, or nothing.
func (t *Type) constraints() string {
	var parts []string
	if t.hasMin || t.hasMax {
		lo, hi := t.Range()
		parts = append(parts, lo+".."+hi)
	}
	if t.minLen > 0 {
		parts = append(parts, "min "+strconv.Itoa(t.minLen))
	}
	if t.kind.hasLength() && t.maxLen < MaxValueLen {
		parts = append(parts, "max "+strconv.Itoa(t.maxLen))
	}
	if t.pattern != "" {
		parts = append(parts, "pattern "+strconv.Quote(t.pattern))
	}
	if one := t.OneOf(); one != nil {
		if t.kind == KindString {
			for i := range one {
				one[i] = strconv.Quote(one[i])
			}
		}
		parts = append(parts, "oneof "+strings.Join(one, "|"))
	}
	if t.key != nil && t.key.text != KindString.String() {
		parts = append(parts, "key "+t.key.text)
	}
	if parts == nil {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Range returns the declared bounds of a number as a tag writes them, in divided units for a packed float, or "".
// A bound that is that of the kind itself counts as not declared.
func (t *Type) Range() (lo, hi string) {
	switch t.kind {
	case KindUint64:
		lo, hi = strconv.FormatUint(t.ulo, 10), strconv.FormatUint(t.uhi, 10)
	case KindFloat32, KindFloat64:
		lo, hi = formatFloat(t.flo, t.kind), formatFloat(t.fhi, t.kind)
	default:
		lo, hi = t.intText(t.lo), t.intText(t.hi)
	}
	if !t.hasMin {
		lo = ""
	}
	if !t.hasMax {
		hi = ""
	}
	return lo, hi
}

// intText returns the text of an encoded int of t, in the unit that people write.
func (t *Type) intText(v int64) string {
	switch t.kind {
	case KindUint64:
		return strconv.FormatUint(uint64(v), 10)
	case KindDuration:
		return time.Duration(v).String()
	case KindPacked:
		return formatFloat(float64(v)/t.scale, KindFloat64)
	}
	return strconv.FormatInt(v, 10)
}

// formatFloat returns the shortest text that reads back as v.
func formatFloat(v float64, kind Kind) string {
	bits := 64
	if kind == KindFloat32 {
		bits = 32
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}
