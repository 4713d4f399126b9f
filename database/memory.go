package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Memory is a Backend that keeps everything in memory, for simulations and tests: it passes the suite that the others
// pass, has no clock and no randomness, and can be made to fail. What it keeps ends with it.
type Memory struct {
	mu sync.Mutex
	// Guarded by mu.
	fail    error // of every call
	refuse  error // of writes
	cluster Cluster
	epochs  map[do.Partition]uint32
	epoch   uint32 // given last
	record  SchemaRecord
	tables  map[string]memoryTable
	objects map[do.ID]*memoryRow
	unique  map[memoryKey]do.ID
	// outcomes of transactions: whether they were done. None is forgotten, since there is no clock.
	outcomes map[do.ID]bool
}

// memoryRow is one object.
type memoryRow struct {
	class   string
	version uint64
	values  map[string][]byte // by the field's name; in normal form, never changed in place
}

// memoryTable is what there is for a class: its columns by name.
type memoryTable map[string]memoryColumn

// memoryColumn is where the values of a field are kept.
type memoryColumn struct {
	decl          string
	index, unique bool
}

// memoryKey is a value that only one object may have.
type memoryKey struct{ class, field, value string }

var _ Backend = (*Memory)(nil)

// NewMemory returns an empty database.
func NewMemory() *Memory {
	return &Memory{
		epochs:   make(map[do.Partition]uint32),
		tables:   make(map[string]memoryTable),
		objects:  make(map[do.ID]*memoryRow),
		unique:   make(map[memoryKey]do.ID),
		outcomes: make(map[do.ID]bool),
	}
}

// Fail makes every call fail with err, which usually is ErrUnavailable, until it is called with nil.
func (b *Memory) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// Refuse makes every write fail with err, which usually is ErrReadOnly or ErrFull, until it is called with nil.
func (b *Memory) Refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = err
}

// Probe implements Backend.
func (b *Memory) Probe(ctx context.Context) error {
	if err := b.beginWrite(ctx); err != nil {
		return err
	}
	b.mu.Unlock()
	return nil
}

// begin locks b for a call, and fails where there is none to be had.
func (b *Memory) begin(ctx context.Context) error {
	b.mu.Lock()
	err := b.fail
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if err != nil {
		b.mu.Unlock()
		return fmt.Errorf("database: memory: %w", err)
	}
	return nil
}

// beginWrite is begin for a call that writes.
func (b *Memory) beginWrite(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	if b.refuse != nil {
		b.mu.Unlock()
		return fmt.Errorf("database: memory: %w", b.refuse)
	}
	return nil
}

// Do implements Backend.
func (b *Memory) Do(ctx context.Context, s *do.Schema, ops []Op) ([]Result, error) {
	if len(ops) > MaxBatch {
		return nil, fmt.Errorf("database: do: %w: %d operations in a batch, at most %d", ErrValue, len(ops), MaxBatch)
	}
	begin := b.begin
	if slices.ContainsFunc(ops, func(op Op) bool { return op.Kind.writes() }) {
		begin = b.beginWrite
	}
	if err := begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	results := make([]Result, len(ops))
	for i := range ops {
		if err := b.run(s, &ops[i], &results[i]); err != nil {
			results[i].Err = fmt.Errorf("database: %s %s: %w", ops[i].Kind, ops[i].ID, err)
		}
	}
	return results, nil
}

// run runs one operation; an error means that it changed nothing.
func (b *Memory) run(s *do.Schema, op *Op, r *Result) error {
	switch op.Kind {
	case OpTransact:
		return b.transact(s, op, r)
	case OpOutcome:
		return b.outcome(op, r)
	}
	writes := op.Kind == OpCreate || op.Kind == OpSet || op.Kind == OpDelete
	if p := op.ID.Partition(); writes && op.Epoch != 0 && b.epochs[p] != op.Epoch {
		return fmt.Errorf("%w: partition %d has epoch %d, the writer %d", ErrEpoch, p, b.epochs[p], op.Epoch)
	}
	class, err := b.classOf(s, op)
	if err != nil {
		return err
	}
	if !stores(class) {
		return fmt.Errorf("%w: %s has no db field", ErrClass, class)
	}
	r.Class = class
	if err := b.migrated(class); err != nil {
		return err
	}
	switch op.Kind {
	case OpCreate:
		return b.create(class, op, r)
	case OpFind:
		return b.find(class, op, r)
	case OpList:
		return b.page(class, op, r, func(*memoryRow) bool { return true })
	}
	row := b.objects[op.ID]
	if row == nil || row.class != class.Name() {
		// What is wrong with the operation itself comes before that its object is missing.
		if err := checkOp(class, op); err != nil {
			return err
		}
		return ErrNotFound
	}
	switch op.Kind {
	case OpGet:
		r.Version, r.Fields = row.version, row.wanted(class, op)
		return nil
	case OpSet:
		return b.set(class, row, op, r)
	case OpDelete:
		return b.remove(row, op, r)
	}
	return fmt.Errorf("%w: kind %d", ErrField, op.Kind)
}

// classOf is the class that an operation is about.
func (b *Memory) classOf(s *do.Schema, op *Op) (*do.Class, error) {
	if op.Class != nil {
		return op.Class, nil
	}
	if op.Kind != OpGet && op.Kind != OpSet && op.Kind != OpDelete {
		return nil, fmt.Errorf("%w: none is given", ErrClass)
	}
	row := b.objects[op.ID]
	if row == nil {
		return nil, ErrNotFound
	}
	if s != nil {
		if c := s.Class(row.class); c != nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: %s is not in the schema", ErrClass, row.class)
}

// checkOp checks what a set says whatever the row.
func checkOp(class *do.Class, op *Op) error {
	if op.Kind != OpSet {
		return nil
	}
	if _, err := normalAll(class, op.Equals); err != nil {
		return err
	}
	if _, err := normalAll(class, op.Fields); err != nil {
		return err
	}
	for _, n := range append(slices.Clone(op.Unset), op.Empty...) {
		if _, err := storedField(class, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *Memory) create(class *do.Class, op *Op, r *Result) error {
	if b.objects[op.ID] != nil {
		return ErrExists
	}
	values, err := normalAll(class, op.Fields)
	if err != nil {
		return err
	}
	row := &memoryRow{class: class.Name(), version: 1, values: make(map[string][]byte)}
	if err := b.write(class, op.ID, row, values, nil, r); err != nil {
		return err
	}
	b.objects[op.ID] = row
	r.Version = 1
	return nil
}

func (b *Memory) set(class *do.Class, row *memoryRow, op *Op, r *Result) error {
	if err := checkOp(class, op); err != nil {
		return err
	}
	if op.Expect != 0 && op.Expect != row.version {
		r.Version = row.version
		return fmt.Errorf("%w: %d, expected %d", ErrVersion, row.version, op.Expect)
	}
	if err := compare(class, row, op, r); err != nil {
		return err
	}
	values, err := normalAll(class, op.Fields)
	if err != nil {
		return err
	}
	if err := b.write(class, op.ID, row, values, op.Unset, r); err != nil {
		return err
	}
	row.version++
	r.Version = row.version
	return nil
}

// compare fails with what is there if the conditions of a set do not hold (rules 146, 147). Equals wins over Empty.
func compare(class *do.Class, row *memoryRow, op *Op, r *Result) error {
	equals, err := normalAll(class, op.Equals)
	if err != nil {
		return err
	}
	var there []fields.Pair
	holds := true
	for _, f := range class.Fields() {
		want, equal := equals.Get(f.Number)
		if !equal && !slices.Contains(op.Empty, f.Number) {
			continue
		}
		have := row.values[f.Name]
		if have == nil && equal && op.Initial && f.Initial() != nil {
			if have, err = normal(f, f.Initial()); err != nil {
				return err
			}
		}
		holds = holds && bytes.Equal(have, want)
		if have != nil {
			there = append(there, fields.Pair{Number: f.Number, Value: have})
		}
	}
	if holds {
		return nil
	}
	r.Version, r.Fields = row.version, fields.MapOf(there...)
	return ErrCondition
}

// write changes the values of a row, unless that would give two objects one unique value. A value wins over unset.
func (b *Memory) write(class *do.Class, id do.ID, row *memoryRow, values fields.Map, unset []fields.Number, r *Result) error {
	table := b.tables[class.Name()]
	for it := values.Iter(); it.Next(); {
		f := class.Field(it.Number())
		if other, taken := b.unique[memoryKey{row.class, f.Name, string(it.Value())}]; taken && other != id && table[f.Name].unique {
			r.Field = f.Number
			return fmt.Errorf("%w: %s", ErrUnique, f)
		}
	}
	for _, n := range unset {
		if _, given := values.Get(n); !given {
			b.put(row, id, class.Field(n).Name, nil)
		}
	}
	for it := values.Iter(); it.Next(); {
		b.put(row, id, class.Field(it.Number()).Name, slices.Clone(it.Value()))
	}
	return nil
}

// put changes one value of a row; nil makes it absent.
func (b *Memory) put(row *memoryRow, id do.ID, name string, value []byte) {
	if b.tables[row.class][name].unique {
		if old := row.values[name]; old != nil {
			delete(b.unique, memoryKey{row.class, name, string(old)})
		}
		if value != nil {
			b.unique[memoryKey{row.class, name, string(value)}] = id
		}
	}
	if value == nil {
		delete(row.values, name)
		return
	}
	row.values[name] = value
}

func (b *Memory) remove(row *memoryRow, op *Op, r *Result) error {
	r.Version = row.version
	if op.Expect != 0 && op.Expect != row.version {
		return fmt.Errorf("%w: %d, expected %d", ErrVersion, row.version, op.Expect)
	}
	for name := range row.values {
		b.put(row, op.ID, name, nil)
	}
	delete(b.objects, op.ID)
	return nil
}

func (b *Memory) find(class *do.Class, op *Op, r *Result) error {
	f, err := storedField(class, op.Field)
	if err != nil {
		return err
	}
	if !f.Keywords.Any(fields.Index | fields.Unique) {
		return fmt.Errorf("%w: %s", ErrNotIndexed, f)
	}
	value, err := normal(f, op.Value)
	if err != nil {
		return err
	}
	return b.page(class, op, r, func(row *memoryRow) bool { return bytes.Equal(row.values[f.Name], value) })
}

// page lists the rows of a class that fit, in their order.
func (b *Memory) page(class *do.Class, op *Op, r *Result, fits func(*memoryRow) bool) error {
	order, err := memoryOrder(class, op.Order)
	if err != nil {
		return err
	}
	after := memoryPlace{id: op.After}
	if o := op.Order; o != nil && o.Value != nil {
		if after.value, err = normal(class.Field(o.Field), o.Value); err != nil {
			return err
		}
	}
	var places []memoryPlace
	for id, row := range b.objects {
		if row.class != class.Name() || !fits(row) {
			continue
		}
		p, ok := order.place(id, row)
		first := op.Order != nil && op.Order.Value == nil
		if ok && (first || order.compare(p, after) > 0) {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, order.compare)
	limit := op.Limit
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	r.Rows = make([]Row, 0, min(limit, len(places)))
	for _, p := range places[:min(limit, len(places))] {
		row := b.objects[p.id]
		r.Rows = append(r.Rows, Row{ID: p.id, Version: row.version, Fields: row.wanted(class, op)})
	}
	return nil
}

// wanted is the present ones of the wanted values.
func (row *memoryRow) wanted(class *do.Class, op *Op) fields.Map {
	var pairs []fields.Pair
	for _, f := range class.Fields() {
		value := row.values[f.Name]
		if value != nil && isStored(f) && (op.All || slices.Contains(op.Want, f.Number)) {
			pairs = append(pairs, fields.Pair{Number: f.Number, Value: value})
		}
	}
	return fields.MapOf(pairs...)
}

// Cluster implements Backend.
func (b *Memory) Cluster(ctx context.Context, want Cluster) (Cluster, error) {
	if err := b.begin(ctx); err != nil {
		return Cluster{}, err
	}
	defer b.mu.Unlock()
	if b.cluster.ID.IsZero() {
		want.Created = want.Created.UTC().Truncate(time.Microsecond)
		b.cluster = want
	}
	return b.cluster, nil
}

// RaiseEpoch implements Backend.
func (b *Memory) RaiseEpoch(ctx context.Context, partitions []do.Partition) (uint32, error) {
	if err := b.beginWrite(ctx); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	if b.epoch == math.MaxUint32 {
		return 0, errors.New("database: memory: no epoch is left")
	}
	b.epoch++
	for _, p := range partitions {
		b.epochs[p] = b.epoch
	}
	return b.epoch, nil
}

// Close implements Backend: there is nothing to give up.
func (*Memory) Close() error { return nil }
