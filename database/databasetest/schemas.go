package databasetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

func (s *suite) classFromRow(t *testing.T) {
	d := s.openWith(t, avatar(t), do.ClassDecl{Name: "Pet", Fields: []do.FieldDecl{field(t, "Owner", "id", "db")}})
	rs := d.do(
		d.create(id(1), "Avatar", "Name", `"a"`),
		d.create(id(2), "Pet"),
		database.Op{Kind: database.OpGet, ID: id(2)},
		database.Op{Kind: database.OpGet, ID: id(1), All: true},
	)
	for _, r := range rs {
		require.NoError(t, r.Err)
	}
	require.Equal(t, "Pet", rs[2].Class.Name())
	require.Equal(t, "Avatar", rs[3].Class.Name())
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(1), Class: d.class("Pet")})
	d.schema = schemaOf(t, avatar(t))
	d.fails(database.ErrClass, database.Op{Kind: database.OpGet, ID: id(2)})
}

func (s *suite) heirs(t *testing.T) {
	base := do.ClassDecl{Name: "Base", Fields: []do.FieldDecl{field(t, "Name", "string", "db unique"), field(t, "Note", "string", "ram")}}
	child := do.ClassDecl{Name: "Child", Parents: []string{"Base"}, Fields: []do.FieldDecl{field(t, "Age", "uint8", "db")}}
	d := s.openWith(t, base, child)
	d.must(d.create(id(1), "Base", "Name", `"x"`))
	d.must(d.create(id(2), "Child", "Name", `"x"`, "Age", "9"))
	require.Equal(t, d.values("Child", "Name", `"x"`, "Age", "9"), d.all(id(2)))
	require.Len(t, d.must(database.Op{Kind: database.OpList, Class: d.class("Base")}).Rows, 1)
	r := d.fails(database.ErrUnique, d.create(id(3), "Child", "Name", `"x"`))
	require.Equal(t, d.number("Child", "Name"), r.Field)
}

func (s *suite) reopen(t *testing.T) {
	address := s.newAddress(t)
	first := s.openAt(t, address)
	first.apply(schemaOf(t, avatar(t)))
	first.must(first.create(id(1), "Avatar", "Name", `"a"`))
	second := s.openAt(t, address)
	record, err := second.Schema(second.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, record.Version)
	require.Equal(t, string(first.schema.Text()), string(record.Text))
	second.schema, err = do.ParseSchema(record.Text)
	require.NoError(t, err)
	require.Equal(t, first.values("Avatar", "Name", `"a"`), second.all(id(1)))
	second.fails(database.ErrUnique, second.create(id(2), "Avatar", "Name", `"a"`))
	plan, err := second.Plan(second.ctx, second.schema)
	require.NoError(t, err)
	require.Zero(t, plan, "the tables are as the schema wants them")
	require.NoError(t, parallel(4, func(int) error { // several daemons start at once
		b, err := s.open(second.ctx, address)
		if err != nil {
			return err
		}
		return b.Close()
	}))
}

func (s *suite) cluster(t *testing.T) {
	address := s.newAddress(t)
	d := s.openAt(t, address)
	want := database.Cluster{ID: id(1), Partitions: 16, Created: time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))}
	made, err := d.Cluster(d.ctx, want)
	require.NoError(t, err)
	require.Equal(t, database.Cluster{ID: id(1), Partitions: 16, Created: time.Date(2026, 1, 2, 2, 4, 5, 6000, time.UTC)}, made)
	again := s.openAt(t, address)
	got, err := again.Cluster(again.ctx, database.Cluster{ID: id(2), Partitions: 4, Created: time.Now()})
	require.NoError(t, err)
	require.Equal(t, made, got)
}

func (s *suite) schemaRecord(t *testing.T) {
	d := s.openEmpty(t)
	record, err := d.Schema(d.ctx)
	require.NoError(t, err)
	require.Zero(t, record)
	one := schemaOf(t, avatar(t))
	_, err = d.SetSchema(d.ctx, 1, one)
	require.ErrorIs(t, err, database.ErrSchemaVersion)
	d.apply(one)
	_, err = d.SetSchema(d.ctx, 0, one)
	require.ErrorIs(t, err, database.ErrSchemaVersion)
	won := make([]bool, 4)
	require.ErrorIs(t, parallel(len(won), func(i int) error {
		_, err := d.SetSchema(d.ctx, 1, one)
		won[i] = err == nil
		return err
	}), database.ErrSchemaVersion)
	require.Equal(t, 1, len(slices.DeleteFunc(won, func(w bool) bool { return !w })), "one of them wins")
	record, err = d.Schema(d.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, record.Version)
}

func (s *suite) additive(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "Gold", "7"))

	grown := avatar(t)
	grown.Fields[2] = do.FieldDecl{Name: "Gold", Gone: true}
	grown.Fields = append(grown.Fields, field(t, "Born", "time", "db index"), field(t, "Tags", "[]string", "db"))
	next := schemaOf(t, grown, do.ClassDecl{Name: "Pet", Fields: []do.FieldDecl{field(t, "Name", "string", "db")}})
	plan, err := d.Plan(d.ctx, next)
	require.NoError(t, err)
	require.Len(t, plan.Additive, 4, "two columns, an index, a table: %v", plan.Additive)
	require.Empty(t, plan.Destructive)
	d.apply(next)
	plan, err = d.Plan(d.ctx, next)
	require.NoError(t, err)
	require.Zero(t, plan)
	require.Equal(t, d.values("Avatar", "Name", `"a"`), d.all(id(1)), "new fields are absent, a gone one is not seen")
	d.must(database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Tags", `["x"]`)})
	d.must(d.create(id(2), "Pet", "Name", `"Rex"`))

	d.apply(schemaOf(t, avatar(t)))
	require.Equal(t, d.values("Avatar", "Name", `"a"`, "Gold", "7"), d.all(id(1)), "a gone field keeps its column")
}

func (s *suite) destructive(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Gold", "7", "Team", `"x"`))
	d.must(d.create(id(2), "Avatar", "Team", `"x"`))
	change := func(i int, typ, keywords string) *do.Schema {
		c := avatar(t)
		c.Fields[i] = field(t, c.Fields[i].Name, typ, keywords)
		c.Fields = append(c.Fields, field(t, "More", "bool", "db"))
		return schemaOf(t, c)
	}
	for what, next := range map[string]*do.Schema{
		"another type":            change(2, "string", "db"),
		"unique over same values": change(3, "string", "db unique"),
		"unique no more":          change(0, "string(max 24)", "db"),
	} {
		_, err := d.SetSchema(d.ctx, 1, next)
		require.ErrorIs(t, err, database.ErrDestructive, what)
		record, err := d.Schema(d.ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, record.Version, what)
	}
	_, err := d.SetSchema(d.ctx, 1, change(2, "string", "db"))
	require.ErrorContains(t, err, `ALTER TABLE "Avatar"`)
	require.Equal(t, d.values("Avatar", "Gold", "7", "Team", `"x"`), d.all(id(1)))
	d.fails(database.ErrSchema, database.Op{Kind: database.OpGet, ID: id(1), Class: change(1, "int16(0..100)", "db").Class("Avatar"), All: true})
}

func (s *suite) badNames(t *testing.T) {
	d := s.openEmpty(t)
	db := func(names ...string) []do.FieldDecl {
		var out []do.FieldDecl
		for _, n := range names {
			out = append(out, field(t, n, "int8", "db"))
		}
		return out
	}
	for what, classes := range map[string][]do.ClassDecl{
		"classes by case":    {{Name: "Pet", Fields: db("A")}, {Name: "PET", Fields: db("A")}},
		"SQLite's own":       {{Name: "Sqlite_x", Fields: db("A")}},
		"PostgreSQL columns": {{Name: "Pet", Fields: db("xmin")}},
	} {
		_, err := d.SetSchema(d.ctx, 0, schemaOf(t, classes...))
		require.ErrorIs(t, err, database.ErrSchema, what)
	}
	d.apply(schemaOf(t, do.ClassDecl{Name: "Pet", Fields: []do.FieldDecl{field(t, "Ab", "int8", "db"), field(t, "aB", "int8", "ram")}}))
}

func (s *suite) unmigrated(t *testing.T) {
	d := s.openWith(t, avatar(t))
	stranger := schemaOf(t, do.ClassDecl{Name: "Stranger", Fields: []do.FieldDecl{field(t, "A", "int8", "db")}})
	rs := d.do(
		d.create(id(1), "Avatar"),
		database.Op{Kind: database.OpCreate, ID: id(2), Class: stranger.Class("Stranger")},
		d.create(id(3), "Avatar"),
	)
	require.NoError(t, rs[0].Err)
	require.ErrorIs(t, rs[1].Err, database.ErrSchema)
	require.NoError(t, rs[2].Err)
	require.Zero(t, d.all(id(3)).Len())
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(2)})
	require.Equal(t, fields.EmptyMap(), d.all(id(1)))
}
