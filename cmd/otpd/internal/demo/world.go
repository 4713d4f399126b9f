package demo

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/examples/tavern"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/uberdog/auth/accounts"
)

// world is the server side of a demo, in this process or in others.
type world interface {
	addrs() []string   // where clients connect
	adminAddr() string // of the daemon
	tls() *tls.Config
	truth(ctx context.Context) ([]daemon.Object, error)
	stats(ctx context.Context) (daemon.Stats, error)
	stop() error
}

// RunAI runs the game's AI on a director or over a join URL until ctx ends. started is called when the street stands.
func RunAI(ctx context.Context, director *messagedirector.Director, url string, log *slog.Logger, started func()) error {
	registry, err := tavern.AIRegistry()
	if err != nil {
		return err
	}
	repo, err := ai.Connect(ctx, ai.Config{Director: director, URL: url, Registry: registry, Name: "tavern", Log: log})
	if err != nil {
		return err
	}
	// All bots come from one address, and at once.
	w, err := tavern.NewAI(repo, tavern.Options{Accounts: accounts.Config{Params: accounts.Cheap(), AddressBurst: -1, Log: log}})
	if err != nil {
		return err
	}
	standing := make(chan error, 1)
	go func() {
		err := w.Wait(ctx)
		if err == nil {
			started()
		}
		standing <- err
	}()
	err = repo.Run(ctx)
	return errors.Join(err, <-standing)
}

// local is everything in this process.
type local struct {
	daemon *daemon.Daemon
	cancel context.CancelFunc
	done   chan error // of the AI
}

func startLocal(ctx context.Context, cfg daemon.Config, log *slog.Logger) (world, error) {
	d, err := daemon.Start(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	aiCtx, cancel := context.WithCancel(context.Background())
	w := &local{daemon: d, cancel: cancel, done: make(chan error, 1)}
	standing := make(chan struct{})
	go func() { w.done <- RunAI(aiCtx, d.Director(), "", log, func() { close(standing) }) }()
	select {
	case <-standing:
		return w, nil
	case err := <-w.done:
		cancel()
		return nil, errors.Join(fmt.Errorf("ai: %w", err), d.Stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), w.stop())
	}
}

func (w *local) addrs() []string {
	var out []string
	for _, a := range w.daemon.Addrs() {
		out = append(out, a.String())
	}
	return out
}
func (w *local) adminAddr() string                                  { return w.daemon.AdminAddr() }
func (w *local) tls() *tls.Config                                   { return link.Pinned(w.daemon.Pin()) }
func (w *local) truth(ctx context.Context) ([]daemon.Object, error) { return w.daemon.Truth(ctx) }
func (w *local) stats(context.Context) (daemon.Stats, error)        { return w.daemon.Stats(), nil }

func (w *local) stop() error {
	w.cancel()
	err := <-w.done
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, w.daemon.Stop())
}

// split is a daemon and an AI as processes of their own, with NATS between them.
type split struct {
	dir      string
	admin    string
	clients  []string
	pin      [32]byte
	children []*child // in the order in which they were started
}

// child is a process of this executable.
type child struct {
	cmd  *exec.Cmd
	said chan struct{} // closed when it has written a line
	gone chan struct{} // closed when it has ended
	err  error         // valid when gone is closed
}

// startSplit starts `otpd run` and `otpd demo-ai` from this executable.
func startSplit(ctx context.Context, cfg daemon.Config, errs io.Writer) (_ world, err error) {
	// The kernel tells the children when the thread that started them is gone: it must be there as long as this one.
	runtime.LockOSThread()
	w := &split{dir: cfg.Data}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	// What a process that was killed left behind would look like readiness.
	for _, f := range []string{daemon.ReadyFile, daemon.JoinFile, daemon.PinFile, daemon.AdminFile} {
		if err := os.Remove(filepath.Join(cfg.Data, f)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	args := []string{
		"run", "--dev", "--data=" + cfg.Data, "--listen=" + cfg.Listen, "--bus=" + cfg.Bus, "--admin=" + cfg.Admin,
		fmt.Sprint("--partitions=", cfg.Partitions), fmt.Sprint("--states=", cfg.States), fmt.Sprint("--agents=", cfg.Agents), "--log-level=warn",
	}
	if cfg.DB != "" {
		args = append(args, "--db="+cfg.DB)
	}
	if cfg.Record != "" {
		args = append(args, "--record="+cfg.Record)
	}
	server, err := w.start(errs, nil, args...)
	if err != nil {
		return nil, err
	}
	text := func(name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(cfg.Data, name))
		return strings.TrimSpace(string(b)), err
	}
	ready, err := server.wait(ctx, func() (string, error) { return text(daemon.ReadyFile) })
	if err != nil {
		return nil, fmt.Errorf("the daemon did not come up: %w", err)
	}
	w.clients = strings.Fields(ready)
	if w.admin, err = text(daemon.AdminFile); err != nil {
		return nil, err
	}
	pin, err := text(daemon.PinFile)
	if err != nil {
		return nil, err
	}
	if _, err := hex.Decode(w.pin[:], []byte(pin)); err != nil {
		return nil, err
	}
	url, err := text(daemon.JoinFile)
	if err != nil {
		return nil, err
	}
	game, err := w.start(errs, []string{"OTPD_JOIN=" + url}, "demo-ai")
	if err != nil {
		return nil, err
	}
	if _, err := game.wait(ctx, func() (string, error) {
		select {
		case <-game.said:
			return "", nil
		default:
			return "", os.ErrNotExist
		}
	}); err != nil {
		return nil, fmt.Errorf("the AI did not come up: %w", err)
	}
	return w, nil
}

// start runs this executable with other arguments.
func (w *split) start(errs io.Writer, env []string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, said: make(chan struct{}), gone: make(chan struct{})}
	w.children = append(w.children, c)
	go func() {
		buf := make([]byte, 1)
		if n, _ := out.Read(buf); n > 0 {
			close(c.said)
		}
		_, _ = io.Copy(io.Discard, out) // nothing else is said there
		c.err = cmd.Wait()
		close(c.gone)
	}()
	return c, nil
}

// wait asks until it gets an answer, or the child has ended.
func (c *child) wait(ctx context.Context, ask func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		s, err := ask()
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return s, err
		}
		select {
		case <-again.C:
		case <-c.gone:
			return "", errors.New("it ended by itself")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// end asks the child to go; one that does not within 10 s is killed.
func (c *child) end() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	kill := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() }) // it may be gone
	defer kill.Stop()
	<-c.gone
	if c.err != nil {
		return fmt.Errorf("%s: %w", c.cmd.Args[1], c.err)
	}
	return nil
}

func (w *split) addrs() []string   { return w.clients }
func (w *split) adminAddr() string { return w.admin }
func (w *split) tls() *tls.Config  { return link.Pinned(w.pin) }

func (w *split) truth(ctx context.Context) (out []daemon.Object, err error) {
	return out, w.get(ctx, "/truth", &out)
}

func (w *split) stats(ctx context.Context) (out daemon.Stats, err error) {
	return out, w.get(ctx, "/stats", &out)
}

func (w *split) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: %s: %s", path, resp.Status, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// stop ends the AI, then the daemon, in order.
func (w *split) stop() error {
	var errs []error
	for i := len(w.children) - 1; i >= 0; i-- {
		errs = append(errs, w.children[i].end())
	}
	w.children = nil
	return errors.Join(errs...)
}
