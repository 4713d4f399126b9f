package sqldb

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/fields"
)

// number is a number of a JSON text as it is written there, so that no digit is lost.
type number string

// jsonOf returns the JSON text of an encoded value.
func jsonOf(t *fields.Type, b []byte) (string, error) {
	dst, _, err := appendJSON(nil, t, b)
	return string(dst), err
}

// appendJSON appends the JSON text of the value that b begins with.
func appendJSON(dst []byte, t *fields.Type, b []byte) (out, rest []byte, err error) {
	switch t.Kind() {
	case fields.KindArray, fields.KindSlice:
		return appendJSONList(dst, t, b)
	case fields.KindMap:
		return appendJSONMap(dst, t, b)
	case fields.KindStruct:
		return appendJSONStruct(dst, t, b)
	}
	v, rest, err := scalar(t, b)
	if err != nil {
		return nil, nil, err
	}
	dst, err = appendJSONScalar(dst, wholeMicros(v))
	return dst, rest, err
}

func appendJSONScalar(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float32:
		return appendJSONFloat(dst, float64(v), 32), nil
	case float64:
		return appendJSONFloat(dst, v, 64), nil
	case []byte:
		return append(hex.AppendEncode(append(dst, '"'), v), '"'), nil
	case time.Time:
		return append(v.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"'), nil
	case uuid.UUID:
		return append(append(append(dst, '"'), v.String()...), '"'), nil
	}
	text, err := json.Marshal(v)
	return append(dst, text...), err
}

func appendJSONFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

func appendJSONList(dst []byte, t *fields.Type, b []byte) (out, rest []byte, err error) {
	n, rest, err := fields.ReadArrayHeader(b)
	dst = append(dst, '[')
	for i := 0; i < n && err == nil; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, rest, err = appendJSON(dst, t.Elem(), rest)
	}
	return append(dst, ']'), rest, err
}

func appendJSONMap(dst []byte, t *fields.Type, b []byte) (out, rest []byte, err error) {
	n, rest, err := fields.ReadMapHeader(b)
	dst = append(dst, '{')
	for i := 0; i < n && err == nil; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, rest, err = appendJSON(dst, t.Key(), rest); err == nil {
			dst, rest, err = appendJSON(append(dst, ':'), t.Elem(), rest)
		}
	}
	return append(dst, '}'), rest, err
}

func appendJSONStruct(dst []byte, t *fields.Type, b []byte) (out, rest []byte, err error) {
	var next func(m fields.Member) error
	if isBin(t) {
		var bin []byte
		if bin, rest, err = fields.ReadBin(b); err != nil {
			return nil, nil, err
		}
		next = func(m fields.Member) (err error) {
			var n int64
			if n, bin, err = readLittleEndian(m.Type, bin); err == nil {
				dst = appendJSONFloat(dst, unpack(m.Type, n), 64)
			}
			return err
		}
	} else {
		if _, rest, err = fields.ReadArrayHeader(b); err != nil {
			return nil, nil, err
		}
		next = func(m fields.Member) (err error) {
			dst, rest, err = appendJSON(dst, m.Type, rest)
			return err
		}
	}
	dst = append(dst, '{')
	for i, m := range t.Members() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(strconv.AppendQuote(dst, m.Name), ':')
		if err := next(m); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, '}'), rest, nil
}

// isBin reports whether a struct has packed members only, so that its encoding is one bin of little-endian ints.
func isBin(t *fields.Type) bool {
	unpacked := func(m fields.Member) bool { return m.Type.Kind() != fields.KindPacked }
	return len(t.Members()) > 0 && !slices.ContainsFunc(t.Members(), unpacked)
}

// packedSize returns the bytes that a packed float has in such a bin, and whether its int is signed.
func packedSize(t *fields.Type) (size int, signed bool) {
	switch _, as, _, _ := t.Packing(); as {
	case fields.KindInt8:
		return 1, true
	case fields.KindUint8:
		return 1, false
	case fields.KindInt16:
		return 2, true
	case fields.KindUint16:
		return 2, false
	case fields.KindInt32:
		return 4, true
	}
	return 4, false
}

func readLittleEndian(t *fields.Type, b []byte) (n int64, rest []byte, err error) {
	size, signed := packedSize(t)
	if len(b) < size {
		return 0, nil, fields.ErrShort
	}
	for i := size - 1; i >= 0; i-- {
		n = n<<8 | int64(b[i])
	}
	if signed {
		shift := 64 - 8*size
		n = n << shift >> shift
	}
	return n, b[size:], nil
}

// parseJSON returns the encoding of a JSON text that appendJSON made, or a person.
func parseJSON(t *fields.Type, text string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %w", database.ErrValue, err)
	}
	return appendParsed(nil, t, v)
}

// appendParsed appends the encoding of what encoding/json made of a JSON text.
func appendParsed(dst []byte, t *fields.Type, v any) ([]byte, error) {
	if n, ok := v.(json.Number); ok {
		v = number(n)
	}
	switch t.Kind() {
	case fields.KindArray, fields.KindSlice:
		if list, ok := v.([]any); ok {
			return appendParsedList(dst, t, list)
		}
	case fields.KindMap:
		if object, ok := v.(map[string]any); ok {
			return appendParsedMap(dst, t, object)
		}
	case fields.KindStruct:
		if object, ok := v.(map[string]any); ok {
			return appendParsedStruct(dst, t, object)
		}
	default:
		return appendScalar(dst, t, v)
	}
	return nil, fmt.Errorf("%w: JSON %T cannot be %s", database.ErrValue, v, t)
}

func appendParsedList(dst []byte, t *fields.Type, list []any) (out []byte, err error) {
	dst = fields.AppendArrayHeader(dst, len(list))
	for _, v := range list {
		if dst, err = appendParsed(dst, t.Elem(), v); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendParsedMap(dst []byte, t *fields.Type, object map[string]any) (out []byte, err error) {
	dst = fields.AppendMapHeader(dst, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		dst = fields.AppendString(dst, key)
		if dst, err = appendParsed(dst, t.Elem(), object[key]); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendParsedStruct takes the zero for a member that the object lacks.
func appendParsedStruct(dst []byte, t *fields.Type, object map[string]any) (out []byte, err error) {
	bin := isBin(t)
	var ints []byte
	if !bin {
		dst = fields.AppendArrayHeader(dst, len(t.Members()))
	}
	for _, m := range t.Members() {
		v, ok := object[m.Name]
		encoded := m.Type.Zero()
		if ok {
			if encoded, err = appendParsed(nil, m.Type, v); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Name, err)
			}
		}
		if !bin {
			dst = append(dst, encoded...)
			continue
		}
		if ints, err = appendLittleEndian(ints, m.Type, encoded); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if bin {
		return fields.AppendBin(dst, ints), nil
	}
	return dst, nil
}

// appendLittleEndian appends an encoded int in the form that it has in a bin.
func appendLittleEndian(dst []byte, t *fields.Type, encoded []byte) ([]byte, error) {
	if err := t.Check(encoded); err != nil {
		return nil, fmt.Errorf("%w: %w", database.ErrValue, err)
	}
	n, _, err := fields.ReadInt(encoded)
	size, _ := packedSize(t)
	for range size {
		dst = append(dst, byte(n))
		n >>= 8
	}
	return dst, err
}
