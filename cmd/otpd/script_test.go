package main

import (
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // for the script command sqlite
)

// TestScripts runs testdata/*.txt: what the commands print and how they end, error text included. Beside the commands
// of testscript there are
//
//	exits STATUS ARGS...      runs otpd, which must end with that status, and not by a panic
//	busy udp|tcp NAME         holds a port on loopback to the end of the script, and sets NAME to its number
//	await FILE                until a file is there
//	sqlite FILE STATEMENT     runs SQL on a database file
//	cut FILE BYTES            shortens a file
func TestScripts(t *testing.T) {
	program := otpd(t)
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(program)+string(filepath.ListSeparator)+env.Getenv("PATH"))
			// Any daemon that starts takes free ports, unless its script says otherwise.
			env.Setenv("OTPD_LISTEN", "127.0.0.1:0")
			env.Setenv("OTPD_BUS", "127.0.0.1:0")
			env.Setenv("OTPD_ADMIN", "127.0.0.1:0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "busy": busy, "await": await, "sqlite": sqlite, "cut": cut,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits STATUS ARGS...")
	}
	got := exitOf(ts.Exec("otpd", args[1:]...))
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("it ended with status %d", got)
	}
	if strings.Contains(ts.ReadFile("stderr"), "goroutine ") {
		ts.Fatalf("it panicked")
	}
}

func busy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: busy udp|tcp NAME")
	}
	var addr string
	switch args[0] {
	case "udp":
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { _ = c.Close() })
		addr = c.LocalAddr().String()
	case "tcp":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { _ = l.Close() })
		addr = l.Addr().String()
	}
	_, port, err := net.SplitHostPort(addr)
	ts.Check(err)
	ts.Setenv(args[1], port)
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	look, limit := time.NewTicker(5*time.Millisecond), time.NewTimer(patience)
	defer look.Stop()
	defer limit.Stop()
	for {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		select {
		case <-look.C:
		case <-limit.C:
			ts.Fatalf("%s is not there after %v", args[0], patience)
		}
	}
}

func sqlite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(args[1])
	ts.Check(err)
	ts.Check(db.Close())
}

// cut leaves the first bytes of a file, or with a number below 0 all but the last: how long it is depends on the machine.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	file, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if n < 0 {
		n += file.Size()
	}
	if n < 0 || n >= file.Size() {
		ts.Fatalf("%s has only %d bytes", args[0], file.Size())
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}
