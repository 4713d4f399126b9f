package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pkg is what the source of one package says, over all its build tags, without its test files.
type pkg struct {
	name    string
	doc     string   // the package comments, joined
	inside  []string // imports of this module, as paths below it
	outside []string // imports from outside this module and the standard library
}

func sortedPaths(packages map[string]*pkg) []string { return slices.Sorted(maps.Keys(packages)) }

// root finds the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, filepath.Dir(dir), dir, "no go.mod above the test")
	}
}

// readPackages reads all packages of the module, by their path below it ("." is the module's own folder).
func readPackages(t *testing.T) map[string]*pkg {
	t.Helper()
	top := root(t)
	packages := map[string]*pkg{}
	require.NoError(t, filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(top, path, entry.Name())
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			return readFile(packages, top, path)
		}
		return nil
	}))
	return packages
}

// skipDir leaves out what the go command leaves out, and modules within the module.
func skipDir(top, path, name string) error {
	if path == top {
		return nil
	}
	if name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func readFile(packages map[string]*pkg, top, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	dir, err := filepath.Rel(top, filepath.Dir(path))
	if err != nil {
		return err
	}
	p := packages[filepath.ToSlash(dir)]
	if p == nil {
		p = &pkg{}
		packages[filepath.ToSlash(dir)] = p
	}
	p.name = file.Name.Name
	p.doc += file.Doc.Text()
	return p.addImports(file.Imports)
}

func (p *pkg) addImports(imports []*ast.ImportSpec) error {
	for _, spec := range imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(path, "/")
		switch {
		case strings.HasPrefix(path, module+"/"):
			p.inside = append(p.inside, strings.TrimPrefix(path, module+"/"))
		case strings.Contains(first, "."):
			p.outside = append(p.outside, path)
		}
	}
	return nil
}

func TestEveryPackageHasADoc(t *testing.T) {
	packages := readPackages(t)
	require.Contains(t, packages, "internal/layout")
	for _, path := range sortedPaths(packages) {
		p := packages[path]
		if p.name == "main" {
			require.Greater(t, len(p.doc), 20, "%s: a command without a doc", path)
			continue
		}
		require.True(t, strings.HasPrefix(p.doc, "Package "+p.name+" "), "%s: no package doc that begins with \"Package %s\"", path, p.name)
	}
}
