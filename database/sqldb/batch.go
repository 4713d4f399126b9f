package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
)

// transaction runs statements within one transaction of either database.
type transaction interface {
	// query runs a statement to its end and returns its rows.
	query(ctx context.Context, s statement) ([]sqlRow, error)
	// undoesStatements reports whether a statement that fails is undone by itself, and the transaction goes on.
	undoesStatements() bool
	// savepoint begins a part of the transaction that can be undone alone; undo of none fails.
	savepoint(ctx context.Context) error
	release(ctx context.Context) error
	undo(ctx context.Context) error
}

// tables makes the table of a class once.
type tables struct {
	d  dialect
	mu sync.Mutex
	// Guarded by mu.
	made map[*do.Class]*table
}

// maxTables bounds what is kept of classes of earlier schemas.
const maxTables = 4096

// of returns the table of c, nil if nothing of it is stored.
func (ts *tables) of(c *do.Class) *table {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t, ok := ts.made[c]
	if !ok {
		if ts.made == nil || len(ts.made) >= maxTables {
			ts.made = map[*do.Class]*table{}
		}
		t = newTable(ts.d, c)
		ts.made[c] = t
	}
	return t
}

// batch is the operations of one Do on their way through a transaction. It is made anew for each attempt.
type batch struct {
	d       dialect
	tables  *tables
	schema  *do.Schema
	ops     []database.Op
	results []database.Result
	jobs    []*job // those that are to be run, in the order of ops
}

// isWrite reports whether an operation changes anything.
func isWrite(op *database.Op) bool {
	return op.Kind == database.OpCreate || op.Kind == database.OpSet || op.Kind == database.OpDelete
}

func readsOnly(ops []database.Op) bool {
	return !slices.ContainsFunc(ops, func(op database.Op) bool {
		return isWrite(&op) || op.Kind == database.OpTransact || op.Kind == database.OpOutcome
	})
}

// each calls f with every operation about an object, those within transactions among them.
func (b *batch) each(f func(op *database.Op)) {
	for i := range b.ops {
		switch op := &b.ops[i]; op.Kind {
		case database.OpTransact:
			for j := range op.Parts {
				f(&op.Parts[j])
			}
		case database.OpOutcome:
		default:
			f(op)
		}
	}
}

// prepare checks the epochs, finds the classes that operations leave out, and compiles the operations.
func (b *batch) prepare(ctx context.Context, tx transaction) error {
	b.results = make([]database.Result, len(b.ops))
	b.jobs = b.jobs[:0]
	epochs, err := b.readEpochs(ctx, tx)
	if err != nil {
		return err
	}
	classes, err := b.readClasses(ctx, tx)
	if err != nil {
		return err
	}
	for i := range b.ops {
		op, result := &b.ops[i], &b.results[i]
		var err error
		switch op.Kind {
		case database.OpTransact:
			err = b.compileTransaction(op, result, epochs, classes)
		case database.OpOutcome:
			b.jobs = append(b.jobs, outcomeJob(b.d, op, result))
		default:
			if err = checkEpoch(op, epochs); err == nil {
				err = b.compile(op, result, classes)
			}
		}
		if err != nil {
			fail(op, result, err)
		}
	}
	return nil
}

// fail makes err the outcome of an operation.
func fail(op *database.Op, result *database.Result, err error) {
	result.Err = fmt.Errorf("database: %s %s: %w", op.Kind, op.ID, err)
}

// compile appends the job of an operation.
func (b *batch) compile(op *database.Op, result *database.Result, classes map[do.ID]string) error {
	j, err := b.job(op, result, classes)
	if err != nil {
		return err
	}
	b.jobs = append(b.jobs, j)
	if op.Kind == database.OpCreate {
		if _, exists := classes[op.ID]; !exists {
			classes[op.ID] = result.Class.Name()
		}
	}
	return nil
}

// job makes the job of an operation about an object.
func (b *batch) job(op *database.Op, result *database.Result, classes map[do.ID]string) (*job, error) {
	class, err := b.classOf(op, classes)
	if err != nil {
		return nil, err
	}
	t := b.tables.of(class)
	if t == nil {
		return nil, fmt.Errorf("%w: %s has no db field", database.ErrClass, class)
	}
	result.Class = class
	return newJob(b.d, t, op, result)
}

// classOf returns the class that an operation is about.
func (b *batch) classOf(op *database.Op, classes map[do.ID]string) (*do.Class, error) {
	if op.Class != nil {
		return op.Class, nil
	}
	if op.Kind != database.OpGet && op.Kind != database.OpSet && op.Kind != database.OpDelete {
		return nil, fmt.Errorf("%w: none is given", database.ErrClass)
	}
	name, ok := classes[op.ID]
	if !ok {
		return nil, database.ErrNotFound
	}
	var class *do.Class
	if b.schema != nil {
		class = b.schema.Class(name)
	}
	if class == nil {
		return nil, fmt.Errorf("%w: %s is not in the schema", database.ErrClass, name)
	}
	return class, nil
}

// readClasses returns the classes of the objects of operations that leave them out.
func (b *batch) readClasses(ctx context.Context, tx transaction) (map[do.ID]string, error) {
	classes := map[do.ID]string{}
	var ids []any
	b.each(func(op *database.Op) {
		if op.Class == nil {
			ids = append(ids, b.d.id(op.ID))
		}
	})
	for part := range slices.Chunk(ids, maxIn) {
		q := builder{d: b.d}
		q.text("SELECT otpd_id, class FROM otpd_object WHERE otpd_id IN (")
		q.list(part)
		q.text(")")
		rows, err := tx.query(ctx, q.statement())
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			id, err := r.id()
			name, ok := r[1].(string)
			if err != nil || !ok {
				return nil, fmt.Errorf("%w: otpd_object has %v", database.ErrValue, r)
			}
			classes[id] = name
		}
	}
	return classes, nil
}

// maxIn is the most parameters of one IN list.
const maxIn = 500

// list adds parameters with commas between them.
func (b *builder) list(params []any) {
	for i, p := range params {
		if i > 0 {
			b.text(", ")
		}
		b.text("%s", b.param(p))
	}
}

// readEpochs returns the epochs of the partitions that are written to, and in PostgreSQL keeps them from being raised
// until the transaction ends: so no write of an old owner is stored after RaiseEpoch returned to the new one.
func (b *batch) readEpochs(ctx context.Context, tx transaction) (map[do.Partition]uint32, error) {
	epochs := map[do.Partition]uint32{}
	var partitions []any
	b.each(func(op *database.Op) {
		p := op.ID.Partition()
		if _, known := epochs[p]; isWrite(op) && op.Epoch != 0 && !known {
			epochs[p] = 0
			partitions = append(partitions, int64(p))
		}
	})
	// In ascending order, as RaiseEpoch does: the locks of two transactions are then taken in the same order.
	slices.SortFunc(partitions, func(a, b any) int { return int(a.(int64) - b.(int64)) })
	for part := range slices.Chunk(partitions, maxIn) {
		q := builder{d: b.d}
		q.text("SELECT partition, epoch FROM otpd_partition WHERE partition IN (")
		q.list(part)
		q.text(") ORDER BY partition%s", b.d.lockShared())
		rows, err := tx.query(ctx, q.statement())
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			p, okP := asInt(r[0])
			epoch, okEpoch := asInt(r[1])
			if !okP || !okEpoch {
				return nil, fmt.Errorf("%w: otpd_partition has %v", database.ErrValue, r)
			}
			epochs[do.Partition(p)] = uint32(epoch)
		}
	}
	return epochs, nil
}

func checkEpoch(op *database.Op, epochs map[do.Partition]uint32) error {
	if !isWrite(op) || op.Epoch == 0 {
		return nil
	}
	p := op.ID.Partition()
	if epochs[p] != op.Epoch {
		return fmt.Errorf("%w: partition %d has epoch %d, the writer %d", database.ErrEpoch, p, epochs[p], op.Epoch)
	}
	return nil
}

// outcome sets the result of a job from the error that a statement or its judge returned, and reports whether that is
// an outcome at all: if not, err ends the whole batch.
func (j *job) outcome(err error) bool {
	if err == nil {
		return true
	}
	for _, known := range []error{
		database.ErrNotFound, database.ErrExists, database.ErrUnique, database.ErrVersion,
		database.ErrCondition, database.ErrField, database.ErrValue, database.ErrSchema, database.ErrAborted,
	} {
		if errors.Is(err, known) {
			fail(j.op, j.result, err)
			return true
		}
	}
	var refused *refusedError
	if errors.As(err, &refused) && errors.Is(err, database.ErrDenied) { // not to us, or not at all; others' tables may be written
		fail(j.op, j.result, err)
		return true
	}
	return false
}

// runEach runs the jobs one after the other, each within a savepoint where one is needed: PostgreSQL gives up a
// transaction after any statement that failed, be it a read; SQLite needs one for jobs of several statements.
func (b *batch) runEach(ctx context.Context, tx transaction) error {
	for _, j := range b.jobs {
		if err := j.runAlone(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) runAlone(ctx context.Context, tx transaction) error {
	if len(j.statements) == 1 && j.script == nil && tx.undoesStatements() { // of two only one changes anything
		return ignoreOutcome(j, j.run(ctx, tx))
	}
	if err := tx.savepoint(ctx); err != nil {
		return err
	}
	err := j.run(ctx, tx)
	if err == nil {
		return tx.release(ctx)
	}
	if !j.outcome(err) {
		return err
	}
	return tx.undo(ctx)
}

// ignoreOutcome returns err unless it is the outcome of the job.
func ignoreOutcome(j *job, err error) error {
	if j.outcome(err) {
		return nil
	}
	return err
}

// run runs the statements of a job and reads the answers.
func (j *job) run(ctx context.Context, tx transaction) error {
	if err := j.runOnce(ctx, tx); err != nil || !j.missed {
		return err
	}
	j.missed = false
	return j.guarded.runOnce(ctx, tx)
}

func (j *job) runOnce(ctx context.Context, tx transaction) error {
	if j.script != nil {
		return j.script(ctx, tx)
	}
	if err := j.runGuard(ctx, tx); err != nil {
		return err
	}
	answers := make([][]sqlRow, len(j.statements))
	for i, s := range j.statements {
		rows, err := tx.query(ctx, s)
		if err != nil {
			return j.explain(err)
		}
		answers[i] = rows
	}
	return j.finish(answers)
}

func (j *job) runGuard(ctx context.Context, tx transaction) error {
	if j.guard == nil {
		return nil
	}
	rows, err := tx.query(ctx, *j.guard)
	if err != nil {
		return err
	}
	return j.judge(rows)
}

// uniqueError is a unique violation as the driver tells it.
type uniqueError struct {
	index  string // PostgreSQL: the name of the index
	column string // SQLite: the column, as table.column
}

func (e *uniqueError) Error() string { return "unique violation of " + e.index + e.column }

// explain turns a unique violation into what it means for the job.
func (j *job) explain(err error) error {
	var violation *uniqueError
	if !errors.As(err, &violation) {
		return err
	}
	class := j.result.Class
	for _, f := range class.Fields() {
		if violation.column == class.Name()+"."+f.Name || violation.index == indexName(class.Name(), f.Name, true) {
			j.result.Field = f.Number
			return &refusedError{fmt.Errorf("%w: %s", database.ErrUnique, f)}
		}
	}
	return &refusedError{database.ErrExists}
}
