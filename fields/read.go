package fields

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The Read functions take one value from the front of b and return what follows it. They refuse another type with
// ErrType, an end before the value's with ErrShort, and copy nothing: strings and bytes are returned as part of b.
// On an error rest is nil.

// be reads the n bytes after the format byte as a big-endian number.
func be(b []byte, n int) (uint64, []byte, error) {
	if len(b) < 1+n {
		return 0, nil, ErrShort
	}
	var v uint64
	switch p := b[1:]; n {
	case 1:
		v = uint64(p[0])
	case 2:
		v = uint64(binary.BigEndian.Uint16(p))
	case 4:
		v = uint64(binary.BigEndian.Uint32(p))
	default:
		v = binary.BigEndian.Uint64(p)
	}
	return v, b[1+n:], nil
}

// wrong tells apart why the format byte of b is not the one that was asked for.
func wrong(b []byte) error {
	switch {
	case len(b) == 0:
		return ErrShort
	case reserved(b[0]):
		return ErrSyntax
	}
	return ErrType
}

// reserved reports whether c is the byte that msgpack never uses or begins an extension type.
func reserved(c byte) bool {
	return c == fmtNever || (c >= 0xc7 && c <= 0xc9) || (c >= 0xd4 && c <= 0xd8)
}

// ReadNil reads nil.
func ReadNil(b []byte) (rest []byte, err error) {
	if len(b) == 0 || b[0] != fmtNil {
		return nil, wrong(b)
	}
	return b[1:], nil
}

// IsNil reports whether the value at the front of b is nil.
func IsNil(b []byte) bool { return len(b) > 0 && b[0] == fmtNil }

// ReadBool reads a bool.
func ReadBool(b []byte) (v bool, rest []byte, err error) {
	if len(b) == 0 || (b[0] != fmtTrue && b[0] != fmtFalse) {
		return false, nil, wrong(b)
	}
	return b[0] == fmtTrue, b[1:], nil
}

// readInt reads any int. neg says that v is to be read as an int64 below zero.
func readInt(b []byte) (v uint64, neg bool, rest []byte, err error) {
	if len(b) == 0 {
		return 0, false, nil, ErrShort
	}
	switch c := b[0]; {
	case c < 0x80:
		return uint64(c), false, b[1:], nil
	case c >= fixNeg:
		return uint64(int64(int8(c))), true, b[1:], nil
	case c >= fmtUint8 && c <= fmtUint64:
		v, rest, err = be(b, 1<<(c-fmtUint8))
		return v, false, rest, err
	case c >= fmtInt8 && c <= fmtInt64:
		n := 1 << (c - fmtInt8)
		v, rest, err = be(b, n)
		shift := 64 - 8*n
		s := int64(v<<shift) >> shift
		return uint64(s), s < 0, rest, err
	}
	return 0, false, nil, wrong(b)
}

// ReadInt reads an int of any form; one above the range of int64 is ErrRange.
func ReadInt(b []byte) (v int64, rest []byte, err error) {
	u, neg, rest, err := readInt(b)
	if err != nil {
		return 0, nil, err
	}
	if !neg && u > math.MaxInt64 {
		return 0, nil, ErrRange
	}
	return int64(u), rest, nil
}

// ReadUint reads an int of any form; a negative one is ErrRange.
func ReadUint(b []byte) (v uint64, rest []byte, err error) {
	u, neg, rest, err := readInt(b)
	if err != nil {
		return 0, nil, err
	}
	if neg {
		return 0, nil, ErrRange
	}
	return u, rest, nil
}

// ReadFloat32 reads a float 32. A float 64 is ErrType: it might not fit.
func ReadFloat32(b []byte) (v float32, rest []byte, err error) {
	if len(b) == 0 || b[0] != fmtFloat32 {
		return 0, nil, wrong(b)
	}
	u, rest, err := be(b, 4)
	return math.Float32frombits(uint32(u)), rest, err
}

// ReadFloat64 reads a float 64 or a float 32.
func ReadFloat64(b []byte) (v float64, rest []byte, err error) {
	if len(b) == 0 || b[0] != fmtFloat64 {
		f, rest, err := ReadFloat32(b)
		return float64(f), rest, err
	}
	u, rest, err := be(b, 8)
	return math.Float64frombits(u), rest, err
}

// take cuts n bytes off the front of b.
func take(b []byte, n uint64) (v, rest []byte, err error) {
	if uint64(len(b)) < n {
		return nil, nil, ErrShort
	}
	return b[:n:n], b[n:], nil
}

// readStrHeader reads what comes before the n bytes of a str.
func readStrHeader(b []byte) (n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrShort
	}
	switch c := b[0]; {
	case c >= fixStr && c < fmtNil:
		return uint64(c & 31), b[1:], nil
	case c >= fmtStr8 && c <= fmtStr32:
		return be(b, 1<<(c-fmtStr8))
	}
	return 0, nil, wrong(b)
}

// readBinHeader reads what comes before the n bytes of a bin.
func readBinHeader(b []byte) (n uint64, rest []byte, err error) {
	if len(b) == 0 || b[0] < fmtBin8 || b[0] > fmtBin32 {
		return 0, nil, wrong(b)
	}
	return be(b, 1<<(b[0]-fmtBin8))
}

// ReadString reads a str, as part of b; one that is not UTF-8 is ErrUTF8 (rule 73).
func ReadString(b []byte) (v, rest []byte, err error) {
	n, rest, err := readStrHeader(b)
	if err != nil {
		return nil, nil, err
	}
	if v, rest, err = take(rest, n); err != nil {
		return nil, nil, err
	}
	if !utf8.Valid(v) {
		return nil, nil, ErrUTF8
	}
	return v, rest, nil
}

// ReadBin reads a bin, as part of b.
func ReadBin(b []byte) (v, rest []byte, err error) {
	n, rest, err := readBinHeader(b)
	if err != nil {
		return nil, nil, err
	}
	return take(rest, n)
}

// ReadArrayHeader reads the number of elements of an array. An array of more elements than bytes that follow
// cannot be complete: it is ErrShort, so that callers may allocate n elements.
func ReadArrayHeader(b []byte) (n int, rest []byte, err error) {
	return readHeader(b, fixArray, fmtArray16, 1)
}

// ReadMapHeader reads the number of pairs of a map, with the same promise as ReadArrayHeader.
func ReadMapHeader(b []byte) (n int, rest []byte, err error) {
	return readHeader(b, fixMap, fmtMap16, 2)
}

// readHeader reads a count of things that have at least size bytes each.
func readHeader(b []byte, fix, wide byte, size uint64) (n int, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, ErrShort
	}
	var u uint64
	switch c := b[0]; {
	case c&0xf0 == fix:
		u, rest = uint64(c&15), b[1:]
	case c == wide:
		u, rest, err = be(b, 2)
	case c == wide+1:
		u, rest, err = be(b, 4)
	default:
		err = wrong(b)
	}
	if err != nil {
		return 0, nil, err
	}
	if u*size > uint64(len(rest)) {
		return 0, nil, ErrShort
	}
	return int(u), rest, nil
}
