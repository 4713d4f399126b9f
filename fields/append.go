package fields

import (
	"encoding/binary"
	"math"
)

// The format bytes of msgpack that are not ranges. https://github.com/msgpack/msgpack/blob/master/spec.md
const (
	fmtNil     = 0xc0
	fmtNever   = 0xc1
	fmtFalse   = 0xc2
	fmtTrue    = 0xc3
	fmtBin8    = 0xc4
	fmtBin16   = 0xc5
	fmtBin32   = 0xc6
	fmtFloat32 = 0xca
	fmtFloat64 = 0xcb
	fmtUint8   = 0xcc
	fmtUint16  = 0xcd
	fmtUint32  = 0xce
	fmtUint64  = 0xcf
	fmtInt8    = 0xd0
	fmtInt16   = 0xd1
	fmtInt32   = 0xd2
	fmtInt64   = 0xd3
	fmtStr8    = 0xd9
	fmtStr16   = 0xda
	fmtStr32   = 0xdb
	fmtArray16 = 0xdc
	fmtArray32 = 0xdd
	fmtMap16   = 0xde
	fmtMap32   = 0xdf

	fixMap   = 0x80
	fixArray = 0x90
	fixStr   = 0xa0
	fixNeg   = 0xe0
)

// AppendNil appends nil, which no field value is: messages use it for "absent".
func AppendNil(dst []byte) []byte { return append(dst, fmtNil) }

// AppendBool appends v.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, fmtTrue)
	}
	return append(dst, fmtFalse)
}

// AppendInt appends v in the smallest form; a v that is not negative looks as if AppendUint wrote it.
func AppendInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return AppendUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, fmtInt8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, fmtInt16), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, fmtInt32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, fmtInt64), uint64(v))
}

// AppendUint appends v in the smallest form.
func AppendUint(dst []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, fmtUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, fmtUint16), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, fmtUint32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, fmtUint64), v)
}

// AppendFloat32 appends v as float 32; the bits of a NaN are kept.
func AppendFloat32(dst []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, fmtFloat32), math.Float32bits(v))
}

// AppendFloat64 appends v as float 64; the bits of a NaN are kept.
func AppendFloat64(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, fmtFloat64), math.Float64bits(v))
}

// AppendString appends v as str. It does not look whether v is UTF-8: readers do.
func AppendString(dst []byte, v string) []byte {
	n := len(v)
	switch {
	case n < 32:
		dst = append(dst, fixStr|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, fmtStr8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, fmtStr16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, fmtStr32), uint32(n))
	}
	return append(dst, v...)
}

// AppendBin appends v as bin.
func AppendBin(dst, v []byte) []byte {
	return append(AppendBinHeader(dst, len(v)), v...)
}

// AppendBinHeader appends what comes before the n bytes of a bin, for callers that write those in place.
func AppendBinHeader(dst []byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, fmtBin8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, fmtBin16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, fmtBin32), uint32(n))
}

// AppendArrayHeader appends what comes before the n elements of an array.
func AppendArrayHeader(dst []byte, n int) []byte {
	return appendHeader(dst, n, fixArray, fmtArray16)
}

// AppendMapHeader appends what comes before the n pairs of a map.
func AppendMapHeader(dst []byte, n int) []byte {
	return appendHeader(dst, n, fixMap, fmtMap16)
}

// appendHeader writes a count: four bits in the fix format, or 16 or 32 bits after wide and wide+1.
func appendHeader(dst []byte, n int, fix, wide byte) []byte {
	switch {
	case n < 16:
		return append(dst, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, wide+1), uint32(n))
}
