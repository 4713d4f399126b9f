package testpg

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// childVariable tells this test binary, started by TestKilledProcessLeavesNothing, to be the process that dies.
const childVariable = "OTPD_TESTPG_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		dieWithServer()
	}
	os.Exit(Main(m))
}

// dieWithServer starts a server, prints its directory, and waits to be killed.
func dieWithServer() {
	s, err := Start(context.Background())
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(s.dir + "\n")
	select {}
}

func query(t *testing.T, url, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), statement).Scan(&n))
	return n
}

func TestEachTestGetsAnEmptyDatabase(t *testing.T) {
	for range 2 {
		t.Run("database", func(t *testing.T) {
			url := URL(t)
			require.Zero(t, query(t, url, `SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`))
			require.Equal(t, 1, query(t, url, `WITH t AS (SELECT 1) SELECT count(*)::int FROM t`))
			conn, err := pgx.Connect(t.Context(), url)
			require.NoError(t, err)
			defer conn.Close(context.Background()) // still open when the database is dropped
			_, err = conn.Exec(t.Context(), `CREATE TABLE "left" (a int)`)
			require.NoError(t, err)
		})
	}
}

func TestKillKeepsWhatWasCommitted(t *testing.T) {
	s, err := Start(t.Context(), WithFsync())
	require.NoError(t, err)
	defer func() {
		require.NoError(t, s.Stop())
		require.NoDirExists(t, s.dir)
		require.NoError(t, s.Stop(), "a second Stop is harmless")
		require.ErrorIs(t, s.Restart(t.Context()), ErrStopped)
	}()
	url, err := s.NewDatabase(t.Context(), `odd "name"`)
	require.NoError(t, err)
	require.Equal(t, 7, query(t, url, `SELECT 7`))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `CREATE TABLE a AS SELECT 41 AS n`)
	require.NoError(t, err)

	require.ErrorIs(t, s.Restart(t.Context()), ErrRunning)
	require.NoError(t, s.Kill())
	require.ErrorIs(t, s.Kill(), ErrStopped)
	require.Error(t, conn.Ping(t.Context()))
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, 41, query(t, url, `SELECT n FROM a`))
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	dir, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	dir = strings.TrimSpace(dir)
	require.DirExists(t, dir)
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond)
}

func TestFailedStartLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if os.Geteuid() == 0 { // so that the server's user can get there
		for _, dir := range []string{os.TempDir(), os.TempDir() + "/.."} {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx)
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestMissingProgramsSayWhatToDo(t *testing.T) {
	require.ErrorContains(t, ErrNoPostgres, "apt-get install postgresql")
	require.Equal(t, 15, majorVersion("/usr/lib/postgresql/15/bin"))
	require.Zero(t, majorVersion("/usr/lib/postgresql/devel/bin"))
}

func TestDirectoryTooLongForASocketIsNotUsed(t *testing.T) {
	long := t.TempDir() + "/" + strings.Repeat("x", maxSocketPath)
	require.NoError(t, os.MkdirAll(long, 0o755))
	t.Setenv("TMPDIR", long)
	dir, err := makeDir(nil)
	require.NoError(t, err)
	defer os.Remove(dir)
	require.LessOrEqual(t, len(dir)+len(socketName), maxSocketPath)
}
