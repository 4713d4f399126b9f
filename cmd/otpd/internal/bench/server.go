package bench

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
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
	info   Info
	dir    string
	daemon *daemon.Daemon
	http   *http.Server
	cancel context.CancelFunc
	ended  chan error // of the AI, then of the control port
}

// Serve starts a server; clients may come when it returns.
func Serve(ctx context.Context, cfg ServerConfig) (_ *Server, err error) {
	cfg.fill()
	dir, err := os.MkdirTemp("", "otpd-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	s := &Server{dir: dir, ended: make(chan error, 2)}
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
func (s *Server) startControl(cfg ServerConfig) error {
	l, err := net.Listen("tcp", cfg.Control)
	if err != nil {
		return fmt.Errorf("bench: control port: %w", err)
	}
	pin := s.daemon.Pin()
	s.info = Info{
		Pin: hex.EncodeToString(pin[:]), Control: l.Addr().String(), Admin: s.daemon.AdminAddr(), Join: s.daemon.JoinURL(),
		PID: os.Getpid(), Pinned: cfg.Core,
	}
	for _, a := range s.daemon.Addrs() {
		s.info.Addrs = append(s.info.Addrs, a.String())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.info) })
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.usage()) })
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		err := s.http.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.ended <- err
	}()
	return nil
}

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
	if s.http != nil {
		errs = append(errs, s.http.Close(), <-s.ended)
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
	b, err := download(ctx, "http://"+control+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// download gets a page of a server's.
func download(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
		err = errors.New(response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("bench: ask the server for %s: %w", url, err)
	}
	return b, nil
}
