package sqldb

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/fields"
)

// scalar reads the value of a type without parts off b, as one of bool, int64, uint64, float32, float64, string,
// []byte, time.Time, uuid.UUID. Packed floats come in their own unit.
// b was checked against t before.
func scalar(t *fields.Type, b []byte) (v any, rest []byte, err error) {
	switch t.Kind() {
	case fields.KindBool:
		return generic(fields.ReadBool(b))
	case fields.KindUint64:
		return generic(fields.ReadUint(b))
	case fields.KindFloat32:
		f, rest, err := fields.ReadFloat32(b)
		return f + 0, rest, err // +0 makes a negative zero positive
	case fields.KindFloat64:
		f, rest, err := fields.ReadFloat64(b)
		return f + 0, rest, err
	case fields.KindString:
		s, rest, err := fields.ReadString(b)
		if err == nil && strings.IndexByte(string(s), 0) >= 0 {
			err = fmt.Errorf("%w: a NUL character", database.ErrValue)
		}
		return string(s), rest, err
	case fields.KindBytes:
		return generic(fields.ReadBin(b))
	case fields.KindID:
		v, rest, err := fields.ReadBin(b)
		if err != nil || len(v) != len(uuid.UUID{}) {
			return nil, nil, fmt.Errorf("%w: an id of %d bytes", database.ErrValue, len(v))
		}
		return uuid.UUID(v), rest, nil
	case fields.KindTime:
		n, rest, err := fields.ReadInt(b)
		return time.Unix(0, n).UTC(), rest, err
	case fields.KindPacked:
		n, rest, err := fields.ReadInt(b)
		return unpack(t, n), rest, err
	}
	return generic(fields.ReadInt(b))
}

func generic[T any](v T, rest []byte, err error) (any, []byte, error) { return v, rest, err }

// unpack returns a packed float in its own unit.
func unpack(t *fields.Type, n int64) float64 {
	_, _, scale, _ := t.Packing()
	return float64(n) / scale
}

// pack is the way back, which finds the int that unpack was given: no packed int has more than 32 bits.
func pack(t *fields.Type, f float64) (int64, error) {
	_, _, scale, _ := t.Packing()
	n := math.Round(f * scale)
	if math.IsNaN(n) || math.Abs(n) > math.MaxUint32 {
		return 0, fmt.Errorf("%w: %v does not fit %s", database.ErrValue, f, t)
	}
	return int64(n), nil
}

// appendScalar appends the encoding of a value that a database gave for a type without parts, in whatever Go type the
// driver found fitting. Whether it fits the constraints of t is checked later.
func appendScalar(dst []byte, t *fields.Type, v any) ([]byte, error) {
	switch t.Kind() {
	case fields.KindBool:
		switch v := v.(type) {
		case bool:
			return fields.AppendBool(dst, v), nil
		case int64:
			return fields.AppendBool(dst, v != 0), nil
		}
	case fields.KindUint64:
		if u, ok := asUint(v); ok {
			return fields.AppendUint(dst, u), nil
		}
	case fields.KindFloat32:
		if f, ok := asFloat(v); ok {
			return fields.AppendFloat32(dst, float32(f)), nil
		}
	case fields.KindFloat64:
		if f, ok := asFloat(v); ok {
			return fields.AppendFloat64(dst, f), nil
		}
	case fields.KindPacked:
		if f, ok := asFloat(v); ok {
			n, err := pack(t, f)
			return fields.AppendInt(dst, n), err
		}
	case fields.KindString:
		if s, ok := v.(string); ok {
			return fields.AppendString(dst, s), nil
		}
	case fields.KindBytes:
		if b, ok := asBytes(v); ok {
			return fields.AppendBin(dst, b), nil
		}
	case fields.KindID:
		if id, ok := asUUID(v); ok {
			return fields.AppendBin(dst, id[:]), nil
		}
	case fields.KindTime:
		if at, ok := asTime(v); ok {
			return fields.AppendInt(dst, at.UnixNano()), nil
		}
	default:
		if n, ok := asInt(v); ok {
			return fields.AppendInt(dst, n), nil
		}
	}
	return nil, fmt.Errorf("%w: a %T cannot be %s", database.ErrValue, v, t)
}

func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case number:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

func asUint(v any) (uint64, bool) {
	switch v := v.(type) {
	case uint64:
		return v, true
	case int64:
		return uint64(v), v >= 0
	case string:
		n, err := strconv.ParseUint(v, 10, 64)
		return n, err == nil
	case number:
		n, err := strconv.ParseUint(string(v), 10, 64)
		return n, err == nil
	case pgtype.Numeric:
		return numericUint(v)
	}
	return 0, false
}

// numericUint reads a numeric as an unsigned integer, if it is one.
func numericUint(v pgtype.Numeric) (uint64, bool) {
	if !v.Valid || v.NaN || v.InfinityModifier != pgtype.Finite || v.Exp < 0 || v.Exp > 20 {
		return 0, false
	}
	n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Exp)), nil)
	n.Mul(n, v.Int)
	return n.Uint64(), n.IsUint64()
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int64:
		return float64(v), true
	case string: // NaN, Infinity, -Infinity
		f, err := strconv.ParseFloat(v, 64)
		return f, err == nil
	case number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil
	}
	return 0, false
}

func asBytes(v any) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return v, true
	case string: // hex, in JSON
		b, err := hex.DecodeString(v)
		return b, err == nil
	}
	return nil, false
}

func asUUID(v any) (uuid.UUID, bool) {
	switch v := v.(type) {
	case uuid.UUID:
		return v, true
	case [16]byte:
		return v, true
	case string:
		id, err := uuid.Parse(v)
		return id, err == nil
	}
	return uuid.UUID{}, false
}

func asTime(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, inNanoRange(v)
	case string:
		at, err := time.Parse(time.RFC3339Nano, v)
		return at, err == nil && inNanoRange(at)
	}
	return time.Time{}, false
}

// inNanoRange reports whether unix nanoseconds in an int64 reach the time.
func inNanoRange(at time.Time) bool {
	return !at.Before(time.Unix(0, math.MinInt64)) && !at.After(time.Unix(0, math.MaxInt64))
}
