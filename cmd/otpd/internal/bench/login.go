package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// LoginMethod is how a storm of logins is measured.
const LoginMethod = "All clients want to come in at the same moment, or at a rate; the time of one is from the moment at which it was meant to begin " +
	"until its session is established, handshake and refusals with a time to wait included. Sessions stay until all are in. By gate: QUIC and TLS " +
	"handshake, schema, one call to an AI that makes the session's object. By password: the same, to the accounts UberDOG (argon2id as it ships); the " +
	"accounts were made before. By token: the accounts' tokens, which cost no hash."

// LoginConfig says what storm.
type LoginConfig struct {
	Clients int
	Rate    int // a second; 0: all at once
	AtOnce  int // handshakes and calls under way
	Ways    []string
}

// The ways in.
const (
	byGate     = "gate"
	byPassword = "password"
	byToken    = "token"
)

// LoginWays are all of them.
var LoginWays = []string{byGate, byPassword, byToken}

// Jobs are the rows.
func (c LoginConfig) Jobs(start *Launcher) (jobs []Job, err error) {
	if c.Clients < 1 || c.Clients > 10_000 || c.Rate < 0 || c.AtOnce < 1 {
		return nil, fmt.Errorf("%d logins at %d a second, %d at once: %w", c.Clients, c.Rate, c.AtOnce, ErrConfig)
	}
	pace := "at once"
	if c.Rate > 0 {
		pace = fmt.Sprintf("%d a second", c.Rate)
	}
	for _, way := range c.Ways {
		jobs = append(jobs, Job{
			Name: fmt.Sprintf("%d logins by %s, %s", c.Clients, way, pace), Settings: map[string]float64{"clients": float64(c.Clients), "rate": float64(c.Rate)},
			Run: func(ctx context.Context) (Sample, error) {
				return start.With(ctx, ServerConfig{}, func(i Info) (Sample, error) { return c.storm(ctx, i, way) })
			},
		})
	}
	return jobs, nil
}

// comer is one who wants in.
type comer struct {
	p     *plain
	token string
	calls uint32
}

type storm struct {
	LoginConfig
	load    *load
	server  Info
	comers  []*comer
	retries atomic.Int64
}

func (c LoginConfig) storm(ctx context.Context, server Info, way string) (Sample, error) {
	l, err := newLoad(ctx, ZoneConfig{})
	if err != nil {
		return Sample{}, err
	}
	s := &storm{LoginConfig: c, load: l, server: server, comers: make([]*comer, c.Clients)}
	for i := range s.comers {
		s.comers[i] = new(comer)
	}
	defer s.leave()
	if way != byGate {
		if err := s.prepare(ctx, way == byToken); err != nil {
			return Sample{}, err
		}
	}
	var before, after Usage
	if err := get(ctx, server.Control, "/usage?collect", &before); err != nil {
		return Sample{}, err
	}
	own := ownUsage()
	h, took, err := s.all(ctx, c.Rate, func(i int) error { return s.enter(ctx, i, way) })
	if err != nil {
		return Sample{}, err
	}
	cores := (ownUsage().CPU() - own.CPU()) / took.Seconds()
	if err := get(ctx, server.Control, "/usage", &after); err != nil {
		return Sample{}, err
	}
	v := map[string]float64{
		"operations_per_s": float64(c.Clients) / took.Seconds(), "retries": float64(s.retries.Load()), "client_cores": cores,
		"p50_ms": milliseconds(h.quantile(0.5)), "p99_ms": milliseconds(h.quantile(0.99)), "max_ms": milliseconds(h.most),
	}
	out := Sample{Values: v, Limited: cores >= fullCores*float64(own.Procs)}
	if server.PID != os.Getpid() {
		v["cpu_ms_per_login"] = (after.CPU() - before.CPU()) * 1000 / float64(c.Clients)
		v["server_cores"] = (after.CPU() - before.CPU()) / took.Seconds()
		v["server_rss_mb"] = float64(after.RSS) / 1e6
	} else {
		out.Notes = append(out.Notes, noteTogether)
	}
	if out.Limited {
		out.Notes = append(out.Notes, noteLimited)
	}
	return out, nil
}

// prepare makes the accounts, takes a token of each if asked to, and logs out.
func (s *storm) prepare(ctx context.Context, tokens bool) error {
	_, _, err := s.all(ctx, 0, func(i int) error {
		if err := s.come(ctx, i, "Register", credentials(i)); err != nil {
			return err
		}
		if !tokens {
			return nil
		}
		result, err := s.comers[i].p.call(s.call(i, "Token", fields.AppendString(fields.AppendArrayHeader(nil, 1), "bench")))
		if err != nil {
			return err
		}
		if _, result, err = fields.ReadArrayHeader(result); err != nil {
			return err
		}
		token, _, err := fields.ReadString(result)
		s.comers[i].token = string(token)
		return err
	})
	s.leave()
	s.retries.Store(0)
	return err
}

// all lets every client in, at a rate, and returns when all are.
func (s *storm) all(ctx context.Context, rate int, enter func(i int) error) (*histogram, time.Duration, error) {
	var mu sync.Mutex
	h := new(histogram)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	room := make(chan struct{}, s.AtOnce)
	begin := time.Now()
	for i := range s.comers {
		due := begin
		if rate > 0 {
			due = begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
			time.Sleep(time.Until(due))
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-room }()
			if err := enter(i); err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			h.add(time.Since(due))
			mu.Unlock()
		})
	}
	wg.Wait()
	return h, time.Since(begin), context.Cause(ctx)
}

func (s *storm) enter(ctx context.Context, i int, way string) error {
	switch way {
	case byPassword:
		return s.come(ctx, i, "Login", credentials(i))
	case byToken:
		return s.come(ctx, i, "Resume", fields.AppendString(fields.AppendArrayHeader(nil, 1), s.comers[i].token))
	case byGate:
		return s.come(ctx, i, "", nil)
	}
	return fmt.Errorf("no way in %q: %w", way, ErrConfig)
}

// credentials are those of the i-th account, as the call's argument.
func credentials(i int) []byte {
	b := fields.AppendArrayHeader(nil, 2)
	b = fields.AppendString(b, fmt.Sprintf("player%d", i))
	return fields.AppendString(b, fmt.Sprintf("correct horse %d", i))
}

// call is one of the accounts UberDOG's.
func (s *storm) call(i int, method string, args []byte) *wire.ClientCall {
	s.comers[i].calls++
	return &wire.ClientCall{
		Call: s.comers[i].calls, Ref: wire.UberDOGRef(auth.Number), Field: s.load.schema.Class("Auth").FieldByName(method).Number,
		Timeout: 30_000, Args: args,
	}
}

// come connects and calls, and does again what is only a matter of time.
func (s *storm) come(ctx context.Context, i int, method string, args []byte) (err error) {
	c := s.comers[i]
	for {
		if c.p == nil {
			c.calls = 0
			c.p, err = dialPlain(ctx, s.load, s.server, i)
		}
		if err == nil {
			call := s.load.enterCall(1)
			if method != "" {
				call = s.call(i, method, args)
			}
			if _, err = c.p.call(call); err == nil {
				return nil
			}
		}
		wait, ok := auth.RetryAfter(err)
		if errors.Is(err, link.ErrRefused) {
			wait, ok = 100*time.Millisecond, true
		}
		if !ok {
			return fmt.Errorf("login %d by %s: %w", i, strings.ToLower(method+" call"), err)
		}
		s.retries.Add(1)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		err = nil
	}
}

// leave ends all sessions.
func (s *storm) leave() {
	for _, c := range s.comers {
		if c.p != nil {
			_ = c.p.conn.Close(0, "") // it may have ended
			c.p = nil
		}
	}
}
