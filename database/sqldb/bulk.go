package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Most of what a database has to do is what State servers write behind: sets of the same few fields of many objects. In
// PostgreSQL those of a batch become one statement, which costs a fifth of as many single ones.

// bulker is a dialect that can change many rows by one statement.
type bulker interface {
	// arrayOf is the type of an array of a column's values.
	arrayOf(c *column) string
}

func (postgresDialect) arrayOf(c *column) string { return c.decl + "[]" }

// bulkRow is a set of one object in such a statement.
type bulkRow struct {
	table   *table
	columns []*column
	params  []any // as columns
}

// bulkRowOf takes a set apart, nil if it must be a statement of its own: where it removes values, or sets one that is
// unique, an array or JSON. Its values were checked.
func bulkRowOf(d dialect, t *table, op *database.Op) *bulkRow {
	if _, ok := d.(bulker); !ok || len(op.Unset)+op.Equals.Len()+len(op.Empty) > 0 || op.Fields.Len() == 0 {
		return nil
	}
	r := &bulkRow{table: t}
	for it := op.Fields.Iter(); it.Next(); {
		col, err := t.column(it.Number())
		if err != nil || col.shape != shapeScalar || col.field.Keywords.Has(fields.Unique) {
			return nil
		}
		v, err := col.param(d, it.Value())
		if err != nil {
			return nil
		}
		r.columns, r.params = append(r.columns, col), append(r.params, v)
	}
	return r
}

// fits reports whether two sets have the same table and fields.
func (r *bulkRow) fits(o *bulkRow) bool {
	return r.table == o.table && slices.Equal(r.columns, o.columns)
}

// leastBulk is how many sets are worth a statement for many.
const leastBulk = 4

// runBulk runs what can share statements, and returns what is left, in its order. An object that the batch names more
// than once is left: its operations stay in order.
func (b *batch) runBulk(ctx context.Context, tx transaction) (rest []*job, err error) {
	named := make(map[do.ID]int, len(b.ops))
	b.each(func(op *database.Op) { named[op.ID]++ })
	var groups [][]*job
	for _, j := range b.jobs {
		if j.row == nil || named[j.op.ID] > 1 {
			continue
		}
		i := slices.IndexFunc(groups, func(g []*job) bool { return g[0].row.fits(j.row) })
		if i < 0 {
			groups = append(groups, []*job{j})
		} else {
			groups[i] = append(groups[i], j)
		}
	}
	done := make(map[*job]bool)
	for _, g := range groups {
		if len(g) < leastBulk {
			continue
		}
		if err := b.runGroup(ctx, tx, g, done); err != nil {
			return nil, err
		}
	}
	for _, j := range b.jobs {
		if !done[j] {
			rest = append(rest, j)
		}
	}
	return rest, nil
}

// runGroup changes the rows of a group. Those that it did not find as expected are not done: they are run by
// themselves, which tells why.
func (b *batch) runGroup(ctx context.Context, tx transaction, group []*job, done map[*job]bool) error {
	rows, err := tx.query(ctx, bulkStatement(b.d, group))
	if err != nil {
		return apart(err)
	}
	at := make(map[do.ID]*job, len(group))
	for _, j := range group {
		at[j.op.ID] = j
	}
	for _, row := range rows {
		id, err := row.id()
		if err != nil {
			return err
		}
		j := at[id]
		if j == nil {
			return fmt.Errorf("%w: an update returned %s", database.ErrValue, id)
		}
		if j.result.Version, err = row.version(); err != nil {
			return err
		}
		done[j] = true
	}
	return nil
}

// bulkStatement has one array for each column, so that its text does not depend on the number of objects.
func bulkStatement(d dialect, group []*job) statement {
	first := group[0].row
	arrays := d.(bulker)
	ids, expect := make([]any, len(group)), make([]int64, len(group))
	for i, j := range group {
		ids[i], expect[i] = d.id(j.op.ID), int64(j.op.Expect)
	}
	q := builder{d: d}
	var set, from, names strings.Builder
	fmt.Fprintf(&from, "%s::%s[], %s::bigint[]", q.param(ids), d.idDecl(), q.param(expect))
	for c, col := range first.columns {
		values := make([]any, len(group))
		for i, j := range group {
			values[i] = j.row.params[c]
		}
		fmt.Fprintf(&set, ", %s = v.c%d", col.name, c)
		fmt.Fprintf(&from, ", %s::%s", q.param(values), arrays.arrayOf(col))
		fmt.Fprintf(&names, ", c%d", c)
	}
	q.text("UPDATE %s t SET otpd_version = t.otpd_version + 1, otpd_updated = %s%s FROM unnest(%s) AS v(id, expect%s)",
		first.table.name, d.now(), set.String(), from.String(), names.String())
	q.text(" WHERE t.otpd_id = v.id AND (v.expect = 0 OR t.otpd_version = v.expect) RETURNING t.otpd_id, t.otpd_version")
	return q.statement()
}
