package bench

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
)

// Info is what clients need to know of a server. It is the one line that `otpd bench server` prints.
type Info struct {
	Addrs   []string `json:"addrs"`          // where clients connect, one for each agent
	Pin     string   `json:"pin"`            // SHA-256 of the certificate, in hex
	Control string   `json:"control"`        // host:port of /info, /usage and, by the daemon, /debug/pprof
	Admin   string   `json:"admin"`          // host:port of the daemon's admin port
	Join    string   `json:"join,omitempty"` // what AI processes join with
	PID     int      `json:"pid"`
	Pinned  int      `json:"pinned"` // the core that the server is bound to, -1: none
	Bare    bool     `json:"bare,omitempty"`
	TCP     string   `json:"tcp,omitempty"` // of a bare server: it writes to who connects
}

// pin decodes the certificate's pin.
func (i Info) pin() (pin [32]byte, err error) {
	b, err := hex.DecodeString(i.Pin)
	if err != nil || len(b) != len(pin) {
		return pin, fmt.Errorf("bench: the server's pin is %q", i.Pin)
	}
	return [32]byte(b), nil
}

// ServerConfig says how to run a server. The zero value takes free ports on loopback and the daemon's defaults.
type ServerConfig struct {
	Listen     string // UDP for clients
	Control    string // TCP for this package's clients
	Agents     int    // default 1
	States     int    // default 4
	Partitions uint16 // default 16
	Core       int    // that the caller has bound the process to; only told on. -1: none
	Log        *slog.Logger

	// Bare serves nothing but quic-go instead of a daemon: see bareServer. Flush is how long it gathers; 0: not at all.
	Bare  bool
	Flush time.Duration
}

// Running is a server that clients can use.
type Running interface {
	Info() Info
	Close() error
}

// Served is a server in this process.
type Served interface {
	Running
	// Wait returns when the server has ended by itself.
	Wait() error
}

func (c *ServerConfig) fill() {
	for s, v := range map[*string]string{&c.Listen: "127.0.0.1:0", &c.Control: "127.0.0.1:0"} {
		if *s == "" {
			*s = v
		}
	}
	if c.Agents == 0 {
		c.Agents = 1
	}
	if c.States == 0 {
		c.States = 4
	}
	if c.Partitions == 0 {
		c.Partitions = 16
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Server is a daemon with the bench's world, in this process.
type Server struct {
	// Set by Serve, then read-only.
	info    Info
	dir     string
	daemon  *daemon.Daemon
	control *control
	cancel  context.CancelFunc
	ended   chan error // of the AI

	filling sync.Mutex // held while objects are made or deleted
}

// Serve starts a server; clients may come when it returns.
func Serve(ctx context.Context, cfg ServerConfig) (Served, error) {
	if cfg.Bare {
		s, err := serveBare(cfg)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := serveDaemon(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func serveDaemon(ctx context.Context, cfg ServerConfig) (_ *Server, err error) {
	cfg.fill()
	dir, err := os.MkdirTemp("", "otpd-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &Server{dir: dir, ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.daemon, err = daemon.Start(ctx, daemon.Config{
		Listen: cfg.Listen, Data: dir, Dev: true, Partitions: cfg.Partitions, States: cfg.States, Agents: cfg.Agents,
		Bus: "127.0.0.1:0", Admin: "127.0.0.1:0",
	}, cfg.Log)
	if err != nil {
		return s, fmt.Errorf("bench: start the server: %w", err)
	}
	if err := s.startWorld(ctx, cfg.Log); err != nil {
		return s, err
	}
	return s, s.startControl(cfg)
}

// startWorld runs the AI, and waits until clients may come.
func (s *Server) startWorld(ctx context.Context, log *slog.Logger) error {
	worldCtx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	built := make(chan struct{})
	go func() { s.ended <- runWorld(worldCtx, s.daemon.Director(), log, func() { close(built) }) }()
	select {
	case <-built:
		return nil
	case err := <-s.ended:
		s.cancel = nil
		return fmt.Errorf("bench: the world ended: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startControl serves what clients ask for beside the measured path.
func (s *Server) startControl(cfg ServerConfig) (err error) {
	pin := s.daemon.Pin()
	s.info = Info{
		Pin: hex.EncodeToString(pin[:]), Admin: s.daemon.AdminAddr(), Join: s.daemon.JoinURL(), PID: os.Getpid(), Pinned: cfg.Core,
	}
	for _, a := range s.daemon.Addrs() {
		s.info.Addrs = append(s.info.Addrs, a.String())
	}
	s.control, err = startControl(cfg.Control, &s.info, s.usage, map[string]func(context.Context, url.Values) (any, error){
		"POST /fill": s.fill, "POST /delete": s.deleteParent,
	})
	return err
}

// control is the port where clients ask for what is beside the measured path.
type control struct {
	http  *http.Server
	ended chan error
}

// startControl fills in where it listens. more are pages besides those of every server.
func startControl(addr string, info *Info, usage func() Usage, more map[string]func(context.Context, url.Values) (any, error)) (*control, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bench: control port: %w", err)
	}
	info.Control = l.Addr().String()
	said := *info
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, said) })
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("collect") {
			debug.FreeOSMemory()
		}
		writeJSON(w, usage())
	})
	for pattern, page := range more {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := page(r.Context(), r.URL.Query())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			writeJSON(w, v)
		})
	}
	c := &control{http: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, ended: make(chan error, 1)}
	go func() {
		err := c.http.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		c.ended <- err
	}()
	return c, nil
}

func (c *control) close() error { return errors.Join(c.http.Close(), <-c.ended) }

// writeJSON answers with v. A client that has gone is its own problem.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Info is what clients need to know.
func (s *Server) Info() Info { return s.info }

// usage is the process's, with the sessions that the daemon has.
func (s *Server) usage() Usage {
	u := ownUsage()
	for _, a := range s.daemon.Stats().Agents {
		u.Joined += a.Sessions
	}
	return u
}

// Wait returns when the daemon has ended.
func (s *Server) Wait() error { return s.daemon.Wait() }

// Close ends everything and removes the data.
func (s *Server) Close() error {
	var errs []error
	if s.control != nil {
		errs = append(errs, s.control.close())
	}
	if s.cancel != nil {
		s.cancel()
		errs = append(errs, <-s.ended)
	}
	if s.daemon != nil {
		errs = append(errs, s.daemon.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// Ask gets the Info of a server by its control port.
func Ask(ctx context.Context, control string) (Info, error) {
	var i Info
	err := get(ctx, control, "/info", &i)
	return i, err
}

// get asks a control port.
func get(ctx context.Context, control, path string, v any) error {
	b, err := download(ctx, http.MethodGet, "http://"+control+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// post tells a control port to do something.
func post(ctx context.Context, control, path string, v any) error {
	b, err := download(ctx, http.MethodPost, "http://"+control+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// download gets a page of a server's.
func download(ctx context.Context, method, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, fmt.Errorf("bench: ask the server: %w", err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("bench: ask the server: %w", err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(b))
	}
	if err != nil {
		return nil, fmt.Errorf("bench: ask the server for %s: %w", url, err)
	}
	return b, nil
}
