package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // Guarded by mu.
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a program that a test started. It does not outlive the test.
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	out, errs output
	mark      string // in its environment, and in those of its children
	done      chan struct{}
	err       error // valid when done is closed
}

// patience is how long a process may take for what it does at once: other tests share the processors.
const patience = 2 * time.Minute

// start runs a program with env added to the environment.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), mark: "OTPD_TEST_MARK=" + t.Name() + t.TempDir(), done: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), env...), p.mark)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	p.cmd.WaitDelay = 5 * time.Second // a child that is left holds the pipes
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, if all is well
		<-p.done
		noStacks(t, p.errs.String())
	})
	return p
}

// wait returns the status with which the process ends.
func (p *process) wait() int {
	p.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its stacks
		<-p.done
		require.Fail(p.t, "it does not end", "%s", p.errs.String())
	}
	return exitOf(p.err)
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// kill ends the process without a word, as kill -9 does. It may have ended before.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// says waits until the process has written text on standard output or error.
func (p *process) says(text string) {
	p.t.Helper()
	p.until(func() bool { return strings.Contains(p.out.String()+p.errs.String(), text) }, "%q", text)
}

// until waits for a condition, and fails if the process ends before.
func (p *process) until(ok func() bool, what string, args ...any) {
	p.t.Helper()
	look, limit := time.NewTicker(5*time.Millisecond), time.NewTimer(patience)
	defer look.Stop()
	defer limit.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-p.done:
			require.True(p.t, ok(), append([]any{"it has ended: " + what + "\n" + strings.ReplaceAll(p.errs.String(), "%", "%%")}, args...)...)
		case <-limit.C:
			require.Fail(p.t, "it takes too long", append([]any{what + "\n" + p.errs.String()}, args...)...)
		}
	}
}

// family lists the processes that are alive of those that this one started, itself included.
func (p *process) family() (pids []string) {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(p.t, err)
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err == nil && bytes.Contains(env, []byte(p.mark)) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// file is the content of a file of a data directory, once it is there.
func (p *process) file(path ...string) string {
	p.t.Helper()
	var text []byte
	p.until(func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(path...))
		return err == nil
	}, "%s", filepath.Join(path...))
	return strings.TrimSpace(string(text))
}

// leftBehind lists what a daemon should have removed from its data directory.
func leftBehind(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, pattern := range []string{"*.url*", "*.pin*", "*.addr*", "*.new", "record"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		left = append(left, found...)
	}
	return left
}
