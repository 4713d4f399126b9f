package clientagent

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/internal/scenario"
	"github.com/otpd/otpd/wire"
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

// rule 98: every reason that is a client's fault or the link's has a scenario in which a session is closed with its number,
// and so have those of the agent itself. Who does not read (346) reads no reason either: slow.txt counts the sessions.
func TestRule98EveryReasonHasItsScenario(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	var all strings.Builder
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(text)
	}
	for _, r := range wire.Reasons() {
		switch {
		case r.Reason == wire.ReasonSlow || r.Reason == wire.ReasonInternal || r.Fault == wire.FaultNobody:
		case r.Reason == wire.ReasonShutdown: // by the shell, when it stops: cmd/otpd TestTerminateWritesWhatIsDirty
		default:
			require.Contains(t, all.String(), fmt.Sprintf("closed: %d\n", r.Reason), "no scenario ends with %s", r.Name)
		}
	}
}
