package wire

import (
	"encoding/hex"
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// appendValue appends the text of an encoded value: as its field's type has it, if the field is known and the value is one of
// it, else as msgpack has it. name is that of the member: the result of a call has a type of its own.
func appendValue(dst []byte, f *do.Field, name string, value []byte) []byte {
	switch {
	case f == nil:
	case f.Kind == do.FieldMolecular:
		if f.Check(value) == nil {
			return appendParts(dst, f, value)
		}
	case f.Kind == do.FieldCall && name == "result":
		if f.Reply != nil && f.Reply.Check(value) == nil {
			return f.Reply.AppendText(dst, value)
		}
	case f.Type != nil && f.Type.Check(value) == nil:
		return f.Type.AppendText(dst, value)
	}
	dst, _, ok := appendAny(dst, value, 0)
	if !ok {
		dst = append(dst, "!0x"...)
		dst = hex.AppendEncode(dst, value)
	}
	return dst
}

// appendParts appends the value of a molecular: [X:1 Y:2].
func appendParts(dst []byte, f *do.Field, value []byte) []byte {
	dst = append(dst, '[')
	first := true
	// Split cannot fail on what Check let through.
	_ = f.Split(value, func(part *do.Field, v []byte) {
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = append(append(dst, part.Name...), ':')
		dst = part.Type.AppendText(dst, v)
	})
	return append(dst, ']')
}

// appendAny appends the text of whatever value stands at the front of b. ok is false, and what was appended is of no use, where b
// is not msgpack.
func appendAny(dst, b []byte, depth int) (out, rest []byte, ok bool) {
	if len(b) == 0 || depth > fields.MaxDepth {
		return dst, nil, false
	}
	if rest, err := fields.ReadNil(b); err == nil {
		return append(dst, "nil"...), rest, true
	}
	if v, rest, err := fields.ReadBool(b); err == nil {
		return strconv.AppendBool(dst, v), rest, true
	}
	if v, rest, err := fields.ReadInt(b); err == nil {
		return strconv.AppendInt(dst, v, 10), rest, true
	}
	if v, rest, err := fields.ReadUint(b); err == nil {
		return strconv.AppendUint(dst, v, 10), rest, true
	}
	if v, rest, err := fields.ReadFloat32(b); err == nil {
		return strconv.AppendFloat(dst, float64(v), 'g', -1, 32), rest, true
	}
	if v, rest, err := fields.ReadFloat64(b); err == nil {
		return strconv.AppendFloat(dst, v, 'g', -1, 64), rest, true
	}
	if v, rest, err := fields.ReadString(b); err == nil {
		return strconv.AppendQuote(dst, string(v)), rest, true
	}
	if v, rest, err := fields.ReadBin(b); err == nil {
		return hex.AppendEncode(append(dst, "0x"...), v), rest, true
	}
	if n, rest, err := fields.ReadArrayHeader(b); err == nil {
		return appendElements(append(dst, '['), rest, n, 1, ']', depth)
	}
	if n, rest, err := fields.ReadMapHeader(b); err == nil {
		return appendElements(append(dst, '{'), rest, n, 2, '}', depth)
	}
	return dst, nil, false
}

// appendElements appends n elements of one value, or of key and value, and the end.
func appendElements(dst, b []byte, n, each int, end byte, depth int) (out, rest []byte, ok bool) {
	for i := range n * each {
		switch {
		case i%each == 1:
			dst = append(dst, ':')
		case i > 0:
			dst = append(dst, ' ')
		}
		if dst, b, ok = appendAny(dst, b, depth+1); !ok {
			return dst, nil, false
		}
	}
	return append(dst, end), b, true
}
