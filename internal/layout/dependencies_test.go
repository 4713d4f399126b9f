package layout

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/dependencies.md says of each direct dependency what it is for, and names no other.
func TestEveryDependencyHasItsLine(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	page, err := os.ReadFile("../../docs/dependencies.md")
	require.NoError(t, err)
	wanted := map[string]bool{}
	for _, line := range strings.Split(string(mod), "\n") {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(line, "\t") && strings.HasPrefix(f[1], "v") {
			wanted[f[0]] = true
		}
	}
	require.NotEmpty(t, wanted)
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z]+\.[^ |]+) \|`).FindAllStringSubmatch(string(page), -1) {
		named[m[1]] = true
	}
	require.Equal(t, wanted, named)
}
