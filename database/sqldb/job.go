package sqldb

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/fields"
)

// statement is SQL with its parameters. Every statement answers with rows, a write by RETURNING.
type statement struct {
	sql  string
	args []any
}

// job is an operation as statements.
//
// A job with a guard has a condition: guard is run first, judge looks at what it found, and only if that
// is content the statements follow. A job without one can be sent to the server together with others.
type job struct {
	op         *database.Op
	result     *database.Result
	guard      *statement
	judge      func(rows []sqlRow) error
	statements []statement
	// finish reads the answers, one for each statement.
	finish func(answers [][]sqlRow) error
	// script is there instead of all these for what takes several exchanges with the server.
	script func(ctx context.Context, tx transaction) error
	// guarded is there for a set that expects a version: statements find the row only if it has that, and when they
	// found none guarded says why. So the usual case is one statement.
	guarded *job
	missed  bool
	// row is there for a set that can share a statement with those of other objects.
	row *bulkRow
}

// alone reports whether the job cannot be sent together with others.
func (j *job) alone() bool { return j.guard != nil || j.script != nil }

// builder puts a statement together.
type builder struct {
	d    dialect
	sql  strings.Builder
	args []any
}

func (b *builder) text(format string, a ...any) { fmt.Fprintf(&b.sql, format, a...) }

// param adds a parameter and returns its placeholder.
func (b *builder) param(v any) string {
	b.args = append(b.args, v)
	return b.d.placeholder(len(b.args))
}

// value adds an encoded value as a parameter of a column.
func (b *builder) value(col *column, encoded []byte) (string, error) {
	if err := col.check(encoded); err != nil {
		return "", err
	}
	v, err := col.param(b.d, encoded)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(col.write, b.param(v)), nil
}

func (b *builder) statement() statement { return statement{b.sql.String(), b.args} }

// newJob compiles an operation on t. An error is the outcome of the operation: nothing needs to be run.
func newJob(d dialect, t *table, op *database.Op, result *database.Result) (*job, error) {
	j := &job{op: op, result: result}
	var err error
	switch op.Kind {
	case database.OpGet:
		j.get(d, t)
	case database.OpCreate:
		err = j.create(d, t)
	case database.OpSet:
		err = j.set(d, t)
	case database.OpDelete:
		j.remove(d, t)
	case database.OpFind:
		err = j.find(d, t)
	case database.OpList:
		err = j.page(d, t, "", t.wanted(op))
	default:
		err = fmt.Errorf("%w: kind %d", database.ErrField, op.Kind)
	}
	return j, err
}

func (j *job) get(d dialect, t *table) {
	cols := t.wanted(j.op)
	b := builder{d: d}
	b.text("SELECT %s FROM %s WHERE otpd_id = %s", selectList(cols), t.name, b.param(d.id(j.op.ID)))
	j.statements = []statement{b.statement()}
	j.finish = func(answers [][]sqlRow) (err error) {
		if len(answers[0]) == 0 {
			return database.ErrNotFound
		}
		row := answers[0][0]
		if j.result.Version, err = row.version(); err != nil {
			return err
		}
		j.result.Fields, err = row.values(cols)
		return err
	}
}

// create enters the id into otpd_object, where it must be new whatever its class, and then makes the row.
func (j *job) create(d dialect, t *table) error {
	entry := builder{d: d}
	entry.text("INSERT INTO otpd_object (otpd_id, class) VALUES (%s, %s) RETURNING 1", entry.param(d.id(j.op.ID)), entry.param(t.class.Name()))

	row := builder{d: d}
	names := []string{"otpd_id", "otpd_version", "otpd_created", "otpd_updated"}
	values := []string{row.param(d.id(j.op.ID)), "1", d.now(), d.now()}
	it := j.op.Fields.Iter()
	for it.Next() {
		col, err := t.column(it.Number())
		if err != nil {
			return err
		}
		value, err := row.value(col, it.Value())
		if err != nil {
			return err
		}
		names, values = append(names, col.name), append(values, value)
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	}
	row.text("INSERT INTO %s (%s) VALUES (%s) RETURNING 1", t.name, strings.Join(names, ", "), strings.Join(values, ", "))
	j.statements = []statement{entry.statement(), row.statement()}
	j.finish = func([][]sqlRow) error {
		j.result.Version = 1
		return nil
	}
	return nil
}

// set changes a row. Of a field that is both in Fields and in Unset the value wins.
func (j *job) set(d dialect, t *table) error {
	if err := j.guardSet(d, t); err != nil {
		return err
	}
	if err := j.setRow(d, t, j.guard == nil && j.op.Expect != 0); err != nil {
		return err
	}
	if j.guard != nil || j.op.Expect == 0 {
		j.row = bulkRowOf(d, t, j.op)
		return nil
	}
	j.guarded = &job{op: j.op, result: j.result}
	j.guarded.guardRow(d, t, nil)
	j.guarded.judge = j.guarded.judgeVersion
	j.row = bulkRowOf(d, t, j.op)
	return j.guarded.setRow(d, t, false)
}

// setRow makes the statement of a set; with versioned it finds the row only if that has the expected version.
func (j *job) setRow(d dialect, t *table, versioned bool) error {
	b := builder{d: d}
	b.text("UPDATE %s SET otpd_version = otpd_version + 1, otpd_updated = %s", t.name, d.now())
	it := j.op.Fields.Iter()
	for it.Next() {
		col, err := t.column(it.Number())
		if err != nil {
			return err
		}
		value, err := b.value(col, it.Value())
		if err != nil {
			return err
		}
		b.text(", %s = %s", col.name, value)
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("%w: %w", database.ErrValue, err)
	}
	unset := map[fields.Number]bool{}
	for _, n := range j.op.Unset {
		col, err := t.column(n)
		if err != nil {
			return err
		}
		if _, given := j.op.Fields.Get(n); !given && !unset[n] {
			b.text(", %s = NULL", col.name)
		}
		unset[n] = true
	}
	b.text(" WHERE otpd_id = %s", b.param(d.id(j.op.ID)))
	if versioned {
		b.text(" AND otpd_version = %s", b.param(int64(j.op.Expect)))
	}
	b.text(" RETURNING otpd_id, otpd_version")
	j.statements = []statement{b.statement()}
	j.finish = j.finishWrite
	return nil
}

// finishWrite takes the version that a write returned; no row means no object.
func (j *job) finishWrite(answers [][]sqlRow) (err error) {
	if len(answers[0]) == 0 && j.guarded != nil {
		j.missed = true
		return nil
	}
	if len(answers[0]) == 0 {
		return database.ErrNotFound
	}
	j.result.Version, err = answers[0][0].version()
	return err
}

// guardSet makes the guard of a set that has conditions.
func (j *job) guardSet(d dialect, t *table) error {
	expected, err := expectations(t, j.op)
	if err != nil {
		return err
	}
	if len(expected) == 0 {
		return nil
	}
	var cols []*column
	for i := range t.columns {
		if _, ok := expected[t.columns[i].field.Number]; ok {
			cols = append(cols, &t.columns[i])
		}
	}
	j.guardRow(d, t, cols)
	j.judge = func(rows []sqlRow) error {
		if err := j.judgeVersion(rows); err != nil {
			return err
		}
		values, err := rows[0].values(cols)
		if err != nil {
			return err
		}
		for _, col := range cols {
			got, err := compared(j.op, col, values)
			if err != nil {
				return err
			}
			if !bytes.Equal(got, expected[col.field.Number]) {
				j.result.Fields = values
				return fmt.Errorf("%w: %s", database.ErrCondition, col.field)
			}
		}
		return nil
	}
	return nil
}

// compared is what a row has in a field that is compared.
func compared(op *database.Op, col *column, values fields.Map) ([]byte, error) {
	got, ok := values.Get(col.field.Number)
	_, equal := op.Equals.Get(col.field.Number)
	if !ok && equal && op.Initial && col.field.Initial() != nil {
		return col.normal(col.field.Initial())
	}
	return got, nil
}

// expectations returns what the compared fields must have: an encoding, or nil for absent. Equals wins over Empty.
func expectations(t *table, op *database.Op) (map[fields.Number][]byte, error) {
	expected := map[fields.Number][]byte{}
	for _, n := range op.Empty {
		if _, err := t.column(n); err != nil {
			return nil, err
		}
		expected[n] = nil
	}
	it := op.Equals.Iter()
	for it.Next() {
		col, err := t.column(it.Number())
		if err != nil {
			return nil, err
		}
		normal, err := col.normal(it.Value())
		if err != nil {
			return nil, err
		}
		expected[it.Number()] = normal
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", database.ErrValue, err)
	}
	return expected, nil
}

// guardRow makes the guard that reads, and locks, the row.
func (j *job) guardRow(d dialect, t *table, cols []*column) {
	b := builder{d: d}
	b.text("SELECT %s FROM %s WHERE otpd_id = %s%s", selectList(cols), t.name, b.param(d.id(j.op.ID)), d.lockRow())
	guard := b.statement()
	j.guard = &guard
}

// judgeVersion compares the row's version with the expected one.
func (j *job) judgeVersion(rows []sqlRow) error {
	if len(rows) == 0 {
		return database.ErrNotFound
	}
	version, err := rows[0].version()
	if err != nil {
		return err
	}
	j.result.Version = version
	if j.op.Expect != 0 && j.op.Expect != version {
		return fmt.Errorf("%w: %d, expected %d", database.ErrVersion, version, j.op.Expect)
	}
	return nil
}

// remove deletes the row, and then the entry in otpd_object, unless that is of another class.
func (j *job) remove(d dialect, t *table) {
	if j.op.Expect != 0 {
		j.guardRow(d, t, nil)
		j.judge = j.judgeVersion
	}
	row, entry := builder{d: d}, builder{d: d}
	row.text("DELETE FROM %s WHERE otpd_id = %s RETURNING otpd_id, otpd_version", t.name, row.param(d.id(j.op.ID)))
	entry.text("DELETE FROM otpd_object WHERE otpd_id = %s AND class = %s RETURNING 1", entry.param(d.id(j.op.ID)), entry.param(t.class.Name()))
	j.statements = []statement{row.statement(), entry.statement()}
	j.finish = j.finishWrite
}

func (j *job) find(d dialect, t *table) error {
	col, err := t.column(j.op.Field)
	if err != nil {
		return err
	}
	if !col.field.Keywords.Any(fields.Index | fields.Unique) {
		return fmt.Errorf("%w: %s", database.ErrNotIndexed, col.field)
	}
	b := builder{d: d}
	value, err := b.value(col, j.op.Value)
	if err != nil {
		return err
	}
	return j.page(d, t, col.name+" = "+value, t.wanted(j.op), b.args...)
}

// page lists rows, those that meet the condition if there is one. args are the condition's parameters.
func (j *job) page(d dialect, t *table, condition string, cols []*column, args ...any) error {
	b := builder{d: d, args: args}
	from, order, err := j.order(&b, t)
	if err != nil {
		return err
	}
	b.text("SELECT %s FROM %s WHERE %s", selectList(cols), t.name, from)
	if condition != "" {
		b.text(" AND %s", condition)
	}
	limit := j.op.Limit
	if limit <= 0 || limit > database.MaxPage {
		limit = database.MaxPage
	}
	b.text(" ORDER BY %s LIMIT %d", order, limit)
	j.statements = []statement{b.statement()}
	j.finish = func(answers [][]sqlRow) error {
		rows := make([]database.Row, len(answers[0]))
		for i, r := range answers[0] {
			if err := readRow(&rows[i], r, cols); err != nil {
				return err
			}
		}
		j.result.Rows = rows
		return nil
	}
	return nil
}

// order returns the condition of being behind the page before, and what is ordered by. The condition begins with a plain
// comparison of the field, for which the database can use the field's index.
func (j *job) order(b *builder, t *table) (from, order string, err error) {
	after := func() string { return b.param(b.d.id(j.op.After)) }
	o := j.op.Order
	if o == nil {
		return "otpd_id > " + after(), "otpd_id", nil
	}
	col, err := t.column(o.Field)
	if err != nil {
		return "", "", err
	}
	if !col.field.Keywords.Any(fields.Index | fields.Unique) {
		return "", "", fmt.Errorf("%w: %s", database.ErrNotIndexed, col.field)
	}
	behind, direction := ">", ""
	if o.Desc {
		behind, direction = "<", " DESC"
	}
	order = col.name + direction + ", otpd_id"
	if o.Value == nil {
		return col.name + " IS NOT NULL", order, nil
	}
	value, err := b.value(col, o.Value)
	if err != nil {
		return "", "", err
	}
	from = fmt.Sprintf("%s %s= %s AND (%s %s %s OR otpd_id > %s)", col.name, behind, value, col.name, behind, value, after())
	return from, order, nil
}

func readRow(row *database.Row, r sqlRow, cols []*column) (err error) {
	if row.ID, err = r.id(); err != nil {
		return err
	}
	if row.Version, err = r.version(); err != nil {
		return err
	}
	row.Fields, err = r.values(cols)
	return err
}
