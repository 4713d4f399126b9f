package fields

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// Codec encodes and decodes the values of one Go type as one Type. It is compiled once; per value it looks at no
// reflect.Type, with two exceptions: a slice is allocated through reflect, so that the garbage collector knows its
// type, and a map is walked through it.
type Codec struct {
	// Append appends the encoding of what p points at. It cannot fail: see the promises in the package's doc.
	Append func(dst []byte, p unsafe.Pointer) []byte
	// Decode reads a value from the front of b into what p points at. Where CheckPrefix would refuse b it returns
	// that error, and what p points at stays as it was. What it writes shares no memory with b.
	Decode func(p unsafe.Pointer, b []byte) (rest []byte, err error)
}

// coder is a Codec of a part. read reads bytes that were checked, so that it cannot fail.
type coder struct {
	append func(dst []byte, p unsafe.Pointer) []byte
	read   func(p unsafe.Pointer, b []byte) (rest []byte)
}

// CodecOf compiles the codec of rt for t, which must have the shape of rt: usually it came from TypeOf(rt, ...).
func CodecOf(rt reflect.Type, t *Type) (*Codec, error) {
	c, err := coderOf(rt, t)
	if err != nil {
		return nil, fmt.Errorf("fields: codec of %v: %w", rt, err)
	}
	return &Codec{
		Append: c.append,
		Decode: func(p unsafe.Pointer, b []byte) ([]byte, error) {
			rest, err := t.CheckPrefix(b)
			if err != nil {
				return nil, err
			}
			c.read(p, b)
			return rest, nil
		},
	}, nil
}

// coderOf compiles one part.
func coderOf(rt reflect.Type, t *Type) (coder, error) {
	kind, err := kindOf(rt)
	if err != nil {
		return coder{}, err
	}
	if want := t.kind; kind != want && !(want == KindPacked && kind == t.base) {
		return coder{}, fmt.Errorf("%w: %v is no %s", ErrDeclare, rt, t)
	}
	switch t.kind {
	case KindArray:
		return arrayCoder(rt, t)
	case KindSlice:
		return sliceCoder(rt, t)
	case KindMap:
		return mapCoder(rt, t)
	case KindStruct:
		return structCoder(rt, t)
	case KindPacked:
		return packedCoder(t), nil
	}
	return scalarCoder(t.kind), nil
}

// scalarCoder returns the coder of a kind without parts.
func scalarCoder(kind Kind) coder {
	switch kind {
	case KindBool:
		return coder{
			append: func(dst []byte, p unsafe.Pointer) []byte { return AppendBool(dst, *(*bool)(p)) },
			read: func(p unsafe.Pointer, b []byte) []byte {
				v, rest, _ := ReadBool(b)
				*(*bool)(p) = v
				return rest
			},
		}
	case KindInt8:
		return intCoder[int8]()
	case KindInt16:
		return intCoder[int16]()
	case KindInt32:
		return intCoder[int32]()
	case KindInt64, KindDuration:
		return intCoder[int64]()
	case KindUint8:
		return uintCoder[uint8]()
	case KindUint16:
		return uintCoder[uint16]()
	case KindUint32:
		return uintCoder[uint32]()
	case KindUint64:
		return uintCoder[uint64]()
	case KindFloat32:
		return coder{
			append: func(dst []byte, p unsafe.Pointer) []byte { return AppendFloat32(dst, *(*float32)(p)) },
			read: func(p unsafe.Pointer, b []byte) []byte {
				v, rest, _ := ReadFloat32(b)
				*(*float32)(p) = v
				return rest
			},
		}
	case KindFloat64:
		return coder{
			append: func(dst []byte, p unsafe.Pointer) []byte { return AppendFloat64(dst, *(*float64)(p)) },
			read: func(p unsafe.Pointer, b []byte) []byte {
				v, rest, _ := ReadFloat64(b)
				*(*float64)(p) = v
				return rest
			},
		}
	case KindTime:
		return timeCoder()
	}
	return bytesCoder(kind)
}

func intCoder[T int8 | int16 | int32 | int64]() coder {
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte { return AppendInt(dst, int64(*(*T)(p))) },
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadInt(b)
			*(*T)(p) = T(v)
			return rest
		},
	}
}

func uintCoder[T uint8 | uint16 | uint32 | uint64]() coder {
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte { return AppendUint(dst, uint64(*(*T)(p))) },
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadUint(b)
			*(*T)(p) = T(v)
			return rest
		},
	}
}

// bytesCoder returns the coder of strings, bytes and ids.
func bytesCoder(kind Kind) coder {
	switch kind {
	case KindString:
		return coder{
			append: func(dst []byte, p unsafe.Pointer) []byte { return AppendString(dst, *(*string)(p)) },
			read: func(p unsafe.Pointer, b []byte) []byte {
				v, rest, _ := ReadString(b)
				*(*string)(p) = string(v)
				return rest
			},
		}
	case KindBytes:
		return coder{
			append: func(dst []byte, p unsafe.Pointer) []byte { return AppendBin(dst, *(*[]byte)(p)) },
			read: func(p unsafe.Pointer, b []byte) []byte {
				v, rest, _ := ReadBin(b)
				*(*[]byte)(p) = append([]byte(nil), v...)
				return rest
			},
		}
	}
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte { return AppendBin(dst, (*[idLen]byte)(p)[:]) },
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadBin(b)
			copy((*[idLen]byte)(p)[:], v)
			return rest
		},
	}
}

// The years whose every nanosecond an int64 can count from 1970; parts of the years beside them fit, too.
const (
	firstYear = 1678
	lastYear  = 2261
)

// countable reports whether an int64 can count the nanoseconds from 1970 to v.
func countable(v time.Time) bool {
	return !v.Before(time.Unix(0, math.MinInt64)) && !v.After(time.Unix(0, math.MaxInt64))
}

// timeCoder encodes nanoseconds since 1970. Go's zero time is 0 and 0 is Go's zero time, so that a field nobody set
// comes back as it was; the instant of 1970 itself cannot be told from it. A time that does not fit becomes an int
// above int64, which Check refuses. Decoded times are in UTC.
func timeCoder() coder {
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte {
			v := *(*time.Time)(p)
			if v.IsZero() {
				return AppendInt(dst, 0)
			}
			if !countable(v) {
				return AppendUint(dst, math.MaxUint64)
			}
			return AppendInt(dst, v.UnixNano())
		},
		read: func(p unsafe.Pointer, b []byte) []byte {
			v, rest, _ := ReadInt(b)
			*(*time.Time)(p) = timeOf(v)
			return rest
		},
	}
}

// timeOf returns the time of an encoded one.
func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

func arrayCoder(rt reflect.Type, t *Type) (coder, error) {
	if rt.Len() != t.n {
		return coder{}, fmt.Errorf("%w: %v is no %s", ErrDeclare, rt, t)
	}
	elem, err := coderOf(rt.Elem(), t.elem)
	if err != nil {
		return coder{}, err
	}
	n, size := rt.Len(), rt.Elem().Size()
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte {
			dst = AppendArrayHeader(dst, n)
			for i := range n {
				dst = elem.append(dst, unsafe.Add(p, uintptr(i)*size))
			}
			return dst
		},
		read: func(p unsafe.Pointer, b []byte) []byte {
			_, rest, _ := ReadArrayHeader(b)
			for i := range n {
				rest = elem.read(unsafe.Add(p, uintptr(i)*size), rest)
			}
			return rest
		},
	}, nil
}

func sliceCoder(rt reflect.Type, t *Type) (coder, error) {
	elem, err := coderOf(rt.Elem(), t.elem)
	if err != nil {
		return coder{}, err
	}
	size := rt.Elem().Size()
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte {
			// The length and the data of every slice lie alike, whatever its elements.
			s := *(*[]struct{})(p)
			dst = AppendArrayHeader(dst, len(s))
			data := unsafe.Pointer(unsafe.SliceData(s))
			for i := range len(s) {
				dst = elem.append(dst, unsafe.Add(data, uintptr(i)*size))
			}
			return dst
		},
		read: func(p unsafe.Pointer, b []byte) []byte {
			n, rest, _ := ReadArrayHeader(b)
			to := reflect.NewAt(rt, p).Elem()
			if n == 0 {
				to.SetZero()
				return rest
			}
			// A new array each time: the old one may have been handed out.
			made := reflect.MakeSlice(rt, n, n)
			data := made.UnsafePointer()
			for i := range n {
				rest = elem.read(unsafe.Add(data, uintptr(i)*size), rest)
			}
			to.Set(made)
			return rest
		},
	}, nil
}

func mapCoder(rt reflect.Type, t *Type) (coder, error) {
	elem, err := coderOf(rt.Elem(), t.elem)
	if err != nil {
		return coder{}, err
	}
	return coder{
		append: func(dst []byte, p unsafe.Pointer) []byte {
			m := reflect.NewAt(rt, p).Elem()
			keys := m.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
			dst = AppendMapHeader(dst, len(keys))
			v := reflect.New(rt.Elem())
			for _, k := range keys {
				v.Elem().Set(m.MapIndex(k))
				dst = elem.append(AppendString(dst, k.String()), v.UnsafePointer())
			}
			return dst
		},
		read: func(p unsafe.Pointer, b []byte) []byte {
			n, rest, _ := ReadMapHeader(b)
			to := reflect.NewAt(rt, p).Elem()
			if n == 0 {
				to.SetZero()
				return rest
			}
			made := reflect.MakeMapWithSize(rt, n)
			for range n {
				var key []byte
				key, rest, _ = ReadString(rest)
				k, v := reflect.New(rt.Key()).Elem(), reflect.New(rt.Elem())
				k.SetString(string(key))
				rest = elem.read(v.UnsafePointer(), rest)
				made.SetMapIndex(k, v.Elem())
			}
			to.Set(made)
			return rest
		},
	}, nil
}
