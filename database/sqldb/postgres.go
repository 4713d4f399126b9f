package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/otpd/otpd/database"
)

// connectTimeout bounds the making of one connection, unless the address has connect_timeout.
const connectTimeout = 10 * time.Second

// OpenPostgres opens a PostgreSQL database by its URL, as Open does.
func OpenPostgres(ctx context.Context, url string) (*Backend, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database: open: %w: %w", database.ErrAddress, err)
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "otpd"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database: open: %w", postgresError(err))
	}
	return newBackend(ctx, postgresDialect{}, &postgres{pool})
}

// postgres is the engine on a pool of connections.
type postgres struct{ pool *pgxpool.Pool }

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}

func (p *postgres) transact(ctx context.Context, mode mode, f func(tx transaction) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
	if mode == reading {
		// One snapshot for all statements.
		options = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	}
	return attempts(ctx, func() (err error) {
		tx, err := p.pool.BeginTx(ctx, options)
		if err != nil {
			return postgresError(err)
		}
		// Also where f never returns, by a panic: the connection must not stay taken.
		defer func() { err = errors.Join(err, rollback(ctx, tx)) }()
		if err := f(&postgresTx{tx}); err != nil {
			return err
		}
		return postgresError(tx.Commit(ctx))
	})
}

// rollback gives a transaction up unless it has ended, also when ctx has. That the connection is gone is no news here.
func rollback(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	err := tx.Rollback(ctx)
	if err == nil || errors.Is(err, pgx.ErrTxClosed) || tx.Conn().IsClosed() {
		return nil
	}
	return postgresError(err)
}

type postgresTx struct{ tx pgx.Tx }

func (t *postgresTx) query(ctx context.Context, s statement) ([]sqlRow, error) {
	rows, err := t.tx.Query(ctx, s.sql, s.args...)
	if err != nil {
		return nil, postgresError(err)
	}
	return readPostgresRows(rows)
}

func readPostgresRows(rows pgx.Rows) ([]sqlRow, error) {
	defer rows.Close()
	var out []sqlRow
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, postgresError(err)
		}
		out = append(out, values)
	}
	return out, postgresError(rows.Err())
}

func (t *postgresTx) undoesStatements() bool { return false }

// The name of the savepoint may be the same each time: one is released or undone before the next begins.
func (t *postgresTx) savepoint(ctx context.Context) error { return t.exec(ctx, "SAVEPOINT otpd") }

func (t *postgresTx) release(ctx context.Context) error { return t.exec(ctx, "RELEASE SAVEPOINT otpd") }

func (t *postgresTx) undo(ctx context.Context) error {
	if err := t.exec(ctx, "ROLLBACK TO SAVEPOINT otpd"); err != nil {
		return err
	}
	return t.release(ctx)
}

func (t *postgresTx) exec(ctx context.Context, sql string) error {
	_, err := t.tx.Exec(ctx, sql)
	return postgresError(err)
}

// exchange implements exchanger.
func (t *postgresTx) exchange(ctx context.Context, statements []statement) (read [][]sqlRow, err error) {
	var queue pgx.Batch
	for _, s := range statements {
		queue.Queue(s.sql, s.args...)
	}
	answers := t.tx.SendBatch(ctx, &queue)
	defer func() {
		if closeErr := postgresError(answers.Close()); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	read = make([][]sqlRow, len(statements))
	for i := range read {
		rows, err := answers.Query()
		if err == nil {
			read[i], err = readPostgresRows(rows)
		} else {
			err = postgresError(err)
		}
		if err != nil {
			return nil, &statementError{i, err}
		}
	}
	return read, nil
}

// together implements pipeline.
func (t *postgresTx) together(ctx context.Context, jobs []*job) (err error) {
	var queue pgx.Batch
	for _, j := range jobs {
		for _, s := range j.statements {
			queue.Queue(s.sql, s.args...)
		}
	}
	answers := t.tx.SendBatch(ctx, &queue)
	defer func() {
		if closeErr := postgresError(answers.Close()); err == nil {
			err = apart(closeErr)
		}
	}()
	for _, j := range jobs {
		read := make([][]sqlRow, len(j.statements))
		for i := range read {
			rows, err := answers.Query()
			if err != nil {
				return apart(postgresError(err))
			}
			if read[i], err = readPostgresRows(rows); err != nil {
				return apart(err)
			}
		}
		if err := ignoreOutcome(j, j.finish(read)); err != nil {
			return err
		}
	}
	return nil
}

// apart turns the refusal of one statement among many into errApart.
func apart(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) {
		return errApart
	}
	return err
}

// postgresError says what an error of the driver means, by its SQLSTATE; everything else is about the connection.
func postgresError(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fmt.Errorf("%w: %w", database.ErrUnavailable, err)
	}
	switch pg.Code {
	case "23505": // unique_violation
		return &refusedError{&uniqueError{index: pg.ConstraintName}}
	case "42P01", "42703": // undefined_table, undefined_column
		return &refusedError{fmt.Errorf("%w: %w", database.ErrSchema, err)}
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return fmt.Errorf("%w: %w", errAgain, err)
	case "42501": // insufficient_privilege: of one table
		return &refusedError{fmt.Errorf("%w: %w", database.ErrDenied, err)}
	case "25006": // read_only_sql_transaction: default_transaction_read_only, or a standby
		return fmt.Errorf("%w: %w", database.ErrReadOnly, err)
	case "53100": // disk_full
		return fmt.Errorf("%w: %w", database.ErrFull, err)
	case "3D000": // invalid_catalog_name: no such database
		return fmt.Errorf("%w: %w", database.ErrAddress, err)
	}
	switch pg.Code[:2] {
	case "22", "23", "54": // data exception; constraints that somebody else put on the table; too large for an index or a row
		return &refusedError{fmt.Errorf("%w: %w", database.ErrValue, err)}
	case "28": // invalid authorization
		return fmt.Errorf("%w: %w", database.ErrDenied, err)
	}
	return fmt.Errorf("%w: %w", database.ErrUnavailable, err)
}
