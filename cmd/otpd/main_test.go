package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/internal/testpg"
)

// programs are the executables under test, built once for each set of build tags and without the race detector: what
// is tested is what `go build` makes.
type programs struct {
	mu sync.Mutex
	// Guarded by mu.
	dir   string
	built map[string]string // path by package and tags
}

// built is the only variable of the tests: TestMain must remove what any of them built.
var built programs

func TestMain(m *testing.M) {
	code := testpg.Main(m)
	if err := os.RemoveAll(built.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// build is the path of an executable. Its name is the last element of the package's path.
func (p *programs) build(t testing.TB, pkg, tags string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if path, ok := p.built[pkg+" "+tags]; ok {
		return path
	}
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "otpd-test-")
		require.NoError(t, err)
		p.dir, p.built = dir, map[string]string{}
	}
	path := filepath.Join(p.dir, "tags-"+tags, filepath.Base(pkg))
	out, err := exec.Command("go", "build", "-buildvcs=false", "-tags="+tags, "-o", path, pkg).CombinedOutput()
	require.NoError(t, err, "go build %s: %s", pkg, out)
	p.built[pkg+" "+tags] = path
	return path
}

// otpd is the daemon and its tools, faulty the same with the hooks of OTPD_FAULT, hello the smallest game.
func otpd(t testing.TB) string { return built.build(t, "github.com/otpd/otpd/cmd/otpd", "") }

func faulty(t testing.TB) string { return built.build(t, "github.com/otpd/otpd/cmd/otpd", "faults") }

func hello(t testing.TB) string { return built.build(t, "github.com/otpd/otpd/examples/hello", "") }

func TestExitStatus(t *testing.T) {
	require.Equal(t, 0, execute([]string{"version"}))
	require.Equal(t, 2, execute([]string{"run", "--partitions=0", "--dev"}), "a wrong configuration")
	require.Equal(t, 2, execute([]string{"dance"}), "a wrong command line")
	require.Equal(t, 1, execute([]string{"replay", t.TempDir()}), "a failure")
}

// exitOf is the status with which a process ended.
func exitOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// noStacks fails a test whose process printed the stack of a panic: Go's exit status for it is that of a wrong
// command line.
func noStacks(t testing.TB, text string) {
	t.Helper()
	require.False(t, strings.Contains(text, "goroutine ") || strings.Contains(text, "DATA RACE"), "%s", text)
}
