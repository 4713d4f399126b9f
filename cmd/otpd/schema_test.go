package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/database/sqldb"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testpg"
)

const avatarDC = `keyword p2p;
dclass Avatar {
  setName(string(0-24) name) required broadcast db;
  setX(int16 / 10 x) ram broadcast;
  poke() clsend airecv p2p;
};
`

// dcFile writes a .dc file and is its path.
func dcFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestSchemaExportOfFiles(t *testing.T) {
	path := dcFile(t, "avatar.dc", avatarDC)
	var out, notices strings.Builder
	require.NoError(t, schemaExportCmd{Schema: path}.run(&out, &notices))
	require.Equal(t, `dclass Avatar {
  string(0-24) SetName required db broadcast;
  float64 SetX ram broadcast; //! type="float64 as int16/10"
  Poke() clsend airecv;
};
`, out.String())
	require.Equal(t, path+":5:24: field poke: the keyword p2p has no meaning here and is left out\n", notices.String())

	exported := dcFile(t, "exported.dc", out.String())
	var again strings.Builder
	require.NoError(t, schemaExportCmd{Schema: exported}.run(&again, io.Discard))
	require.Equal(t, out.String(), again.String())

	street := dcFile(t, "street.dc", "dclass Street : Avatar { };")
	again.Reset()
	require.NoError(t, schemaExportCmd{Schema: path + "," + street}.run(&again, io.Discard))
	require.Equal(t, out.String()+"dclass Street : Avatar {\n};\n", again.String())
	require.ErrorContains(t, schemaExportCmd{Schema: street}.run(io.Discard, io.Discard), street+":1:17: wrong schema: the parent Avatar is not declared before it")
}

func TestSchemaExportOfADatabase(t *testing.T) {
	dir := t.TempDir()
	sqlite := "sqlite:" + filepath.Join(dir, databaseFile)
	require.ErrorIs(t, schemaExportCmd{Data: dir}.run(io.Discard, io.Discard), os.ErrNotExist, "none is made")
	for address, command := range map[string]func(string) schemaExportCmd{
		sqlite:          func(string) schemaExportCmd { return schemaExportCmd{Data: dir} },
		testpg.URL(t):   func(address string) schemaExportCmd { return schemaExportCmd{DB: address} },
		sqlite + "copy": func(address string) schemaExportCmd { return schemaExportCmd{Schema: address} },
	} {
		backend, err := sqldb.Open(context.Background(), address)
		require.NoError(t, err)
		require.ErrorIs(t, command(address).run(io.Discard, io.Discard), errNoSchema)
		s, err := do.ParseSchema([]byte("dclass A {\n  int8 X required db;\n};\n"))
		require.NoError(t, err)
		_, err = backend.SetSchema(context.Background(), 0, s)
		require.NoError(t, err)
		var out strings.Builder
		require.NoError(t, command(address).run(&out, io.Discard))
		require.Equal(t, string(s.Text()), out.String())
		require.NoError(t, backend.Close())
	}
}

// schemaClass is what the game in TestSchemaExportOfARunningDaemon has.
type schemaClass struct {
	do.Object
	X int8 `do:"required,db"`
}

func TestSchemaExportOfARunningDaemon(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	d, err := daemon.Start(ctx, daemon.Config{
		Listen: "127.0.0.1:0", Bus: "127.0.0.1:0", Data: dir, Dev: true, Partitions: 1, States: 1, Agents: 1,
	}, log)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Stop()) }()
	registry := do.NewRegistry()
	require.NoError(t, registry.Class(schemaClass{}))
	game, err := ai.Connect(ctx, ai.Config{URL: d.JoinURL(), Registry: registry, Name: "game", Log: log})
	require.NoError(t, err)
	defer game.Close()
	for _, from := range []schemaExportCmd{{Join: d.JoinURL()}, {Schema: d.JoinURL()}, {Data: dir}, {Schema: dir}} {
		var out strings.Builder
		require.NoError(t, from.run(&out, io.Discard), "%+v", from)
		require.Equal(t, "dclass schemaClass {\n  int8 X required db;\n};\n", out.String(), "%+v", from)
	}
}

func TestSchemaImport(t *testing.T) {
	var out strings.Builder
	require.NoError(t, schemaImportCmd{Schema: dcFile(t, "avatar.dc", avatarDC), Package: "game"}.run(&out, io.Discard))
	require.Contains(t, out.String(), "package game\n")
	require.Contains(t, out.String(), "SetX    float64            `do:\"ram,broadcast,as=int16,scale=10\"`")

	var problems strings.Builder
	hidden := dcFile(t, "hidden.dc", "dclass A { x(int8) ram; }; dclass B : A { x(int8) ram; };")
	require.ErrorIs(t, schemaImportCmd{Schema: hidden, Package: "game"}.run(io.Discard, &problems), errGo)
	require.Contains(t, problems.String(), "class B: field X cannot be declared in Go")
}

func TestSchemaDiff(t *testing.T) {
	older := dcFile(t, "old.dc", avatarDC)
	newer := dcFile(t, "new.dc", strings.Replace(avatarDC, "poke()", "poke(int8)", 1)+"dclass Street { };")
	appended := dcFile(t, "appended.dc", avatarDC+"dclass Street { };")
	var out strings.Builder
	require.NoError(t, schemaDiffCmd{Old: older, New: appended}.run(&out, io.Discard))
	require.Equal(t, "compatible    class Street is missing in the old schema\nthe schemas are compatible\n", out.String())

	out.Reset()
	err := schemaDiffCmd{Old: older, New: newer}.run(&out, io.Discard)
	require.ErrorIs(t, err, do.ErrIncompatible)
	require.Equal(t, `incompatible  class Avatar: field 2 is Poke() clsend airecv; in the old schema and Poke(int8) clsend airecv; in the new
compatible    class Street is missing in the old schema
the schemas are incompatible
`, out.String())

	require.Equal(t, 0, execute([]string{"schema", "diff", older, appended}))
	require.Equal(t, 1, execute([]string{"schema", "diff", older, newer}))
	require.Equal(t, 2, execute([]string{"schema", "diff", older}))
	require.Equal(t, 2, execute([]string{"schema", "export"}), "from nowhere")
	require.Equal(t, 2, execute([]string{"schema", "export", older, "--data", "x"}), "from two places")
	require.ErrorIs(t, schemaExportCmd{}.run(io.Discard, io.Discard), daemon.ErrConfig)
}

func TestSchemaHash(t *testing.T) {
	path := dcFile(t, "avatar.dc", "dclass Avatar { m(string(8-16) t); };")
	s, _, err := loadSchema(path, io.Discard)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, schemaHashCmd{Schema: path, Classes: true}.run(&out, io.Discard))
	require.Regexp(t, `^otpd     [0-9a-f]{64}\npanda3d  0x[0-9a-f]{8}\nastron   0x[0-9a-f]{8}\nclass    [0-9a-f]{64}  Avatar\n$`, out.String())
	require.NotNil(t, s)
	out.Reset()
	declared := dcFile(t, "p2p.dc", avatarDC)
	require.NoError(t, schemaHashCmd{Schema: declared}.run(&out, io.Discard))
	require.Contains(t, out.String(), "astron   none: dc: "+declared+":5:24: Astron has no definite hash for the keyword p2p")
}
