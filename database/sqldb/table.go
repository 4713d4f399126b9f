package sqldb

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// table is the table of a class. It is immutable.
type table struct {
	class   *do.Class
	name    string // quoted
	columns []column
	byNum   map[fields.Number]*column
	indexes []index
}

// index is an index over one column.
type index struct {
	name   string // not quoted
	column *column
	unique bool
}

// newTable returns the table of c; nil if none of its fields is db (rule 140).
func newTable(d dialect, c *do.Class) *table {
	t := &table{class: c, name: quote(c.Name()), byNum: map[fields.Number]*column{}}
	for _, f := range c.Fields() {
		if f.Kind == do.FieldState && f.Keywords.Has(fields.DB) {
			t.columns = append(t.columns, newColumn(d, f))
		}
	}
	if len(t.columns) == 0 {
		return nil
	}
	for i := range t.columns {
		col := &t.columns[i]
		t.byNum[col.field.Number] = col
		if col.field.Keywords.Any(fields.Index | fields.Unique) {
			unique := col.field.Keywords.Has(fields.Unique)
			t.indexes = append(t.indexes, index{indexName(c.Name(), col.field.Name, unique), col, unique})
		}
	}
	return t
}

// maxIdentifier is the longest name of anything in PostgreSQL, in bytes; longer ones are cut there.
const maxIdentifier = 63

// indexName is otpd_unique_Class_Field or otpd_index_Class_Field; where that is too long, its end is a hash.
func indexName(class, field string, unique bool) string {
	name := "otpd_index_" + class + "_" + field
	if unique {
		name = "otpd_unique_" + class + "_" + field
	}
	if len(name) > maxIdentifier {
		sum := sha256.Sum256([]byte(class + "." + field))
		name = fmt.Sprintf("%s_%x", name[:maxIdentifier-9], sum[:4])
	}
	return name
}

// column returns the db field with the number.
func (t *table) column(n fields.Number) (*column, error) {
	if col := t.byNum[n]; col != nil {
		return col, nil
	}
	if f := t.class.Field(n); f != nil {
		return nil, fmt.Errorf("%w: %s", database.ErrField, f)
	}
	return nil, fmt.Errorf("%w: %s has no field %s", database.ErrField, t.class, n)
}

// wanted returns the columns that an operation wants, ascending by number as Fields must be.
func (t *table) wanted(op *database.Op) []*column {
	wants := make(map[fields.Number]bool, len(op.Want))
	for _, n := range op.Want {
		wants[n] = true
	}
	var cols []*column
	for i := range t.columns {
		if col := &t.columns[i]; op.All || wants[col.field.Number] {
			cols = append(cols, col)
		}
	}
	return cols
}

// selectList is otpd_id, otpd_version and the columns.
func selectList(cols []*column) string {
	var b strings.Builder
	b.WriteString("otpd_id, otpd_version")
	for _, col := range cols {
		b.WriteString(", ")
		fmt.Fprintf(&b, col.read, col.name)
	}
	return b.String()
}

// sqlRow is a row of a select list as above.
type sqlRow []any

func (r sqlRow) id() (do.ID, error) {
	id, ok := asUUID(r[0])
	if !ok {
		return do.ID{}, fmt.Errorf("%w: a %T as otpd_id", database.ErrValue, r[0])
	}
	return do.ID(id), nil
}

func (r sqlRow) version() (uint64, error) {
	v, ok := r[1].(int64)
	if !ok || v < 1 {
		return 0, fmt.Errorf("%w: %v as otpd_version", database.ErrValue, r[1])
	}
	return uint64(v), nil
}

// values returns what is there of the columns, which are the select list's, ascending by number.
func (r sqlRow) values(cols []*column) (fields.Map, error) {
	var b fields.MapBuilder
	for i, col := range cols {
		encoded, err := col.encode(r[i+2])
		if err != nil {
			return nil, err
		}
		if encoded == nil {
			continue
		}
		if err := b.Add(col.field.Number, encoded); err != nil {
			return nil, err
		}
	}
	return b.Map(), nil
}
