package fields

import "slices"

// Zero returns the canonical encoding of the zero value (rule 69): the number nearest to 0 in the range, the
// first allowed value where 0 or "" is none, strings and bytes of their least length in zero bytes, slices of
// their least length in zero elements, arrays and structs of zeros.
//
// The zero of a string with a pattern may not match it: then Check refuses it, and a field that must always have a
// value needs a declared default.
func (t *Type) Zero() []byte { return t.appendZero(nil) }

// appendZero appends Zero.
func (t *Type) appendZero(dst []byte) []byte {
	switch t.kind {
	case KindBool:
		return AppendBool(dst, false)
	case KindUint64:
		return AppendUint(dst, t.zeroUint())
	case KindFloat32:
		return AppendFloat32(dst, float32(t.zeroFloat()))
	case KindFloat64:
		return AppendFloat64(dst, t.zeroFloat())
	case KindString:
		return AppendString(dst, t.zeroString())
	case KindBytes:
		return AppendBin(dst, make([]byte, t.minLen))
	case KindID:
		return AppendBin(dst, make([]byte, idLen))
	case KindArray:
		return appendRepeated(AppendArrayHeader(dst, t.n), t.elem, t.n)
	case KindSlice:
		return appendRepeated(AppendArrayHeader(dst, t.minLen), t.elem, t.minLen)
	case KindMap:
		return AppendMapHeader(dst, 0)
	case KindStruct:
		return t.appendZeroStruct(dst)
	}
	return AppendInt(dst, t.zeroInt())
}

func appendRepeated(dst []byte, elem *Type, n int) []byte {
	zero := elem.Zero()
	for range n {
		dst = append(dst, zero...)
	}
	return dst
}

func (t *Type) appendZeroStruct(dst []byte) []byte {
	if t.binLen > 0 {
		dst = AppendBinHeader(dst, t.binLen)
		for _, m := range t.members {
			dst = appendLittleEndian(dst, m.Type.zeroInt(), m.Type.as)
		}
		return dst
	}
	dst = AppendArrayHeader(dst, len(t.members))
	for _, m := range t.members {
		dst = m.Type.appendZero(dst)
	}
	return dst
}

func (t *Type) zeroInt() int64 {
	v := max(t.lo, min(t.hi, 0))
	if t.oneInt != nil && !slices.Contains(t.oneInt, v) {
		return t.oneInt[0]
	}
	return v
}

func (t *Type) zeroUint() uint64 {
	if t.oneInt != nil && !slices.Contains(t.oneInt, int64(t.ulo)) {
		return uint64(t.oneInt[0])
	}
	return t.ulo
}

func (t *Type) zeroFloat() float64 {
	switch {
	case t.hasMin && t.flo > 0:
		return t.flo
	case t.hasMax && t.fhi < 0:
		return t.fhi
	}
	return 0
}

func (t *Type) zeroString() string {
	zero := string(make([]byte, t.minLen))
	if t.oneStr != nil && !slices.Contains(t.oneStr, zero) {
		return t.oneStr[0]
	}
	return zero
}

// zeroSize returns len(Zero()) from the sizes of the parts, so that a type whose zero value would be huge can be
// refused without building it.
func (t *Type) zeroSize() int {
	switch t.kind {
	case KindArray:
		return len(AppendArrayHeader(nil, t.n)) + t.n*t.elem.zeroLen
	case KindSlice:
		return len(AppendArrayHeader(nil, t.minLen)) + t.minLen*t.elem.zeroLen
	case KindStruct:
		if t.binLen > 0 {
			return len(AppendBinHeader(nil, t.binLen)) + t.binLen
		}
		n := len(AppendArrayHeader(nil, len(t.members)))
		for _, m := range t.members {
			n += m.Type.zeroLen
		}
		return n
	}
	return len(t.Zero())
}
