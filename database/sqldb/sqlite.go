package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/otpd/otpd/database"
)

const (
	// sqliteReaders is how many transactions that only read may run beside the one that writes.
	sqliteReaders = 4
	// busyTimeout is how long to wait for another process that writes to the file, in ms.
	busyTimeout = 5000
)

// OpenSQLite opens, or makes, the SQLite database in a file, as Open does. The file is in WAL mode, in which readers
// and the one writer do not wait for each other, and each commit is on the disk when it returns.
func OpenSQLite(ctx context.Context, path string) (*Backend, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, fmt.Errorf("database: open: %w: SQLite needs the path of a file", database.ErrAddress)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("database: open: %w: %w", database.ErrDenied, err)
	}
	writer, err := sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, sqliteError(err))
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", sqliteDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, errors.Join(sqliteError(err), writer.Close()))
	}
	reader.SetMaxOpenConns(sqliteReaders)
	s := &sqliteEngine{writer: writer, reader: reader}
	// The writer first: it makes the file and sets its mode.
	if err := sqliteError(writer.PingContext(ctx)); err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, errors.Join(err, s.close()))
	}
	b, err := newBackend(ctx, sqliteDialect{}, s)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return b, nil
}

// sqliteDSN is the driver's address of a file. Escaping keeps a path with ? or % in it whole. Without _dqs=0 SQLite
// takes the quoted name of a column that does not exist for a string.
func sqliteDSN(path, extra string) string {
	file := url.URL{Path: path}
	return fmt.Sprintf("file:%s?_dqs=0&_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&%s", file.EscapedPath(), busyTimeout, extra)
}

// sqliteEngine is the engine on one file.
type sqliteEngine struct {
	writer *sql.DB // one connection
	reader *sql.DB
}

func (s *sqliteEngine) close() error {
	return errors.Join(s.reader.Close(), s.writer.Close())
}

func (s *sqliteEngine) transact(ctx context.Context, mode mode, f func(tx transaction) error) error {
	db := s.reader
	if mode == writing {
		db = s.writer
	}
	return attempts(ctx, func() (err error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return sqliteError(err)
		}
		// Also where f never returns, by a panic: the one connection must not stay taken.
		defer func() {
			if undoErr := tx.Rollback(); undoErr != nil && !errors.Is(undoErr, sql.ErrTxDone) {
				err = errors.Join(err, sqliteError(undoErr))
			}
		}()
		if err := f(&sqliteTx{tx}); err != nil {
			return err
		}
		return sqliteError(tx.Commit())
	})
}

type sqliteTx struct{ tx *sql.Tx }

func (t *sqliteTx) query(ctx context.Context, s statement) ([]sqlRow, error) {
	rows, err := t.tx.QueryContext(ctx, s.sql, s.args...)
	if err != nil {
		return nil, sqliteError(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, sqliteError(err)
	}
	var out []sqlRow
	for rows.Next() {
		row := make(sqlRow, len(names))
		into := make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, sqliteError(err)
		}
		out = append(out, row)
	}
	return out, sqliteError(rows.Err())
}

func (t *sqliteTx) undoesStatements() bool { return true }

func (t *sqliteTx) savepoint(ctx context.Context) error { return t.exec(ctx, "SAVEPOINT otpd") }
func (t *sqliteTx) release(ctx context.Context) error   { return t.exec(ctx, "RELEASE otpd") }

func (t *sqliteTx) undo(ctx context.Context) error {
	if err := t.exec(ctx, "ROLLBACK TO otpd"); err != nil {
		return err
	}
	return t.release(ctx)
}

func (t *sqliteTx) exec(ctx context.Context, text string) error {
	_, err := t.tx.ExecContext(ctx, text)
	return sqliteError(err)
}

// sqliteError says what an error of the driver means, by its result code (https://www.sqlite.org/rescode.html).
func sqliteError(err error) error {
	if err == nil {
		return nil
	}
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return fmt.Errorf("%w: %w", database.ErrUnavailable, err)
	}
	switch lite.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return &refusedError{&uniqueError{column: uniqueColumn(lite.Error())}}
	}
	switch lite.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return &refusedError{fmt.Errorf("%w: %w", database.ErrValue, err)}
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(lite.Error(), "no such ") || strings.Contains(lite.Error(), "has no column") {
			return &refusedError{fmt.Errorf("%w: %w", database.ErrSchema, err)}
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", errAgain, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return fmt.Errorf("%w: %w", database.ErrDenied, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", database.ErrAddress, err)
	}
	return fmt.Errorf("%w: %w", database.ErrUnavailable, err)
}

// uniqueColumn finds table.column in "constraint failed: UNIQUE constraint failed: Avatar.Name (2067)". Names of
// classes and fields have no spaces.
func uniqueColumn(text string) string {
	_, after, _ := strings.Cut(text, "UNIQUE constraint failed: ")
	column, _, _ := strings.Cut(after, " ")
	return column
}
