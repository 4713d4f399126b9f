package clientagent

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// TestMain finds goroutines that are left when all tests are over.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an agent over real QUIC, a State, and what a test says in an AI's name.
type world struct {
	t      *testing.T
	schema *do.Schema
	agent  *Agent
	ai     *messagedirector.Participant
	cert   tls.Certificate
	street do.ID
	npc    do.ID
	stop   func() // ends the agent and the State
}

func newWorld(t *testing.T, change func(*AgentConfig)) *world {
	t.Helper()
	w := &world{t: t, schema: readSchema(t, "testdata/world.dc"), street: do.NewID(1, 1, 1), npc: do.NewID(1, 2, 2)}
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	ended := make(chan error, 2)
	go func() { ended <- runState(ctx, d, w.schema) }()
	w.cert, err = link.DevCertificate(time.Now(), "127.0.0.1")
	require.NoError(t, err)
	listener, err := link.Listen(link.ListenConfig{Addr: "127.0.0.1:0", TLS: link.Serving(w.cert)})
	require.NoError(t, err)
	cfg := AgentConfig{Config: Config{Instance: do.NewID(0, 9, 9)}, Director: d, Listener: listener, Grace: 300 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	w.agent, err = NewAgent(cfg)
	require.NoError(t, err)
	go func() { ended <- w.agent.Run(ctx) }()
	w.ai = d.Join("ai")
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		w.ai.Leave()
		require.Zero(t, w.agent.Stats().Panics, w.agent.Stats().LastPanic)
	})
	w.populate()
	return w
}

// runState is the shell of a State without a clock.
func runState(ctx context.Context, d *messagedirector.Director, schema *do.Schema) error {
	st, err := stateserver.New(stateserver.Config{
		Instance: do.NewID(0, 8, 8), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema, NoDatabase: true,
	})
	if err != nil {
		return err
	}
	p := d.Join("state")
	defer p.Leave()
	var out wire.Outbox
	var batch []wire.Message
	st.Start(&out)
	for {
		p.Route(out.Messages)
		out.Reset()
		if _, err := p.Inbox().Wait(ctx, &batch); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		for _, m := range batch {
			_ = st.Step(m, &out)
		}
	}
}

// say sends in the AI's name, and waits for the answer to context 1.
func (w *world) say(to do.Channel, b wire.Body) wire.Body {
	w.ai.Route([]wire.Message{{To: []do.Channel{to}, From: do.AI(do.WellKnown(5)), Body: b}})
	var batch []wire.Message
	_, err := w.ai.Inbox().Wait(w.t.Context(), &batch)
	require.NoError(w.t, err)
	return batch[0].Body
}

// populate brings the schema and two objects, once the State and the agent listen.
func (w *world) populate() {
	w.ai.Route([]wire.Message{{To: []do.Channel{do.Control(do.RoleDirector)}, Body: &wire.AddChannels{Channels: []do.Channel{do.AI(do.WellKnown(5))}}}})
	w.until(do.ObjectChannel(w.street), &wire.Create{Context: 1, DO: w.street, Class: w.schema.Class("Place").Number(), Fields: fields.EmptyMap()})
	avatar := w.schema.Class("Avatar")
	w.until(do.ObjectChannel(w.npc), &wire.Create{
		Context: 1, DO: w.npc, Class: avatar.Number(), Location: do.Location{Parent: w.street, Zone: 20},
		Fields: fields.MapOf(fields.Pair{Number: avatar.FieldByName("Name").Number, Value: fields.AppendString(nil, "Npc")}),
	})
	agents := do.Control(do.RoleClientAgent)
	w.until(agents, &wire.GetNetworkAddress{Context: 1}) // refused, but answered
	w.ai.Route([]wire.Message{{To: []do.Channel{agents}, Body: &wire.SchemaRecord{Version: 1, Text: w.schema.Text(), Partitions: 4}}})
	w.until(agents, &wire.GetNetworkAddress{Context: 1})
}

// until repeats a request until somebody is there who answers it.
func (w *world) until(to do.Channel, b wire.Body) {
	require.Eventually(w.t, func() bool {
		w.ai.Route([]wire.Message{{To: []do.Channel{to}, From: do.AI(do.WellKnown(5)), Body: b}})
		var batch []wire.Message
		ctx, cancel := context.WithTimeout(w.t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := w.ai.Inbox().Wait(ctx, &batch)
		return err == nil
	}, time.Minute, time.Millisecond)
}

// dial is a connection to the agent.
func (w *world) dial() link.Conn {
	w.t.Helper()
	c, err := link.Dial(w.t.Context(), w.agent.Addr().String(), link.DialConfig{TLS: link.Pinned(link.Pin(w.cert))})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = c.Close(0, "") })
	return c
}

// player is a client that is logged in and sees the street.
type player struct {
	w       *world
	conn    link.Conn
	r       *link.Reader
	session do.ID
	alias   uint32
	rest    []byte // read and not looked at
}

func (w *world) write(c link.Conn, fs ...wire.Frame) {
	var b []byte
	for _, f := range fs {
		b = wire.AppendFrame(b, f)
	}
	_, err := c.Write(b)
	require.NoError(w.t, err)
}

func (w *world) hello() *wire.ClientHello {
	sum := w.schema.Fingerprint()
	return &wire.ClientHello{Version: "1", Schema: sum[:]}
}

func (w *world) join() *player {
	w.t.Helper()
	p := &player{w: w, conn: w.dial()}
	p.r = link.NewReader(p.conn, wire.MaxFrame)
	w.write(p.conn, w.hello())
	p.session = wait[*wire.ClientWelcome](p).Session
	done := w.say(do.Session(p.session), &wire.SetState{Context: 1, State: wire.StateEstablished})
	require.IsType(w.t, &wire.Done{}, done)
	w.write(p.conn, &wire.ClientAddInterest{Context: 1, Handle: 1, Parent: w.street, Zones: []do.Zone{20}})
	p.alias = wait[*wire.ClientEnter](p).Alias
	require.Zero(w.t, wait[*wire.ClientInterestDone](p).Code)
	return p
}

// wait reads until a frame of one kind comes.
func wait[F wire.Frame](p *player) F {
	p.w.t.Helper()
	for {
		for len(p.rest) > 0 {
			f, n, err := wire.NextFrame(p.rest)
			require.NoError(p.w.t, err)
			p.rest = p.rest[n:]
			if want, ok := f.(F); ok {
				return want
			}
		}
		var err error
		p.rest, err = p.r.Next()
		require.NoError(p.w.t, err)
	}
}

// ejected reads until the connection ends, and returns the reason that the close carries.
func ejected(t *testing.T, c link.Conn) wire.Reason {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			var closed *link.ClosedError
			require.ErrorAs(t, err, &closed)
			require.True(t, closed.Remote)
			return closed.Reason
		}
	}
}

// unharmed shows that a session still sees what happens.
func (p *player) unharmed(hp int64) {
	p.w.t.Helper()
	f := p.w.schema.Class("Avatar").FieldByName("HP")
	p.w.ai.Route([]wire.Message{{To: []do.Channel{do.ObjectChannel(p.w.npc)}, From: do.AI(do.WellKnown(5)), Body: &wire.SetFields{
		DO: p.w.npc, Fields: fields.MapOf(fields.Pair{Number: f.Number, Value: fields.AppendInt(nil, hp)}),
	}}})
	got := wait[*wire.ClientUpdate](p)
	require.Equal(p.w.t, fields.AppendInt(nil, hp), got.Value)
}

func TestBadInputEjectsOneSessionAndHarmsNoOther(t *testing.T) {
	w := newWorld(t, func(c *AgentConfig) { c.Version = "1" })
	watcher := w.join()
	set := func(n fields.Number, v []byte) wire.Frame {
		return &wire.ClientSet{Ref: wire.AliasRef(watcher.alias), Fields: fields.MapOf(fields.Pair{Number: n, Value: v})}
	}
	avatar := w.schema.Class("Avatar")
	loggedIn := map[string]struct {
		send   []byte
		reason wire.Reason
	}{
		"garbage":         {[]byte("GET / HTTP/1.1\r\n\r\n"), wire.ReasonTruncated},
		"no msgpack":      {[]byte{0x92, 0x05, 0xc1}, wire.ReasonTruncated},
		"oversized":       {wire.AppendFrame(nil, &wire.ClientCall{Call: 1, Ref: -1, Args: fields.AppendString(nil, strings.Repeat("x", 70_000))}), wire.ReasonOversized},
		"huge claim":      {append([]byte{0x93, 0x79, 0x00, 0xdd, 0xff, 0xff, 0xff, 0xff}, make([]byte, 80_000)...), wire.ReasonOversized},
		"truncated frame": {[]byte{0x91, 0x79}, wire.ReasonTruncated},
		"trailing member": {[]byte{0x93, 0x05, 0x00, 0xc0}, wire.ReasonOversized},
		"unknown frame":   {[]byte{0x91, 0xcd, 0x03, 0xe8}, wire.ReasonBadType},
		"agent's frame":   {wire.AppendFrame(nil, &wire.ClientLeave{Alias: 1, Reason: wire.LeaveMoved}), wire.ReasonBadType},
		"second hello":    {wire.AppendFrame(nil, w.hello()), wire.ReasonBadType},
		"no object":       {wire.AppendFrame(nil, &wire.ClientSet{Ref: 4711, Fields: fields.EmptyMap()}), wire.ReasonNoObject},
		"forbidden field": {wire.AppendFrame(nil, set(avatar.FieldByName("HP").Number, fields.AppendInt(nil, 1))), wire.ReasonForbiddenField},
		"forbidden move":  {wire.AppendFrame(nil, &wire.ClientMove{Ref: wire.AliasRef(watcher.alias), Location: do.Location{Parent: w.street, Zone: 1}}), wire.ReasonForbiddenMove},
		"constraint":      {wire.AppendFrame(nil, set(avatar.FieldByName("Wave").Number, fields.AppendInt(nil, 1000))), wire.ReasonConstraint},
		"flood":           {bytes.Repeat(wire.AppendFrame(nil, &wire.ClientHeartbeat{}), 3000), wire.ReasonRate},
	}
	for _, name := range sortedKeys(loggedIn) {
		c := loggedIn[name]
		t.Run(name, func(t *testing.T) {
			p := w.join()
			_, _ = p.conn.Write(c.send) // the agent may end the connection in the middle of it
			require.Equal(t, c.reason, ejected(t, p.conn))
		})
	}
	t.Run("wrong version", func(t *testing.T) {
		c := w.dial()
		h := w.hello()
		h.Version = "0"
		w.write(c, h)
		require.Equal(t, wire.ReasonVersion, ejected(t, c))
	})
	t.Run("nothing but a ping", func(t *testing.T) {
		c := w.dial()
		w.write(c, &wire.ClientPing{})
		require.Equal(t, wire.ReasonNoHello, ejected(t, c))
	})
	watcher.unharmed(42)
}

func TestClientThatNeverReadsIsCut(t *testing.T) {
	w := newWorld(t, func(c *AgentConfig) { c.Backlog = 64 << 10; c.Bytes = 64 << 20; c.Frames = 1 << 20 })
	watcher := w.join()
	before := runtime.NumGoroutine()
	slow := w.join()
	motto := w.schema.Class("Avatar").FieldByName("Wave")
	frame := wire.AppendFrame(nil, &wire.ClientSet{Context: 1, Ref: wire.AliasRef(slow.alias), Fields: fields.MapOf(
		fields.Pair{Number: motto.Number, Value: fields.AppendInt(nil, 1)})})
	// Each set is answered: the client fills its own backlog.
	many := bytes.Repeat(frame, 400)
	for {
		if _, err := slow.conn.Write(many); err != nil {
			break
		}
	}
	require.Equal(t, wire.ReasonSlow, ejected(t, slow.conn))
	require.Eventually(t, func() bool { return w.agent.Stats().Sessions == 1 }, time.Minute, 5*time.Millisecond)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, time.Minute, 5*time.Millisecond)
	watcher.w.write(watcher.conn, &wire.ClientPing{T1: 1})
	require.EqualValues(t, 1, wait[*wire.ClientPong](watcher).T1)
}

func TestPanicInTheGuardedPartEndsOneSession(t *testing.T) {
	s, clients := fanned(t, 2)
	s.beforeDecode = func(b []byte) { panic("a bug") }
	var out wire.Outbox
	err := s.Step(wire.Message{Body: &wire.SessionFrames{Session: clients[0], Bytes: wire.AppendFrame(nil, &wire.ClientHeartbeat{})}}, &out)
	require.ErrorIs(t, err, errRefused)
	st := s.Stats()
	require.EqualValues(t, 1, st.Panics)
	require.Equal(t, 1, st.Sessions)
	require.Equal(t, []Ejects{{wire.ReasonInternal, 1}}, st.Ejects)
}

func TestPingIsAnsweredInADatagram(t *testing.T) {
	w := newWorld(t, nil)
	p := w.join()
	require.NoError(t, p.conn.SendDatagram(wire.AppendFrame(nil, &wire.ClientPing{T1: 99})))
	b, err := p.conn.ReceiveDatagram(t.Context())
	require.NoError(t, err)
	f, _, err := wire.NextFrame(b)
	require.NoError(t, err)
	pong := f.(*wire.ClientPong)
	require.EqualValues(t, 99, pong.T1)
	require.GreaterOrEqual(t, pong.T3, pong.T2)
}

func TestShutdownEjectsWithItsReason(t *testing.T) {
	w := newWorld(t, nil)
	p := w.join()
	w.stop()
	require.Equal(t, wire.ReasonShutdown, ejected(t, p.conn))
}

// TestAgentEndsWithItsListener: one that nobody can reach any more is not left running.
func TestAgentEndsWithItsListener(t *testing.T) {
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	l := link.NewMemory(link.PipeConfig{})
	a, err := NewAgent(AgentConfig{Config: Config{Instance: do.NewID(0, 9, 9)}, Director: d, Listener: l})
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- a.Run(t.Context()) }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}
