package database

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// WorkKind says what a work is.
type WorkKind uint8

// The kinds of work.
const (
	WorkBatch       WorkKind = iota // run operations in one transaction
	WorkReadSchema                  // read the schema record
	WorkWriteSchema                 // change the tables and the schema record
	WorkProbe                       // ask whether it takes writes again
)

// Work is what a State wants of its backend.
type Work struct {
	Number uint32 // names it in its outcome; never 0
	Kind   WorkKind
	Schema *do.Schema // batch: of the classes that operations leave out; write: the new one
	Ops    []Op       // batch
	Expect uint64     // write: version of the record that is changed
	Manual bool       // write: only if the tables are as they must be
}

// Run has a backend do the work and returns the outcome, which is the State's next input. It never fails: that the
// database is away is an outcome.
func (w *Work) Run(ctx context.Context, b Backend) wire.Message {
	m := wire.Message{From: service}
	switch w.Kind {
	case WorkReadSchema:
		m.Body = w.readSchema(ctx, b)
	case WorkWriteSchema:
		m.Body = w.writeSchema(ctx, b)
	case WorkProbe:
		m.Body = w.probe(ctx, b)
	default:
		m.Body = w.batch(ctx, b)
	}
	return m
}

func (w *Work) readSchema(ctx context.Context, b Backend) *wire.DBSchemaIs {
	record, err := b.Schema(ctx)
	if err != nil {
		return &wire.DBSchemaIs{Work: w.Number, Code: wire.CodeAway, Reason: err.Error()}
	}
	return &wire.DBSchemaIs{Work: w.Number, Version: uint32(record.Version), Text: record.Text}
}

func (w *Work) writeSchema(ctx context.Context, b Backend) *wire.DBSchemaIs {
	is := &wire.DBSchemaIs{Work: w.Number}
	if w.Manual {
		plan, err := b.Plan(ctx, w.Schema)
		if n := len(plan.Additive) + len(plan.Destructive); err == nil && n > 0 {
			is.Code = wire.CodeSchema
			is.Reason = fmt.Sprintf("the database's tables need %d changes first: run otpd migrate up with this schema (%s, ...)",
				n, append(plan.Additive, plan.Destructive...)[0])
			return is
		}
	}
	version, err := b.SetSchema(ctx, w.Expect, w.Schema)
	switch {
	case err == nil:
		is.Version, is.Text = uint32(version), w.Schema.Text()
		return is
	case errors.Is(err, ErrSchemaVersion):
		is.Code = wire.CodeConflict
	case errors.Is(err, ErrDestructive), errors.Is(err, ErrSchema):
		is.Code = wire.CodeSchema
	default:
		is.Code = w.refusalOf(ctx, b, err)
	}
	is.Reason = err.Error()
	return is
}

// probe writes something that changes nothing.
func (w *Work) probe(ctx context.Context, b Backend) *wire.DBWorked {
	worked := &wire.DBWorked{Work: w.Number}
	if err := b.Probe(ctx); err != nil {
		worked.Code, worked.Text = w.refusalOf(ctx, b, err), detail(err)
	}
	return worked
}

// refusalOf says why the database did not take a write: CodeReadOnly or CodeDiskFull if it can be read, else CodeAway.
func (w *Work) refusalOf(ctx context.Context, b Backend, why error) wire.Code {
	code := wire.CodeReadOnly
	switch {
	case errors.Is(why, ErrFull):
		code = wire.CodeDiskFull
	case !errors.Is(why, ErrDenied):
		return wire.CodeAway
	}
	if _, err := b.Schema(ctx); err != nil {
		return wire.CodeAway
	}
	return code
}

// batch runs the operations together. Where the backend refuses the batch as a whole for another reason than that it
// is away, they are run one by one, so that the one at fault does not take the others with it.
func (w *Work) batch(ctx context.Context, b Backend) *wire.DBWorked {
	worked := &wire.DBWorked{Work: w.Number}
	results, err := b.Do(ctx, w.Schema, w.Ops)
	if err == nil && len(results) != len(w.Ops) {
		err = fmt.Errorf("database: %d results for %d operations: %w", len(results), len(w.Ops), ErrUnavailable)
	}
	switch {
	case err == nil:
		for i := range results {
			worked.Results = append(worked.Results, resultOf(w.Ops[i].Kind, &results[i]))
		}
	case errors.Is(err, ErrFull), errors.Is(err, ErrDenied):
		w.refused(ctx, b, err, worked)
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrNewer):
		worked.Code, worked.Text = wire.CodeAway, err.Error()
	default:
		for i := range w.Ops {
			worked.Results = append(worked.Results, w.alone(ctx, b, i))
		}
	}
	return worked
}

// maxAlone is how many writes of a batch are tried one by one on a disk that is full: some may fit, as deletions do.
const maxAlone = 8

// refused ends a batch whose writes the database does not take. If it can be read, what only reads is served, and each
// write has its refusal; else it is away, for the reason that it gives.
func (w *Work) refused(ctx context.Context, b Backend, why error, worked *wire.DBWorked) {
	code, left := w.refusalOf(ctx, b, why), 0
	switch code {
	case wire.CodeAway:
		worked.Code, worked.Text = code, why.Error()
		return
	case wire.CodeDiskFull:
		left = maxAlone
	}
	for i := range w.Ops {
		if w.Ops[i].Kind.writes() && left <= 0 {
			worked.Results = append(worked.Results, wire.DBResult{Class: wire.AnyClass, Code: code, Text: detail(why)})
			continue
		}
		r := w.alone(ctx, b, i)
		if r.Code == code {
			left--
		}
		worked.Results = append(worked.Results, r)
	}
}

// alone runs one operation of a batch.
func (w *Work) alone(ctx context.Context, b Backend, i int) wire.DBResult {
	results, err := b.Do(ctx, w.Schema, w.Ops[i:i+1])
	if err == nil && len(results) != 1 {
		err = ErrUnavailable
	}
	if err != nil {
		results = []Result{{Err: fmt.Errorf("database: %s %s alone: %w", w.Ops[i].Kind, w.Ops[i].ID, err)}}
	}
	return resultOf(w.Ops[i].Kind, &results[0])
}

// resultOf is a result as it travels.
func resultOf(kind OpKind, r *Result) wire.DBResult {
	out := wire.DBResult{Class: wire.AnyClass, Row: r.Version, Field: r.Field, Fields: r.Fields}
	if r.Class != nil {
		out.Class = r.Class.Number()
	}
	if r.Err != nil {
		out.Code, out.Text = codeOf(kind, r.Err), detail(r.Err)
	}
	if r.Committed {
		out.Row = 1
	}
	for _, row := range r.Rows {
		out.Rows = append(out.Rows, wire.DBRow{DO: row.ID, Row: row.Version, Fields: row.Fields})
	}
	return out
}

// outcomes are the errors of one operation and their codes.
var outcomes = []struct {
	err  error
	code wire.Code
}{
	{ErrNotFound, wire.CodeNoObject},
	{ErrExists, wire.CodeExists},
	{ErrUnique, wire.CodeUnique},
	{ErrVersion, wire.CodeConflict},
	{ErrCondition, wire.CodeConflict},
	{ErrEpoch, wire.CodeEpoch},
	{ErrClass, wire.CodeNoClass},
	{ErrField, wire.CodeNoField},
	{ErrNotIndexed, wire.CodeNoField},
	{ErrAborted, wire.CodeTimeout},
	{ErrReadOnly, wire.CodeReadOnly},
	{ErrFull, wire.CodeDiskFull},
}

// detail is what there is to say beyond the operation, the id and the code, which an answer has anyway.
func detail(err error) string {
	behind := func(known error) string {
		_, text, _ := strings.Cut(err.Error(), known.Error())
		return strings.TrimPrefix(text, ": ")
	}
	for _, known := range outcomes {
		if errors.Is(err, known.err) {
			return behind(known.err)
		}
	}
	if errors.Is(err, ErrDenied) {
		return behind(ErrDenied)
	}
	return err.Error()
}

// codeOf is the code of the outcome of one operation. What is not known is for the asker to try again, as are tables
// that do not fit the schema (ErrSchema): somebody has changed them by hand, and may put them right again. A transaction is
// told so: until then its objects would be held still. That a table is not to be written is no news of the others.
func codeOf(kind OpKind, err error) wire.Code {
	for _, known := range outcomes {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	switch {
	case errors.Is(err, ErrValue):
		return valueCode(err)
	case errors.Is(err, ErrDenied) && kind.writes():
		return wire.CodeReadOnly
	case errors.Is(err, ErrSchema) && kind == OpTransact:
		return wire.CodeSchema
	}
	return wire.CodeAway
}
