package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	match := flag.String("run", "", "only mutants whose name matches this `pattern`")
	timeout := flag.Duration("timeout", 2*time.Minute, "of one test")
	flag.Parse()
	want, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	all, err := readMutants(filepath.Join("testdata", "mutants"))
	if err != nil {
		return err
	}
	tree, err := copyTree()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	tried, bad := 0, 0
	for _, m := range all {
		if !want.MatchString(m.name) {
			continue
		}
		tried++
		start := time.Now()
		verdict := try(tree, m, *timeout)
		if verdict != killed {
			bad++
		}
		fmt.Fprintf(out, "%-8s rule %3d  %-44s %5.1f s  %s %s\n",
			verdict, m.rule, m.name, time.Since(start).Seconds(), m.pkg, strings.Join(m.test, "/"))
	}
	fmt.Fprintf(out, "%d mutants, %d found\n", tried, tried-bad)
	if bad > 0 || tried == 0 {
		return fmt.Errorf("%d of %d were not found", bad, tried)
	}
	return nil
}

// copyTree copies what git knows of the tree to a folder of its own.
func copyTree() (string, error) {
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return "", fmt.Errorf("git ls-files: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return "", err
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		data, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// What becomes of a mutant.
const (
	killed   = "found"
	survived = "LIVES"
	stale    = "STALE" // the patch does not apply, or the test does not compile with it
)

// try applies a patch, runs the one test that must fail, and takes the patch back.
func try(tree string, m *mutant, timeout time.Duration) string {
	if err := apply(tree, m.patch); err != nil {
		return stale
	}
	defer func() {
		if err := apply(tree, m.patch, "-R"); err != nil {
			panic(fmt.Sprintf("mutants: %s cannot be taken back: %v", m.name, err))
		}
	}()
	// A mutant may hang, so the whole of go test has a limit, and the test a shorter one.
	ctx, cancel := context.WithTimeout(context.Background(), timeout+5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-vet=off", "-ldflags=-w", "-count=1", "-timeout", timeout.String(), "-run", m.pattern(), "./"+m.pkg)
	cmd.Dir = tree
	// Without paths in what is built the copy uses the build cache of the tree.
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return survived
	case bytes.Contains(out, []byte("--- FAIL: "+strings.Join(m.test, "/"))), bytes.Contains(out, []byte("panic: ")):
		return killed
	}
	return stale
}

// apply runs git apply. The patches have one line of context, and that may have changed: they survive changes around them.
func apply(tree string, patch []byte, more ...string) error {
	cmd := exec.Command("git", append([]string{"apply", "-C0", "--whitespace=nowarn"}, more...)...)
	cmd.Dir = tree
	cmd.Stdin = bytes.NewReader(patch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git apply: %w: %s", err, out)
	}
	return nil
}
