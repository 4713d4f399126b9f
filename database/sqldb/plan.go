package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
)

// catalog is what tables there are.
type catalog struct {
	columns map[string]map[string]string // table, column, type as the database writes it
	indexes map[string]bool
}

func (b *Backend) readCatalog(ctx context.Context, tx transaction) (*catalog, error) {
	c := &catalog{columns: map[string]map[string]string{}, indexes: map[string]bool{}}
	rows, err := tx.query(ctx, statement{sql: b.d.listColumns()})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		table, name, typ := fmt.Sprint(r[0]), fmt.Sprint(r[1]), fmt.Sprint(r[2])
		if c.columns[table] == nil {
			c.columns[table] = map[string]string{}
		}
		c.columns[table][name] = typ
	}
	rows, err = tx.query(ctx, statement{sql: b.d.listIndexes()})
	for _, r := range rows {
		c.indexes[fmt.Sprint(r[0])] = true
	}
	return c, err
}

// Plan implements database.Backend.
func (b *Backend) Plan(ctx context.Context, s *do.Schema) (database.Plan, error) {
	var plan database.Plan
	err := b.engine.transact(ctx, reading, func(tx transaction) (err error) {
		plan, err = b.plan(ctx, tx, s)
		return err
	})
	if err != nil {
		return database.Plan{}, fmt.Errorf("database: plan: %w", err)
	}
	return plan, nil
}

func (b *Backend) plan(ctx context.Context, tx transaction, s *do.Schema) (database.Plan, error) {
	var plan database.Plan
	if err := checkNames(s); err != nil {
		return plan, err
	}
	have, err := b.readCatalog(ctx, tx)
	if err != nil {
		return plan, err
	}
	for _, class := range s.Classes() {
		if t := b.tables.of(class); t != nil {
			t.plan(b.d, have, &plan)
		}
	}
	return plan, nil
}

// plan appends what the table needs.
func (t *table) plan(d dialect, have *catalog, plan *database.Plan) {
	columns, exists := have.columns[t.class.Name()]
	switch {
	case !exists:
		plan.Additive = append(plan.Additive, t.create(d))
	case columns["otpd_id"] == "" || columns["otpd_version"] == "":
		plan.Destructive = append(plan.Destructive,
			fmt.Sprintf("ALTER TABLE %s RENAME TO %s", t.name, quote(t.class.Name()+"_before_otpd")))
		return
	default:
		t.planColumns(d, columns, plan)
	}
	for _, ix := range t.indexes {
		if !have.indexes[ix.name] {
			plan.Additive = append(plan.Additive, t.createIndex(ix))
		}
	}
	t.planUnique(have, plan)
}

// create is the statement that makes the table.
func (t *table) create(d dialect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (otpd_id %s PRIMARY KEY NOT NULL, otpd_version bigint NOT NULL, otpd_created %s NOT NULL, otpd_updated %s NOT NULL",
		t.name, d.idDecl(), d.timeDecl(), d.timeDecl())
	for i := range t.columns {
		fmt.Fprintf(&b, ", %s", declare(&t.columns[i]))
	}
	b.WriteString(")")
	return b.String()
}

// declare is a column's name and type.
func declare(col *column) string {
	return strings.TrimSuffix(col.name+" "+col.decl, " ")
}

// createIndex is the statement that makes an index. A plain one has the id behind the value, in which order a
// find lists.
func (t *table) createIndex(ix index) string {
	if ix.unique {
		return fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (%s)", quote(ix.name), t.name, ix.column.name)
	}
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s, otpd_id)", quote(ix.name), t.name, ix.column.name)
}

// planColumns adds columns that are missing, and wants those of another type changed.
func (t *table) planColumns(d dialect, have map[string]string, plan *database.Plan) {
	for i := range t.columns {
		col := &t.columns[i]
		typ, exists := have[col.field.Name]
		switch {
		case !exists:
			plan.Additive = append(plan.Additive, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", t.name, declare(col)))
		case !strings.EqualFold(typ, col.decl):
			plan.Destructive = append(plan.Destructive, d.alterType(t.name, col, typ))
		}
	}
}

// planUnique wants a unique index gone whose field is not unique any more: it would refuse values. An index that
// only finds stays.
func (t *table) planUnique(have *catalog, plan *database.Plan) {
	for i := range t.columns {
		f := t.columns[i].field
		name := indexName(t.class.Name(), f.Name, true)
		wanted := false
		for _, ix := range t.indexes {
			wanted = wanted || ix.name == name
		}
		if !wanted && have.indexes[name] {
			plan.Destructive = append(plan.Destructive, "DROP INDEX "+quote(name))
		}
	}
}

// checkNames refuses classes and fields that one of the databases could not keep, so that a game which began on one
// can go on with the other: SQLite does not tell names apart by case, and both reserve some. That the fields of a class
// differ by more than case do.NewSchema has seen to.
func checkNames(s *do.Schema) error {
	tables := map[string]string{}
	for _, class := range s.Classes() {
		t := newTable(sqliteDialect{}, class)
		if t == nil {
			continue
		}
		folded := strings.ToLower(class.Name())
		if other, taken := tables[folded]; taken {
			return fmt.Errorf("%w: classes %s and %s differ by case only", database.ErrSchema, other, class)
		}
		tables[folded] = class.Name()
		if strings.HasPrefix(folded, "sqlite_") {
			return fmt.Errorf("%w: class %s: names with sqlite_ are SQLite's own", database.ErrSchema, class)
		}
		if err := checkColumnNames(t); err != nil {
			return err
		}
	}
	return nil
}

// systemColumns are the columns that every table of PostgreSQL has of itself.
const systemColumns = " ctid xmin cmin xmax cmax tableoid "

func checkColumnNames(t *table) error {
	for i := range t.columns {
		f := t.columns[i].field
		if strings.Contains(systemColumns, " "+strings.ToLower(f.Name)+" ") {
			return fmt.Errorf("%w: field %s has the name of a system column of PostgreSQL", database.ErrSchema, f)
		}
	}
	return nil
}

// destructiveError shows the statements, one on a line.
func destructiveError(statements []string) error {
	return fmt.Errorf("%w; run these yourself when you are sure, then try again:\n\t%s", database.ErrDestructive, strings.Join(statements, ";\n\t")+";")
}
