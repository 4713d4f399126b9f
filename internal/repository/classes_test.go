package repository

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// The classes of the tests.

type vec3 struct{ X, Y, Z float32 }

type order struct{ Item string }

type receipt struct{ Paid int64 }

type answer struct {
	Text string `do:"max=8"`
}

type Avatar struct {
	do.Object
	Name  string                  `do:"required,db,broadcast,clsend,airecv,max=24"`
	HP    int16                   `do:"required,broadcast,airecv,clsend,min=0,max=100,default=100"`
	Pos   vec3                    `do:"ram,broadcast,ownsend,latest"`
	Home  vec3                    `do:"ram,broadcast"`
	Look  uint16                  `do:"ram,broadcast,ownsend,latest"`
	Gold  int64                   `do:"required,db,ownrecv"`
	Mood  string                  `do:"ram,broadcast,clsend,airecv"`
	Say   do.Event[string]        `do:"broadcast,clsend,airecv,max=200"`
	Buy   do.Call[order, receipt] `do:"clsend"`
	Title string                  `do:"ram,broadcast,clsend,review,max=8"`
	Duel  do.Call[string, answer] `do:"ownrecv"`
}

type Auth struct {
	do.Object
	Login do.Call[string, int64] `do:"clsend"`
	Ping  do.Event[string]       `do:"clsend"`
}

// avatarAI is an avatar as an AI runs it. What it does is put in by the test.
type AvatarAI struct {
	Avatar
	t *testWorld
}

func (a *AvatarAI) OnGenerate() { a.t.note("generate %s mood=%q", a.Name, a.Mood) }
func (a *AvatarAI) OnDisable()  { a.t.note("disable %s", a.Name) }
func (a *AvatarAI) OnDelete()   { a.t.note("delete %s", a.Name) }

func (a *AvatarAI) OnHP(old int16) { a.t.note("hp %d -> %d", old, a.HP) }

func (a *AvatarAI) OnSay(ctx context.Context, text string) error {
	a.t.note("say %s from %s", text, CallerOf(ctx).Channel)
	if a.t.say != nil {
		return a.t.say(ctx, a, text)
	}
	return nil
}

func (a *AvatarAI) OnBuy(ctx context.Context, o order) (receipt, error) { return a.t.buy(ctx, a, o) }

func (a *AvatarAI) CleanTitle(s string) (string, error) {
	if s == "bad" {
		return "", errors.New("bad title")
	}
	return "Sir", nil
}

// AvatarCL is an avatar as a client sees it.
type AvatarCL struct {
	Avatar
	t *testWorld
}

func (a *AvatarCL) OnGenerate()       { a.t.note("generate %s mood=%q", a.Name, a.Mood) }
func (a *AvatarCL) OnDisable()        { a.t.note("disable %s", a.Name) }
func (a *AvatarCL) OnDelete()         { a.t.note("delete %s", a.Name) }
func (a *AvatarCL) OnHP(old int16)    { a.t.note("hp %d -> %d", old, a.HP) }
func (a *AvatarCL) OnSay(text string) { a.t.note("say %s", text) }
func (a *AvatarCL) OnMood(old string) { a.t.note("mood %q -> %q", old, a.Mood) }

func (a *AvatarAI) OnDuel(ctx context.Context, with string) (answer, error) {
	return a.t.duel(ctx, &a.Avatar, with)
}

func (a *AvatarCL) OnDuel(ctx context.Context, with string) (answer, error) {
	return a.t.duel(ctx, &a.Avatar, with)
}

type AuthUD struct {
	Auth
	t *testWorld
}

func (a *AuthUD) OnLogin(ctx context.Context, name string) (int64, error) {
	return a.t.login(ctx, a, name)
}

func (a *AuthUD) OnPing(text string) { a.t.note("ping %s", text) }

var (
	authID   = do.WellKnown(4670)
	street   = do.WellKnown(10)
	streetAt = do.Location{Parent: street, Zone: 20}
)

// testWorld is what the tests' behaviours write to, and where tests put what handlers do.
type testWorld struct {
	log    []string
	errs   []error
	say    func(ctx context.Context, a *AvatarAI, text string) error
	buy    func(ctx context.Context, a *AvatarAI, o order) (receipt, error)
	duel   func(ctx context.Context, a *Avatar, with string) (answer, error)
	login  func(ctx context.Context, a *AuthUD, name string) (int64, error)
	random uint64
}

func (w *testWorld) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

// heard gives the log since the last time.
func (w *testWorld) heard() []string {
	l := w.log
	w.log = nil
	return l
}

func (w *testWorld) registry(t testing.TB) *do.Registry {
	r := do.NewRegistry()
	require.NoError(t, r.Class(Avatar{}))
	require.NoError(t, r.UberDOG(authID, Auth{}, true))
	require.NoError(t, r.Behave(func() *AvatarAI { return &AvatarAI{t: w} }))
	require.NoError(t, r.BehaveAs(do.SideClient, func() *AvatarCL { return &AvatarCL{t: w} }))
	require.NoError(t, r.Behave(func() *AuthUD { return &AuthUD{t: w} }))
	return r
}

func (w *testWorld) config(t testing.TB) Config {
	return Config{
		Registry: w.registry(t),
		Random:   func() uint64 { w.random += 0x9e3779b97f4a7c15; return w.random },
		Report:   func(err error) { w.errs = append(w.errs, err) },
	}
}

// values encodes fields of Avatar: name, value, ...
func values(t testing.TB, class *do.Class, kv ...any) fields.Map {
	var pairs []fields.Pair
	for i := 0; i < len(kv); i += 2 {
		f := class.FieldByName(kv[i].(string))
		require.NotNil(t, f, kv[i])
		pairs = append(pairs, fields.Pair{Number: f.Number, Value: encode(t, kv[i+1])})
	}
	return fields.MapOf(pairs...)
}

func encode(t testing.TB, v any) []byte {
	switch v := v.(type) {
	case string:
		return fields.AppendString(nil, v)
	case int:
		return fields.AppendInt(nil, int64(v))
	case vec3:
		b := fields.AppendArrayHeader(nil, 3)
		b = fields.AppendFloat32(b, v.X)
		b = fields.AppendFloat32(b, v.Y)
		return fields.AppendFloat32(b, v.Z)
	}
	require.Fail(t, "no encoding", "%T", v)
	return nil
}

// clientTest drives a Client by frames.
type clientTest struct {
	*testWorld
	t     testing.TB
	c     *Client
	class *do.Class
	now   int64
}

const second = int64(1e9)

func newClientTest(t testing.TB) *clientTest {
	w := &testWorld{}
	cfg := w.config(t)
	cfg.Side = do.SideClient
	x := &clientTest{testWorld: w, t: t, c: NewClient(cfg, ClientConfig{Version: "1", Datagrams: true}), now: second}
	x.class = cfg.Registry.Schema().Class("Avatar")
	x.c.Start(x.now)
	sum := cfg.Registry.Schema().Fingerprint()
	require.Equal(t, []wire.Frame{&wire.ClientHello{Version: "1", Schema: sum[:], Enters: true}}, x.sent())
	x.feed(&wire.ClientWelcome{Session: do.NewID(1, 1, 7), Schema: sum[:], Partitions: 4, Now: 5})
	require.True(t, x.c.Ready())
	x.sent()
	x.grams()
	t.Cleanup(x.c.Close)
	return x
}

func (x *clientTest) feed(fs ...wire.Frame) {
	x.t.Helper()
	var b []byte
	for _, f := range fs {
		b = wire.AppendFrame(b, f)
	}
	require.NoError(x.t, x.c.Receive(b, false, x.now))
}

func (x *clientTest) tick(ns int64) {
	x.now += ns
	x.c.Tick(x.now)
}

// sent decodes what went on the stream; heartbeats and pings are left out.
func (x *clientTest) sent() []wire.Frame {
	out := x.c.out.Stream
	x.c.out.Stream = nil
	return decode(x.t, out)
}

func (x *clientTest) grams() []wire.Frame {
	var out []wire.Frame
	for _, d := range x.c.datagrams {
		out = append(out, decode(x.t, d)...)
	}
	x.c.datagrams = nil
	return out
}

func decode(t testing.TB, b []byte) []wire.Frame {
	var out []wire.Frame
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		require.NoError(t, err)
		b = b[n:]
		switch f.(type) {
		case *wire.ClientHeartbeat, *wire.ClientPing:
		default:
			out = append(out, f)
		}
	}
	return out
}

// enter brings an avatar into view.
func (x *clientTest) enter(alias uint32, n uint64, owned bool, kv ...any) *AvatarCL {
	x.t.Helper()
	id := do.NewID(2, 1, n)
	x.feed(&wire.ClientEnter{
		Alias: alias, DO: id, Class: x.class.Number(), Location: streetAt, Owned: owned,
		Version: do.Version{Inc: 1, N: 1}, Fields: values(x.t, x.class, kv...),
	})
	a, ok := x.c.Find(id).(*AvatarCL)
	require.True(x.t, ok)
	return a
}

// aiTest drives an AI by messages.
type aiTest struct {
	*testWorld
	t     testing.TB
	a     *AI
	class *do.Class
	now   int64
}

func newAITest(t testing.TB, edit ...func(*Config)) *aiTest {
	w := &testWorld{}
	cfg := w.config(t)
	for _, e := range edit {
		e(&cfg)
	}
	cfg.Recover = true
	x := &aiTest{testWorld: w, t: t, a: NewAI(cfg, AIConfig{Instance: do.NewID(1, 1, 99)}), now: second}
	x.class = cfg.Registry.Schema().Class("Avatar")
	x.a.Start(x.now)
	out := x.sent()
	require.Len(t, out, 3)
	require.IsType(t, &wire.AddChannels{}, out[0].Body)
	require.IsType(t, &wire.AddPostRemove{}, out[1].Body, "rule 51")
	set := out[2].Body.(*wire.SchemaSet)
	x.step(&wire.SchemaRecord{Context: set.Context, Version: 1, Text: set.Text, Partitions: 4})
	require.True(t, x.a.Ready())
	t.Cleanup(x.a.Close)
	return x
}

func (x *aiTest) step(bodies ...wire.Body) { x.from(do.Channel{}, bodies...) }

func (x *aiTest) from(from do.Channel, bodies ...wire.Body) {
	for _, b := range bodies {
		x.a.Step(wire.Message{To: []do.Channel{x.a.Channel()}, From: from, Body: b}, x.now)
	}
}

func (x *aiTest) tick(ns int64) {
	x.now += ns
	x.a.Tick(x.now)
}

func (x *aiTest) sent() []wire.Message { return x.a.TakeOutput() }

// one gives the only message that was sent.
func (x *aiTest) one() wire.Body {
	x.t.Helper()
	out := x.sent()
	require.Len(x.t, out, 1, "%v", out)
	return out[0].Body
}

// made creates an avatar and acknowledges it.
func (x *aiTest) made(name string, p Place) *AvatarAI {
	x.t.Helper()
	a := do.New[AvatarAI]()
	a.t, a.Name = x.testWorld, name
	if p.At.IsZero() {
		p.At = streetAt
	}
	require.NoError(x.t, x.a.Create(a, p))
	c := x.one().(*wire.Create)
	x.step(&wire.Done{Context: c.Context, Of: c.Type(), DO: c.DO, Version: do.Version{Inc: 1, N: 1}})
	x.heard()
	return a
}

// do runs fn as a handler; the result is there at once unless it waits.
func (x *aiTest) do(fn func(ctx context.Context) error) *error {
	result := new(error)
	*result = errPending
	x.a.Do(context.Background(), fn, func(err error) { *result = err })
	return result
}

func (x *clientTest) do(fn func(ctx context.Context) error) *error {
	result := new(error)
	*result = errPending
	x.c.Do(context.Background(), fn, func(err error) { *result = err })
	return result
}

var errPending = errors.New("pending")
