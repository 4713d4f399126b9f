package layout

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A row of docs/parity.md that says "works" names what shows it: "package TestName", or a file of the project.
func TestParityRowsNameWhatShowsThem(t *testing.T) {
	page, err := os.ReadFile("../../docs/parity.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| ([KEPLT]\d+) \| .* \| (works|part|planned) \|(.*)\|$`).FindAllStringSubmatch(string(page), -1)
	require.Equal(t, 143, len(rows), "one row for each capability")
	for _, r := range rows {
		id, state, shown := r[1], r[2], strings.TrimSpace(r[3])
		if state != "works" {
			continue
		}
		dir, name, isTest := strings.Cut(shown, " ")
		if !isTest {
			_, err := os.Stat(filepath.Join("../..", shown))
			require.NoError(t, err, id)
			continue
		}
		files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
		require.NoError(t, err)
		found := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			found = found || strings.Contains(string(b), "func "+name+"(")
		}
		require.True(t, found, "%s: no %s in %s", id, name, dir)
	}
}
