package database

import (
	"bytes"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// storedField is the db field of a class with the number.
func storedField(class *do.Class, n fields.Number) (*do.Field, error) {
	f := class.Field(n)
	switch {
	case f == nil:
		return nil, fmt.Errorf("%w: %s has no field %s", ErrField, class, n)
	case !isStored(f):
		return nil, fmt.Errorf("%w: %s", ErrField, f)
	}
	return f, nil
}

// normalAll is m with every value in the form in which it is kept. The result shares no memory with m.
func normalAll(class *do.Class, m fields.Map) (fields.Map, error) {
	var out fields.MapBuilder
	it := m.Iter()
	for it.Next() {
		f, err := storedField(class, it.Number())
		if err != nil {
			return nil, err
		}
		value, err := normal(f, it.Value())
		if err != nil {
			return nil, err
		}
		if err := out.Add(it.Number(), value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrValue, err)
		}
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrValue, err)
	}
	return out.Map(), nil
}

// normal is the form of a value after it was stored and read again, as doc.go has it.
func normal(f *do.Field, value []byte) ([]byte, error) {
	err := f.Check(value)
	if err == nil {
		var out []byte
		if out, _, err = appendNormal(nil, f.Type, f.Type.AppendCanonical(nil, value), !nests(f.Type)); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrValue, f, err)
}

// nests reports whether the values of a type are kept as a whole, so that their times keep their nanoseconds: all that
// is neither a scalar nor a list of scalars.
func nests(t *fields.Type) bool {
	switch t.Kind() {
	case fields.KindMap, fields.KindStruct:
		return true
	case fields.KindArray, fields.KindSlice:
		k := t.Elem().Kind()
		return k == fields.KindMap || k == fields.KindStruct || k == fields.KindArray || k == fields.KindSlice
	}
	return false
}

// appendNormal appends the normal form of the canonical value at the front of b. With micros, times are rounded down
// to the microsecond.
func appendNormal(dst []byte, t *fields.Type, b []byte, micros bool) (out, rest []byte, err error) {
	switch t.Kind() {
	case fields.KindFloat32:
		v, rest, err := fields.ReadFloat32(b)
		return fields.AppendFloat32(dst, v+0), rest, err // +0 makes a negative zero positive
	case fields.KindFloat64:
		v, rest, err := fields.ReadFloat64(b)
		return fields.AppendFloat64(dst, v+0), rest, err
	case fields.KindString:
		v, rest, err := fields.ReadString(b)
		if bytes.IndexByte(v, 0) >= 0 {
			return nil, nil, fmt.Errorf("%w: a NUL character", ErrValue)
		}
		return fields.AppendString(dst, string(v)), rest, err
	case fields.KindTime:
		v, rest, err := fields.ReadInt(b)
		if micros {
			v -= (v%1000 + 1000) % 1000
		}
		return fields.AppendInt(dst, v), rest, err
	case fields.KindArray, fields.KindSlice:
		n, rest, err := fields.ReadArrayHeader(b)
		dst = fields.AppendArrayHeader(dst, n)
		for ; n > 0 && err == nil; n-- {
			dst, rest, err = appendNormal(dst, t.Elem(), rest, micros)
		}
		return dst, rest, err
	case fields.KindMap:
		n, rest, err := fields.ReadMapHeader(b)
		dst = fields.AppendMapHeader(dst, n)
		for ; n > 0 && err == nil; n-- {
			if dst, rest, err = appendNormal(dst, t.Key(), rest, micros); err == nil {
				dst, rest, err = appendNormal(dst, t.Elem(), rest, micros)
			}
		}
		return dst, rest, err
	case fields.KindStruct:
		n, rest, err := fields.ReadArrayHeader(b)
		if err != nil {
			break // of packed values only: one bin, kept as it is
		}
		dst = fields.AppendArrayHeader(dst, n)
		for _, m := range t.Members() {
			if dst, rest, err = appendNormal(dst, m.Type, rest, micros); err != nil {
				return nil, nil, err
			}
		}
		return dst, rest, nil
	}
	n, err := fields.Skip(b)
	if err != nil {
		return nil, nil, err
	}
	return append(dst, b[:n]...), b[n:], nil
}
