package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

// server is `otpd run --dev` as a process.
type server struct {
	*process
	data, addr, pin, join, admin string
}

func serve(t *testing.T, data string, args ...string) *server {
	t.Helper()
	s := &server{data: data, process: start(t, nil, otpd(t), append([]string{
		"run", "--dev", "--data=" + data, "--listen=127.0.0.1:0", "--bus=127.0.0.1:0", "--admin=127.0.0.1:0",
	}, args...)...)}
	s.addr = s.file(data, daemon.ReadyFile) // written last
	s.pin, s.join, s.admin = s.file(data, daemon.PinFile), s.file(data, daemon.JoinFile), s.file(data, daemon.AdminFile)
	return s
}

func (s *server) tls() link.DialConfig {
	raw, err := hex.DecodeString(s.pin)
	require.NoError(s.t, err)
	return link.DialConfig{TLS: link.Pinned([32]byte(raw))}
}

// get is the body of a page of the admin port.
func (s *server) get(path string) []byte {
	resp, err := http.Get("http://" + s.admin + path)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, resp.StatusCode, "%s", b)
	return b
}

// truth is every object in the States.
func (s *server) truth() (all []daemon.Object) {
	require.NoError(s.t, json.Unmarshal(s.get("/truth"), &all))
	return all
}

// metric is the value of a series, 0 if there is none.
func (s *server) metric(series string) float64 {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindSubmatch(s.get("/metrics"))
	if found == nil {
		return 0
	}
	v, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(s.t, err)
	return v
}

// The classes of examples/hello, as another program would have them.
type (
	Bell struct {
		do.Object
		Rings int64            `do:"required,broadcast"`
		Ring  do.Event[string] `do:"broadcast,clsend,airecv,max=24"`
	}
	Square struct{ do.Object }
	Gate   struct {
		do.Object
		Enter do.Call[string, bool] `do:"clsend,max=24"`
	}
)

// WatchedBell tells what becomes of a bell.
type WatchedBell struct {
	Bell
	say func(string)
}

func (b *WatchedBell) OnGenerate()   { b.say("generate") }
func (b *WatchedBell) OnDisable()    { b.say("disable") }
func (b *WatchedBell) OnDelete()     { b.say("delete") }
func (b *WatchedBell) OnRing(string) { b.say("ring") }
func (b *WatchedBell) OnRings(int64) { b.say(fmt.Sprint("rings ", b.Rings)) }

// watcher is a client in this process that looks at the square.
type watcher struct {
	t     *testing.T
	r     *client.Repository
	heard output
	ended chan error
}

func watch(t *testing.T, s *server) *watcher {
	t.Helper()
	w := &watcher{t: t, ended: make(chan error, 1)}
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Square{}))
	require.NoError(t, registry.Class(Bell{}))
	require.NoError(t, registry.UberDOG(do.WellKnown(1), Gate{}, true))
	require.NoError(t, registry.Behave(func() *WatchedBell {
		return &WatchedBell{say: func(what string) { _, _ = fmt.Fprintln(&w.heard, what) }}
	}))
	var err error
	w.r, err = client.Dial(t.Context(), s.addr, client.Config{Registry: registry, TLS: s.tls().TLS, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		w.ended <- w.r.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() { stop(); <-done })
	w.do(func(ctx context.Context) error {
		gate, err := client.UberDOG[Gate](w.r, do.WellKnown(1))
		if err != nil {
			return err
		}
		_, err = gate.Enter.Call(ctx, "watcher")
		return err
	})
	return w
}

func (w *watcher) do(f func(context.Context) error) {
	w.t.Helper()
	require.NoError(w.t, w.r.DoWait(w.t.Context(), f))
}

func (w *watcher) look() {
	w.t.Helper()
	w.do(func(ctx context.Context) error {
		in, err := w.r.AddInterest(do.WellKnown(2), 1)
		if err != nil {
			return err
		}
		return in.Wait(ctx)
	})
}

// hears waits until the watcher has heard n times of something.
func (w *watcher) hears(what string, n int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return strings.Count(w.heard.String(), what+"\n") >= n }, patience, 5*time.Millisecond,
		"%s %d times", what, n)
}

// An AI is killed: it says nothing, but its lease runs out, and what it ran is deleted. Another one takes its place.
func TestWorldOutlivesItsAI(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	first := start(t, nil, hello(t), "ai", s.join)
	s.until(func() bool { return len(s.truth()) == 2 }, "the square and its bell")
	w := watch(t, s)
	w.look()
	w.hears("generate", 1)
	player := start(t, nil, hello(t), "ring", s.pin, s.addr, "Flippy")
	player.says("rung 1 times")
	w.hears("rings 1", 1)

	first.signal(syscall.SIGKILL)
	w.hears("delete", 1)
	require.NotContains(t, w.heard.String(), "disable", "gone from the world, not only from view")
	s.until(func() bool { return len(s.truth()) == 0 }, "the square is deleted, too, by another State")

	start(t, nil, hello(t), "ai", s.join)
	s.until(func() bool { return len(s.truth()) == 2 }, "the square and its bell")
	w.look()
	w.hears("generate", 2)
	start(t, nil, hello(t), "ring", s.pin, s.addr, "Duke").says("rung 1 times")
	w.hears("rings 1", 2)

	// The end of the daemon reaches everybody as what it is, and leaves nothing behind.
	s.signal(syscall.SIGTERM)
	var ejected *client.EjectError
	require.ErrorAs(t, <-w.ended, &ejected)
	require.Equal(t, wire.ReasonShutdown, ejected.Reason)
	require.NotZero(t, player.wait())
	require.Contains(t, player.errs.String(), "155")
	require.Zero(t, s.wait(), s.errs.String())
	require.Empty(t, leftBehind(t, s.data))
}

// Purse is an object that lasts.
type Purse struct {
	do.Object
	Gold int64 `do:"required,db,broadcast"`
}

// PurseAI is a Purse where it is run.
type PurseAI struct{ Purse }

// banker joins the cluster, runs f on its loop, and then, while it is still there, then.
func banker(t *testing.T, s *server, f func(ctx context.Context, r *ai.Repository) error, then func()) {
	t.Helper()
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(Purse{}))
	require.NoError(t, registry.Behave(func() *PurseAI { return &PurseAI{} }))
	r := joined(t, s.join, "bank", registry, 0)
	end, _ := drive(t, r.Run)
	defer end()
	require.NoError(t, r.DoWait(t.Context(), func(ctx context.Context) error { return f(ctx, r) }))
	then()
}

// What the States have accepted is in the database when the daemon has ended.
func TestTerminateWritesWhatIsDirty(t *testing.T) {
	t.Parallel()
	const purses = 40
	data := t.TempDir()
	s := serve(t, data)
	var ids []do.ID
	banker(t, s, func(ctx context.Context, r *ai.Repository) error {
		var all []*PurseAI
		for range purses {
			id, err := r.CreateStored(ctx, do.New[Purse](), ai.Place{})
			if err != nil {
				return err
			}
			p, err := ai.Activate[PurseAI](ctx, r, id, ai.Place{})
			if err != nil {
				return err
			}
			ids, all = append(ids, id), append(all, p)
		}
		// Many values each, the last of which is not written yet when all are accepted.
		for gold := range int64(100) {
			for _, p := range all {
				p.Gold = gold + 1
				if err := p.Save(); err != nil {
					return err
				}
			}
			if err := r.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		s.until(func() bool {
			rich := 0
			for _, o := range s.truth() {
				if strings.HasSuffix(string(o.Fields), "\x64") { // 100
					rich++
				}
			}
			return rich == purses
		}, "all sets are accepted")
		s.signal(syscall.SIGTERM)
		require.Zero(t, s.wait(), s.errs.String())
	})

	s = serve(t, data)
	banker(t, s, func(ctx context.Context, r *ai.Repository) error {
		for _, id := range ids {
			p, err := ai.Activate[PurseAI](ctx, r, id, ai.Place{})
			if err != nil {
				return err
			}
			if p.Gold != 100 {
				return fmt.Errorf("purse %s has %d gold", id, p.Gold)
			}
		}
		return nil
	}, func() {})
}

// closing reads until the connection ends, and returns the reason.
func closing(t *testing.T, c link.Conn) wire.Reason {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			var closed *link.ClosedError
			require.ErrorAs(t, err, &closed)
			return closed.Reason
		}
	}
}

// Each bad client gets its numbered reason; one that behaves does not notice, and the daemon is as it was before.
func TestBadClientsBesideAGoodOne(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir())
	start(t, nil, hello(t), "ai", s.join)
	s.until(func() bool { return len(s.truth()) == 2 }, "the square and its bell")
	w := watch(t, s)
	w.look()
	w.hears("generate", 1)
	goroutines := s.metric("go_goroutines")

	dial := func() link.Conn {
		c, err := link.Dial(t.Context(), s.addr, s.tls())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close(0, "") })
		return c
	}
	garbage, oversized, deaf := dial(), dial(), dial()
	_, err := garbage.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	require.NoError(t, err)
	_, _ = oversized.Write(append([]byte{0x93, 0x79, 0x00, 0xdd, 0xff, 0xff, 0xff, 0xff}, make([]byte, 80_000)...))
	require.Equal(t, wire.ReasonTruncated, closing(t, garbage))
	require.Equal(t, wire.ReasonOversized, closing(t, oversized))

	// The one that never reads says hello, and asks what the time is, as fast as it may.
	sum := schemaOf(t, w)
	_, err = deaf.Write(wire.AppendFrame(nil, &wire.ClientHello{Schema: sum[:]}))
	require.NoError(t, err)
	var pings []byte
	for range 8 {
		pings = wire.AppendFrame(pings, &wire.ClientPing{T1: time.Now().UnixNano()})
	}
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for begun := time.Now(); ; <-every.C {
		if _, err := deaf.Write(pings); err != nil {
			break
		}
		require.Less(t, time.Since(begun), patience, "nobody ends it")
	}
	require.Equal(t, wire.ReasonSlow, closing(t, deaf))

	start(t, nil, hello(t), "ring", s.pin, s.addr, "Flippy").says("rung 1 times")
	w.hears("rings 1", 1)
	require.Eventually(t, func() bool { return s.metric("go_goroutines") <= goroutines+6 }, patience, 20*time.Millisecond,
		"the good player's, who came since, and no others")
	require.Zero(t, s.metric(`otpd_frame_panics_total{agent="1"}`))
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.wait(), s.errs.String())
}

// schemaOf is the fingerprint of what a watcher speaks.
func schemaOf(t *testing.T, w *watcher) (sum [32]byte) {
	t.Helper()
	w.do(func(context.Context) error {
		sum = w.r.Schema().Fingerprint()
		return nil
	})
	return sum
}
