package database

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// picky refuses every batch that has an operation on one object, for a reason that nobody knows.
type picky struct {
	*Memory
	bad do.ID
}

var errStrange = errors.New("strange")

func (b picky) Do(ctx context.Context, s *do.Schema, ops []Op) ([]Result, error) {
	for i := range ops {
		if ops[i].ID == b.bad {
			return nil, errStrange
		}
	}
	return b.Memory.Do(ctx, s, ops)
}

func TestOneOperationDoesNotTakeItsBatchWithIt(t *testing.T) {
	schema := schemaOf(t, tavern(t))
	mem := NewMemory()
	_, err := mem.SetSchema(t.Context(), 0, schema)
	require.NoError(t, err)
	w := Work{Number: 3, Schema: schema}
	for n := range uint64(3) {
		w.Ops = append(w.Ops, Op{Kind: OpCreate, ID: do.NewID(1, 1, n), Class: schema.Class("Avatar")})
	}
	m := w.Run(t.Context(), picky{mem, w.Ops[1].ID})
	worked := m.Body.(*wire.DBWorked)
	require.EqualValues(t, 3, worked.Work)
	require.Equal(t, wire.CodeOK, worked.Code)
	var codes []wire.Code
	for _, r := range worked.Results {
		codes = append(codes, r.Code)
	}
	require.Equal(t, []wire.Code{wire.CodeOK, wire.CodeAway, wire.CodeOK}, codes)
	require.Contains(t, worked.Results[1].Text, "strange")

	mem.Fail(fmt.Errorf("%w: wrong password", ErrDenied))
	worked = w.Run(t.Context(), mem).Body.(*wire.DBWorked)
	require.Equal(t, wire.CodeAway, worked.Code)
	require.Contains(t, worked.Text, "wrong password")
	require.Empty(t, worked.Results)
}

// cramped has room for small values only.
type cramped struct {
	*Memory
	asked int
}

func (b *cramped) Do(ctx context.Context, s *do.Schema, ops []Op) ([]Result, error) {
	b.asked++
	for i := range ops {
		if ops[i].Kind == OpCreate {
			return nil, ErrFull
		}
	}
	return b.Memory.Do(ctx, s, ops)
}

// What a database does not take is refused with the reason, and what it takes is done: questions where it is read-only
// or may not be written by us, and on a full disk what fits.
func TestWritesThatAreNotTaken(t *testing.T) {
	schema := schemaOf(t, tavern(t))
	avatar := schema.Class("Avatar")
	for name, c := range map[string]struct {
		err  error
		code wire.Code
		text string
	}{
		"read-only": {ErrReadOnly, wire.CodeReadOnly, "database refuses access: it is read-only"},
		"denied":    {fmt.Errorf("%w: permission denied for table Avatar", ErrDenied), wire.CodeReadOnly, "permission denied for table Avatar"},
		"full":      {ErrFull, wire.CodeDiskFull, "disk of the database is full"},
	} {
		mem := NewMemory()
		_, err := mem.SetSchema(t.Context(), 0, schema)
		require.NoError(t, err)
		id := do.NewID(1, 1, 1)
		_, err = mem.Do(t.Context(), schema, []Op{{Kind: OpCreate, ID: id, Class: avatar}})
		require.NoError(t, err)
		mem.Refuse(c.err)
		w := Work{Number: 3, Schema: schema, Ops: []Op{
			{Kind: OpGet, ID: id}, {Kind: OpDelete, ID: id}, {Kind: OpList, Class: avatar}, {Kind: OpTransact, ID: do.NewID(1, 1, 2)},
		}}
		worked := w.Run(t.Context(), mem).Body.(*wire.DBWorked)
		require.Equal(t, wire.CodeOK, worked.Code, name)
		require.Len(t, worked.Results, 4, name)
		for i, want := range []wire.Code{wire.CodeOK, c.code, wire.CodeOK, c.code} {
			require.Equal(t, want, worked.Results[i].Code, "%s %d", name, i)
		}
		require.Len(t, worked.Results[2].Rows, 1)
		for _, i := range []int{1, 3} {
			text := worked.Results[i].Code.Err(worked.Results[i].Text).Error()
			require.NotContains(t, text, ErrUnavailable.Error())
		}
		probed := (&Work{Number: 4, Kind: WorkProbe}).Run(t.Context(), mem).Body.(*wire.DBWorked)
		require.Equal(t, c.code, probed.Code, name)
		offered := (&Work{Number: 5, Kind: WorkWriteSchema, Expect: 1, Schema: schema}).Run(t.Context(), mem).Body.(*wire.DBSchemaIs)
		require.Equal(t, c.code, offered.Code, name)
		require.Contains(t, offered.Reason, c.text, name)
	}

	// A disk that is full takes what fits, and is not asked for each of a thousand writes that do not.
	mem := &cramped{Memory: NewMemory()}
	_, err := mem.SetSchema(t.Context(), 0, schema)
	require.NoError(t, err)
	id := do.NewID(1, 1, 1)
	_, err = mem.Memory.Do(t.Context(), schema, []Op{{Kind: OpCreate, ID: id, Class: avatar}})
	require.NoError(t, err)
	w := Work{Number: 3, Schema: schema, Ops: []Op{{Kind: OpDelete, ID: id}}}
	for n := range uint64(1000) {
		w.Ops = append(w.Ops, Op{Kind: OpCreate, ID: do.NewID(1, 2, n), Class: avatar})
	}
	worked := w.Run(t.Context(), mem).Body.(*wire.DBWorked)
	require.Len(t, worked.Results, 1001)
	require.Equal(t, wire.CodeOK, worked.Results[0].Code)
	require.Equal(t, wire.CodeDiskFull, worked.Results[1].Code)
	require.Equal(t, wire.CodeDiskFull, worked.Results[1000].Code)
	require.Equal(t, 1+1+maxAlone, mem.asked)
}

// Every error that a Backend may give to one operation has a code.
func TestCodesOfOutcomes(t *testing.T) {
	for err, code := range map[error]wire.Code{
		ErrNotFound: wire.CodeNoObject, ErrExists: wire.CodeExists, ErrUnique: wire.CodeUnique, ErrVersion: wire.CodeConflict,
		ErrCondition: wire.CodeConflict, ErrEpoch: wire.CodeEpoch, ErrClass: wire.CodeNoClass, ErrField: wire.CodeNoField,
		ErrNotIndexed: wire.CodeNoField, ErrValue: wire.CodeValue, ErrSchema: wire.CodeAway, ErrUnavailable: wire.CodeAway,
		ErrReadOnly: wire.CodeReadOnly, ErrDenied: wire.CodeReadOnly, ErrFull: wire.CodeDiskFull,
	} {
		got := resultOf(OpSet, &Result{Err: fmt.Errorf("database: set #1: %w", err)})
		require.Equal(t, code, got.Code, "%v", err)
		require.Equal(t, wire.AnyClass, got.Class)
	}
	got := resultOf(OpSet, &Result{Err: fmt.Errorf("database: set #1: %w: 3, expected 2", ErrVersion)})
	require.Equal(t, "3, expected 2", got.Text)
	require.Equal(t, wire.CodeAway, resultOf(OpGet, &Result{Err: ErrDenied}).Code)
	require.Equal(t, wire.CodeSchema, resultOf(OpTransact, &Result{Err: ErrSchema}).Code)
}

// BenchmarkSet is a set of one field through core and backend in memory, 100 in a batch.
func BenchmarkSet(b *testing.B) {
	schema := schemaOf(b, tavern(b))
	mem := NewMemory()
	_, err := mem.SetSchema(b.Context(), 0, schema)
	require.NoError(b, err)
	s, err := New(Config{Partitions: 1})
	require.NoError(b, err)
	var out wire.Outbox
	tick := wire.Message{Body: &wire.Tick{}}
	run := func() {
		for {
			_ = s.Step(tick, &out)
			work := s.Work()
			if len(work) == 0 {
				break
			}
			for i := range work {
				_ = s.Step(work[i].Run(b.Context(), mem), &out)
			}
		}
		out.Reset()
	}
	run()
	const objects = 100
	c := &cluster{schema: schema}
	var sets []wire.Message
	for n := range uint64(objects) {
		id := do.NewID(1, 1, n)
		_ = s.Step(wire.Message{From: asker, Body: &wire.DBCreate{DO: id, Class: schema.Class("Avatar").Number()}}, &out)
		sets = append(sets, wire.Message{From: asker, Body: &wire.DBSet{Context: 1, DO: id, Fields: c.gold(int64(n))}})
	}
	run()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_ = s.Step(sets[i%objects], &out)
		if i%objects == objects-1 {
			run()
		}
	}
}
