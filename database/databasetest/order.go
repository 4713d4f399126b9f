package databasetest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// ascending are values of the types that an indexed field can have, in their order.
var ascending = []struct {
	typ    string
	values []string
}{
	{"bool", []string{"false", "true"}},
	{"int8", []string{"-128", "-1", "0", "127"}},
	{"int16", []string{"-32768", "-1", "32767"}},
	{"int32", []string{"-2147483648", "9", "10", "2147483647"}},
	{"int64", []string{"-9223372036854775808", "-10", "-9", "9", "10", "9223372036854775807"}},
	{"uint8", []string{"0", "9", "10", "255"}},
	{"uint32", []string{"9", "10", "4294967295"}},
	{"uint64", []string{"0", "9", "10", "9223372036854775807", "9223372036854775808", "18446744073709551615"}},
	{"float32", []string{"-3.4e38", "-0.5", "0", "1e-45", "0.1", "10"}},
	{"float64", []string{"-1e308", "-5e-324", "0", "9", "10", "1e308"}},
	{"float32 as int16/10%360", []string{"0", "0.1", "77.7", "359.9"}},
	{"string", []string{`""`, `"10"`, `"9"`, `"a"`, `"a'\"--"`, `"ab"`, `"b"`}},
	{"duration", []string{"-1s", "0s", "9s", "10s", "1h"}},
	{"id", []string{"00000000-0000-0000-0000-000000000000", "00010203-0405-0607-0809-0a0b0c0d0e0f", "ff010203-0405-0607-0809-0a0b0c0d0e0f"}},
}

// pages gets everything, a page at a time, and calls between before each page but the first.
func (d *db) pages(op database.Op, between func()) (rows []database.Row) {
	d.t.Helper()
	for {
		page := d.must(op).Rows
		rows = append(rows, page...)
		if len(page) < op.Limit {
			return rows
		}
		last := page[len(page)-1]
		o := *op.Order
		o.Value, _ = last.Fields.Get(o.Field)
		require.NotEmpty(d.t, o.Value)
		op.Order, op.After = &o, last.ID
		between()
	}
}

func (s *suite) orders(t *testing.T) {
	var types []string
	for _, c := range ascending {
		types = append(types, c.typ)
	}
	all := func(*fields.Type) bool { return true }
	d := s.openWith(t, typedClass(t, "db index", all, append(types, "float64", "time")...))
	next := uint64(0)
	try := func(name string, values [][]byte) {
		n := d.number("Typed", name)
		type place struct {
			id    do.ID
			value []byte
		}
		var want []place
		begin := next
		for _, copy := range []uint64{2, 0, 1} { // ids that do not go with the values
			for i, v := range values {
				next++
				p := place{id(begin + 1 + copy*100 + uint64(len(values)-i)), v}
				want = append(want, p)
				d.must(database.Op{Kind: database.OpCreate, ID: p.id, Class: d.class("Typed"), Fields: fields.MapOf(fields.Pair{Number: n, Value: v})})
			}
		}
		next = begin + 1000
		d.must(database.Op{Kind: database.OpCreate, ID: id(next), Class: d.class("Typed")}) // without a value
		rank := func(p place) int {
			return slices.IndexFunc(values, func(v []byte) bool { return string(v) == string(p.value) })
		}
		for _, desc := range []bool{false, true} {
			slices.SortFunc(want, func(a, b place) int {
				by := rank(a) - rank(b)
				if desc {
					by = -by
				}
				if by != 0 {
					return by
				}
				return a.id.Compare(b.id)
			})
			for limit := 1; limit <= 4; limit++ {
				var got []place
				op := database.Op{
					Kind: database.OpList, Class: d.class("Typed"), Limit: limit, Want: []fields.Number{n},
					Order: &database.Order{Field: n, Desc: desc},
				}
				for _, row := range d.pages(op, func() {}) {
					v, _ := row.Fields.Get(n)
					got = append(got, place{row.ID, v})
				}
				require.Equal(t, want, got, "%s, %d in a page, descending %v", d.class("Typed").Field(n).Type, limit, desc)
			}
		}
	}
	for i, c := range ascending {
		name := fmt.Sprintf("F%d", i)
		var values [][]byte
		for _, v := range c.values {
			values = append(values, text(t, d.class("Typed").FieldByName(name).Type, v))
		}
		try(name, values)
	}
	var floats, times [][]byte
	for _, f := range []float64{math.Inf(-1), -1, 0, math.Inf(1), math.NaN()} {
		floats = append(floats, fields.AppendFloat64(nil, f))
	}
	for _, ns := range []int64{-62_135_596_800_000_000, -1_000_000, 0, 999_000, 1_700_000_000_000_000_000, 1_700_000_000_000_001_000} {
		times = append(times, fields.AppendInt(nil, ns))
	}
	try(fmt.Sprintf("F%d", len(ascending)), floats)
	try(fmt.Sprintf("F%d", len(ascending)+1), times)
}

// pagesHold: rows that are made, changed or deleted between two pages do not make one of the others be left out or come
// twice.
func (s *suite) pagesHold(t *testing.T) {
	d := s.openWith(t, avatar(t))
	name, team, gold := d.number("Avatar", "Name"), d.number("Avatar", "Team"), d.number("Avatar", "Gold")
	for n := range uint64(12) {
		d.must(d.create(id(100-n), "Avatar", "Name", fmt.Sprintf(`"m%02d"`, n), "Team", fmt.Sprintf(`"%d"`, n/5%2)))
	}
	value := func(v string) []byte { return fields.AppendString(nil, v) }
	changes := uint64(0)
	change := func() {
		changes++
		d.must(d.create(id(200+changes), "Avatar", "Name", fmt.Sprintf(`"a%02d"`, changes), "Team", `"0"`))
		d.must(d.create(id(300+changes), "Avatar", "Name", fmt.Sprintf(`"z%02d"`, changes), "Team", `"0"`))
		d.must(database.Op{Kind: database.OpDelete, ID: id(200 + changes)})
		d.must(database.Op{Kind: database.OpSet, ID: id(100 - changes%12), Fields: d.values("Avatar", "HP", "3")})
	}
	var seen []string
	find := database.Op{
		Kind: database.OpFind, Class: d.class("Avatar"), Field: team, Value: value("0"), Limit: 2, All: true,
		Order: &database.Order{Field: name, Desc: true},
	}
	for _, row := range d.pages(find, change) {
		v, _ := row.Fields.Get(name)
		s, _, err := fields.ReadString(v)
		require.NoError(t, err)
		if s[0] == 'm' {
			seen = append(seen, string(s))
		}
	}
	require.Equal(t, []string{"m11", "m10", "m04", "m03", "m02", "m01", "m00"}, seen, "those of the team")

	// The page behind a row that is not there any more.
	first := find
	first.Order = &database.Order{Field: name, Value: value("m02")}
	first.After = id(98)
	d.must(database.Op{Kind: database.OpDelete, ID: id(98)})
	rows := d.must(first).Rows
	require.Len(t, rows, 2)
	require.Equal(t, id(97), rows[0].ID)

	list := database.Op{Kind: database.OpList, Class: d.class("Avatar"), Order: &database.Order{Field: gold}}
	d.fails(database.ErrNotIndexed, list)
	list.Order = &database.Order{Field: name, Value: fields.AppendInt(nil, 1)}
	d.fails(database.ErrValue, list)
	list.Order = &database.Order{Field: 4000}
	d.fails(database.ErrField, list)
}
