package database

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/internal/scenario"
)

var rewrite = flag.Bool("rewrite", false, "write the expected output of scenarios anew")

// Each file of testdata is a story.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			scenario.Walk(t, path, *rewrite, newStage(t).run)
		})
	}
}
