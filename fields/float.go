package fields

// Numeric reports whether values of t are numbers that NumberAt reads: ints, floats, and packed floats.
func (t *Type) Numeric() bool {
	return t.kind >= KindInt8 && t.kind <= KindUint64 || t.kind.isFloat() || t.kind == KindPacked
}

// NumberAt reads the i-th member of a value of a struct, which is Numeric. The value was checked; one that does not
// have the form gives ok false. It allocates nothing.
func (t *Type) NumberAt(value []byte, i int) (v float64, ok bool) {
	if t.kind != KindStruct || i >= len(t.members) {
		return 0, false
	}
	if t.binLen > 0 {
		b, _, err := ReadBin(value)
		if err != nil || len(b) != t.binLen {
			return 0, false
		}
		for _, m := range t.members[:i] {
			b = b[m.Type.as.size():]
		}
		m := t.members[i].Type
		return float64(littleEndian(b, m.as)) / m.scale, true
	}
	n, rest, err := ReadArrayHeader(value)
	if err != nil || n != len(t.members) {
		return 0, false
	}
	for range i {
		skip, err := Skip(rest)
		if err != nil {
			return 0, false
		}
		rest = rest[skip:]
	}
	return t.members[i].Type.number(rest)
}

// number reads the number at the front of b.
func (t *Type) number(b []byte) (v float64, ok bool) {
	switch t.kind {
	case KindFloat32:
		f, _, err := ReadFloat32(b)
		return float64(f), err == nil
	case KindFloat64:
		f, _, err := ReadFloat64(b)
		return f, err == nil
	case KindUint64:
		n, _, err := ReadUint(b)
		return float64(n), err == nil
	case KindPacked:
		n, _, err := ReadInt(b)
		return float64(n) / t.scale, err == nil
	}
	n, _, err := ReadInt(b)
	return float64(n), err == nil && t.Numeric()
}
