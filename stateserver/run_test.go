package stateserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// peer is a participant that a test speaks with.
type peer struct {
	t     *testing.T
	p     *messagedirector.Participant
	self  do.Channel
	batch []wire.Message
}

func newPeer(t *testing.T, d *messagedirector.Director, channels ...do.Channel) *peer {
	p := &peer{t: t, p: d.Join("peer"), self: channels[0]}
	p.send(do.Control(do.RoleDirector), &wire.AddChannels{Channels: channels})
	return p
}

func (p *peer) send(to do.Channel, b wire.Body) {
	p.p.Route([]wire.Message{{To: []do.Channel{to}, From: p.self, Body: b}})
}

// until reads until a message fits.
func (p *peer) until(fits func(wire.Message) bool) wire.Message {
	for {
		batch, err := p.p.Inbox().Wait(p.t.Context(), &p.batch)
		require.NoError(p.t, err)
		for _, m := range batch {
			if fits(m) {
				return m
			}
		}
	}
}

func is[T wire.Body](m wire.Message) bool {
	_, ok := m.Body.(T)
	return ok
}

func TestServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	schema := readSchema(t, "testdata/world.dc")
	cfg := Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: schema}

	var file bytes.Buffer
	rec, err := wire.NewRecorder(&file, wire.RecordingHeader{Kind: "stateserver", Config: cfg.Text()})
	require.NoError(t, err)
	ai := newPeer(t, d, do.AI(do.WellKnown(7)))
	db := newPeer(t, d, do.Control(do.RoleDatabase))
	server, err := NewServer(cfg, d.Join("state"), Options{Record: func(m wire.Message) error { return rec.Record(&m) }})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	id := do.NewID(1, 1, 1)
	ai.send(do.ObjectChannel(id), &wire.Activate{Context: 1, DO: id, Class: wire.AnyClass})
	get := db.until(is[*wire.DBGet]).Body.(*wire.DBGet)
	name := schema.Class("Avatar").FieldByName("Name")
	db.send(do.ControlOf(do.RoleStateServer, cfg.Instance), &wire.DBObject{
		Context: get.Context, DO: id, Class: 1, Row: 4, Fields: fieldsOf(name, `"Flippy"`),
	})
	ai.until(is[*wire.Done])

	// A change is written by itself, soon after.
	hp := schema.Class("Avatar").FieldByName("HP")
	ai.send(do.ObjectChannel(id), &wire.SetFields{Context: 2, DO: id, Fields: fieldsOf(hp, "3"), Durable: true})
	set := db.until(is[*wire.DBSet]).Body.(*wire.DBSet)
	db.send(do.ControlOf(do.RoleStateServer, cfg.Instance), &wire.Done{Context: set.Context, Row: 5})
	require.Equal(t, uint64(5), ai.until(is[*wire.Done]).Body.(*wire.Done).Row)

	// The end waits for what is dirty.
	ai.send(do.ObjectChannel(id), &wire.SetFields{Context: 3, DO: id, Fields: fieldsOf(hp, "4")})
	ai.until(is[*wire.Done])
	var before []Scanned
	require.NoError(t, server.Inspect(t.Context(), func(s *State) { s.Scan(func(o Scanned) { before = append(before, o) }) }))
	cancel()
	set = db.until(is[*wire.DBSet]).Body.(*wire.DBSet)
	db.send(do.ControlOf(do.RoleStateServer, cfg.Instance), &wire.Done{Context: set.Context, Row: 6})
	require.NoError(t, <-ended)
	require.ErrorIs(t, server.Inspect(t.Context(), func(*State) {}), ErrStopped)
	require.Equal(t, uint64(1), server.Metrics().Objects.Load())
	require.Equal(t, uint64(2), server.Metrics().Updates.Load())
	require.NoError(t, rec.Flush())
	requireReplay(t, &file, before)
}

// TestRule139Deposed: when the database knows a newer owner of the partitions, Run ends with an error.
func TestRule139Deposed(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	cfg := Config{Instance: do.WellKnown(1), Partitions: []do.Partition{1}, Epoch: 1, Schema: readSchema(t, "testdata/world.dc")}
	ai := newPeer(t, d, do.AI(do.WellKnown(7)))
	db := newPeer(t, d, do.Control(do.RoleDatabase))
	server, err := NewServer(cfg, d.Join("state"), Options{})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(t.Context()) }()
	id := do.NewID(1, 1, 1)
	self := do.ControlOf(do.RoleStateServer, cfg.Instance)
	ai.send(do.ObjectChannel(id), &wire.Activate{Context: 1, DO: id, Class: wire.AnyClass})
	get := db.until(is[*wire.DBGet]).Body.(*wire.DBGet)
	avatar := cfg.Schema.Class("Avatar")
	db.send(self, &wire.DBObject{Context: get.Context, DO: id, Class: 1, Row: 4, Fields: fieldsOf(avatar.FieldByName("Name"), `"Flippy"`)})
	ai.until(is[*wire.Done])
	ai.send(do.ObjectChannel(id), &wire.SetFields{Context: 2, DO: id, Fields: fieldsOf(avatar.FieldByName("HP"), "3"), Durable: true})
	set := db.until(is[*wire.DBSet]).Body.(*wire.DBSet)
	db.send(self, &wire.Failed{Context: set.Context, Of: set.Type(), DO: id, Code: wire.CodeEpoch})
	require.Equal(t, wire.CodeEpoch, ai.until(is[*wire.Failed]).Body.(*wire.Failed).Code)
	require.ErrorIs(t, <-ended, ErrDeposed)
}

// requireReplay steps a new State through a recording: it must hold the same.
func requireReplay(t *testing.T, file *bytes.Buffer, want []Scanned) {
	t.Helper()
	rec, err := wire.OpenRecording(file)
	require.NoError(t, err)
	cfg, err := ParseConfig(rec.Header.Config)
	require.NoError(t, err)
	s, err := New(cfg)
	require.NoError(t, err)
	var out wire.Outbox
	s.Start(&out)
	for {
		m, err := rec.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		_ = s.Step(m, &out)
	}
	var got []Scanned
	s.Scan(func(o Scanned) {
		require.Equal(t, "Avatar", o.Class.Name())
		o.Class = want[0].Class
		got = append(got, o)
	})
	require.Equal(t, want, got)
}
