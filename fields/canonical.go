package fields

// AppendCanonical appends the canonical encoding of a value that Check accepts: ints, lengths and counts in their
// smallest form, floats in their own width. Readers take any form that msgpack has, so two encodings of one value may
// differ; their canonical ones do not (but for NaNs, whose bits are kept). b is not checked.
func (t *Type) AppendCanonical(dst, b []byte) []byte {
	dst, _ = t.appendCanonical(dst, b)
	return dst
}

// appendCanonical also returns what follows the value in b.
func (t *Type) appendCanonical(dst, b []byte) (out, rest []byte) {
	switch t.kind {
	case KindBool:
		v, rest, _ := ReadBool(b)
		return AppendBool(dst, v), rest
	case KindUint64:
		v, rest, _ := ReadUint(b)
		return AppendUint(dst, v), rest
	case KindFloat32:
		v, rest, _ := ReadFloat32(b)
		return AppendFloat32(dst, v), rest
	case KindFloat64:
		v, rest, _ := ReadFloat64(b)
		return AppendFloat64(dst, v), rest
	case KindString:
		v, rest, _ := ReadString(b)
		return AppendString(dst, string(v)), rest
	case KindBytes, KindID:
		v, rest, _ := ReadBin(b)
		return AppendBin(dst, v), rest
	case KindArray, KindSlice:
		n, rest, _ := ReadArrayHeader(b)
		return t.canonicalElems(AppendArrayHeader(dst, n), rest, n)
	case KindMap:
		n, rest, _ := ReadMapHeader(b)
		return t.canonicalElems(AppendMapHeader(dst, n), rest, n)
	case KindStruct:
		return t.canonicalStruct(dst, b)
	}
	v, rest, _ := ReadInt(b)
	return AppendInt(dst, v), rest
}

// canonicalElems appends n elements, in a map each after its key.
func (t *Type) canonicalElems(dst, b []byte, n int) (out, rest []byte) {
	for range n {
		if t.key != nil {
			dst, b = t.key.appendCanonical(dst, b)
		}
		dst, b = t.elem.appendCanonical(dst, b)
	}
	return dst, b
}

func (t *Type) canonicalStruct(dst, b []byte) (out, rest []byte) {
	if t.binLen > 0 {
		v, rest, _ := ReadBin(b)
		return AppendBin(dst, v), rest
	}
	n, b, _ := ReadArrayHeader(b)
	dst = AppendArrayHeader(dst, n)
	for _, m := range t.members {
		dst, b = m.Type.appendCanonical(dst, b)
	}
	return dst, b
}
