package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/do/dc"
)

// schemaCmd is `otpd schema`. Wherever one of its commands wants a schema, that is a .dc file, several with commas
// between them that are read as one, the data directory of a daemon, a postgres:// or sqlite: address, or the join
// URL of a running cluster.
type schemaCmd struct {
	Export schemaExportCmd `cmd:"" help:"Print a schema as canonical .dc text: of files, of a database, or of a running cluster."`
	Import schemaImportCmd `cmd:"" help:"Print the Go types of a schema."`
	Diff   schemaDiffCmd   `cmd:"" help:"Say what two schemas differ in; exit status 1 if they cannot live together."`
	Hash   schemaHashCmd   `cmd:"" help:"Print the fingerprints of a schema, and the 32-bit hashes of Panda3D and Astron."`
}

// schemaExportCmd is `otpd schema export`.
type schemaExportCmd struct {
	Schema string `arg:"" optional:"" help:"A .dc file (several with commas), a data directory, a database's address, or a join URL."`
	DB     string `xor:"from" placeholder:"URL" help:"The database at a postgres:// URL."`
	Data   string `xor:"from" placeholder:"DIR" help:"The SQLite database in a daemon's data directory."`
	Join   string `xor:"from" placeholder:"URL" help:"The running cluster with this join URL."`
}

// Run prints the text.
func (c schemaExportCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c schemaExportCmd) run(out, notices io.Writer) error {
	from := c.Schema + c.DB + c.Join
	if c.Data != "" {
		from += "sqlite:" + filepath.Join(c.Data, databaseFile)
	}
	if from == "" || c.Schema != "" && from != c.Schema {
		return fmt.Errorf("schema export: name one place to take the schema from: a file, --db, --data or --join: %w", daemon.ErrConfig)
	}
	s, _, err := loadSchema(from, notices)
	if err != nil {
		return fmt.Errorf("schema export: %w", err)
	}
	_, err = out.Write(s.Text())
	return err
}

// schemaImportCmd is `otpd schema import`.
type schemaImportCmd struct {
	Schema  string `arg:"" help:"A .dc file (several with commas), or another place of a schema."`
	Package string `default:"game" help:"The package's name."`
}

// errGo is what import ends with when Go cannot declare all of a schema.
var errGo = errors.New("schema import: the printed types are not the whole schema")

// Run prints the source.
func (c schemaImportCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c schemaImportCmd) run(out, notices io.Writer) error {
	s, files, err := loadSchema(c.Schema, notices)
	if err != nil {
		return fmt.Errorf("schema import: %w", err)
	}
	var names map[string]string
	if files != nil {
		names = files.TypeNames()
	}
	source, problems, err := dc.GoSource(s, c.Package, names)
	if err != nil {
		return fmt.Errorf("schema import: %w", err)
	}
	for _, p := range problems {
		fmt.Fprintln(notices, p)
	}
	if _, err := out.Write(source); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errGo
	}
	return nil
}

// schemaDiffCmd is `otpd schema diff`.
type schemaDiffCmd struct {
	Old string `arg:"" help:"The older schema."`
	New string `arg:"" help:"The newer one."`
}

// Run prints the differences.
func (c schemaDiffCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c schemaDiffCmd) run(out, notices io.Writer) error {
	older, _, err := loadSchema(c.Old, notices)
	if err != nil {
		return fmt.Errorf("schema diff: %w", err)
	}
	newer, _, err := loadSchema(c.New, notices)
	if err != nil {
		return fmt.Errorf("schema diff: %w", err)
	}
	for _, d := range do.Differences(older, newer) {
		verdict := "incompatible"
		if d.Compatible {
			verdict = "compatible  "
		}
		fmt.Fprintf(out, "%s  %s\n", verdict, d.Text)
	}
	// Schemas that differ in compatible things only can still have no common superset.
	compat, _ := do.Compare(older, newer)
	_, err = do.Merge(older, newer)
	if err != nil {
		compat, err = do.Incompatible, fmt.Errorf("schema diff: %w", err)
	}
	fmt.Fprintf(out, "the schemas are %s\n", compat)
	return err
}

// schemaHashCmd is `otpd schema hash`.
type schemaHashCmd struct {
	Schema  string `arg:"" help:"A .dc file (several with commas), or another place of a schema."`
	Classes bool   `help:"Print the fingerprint of each class, too."`
}

// Run prints the fingerprints.
func (c schemaHashCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c schemaHashCmd) run(out, notices io.Writer) error {
	s, files, err := loadSchema(c.Schema, notices)
	if err != nil {
		return fmt.Errorf("schema hash: %w", err)
	}
	fmt.Fprintf(out, "otpd     %x\n", s.Fingerprint())
	if files == nil {
		// The stored text is a .dc file, too.
		if files, err = dc.Read(dc.Source{Name: c.Schema, Text: s.Text()}); err != nil {
			return fmt.Errorf("schema hash: %w", err)
		}
	}
	printLegacy(out, "panda3d", files.PandaHash)
	printLegacy(out, "astron", files.AstronHash)
	if c.Classes {
		for _, class := range s.Classes() {
			fmt.Fprintf(out, "class    %x  %s\n", class.Fingerprint(), class)
		}
	}
	return nil
}

// printLegacy prints a legacy hash, or why there is none.
func printLegacy(out io.Writer, whose string, hash func() (uint32, error)) {
	h, err := hash()
	if err != nil {
		fmt.Fprintf(out, "%-8s none: %v\n", whose, err)
		return
	}
	fmt.Fprintf(out, "%-8s 0x%08x\n", whose, h)
}

// databaseFile is the daemon's SQLite database within its data directory.
const databaseFile = "otpd.db"

// schemaTimeout is how long a database or cluster has to answer.
const schemaTimeout = 15 * time.Second

// loadSchema reads a schema from where it is. files is what its .dc files say, nil if it is from elsewhere. What the files
// say and the schema cannot goes to notices.
func loadSchema(from string, notices io.Writer) (s *do.Schema, files *dc.File, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	info, statErr := os.Stat(from)
	switch {
	case strings.HasPrefix(from, "postgres://"), strings.HasPrefix(from, "postgresql://"), strings.HasPrefix(from, "sqlite:"):
		s, err = storedSchema(ctx, from)
	case strings.Contains(from, "://"):
		s, err = runningSchema(ctx, from)
	case statErr == nil && info.IsDir():
		s, err = storedSchema(ctx, "sqlite:"+filepath.Join(from, databaseFile))
	default:
		return fileSchema(from, notices)
	}
	return s, nil, err
}

// fileSchema reads .dc files, with commas between their names.
func fileSchema(paths string, notices io.Writer) (*do.Schema, *dc.File, error) {
	s, files, left, err := daemon.ReadSchema(paths)
	for _, n := range left {
		fmt.Fprintln(notices, n)
	}
	return s, files, err
}

// errNoSchema is what a database without a schema record, or without a file, is answered with.
var errNoSchema = errors.New("there is no schema yet")

// storedSchema reads the schema record of a database, and makes no database where there is none.
func storedSchema(ctx context.Context, address string) (*do.Schema, error) {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
	}
	backend, err := sqldb.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	record, err := backend.Schema(ctx)
	if err := errors.Join(err, backend.Close()); err != nil {
		return nil, err
	}
	if record.Version == 0 {
		return nil, errNoSchema
	}
	return do.ParseSchema(record.Text)
}

// runningSchema asks a running cluster.
func runningSchema(ctx context.Context, url string) (*do.Schema, error) {
	r, err := ai.Connect(ctx, ai.Config{URL: url, Registry: do.NewRegistry(), Name: "otpd schema", Guest: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Schema(), nil
}
