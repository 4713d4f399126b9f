package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
)

// engine is a database of either kind.
type engine interface {
	// transact runs f in a transaction and commits, or rolls back if f fails. Where the database gave up on the
	// transaction because of others, f is called again in a new one, a few times. Errors wrap those of package database,
	// or are what f returned.
	transact(ctx context.Context, mode mode, f func(tx transaction) error) error
	close() error
}

// mode says what a transaction is for.
type mode uint8

const (
	reading mode = iota
	writing
)

// pipeline is a transaction that can send many jobs at once.
type pipeline interface {
	// together runs jobs, or fails with errApart when one fails: the transaction is then to be rolled back.
	together(ctx context.Context, jobs []*job) error
}

// errApart says that jobs must run one after the other, so that the failing one is found and undone alone.
var errApart = errors.New("sqldb: jobs must run apart")

// Backend is a database.Backend on an SQL database.
type Backend struct {
	d      dialect
	engine engine
	tables tables
}

var _ database.Backend = (*Backend)(nil)

// Open opens the database at an address:
//
//	postgres://user:password@host:port/name?sslmode=...   PostgreSQL, everything that pgx knows
//	sqlite:path/to/file                                   SQLite; the file and its folder are made if need be
//
// and makes otpd's own tables in it if they are not there. The caller ends it with Close.
func Open(ctx context.Context, address string) (*Backend, error) {
	scheme, rest, ok := strings.Cut(address, ":")
	switch {
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return OpenPostgres(ctx, address)
	case ok && scheme == "sqlite":
		return OpenSQLite(ctx, strings.TrimPrefix(rest, "//"))
	}
	return nil, fmt.Errorf("database: open: %w: want postgres://... or sqlite:PATH", database.ErrAddress)
}

// newBackend checks the format of the database behind an engine, and makes the tables of a new one.
func newBackend(ctx context.Context, d dialect, e engine) (*Backend, error) {
	b := &Backend{d: d, engine: e, tables: tables{d: d}}
	if err := b.checkFormat(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: open: %w", err), e.close())
	}
	return b, nil
}

// Close implements database.Backend.
func (b *Backend) Close() error {
	if err := b.engine.close(); err != nil {
		return fmt.Errorf("database: close: %w", err)
	}
	return nil
}

// Probe implements database.Backend.
func (b *Backend) Probe(ctx context.Context) error {
	err := b.engine.transact(ctx, writing, func(tx transaction) error {
		_, err := tx.query(ctx, statement{sql: "UPDATE otpd_meta SET format = format"})
		return err
	})
	if err != nil {
		return fmt.Errorf("database: probe: %w", err)
	}
	return nil
}

// Do implements database.Backend. PostgreSQL gets all operations between two conditions at once; when one of them
// fails it gives up the transaction, and they are all run again in a new one, each within a savepoint.
func (b *Backend) Do(ctx context.Context, s *do.Schema, ops []database.Op) ([]database.Result, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	if len(ops) > database.MaxBatch {
		return nil, fmt.Errorf("database: do: %w: %d operations in a batch, at most %d", database.ErrValue, len(ops), database.MaxBatch)
	}
	work := &batch{d: b.d, tables: &b.tables, schema: s, ops: ops}
	mode := reading
	if !readsOnly(ops) {
		mode = writing
	}
	err := b.engine.transact(ctx, mode, func(tx transaction) error { return work.runTogether(ctx, tx) })
	if errors.Is(err, errApart) {
		err = b.engine.transact(ctx, mode, func(tx transaction) error {
			if err := work.prepare(ctx, tx); err != nil {
				return err
			}
			return work.runEach(ctx, tx)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("database: do %d operations: %w", len(ops), err)
	}
	return work.results, nil
}

// runTogether runs the batch by as few exchanges with the server as the transaction can.
func (b *batch) runTogether(ctx context.Context, tx transaction) error {
	if err := b.prepare(ctx, tx); err != nil {
		return err
	}
	piped, ok := tx.(pipeline)
	if !ok {
		return b.runEach(ctx, tx)
	}
	jobs, err := b.runBulk(ctx, tx)
	if err != nil {
		return err
	}
	for rest := jobs; len(rest) > 0; {
		if rest[0].alone() {
			if err := rest[0].runGuarded(ctx, tx); err != nil {
				return err
			}
			rest = rest[1:]
			continue
		}
		n := 0
		for n < len(rest) && !rest[n].alone() {
			n++
		}
		if err := piped.together(ctx, rest[:n]); err != nil {
			return err
		}
		for _, j := range rest[:n] {
			if err := j.explainMiss(ctx, tx); err != nil {
				return err
			}
		}
		rest = rest[n:]
	}
	return nil
}

// explainMiss runs the guarded form of a job that did not find its row as it expected it.
func (j *job) explainMiss(ctx context.Context, tx transaction) error {
	if !j.missed {
		return nil
	}
	j.missed = false
	return j.guarded.runGuarded(ctx, tx)
}

// runGuarded runs a job with a condition without a savepoint: that the condition does not hold is no error to the database.
func (j *job) runGuarded(ctx context.Context, tx transaction) error {
	err := j.run(ctx, tx)
	var refused *refusedError
	if errors.As(err, &refused) {
		return errApart
	}
	return ignoreOutcome(j, err)
}

// refusedError marks an error by which a database refused one statement.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

const (
	// maxAttempts is how often a transaction that the database gave up is tried.
	maxAttempts = 8
	// firstPause is how long to wait before the second attempt; it doubles each time, up to maxPause.
	firstPause = 2 * time.Millisecond
	maxPause   = 128 * time.Millisecond
)

// errAgain is wrapped by errors after which a transaction may be tried again as it was: deadlock, serialization
// failure, lock timeout.
var errAgain = errors.New("transaction was given up because of others")

// attempts calls f until it does not fail with errAgain, at most maxAttempts times.
func attempts(ctx context.Context, f func() error) error {
	return attemptsWhile(ctx, func(n int) bool { return n < maxAttempts }, f)
}

// attemptsWhile calls f until it does not fail with errAgain, or more, which is told how often it was called, says no.
func attemptsWhile(ctx context.Context, more func(n int) bool, f func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := f()
		if !errors.Is(err, errAgain) {
			return err
		}
		if !more(n) {
			return fmt.Errorf("%w: after %d attempts: %w", database.ErrUnavailable, n, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w: %w", database.ErrUnavailable, ctx.Err(), err)
		}
		pause = min(2*pause, maxPause)
	}
}
