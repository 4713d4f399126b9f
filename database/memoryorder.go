package database

import (
	"bytes"
	"cmp"
	"fmt"
	"math"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// memoryPlace is where a row stands in an order.
type memoryPlace struct {
	value []byte
	id    do.ID
}

// ordering is an order of rows; without a field it is by id.
type ordering struct {
	field *do.Field
	desc  bool
}

// memoryOrder is the order that a find or list asks for.
func memoryOrder(class *do.Class, o *Order) (ordering, error) {
	if o == nil {
		return ordering{}, nil
	}
	f, err := storedField(class, o.Field)
	switch {
	case err != nil:
		return ordering{}, err
	case !f.Keywords.Any(fields.Index | fields.Unique):
		return ordering{}, fmt.Errorf("%w: %s", ErrNotIndexed, f)
	}
	return ordering{f, o.Desc}, nil
}

// place is that of a row; one without a value has none.
func (o ordering) place(id do.ID, row *memoryRow) (p memoryPlace, ok bool) {
	if o.field == nil {
		return memoryPlace{id: id}, true
	}
	value := row.values[o.field.Name]
	return memoryPlace{value, id}, value != nil
}

func (o ordering) compare(a, b memoryPlace) int {
	c := 0
	if o.field != nil {
		c = compareValues(o.field.Type, a.value, b.value)
	}
	if o.desc {
		c = -c
	}
	return cmp.Or(c, a.id.Compare(b.id))
}

// compareValues compares two values in normal form of a type that an indexed field can have.
func compareValues(t *fields.Type, a, b []byte) int {
	switch t.Kind() {
	case fields.KindBool:
		x, _, _ := fields.ReadBool(a)
		y, _, _ := fields.ReadBool(b)
		return cmp.Compare(boolInt(x), boolInt(y))
	case fields.KindUint64:
		return by(fields.ReadUint, a, b)
	case fields.KindFloat32:
		x, _, _ := fields.ReadFloat32(a)
		y, _, _ := fields.ReadFloat32(b)
		return compareFloats(float64(x), float64(y))
	case fields.KindFloat64:
		x, _, _ := fields.ReadFloat64(a)
		y, _, _ := fields.ReadFloat64(b)
		return compareFloats(x, y)
	case fields.KindString:
		x, _, _ := fields.ReadString(a)
		y, _, _ := fields.ReadString(b)
		return bytes.Compare([]byte(x), []byte(y))
	case fields.KindID:
		x, _, _ := fields.ReadBin(a)
		y, _, _ := fields.ReadBin(b)
		return bytes.Compare(x, y)
	}
	return by(fields.ReadInt, a, b)
}

// by compares what read makes of values, which were checked.
func by[T cmp.Ordered](read func([]byte) (T, []byte, error), a, b []byte) int {
	x, _, _ := read(a)
	y, _, _ := read(b)
	return cmp.Compare(x, y)
}

func boolInt(v bool) int {
	if v {
		return 1
	}
	return 0
}

// compareFloats has NaN behind all numbers.
func compareFloats(a, b float64) int {
	if x, y := math.IsNaN(a), math.IsNaN(b); x || y {
		return cmp.Compare(boolInt(x), boolInt(y))
	}
	return cmp.Compare(a, b)
}
