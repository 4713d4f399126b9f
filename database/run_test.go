package database

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster is a director with a Server on it, and somebody who asks.
type cluster struct {
	t      *testing.T
	schema *do.Schema
	mem    *Memory
	server *Server
	asker  *messagedirector.Participant
	stop   context.CancelFunc
	ended  chan error
	batch  []wire.Message
}

func newCluster(t *testing.T, cfg ServerConfig) *cluster {
	t.Helper()
	c := &cluster{t: t, schema: schemaOf(t, tavern(t)), mem: NewMemory(), ended: make(chan error, 1)}
	_, err := c.mem.SetSchema(t.Context(), 0, c.schema)
	require.NoError(t, err)
	d, err := messagedirector.New(messagedirector.Config{Seed: 1})
	require.NoError(t, err)
	c.asker = d.Join("asker")
	c.asker.Route([]wire.Message{{To: []do.Channel{do.Control(do.RoleDirector)}, From: asker, Body: &wire.AddChannels{
		Channels: []do.Channel{asker, do.Record(avatarID), do.Control(do.RoleStateServer)},
	}}})
	cfg.State.Partitions = 4
	c.server, err = NewServer(d, c.mem, cfg)
	require.NoError(t, err)
	return c
}

// avatarID is the object of these tests.
var avatarID = do.NewID(1, 1, 1)

func (c *cluster) run() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go func() { c.ended <- c.server.Run(ctx) }()
}

// end ends the server and returns what Run did.
func (c *cluster) end() error {
	c.stop()
	err := <-c.ended
	c.asker.Leave()
	return err
}

func (c *cluster) ask(bodies ...wire.Body) {
	var out wire.Outbox
	for _, b := range bodies {
		out.SendTo(service, asker, b)
	}
	c.asker.Route(out.Messages)
}

// heard is what came for the asker since the last call, in words.
func (c *cluster) heard() (lines []string) {
	synctest.Wait()
	_, err := c.asker.Inbox().Take(&c.batch)
	require.NoError(c.t, err)
	p := wire.Printer{Schema: c.schema, Names: map[do.ID]string{avatarID: "avatar1"}}
	for _, m := range c.batch {
		p.Learn(avatarID, c.schema.Class("Avatar").Number())
		lines = append(lines, p.Body(m.Body))
	}
	return lines
}

// later lets the time of the bubble pass.
func later(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (c *cluster) gold(n int64) fields.Map {
	return fields.MapOf(fields.Pair{Number: c.schema.Class("Avatar").FieldByName("Gold").Number, Value: fields.AppendInt(nil, n)})
}

func (c *cluster) create() *wire.DBCreate {
	return &wire.DBCreate{Context: 1, DO: avatarID, Class: c.schema.Class("Avatar").Number()}
}

func TestServerAnswersAndAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, ServerConfig{})
		require.ErrorIs(t, c.server.Ready(), wire.CodeNotReady)
		// Who asks before Run began waits, and so does who asks before the schema is known.
		c.ask(c.create(), &wire.DBSet{Context: 2, DO: avatarID, Fields: c.gold(7)}, &wire.DBGet{Context: 3, DO: avatarID})
		c.run()
		lines := c.heard()
		require.Contains(t, lines[0], "SchemaRecord version=1")
		require.Equal(t, []string{
			"Done DBCreate avatar1 row=1 context=1",
			"DBChanged avatar1 row=2 {Gold:7}",
			"Done DBSet avatar1 row=2 context=2",
			"DBObject avatar1 Avatar row=2 {HP:100 Gold:7} context=3",
		}, lines[1:])
		require.NoError(t, c.server.Ready())
		counters := c.server.Counters()
		require.EqualValues(t, 3, counters.Operations)
		require.EqualValues(t, 3, counters.Requests)
		require.Zero(t, counters.Waiting)
		require.NoError(t, c.end())
	})
}

func TestServerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, ServerConfig{})
		c.run()
		c.ask(c.create())
		require.Len(t, c.heard(), 2)

		c.mem.Fail(ErrUnavailable)
		c.ask(&wire.DBSet{Context: 2, DO: avatarID, Fields: c.gold(7)})
		require.Equal(t, []string{`Failed DBSet avatar1 Away text="database: memory: database is not available" context=2`}, c.heard())
		require.ErrorIs(t, c.server.Ready(), ErrUnavailable)
		require.True(t, c.server.Counters().Away)

		// It is asked ever more rarely, but at least once a second.
		later(10 * time.Second)
		failures := c.server.Counters().Failures
		require.Greater(t, failures, uint64(10))
		require.Less(t, failures, uint64(40))

		c.mem.Fail(nil)
		later(time.Second)
		require.NoError(t, c.server.Ready())
		c.ask(&wire.DBSet{Context: 3, DO: avatarID, Fields: c.gold(7)})
		require.Equal(t, []string{"DBChanged avatar1 row=2 {Gold:7}", "Done DBSet avatar1 row=2 context=3"}, c.heard())

		// The end does not wait for a database that is away.
		c.mem.Fail(ErrUnavailable)
		c.ask(&wire.DBGet{Context: 4, DO: avatarID})
		require.NoError(t, c.end())
	})
}

// A database that takes no writes is not away: it is read, and /readyz says what it is, until it takes them again,
// whether somebody writes or not.
func TestServerOfAReadOnlyDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newCluster(t, ServerConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
		c.run()
		c.ask(c.create())
		require.Len(t, c.heard(), 2)
		for refused, code := range map[error]wire.Code{ErrReadOnly: wire.CodeReadOnly, ErrFull: wire.CodeDiskFull} {
			log.Reset()
			c.mem.Refuse(refused)
			c.ask(&wire.DBSet{Context: 2, DO: avatarID, Fields: c.gold(7)}, &wire.DBGet{Context: 3, DO: avatarID})
			heard := c.heard()
			require.Len(t, heard, 2)
			require.Contains(t, heard[0], "Failed DBSet avatar1 "+code.Name())
			require.Contains(t, heard[1], "DBObject avatar1")
			later(5 * time.Second)
			require.ErrorIs(t, c.server.Ready(), code)
			require.ErrorContains(t, c.server.Ready(), code.String())
			require.NotErrorIs(t, c.server.Ready(), ErrUnavailable)
			require.Contains(t, log.String(), "takes no writes: "+code.String())
			require.NotContains(t, log.String(), "takes writes again")
			require.NotContains(t, log.String(), "away")

			c.mem.Refuse(nil)
			later(3 * time.Second)
			require.NoError(t, c.server.Ready())
			require.Contains(t, log.String(), "takes writes again")
		}
		c.mem.Refuse(ErrReadOnly)
		c.ask(&wire.DBSet{Context: 2, DO: avatarID, Fields: c.gold(7)})
		c.mem.Fail(fmt.Errorf("%w: wrong password", ErrDenied))
		later(3 * time.Second)
		require.ErrorIs(t, c.server.Ready(), ErrUnavailable, "the probe finds out")
		require.ErrorContains(t, c.server.Ready(), "wrong password")
		require.NotContains(t, c.server.Ready().Error(), "not available")
		require.NoError(t, c.end())
	})
}

func TestServerWaitsForASchemaThatCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, ServerConfig{})
		good := c.mem.record
		c.mem.record = SchemaRecord{Version: 1, Text: []byte("of a newer release")}
		c.run()
		c.ask(c.create())
		later(10 * time.Second)
		require.Error(t, c.server.Ready())
		require.Less(t, c.server.Counters().Failures, uint64(40), "it is read again, but not at once")
		require.Equal(t, []string{"Failed DBCreate avatar1 Away context=1"}, c.heard())
		c.mem.mu.Lock()
		c.mem.record = good
		c.mem.mu.Unlock()
		later(time.Second)
		require.NoError(t, c.server.Ready())
		require.NoError(t, c.end())
	})
}

// slow is a backend whose batches take a second, or as long as the caller has patience.
type slow struct{ *Memory }

func (b slow) Do(ctx context.Context, s *do.Schema, ops []Op) ([]Result, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return b.Memory.Do(ctx, s, ops)
}

func TestServerAnswersBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, ServerConfig{})
		c.server.backend = slow{c.mem}
		c.run()
		synctest.Wait()
		c.ask(c.create())
		synctest.Wait()
		c.ask(&wire.DBSet{Context: 2, DO: avatarID, Fields: c.gold(7)})
		c.stop()
		require.NoError(t, <-c.ended)
		lines := c.heard()
		require.Equal(t, "Done DBSet avatar1 row=2 context=2", lines[len(lines)-1])
		c.asker.Leave()
	})
}

func TestServerGivesUpACallThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, ServerConfig{CallTimeout: 100 * time.Millisecond})
		c.server.backend = slow{c.mem}
		c.run()
		synctest.Wait()
		c.ask(c.create())
		later(200 * time.Millisecond)
		lines := c.heard()
		require.Contains(t, lines[len(lines)-1], "Failed DBCreate avatar1 Away")
		require.NoError(t, c.end())
	})
}

func TestReplayMakesTheSameMessages(t *testing.T) {
	var file bytes.Buffer
	var first []string
	schema := schemaOf(t, tavern(t))
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Partitions: 4, Batch: 2}
		recorder, err := wire.NewRecorder(&file, wire.RecordingHeader{Kind: "database", Config: cfg.Text()})
		require.NoError(t, err)
		c := newCluster(t, ServerConfig{State: cfg, Recorder: recorder})
		c.run()
		for n := range uint32(5) {
			c.ask(c.create(), &wire.DBSet{Context: n + 2, DO: avatarID, Fields: c.gold(int64(n))}, &wire.DBGet{Context: n + 20, DO: avatarID})
		}
		c.ask(&wire.SchemaSet{Context: 40, Text: schemaOf(t, schemas(t)["grown"]).Text()})
		first = c.heard()
		require.NoError(t, c.end())
	})
	rec, err := wire.ReadRecording(&file)
	require.NoError(t, err)
	cfg, err := ParseConfig(rec.Header.Config)
	require.NoError(t, err)
	s, err := New(cfg)
	require.NoError(t, err)
	var out wire.Outbox
	for _, m := range rec.Messages {
		_ = s.Step(m, &out)
		s.Work()
	}
	p := wire.Printer{Schema: schema, Names: map[do.ID]string{avatarID: "avatar1"}}
	var again []string
	for _, m := range out.Messages {
		p.Learn(avatarID, schema.Class("Avatar").Number())
		again = append(again, p.Body(m.Body))
	}
	require.Equal(t, first, again)
	require.True(t, s.Idle())
}

func TestRule139BeginTakesEveryPartitionOver(t *testing.T) {
	mem := NewMemory()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	first, err := Begin(t.Context(), mem, Cluster{ID: do.WellKnown(1), Partitions: 4, Created: at})
	require.NoError(t, err)
	require.Equal(t, []do.Partition{0, 1, 2, 3, 4}, first.Partitions)
	require.Nil(t, first.Schema)

	schema := schemaOf(t, tavern(t))
	_, err = mem.SetSchema(t.Context(), 0, schema)
	require.NoError(t, err)
	second, err := Begin(t.Context(), mem, Cluster{ID: do.WellKnown(2), Created: at.Add(time.Hour)})
	require.NoError(t, err)
	require.Equal(t, first.Cluster, second.Cluster, "it was made once")
	require.Greater(t, second.Epoch, first.Epoch)
	require.Equal(t, schema.Fingerprint(), second.Schema.Fingerprint())

	mem.Fail(ErrUnavailable)
	_, err = Begin(t.Context(), mem, Cluster{ID: do.WellKnown(2)})
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestWrongConfig(t *testing.T) {
	for _, cfg := range []Config{{}, {Partitions: 1, Batch: -1}, {Partitions: 1, Batch: MaxBatch + 1}, {Partitions: 1, Workers: -1}, {Partitions: 1, Waiting: -1}} {
		_, err := New(cfg)
		require.ErrorIs(t, err, ErrConfig, "%+v", cfg)
	}
	_, err := ParseConfig("{")
	require.ErrorIs(t, err, ErrConfig)
}
