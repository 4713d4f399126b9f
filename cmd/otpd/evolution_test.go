package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
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

// dolls is a game as one program knows it. The newer program has a field and a class more.
type dolls struct {
	*do.Registry
	create func(pose, hat int8) (any, *do.Object)
	toy    func() (any, *do.Object)
	rename func(c *client.Repository, id do.ID, name string) error
	rehat  func(c *client.Repository, id do.ID, hat int8) error
}

func olderGame(t *testing.T) dolls {
	type Doll struct {
		do.Object
		Name string           `do:"required,broadcast,clsend,airecv,max=24"`
		Pose int8             `do:"ram,broadcast"`
		Wave do.Event[string] `do:"broadcast,clsend,airecv"`
	}
	return dolls{
		Registry: registered(t, Doll{}),
		create: func(pose, _ int8) (any, *do.Object) {
			d := do.New[Doll]()
			d.Pose = pose
			return d, &d.Object
		},
		rename: func(c *client.Repository, id do.ID, name string) error {
			d := client.Find[Doll](c, id)
			d.Name = name
			return d.Save()
		},
	}
}

func newerGame(t *testing.T) dolls {
	type Doll struct {
		do.Object
		Name string           `do:"required,broadcast,clsend,airecv,max=24"`
		Pose int8             `do:"ram,broadcast"`
		Wave do.Event[string] `do:"broadcast,clsend,airecv"`
		Hat  int8             `do:"required,broadcast,clsend,airecv,default=3"`
	}
	type Toy struct {
		do.Object
		Kind string `do:"required,broadcast"`
	}
	return dolls{
		Registry: registered(t, Doll{}, Toy{}),
		create: func(pose, hat int8) (any, *do.Object) {
			d := do.New[Doll]()
			d.Pose, d.Hat = pose, hat
			return d, &d.Object
		},
		toy: func() (any, *do.Object) {
			d := do.New[Toy]()
			return d, &d.Object
		},
		rename: func(c *client.Repository, id do.ID, name string) error {
			d := client.Find[Doll](c, id)
			d.Name = name
			return d.Save()
		},
		rehat: func(c *client.Repository, id do.ID, hat int8) error {
			d := client.Find[Doll](c, id)
			d.Hat = hat
			return d.Save()
		},
	}
}

func otherGame(t *testing.T) *do.Registry {
	type Doll struct {
		do.Object
		Name int8 `do:"required,broadcast"`
	}
	return registered(t, Doll{})
}

func registered(t *testing.T, classes ...any) *do.Registry {
	r := do.NewRegistry()
	for _, c := range classes {
		require.NoError(t, r.Class(c))
	}
	return r
}

// evolving is a daemon in this process with a schema from a file.
type evolving struct {
	*daemon.Daemon
	t   *testing.T
	dir string
	cfg daemon.Config
}

func evolve(t *testing.T, r *do.Registry) *evolving {
	e := &evolving{t: t, dir: t.TempDir()}
	e.cfg = daemon.Config{
		Listen: "127.0.0.1:0", Bus: "127.0.0.1:0", Data: filepath.Join(e.dir, "data"), Dev: true, Partitions: 2, States: 2, Agents: 1,
		Schema: e.file("game.dc", string(r.Schema().Text())),
	}
	var err error
	e.Daemon, err = daemon.Start(t.Context(), e.cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	return e
}

func (e *evolving) file(name, text string) string {
	path := filepath.Join(e.dir, name)
	require.NoError(e.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// dial is a client over QUIC whose session the cluster has established.
func (e *evolving) dial(r *do.Registry, game *ai.Repository) *client.Repository {
	var c *client.Repository
	var err error
	require.Eventually(e.t, func() bool { // until the agent has read the schema it says that it is not ready
		c, err = client.Dial(e.t.Context(), e.Addrs()[0].String(), client.Config{
			Registry: r, TLS: link.Pinned(e.Pin()), Log: slog.New(slog.DiscardHandler),
		})
		return err == nil
	}, patience, 10*time.Millisecond, "%v", &err)
	require.NoError(e.t, err)
	drive(e.t, c.Run)
	if game != nil {
		e.establish(c, game)
	}
	return c
}

func (e *evolving) establish(c *client.Repository, game *ai.Repository) {
	var session do.Channel
	require.NoError(e.t, c.DoWait(e.t.Context(), func(context.Context) error { session = c.Session().Channel(); return nil }))
	// The game has the session's channel from the client, not by the bus: its node may not know yet who listens to it.
	require.Eventually(e.t, func() bool {
		limited, cancel := context.WithTimeout(e.t.Context(), time.Second)
		defer cancel()
		return game.DoWait(limited, func(ctx context.Context) error {
			return game.Session(session).SetState(ctx, wire.StateEstablished)
		}) == nil
	}, patience, time.Millisecond)
	require.NoError(e.t, c.DoWait(e.t.Context(), func(ctx context.Context) error {
		in, err := c.AddInterest(dollhouse, 1)
		if err != nil {
			return err
		}
		return in.Wait(ctx)
	}))
}

var dollhouse = do.WellKnown(1000)

func (e *evolving) join(r *do.Registry) *ai.Repository {
	game := joined(e.t, e.JoinURL(), "game", r, 0)
	drive(e.t, game.Run)
	return game
}

// put brings an object into the world.
func (e *evolving) put(game *ai.Repository, place ai.Place, create func() (any, *do.Object)) do.ID {
	target, obj := create()
	require.NoError(e.t, game.DoWait(e.t.Context(), func(ctx context.Context) error {
		if err := game.CreateAs(target, place); err != nil {
			return err
		}
		return game.Await(ctx, obj)
	}))
	return obj.ID()
}

// on runs fn on a client's loop.
func (e *evolving) on(c *client.Repository, fn func() error) error {
	return c.DoWait(e.t.Context(), func(context.Context) error { return fn() })
}

// shows waits until a client holds an object, and gives its values by name of the field.
func (e *evolving) shows(c *client.Repository, id do.ID, want map[string]string) {
	e.t.Helper()
	var got map[string]string
	require.Eventually(e.t, func() bool {
		err := c.DoWait(e.t.Context(), func(context.Context) error {
			got = nil
			for _, v := range c.View() {
				if v.ID != id {
					continue
				}
				got = map[string]string{}
				for _, p := range v.Fields {
					f := v.Class.Field(p.Number)
					got[f.Name] = f.Type.Text(p.Value)
				}
			}
			return nil
		})
		require.NoError(e.t, err)
		if len(got) != len(want) {
			return false
		}
		for k, v := range want {
			if got[k] != v {
				return false
			}
		}
		return true
	}, patience, 5*time.Millisecond, "want %v, got %v", want, &got)
}

// The schema file makes the cluster ready before any AI has joined. Then a newer game joins: clients that were built on
// the older schema go on, those that are connected as well as those that come.
func TestClientOfAnOlderSchema(t *testing.T) {
	older, newer := olderGame(t), newerGame(t)
	e := evolve(t, older.Registry)
	early := e.dial(older.Registry, nil)
	require.NoError(t, e.on(early, func() error {
		require.Equal(t, older.Schema().Fingerprint(), early.Schema().Fingerprint())
		return nil
	}))

	game := e.join(newer.Registry)
	e.put(game, ai.Place{ID: dollhouse}, func() (any, *do.Object) { return newer.create(0, 0) })
	at := ai.Place{At: do.Location{Parent: dollhouse, Zone: 1}}
	doll := e.put(game, at, func() (any, *do.Object) { return newer.create(2, 7) })
	e.establish(early, game)
	late := e.dial(older.Registry, game)
	modern := e.dial(newer.Registry, game)
	toy := e.put(game, at, newer.toy)
	// Who was connected before the schema grew does not know the new field, nor the new class; who came later knows of both.
	e.shows(early, doll, map[string]string{"Name": `""`, "Pose": "2"})
	e.shows(late, doll, map[string]string{"Name": `""`, "Pose": "2", "Hat": "7"})
	e.shows(modern, toy, map[string]string{"Kind": `""`})
	e.shows(late, toy, map[string]string{"Kind": `""`})

	require.NoError(t, e.on(early, func() error { return older.rename(early, doll, "Ann") }))
	e.shows(late, doll, map[string]string{"Name": `"Ann"`, "Pose": "2", "Hat": "7"})
	e.shows(modern, doll, map[string]string{"Name": `"Ann"`, "Pose": "2", "Hat": "7"})
	require.NoError(t, e.on(modern, func() error { return newer.rehat(modern, doll, 9) }))
	e.shows(late, doll, map[string]string{"Name": `"Ann"`, "Pose": "2", "Hat": "9"})
	require.NoError(t, e.on(late, func() error { return older.rename(late, doll, "Eve") }))
	e.shows(early, doll, map[string]string{"Name": `"Eve"`, "Pose": "2"})
	e.shows(modern, doll, map[string]string{"Name": `"Eve"`, "Pose": "2", "Hat": "9"})

	// An older AI beside it makes dolls, too: they have the default of what it does not know.
	second := e.join(older.Registry)
	other := e.put(second, at, func() (any, *do.Object) { return older.create(5, 0) })
	e.shows(modern, other, map[string]string{"Name": `""`, "Pose": "5", "Hat": "3"})
	e.shows(early, other, map[string]string{"Name": `""`, "Pose": "5"})
}

// A client that is ahead of the cluster plays, too; what the cluster does not have it cannot set, and is not ejected for it.
func TestClientOfANewerSchema(t *testing.T) {
	older, newer := olderGame(t), newerGame(t)
	e := evolve(t, older.Registry)
	game := e.join(older.Registry)
	e.put(game, ai.Place{ID: dollhouse}, func() (any, *do.Object) { return older.create(0, 0) })
	doll := e.put(game, ai.Place{At: do.Location{Parent: dollhouse, Zone: 1}}, func() (any, *do.Object) { return older.create(2, 0) })
	c := e.dial(newer.Registry, game)
	e.shows(c, doll, map[string]string{"Name": `""`, "Pose": "2"})
	require.ErrorIs(t, e.on(c, func() error { return newer.rehat(c, doll, 9) }), do.ErrNoField)
	require.NoError(t, e.on(c, func() error { return newer.rename(c, doll, "Ann") }))
	e.shows(c, doll, map[string]string{"Name": `"Ann"`, "Pose": "2"})
	require.NoError(t, e.on(c, func() error { return c.Err() }))
}

// What the file says wrong ends the start, with the place; so does a schema that contradicts the cluster's.
func TestSchemaFileIsRefused(t *testing.T) {
	e := evolve(t, newerGame(t).Registry)
	require.NoError(t, e.Stop())
	start := func(path string) error {
		cfg := e.cfg
		cfg.Schema = path
		d, err := daemon.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil {
			require.NoError(t, d.Stop())
		}
		return err
	}
	wrong := e.file("wrong.dc", "dclass Doll {\n  int8 Name required\n};\n")
	require.ErrorContains(t, start(wrong), wrong+":3:1: ")
	require.ErrorIs(t, start(filepath.Join(e.dir, "none.dc")), os.ErrNotExist)
	other := e.file("other.dc", string(otherGame(t).Schema().Text()))
	err := start(other)
	require.ErrorIs(t, err, wire.CodeSchema)
	require.ErrorContains(t, err, "class Doll: field 0 is")
	require.NoError(t, start(e.file("older.dc", string(olderGame(t).Schema().Text()))), "it has nothing to add")
	require.NoError(t, start(e.cfg.Schema))
}
