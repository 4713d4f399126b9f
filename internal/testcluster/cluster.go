// Package testcluster runs every server role in a test's own process: a director, a database in memory, several
// state servers, and an agent with real links on loopback. Nothing of it outlives the test.
package testcluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/link"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

const (
	partitions = 8
	states     = 4
)

// Cluster is the server roles of one test.
type Cluster struct {
	// Set by New, then read-only.
	Director *messagedirector.Director
	Addr     string   // where clients connect
	Pin      [32]byte // of the agent's certificate: see client.Pinned
	Log      *slog.Logger
	Database *database.Memory // for tests to make it fail

	t      *testing.T
	states []*stateserver.Server
}

// New starts the roles; the test's cleanup ends them, in the reverse order.
func New(t *testing.T) *Cluster {
	t.Helper()
	c := &Cluster{t: t, Log: slog.New(slog.NewTextHandler(logTo{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	var err error
	c.Director, err = messagedirector.New(messagedirector.Config{Log: c.Log})
	require.NoError(t, err)
	backend := database.NewMemory()
	c.Database = backend
	opening, err := database.Begin(t.Context(), backend, database.Cluster{ID: id(1), Partitions: partitions, Created: time.Now()})
	require.NoError(t, err)
	db, err := database.NewServer(c.Director, backend, database.ServerConfig{State: database.Config{Partitions: partitions}, Log: c.Log})
	require.NoError(t, err)
	c.Run(db.Run)
	c.serveObjects(opening.Epoch)
	c.serveClients()
	return c
}

func (c *Cluster) serveObjects(epoch uint32) {
	var run []func(context.Context) error
	for i := range states {
		cfg := stateserver.Config{Instance: id(uint64(10 + i)), Epoch: epoch}
		for p := i; p <= partitions; p += states {
			cfg.Partitions = append(cfg.Partitions, do.Partition(p))
		}
		s, err := stateserver.NewServer(cfg, c.Director.Join(fmt.Sprintf("state %d", i)), stateserver.Options{Log: c.Log})
		require.NoError(c.t, err)
		c.states = append(c.states, s)
		run = append(run, s.Run)
	}
	c.Run(run...)
}

func (c *Cluster) serveClients() {
	cert, err := link.DevCertificate(time.Now(), "127.0.0.1")
	require.NoError(c.t, err)
	c.Pin = link.Pin(cert)
	l, err := link.Listen(link.ListenConfig{Addr: "127.0.0.1:0", TLS: link.Serving(cert)})
	require.NoError(c.t, err)
	c.Addr = l.Addr().String()
	agent, err := clientagent.NewAgent(clientagent.AgentConfig{
		Config: clientagent.Config{Instance: id(20)}, Director: c.Director, Listener: l, Log: c.Log,
	})
	require.NoError(c.t, err)
	c.Run(agent.Run)
}

// id is an id of this process; nothing else has such a small random part.
func id(n uint64) do.ID { return do.NewID(0, time.Now().UnixMilli(), n) }

// Run runs functions, an AI's for example, until the test ends; those that are started last end first. An error of one
// fails the test.
func (c *Cluster) Run(run ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, f := range run {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				c.t.Errorf("testcluster: %v", err)
			}
		})
	}
	c.t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// Dial connects a client by its classes, as soon as the agent has a schema: it may hear of that later than the AI that
// offered it.
func (c *Cluster) Dial(registry *do.Registry) *client.Repository {
	c.t.Helper()
	cfg := client.Config{Registry: registry, TLS: client.Pinned(c.Pin), Log: c.Log, Timeout: 20 * time.Second}
	for {
		r, err := client.Dial(c.t.Context(), c.Addr, cfg)
		var early *client.EjectError
		if !errors.As(err, &early) || early.Reason != wire.ReasonNotReady {
			require.NoError(c.t, err)
			return r
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Truth is every object as it lies in the States' memory.
func (c *Cluster) Truth() map[do.ID]stateserver.Scanned {
	c.t.Helper()
	found := map[do.ID]stateserver.Scanned{}
	for _, s := range c.states {
		require.NoError(c.t, s.Inspect(c.t.Context(), func(st *stateserver.State) {
			st.Scan(func(o stateserver.Scanned) { found[o.ID] = o })
		}))
	}
	return found
}

// logTo writes what is logged to the test's log.
type logTo struct{ t *testing.T }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(string(b))
	return len(b), nil
}
