package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type Thing struct {
	do.Object
	HP  int16                  `do:"required,broadcast,clsend,airecv"`
	Ask do.Call[string, int16] `do:"clsend"`
}

type Auth struct {
	do.Object
	Login do.Call[string, int16] `do:"clsend"`
}

var authID = do.WellKnown(4670)

func registry(t *testing.T) *do.Registry {
	r := do.NewRegistry()
	require.NoError(t, r.Class(Thing{}))
	require.NoError(t, r.UberDOG(authID, Auth{}, true))
	return r
}

// agent is the far end of a link, that a test scripts.
type agent struct {
	t    *testing.T
	conn link.Conn
	buf  []byte
}

// next is the next frame but pings and heartbeats, which are answered.
func (a *agent) next() wire.Frame {
	for {
		f, n, err := wire.NextFrame(a.buf)
		if errors.Is(err, fields.ErrShort) {
			b := make([]byte, 4096)
			n, err := a.conn.Read(b)
			if err != nil {
				return nil
			}
			a.buf = append(a.buf, b[:n]...)
			continue
		}
		require.NoError(a.t, err)
		a.buf = append([]byte(nil), a.buf[n:]...)
		switch f := f.(type) {
		case *wire.ClientPing:
			pong := wire.AppendFrame(nil, &wire.ClientPong{T1: f.T1, T2: f.T1 + 1000, T3: f.T1 + 1000})
			if _, err := a.conn.Write(pong); err != nil {
				return nil // the client left meanwhile
			}
		case *wire.ClientHeartbeat:
		default:
			return f
		}
	}
}

func (a *agent) send(fs ...wire.Frame) {
	var b []byte
	for _, f := range fs {
		b = wire.AppendFrame(b, f)
	}
	_, err := a.conn.Write(b)
	require.NoError(a.t, err)
}

func (a *agent) welcome() {
	hello, ok := a.next().(*wire.ClientHello)
	require.True(a.t, ok)
	require.Equal(a.t, "1.0", hello.Version)
	a.send(&wire.ClientWelcome{Session: do.NewID(0, 1, 1), Schema: hello.Schema, Partitions: 4, Heartbeat: 30_000})
}

// connect opens a client to a scripted agent, which is given the connection after the welcome.
func connect(t *testing.T, script func(a *agent)) *Repository {
	here, there := link.Pipe(link.PipeConfig{NoDatagrams: true})
	done, opened := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		a := &agent{t: t, conn: there}
		a.welcome()
		<-opened
		script(a)
		for a.next() != nil { // what is left, until the end
		}
	}()
	t.Cleanup(func() {
		_ = there.Close(0, "")
		<-done
	})
	r, err := Open(t.Context(), here, config(t))
	close(opened)
	require.NoError(t, err)
	return r
}

func config(t *testing.T) Config {
	return Config{Registry: registry(t), Version: "1.0", Dev: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// start runs r; the result of Run is what the returned function waits for.
func start(t *testing.T, r *Repository) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	return func() error {
		cancel()
		return <-result
	}
}

func TestCallFromAnotherGoroutine(t *testing.T) {
	r := connect(t, func(a *agent) {
		call := a.next().(*wire.ClientCall)
		require.Equal(t, wire.UberDOGRef(4670), call.Ref)
		a.send(&wire.ClientState{State: wire.StateEstablished, Account: do.NewID(0, 1, 2)}, &wire.ClientReply{Call: call.Call, Result: fields.AppendInt(nil, 42)})
	})
	stop := start(t, r)
	var got int16
	err := r.DoWait(t.Context(), func(ctx context.Context) error {
		auth, err := UberDOG[Auth](r, authID)
		if err != nil {
			return err
		}
		got, err = auth.Login.Call(ctx, "joe")
		return err
	})
	require.NoError(t, err)
	require.EqualValues(t, 42, got)
	require.NoError(t, r.DoWait(t.Context(), func(context.Context) error {
		require.Equal(t, wire.StateEstablished, r.Session().State)
		require.Equal(t, do.NewID(0, 1, 1), r.Session().ID)
		_, err := UberDOG[Thing](r, authID)
		require.ErrorIs(t, err, ErrNoObject)
		return nil
	}))
	require.NoError(t, stop())
	require.ErrorIs(t, r.DoWait(t.Context(), func(context.Context) error { return nil }), ErrClosed)
}

// rule 97: the numbered reason reaches the game as a typed error.
func TestRule97EjectEndsRun(t *testing.T) {
	for name, last := range map[string]func(a *agent){
		"by a frame":           func(a *agent) { a.send(&wire.ClientEject{Reason: wire.ReasonKicked, Text: "bye"}) },
		"by the end of a link": func(a *agent) { _ = a.conn.Close(wire.ReasonKicked, "bye") },
	} {
		t.Run(name, func(t *testing.T) {
			r := connect(t, last)
			err := r.Run(t.Context())
			var eject *EjectError
			require.ErrorAs(t, err, &eject)
			require.Equal(t, wire.ReasonKicked, eject.Reason)
			require.Equal(t, "bye", eject.Text)
		})
	}
}

func TestEjectBeforeWelcome(t *testing.T) {
	here, there := link.Pipe(link.PipeConfig{})
	go func() {
		a := &agent{t: t, conn: there}
		a.next()
		a.send(&wire.ClientEject{Reason: wire.ReasonNotReady, Text: "retry"})
	}()
	_, err := Open(t.Context(), here, config(t))
	var eject *EjectError
	require.ErrorAs(t, err, &eject)
	require.Equal(t, wire.ReasonNotReady, eject.Reason)
}

// TestDialWaitsForAnAgentThatIsNotReady: one that has just started has no schema yet. Any other eject is final.
func TestDialWaitsForAnAgentThatIsNotReady(t *testing.T) {
	cert, err := link.DevCertificate(time.Now(), "127.0.0.1")
	require.NoError(t, err)
	l, err := link.Listen(link.ListenConfig{Addr: "127.0.0.1:0", TLS: link.Serving(cert)})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	cfg := config(t)
	cfg.TLS = Pinned(link.Pin(cert))

	// answer lets one connection after the other hear a reason; 0 is a welcome.
	answer := func(reasons ...wire.Reason) (served func() int) {
		done := make(chan int)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			n := 0
			defer func() { done <- n }()
			for _, reason := range reasons {
				conn, err := l.Accept(ctx)
				if err != nil {
					return
				}
				a := &agent{t: t, conn: conn}
				if n++; reason == 0 {
					a.welcome()
					continue
				}
				a.next()
				a.send(&wire.ClientEject{Reason: reason, Text: "told"})
			}
		}()
		return func() int { defer stop(); return <-done }
	}

	served := answer(wire.ReasonNotReady, wire.ReasonNotReady, 0)
	r, err := Dial(t.Context(), l.Addr().String(), cfg)
	require.NoError(t, err)
	require.Equal(t, 3, served())
	r.Close()

	served = answer(wire.ReasonVersion)
	_, err = Dial(t.Context(), l.Addr().String(), cfg)
	var eject *EjectError
	require.ErrorAs(t, err, &eject)
	require.Equal(t, wire.ReasonVersion, eject.Reason)
	require.Equal(t, 1, served())

	ctx, cancel := context.WithCancel(t.Context())
	served = answer(wire.ReasonNotReady)
	go func() {
		served()
		cancel() // nobody accepts any more
	}()
	_, err = Dial(ctx, l.Addr().String(), cfg)
	require.Error(t, err)
}

func TestOpenGivesUp(t *testing.T) {
	here, _ := link.Pipe(link.PipeConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := Open(ctx, here, config(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	here, _ = link.Pipe(link.PipeConfig{})
	_, err = Open(t.Context(), here, Config{})
	require.ErrorIs(t, err, ErrConfig)
}

// Poll makes the game's own thread the loop: objects may be touched between two calls.
func TestPoll(t *testing.T) {
	id := do.NewID(1, 1, 5)
	sets := make(chan *wire.ClientSet, 1)
	r := connect(t, func(a *agent) {
		a.send(&wire.ClientEnter{Alias: 1, DO: id, Class: 0, Version: do.Version{Inc: 1, N: 1}, Fields: fields.EmptyMap()})
		set, _ := a.next().(*wire.ClientSet)
		sets <- set
	})
	for Find[Thing](r, id) == nil {
		require.NoError(t, r.Poll())
	}
	thing := Find[Thing](r, id)
	require.Len(t, FindAll[Thing](r), 1)
	thing.HP = 3
	require.NoError(t, thing.Save())
	off := make(chan error)
	go func() { off <- thing.Save() }()
	require.ErrorIs(t, <-off, ErrOffLoop)
	_, err := thing.Ask.Call(t.Context(), "x")
	require.ErrorIs(t, err, ErrNoHandler)
	require.NoError(t, r.Poll())
	set := <-sets
	require.Equal(t, wire.AliasRef(1), set.Ref)
	require.False(t, r.Quiet())
	r.Close()
	r.Close()
}

// rule 166: the server's time, with a bound of the error that holds.
func TestRule166Clock(t *testing.T) {
	r := connect(t, func(a *agent) {})
	for {
		require.NoError(t, r.Poll())
		if _, _, ok := r.Now(); ok {
			break
		}
	}
	now, bound, ok := r.Now()
	require.True(t, ok)
	require.Positive(t, bound)
	require.Less(t, time.Since(now).Abs(), time.Minute)
	r.Close()
}
