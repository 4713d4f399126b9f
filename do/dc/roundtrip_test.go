package dc

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
)

// schemaOf reads one text.
func schemaOf(t require.TestingT, text string) (*do.Schema, []Notice) {
	f, err := Read(Source{"test.dc", []byte(text)})
	require.NoError(t, err, text)
	s, notices, err := f.Schema()
	require.NoError(t, err, text)
	return s, notices
}

func TestExportThenImportIsTheSameSchema(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := randomSchema(rapid.IntRange(0, 6).Draw(t, "classes"), func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") })
		require.NoError(t, err)
		again, notices := schemaOf(t, string(s.Text()))
		require.Empty(t, notices)
		require.Equal(t, string(s.Text()), string(again.Text()))
		require.Equal(t, s.Fingerprint(), again.Fingerprint())
		canonical, err := do.ParseSchema(s.Text())
		require.NoError(t, err)
		require.Equal(t, canonical.Fingerprint(), again.Fingerprint())
	})
}

const printSchema = `package main

import (
	"os"

	"github.com/otpd/otpd/do"
)

func main() {
	r := do.NewRegistry()
	if err := Register(r); err != nil {
		panic(err)
	}
	os.Stdout.Write(r.Schema().Text())
}
`

// registered compiles source, which is package main, runs it, and is the schema that its types have.
func registered(t *testing.T, source []byte) string {
	t.Helper()
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "classes.go"), filepath.Join(dir, "main.go")}
	require.NoError(t, os.WriteFile(files[0], source, 0o600))
	require.NoError(t, os.WriteFile(files[1], []byte(printSchema), 0o600))
	command := exec.Command("go", append([]string{"run"}, files...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "%s\n%s", stderr.String(), source)
	return string(out)
}

func TestGoSourceCompilesToTheSameSchema(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s, err := randomSchema(80, rng.IntN)
	require.NoError(t, err)
	source, problems, err := GoSource(s, "main", nil)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, string(s.Text()), registered(t, source))
}

func TestGoSourceOfAForeignFile(t *testing.T) {
	text, err := os.ReadFile("testdata/language.dc")
	require.NoError(t, err)
	// Go embeds a parent once, so the one class with two ways to its root is taken out of the way.
	text = bytes.Replace(text, []byte("dclass Thing : Root"), []byte("dclass Thing"), 1)
	f, err := Read(Source{"language.dc", text})
	require.NoError(t, err)
	s, _, err := f.Schema()
	require.NoError(t, err)
	source, problems, err := GoSource(s, "main", f.TypeNames())
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Contains(t, string(source), "type Barrier struct")
	require.Contains(t, string(source), "type Dress struct")
	require.Equal(t, string(s.Text()), registered(t, source))
}

func TestGoSourceSaysWhatGoCannot(t *testing.T) {
	s, _ := schemaOf(t, `
		dclass A { say(string) broadcast; talk : say; x(int8) ram; };
		dclass B : A { x(int8) ram; };
		dclass C : A { y(int8) ram; a(int8) ram; };
		dclass Register { };
		dclass D : B, C { save(int8) ram; };`)
	source, problems, err := GoSource(s, "game", nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"class A: field Talk cannot be declared in Go: its part Say is no state field, and in Go a molecular field is sent with the values of its parts; rename it or leave it out of the schema",
		"class B: field X cannot be declared in Go: A declares it, too, and a name is declared once in Go; rename it or leave it out of the schema",
		"class C: field A cannot be declared in Go: the class embeds its parent by that name; rename it or leave it out of the schema",
		"class D inherits from A by two ways: Go would hold its fields twice; let one of its parents not inherit from it",
	}, problems)
	require.Contains(t, string(source), "Save_ int8 `do:\"ram\"`")
	require.Contains(t, string(source), "func Register_(r *do.Registry) error")
	_, _, err = GoSource(s, "no name", nil)
	require.ErrorContains(t, err, "no name for a package")
}
