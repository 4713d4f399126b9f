package fields

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// part is a member of a struct in memory.
type part struct {
	coder
	offset uintptr
	t      *Type
}

// structCoder compiles the members, which must be those of t in number, order and name.
func structCoder(rt reflect.Type, t *Type) (coder, error) {
	var parts []part
	for i := range rt.NumField() {
		f := rt.Field(i)
		if f.Tag.Get("do") == "-" {
			continue
		}
		if len(parts) == len(t.members) || t.members[len(parts)].Name != f.Name {
			return coder{}, fmt.Errorf("%w: member %s of %v is not in %s in that place", ErrDeclare, f.Name, rt, t)
		}
		mt := t.members[len(parts)].Type
		c, err := coderOf(f.Type, mt)
		if err != nil {
			return coder{}, fmt.Errorf("member %s: %w", f.Name, err)
		}
		parts = append(parts, part{coder: c, offset: f.Offset, t: mt})
	}
	if len(parts) < len(t.members) {
		return coder{}, fmt.Errorf("%w: %v has no member %s of %s", ErrDeclare, rt, t.members[len(parts)].Name, t)
	}
	if t.binLen > 0 {
		return packedStructCoder(t, parts), nil
	}
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte { return appendParts(dst, p, parts) },
		read: func(p unsafe.Pointer, b []byte) []byte {
			_, rest, _ := ReadArrayHeader(b)
			for i := range parts {
				rest = parts[i].read(unsafe.Add(p, parts[i].offset), rest)
			}
			return rest
		},
	}, nil
}

// appendParts appends a struct as an array.
func appendParts(dst []byte, p unsafe.Pointer, parts []part) []byte {
	dst = AppendArrayHeader(dst, len(parts))
	for i := range parts {
		dst = parts[i].append(dst, unsafe.Add(p, parts[i].offset))
	}
	return dst
}

// packedStructCoder writes one bin. If a member does not fit its int it writes the array of ints instead, which Check
// refuses with ErrRange.
func packedStructCoder(t *Type, parts []part) coder {
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte {
			start := len(dst)
			dst = AppendBinHeader(dst, t.binLen)
			for i := range parts {
				m := parts[i].t
				v := m.packAt(unsafe.Add(p, parts[i].offset))
				if lo, hi := m.as.limits(); v < lo || v > hi {
					return appendParts(dst[:start], p, parts)
				}
				dst = appendLittleEndian(dst, v, m.as)
			}
			return dst
		},
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadBin(b)
			for i := range parts {
				m := parts[i].t
				m.unpackAt(unsafe.Add(p, parts[i].offset), littleEndian(v, m.as))
				v = v[m.as.size():]
			}
			return rest
		},
	}
}

// packedCoder returns the coder of one packed float.
func packedCoder(t *Type) coder {
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte { return AppendInt(dst, t.packAt(p)) },
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadInt(b)
			t.unpackAt(p, v)
			return rest
		},
	}
}

// packAt packs the float that p points at.
func (t *Type) packAt(p unsafe.Pointer) int64 {
	if t.base == KindFloat32 {
		return t.packFloat(float64(*(*float32)(p)))
	}
	return t.packFloat(*(*float64)(p))
}

// unpackAt sets the float that p points at.
func (t *Type) unpackAt(p unsafe.Pointer, v int64) {
	if t.base == KindFloat32 {
		*(*float32)(p) = float32(float64(v) / t.scale)
		return
	}
	*(*float64)(p) = float64(v) / t.scale
}

// packFloat returns round(v*scale) after mod, half away from zero; what does not fit an int64, and a NaN, becomes
// one of its ends, which is outside of every kind that floats are packed into.
func (t *Type) packFloat(v float64) int64 {
	if t.modInt > 0 {
		if v = math.Mod(v, t.mod); v < 0 {
			v += t.mod
		}
	}
	v = math.Round(v * t.scale)
	switch {
	case math.IsNaN(v) || v <= math.MinInt64:
		return math.MinInt64
	case v >= math.MaxInt64:
		return math.MaxInt64
	case t.modInt > 0 && int64(v) == t.modInt:
		return 0 // 359.96 in tenths rounds to a whole turn
	}
	return int64(v)
}
