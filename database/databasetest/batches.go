package databasetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

func (s *suite) oneFailure(t *testing.T) {
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Name", `"a"`, "Gold", "1"))
	rs := d.do(
		d.create(id(2), "Avatar", "Name", `"b"`),
		d.create(id(3), "Avatar", "Name", `"a"`),
		database.Op{Kind: database.OpSet, ID: id(2), Fields: d.values("Avatar", "Gold", "2")},
		database.Op{Kind: database.OpSet, ID: id(2), Fields: d.values("Avatar", "Name", `"a"`, "Gold", "3")},
		database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Name", `"b"`), Equals: d.values("Avatar", "Gold", "1")},
		database.Op{Kind: database.OpSet, ID: id(1), Fields: d.values("Avatar", "Gold", "9"), Equals: d.values("Avatar", "Gold", "2")},
		database.Op{Kind: database.OpGet, ID: id(2), All: true},
		database.Op{Kind: database.OpDelete, ID: id(7), Class: d.class("Avatar")},
		database.Op{Kind: database.OpDelete, ID: id(1)},
		d.create(id(4), "Avatar", "Name", `"a"`),
	)
	wants := []error{nil, database.ErrUnique, nil, database.ErrUnique, database.ErrUnique, database.ErrCondition, nil, database.ErrNotFound, nil, nil}
	for i, want := range wants {
		require.ErrorIs(t, rs[i].Err, want, "operation %d", i)
	}
	require.Equal(t, d.values("Avatar", "Name", `"b"`, "Gold", "2"), rs[6].Fields)
	require.Equal(t, d.values("Avatar", "Name", `"b"`, "Gold", "2"), d.all(id(2)))
	require.Equal(t, d.values("Avatar", "Name", `"a"`), d.all(id(4)))
	d.fails(database.ErrNotFound, database.Op{Kind: database.OpGet, ID: id(3)})
	_, err := d.Do(d.ctx, d.schema, make([]database.Op, database.MaxBatch+1))
	require.Error(t, err)
	rs, err = d.Do(d.ctx, d.schema, nil)
	require.NoError(t, err)
	require.Empty(t, rs)
}

// manySets has so many sets of the same fields that a backend may make one statement of them: with versions that hold and
// do not, objects that are missing or named twice, and values of every type that stands in a column of its own.
func (s *suite) manySets(t *testing.T) {
	d := s.openWith(t, avatar(t), typedClass(t, "db", any, scalarTypes()...))
	for n := range uint64(30) {
		d.must(d.create(id(n+1), "Avatar", "HP", "1", "Team", `"x"`))
	}
	var ops []database.Op
	wants := map[int]error{}
	set := func(want error, n, expect uint64, values ...string) {
		if want != nil {
			wants[len(ops)] = want
		}
		ops = append(ops, database.Op{Kind: database.OpSet, ID: id(n), Class: d.class("Avatar"), Expect: expect, Fields: d.values("Avatar", values...)})
	}
	for n := range uint64(20) {
		set(nil, n+1, n%2, "HP", fmt.Sprint(n), "Gold", fmt.Sprint(-int64(n)))
	}
	set(database.ErrVersion, 21, 7, "HP", "9", "Gold", "9")
	set(database.ErrNotFound, 99, 0, "HP", "9", "Gold", "9")
	set(database.ErrNotFound, 98, 3, "HP", "9", "Gold", "9")
	set(nil, 22, 1, "HP", "5", "Gold", "5")
	set(database.ErrVersion, 22, 1, "HP", "6", "Gold", "6")
	set(nil, 22, 2, "HP", "7", "Gold", "7")
	for n := uint64(23); n < 29; n++ {
		set(nil, n, 1, "Team", fmt.Sprintf("%q", fmt.Sprint(n)))
	}
	rs := d.do(ops...)
	for i := range ops {
		require.ErrorIs(t, rs[i].Err, wants[i], "operation %d", i)
		if wants[i] == nil && i < 20 {
			require.EqualValues(t, 2, rs[i].Version)
			require.Equal(t, d.values("Avatar", "HP", fmt.Sprint(i), "Gold", fmt.Sprint(-i), "Team", `"x"`), d.all(id(uint64(i+1))))
		}
	}
	require.EqualValues(t, 1, rs[20].Version, "the current one")
	require.Equal(t, d.values("Avatar", "HP", "1", "Team", `"x"`), d.all(id(21)))
	require.Equal(t, d.values("Avatar", "HP", "7", "Gold", "7", "Team", `"x"`), d.all(id(22)))
	require.EqualValues(t, 3, rs[25].Version)
	for n := uint64(23); n < 29; n++ {
		require.Equal(t, d.values("Avatar", "HP", "1", "Team", fmt.Sprintf("%q", fmt.Sprint(n))), d.all(id(n)))
	}

	// Each type, with the values that are hardest for it.
	class := d.class("Typed")
	var creates, sets []database.Op
	next := uint64(1000)
	for i, typ := range scalarTypes() {
		f := class.FieldByName(fmt.Sprintf("F%d", i))
		for _, c := range typeValues {
			for j := 0; c.typ == typ && j < 2*leastSets; j++ {
				next++
				creates = append(creates, database.Op{Kind: database.OpCreate, ID: id(next), Class: class})
				value := text(t, f.Type, c.values[j%len(c.values)])
				sets = append(sets, database.Op{Kind: database.OpSet, ID: id(next), Class: class, Fields: fields.MapOf(fields.Pair{Number: f.Number, Value: value})})
			}
		}
	}
	for _, r := range append(d.do(creates...), d.do(sets...)...) {
		require.NoError(t, r.Err)
	}
	for _, op := range sets {
		require.Equal(t, op.Fields, d.all(op.ID))
	}
}

// leastSets is more than any backend needs to make one statement of many.
const leastSets = 4

// scalarTypes are the types of typeValues that are one value each.
func scalarTypes() (types []string) {
	for _, c := range typeValues {
		if !strings.ContainsAny(c.typ, "[{") && !strings.HasPrefix(c.typ, "map") {
			types = append(types, c.typ)
		}
	}
	return types
}

func (s *suite) uniqueField(t *testing.T) {
	long := "F0123456789012345678901234567890123456789012345678901234567890"
	d := s.openWith(t, do.ClassDecl{Name: "Account", Fields: []do.FieldDecl{
		field(t, "Login", "string", "db unique"),
		field(t, long, "int32", "db unique"),
		field(t, long+"b", "int32", "db unique"),
	}})
	d.must(d.create(id(1), "Account", "Login", `"x"`, long, "1", long+"b", "2"))
	r := d.fails(database.ErrUnique, d.create(id(2), "Account", "Login", `"x"`))
	require.Equal(t, d.number("Account", "Login"), r.Field)
	r = d.fails(database.ErrUnique, d.create(id(2), "Account", long+"b", "2"))
	require.Equal(t, d.number("Account", long+"b"), r.Field)
	d.must(d.create(id(2), "Account", long, "2"))
	r = d.fails(database.ErrUnique, database.Op{Kind: database.OpSet, ID: id(2), Fields: d.values("Account", long, "1")})
	require.Equal(t, d.number("Account", long), r.Field)
	d.must(d.create(id(3), "Account"))
	d.must(d.create(id(4), "Account"))
}

// parallel runs f n times at once.
func parallel(n int, f func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = f(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (s *suite) conditionsSerialise(t *testing.T) {
	const workers, rounds = 4, 10
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar", "Gold", "0"))
	class, gold := d.class("Avatar"), d.number("Avatar", "Gold")
	value := func(n int64) fields.Map {
		return fields.MapOf(fields.Pair{Number: gold, Value: fields.AppendInt(nil, n)})
	}
	require.NoError(t, parallel(workers, func(int) error {
		known := int64(0)
		for done := 0; done < rounds; {
			rs, err := d.Do(d.ctx, d.schema, []database.Op{{
				Kind: database.OpSet, ID: id(1), Class: class, Fields: value(known + 1), Equals: value(known),
			}})
			if err != nil {
				return err
			}
			if rs[0].Err == nil {
				done, known = done+1, known+1
				continue
			}
			if !errors.Is(rs[0].Err, database.ErrCondition) {
				return rs[0].Err
			}
			now, _ := rs[0].Fields.Get(gold)
			if known, _, err = fields.ReadInt(now); err != nil {
				return err
			}
		}
		return nil
	}))
	require.Equal(t, value(workers*rounds), d.all(id(1)), "no increment was lost")
}

// oppositeOrder makes batches lock the same rows in opposite orders, which a database answers with a deadlock.
func (s *suite) oppositeOrder(t *testing.T) {
	const workers, rounds, objects = 4, 10, 8
	d := s.openWith(t, avatar(t))
	for n := range uint64(objects) {
		d.must(d.create(id(n+1), "Avatar"))
	}
	class, values := d.class("Avatar"), d.values("Avatar", "HP", "1")
	require.NoError(t, parallel(workers, func(i int) error {
		for range rounds {
			ops := make([]database.Op, objects)
			for n := range ops {
				at := n
				if i%2 == 1 {
					at = objects - 1 - n
				}
				ops[at] = database.Op{Kind: database.OpSet, ID: id(uint64(n + 1)), Class: class, Fields: values}
			}
			rs, err := d.Do(d.ctx, d.schema, ops)
			for _, r := range rs {
				err = errors.Join(err, r.Err)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for n := range uint64(objects) {
		require.EqualValues(t, 1+workers*rounds, d.must(database.Op{Kind: database.OpGet, ID: id(n + 1)}).Version)
	}
}

func (s *suite) epochs(t *testing.T) {
	d := s.openWith(t, avatar(t))
	in := func(p do.Partition, n uint64) do.ID { return do.NewID(p, 1, n) }
	create := func(p do.Partition, n uint64, epoch uint32) database.Op {
		op := d.create(in(p, n), "Avatar", "HP", "1")
		op.Epoch = epoch
		return op
	}
	d.fails(database.ErrEpoch, create(1, 1, 1)) // nobody owns it yet
	first, err := d.RaiseEpoch(d.ctx, []do.Partition{2, 1, 2, 65535})
	require.NoError(t, err)
	require.Positive(t, first)
	d.must(create(1, 1, first))
	d.must(create(65535, 1, first))
	second, err := d.RaiseEpoch(d.ctx, []do.Partition{1})
	require.NoError(t, err)
	require.Greater(t, second, first)

	rs := d.do(
		create(1, 2, first),
		create(2, 2, first),
		create(1, 3, second),
		database.Op{Kind: database.OpSet, ID: in(1, 1), Fields: d.values("Avatar", "HP", "2"), Epoch: first},
		database.Op{Kind: database.OpDelete, ID: in(1, 1), Epoch: first},
		create(1, 4, second+1),
		create(1, 5, 0),
		database.Op{Kind: database.OpGet, ID: in(1, 1), Epoch: first, All: true},
	)
	for i, want := range []error{database.ErrEpoch, nil, nil, database.ErrEpoch, database.ErrEpoch, database.ErrEpoch, nil, nil} {
		require.ErrorIs(t, rs[i].Err, want, "operation %d", i)
	}
	require.Equal(t, d.values("Avatar", "HP", "1"), rs[7].Fields)
	d.must(database.Op{Kind: database.OpSet, ID: in(1, 1), Fields: d.values("Avatar", "HP", "2"), Epoch: second})
}

// raceOfEpochs lets owners take a partition from each other while they write. Each write that was accepted adds one,
// if the epoch was still its own; the number of accepted writes is then what the row says.
func (s *suite) raceOfEpochs(t *testing.T) {
	const owners, writes = 4, 12
	d := s.openWith(t, avatar(t))
	d.must(d.create(id(1), "Avatar"))
	class, values := d.class("Avatar"), d.values("Avatar", "HP", "1")
	var mu sync.Mutex
	type accepted struct{ epoch, version uint64 }
	var log []accepted // guarded by mu
	require.NoError(t, parallel(owners, func(int) error {
		epoch, err := d.RaiseEpoch(d.ctx, []do.Partition{1})
		for range writes {
			if err != nil {
				return err
			}
			var rs []database.Result
			rs, err = d.Do(d.ctx, d.schema, []database.Op{{Kind: database.OpSet, ID: id(1), Class: class, Fields: values, Epoch: epoch}})
			if err == nil && rs[0].Err == nil {
				mu.Lock()
				log = append(log, accepted{uint64(epoch), rs[0].Version})
				mu.Unlock()
			}
			if err == nil && rs[0].Err != nil && !errors.Is(rs[0].Err, database.ErrEpoch) {
				err = rs[0].Err
			}
		}
		return err
	}))
	require.EqualValues(t, len(log)+1, d.must(database.Op{Kind: database.OpGet, ID: id(1)}).Version)
	for _, a := range log {
		for _, b := range log {
			require.False(t, a.version > b.version && a.epoch < b.epoch, "a write of epoch %d came after one of epoch %d", a.epoch, b.epoch)
		}
	}
}

func (s *suite) cancelled(t *testing.T) {
	d := s.openWith(t, avatar(t))
	ctx, cancel := context.WithCancel(d.ctx)
	cancel()
	_, err := d.Do(ctx, d.schema, []database.Op{d.create(id(1), "Avatar")})
	require.ErrorIs(t, err, database.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, parallel(8, func(i int) error { // the connections are as good as before
		rs, err := d.Do(d.ctx, d.schema, []database.Op{{Kind: database.OpCreate, ID: id(uint64(i + 1)), Class: d.class("Avatar")}})
		if err == nil {
			err = rs[0].Err
		}
		return err
	}))
}

func (s *suite) listPages(t *testing.T) {
	d := s.openWith(t, avatar(t))
	var ops []database.Op
	for n := range uint64(25) {
		ops = append(ops, d.create(id(25-n), "Avatar", "HP", fmt.Sprint(n)))
	}
	for _, r := range d.do(ops...) {
		require.NoError(t, r.Err)
	}
	page := database.Op{Kind: database.OpList, Class: d.class("Avatar"), Limit: 10, Want: []fields.Number{d.number("Avatar", "HP")}}
	var seen []database.Row
	for _, size := range []int{10, 10, 5, 0} {
		rows := d.must(page).Rows
		require.Len(t, rows, size)
		seen = append(seen, rows...)
		page.After = seen[len(seen)-1].ID
	}
	for n, row := range seen {
		require.Equal(t, database.Row{ID: id(uint64(n + 1)), Version: 1, Fields: d.values("Avatar", "HP", fmt.Sprint(24-n))}, row)
	}
	require.Len(t, d.must(database.Op{Kind: database.OpList, Class: d.class("Avatar")}).Rows, 25)
	d.fails(database.ErrClass, database.Op{Kind: database.OpList})
}
