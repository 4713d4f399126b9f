package sqldb

import (
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// shape is how values of a type are kept in a column.
type shape uint8

const (
	shapeScalar shape = iota // a column of a plain type
	shapeList                // arrays and slices of scalars: an SQL array where the database has them, else JSON
	shapeJSON                // all else
)

func shapeOf(t *fields.Type) shape {
	switch t.Kind() {
	case fields.KindArray, fields.KindSlice:
		if shapeOf(t.Elem()) == shapeScalar {
			return shapeList
		}
		return shapeJSON
	case fields.KindMap, fields.KindStruct:
		return shapeJSON
	}
	return shapeScalar
}

// column is a db field in the table of a class.
type column struct {
	field *do.Field
	name  string // quoted
	shape shape
	// In PostgreSQL's terms: what stands around the column in a select list, around its parameter in a statement.
	// %s is the column, or the placeholder.
	read, write string
	// decl is the type in a CREATE TABLE; empty is a type, too, in SQLite.
	decl string
	json bool // kept as JSON text
}

// quote makes a name an SQL identifier. Both databases know the double quotes of the standard.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func newColumn(d dialect, f *do.Field) column {
	c := column{field: f, name: quote(f.Name), shape: shapeOf(f.Type), read: "%s", write: "%s"}
	d.shapeColumn(&c)
	return c
}

// check refuses an encoded value that is not one of the field (rule 71).
func (c *column) check(encoded []byte) error {
	if err := c.field.Type.Check(encoded); err != nil {
		return fmt.Errorf("%w: %s: %w", database.ErrValue, c.field, err)
	}
	return nil
}

// param returns an encoded value, which was checked, as the parameter of a statement.
func (c *column) param(d dialect, encoded []byte) (any, error) {
	v, err := c.paramOf(d, encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", database.ErrValue, c.field, err)
	}
	return v, nil
}

func (c *column) paramOf(d dialect, encoded []byte) (any, error) {
	t := c.field.Type
	if c.json {
		text, err := jsonOf(t, encoded)
		return text, err
	}
	if c.shape == shapeScalar {
		v, _, err := scalar(t, encoded)
		if err != nil {
			return nil, err
		}
		return d.scalarParam(wholeMicros(v)), nil
	}
	n, rest, err := fields.ReadArrayHeader(encoded)
	if err != nil {
		return nil, err
	}
	list := make([]any, n)
	for i := range list {
		var v any
		if v, rest, err = scalar(t.Elem(), rest); err != nil {
			return nil, err
		}
		list[i] = d.scalarParam(wholeMicros(v))
	}
	return list, nil
}

// wholeMicros rounds a time down to the microsecond, which is what PostgreSQL keeps.
func wholeMicros(v any) any {
	at, ok := v.(time.Time)
	if !ok {
		return v
	}
	over := at.Nanosecond() % int(time.Microsecond)
	return at.Add(-time.Duration(over))
}

// encode returns the canonical encoding of what the database has, checked (rule 150); nil for an absent value.
func (c *column) encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	encoded, err := c.encodeAny(v)
	if err == nil {
		err = c.field.Type.Check(encoded)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: stored %s: %w", database.ErrValue, c.field, err)
	}
	return encoded, nil
}

func (c *column) encodeAny(v any) ([]byte, error) {
	t := c.field.Type
	if c.json {
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a %T instead of JSON", database.ErrValue, v)
		}
		return parseJSON(t, text)
	}
	if c.shape == shapeScalar {
		return appendScalar(nil, t, v)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: a %T instead of an array", database.ErrValue, v)
	}
	dst := fields.AppendArrayHeader(nil, len(list))
	for _, v := range list {
		var err error
		if dst, err = appendScalar(dst, t.Elem(), v); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// normal returns the encoding that a value has after it was stored and read again: whole microseconds, canonical ints.
// What a condition expects is compared in this form.
func (c *column) normal(encoded []byte) ([]byte, error) {
	if err := c.check(encoded); err != nil {
		return nil, err
	}
	t := c.field.Type
	if c.json {
		text, err := jsonOf(t, encoded)
		if err != nil {
			return nil, err
		}
		return parseJSON(t, text)
	}
	if c.shape == shapeScalar {
		out, _, err := appendNormal(nil, t, encoded)
		return out, err
	}
	n, rest, err := fields.ReadArrayHeader(encoded)
	dst := fields.AppendArrayHeader(nil, n)
	for i := 0; i < n && err == nil; i++ {
		dst, rest, err = appendNormal(dst, t.Elem(), rest)
	}
	return dst, err
}

func appendNormal(dst []byte, t *fields.Type, b []byte) (out, rest []byte, err error) {
	v, rest, err := scalar(t, b)
	if err != nil {
		return nil, nil, err
	}
	dst, err = appendScalar(dst, t, wholeMicros(v))
	return dst, rest, err
}
