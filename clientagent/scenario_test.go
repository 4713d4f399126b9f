package clientagent

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/internal/scenario"
)

var rewrite = flag.Bool("rewrite", false, "write the output of scenarios into their files")

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			s := newStage(t)
			scenario.Walk(t, path, *rewrite, s.run)
			if s.agent != nil {
				require.Zero(t, s.agent.Stats().Panics, s.agent.Stats().LastPanic)
			}
		})
	}
}
