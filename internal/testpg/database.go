package testpg

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startLimit bounds the start of the shared server and the making of a database, in all.
const startLimit = time.Minute

// NewDatabase makes an empty database with the given name and returns its address.
func (s *Server) NewDatabase(ctx context.Context, name string) (string, error) {
	if err := s.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("testpg: new database %s: %w", name, err)
	}
	return s.urlOf(name), nil
}

// DropDatabase removes a database; connections that are still open to it are cut.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("testpg: drop database %s: %w", name, err)
	}
	return nil
}

func (s *Server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// sharedServer is the one server of a test binary.
type sharedServer struct {
	mu sync.Mutex
	// Guarded by mu.
	server *Server
	err    error
	made   int // databases made so far; the next one's name
}

// shared is the package's only variable: TestMain and the tests of a binary have nothing else in common that could
// carry the server from one to the other.
var shared sharedServer

// Main runs the tests of a binary and then stops the server that URL may have started. It returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(testpg.Main(m)) }
//
// A binary without it leaves the stopping to the watchdog.
func Main(m *testing.M) int {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Println(err)
		return max(code, 1)
	}
	return code
}

// URL returns the address of a new, empty database that is dropped when the test ends. The server behind it is
// shared by the tests of this binary and started by the first that asks. A server that does not start fails the test.
func URL(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	server, name, err := shared.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	url, err := server.NewDatabase(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if err := server.DropDatabase(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return url
}

// next returns the server, started if need be, and a name for a database that nobody has.
func (s *sharedServer) next(ctx context.Context) (*Server, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil && s.err == nil {
		s.server, s.err = Start(ctx)
	}
	s.made++
	return s.server, fmt.Sprintf("test%d", s.made), s.err
}

func (s *sharedServer) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}
