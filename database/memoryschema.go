package database

import (
	"context"
	"fmt"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Schema implements Backend.
func (b *Memory) Schema(ctx context.Context) (SchemaRecord, error) {
	if err := b.begin(ctx); err != nil {
		return SchemaRecord{}, err
	}
	defer b.mu.Unlock()
	return b.record, nil
}

// Plan implements Backend. Its statements read as SQL, but nobody runs them.
func (b *Memory) Plan(ctx context.Context, s *do.Schema) (Plan, error) {
	if err := b.begin(ctx); err != nil {
		return Plan{}, err
	}
	defer b.mu.Unlock()
	return b.plan(s)
}

// SetSchema implements Backend.
func (b *Memory) SetSchema(ctx context.Context, expect uint64, s *do.Schema) (uint64, error) {
	if err := b.beginWrite(ctx); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	if b.record.Version != expect {
		return 0, fmt.Errorf("database: set schema: %w: %d, expected %d", ErrSchemaVersion, b.record.Version, expect)
	}
	plan, err := b.plan(s)
	if err != nil {
		return 0, fmt.Errorf("database: set schema: %w", err)
	}
	if len(plan.Destructive) > 0 {
		return 0, fmt.Errorf("database: set schema: %w:\n\t%s", ErrDestructive, strings.Join(plan.Destructive, ";\n\t"))
	}
	for _, class := range s.Classes() {
		if stores(class) {
			b.migrate(class)
		}
	}
	b.record = SchemaRecord{Version: expect + 1, Text: s.Text()}
	return expect + 1, nil
}

// columnOf is where the values of a field are to be kept.
func columnOf(f *do.Field) memoryColumn {
	decl := "json"
	if !nests(f.Type) {
		decl = f.Type.Kind().String()
		if e := f.Type.Elem(); e != nil {
			decl = "[]" + e.Kind().String()
		}
	}
	unique := f.Keywords.Has(fields.Unique)
	return memoryColumn{decl: decl, unique: unique, index: f.Keywords.Has(fields.Index) && !unique}
}

// plan says what a schema needs of the tables.
func (b *Memory) plan(s *do.Schema) (Plan, error) {
	var plan Plan
	if err := checkNames(s); err != nil {
		return plan, err
	}
	for _, class := range s.Classes() {
		if stores(class) {
			b.planTable(class, &plan)
		}
	}
	return plan, nil
}

func (b *Memory) planTable(class *do.Class, plan *Plan) {
	add := func(list *[]string, format string, args ...any) { *list = append(*list, fmt.Sprintf(format, args...)) }
	table, exists := b.tables[class.Name()]
	if !exists {
		add(&plan.Additive, "CREATE TABLE %q", class.Name())
	}
	for _, f := range class.Fields() {
		if !isStored(f) {
			continue
		}
		want := columnOf(f)
		have, there := table[f.Name]
		switch {
		case !there && exists:
			add(&plan.Additive, "ALTER TABLE %q ADD COLUMN %q %s", class.Name(), f.Name, want.decl)
		case there && have.decl != want.decl:
			add(&plan.Destructive, "ALTER TABLE %q ALTER COLUMN %q TYPE %s", class.Name(), f.Name, want.decl)
		}
		switch {
		case have.unique && !want.unique:
			add(&plan.Destructive, "DROP INDEX %q", class.Name()+"_"+f.Name)
		case !have.unique && want.unique && b.repeated(class, f):
			add(&plan.Destructive, "UPDATE %q SET %q = NULL", class.Name(), f.Name)
		case want.unique && !have.unique, want.index && !have.index:
			add(&plan.Additive, "CREATE INDEX %q", class.Name()+"_"+f.Name)
		}
	}
}

// repeated reports whether two objects of a class have the same value in a field.
func (b *Memory) repeated(class *do.Class, f *do.Field) bool {
	seen := make(map[string]bool)
	for _, row := range b.objects {
		value, present := row.values[f.Name]
		if row.class != class.Name() || !present {
			continue
		}
		if seen[string(value)] {
			return true
		}
		seen[string(value)] = true
	}
	return false
}

// migrate makes what is missing for a class. The column of a field that is gone stays.
func (b *Memory) migrate(class *do.Class) {
	table := b.tables[class.Name()]
	if table == nil {
		table = make(memoryTable)
		b.tables[class.Name()] = table
	}
	for _, f := range class.Fields() {
		if !isStored(f) {
			continue
		}
		want, had := columnOf(f), table[f.Name]
		want.index = want.index || had.index
		table[f.Name] = want
		if !want.unique || had.unique {
			continue
		}
		for id, row := range b.objects {
			if value, present := row.values[f.Name]; present && row.class == class.Name() {
				b.unique[memoryKey{row.class, f.Name, string(value)}] = id
			}
		}
	}
}

// migrated says whether the tables have what a class needs.
func (b *Memory) migrated(class *do.Class) error {
	table, exists := b.tables[class.Name()]
	if !exists {
		return fmt.Errorf("%w: there is no table %s", ErrSchema, class)
	}
	for _, f := range class.Fields() {
		if isStored(f) && table[f.Name].decl != columnOf(f).decl {
			return fmt.Errorf("%w: %s has no such column", ErrSchema, f)
		}
	}
	return nil
}

// checkNames refuses what an SQL database could not keep, so that what was tried in memory can go on there: names that
// differ by case only, and those that SQLite and PostgreSQL reserve.
func checkNames(s *do.Schema) error {
	classes := make(map[string]bool)
	for _, class := range s.Classes() {
		if !stores(class) {
			continue
		}
		folded := strings.ToLower(class.Name())
		if classes[folded] || strings.HasPrefix(folded, "sqlite_") {
			return fmt.Errorf("%w: the name of class %s is taken", ErrSchema, class)
		}
		classes[folded] = true
		names := map[string]bool{"ctid": true, "xmin": true, "cmin": true, "xmax": true, "cmax": true, "tableoid": true}
		for _, f := range class.Fields() {
			if !isStored(f) {
				continue
			}
			folded := strings.ToLower(f.Name)
			if names[folded] {
				return fmt.Errorf("%w: the name of field %s is taken", ErrSchema, f)
			}
			names[folded] = true
		}
	}
	return nil
}
