package databasetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// tx is the n-th name of a transaction. Those whose last byte is zero delete old outcomes as well.
func tx(n uint64) do.ID { return do.NewID(0, 1_700_000_000_000, n) }

// pay is a transaction by which one object gives gold to another, if they have what is said.
func (d *db) pay(name do.ID, from, to do.ID, had, has, amount int64) database.Op {
	gold := func(n int64) fields.Map { return d.values("Avatar", "Gold", fmt.Sprint(n)) }
	return database.Op{Kind: database.OpTransact, ID: name, Parts: []database.Op{
		{Kind: database.OpSet, ID: from, Equals: gold(had), Fields: gold(had - amount)},
		{Kind: database.OpSet, ID: to, Equals: gold(has), Fields: gold(has + amount)},
	}}
}

func (s *suite) allOrNothing(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "Gold", "10"))
	d.must(d.create(id(2), "Avatar", "Name", `"b"`, "Gold", "5"))
	d.must(d.create(id(3), "Avatar", "Name", `"c"`))

	r := d.must(d.pay(tx(256), id(2), id(1), 5, 10, 3))
	require.True(t, r.Committed)
	require.Equal(t, []database.Row{{ID: id(2), Version: 2}, {ID: id(1), Version: 2}}, r.Rows)

	// The second object has not what was expected: the first keeps what it had.
	r = d.fails(database.ErrCondition, d.pay(tx(2), id(1), id(2), 13, 99, 1))
	require.False(t, r.Committed)
	require.Equal(t, []database.Row{{ID: id(2), Version: 2, Fields: d.values("Avatar", "Gold", "2")}}, r.Rows)

	set := func(n uint64, values ...string) database.Op {
		return database.Op{Kind: database.OpSet, ID: id(n), Fields: d.values("Avatar", values...)}
	}
	all := func(parts ...database.Op) database.Op {
		return database.Op{Kind: database.OpTransact, ID: tx(rand.Uint64() | 1), Parts: parts}
	}
	was := []fields.Map{d.all(id(1)), d.all(id(2)), d.all(id(3))}
	for _, c := range []struct {
		want  error
		at    do.ID
		parts []database.Op
	}{
		{database.ErrUnique, id(2), []database.Op{set(1, "Gold", "0"), set(2, "Name", `"a"`, "Gold", "0"), set(3, "Gold", "1")}},
		{database.ErrNotFound, id(9), []database.Op{set(1, "Gold", "0"), set(9, "Gold", "0")}},
		{database.ErrNotFound, id(9), []database.Op{set(9, "Gold", "0"), set(1, "Gold", "0")}},
		{database.ErrExists, id(3), []database.Op{set(1, "Gold", "0"), d.create(id(3), "Avatar")}},
		{database.ErrField, id(2), []database.Op{set(1, "Gold", "0"), set(2, "Pos", "{X:1 Y:2}")}},
		{database.ErrVersion, id(2), []database.Op{
			{Kind: database.OpDelete, ID: id(1)}, {Kind: database.OpDelete, ID: id(2), Expect: 7},
		}},
		{database.ErrEpoch, id(2), []database.Op{set(1, "Gold", "0"), {Kind: database.OpSet, ID: id(2), Epoch: 99, Fields: d.values("Avatar", "Gold", "0")}}},
	} {
		r := d.fails(c.want, all(c.parts...))
		require.Len(t, r.Rows, 1)
		require.Equal(t, c.at, r.Rows[0].ID)
		require.Equal(t, was, []fields.Map{d.all(id(1)), d.all(id(2)), d.all(id(3))}, "%v: nothing is changed", c.want)
	}

	// A name passes from one object to another, one object comes and one goes; in a batch with others that fail.
	rs := d.do(
		d.create(id(1), "Avatar"),
		all(set(1, "Gold", "1"), set(1, "Gold", "2")),
		all(
			database.Op{Kind: database.OpDelete, ID: id(3)},
			database.Op{Kind: database.OpSet, ID: id(1), Unset: []fields.Number{d.number("Avatar", "Name")}},
			d.create(id(4), "Avatar", "Name", `"a"`),
		),
		all(set(2, "Name", `"a"`)),
		set(2, "Gold", "7"),
	)
	for i, want := range []error{database.ErrExists, database.ErrValue, nil, database.ErrUnique, nil} {
		require.ErrorIs(t, rs[i].Err, want, "operation %d", i)
	}
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(3)})
	require.Equal(t, d.values("Avatar", "Gold", "13"), d.all(id(1)))
	require.Equal(t, d.values("Avatar", "Name", `"a"`), d.all(id(4)))
	require.Equal(t, d.values("Avatar", "Name", `"b"`, "Gold", "7"), d.all(id(2)))
}

func (s *suite) doneOnce(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Gold", "10"))
	d.must(d.create(id(2), "Avatar", "Gold", "0"))
	d.must(d.pay(tx(1), id(1), id(2), 10, 0, 4))
	r := d.must(d.pay(tx(1), id(1), id(2), 10, 0, 4)) // whoever asks again did not hear the answer
	require.True(t, r.Committed)
	require.Empty(t, r.Rows)
	require.Equal(t, d.values("Avatar", "Gold", "6"), d.all(id(1)))
	require.Equal(t, d.values("Avatar", "Gold", "4"), d.all(id(2)))

	// It is done also where it could not be done any more; one that was ended is that rather than late.
	late := func(name do.ID) database.Op {
		op := d.pay(name, id(1), id(2), 10, 0, 4)
		op.Parts[1].Epoch = 99
		return op
	}
	d.must(database.Op{Kind: database.OpOutcome, ID: tx(2)})
	d.must(database.Op{Kind: database.OpDelete, ID: id(1)})
	gone := d.pay(tx(1), id(1), id(2), 10, 0, 4)
	rs := d.do(gone, late(tx(1)), late(tx(2)), d.pay(tx(3), id(1), id(2), 10, 0, 4))
	for i, want := range []error{nil, nil, database.ErrAborted, database.ErrNotFound} {
		require.ErrorIs(t, rs[i].Err, want, "operation %d", i)
		require.Equal(t, want == nil, rs[i].Committed, "operation %d", i)
	}
	require.Empty(t, rs[0].Rows)
	require.Empty(t, rs[1].Rows)
	require.Equal(t, d.values("Avatar", "Gold", "4"), d.all(id(2)))
}

func (s *suite) finalOutcome(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Gold", "10"))
	d.must(d.create(id(2), "Avatar", "Gold", "0"))
	ask := func(name do.ID) bool {
		return d.must(database.Op{Kind: database.OpOutcome, ID: name}).Committed
	}
	d.must(d.pay(tx(1), id(1), id(2), 10, 0, 4))
	require.True(t, ask(tx(1)))
	require.False(t, ask(tx(2)), "nobody knows it: it ends here")
	d.fails(database.ErrAborted, d.pay(tx(2), id(1), id(2), 6, 4, 1))
	require.False(t, ask(tx(2)))
	require.Equal(t, d.values("Avatar", "Gold", "6"), d.all(id(1)))
	// One that failed is decided by the question only.
	d.fails(database.ErrCondition, d.pay(tx(3), id(1), id(2), 0, 4, 1))
	d.must(d.pay(tx(3), id(1), id(2), 6, 4, 1))
	require.True(t, ask(tx(3)))

	// Who is first, the transaction or the question: both are told the same.
	for n := uint64(10); n < 20; n++ {
		gold, _, err := fields.ReadInt(must2(d.all(id(1)).Get(d.number("Avatar", "Gold"))))
		require.NoError(t, err)
		had, _, err := fields.ReadInt(must2(d.all(id(2)).Get(d.number("Avatar", "Gold"))))
		require.NoError(t, err)
		var told [2]bool
		require.NoError(t, parallel(2, func(i int) error {
			op := database.Op{Kind: database.OpOutcome, ID: tx(n)}
			if i == 1 {
				op = d.pay(tx(n), id(1), id(2), gold, had, 1)
			}
			rs, err := d.Do(d.ctx, d.schema, []database.Op{op})
			if err != nil {
				return err
			}
			told[i] = rs[0].Committed
			if rs[0].Err != nil && !errors.Is(rs[0].Err, database.ErrAborted) {
				return rs[0].Err
			}
			return nil
		}))
		require.Equal(t, told[0], told[1])
		moved := gold
		if told[0] {
			moved--
		}
		require.Equal(t, d.values("Avatar", "Gold", fmt.Sprint(moved)), d.all(id(1)))
	}
}

func must2(b []byte, _ bool) []byte { return b }

// keepTheSum has workers move gold between the same few objects, with batches that lock their rows in any order.
func (s *suite) keepTheSum(t *testing.T) {
	const workers, rounds, objects, each = 4, 15, 4, 100
	d := s.openWith(t, avatar(t))
	for n := range uint64(objects) {
		d.must(d.create(id(n+1), "Avatar", "Gold", fmt.Sprint(each)))
	}
	gold := d.number("Avatar", "Gold")
	read := func(m fields.Map) int64 {
		b, _ := m.Get(gold)
		v, _, _ := fields.ReadInt(b)
		return v
	}
	require.NoError(t, parallel(workers, func(w int) error {
		random := rand.New(rand.NewPCG(uint64(w), 1))
		for n := range rounds {
			from := random.IntN(objects)
			to := (from + 1 + random.IntN(objects-1)) % objects
			a, b := id(uint64(from+1)), id(uint64(to+1))
			rs, err := d.Do(d.ctx, d.schema, []database.Op{
				{Kind: database.OpGet, ID: a, All: true}, {Kind: database.OpGet, ID: b, All: true},
			})
			if err != nil {
				return err
			}
			rs, err = d.Do(d.ctx, d.schema, []database.Op{
				d.pay(tx(uint64(w*1000+n)), a, b, read(rs[0].Fields), read(rs[1].Fields), 1+random.Int64N(5)),
				{Kind: database.OpSet, ID: b, Fields: d.values("Avatar", "HP", "1")},
				{Kind: database.OpSet, ID: a, Fields: d.values("Avatar", "HP", "1")},
			})
			if err != nil {
				return err
			}
			if rs[0].Err != nil && !errors.Is(rs[0].Err, database.ErrCondition) {
				return rs[0].Err
			}
		}
		return nil
	}))
	sum := int64(0)
	for n := range uint64(objects) {
		sum += read(d.all(id(n + 1)))
	}
	require.EqualValues(t, objects*each, sum)
}

func (s *suite) badTransactions(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Gold", "10"))
	set := database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Gold", "1")}
	many := make([]database.Op, database.MaxParts+1)
	for i := range many {
		many[i] = set
		many[i].ID = id(uint64(i + 1))
	}
	for _, op := range []database.Op{
		{Kind: database.OpTransact, Parts: []database.Op{set}},
		{Kind: database.OpTransact, ID: tx(1)},
		{Kind: database.OpTransact, ID: tx(1), Parts: many},
		{Kind: database.OpTransact, ID: tx(1), Parts: []database.Op{set, {Kind: database.OpList, Class: d.class("Avatar")}}},
		{Kind: database.OpTransact, ID: tx(1), Parts: []database.Op{{Kind: database.OpTransact, ID: tx(2), Parts: []database.Op{set}}}},
		{Kind: database.OpTransact, ID: tx(1), Parts: []database.Op{set, set}},
	} {
		d.fails(database.ErrValue, op)
	}
	require.Equal(t, d.values("Avatar", "Gold", "10"), d.all(id(1)))
}
