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
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/otpd/otpd/database"
)

const (
	// sqliteReaders is how many transactions that only read may run beside the one that writes.
	sqliteReaders = 4
	// busyTimeout is how long to wait for another process that writes to the file, in ms.
	busyTimeout = 5000
	// openPatience is how long an opening tries to get past others that open the same new file.
	openPatience = 30 * time.Second
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
	writer, err := sql.Open("sqlite", sqliteDSN(path, ""))
	if err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, sqliteError(err))
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", sqliteDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, errors.Join(sqliteError(err), writer.Close()))
	}
	reader.SetMaxOpenConns(sqliteReaders)
	s := &sqliteEngine{writer: writer, reader: reader, turn: make(chan struct{}, 1)}
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("database: open %s: %w", path, errors.Join(err, s.close()))
	}
	b, err := newBackend(ctx, sqliteDialect{}, s)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return b, nil
}

// connect opens the connection of the writer, which is the first one: it makes the file and sets its mode. A change of the
// mode is not waited for by busy_timeout. Who makes it reads first, and asks for the right to write then; if another one,
// which read as well, has that right, each would wait for the other to end its reading, so SQLite refuses at once
// (https://www.sqlite.org/c3ref/busy_handler.html). Daemons that begin at once on a new file meet there, and try again.
func (s *sqliteEngine) connect(ctx context.Context) error {
	begun := time.Now()
	return attemptsWhile(ctx, func(int) bool { return time.Since(begun) < openPatience }, func() error {
		return sqliteError(s.writer.PingContext(ctx))
	})
}

// sqliteDSN is the driver's address of a file. Escaping keeps a path with ? or % in it whole. Without _dqs=0 SQLite
// takes the quoted name of a column that does not exist for a string.
func sqliteDSN(path, extra string) string {
	file := url.URL{Path: path}
	return fmt.Sprintf("file:%s?_dqs=0&_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&%s", file.EscapedPath(), busyTimeout, extra)
}

// sqliteEngine is the engine on one file.
type sqliteEngine struct {
	// Set before run, then read-only.
	writer *sql.DB // one connection
	reader *sql.DB
	turn   chan struct{} // holds one while somebody writes

	conn     *sql.Conn            // of the writer, nil before the first write; owned by who writes
	prepared map[string]*sql.Stmt // on conn: the same few statements come again and again
}

// maxPrepared bounds how many statements are kept; a game has some for each class.
const maxPrepared = 512

func (s *sqliteEngine) close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return errors.Join(s.hangUp(), s.reader.Close(), s.writer.Close())
}

// hangUp gives up the connection with its statements. The caller has the turn.
func (s *sqliteEngine) hangUp() (err error) {
	if s.conn == nil {
		return nil
	}
	for _, stmt := range s.prepared {
		err = errors.Join(err, stmt.Close())
	}
	err = errors.Join(err, s.conn.Close())
	s.conn, s.prepared = nil, nil
	return err
}

func (s *sqliteEngine) transact(ctx context.Context, mode mode, f func(tx transaction) error) error {
	if mode == writing {
		return attempts(ctx, func() error { return s.write(ctx, f) })
	}
	return s.read(ctx, f)
}

// write runs f in a transaction on the one connection that writes.
func (s *sqliteEngine) write(ctx context.Context, f func(tx transaction) error) (err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return sqliteError(ctx.Err())
	}
	if s.conn == nil {
		if s.conn, err = s.writer.Conn(ctx); err != nil {
			return sqliteError(err)
		}
		s.prepared = make(map[string]*sql.Stmt)
	}
	w := &sqliteWriter{s}
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	ended := false
	// Also where f never returns, by a panic: the one connection must not stay within the transaction.
	defer func() {
		if !ended {
			if undoErr := w.exec(context.WithoutCancel(ctx), "ROLLBACK"); undoErr != nil {
				// It may have ended by itself, as after a full disk; a connection in doubt is not used again.
				err = errors.Join(err, s.hangUp())
			}
		}
	}()
	if err := f(w); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return sqliteError(err)
	}
	if err := w.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return err
	}
	ended = true
	return nil
}

// sqliteWriter is the transaction of a sqliteEngine that writes.
type sqliteWriter struct{ s *sqliteEngine }

// prepare is the prepared form of a statement, kept for the next time.
func (w *sqliteWriter) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := w.s.prepared[text]; stmt != nil {
		return stmt, nil
	}
	if len(w.s.prepared) >= maxPrepared {
		for text, stmt := range w.s.prepared {
			delete(w.s.prepared, text)
			if err := stmt.Close(); err != nil {
				return nil, err
			}
		}
	}
	stmt, err := w.s.conn.PrepareContext(ctx, text)
	if err == nil {
		w.s.prepared[text] = stmt
	}
	return stmt, err
}

func (w *sqliteWriter) query(ctx context.Context, s statement) ([]sqlRow, error) {
	stmt, err := w.prepare(ctx, s.sql)
	if err != nil {
		return nil, sqliteError(err)
	}
	rows, err := stmt.QueryContext(ctx, s.args...)
	return readSQLiteRows(rows, err)
}

func (w *sqliteWriter) exec(ctx context.Context, text string) error {
	stmt, err := w.prepare(ctx, text)
	if err == nil {
		_, err = stmt.ExecContext(ctx)
	}
	return sqliteError(err)
}

func (w *sqliteWriter) undoesStatements() bool              { return true }
func (w *sqliteWriter) savepoint(ctx context.Context) error { return w.exec(ctx, "SAVEPOINT otpd") }
func (w *sqliteWriter) release(ctx context.Context) error   { return w.exec(ctx, "RELEASE otpd") }

func (w *sqliteWriter) undo(ctx context.Context) error {
	if err := w.exec(ctx, "ROLLBACK TO otpd"); err != nil {
		return err
	}
	return w.release(ctx)
}

// read runs f in a transaction of its own snapshot.
func (s *sqliteEngine) read(ctx context.Context, f func(tx transaction) error) error {
	return attempts(ctx, func() (err error) {
		tx, err := s.reader.BeginTx(ctx, nil)
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
	return readSQLiteRows(rows, err)
}

// readSQLiteRows reads all rows, or gives the error with which they did not come.
func readSQLiteRows(rows *sql.Rows, err error) ([]sqlRow, error) {
	if err != nil {
		return nil, sqliteError(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, sqliteError(err)
	}
	var out []sqlRow
	into := make([]any, len(names))
	for rows.Next() {
		row := make(sqlRow, len(names))
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
	case sqlite3.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", database.ErrReadOnly, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", database.ErrFull, err)
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
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
