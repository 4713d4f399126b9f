package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
)

// Child is a server as a process of its own, which ends when this one does.
type Child struct {
	info  Info
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan error
}

// childTime is how long a child may take to serve, and to end.
const childTime = 20 * time.Second

// Spawn starts this executable with args, which must be those of `bench server --attached`, bound to a core unless
// that is negative, and waits until it serves.
func Spawn(ctx context.Context, core int, errs io.Writer, args ...string) (_ *Child, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	line := append([]string{self}, args...)
	if core >= 0 {
		line = append([]string{"taskset", "-c", strconv.Itoa(core)}, line...)
	}
	c := &Child{cmd: exec.Command(line[0], line[1:]...), ended: make(chan error, 1)}
	c.cmd.Stderr = errs
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start the server: %w", err)
	}
	said := make(chan error, 1)
	go func() {
		text, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(text, &c.info)
		}
		said <- err
		c.ended <- c.cmd.Wait()
	}()
	late := time.NewTimer(childTime)
	defer late.Stop()
	select {
	case err = <-said:
	case <-late.C:
		err = errors.New("it says nothing")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bench: the server did not come up: %w", err), c.Close())
	}
	return c, nil
}

// Info is what the server said.
func (c *Child) Info() Info { return c.info }

// Close ends the server and waits for it.
func (c *Child) Close() error {
	_ = c.stdin.Close() // it may have ended already
	late := time.AfterFunc(childTime, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	if err := <-c.ended; err != nil {
		return fmt.Errorf("bench: the server: %w", err)
	}
	return nil
}

// Cores says to which cores server and clients are bound: a core each, if the machine has two and a way to bind.
func Cores() (server, clients int, err error) {
	if runtime.NumCPU() < 2 {
		return -1, -1, errors.New("bench: pin: this machine has one core")
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return -1, -1, fmt.Errorf("bench: pin: %w", err)
	}
	return 0, 1, nil
}

// Bind binds all threads of this process to a core, and gives Go's scheduler one slot.
func Bind(core int) error {
	out, err := exec.Command("taskset", "-apc", strconv.Itoa(core), strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("bench: bind to core %d: %w: %s", core, err, out)
	}
	runtime.GOMAXPROCS(1)
	return nil
}

// Profile takes a CPU profile of a server for a time, into a file.
func Profile(ctx context.Context, server Info, d time.Duration, path string) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", server.Admin, max(int(d.Seconds()), 1))
	b, err := download(ctx, http.MethodGet, url)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
