package ai

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type Thing struct {
	do.Object
	HP int16 `do:"required,broadcast,airecv"`
}

func registry(t *testing.T) *do.Registry {
	r := do.NewRegistry()
	require.NoError(t, r.Class(Thing{}))
	return r
}

// cluster is a director with a scripted participant, which answers for the database and hears what the States would.
type cluster struct {
	director *messagedirector.Director
	heard    chan wire.Message
}

func newCluster(t *testing.T, record func(offered []byte) wire.Body) *cluster {
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	c := &cluster{director: d, heard: make(chan wire.Message, 64)}
	p := d.Join("servers")
	p.Route([]wire.Message{{
		To: []do.Channel{do.Control(do.RoleDirector)}, From: do.Control(do.RoleDatabase),
		Body: &wire.AddChannels{Channels: []do.Channel{do.Control(do.RoleDatabase), do.Control(do.RoleStateServer)}},
	}, {
		To: []do.Channel{do.Control(do.RoleDirector)}, From: do.Control(do.RoleDatabase),
		Body: &wire.AddRanges{Ranges: []do.Range{do.PartitionRange(do.KindObject, 1)}},
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.Leave()
		var batch []wire.Message
		for {
			ms, err := p.Inbox().Wait(ctx, &batch)
			if err != nil {
				return
			}
			for _, m := range ms {
				switch b := m.Body.(type) {
				case *wire.SchemaSet:
					answer := record(b.Text)
					switch r := answer.(type) {
					case *wire.SchemaRecord:
						r.Context = b.Context
					case *wire.Failed:
						r.Context = b.Context
					}
					p.Route([]wire.Message{{To: []do.Channel{m.From}, From: do.Control(do.RoleDatabase), Body: answer}})
				case *wire.Create:
					p.Route([]wire.Message{{To: []do.Channel{m.From}, Body: &wire.Done{Context: b.Context, DO: b.DO, Version: do.Version{Inc: 1, N: 1}}}})
				default:
					c.heard <- m
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return c
}

func accept(text []byte) wire.Body { return &wire.SchemaRecord{Version: 1, Text: text, Partitions: 1} }

func (c *cluster) config(t *testing.T) Config {
	return Config{Director: c.director, Registry: registry(t), Name: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// rule 51: what an AI leaves behind when it goes is the order to delete its objects.
func TestRule51ConnectCreateLeave(t *testing.T) {
	c := newCluster(t, accept)
	r, err := Connect(t.Context(), c.config(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	thing := do.New[Thing]()
	require.NoError(t, r.DoWait(t.Context(), func(ctx context.Context) error {
		if err := r.Create(thing, do.Location{Parent: do.WellKnown(1), Zone: 1}); err != nil {
			return err
		}
		return r.Await(ctx, &thing.Object)
	}))
	require.NoError(t, r.DoWait(t.Context(), func(context.Context) error {
		require.Same(t, thing, Find[Thing](r, thing.ID()))
		require.Len(t, FindAll[Thing](r), 1)
		return nil
	}))
	fired := make(chan struct{})
	require.NoError(t, r.Do(func(context.Context) error {
		r.After(time.Millisecond, func(context.Context) error { close(fired); return nil })
		return nil
	}))
	<-fired
	cancel()
	require.NoError(t, <-result)
	m := <-c.heard
	require.Equal(t, &wire.DeleteAIObjects{AI: r.Channel()}, m.Body)
	require.ErrorIs(t, r.Do(func(context.Context) error { return nil }), ErrClosed)
}

func TestConnectRefused(t *testing.T) {
	c := newCluster(t, func([]byte) wire.Body {
		return &wire.Failed{Of: wire.TypeSchemaSet, Code: wire.CodeSchema, Text: "class Thing: field HP"}
	})
	_, err := Connect(t.Context(), c.config(t))
	require.ErrorIs(t, err, wire.CodeSchema)
	require.ErrorContains(t, err, "field HP")
}

func TestConnectWaitsForADatabase(t *testing.T) {
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = Connect(ctx, Config{Director: d, Registry: registry(t)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = Connect(t.Context(), Config{Director: d})
	require.ErrorIs(t, err, ErrConfig)
	_, err = Connect(t.Context(), Config{Registry: registry(t)})
	require.ErrorIs(t, err, ErrConfig)
}

// A participant that is put out of the cluster ends Run with an error, and what waits fails.
func TestLostLinkEndsRun(t *testing.T) {
	c := newCluster(t, accept)
	r, err := Connect(t.Context(), c.config(t))
	require.NoError(t, err)
	result := make(chan error, 1)
	go func() { result <- r.Run(t.Context()) }()
	waited := make(chan error, 1)
	require.NoError(t, r.Do(func(ctx context.Context) error {
		_, err := r.Request(ctx, do.Control(do.RoleDatabase), func(n uint32) wire.Body { return &wire.DBGet{Context: n} })
		waited <- err
		return nil
	}))
	require.IsType(t, &wire.DBGet{}, (<-c.heard).Body)
	r.participant.Leave()
	require.ErrorIs(t, <-waited, wire.CodeLinkLost)
	require.ErrorIs(t, <-result, wire.CodeLinkLost)
}

// Poll makes the calling goroutine the loop.
func TestPoll(t *testing.T) {
	c := newCluster(t, accept)
	r, err := Connect(t.Context(), c.config(t))
	require.NoError(t, err)
	thing := do.New[Thing]()
	require.NoError(t, r.Create(thing, do.Location{}))
	for thing.Version().IsZero() {
		require.NoError(t, r.Poll())
	}
	r.Close()
	require.ErrorIs(t, thing.Save(), ErrClosed)
}
