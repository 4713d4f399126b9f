package fields

import (
	"math"
	"strings"
)

// Kind is what sort of value a Type describes.
type Kind uint8

// The kinds. Zero is none of them.
const (
	KindBool Kind = iota + 1
	KindInt8
	KindInt16
	KindInt32
	KindInt64
	KindUint8
	KindUint16
	KindUint32
	KindUint64
	KindFloat32
	KindFloat64
	KindString
	KindBytes
	KindTime
	KindDuration
	KindID     // 16 bytes that name something
	KindArray  // of a fixed number of elements
	KindSlice  // of a variable number
	KindMap    // with string keys
	KindStruct // of named members
	KindPacked // a float that travels as an int
)

// kindNames is in the order of the kinds; the names of the scalars are also their text in schemas.
const kindNames = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 string bytes time duration id " +
	"array slice map struct packed"

// String returns the name of the kind.
func (k Kind) String() string {
	names := strings.Fields(kindNames)
	if k == 0 || int(k) > len(names) {
		return "no kind"
	}
	return names[k-1]
}

// scalarKind returns the kind with that name if it has neither parts nor packing.
func scalarKind(name string) (Kind, bool) {
	for i, n := range strings.Fields(kindNames) {
		if k := Kind(i + 1); n == name && k <= KindID {
			return k, true
		}
	}
	return 0, false
}

// packableNames are the kinds that a float may be packed into. 64 bits are not among them, so that any int64 outside
// of the kind can stand for a float that does not fit.
const packableNames = "int8, int16, int32, uint8, uint16, uint32"

// packable returns the kind with that name if floats may be packed into it.
func packable(name string) (Kind, bool) {
	k, ok := scalarKind(name)
	return k, ok && (k >= KindInt8 && k <= KindInt32 || k >= KindUint8 && k <= KindUint32)
}

// isInt reports whether values of k travel as an int that fits an int64.
func (k Kind) isInt() bool {
	return k >= KindInt8 && k <= KindUint32 || k == KindTime || k == KindDuration || k == KindPacked
}

// isFloat reports whether k is float32 or float64.
func (k Kind) isFloat() bool { return k == KindFloat32 || k == KindFloat64 }

// hasLength reports whether values of k have a variable length.
func (k Kind) hasLength() bool {
	return k == KindString || k == KindBytes || k == KindSlice || k == KindMap
}

// limits returns the range of an isInt kind.
func (k Kind) limits() (lo, hi int64) {
	switch k {
	case KindInt8, KindInt16, KindInt32:
		bits := 8 << (k - KindInt8)
		return -1 << (bits - 1), 1<<(bits-1) - 1
	case KindUint8, KindUint16, KindUint32:
		return 0, 1<<(8<<(k-KindUint8)) - 1
	}
	return math.MinInt64, math.MaxInt64
}

// size returns how many bytes the integer kind k has in memory and in a packed struct.
func (k Kind) size() int {
	if k >= KindUint8 {
		return 1 << (k - KindUint8)
	}
	return 1 << (k - KindInt8)
}
