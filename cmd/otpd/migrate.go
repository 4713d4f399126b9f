package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/do"
)

// migrateCmd is `otpd migrate`. What it is about is the schema of the game together with what the database has already:
// a cluster's schema only grows.
type migrateCmd struct {
	Status migrateStatusCmd `cmd:"" help:"Say what is in a database, and whether it fits a schema."`
	Plan   migratePlanCmd   `cmd:"" help:"Print the statements that a schema needs; exit status 1 if some of them could lose data."`
	Up     migrateUpCmd     `cmd:"" help:"Make the tables, columns and indexes that a schema needs. What could lose data is refused, and printed."`
}

// place says which database.
type place struct {
	DB     string `placeholder:"URL" env:"OTPD_DB" xor:"place" help:"The database at a postgres:// URL."`
	Data   string `placeholder:"DIR" env:"OTPD_DATA" xor:"place" help:"The SQLite database in a daemon's data directory."`
	JSON   bool   `help:"Print JSON, for programs."`
	Schema string `arg:"" optional:"" help:"The game's schema: a .dc file (several with commas), a data directory, a database's address, or a join URL."`
}

// migrateTimeout bounds reading and planning; the making of an index of a large table may take as long as it needs.
const migrateTimeout = time.Minute

// state is what a database has, and what it needs.
type state struct {
	Address       string    `json:"address"`
	Cluster       string    `json:"cluster,omitempty"`
	Partitions    uint16    `json:"partitions,omitempty"`
	Created       time.Time `json:"created,omitzero"`
	SchemaVersion uint64    `json:"schema_version"`
	Classes       int       `json:"classes"`
	NewVersion    bool      `json:"new_version"` // the schema record lacks something of the schema
	Additive      []string  `json:"additive"`
	Destructive   []string  `json:"destructive"`
}

// migration is an open database with what it has and is to have.
type migration struct {
	backend *sqldb.Backend
	state   state
	record  database.SchemaRecord
	schema  *do.Schema // what it is to have; nil: nothing is known of any
}

// open looks at the database; only if makes is set, an SQLite file that is not there is made.
func (p place) open(ctx context.Context, notices io.Writer, makes bool) (*migration, error) {
	address := p.DB
	if p.Data != "" {
		address = "sqlite:" + filepath.Join(p.Data, databaseFile)
		if _, err := os.Stat(filepath.Join(p.Data, databaseFile)); err != nil && !makes {
			return nil, fmt.Errorf("migrate: no database there yet: %w", err)
		}
	}
	if address == "" {
		return nil, fmt.Errorf("migrate: name the database by --db or --data: %w", daemon.ErrConfig)
	}
	var offered *do.Schema
	if p.Schema != "" {
		var err error
		if offered, _, err = loadSchema(p.Schema, notices); err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	b, err := sqldb.Open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	m := &migration{backend: b, state: state{Address: shown(address)}}
	if err := m.read(ctx, offered); err != nil {
		return nil, fmt.Errorf("migrate: %w", errors.Join(err, b.Close()))
	}
	return m, nil
}

// shown is an address without its password.
func shown(address string) string {
	before, after, ok := strings.Cut(address, "@")
	scheme, who, okWho := strings.Cut(before, "://")
	if !ok || !okWho {
		return address
	}
	user, _, _ := strings.Cut(who, ":")
	return scheme + "://" + user + "@" + after
}

func (m *migration) read(ctx context.Context, offered *do.Schema) (err error) {
	cluster, made, err := m.backend.ReadCluster(ctx)
	if err != nil {
		return err
	}
	if made {
		m.state.Cluster, m.state.Partitions, m.state.Created = cluster.ID.String(), cluster.Partitions, cluster.Created
	}
	if m.record, err = m.backend.Schema(ctx); err != nil {
		return err
	}
	m.state.SchemaVersion, m.schema = m.record.Version, offered
	if m.record.Version > 0 {
		have, err := do.ParseSchema(m.record.Text)
		if err != nil {
			return fmt.Errorf("schema record %d: %w", m.record.Version, err)
		}
		m.schema = have
		if offered != nil {
			if fit, why := do.Compare(have, offered); fit == do.Incompatible {
				return fmt.Errorf("the database has an incompatible schema: %s", why)
			}
			if m.schema, err = do.Merge(have, offered); err != nil {
				return err
			}
		}
		m.state.NewVersion = string(m.schema.Text()) != string(m.record.Text)
	} else {
		m.state.NewVersion = offered != nil
	}
	if m.schema == nil {
		return nil
	}
	m.state.Classes = len(m.schema.Classes())
	plan, err := m.backend.Plan(ctx, m.schema)
	m.state.Additive, m.state.Destructive = plan.Additive, plan.Destructive
	return err
}

// migrateStatusCmd is `otpd migrate status`.
type migrateStatusCmd struct{ place }

// Run prints it.
func (c migrateStatusCmd) Run() error { return c.run(context.Background(), os.Stdout, os.Stderr) }

func (c migrateStatusCmd) run(ctx context.Context, out, notices io.Writer) (err error) {
	m, err := c.open(ctx, notices, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.backend.Close()) }()
	if c.JSON {
		return json.NewEncoder(out).Encode(m.state)
	}
	s := &m.state
	fmt.Fprintf(out, "database    %s\n", s.Address)
	if s.Cluster == "" {
		fmt.Fprintln(out, "cluster     none yet")
	} else {
		fmt.Fprintf(out, "cluster     %s, %d partitions, made %s\n", s.Cluster, s.Partitions, s.Created.Format(time.RFC3339))
	}
	if s.SchemaVersion == 0 {
		fmt.Fprintln(out, "schema      none yet")
	} else {
		fmt.Fprintf(out, "schema      version %d\n", s.SchemaVersion)
	}
	switch {
	case m.schema == nil:
	case len(s.Destructive) > 0:
		fmt.Fprintf(out, "tables      a person must change them: %d statements, see otpd migrate plan\n", len(s.Destructive))
	case len(s.Additive) > 0 || s.NewVersion:
		fmt.Fprintf(out, "tables      %d statements to run, see otpd migrate plan\n", len(s.Additive))
	default:
		fmt.Fprintf(out, "tables      up to date, %d classes\n", s.Classes)
	}
	return nil
}

// migratePlanCmd is `otpd migrate plan`.
type migratePlanCmd struct{ place }

// errLossy is what plan and up end with where a person has to decide.
var errLossy = errors.New("migrate: some statements could lose data: run them yourself when you are sure")

// Run prints it.
func (c migratePlanCmd) Run() error { return c.run(context.Background(), os.Stdout, os.Stderr) }

func (c migratePlanCmd) run(ctx context.Context, out, notices io.Writer) (err error) {
	m, err := c.open(ctx, notices, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.backend.Close()) }()
	if err := m.print(out, c.JSON); err != nil {
		return err
	}
	if len(m.state.Destructive) > 0 {
		return errLossy
	}
	return nil
}

func (m *migration) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(m.state)
	}
	if m.schema == nil {
		return fmt.Errorf("migrate: the database has no schema yet: name the game's: %w", daemon.ErrConfig)
	}
	for _, s := range m.state.Additive {
		fmt.Fprintf(out, "%s;\n", s)
	}
	for _, s := range m.state.Destructive {
		fmt.Fprintf(out, "-- could lose data: %s;\n", s)
	}
	if len(m.state.Additive)+len(m.state.Destructive) == 0 {
		fmt.Fprintln(out, "-- nothing to do")
	}
	return nil
}

// migrateUpCmd is `otpd migrate up`.
type migrateUpCmd struct{ place }

// Run does it.
func (c migrateUpCmd) Run() error { return c.run(context.Background(), os.Stdout, os.Stderr) }

func (c migrateUpCmd) run(ctx context.Context, out, notices io.Writer) (err error) {
	m, err := c.open(ctx, notices, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.backend.Close()) }()
	if err := m.print(out, c.JSON); err != nil {
		return err
	}
	switch {
	case len(m.state.Destructive) > 0:
		return errLossy
	case len(m.state.Additive) == 0 && !m.state.NewVersion:
		return nil
	}
	version, err := m.backend.SetSchema(ctx, m.record.Version, m.schema)
	if errors.Is(err, database.ErrSchemaVersion) {
		return fmt.Errorf("migrate: somebody else has changed the schema meanwhile; look at the plan again: %w", err)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	slog.New(slog.NewTextHandler(notices, nil)).Info("migrated", "version", version)
	return nil
}
