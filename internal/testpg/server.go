package testpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Errors of Start and of the methods of Server.
var (
	ErrNoPostgres = errors.New("no PostgreSQL server programs found: install them (Debian: apt-get install postgresql), " +
		"or name the folder that has initdb and postgres in OTPD_PG_BIN")
	ErrRunning = errors.New("the server is running")
	ErrStopped = errors.New("the server is stopped")
)

const (
	// pollEvery is how often a starting server is asked whether it answers.
	pollEvery = 10 * time.Millisecond
	// stopGrace is how long a server may take to end after SIGQUIT before it is killed.
	stopGrace = 10 * time.Second
	// logTail is how much of the server's log is shown when it does not start, in bytes.
	logTail = 2000
)

// An Option changes how Start sets the server up.
type Option func(*Server)

// WithFsync makes the server flush every commit to the disk. Without it a kill of the server still loses nothing,
// since the kernel keeps what was written; only a kill of the machine would.
func WithFsync() Option {
	return func(s *Server) { s.fsync = true }
}

// Server is one PostgreSQL. Its methods are for one goroutine at a time.
type Server struct {
	// Set by Start, then read-only.
	bin   string      // folder of initdb and postgres
	dir   string      // everything the server has: data/, log, socket
	owner *credential // whom the server runs as; nil = as this process
	fsync bool
	watch *watchdog

	process *exec.Cmd     // nil while not running
	exited  chan struct{} // closed when process has ended
	stopped bool
}

// Start makes a new, empty server and returns when it answers. ctx bounds the start, not the server's life.
// The caller ends it with Stop.
func Start(ctx context.Context, options ...Option) (*Server, error) {
	s := &Server{}
	for _, option := range options {
		option(s)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("testpg: start: %w", errors.Join(err, s.cleanUp()))
	}
	if err := s.launch(ctx); err != nil {
		return nil, fmt.Errorf("testpg: start: %w", errors.Join(err, s.Stop()))
	}
	return s, nil
}

// prepare finds the programs, makes the directory with its watchdog, and runs initdb.
func (s *Server) prepare(ctx context.Context) (err error) {
	if s.bin, err = findPrograms(); err != nil {
		return err
	}
	if s.owner, err = serverUser(); err != nil {
		return err
	}
	if s.dir, err = makeDir(s.owner); err != nil {
		return err
	}
	if s.watch, err = startWatchdog(s.dir); err != nil {
		return err
	}
	initdb := s.command(exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata", s.dataDir(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"))
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return s.guard()
}

// Guarded is the name of the one role that needs a password. A test that wants it makes it.
const Guarded = "guarded"

// Own gives a folder to the user that the server runs as.
func (s *Server) Own(dir string) error {
	if s.owner == nil {
		return nil
	}
	return os.Chown(dir, int(s.owner.uid), int(s.owner.gid))
}

// guard lets the server ask Guarded for its password; of several lines in the file the first that fits counts.
func (s *Server) guard() error {
	path := filepath.Join(s.dataDir(), "pg_hba.conf")
	rest, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte("local all "+Guarded+" scram-sha-256\n"), rest...), 0o600)
}

// command lets cmd run as the server's user, in the server's directory, in a process group of its own: a signal
// from the terminal reaches the tests, which stop the server.
func (s *Server) command(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + s.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.owner != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.owner.uid, Gid: s.owner.gid}
	}
	return cmd
}

func (s *Server) dataDir() string { return filepath.Join(s.dir, "data") }

// launch starts the server process and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	fsync := "off"
	if s.fsync {
		fsync = "on"
	}
	cmd := s.command(exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.dataDir(),
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+s.dir, "-c", "unix_socket_permissions=0777",
		"-c", "fsync="+fsync, "-c", "full_page_writes="+fsync,
		"-c", "shared_buffers=16MB", "-c", "max_connections=100", "-c", "max_wal_size=128MB", "-c", "autovacuum=off"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
	}()
	s.process, s.exited = cmd, exited
	return s.waitReady(ctx)
}

// waitReady returns when the server answers a connection.
func (s *Server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-s.exited:
			s.process = nil
			return fmt.Errorf("postgres ended: %s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %s", ctx.Err(), err, s.logTail())
		}
	}
}

func (s *Server) logTail() []byte {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-logTail):])
}

// URL is the address of the server's own database "postgres", for its superuser.
func (s *Server) URL() string { return s.urlOf("postgres") }

func (s *Server) urlOf(database string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.dir}, "user": {"postgres"}}.Encode()
	return u.String()
}

// Kill ends the server and all its processes by SIGKILL, as a crash would, and returns when they are gone. Its data
// stay for Restart.
func (s *Server) Kill() error {
	if s.process == nil {
		return fmt.Errorf("testpg: kill: %w", ErrStopped)
	}
	s.signal(syscall.SIGSTOP) // so that no child is added to those found here
	children := childrenOf(s.process.Process.Pid)
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // fails only when it has ended
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.process = nil
	waitGone(children)
	return nil
}

// signal reaches the server's main process.
func (s *Server) signal(sig syscall.Signal) {
	_ = s.process.Process.Signal(sig) // fails only when the process has ended, which exited tells
}

// Restart starts the server again after Kill, on the data it had. PostgreSQL refuses while a process of before has
// not quite ended; then Restart repeats.
func (s *Server) Restart(ctx context.Context) error {
	if s.stopped {
		return fmt.Errorf("testpg: restart: %w", ErrStopped)
	}
	if s.process != nil {
		return fmt.Errorf("testpg: restart: %w", ErrRunning)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := s.launch(ctx)
		if err == nil {
			return nil
		}
		if s.process != nil { // it runs and does not answer
			return fmt.Errorf("testpg: restart: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("testpg: restart: %w: %w", ctx.Err(), err)
		}
	}
}

// Stop ends the server and removes everything it had. It may be called again.
func (s *Server) Stop() error {
	if s.stopped {
		return nil
	}
	s.stopped = true
	if s.process != nil {
		s.signal(syscall.SIGQUIT) // immediate shutdown: nothing needs to be kept
		grace := time.NewTimer(stopGrace)
		defer grace.Stop()
		select {
		case <-s.exited:
		case <-grace.C:
			s.signal(syscall.SIGKILL)
			<-s.exited
		}
		s.process = nil
	}
	if err := s.cleanUp(); err != nil {
		return fmt.Errorf("testpg: stop: %w", err)
	}
	return nil
}

// cleanUp removes the directory, by way of the watchdog if there is one.
func (s *Server) cleanUp() error {
	if s.watch != nil {
		return s.watch.end()
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
