package layout

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// notYet are the rules that nothing shows yet. The list may only shrink: a rule that is shown must leave it, and none may
// be added.
var notYet = []int{}

const (
	rules         = 172
	maxNotApplies = 12
	notApplies    = "does not apply: "
	notYetText    = "not yet"
)

// TestConformanceCoverage checks docs/conformance.md: every rule names where it is shown, a scenario or a Go test that
// exists and carries the rule's number, or says why it does not apply. With -v it prints the table.
func TestConformanceCoverage(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \|$`).FindAllStringSubmatch(string(page), -1)
	require.Len(t, rows, rules, "one row for each rule")
	tests := goTests(t, "../..")
	inNeither := 0
	for i, row := range rows {
		n, shown := i+1, row[3]
		require.Equal(t, strconv.Itoa(n), row[1], "the rows are in order")
		t.Logf("%3d  %s", n, shown)
		switch {
		case strings.HasPrefix(shown, notApplies):
			require.Greater(t, len(shown), len(notApplies)+20, "rule %d: a reason is a sentence", n)
			inNeither++
		case shown == notYetText:
			require.Contains(t, notYet, n, "rule %d is shown nowhere", n)
		default:
			require.NotContains(t, notYet, n, "rule %d is shown: take it off the list", n)
			for _, place := range strings.Split(shown, ", ") {
				require.NoError(t, shows(tests, strings.Trim(place, "`"), n), "rule %d", n)
			}
		}
	}
	require.LessOrEqual(t, inNeither, maxNotApplies, "rules that do not apply")
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(notYet))), len(notYet))
}

// shows reports why a place does not show a rule: a path of a scenario, or "package TestName".
func shows(tests map[string][]int, place string, rule int) error {
	numbers, isTest := tests[place]
	if !isTest {
		text, err := os.ReadFile(filepath.Join("../..", place))
		if err != nil {
			return err
		}
		numbers = ruleNumbers(comments(string(text)))
	}
	if !slices.Contains(numbers, rule) {
		return fmt.Errorf("%s does not carry its number", place)
	}
	return nil
}

// comments are the lines of a scenario that tell its story, in one line for each paragraph.
func comments(text string) string {
	var b strings.Builder
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "#"); ok {
			b.WriteString(rest)
		} else {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// goTests are the rule numbers that each Go test carries in its name, its comment, or its body, by "package TestName".
func goTests(t *testing.T, root string) map[string][]int {
	tests := make(map[string][]int)
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, src, parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			text := fn.Doc.Text() + "\n" + string(src[files.Position(fn.Pos()).Offset:files.Position(fn.End()).Offset])
			tests[filepath.ToSlash(dir)+" "+fn.Name.Name] = append(ruleNumbers(text), nameNumbers(fn.Name.Name)...)
		}
		return nil
	}))
	return tests
}

var (
	inText = regexp.MustCompile(`\b[Rr]ules?\s+(\d+(?:(?:,\s+|\s+and\s+|\s+to\s+)\d+)*)`)
	inName = regexp.MustCompile(`^TestRules?(\d+)((?:And\d+)*)`)
	number = regexp.MustCompile(`(\s+to\s+)?(\d+)`)
)

// ruleNumbers reads "rule 31", "rules 30, 31 and 33" and "rules 106 to 119".
func ruleNumbers(text string) []int {
	var list []int
	for _, m := range inText.FindAllStringSubmatch(text, -1) {
		for _, part := range number.FindAllStringSubmatch(m[1], -1) {
			n, _ := strconv.Atoi(part[2])
			from := n
			if part[1] != "" && len(list) > 0 {
				from = list[len(list)-1] + 1
			}
			for ; from <= n; from++ {
				list = append(list, from)
			}
		}
	}
	return list
}

// nameNumbers reads TestRule31Name and TestRules15And16Name.
func nameNumbers(name string) []int {
	m := inName.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	var list []int
	for _, s := range append([]string{m[1]}, strings.Split(m[2], "And")...) {
		if n, err := strconv.Atoi(s); err == nil {
			list = append(list, n)
		}
	}
	return list
}

func TestRuleNumbersAreRead(t *testing.T) {
	require.Equal(t, []int{31}, ruleNumbers("# it moves (rule 31)"))
	require.Equal(t, []int{22, 24, 25, 26, 7}, ruleNumbers("Rules 22, 24 to 26. As rule 7 says"))
	require.Equal(t, []int{1, 2}, ruleNumbers("(rules 1\nand 2)"))
	require.Empty(t, ruleNumbers("ruled 3 times"))
	require.Equal(t, []int{15, 16}, nameNumbers("TestRules15And16Nothing"))
	require.Equal(t, []int{3}, nameNumbers("TestRule3Anybody"))
	require.Empty(t, nameNumbers("TestAnd4"))
	require.Error(t, shows(map[string][]int{"do TestA": {1}}, "do TestA", 2))
	require.Error(t, shows(nil, "do TestA", 1), "neither a file nor a test")
	require.NoError(t, shows(map[string][]int{"do TestA": {1}}, "do TestA", 1))
}
