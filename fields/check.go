package fields

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Check says whether b is exactly one value of this type that satisfies all constraints, those of its parts too.
// It allocates only to tell what is wrong.
func (t *Type) Check(b []byte) error {
	rest, err := t.CheckPrefix(b)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("fields: check %s: %w", t.text, ErrTrailing)
	}
	return nil
}

// CheckPrefix is Check for a value at the front of b, and returns what follows it.
//
// A NaN is refused where min or max is declared, for it is neither above nor below them; an infinity is above or
// below them like any other number. Without bounds both are values like others.
func (t *Type) CheckPrefix(b []byte) (rest []byte, err error) {
	rest, err = t.check(b)
	if err == nil && len(b)-len(rest) > MaxValueLen {
		err = ErrLength
	}
	if err != nil {
		return nil, fmt.Errorf("fields: check %s: %w", t.text, err)
	}
	return rest, nil
}

// check is CheckPrefix without its limit and the name of the type in its errors.
func (t *Type) check(b []byte) (rest []byte, err error) {
	switch t.kind {
	case KindBool:
		_, rest, err = ReadBool(b)
		return rest, err
	case KindUint64:
		return t.checkUint(b)
	case KindFloat32, KindFloat64:
		return t.checkFloat(b)
	case KindString:
		return t.checkString(b)
	case KindBytes:
		return t.checkBytes(b)
	case KindID:
		return t.checkID(b)
	case KindArray, KindSlice:
		return t.checkList(b)
	case KindMap:
		return t.checkMap(b)
	case KindStruct:
		return t.checkStruct(b)
	}
	return t.checkInt(b)
}

func (t *Type) checkInt(b []byte) ([]byte, error) {
	v, rest, err := ReadInt(b)
	if err != nil {
		return nil, err
	}
	if v < t.lo || v > t.hi {
		return nil, ErrRange
	}
	if t.oneInt != nil && !slices.Contains(t.oneInt, v) {
		return nil, ErrOneOf
	}
	return rest, nil
}

func (t *Type) checkUint(b []byte) ([]byte, error) {
	v, rest, err := ReadUint(b)
	if err != nil {
		return nil, err
	}
	if v < t.ulo || v > t.uhi {
		return nil, ErrRange
	}
	if t.oneInt != nil && !slices.Contains(t.oneInt, int64(v)) {
		return nil, ErrOneOf
	}
	return rest, nil
}

func (t *Type) checkFloat(b []byte) ([]byte, error) {
	v, rest, err := t.readFloat(b)
	if err != nil {
		return nil, err
	}
	// Written so that a NaN fails.
	if t.hasMin && !(v >= t.flo) || t.hasMax && !(v <= t.fhi) {
		return nil, ErrRange
	}
	return rest, nil
}

// readFloat reads a float of the width of t.
func (t *Type) readFloat(b []byte) (float64, []byte, error) {
	if t.kind == KindFloat32 {
		v, rest, err := ReadFloat32(b)
		return float64(v), rest, err
	}
	return ReadFloat64(b)
}

// length says whether n bytes or elements are allowed.
func (t *Type) length(n uint64) error {
	if n < uint64(t.minLen) || n > uint64(t.maxLen) {
		return ErrLength
	}
	return nil
}

func (t *Type) checkString(b []byte) ([]byte, error) {
	// The length comes first, so that a string that is much too long is not looked at.
	n, _, err := readStrHeader(b)
	if err != nil {
		return nil, err
	}
	if err := t.length(n); err != nil {
		return nil, err
	}
	v, rest, err := ReadString(b)
	if err != nil {
		return nil, err
	}
	if t.oneStr != nil && !oneOfStrings(t.oneStr, v) {
		return nil, ErrOneOf
	}
	if t.re != nil && !t.re.Match(v) {
		return nil, ErrPattern
	}
	return rest, nil
}

// oneOfStrings is slices.Contains without making a string of v.
func oneOfStrings(list []string, v []byte) bool {
	for _, s := range list {
		if s == string(v) {
			return true
		}
	}
	return false
}

func (t *Type) checkBytes(b []byte) ([]byte, error) {
	n, rest, err := readBinHeader(b)
	if err != nil {
		return nil, err
	}
	if err := t.length(n); err != nil {
		return nil, err
	}
	_, rest, err = take(rest, n)
	return rest, err
}

func (t *Type) checkID(b []byte) ([]byte, error) {
	n, rest, err := readBinHeader(b)
	if err != nil {
		return nil, err
	}
	if n != idLen {
		return nil, ErrType
	}
	_, rest, err = take(rest, n)
	return rest, err
}

func (t *Type) checkList(b []byte) ([]byte, error) {
	n, rest, err := t.readCount(b)
	if err != nil {
		return nil, err
	}
	for i := range n {
		if rest, err = t.elem.check(rest); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return rest, nil
}

// readCount reads the header of a KindArray or a KindSlice.
func (t *Type) readCount(b []byte) (int, []byte, error) {
	n, rest, err := ReadArrayHeader(b)
	if err != nil {
		return 0, nil, err
	}
	if t.kind == KindSlice {
		return n, rest, t.length(uint64(n))
	}
	if n != t.n {
		return 0, nil, ErrType
	}
	return n, rest, nil
}

func (t *Type) checkMap(b []byte) ([]byte, error) {
	n, rest, err := ReadMapHeader(b)
	if err != nil {
		return nil, err
	}
	if err := t.length(uint64(n)); err != nil {
		return nil, err
	}
	var last []byte
	for i := range n {
		// The key is read again after its check, which is cheap and keeps one place for its constraints.
		after, err := t.key.check(rest)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		key, _, _ := ReadString(rest)
		if i > 0 && bytes.Compare(key, last) <= 0 {
			return nil, fmt.Errorf("key %q: %w", key, ErrOrder)
		}
		if rest, err = t.elem.check(after); err != nil {
			return nil, fmt.Errorf("[%q]: %w", key, err)
		}
		last = key
	}
	return rest, nil
}

func (t *Type) checkStruct(b []byte) ([]byte, error) {
	if t.binLen > 0 {
		return t.checkPacked(b)
	}
	n, rest, err := ReadArrayHeader(b)
	if err != nil {
		return nil, err
	}
	if n != len(t.members) {
		return nil, ErrType
	}
	for i := range t.members {
		if rest, err = t.members[i].Type.check(rest); err != nil {
			return nil, fmt.Errorf("%s: %w", t.members[i].Name, err)
		}
	}
	return rest, nil
}

// checkPacked checks a struct that is one bin of little-endian ints.
func (t *Type) checkPacked(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0]&0xf0 == fixArray {
		// What an encoder writes when a member does not fit its int.
		return nil, ErrRange
	}
	v, rest, err := ReadBin(b)
	if err != nil {
		return nil, err
	}
	if len(v) != t.binLen {
		return nil, ErrType
	}
	for i := range t.members {
		m := t.members[i].Type
		if n := littleEndian(v, m.as); n < m.lo || n > m.hi {
			return nil, fmt.Errorf("%s: %w", t.members[i].Name, ErrRange)
		}
		v = v[m.as.size():]
	}
	return rest, nil
}

// littleEndian reads an int of the kind off the front of v, which is long enough.
func littleEndian(v []byte, kind Kind) int64 {
	switch kind {
	case KindInt8:
		return int64(int8(v[0]))
	case KindInt16:
		return int64(int16(binary.LittleEndian.Uint16(v)))
	case KindInt32:
		return int64(int32(binary.LittleEndian.Uint32(v)))
	case KindUint8:
		return int64(v[0])
	case KindUint16:
		return int64(binary.LittleEndian.Uint16(v))
	}
	return int64(binary.LittleEndian.Uint32(v))
}

// appendLittleEndian appends v, which fits the kind.
func appendLittleEndian(dst []byte, v int64, kind Kind) []byte {
	for range kind.size() {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// idLen is the length of an KindID.
const idLen = 16
