package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestMain is the command too, so that the test needs no build: it writes the version of the database that it is given.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "version" {
		if err := version(os.Args[2], os.Args[3]); err != nil {
			panic(err)
		}
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func version(url, file string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, strings.TrimPrefix(url, "--db="))
	if err != nil {
		return err
	}
	var v, fsync string
	if err := conn.QueryRow(ctx, "SELECT version(), current_setting('fsync')").Scan(&v, &fsync); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(v+" fsync "+fsync), 0o600)
}

func TestCommandRunsBesideADatabase(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "version")
	var failed *exec.ExitError
	require.ErrorAs(t, run([]string{self, "version", "--db={}", file}), &failed)
	require.Equal(t, 3, failed.ExitCode())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Regexp(t, "^PostgreSQL .* fsync on$", string(text))

	require.ErrorContains(t, run(nil), "what is to be run?")
}
