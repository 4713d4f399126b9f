package database_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// The whole role over a real database: the schema comes from whoever offers it, and what was acknowledged is there after
// the next start.
func TestServerOverSQLite(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "otpd.db")
	integer, err := fields.ParseType("int64")
	require.NoError(t, err)
	schema, err := do.NewSchema([]do.ClassDecl{{Name: "Avatar", Fields: []do.FieldDecl{
		{Name: "Gold", Kind: do.FieldState, Keywords: fields.DB | fields.Index, Type: integer},
	}}}, nil)
	require.NoError(t, err)
	gold := schema.Class("Avatar").FieldByName("Gold").Number
	value := func(n int64) fields.Map {
		return fields.MapOf(fields.Pair{Number: gold, Value: fields.AppendInt(nil, n)})
	}

	const objects = 250
	first := serve(t, address)
	first.ask(&wire.SchemaSet{Context: 1, Text: schema.Text()})
	record := first.next().(*wire.SchemaRecord)
	require.EqualValues(t, 1, record.Version)
	require.EqualValues(t, 4, record.Partitions)
	for n := range uint64(objects) {
		id := do.NewID(1, 1, n)
		first.ask(
			&wire.DBCreate{Context: 2, DO: id, Class: 0, Fields: value(0)},
			&wire.DBSet{Context: 2, DO: id, Epoch: first.opening.Epoch, Fields: value(int64(n % 2))},
		)
	}
	for range 2 * objects {
		require.IsType(t, &wire.Done{}, first.next())
	}
	require.Less(t, first.server.Counters().Batches, uint64(objects), "they went together")
	first.end()

	second := serve(t, address)
	require.Greater(t, second.opening.Epoch, first.opening.Epoch)
	require.Equal(t, schema.Fingerprint(), second.opening.Schema.Fingerprint())
	second.ask(&wire.DBFind{Context: 3, Class: 0, Field: gold, Value: fields.AppendInt(nil, 1), Limit: 1000})
	require.Len(t, second.next().(*wire.DBFound).Objects, objects/2)
	second.ask(&wire.DBSet{Context: 4, DO: do.NewID(1, 1, 0), Epoch: first.opening.Epoch, Fields: value(9)})
	require.Equal(t, wire.CodeEpoch, second.next().(*wire.Failed).Code)
	second.end()
}

// served is a Server over a database, and somebody who asks.
type served struct {
	t       *testing.T
	opening database.Opening
	server  *database.Server
	asker   *messagedirector.Participant
	stop    context.CancelFunc
	ended   chan error
	backend database.Backend
	batch   []wire.Message
	rest    []wire.Message
}

// asker is who asks.
var asker = do.AI(do.WellKnown(7))

func serve(t *testing.T, address string) *served {
	t.Helper()
	s := &served{t: t, ended: make(chan error, 1)}
	var err error
	s.backend, err = sqldb.Open(t.Context(), address)
	require.NoError(t, err)
	s.opening, err = database.Begin(t.Context(), s.backend, database.Cluster{ID: do.WellKnown(9), Partitions: 4, Created: time.Unix(0, 0)})
	require.NoError(t, err)
	d, err := messagedirector.New(messagedirector.Config{})
	require.NoError(t, err)
	s.asker = d.Join("asker")
	s.asker.Route([]wire.Message{{To: []do.Channel{do.Control(do.RoleDirector)}, From: asker, Body: &wire.AddChannels{Channels: []do.Channel{asker}}}})
	s.server, err = database.NewServer(d, s.backend, database.ServerConfig{State: database.Config{Partitions: s.opening.Cluster.Partitions}})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- s.server.Run(ctx) }()
	return s
}

func (s *served) ask(bodies ...wire.Body) {
	var out wire.Outbox
	for _, b := range bodies {
		out.SendTo(do.Control(do.RoleDatabase), asker, b)
	}
	s.asker.Route(out.Messages)
}

// next is the next answer.
func (s *served) next() wire.Body {
	s.t.Helper()
	if len(s.rest) == 0 {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		defer cancel()
		var err error
		s.rest, err = s.asker.Inbox().Wait(ctx, &s.batch)
		require.NoError(s.t, err)
	}
	m := s.rest[0]
	s.rest = s.rest[1:]
	return m.Body
}

func (s *served) end() {
	s.stop()
	require.NoError(s.t, <-s.ended)
	s.asker.Leave()
	require.NoError(s.t, s.backend.Close())
}
