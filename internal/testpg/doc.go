// Package testpg runs a throw-away PostgreSQL for tests.
//
// A [Server] lives in a temporary directory, listens on a Unix socket there and nowhere else, trusts whoever can
// reach that socket (but the role [Guarded], who needs a password), and is gone, directory included, when it is stopped or when the process that started it
// ends in whatever way: a watchdog shell holds a pipe from that process and cleans up when the pipe closes.
// Starting takes about a second, nearly all of it initdb.
//
// Most tests need only a fresh database:
//
//	func TestMain(m *testing.M) { os.Exit(testpg.Main(m)) }
//
//	func TestRows(t *testing.T) {
//		db := open(testpg.URL(t)) // a new, empty database on the one server of this test binary
//	}
//
// A test that kills its database starts its own with [Start], and uses [Server.Kill] and [Server.Restart].
//
// The server's programs are searched for in $OTPD_PG_BIN, in /usr/lib/postgresql/*/bin (newest first) and on PATH.
// Where they are missing tests fail, with what to install; they are never skipped. PostgreSQL refuses to run as
// root, so under root it runs as the user postgres, else nobody.
package testpg
