package database

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// twin is what a database does, said as simply as possible: one request after the other, on maps.
type twin struct {
	class *do.Class
	rows  map[do.ID]*twinRow
	// What others hear, as "object row fields" or "object row removed" or "object row gone" (rules 145, 148).
	announced []string
}

type twinRow struct {
	version uint64
	values  map[fields.Number][]byte
}

// answer is what a request comes to, without texts.
type answer struct {
	code   wire.Code
	row    uint64
	fields string
}

func (w *twin) create(b *wire.DBCreate) answer {
	if w.rows[b.DO] != nil {
		return answer{code: wire.CodeExists}
	}
	row := &twinRow{version: 1, values: make(map[fields.Number][]byte)}
	for _, f := range w.class.Fields() {
		if isStored(f) && f.Default != nil {
			row.values[f.Number] = f.Default
		}
	}
	w.write(row, b.Fields)
	w.rows[b.DO] = row
	return answer{row: 1}
}

// write stores the db fields of a map.
func (w *twin) write(row *twinRow, m fields.Map) {
	for it := m.Iter(); it.Next(); {
		if isStored(w.class.Field(it.Number())) {
			row.values[it.Number()] = it.Value()
		}
	}
}

func (w *twin) get(b *wire.DBGet) answer {
	row := w.rows[b.DO]
	if row == nil {
		return answer{code: wire.CodeNoObject}
	}
	return answer{row: row.version, fields: w.text(row, func(n fields.Number) bool {
		return len(b.Fields) == 0 || slices.Contains(b.Fields, n)
	})}
}

func (w *twin) text(row *twinRow, wanted func(fields.Number) bool) string {
	var pairs []fields.Pair
	for _, f := range w.class.Fields() {
		if v, ok := row.values[f.Number]; ok && wanted(f.Number) {
			pairs = append(pairs, fields.Pair{Number: f.Number, Value: v})
		}
	}
	return hexOf(fields.MapOf(pairs...))
}

// hexOf is a map as comparable text; an empty one is no text, whether it has a header or not.
func hexOf(m fields.Map) string {
	if m.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("%x", []byte(m))
}

func (w *twin) set(b *wire.DBSet) answer {
	row := w.rows[b.DO]
	for _, n := range b.Delete {
		if _, both := b.Fields.Get(n); both {
			return answer{code: wire.CodeMalformed}
		}
	}
	if row == nil {
		return answer{code: wire.CodeNoObject}
	}
	if b.Row != 0 && b.Row != row.version {
		return answer{code: wire.CodeConflict}
	}
	holds := true
	compared := func(n fields.Number) bool {
		_, equal := b.Expect.Get(n)
		return equal || slices.Contains(b.Absent, n)
	}
	for it := b.Expect.Iter(); it.Next(); {
		holds = holds && bytes.Equal(row.values[it.Number()], it.Value())
	}
	for _, n := range b.Absent {
		_, present := row.values[n]
		_, equal := b.Expect.Get(n)
		holds = holds && (equal || !present)
	}
	if !holds {
		return answer{code: wire.CodeConflict, fields: w.text(row, compared)}
	}
	var written, removed []fields.Number
	for it := b.Fields.Iter(); it.Next(); {
		if isStored(w.class.Field(it.Number())) {
			written = append(written, it.Number())
		}
	}
	w.write(row, b.Fields)
	for _, n := range b.Delete {
		f := w.class.Field(n)
		switch {
		case !isStored(f):
		case f.Default != nil:
			row.values[n] = f.Default
			written = append(written, n)
		default:
			delete(row.values, n)
			removed = append(removed, n)
		}
	}
	if len(written)+len(removed)+b.Expect.Len()+len(b.Absent) > 0 || b.Row != 0 {
		row.version++
	}
	if len(written) > 0 {
		text := w.text(row, func(n fields.Number) bool { return slices.Contains(written, n) })
		w.announced = append(w.announced, fmt.Sprint(b.DO, row.version, text))
	}
	if len(removed) > 0 {
		slices.Sort(removed)
		w.announced = append(w.announced, fmt.Sprint(b.DO, row.version, removed))
	}
	return answer{row: row.version}
}

func (w *twin) remove(b *wire.DBDelete) answer {
	row := w.rows[b.DO]
	if row == nil {
		return answer{code: wire.CodeNoObject}
	}
	delete(w.rows, b.DO)
	w.announced = append(w.announced, fmt.Sprint(b.DO, row.version, "gone"))
	return answer{row: row.version}
}

// announcement is a message as the twin has it.
func announcement(m *wire.Message) string {
	b, ok := m.Body.(*wire.DBChanged)
	switch {
	case !ok || m.From != asker || len(m.To) != 1 || m.To[0] != do.Record(b.DO):
		return "no announcement: " + m.String()
	case b.Gone:
		return fmt.Sprint(b.DO, b.Row, "gone")
	case len(b.Removed) > 0:
		return fmt.Sprint(b.DO, b.Row, b.Removed)
	}
	return fmt.Sprint(b.DO, b.Row, hexOf(b.Fields))
}

// asker is who asks for everything.
var asker = do.AI(do.WellKnown(7))

// do runs a request.
func (w *twin) do(b wire.Body) answer {
	switch b := b.(type) {
	case *wire.DBCreate:
		return w.create(b)
	case *wire.DBGet:
		return w.get(b)
	case *wire.DBSet:
		return w.set(b)
	case *wire.DBDelete:
		return w.remove(b)
	}
	return answer{}
}

// answered is the answer that a message is, and to which request; ok is false if it is none.
func answered(m *wire.Message) (context uint32, a answer, ok bool) {
	switch b := m.Body.(type) {
	case *wire.Done:
		return b.Context, answer{row: b.Row}, true
	case *wire.Failed:
		return b.Context, answer{code: b.Code, fields: hexOf(b.Fields)}, true
	case *wire.DBObject:
		return b.Context, answer{row: b.Row, fields: hexOf(b.Fields)}, true
	}
	return 0, answer{}, false
}

// drawn draws a request about one of a few objects.
func drawn(t *rapid.T, class *do.Class, context uint32) wire.Body {
	id := do.NewID(1, 1, uint64(rapid.IntRange(1, 4).Draw(t, "object")))
	var stored []fields.Number
	for _, name := range []string{"Name", "HP", "Gold", "Hat"} {
		stored = append(stored, class.FieldByName(name).Number)
	}
	all := append(slices.Clone(stored), class.FieldByName("Mood").Number)
	number := func(from []fields.Number) fields.Number { return rapid.SampledFrom(from).Draw(t, "field") }
	numbers := func(from []fields.Number) []fields.Number {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, "fields")
	}
	values := func(from []fields.Number, most int) fields.Map {
		var pairs []fields.Pair
		for range rapid.IntRange(0, most).Draw(t, "values") {
			n := number(from)
			v := fields.AppendInt(nil, int64(rapid.IntRange(0, 2).Draw(t, "value")))
			if n == class.FieldByName("Name").Number {
				v = fields.AppendString(nil, rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name"))
			}
			pairs = append(pairs, fields.Pair{Number: n, Value: v})
		}
		return fields.MapOf(pairs...)
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		return &wire.DBCreate{Context: context, DO: id, Class: class.Number(), Fields: values(all, 3)}
	case 2:
		return &wire.DBDelete{Context: context, DO: id}
	case 3, 4:
		return &wire.DBGet{Context: context, DO: id, Fields: numbers(all)}
	}
	b := &wire.DBSet{Context: context, DO: id, Fields: values(all, 3)}
	switch rapid.IntRange(0, 5).Draw(t, "condition") {
	case 0:
		b.Delete = numbers(all)
	case 1:
		b.Expect = values(stored, 2)
	case 2:
		b.Absent = numbers(stored)
	case 3:
		b.Row = uint64(rapid.IntRange(0, 3).Draw(t, "row"))
	}
	return b
}

// Whatever the order in which batches come back, every request has exactly one answer, and it is the one of requests
// that are done one after the other as they came.
func TestRules143And149AsOneAfterTheOther(t *testing.T) {
	schema := schemaOf(t, tavern(t))
	rapid.Check(t, func(t *rapid.T) {
		mem := NewMemory()
		_, err := mem.SetSchema(context.Background(), 0, schema)
		require.NoError(t, err)
		s, err := New(Config{Partitions: 1, Workers: rapid.IntRange(1, 3).Draw(t, "workers"), Batch: rapid.IntRange(1, 4).Draw(t, "batch")})
		require.NoError(t, err)
		w := &twin{class: schema.Class("Avatar"), rows: make(map[do.ID]*twinRow)}
		var out wire.Outbox
		var work []Work
		tick := func() {
			require.NoError(t, s.Step(wire.Message{Body: &wire.Tick{}}, &out))
			work = append(work, s.Work()...)
		}
		end := func(i int) {
			m := work[i].Run(context.Background(), mem)
			work = slices.Delete(work, i, i+1)
			require.NoError(t, s.Step(m, &out))
		}
		tick()
		end(0)
		want := make(map[uint32]answer)
		var announced []string
		for n := range rapid.IntRange(1, 40).Draw(t, "requests") {
			b := drawn(t, w.class, uint32(n+1))
			want[uint32(n+1)] = w.do(b)
			_ = s.Step(wire.Message{From: asker, Body: b}, &out)
			if rapid.Bool().Draw(t, "tick") {
				tick()
			}
			if len(work) > 0 && rapid.Bool().Draw(t, "end") {
				end(rapid.IntRange(0, len(work)-1).Draw(t, "which"))
			}
		}
		for tick(); len(work) > 0; tick() {
			end(len(work) - 1)
		}
		require.True(t, s.Idle())
		require.Empty(t, s.lines)
		require.Empty(t, s.batches)
		require.Zero(t, s.waiting)
		for i := range out.Messages {
			context, a, ok := answered(&out.Messages[i])
			if !ok {
				if _, schema := out.Messages[i].Body.(*wire.SchemaRecord); !schema {
					announced = append(announced, announcement(&out.Messages[i]))
				}
				continue
			}
			expected, once := want[context]
			require.True(t, once, "request %d has two answers, or never was: %v", context, out.Messages[i])
			require.Equal(t, expected, a, "request %d", context)
			delete(want, context)
		}
		require.Empty(t, want, "requests without answer")
		// Of one object in order, of several in whatever order.
		slices.Sort(announced)
		slices.Sort(w.announced)
		require.Equal(t, w.announced, announced)
	})
}

// A backend that fails now and then leaves no request without its one answer, and no line behind.
func TestRule143OneAnswerWhateverFails(t *testing.T) {
	schema := schemaOf(t, tavern(t))
	rapid.Check(t, func(t *rapid.T) {
		mem := NewMemory()
		_, err := mem.SetSchema(context.Background(), 0, schema)
		require.NoError(t, err)
		s, err := New(Config{Partitions: 1, Workers: 2, Batch: 3, Waiting: 12})
		require.NoError(t, err)
		var out wire.Outbox
		var work []Work
		run := func(most int) {
			require.NoError(t, s.Step(wire.Message{Body: &wire.Tick{}}, &out))
			for work = append(work, s.Work()...); len(work) > 0 && most > 0; most-- {
				require.NoError(t, s.Step(work[0].Run(context.Background(), mem), &out))
				work = work[1:]
			}
		}
		open := make(map[uint32]bool)
		for n := range rapid.IntRange(1, 60).Draw(t, "requests") {
			mem.Fail(nil)
			if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
				mem.Fail(ErrUnavailable)
			}
			open[uint32(n+1)] = true
			_ = s.Step(wire.Message{From: asker, Body: drawn(t, schema.Class("Avatar"), uint32(n+1))}, &out)
			run(rapid.IntRange(0, 3).Draw(t, "run"))
		}
		mem.Fail(nil)
		for range 100 {
			run(10)
		}
		require.True(t, s.Idle())
		require.Empty(t, s.lines)
		require.Zero(t, s.waiting)
		for i := range out.Messages {
			if context, _, ok := answered(&out.Messages[i]); ok {
				require.True(t, open[context], "request %d has two answers", context)
				delete(open, context)
			}
		}
		require.Empty(t, open)
	})
}
