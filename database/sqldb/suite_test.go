package sqldb

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/databasetest"
	"github.com/otpd/otpd/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testpg.Main(m)) }

func newSQLite(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "odd name%20?#", "otpd.db")
}

func newPostgres(t *testing.T) string { return testpg.URL(t) }

func open(ctx context.Context, address string) (database.Backend, error) { return Open(ctx, address) }

func TestSQLite(t *testing.T) { databasetest.Run(t, newSQLite, open) }

func TestPostgres(t *testing.T) { databasetest.Run(t, newPostgres, open) }
