package databasetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

func (s *suite) onlyDBFields(t *testing.T) {
	d := s.openWith(t, avatar(t), do.ClassDecl{Name: "Tree", Fields: []do.FieldDecl{field(t, "Height", "int8", "ram")}})
	d.fails(database.ErrField, d.create(id(1), "Avatar", "Name", `"a"`, "Pos", "{X:1 Y:2}"))
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(1), Class: d.class("Avatar")})
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "HP", "15"))
	r := d.must(database.Op{Kind: database.OpGet, ID: id(1), Want: []fields.Number{d.number("Avatar", "Pos"), d.number("Avatar", "HP")}})
	require.Equal(t, d.values("Avatar", "HP", "15"), r.Fields, "a field that is not stored is left out (rule 142)")
	d.fails(database.ErrClass, d.create(id(2), "Tree"))
	d.fails(database.ErrField, database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Pos", "{X:1 Y:2}")})
	d.fails(database.ErrField, database.Op{Kind: database.OpSet, ID: id(1), Unset: []fields.Number{d.number("Avatar", "Pos")}})
}

func (s *suite) unknownClassAndField(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.fails(database.ErrClass, database.Op{Kind: database.OpCreate, ID: id(1)})
	foreign := fields.MapOf(fields.Pair{Number: 40, Value: fields.AppendInt(nil, 1)})
	d.fails(database.ErrField, database.Op{Kind: database.OpCreate, ID: id(1), Class: d.class("Avatar"), Fields: foreign})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(1)})
	d.must(d.create(id(1), "Avatar"))
	d.fails(database.ErrField, database.Op{Kind: database.OpSet, ID: id(1), Fields: foreign})
	d.fails(database.ErrField, database.Op{Kind: database.OpFind, Class: d.class("Avatar"), Field: 40})
	require.Empty(t, d.must(database.Op{Kind: database.OpGet, ID: id(1), Want: []fields.Number{40}}).Fields.Len())
}

func (s *suite) absent(t *testing.T) {
	d := s.openWith(t, avatar(t))
	r := d.must(d.create(id(1), "Avatar", "HP", "0", "Team", `""`))
	require.EqualValues(t, 1, r.Version)
	require.Equal(t, "Avatar", r.Class.Name())
	require.Equal(t, d.values("Avatar", "HP", "0", "Team", `""`), d.all(id(1)))
	got := d.must(database.Op{Kind: database.OpGet, ID: id(1)})
	require.Zero(t, got.Fields.Len(), "nothing was wanted: a question whether the object exists")
	require.EqualValues(t, 1, got.Version)
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(2), All: true})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpSet, ID: id(2), Class: d.class("Avatar")})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpDelete, ID: id(2), Class: d.class("Avatar")})
}

func (s *suite) unset(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "HP", "15", "Gold", "7"))
	hp, gold, team := d.number("Avatar", "HP"), d.number("Avatar", "Gold"), d.number("Avatar", "Team")
	r := d.must(database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Gold", "8"), Unset: []fields.Number{hp, hp, gold, team}})
	require.EqualValues(t, 2, r.Version)
	require.Equal(t, d.values("Avatar", "Name", `"a"`, "Gold", "8"), d.all(id(1)), "a value wins over unset, and unset of an absent field is nothing")
}

func (s *suite) ifEquals(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "HP", "15", "Gold", "7"))
	set := database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Gold", "8")}

	set.Equals = d.values("Avatar", "Gold", "6", "HP", "15")
	r := d.fails(database.ErrCondition, set)
	require.Equal(t, d.values("Avatar", "Gold", "7", "HP", "15"), r.Fields, "the current values of the compared fields")
	require.EqualValues(t, 1, r.Version)

	set.Equals = d.values("Avatar", "Gold", "7", "Team", `""`)
	r = d.fails(database.ErrCondition, set)
	require.Equal(t, d.values("Avatar", "Gold", "7"), r.Fields, "an absent value is a mismatch")
	require.Equal(t, d.values("Avatar", "Name", `"a"`, "HP", "15", "Gold", "7"), d.all(id(1)), "nothing was written")

	set.Equals = d.values("Avatar", "Pos", "{X:0 Y:0}")
	r = d.fails(database.ErrField, set)
	require.Zero(t, r.Fields.Len())

	set.Equals = fields.MapOf(fields.Pair{Number: d.number("Avatar", "Gold"), Value: []byte{0xd3, 0, 0, 0, 0, 0, 0, 0, 7}})
	r = d.must(set)
	require.EqualValues(t, 2, r.Version)
	require.Equal(t, d.values("Avatar", "Name", `"a"`, "HP", "15", "Gold", "8"), d.all(id(1)))
}

func (s *suite) ifEmpty(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "HP", "0"))
	set := database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "HP", "1", "Gold", "1")}
	hp, gold := d.number("Avatar", "HP"), d.number("Avatar", "Gold")
	set.Empty = []fields.Number{gold, hp}
	r := d.fails(database.ErrCondition, set)
	require.Equal(t, d.values("Avatar", "HP", "0"), r.Fields, "the present value")
	require.Equal(t, d.values("Avatar", "HP", "0"), d.all(id(1)))
	set.Empty = []fields.Number{gold}
	d.must(set)
	require.Equal(t, d.values("Avatar", "HP", "1", "Gold", "1"), d.all(id(1)))
	set.Empty, set.ID = []fields.Number{gold}, id(2)
	d.fails(database.ErrNotFound, set)
}

func (s *suite) taken(t *testing.T) {
	d := s.openWith(t, avatar(t), do.ClassDecl{Name: "Pet", Fields: []do.FieldDecl{field(t, "Name", "string", "db")}})
	d.must(d.create(id(1), "Avatar", "Name", `"a"`))
	d.fails(database.ErrExists, d.create(id(1), "Avatar", "Name", `"b"`))
	d.fails(database.ErrExists, d.create(id(1), "Pet", "Name", `"c"`))
	require.Equal(t, d.values("Avatar", "Name", `"a"`), d.all(id(1)))

	rs := d.do(d.create(id(2), "Avatar"), d.create(id(2), "Avatar"), d.create(id(3), "Avatar"))
	require.NoError(t, rs[0].Err)
	require.ErrorIs(t, rs[1].Err, database.ErrExists)
	require.NoError(t, rs[2].Err)

	d.fails(database.ErrNotFound, database.Op{Kind: database.OpDelete, ID: id(1), Class: d.class("Pet")})
	d.fails(database.ErrExists, d.create(id(1), "Pet"))
	d.must(database.Op{Kind: database.OpDelete, ID: id(1)})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(1)})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpDelete, ID: id(1)})
}

func (s *suite) misfits(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`))
	hp, name := d.number("Avatar", "HP"), d.number("Avatar", "Name")
	for what, pair := range map[string]fields.Pair{
		"out of range": {Number: hp, Value: fields.AppendInt(nil, 101)},
		"other type":   {Number: hp, Value: fields.AppendString(nil, "x")},
		"too long":     {Number: name, Value: fields.AppendString(nil, "0123456789012345678901234")},
		"not UTF-8":    {Number: name, Value: fields.AppendString(nil, "\xff")},
		"NUL":          {Number: name, Value: fields.AppendString(nil, "a\x00b")},
	} {
		bad := fields.MapOf(pair)
		rs := d.do(
			database.Op{Kind: database.OpSet, ID: id(1), Fields: bad},
			database.Op{Kind: database.OpCreate, ID: id(9), Class: d.class("Avatar"), Fields: bad},
			database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Gold", "1"), Equals: bad},
			database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "HP", "9")},
		)
		for _, r := range rs[:3] {
			require.ErrorIs(t, r.Err, database.ErrValue, what)
		}
		require.NoError(t, rs[3].Err, what)
	}
	require.Equal(t, d.values("Avatar", "Name", `"a"`, "HP", "9"), d.all(id(1)))
	d.fails(database.ErrValue, database.Op{Kind: database.OpSet, ID: id(1), Fields: fields.Map{0x82, 0x01}})
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(9)})
}

func (s *suite) expectedVersion(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "HP", "1"))
	set := database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "HP", "2"), Expect: 1}
	require.EqualValues(t, 2, d.must(set).Version)
	r := d.fails(database.ErrVersion, set)
	require.EqualValues(t, 2, r.Version)
	r = d.fails(database.ErrVersion, database.Op{Kind: database.OpDelete, ID: id(1), Expect: 1})
	require.EqualValues(t, 2, r.Version)
	require.Equal(t, d.values("Avatar", "HP", "2"), d.all(id(1)))
	d.must(database.Op{Kind: database.OpDelete, ID: id(1), Expect: 2})
	d.must(d.create(id(1), "Avatar"))
}
