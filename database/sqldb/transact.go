package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
)

// compileTransaction appends the job of a transaction over several objects.
func (b *batch) compileTransaction(op *database.Op, result *database.Result, epochs map[do.Partition]uint32, classes map[do.ID]string) error {
	if err := database.CheckParts(op); err != nil {
		return err
	}
	t := &several{d: b.d, op: op, result: result, results: make([]database.Result, len(op.Parts))}
	for i := range op.Parts {
		part := &op.Parts[i]
		err := checkEpoch(part, epochs)
		var j *job
		if err == nil {
			j, err = b.job(part, &t.results[i], classes)
		}
		if err != nil {
			err = t.refuse(i, err)
			b.jobs = append(b.jobs, &job{op: op, result: result, script: func(ctx context.Context, tx transaction) error {
				return t.doneBefore(ctx, tx, err)
			}})
			return nil
		}
		if j.guarded != nil {
			j = j.guarded
		}
		if j.guard == nil && part.Kind != database.OpCreate {
			// So that nothing is written before it is known that all parts can be.
			j.guardRow(b.d, b.tables.of(t.results[i].Class), nil)
			j.judge = j.judgeVersion
		}
		t.parts = append(t.parts, j)
	}
	b.jobs = append(b.jobs, &job{op: op, result: result, script: t.run})
	return nil
}

// several is a transaction over several objects. It goes to the server in two groups of statements: the first reads
// and locks what is compared, the second writes, the outcome record with it. So a condition that does not hold has
// written nothing.
type several struct {
	d       dialect
	op      *database.Op
	result  *database.Result
	parts   []*job            // as op.Parts
	results []database.Result // of the parts
}

func (t *several) run(ctx context.Context, tx transaction) error {
	decided, err := t.check(ctx, tx)
	if err != nil || decided {
		return err
	}
	return t.write(ctx, tx)
}

// doneBefore ends a transaction that cannot be done, unless it was decided before, when it could be.
func (t *several) doneBefore(ctx context.Context, tx transaction, refusal error) error {
	answers, err := exchange(ctx, tx, []statement{outcomeOf(t.d, t.op.ID)})
	if err != nil {
		return err
	}
	committed, known, err := readOutcome(answers[0])
	switch {
	case err != nil:
		return err
	case !known:
		fail(t.op, t.result, refusal)
		return nil
	}
	*t.result = database.Result{Committed: committed}
	if !committed {
		return database.ErrAborted
	}
	return nil
}

// check reads the outcome record, and then, in the order of the ids, what the parts compare: two transactions that are
// under way at once lock their rows in the same order.
func (t *several) check(ctx context.Context, tx transaction) (decided bool, err error) {
	statements := []statement{outcomeOf(t.d, t.op.ID)}
	var guarded []int
	for i, p := range t.parts {
		if p.guard != nil {
			guarded = append(guarded, i)
		}
	}
	slices.SortFunc(guarded, func(a, b int) int { return t.op.Parts[a].ID.Compare(t.op.Parts[b].ID) })
	for _, i := range guarded {
		statements = append(statements, *t.parts[i].guard)
	}
	answers, err := exchange(ctx, tx, statements)
	if err != nil {
		return false, err
	}
	if committed, known, err := readOutcome(answers[0]); err != nil || known {
		t.result.Committed = committed
		if err == nil && !committed {
			err = database.ErrAborted
		}
		return true, err
	}
	for n, i := range guarded {
		if err := t.parts[i].judge(answers[n+1]); err != nil {
			return false, t.refuse(i, err)
		}
	}
	return false, nil
}

// write makes the outcome record and does the parts. The record comes first: if somebody has decided the transaction
// meanwhile, who asks for it waits at the record for the end of the other.
func (t *several) write(ctx context.Context, tx transaction) error {
	statements := []statement{decide(t.d, t.op.ID, true)}
	owner := []int{-1}
	for i, p := range t.parts {
		for _, s := range p.statements {
			statements, owner = append(statements, s), append(owner, i)
		}
	}
	if prune := t.op.ID[15] == 0; prune {
		statements, owner = append(statements, forgetOutcomes(t.d)), append(owner, -1)
	}
	answers, err := exchange(ctx, tx, statements)
	var at *statementError
	if errors.As(err, &at) && at.n > 0 && owner[at.n] >= 0 {
		i := owner[at.n]
		return t.refuse(i, t.parts[i].explain(at.err))
	}
	if err != nil {
		return err
	}
	if len(answers[0]) == 0 {
		return fmt.Errorf("%w: transaction %s was decided meanwhile", errAgain, t.op.ID)
	}
	next := 1
	rows := make([]database.Row, len(t.parts))
	for i, p := range t.parts {
		n := len(p.statements)
		if err := p.finish(answers[next : next+n]); err != nil {
			return t.refuse(i, &refusedError{err}) // what was written before is to be undone
		}
		next += n
		rows[i] = database.Row{ID: p.op.ID, Version: p.result.Version}
	}
	t.result.Rows, t.result.Committed = rows, true
	return nil
}

// refuse makes the failure of a part that of the transaction.
func (t *several) refuse(i int, err error) error {
	t.blame(i)
	return fmt.Errorf("%s %s: %w", t.op.Parts[i].Kind, t.op.Parts[i].ID, err)
}

// blame says in the result which part is at fault.
func (t *several) blame(i int) {
	r := &t.results[i]
	t.result.Class, t.result.Version, t.result.Field, t.result.Fields = r.Class, r.Version, r.Field, r.Fields
	t.result.Rows = []database.Row{{ID: t.op.Parts[i].ID, Version: r.Version, Fields: r.Fields}}
}

// statementError is an error of one of several statements.
type statementError struct {
	n   int
	err error
}

func (e *statementError) Error() string { return e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

// exchanger is a transaction that can send several statements at once.
type exchanger interface {
	exchange(ctx context.Context, statements []statement) ([][]sqlRow, error)
}

// exchange runs statements and returns their rows. An error wraps statementError.
func exchange(ctx context.Context, tx transaction, statements []statement) ([][]sqlRow, error) {
	if together, ok := tx.(exchanger); ok {
		return together.exchange(ctx, statements)
	}
	answers := make([][]sqlRow, len(statements))
	for i, s := range statements {
		rows, err := tx.query(ctx, s)
		if err != nil {
			return nil, &statementError{i, err}
		}
		answers[i] = rows
	}
	return answers, nil
}

// The outcome records. A transaction that is in the table is decided: whoever decides it inserts its id first.

func outcomeOf(d dialect, id do.ID) statement {
	q := builder{d: d}
	q.text("SELECT committed FROM otpd_outcome WHERE tx = %s", q.param(d.id(id)))
	return q.statement()
}

// decide answers with no row if the transaction was decided before.
func decide(d dialect, id do.ID, committed bool) statement {
	q := builder{d: d}
	q.text("INSERT INTO otpd_outcome (tx, committed, decided) VALUES (%s, %s, %s) ON CONFLICT (tx) DO NOTHING RETURNING 1",
		q.param(d.id(id)), q.param(d.scalarParam(committed)), d.now())
	return q.statement()
}

// forgetOutcomes deletes what nobody will ask for any more. It runs with every 256th transaction.
func forgetOutcomes(d dialect) statement {
	return statement{sql: "DELETE FROM otpd_outcome WHERE decided < " + d.ago(int(database.OutcomeLife.Hours())) + " RETURNING 1"}
}

// readOutcome reads the answer of outcomeOf.
func readOutcome(rows []sqlRow) (committed, known bool, err error) {
	if len(rows) == 0 {
		return false, false, nil
	}
	switch v := rows[0][0].(type) {
	case bool:
		return v, true, nil
	case int64:
		return v != 0, true, nil
	}
	return false, false, fmt.Errorf("%w: otpd_outcome has %v", database.ErrValue, rows[0])
}

// outcomeJob is the job of a question for an outcome: it decides what is not decided yet.
func outcomeJob(d dialect, op *database.Op, result *database.Result) *job {
	return &job{op: op, result: result, script: func(ctx context.Context, tx transaction) error {
		if _, err := exchange(ctx, tx, []statement{decide(d, op.ID, false)}); err != nil {
			return err
		}
		answers, err := exchange(ctx, tx, []statement{outcomeOf(d, op.ID)})
		if err != nil {
			return err
		}
		committed, known, err := readOutcome(answers[0])
		if err == nil && !known {
			err = fmt.Errorf("%w: the outcome of %s is not there", errAgain, op.ID)
		}
		result.Committed = committed
		return err
	}}
}
