package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// memory is a store with a unique constraint.
type memory struct {
	list   []account
	away   bool
	before func() // runs before each put
	log    []string
}

func (m *memory) find(fits func(a *account) bool) (*account, error) {
	if m.away {
		return nil, &wire.Error{Code: wire.CodeAway}
	}
	for i := range m.list {
		if fits(&m.list[i]) {
			a := m.list[i]
			return &a, nil
		}
	}
	return nil, &wire.Error{Code: wire.CodeNoObject}
}

func (m *memory) byName(_ context.Context, name string) (*account, error) {
	return m.find(func(a *account) bool { return a.name == name })
}

func (m *memory) byID(_ context.Context, id do.ID) (*account, error) {
	return m.find(func(a *account) bool { return a.id == id })
}

func (m *memory) create(ctx context.Context, a *account) error {
	if _, err := m.byName(ctx, a.name); err == nil {
		return fmt.Errorf("repository: create stored: %w", &wire.Error{Code: wire.CodeUnique, Text: "Name"})
	}
	a.id, a.row = do.NewID(1, 1, uint64(len(m.list)+1)), 1
	m.list = append(m.list, *a)
	return nil
}

func (m *memory) put(_ context.Context, a *account) error {
	if m.away {
		return &wire.Error{Code: wire.CodeAway}
	}
	if m.before != nil {
		m.before()
	}
	for i := range m.list {
		if o := &m.list[i]; o.id == a.id {
			if o.row != a.row {
				return &wire.Error{Code: wire.CodeConflict}
			}
			a.row++
			*o = *a
		}
	}
	return nil
}

// world is a service with everything around it written down.
type world struct {
	*service
	t          *testing.T
	rows       *memory
	who        uberdog.Caller
	at         time.Time
	failed     error               // of bind
	dead       map[do.Channel]bool // sessions that are gone
	from       string              // address
	offered    int                 // how often something was done beside the loop
	places     []auth.Place        // what those who wait were told
	binding    func()              // runs before each bind
	living     map[do.ID]int       // stored objects that live, and how many looks more
	tieing     error
	activating error // after it was done, or not
	slept      time.Duration
}

func (w *world) activate(_ context.Context, p ai.Place) error {
	if looks, lives := w.living[p.ID]; lives {
		if looks != 1 {
			w.living[p.ID] = looks - 1
			return fmt.Errorf("repository: activate: %w", &wire.Error{Code: wire.CodeActive})
		}
	}
	if w.living == nil {
		w.living = map[do.ID]int{}
	}
	w.living[p.ID] = 0
	if w.activating != nil {
		return w.activating
	}
	w.rows.log = append(w.rows.log, "activate "+p.ID.String()+" at "+p.At.String()+" for "+p.Owner.String())
	return nil
}

func (w *world) tie(_ context.Context, session do.Channel, id do.ID) error {
	w.rows.log = append(w.rows.log, "tie "+session.String()+" "+id.String())
	return w.tieing
}

func (w *world) address(context.Context, do.Channel) (string, error) { return w.from, nil }

func (w *world) alive(_ context.Context, session do.Channel) bool { return !w.dead[session] }

func (w *world) kickAll(to do.Channel, reason wire.Reason, text string) error {
	w.rows.log = append(w.rows.log, strings.TrimSpace(fmt.Sprintf("kick %s %d %s", to, reason, text)))
	return nil
}

func (w *world) bind(_ context.Context, session do.Channel, id do.ID) error {
	if w.binding != nil {
		w.binding()
	}
	w.rows.log = append(w.rows.log, "bind "+session.String()+" "+id.String())
	return w.failed
}

func (w *world) release(_ context.Context, session do.Channel, id do.ID) error {
	w.rows.log = append(w.rows.log, "release "+session.String()+" "+id.String())
	return nil
}

func (w *world) freeNow(_ context.Context, session do.Channel, id do.ID) error {
	w.rows.log = append(w.rows.log, "free "+session.String()+" "+id.String())
	for i := range w.rows.list {
		if o := &w.rows.list[i]; o.id == id && o.holder == session.ID {
			o.holder = do.ID{}
			o.row++
			return nil
		}
	}
	return &wire.Error{Code: wire.CodeConflict}
}

// doors is the world as a gate: the service has methods of these names, too.
type doors struct{ *world }

func (d doors) dismiss(ctx context.Context, session do.Channel, id do.ID) error {
	delete(d.living, id)
	d.rows.log = append(d.rows.log, "dismiss "+session.String()+" "+id.String())
	return ctx.Err()
}

func (d doors) kick(to do.Channel, reason wire.Reason, text string) error {
	return d.kickAll(to, reason, text)
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	return newWorldOn(t, &memory{}, change...)
}

// newWorldOn makes another process that serves the same accounts.
func newWorldOn(t *testing.T, rows *memory, change ...func(*Config)) *world {
	cfg := Config{
		Params: Cheap(), Hashes: 2, Queue: 2, Burst: 3, Interval: time.Second, Random: zeros{}, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	w := &world{t: t, rows: rows, at: time.Unix(1e9, 0), dead: map[do.Channel]bool{}, from: "192.0.2.1:1000"}
	var err error
	w.service, err = newService(cfg)
	require.NoError(t, err)
	w.store, w.gate = w.rows, doors{w}
	w.now = func() time.Time { return w.at }
	w.caller = func(context.Context) uberdog.Caller { return w.who }
	w.waiting = func(_ do.Channel, p auth.Place) { w.places = append(w.places, p) }
	w.sleep = func(_ context.Context, d time.Duration) error {
		w.at = w.at.Add(d)
		w.slept += d
		return nil
	}
	w.offload = func(_ context.Context, _ string, fn func() error) error {
		w.offered++
		return fn()
	}
	w.as(1)
	return w
}

// as makes the next calls come from another session, that nobody is logged in on.
func (w *world) as(n uint64) { w.who = uberdog.Caller{Channel: do.Session(do.NewID(0, 1, n))} }

func (w *world) heard() []string {
	l := w.rows.log
	w.rows.log = nil
	return l
}

var flippy = auth.Credentials{Name: "Flippy", Password: "hunter2hunter2"}

func TestRegisterThenLogin(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	made, err := w.register(ctx, flippy)
	require.NoError(t, err)
	require.Equal(t, auth.Identity{Account: w.rows.list[0].id, Name: "flippy", Created: w.at.UTC()}, made)
	bound := "bind " + w.who.Channel.String() + " " + made.Account.String()
	held := w.who.Channel.String() + " " + made.Account.String()
	require.Equal(t, []string{"kick account " + made.Account.String() + " 100", "release " + held, bound}, w.heard())
	require.NotContains(t, w.rows.list[0].hash, flippy.Password)

	w.as(2)
	again, err := w.login(ctx, auth.Credentials{Name: "FLIPPY", Password: flippy.Password})
	require.NoError(t, err)
	require.Equal(t, made, again)
	require.Equal(t, []string{"kick account " + made.Account.String() + " 100", "kick " + do.Session(do.NewID(0, 1, 1)).String() + " 100"},
		w.heard()[:2], "the older session ends before the new one is bound")
	require.Equal(t, w.who.Channel.ID, w.rows.list[0].holder)
}

func TestUnknownNameAndWrongPasswordLookTheSame(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	w.heard()
	_, unknown := w.login(ctx, auth.Credentials{Name: "duke", Password: flippy.Password})
	_, wrong := w.login(ctx, auth.Credentials{Name: "flippy", Password: "hunter3hunter3"})
	require.ErrorIs(t, wrong, wire.CodeDenied)
	require.Equal(t, wrong, unknown)
	require.Empty(t, w.heard(), "nobody is kicked and nobody bound")
}

func TestNameIsTaken(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	_, err = w.register(ctx, auth.Credentials{Name: "fLiPpY", Password: "another password"})
	require.ErrorIs(t, err, wire.CodeUnique)
	require.Len(t, w.rows.list, 1)
}

func TestAttemptsAreLimitedByName(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	bad := auth.Credentials{Name: "flippy", Password: "hunter3hunter3"}
	for range 2 {
		_, err = w.login(ctx, bad)
		require.ErrorIs(t, err, wire.CodeDenied)
	}
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeRate, "the register was the first of three attempts")
	w.at = w.at.Add(time.Second)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err, "a success forgives")
}

func TestSessionHasOneAccount(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	w.who.Account = do.NewID(1, 1, 9)
	_, err := w.register(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied)
	w.who = uberdog.Caller{Channel: do.AI(do.NewID(0, 1, 1))}
	_, err = w.register(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied, "processes do not log in")
}

func TestChangePassword(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	change := auth.PasswordChange{Old: flippy.Password, New: "correct horse"}
	_, err := w.changePassword(ctx, change)
	require.ErrorIs(t, err, wire.CodeDenied, "needs a login")
	who, err := w.register(ctx, flippy)
	require.NoError(t, err)
	w.who.Account = who.Account
	_, err = w.changePassword(ctx, auth.PasswordChange{Old: "wrong", New: "correct horse"})
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.changePassword(ctx, change)
	require.NoError(t, err)

	w.as(2)
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.login(ctx, auth.Credentials{Name: "flippy", Password: "correct horse"})
	require.NoError(t, err)
}

func TestOlderCostIsReplacedAtLogin(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	old := newHash(flippy.Password, Params{Memory: 32, Time: 1, Threads: 1}, make([]byte, saltBytes)).String()
	require.NoError(t, w.rows.create(ctx, &account{name: "flippy", hash: old}))
	require.Equal(t, 0, w.offered)
	_, err := w.login(ctx, flippy)
	require.NoError(t, err)
	h, err := parseHash(w.rows.list[0].hash)
	require.NoError(t, err)
	require.Equal(t, Cheap(), h.params)
	w.as(2)
	_, err = w.login(ctx, flippy)
	require.NoError(t, err)
}

func TestTroubleIsTold(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	w.failed = errors.New("no such session")
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, w.failed)
	require.Empty(t, w.turns.taken, "the turn was given back")
	w.rows.away = true
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeAway)
	require.Zero(t, w.hashing.stats().inside)
}

func TestTurnsGoInOrder(t *testing.T) {
	id, ctx := do.NewID(1, 1, 1), context.Background()
	var order []int
	tt := turns{taken: make(map[do.ID][]*turn)}
	// A wait here ends when the test says so: it runs what would be the rest of the handler.
	parked := errors.New("parked")
	tt.wait = func(_ context.Context, _ string, start func(func(error))) error {
		n := len(order) + len(tt.taken[id]) + 1
		start(func(error) { order = append(order, n) })
		return nil
	}
	require.NoError(t, tt.take(ctx, id))
	require.NoError(t, tt.take(ctx, id)) // the fake returns at once; its turn comes with give
	require.NoError(t, tt.take(ctx, id))
	require.Empty(t, order)
	tt.give(id)
	tt.give(id)
	require.Equal(t, []int{1, 2}, order)

	// One that gives up leaves the queue; one that gives up when its turn has come passes it on.
	tt.wait = func(_ context.Context, _ string, start func(func(error))) error {
		start(func(error) {})
		return parked
	}
	require.ErrorIs(t, tt.take(ctx, id), parked)
	require.Empty(t, tt.taken[id])
	tt.wait = func(_ context.Context, _ string, start func(func(error))) error {
		start(func(error) {})
		tt.give(id)
		return parked
	}
	require.ErrorIs(t, tt.take(ctx, id), parked)
	require.NotContains(t, tt.taken, id)
}
