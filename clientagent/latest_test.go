package clientagent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/scenario"
)

// TestManyLatestFields: an object may have more latest fields than are coalesced. The others go on the stream as they
// come, each with its serial, to all who hear them.
func TestManyLatestFields(t *testing.T) {
	const n = maxLatest + 3
	var dc, all strings.Builder
	dc.WriteString("dclass Rig {\n")
	for i := range n {
		fmt.Fprintf(&dc, "  int16 J%d ram broadcast ownsend; //! latest\n", i)
		fmt.Fprintf(&all, " J%d=%d", i, i)
	}
	dc.WriteString("  int16 Own ram ownsend ownrecv; //! latest\n};\ndclass Place {\n  string(0-24) Title = \"\" required broadcast;\n};\n")
	schema, err := do.ParseSchema([]byte(dc.String()))
	require.NoError(t, err)
	s := newStage(t)
	s.world = scenario.NewWorld(schema)
	s.out.Printer = s.world.Printer
	run := func(line string) string {
		t.Helper()
		cmds, err := scenario.ParseCommands([]string{line}, 1)
		require.NoError(t, err)
		text, err := s.run(cmds[0])
		require.NoError(t, err)
		return text
	}
	for _, line := range []string{
		"state state1 partitions=1", "agent", "generate street from=ai1 class=Place", "generate rig from=ai1 class=Rig at=street/20",
		"join client1 datagrams", "join client2", "join client3", "setowner rig from=ai1 context=0 owner=client3",
		"interest client1 street/20", "interest client2 street/20",
	} {
		run(line)
	}
	for round := range 2 {
		got := run("set rig from=ai1 context=0" + all.String())
		require.Equal(t, n, strings.Count(got, "client1 <"), got)
		require.Equal(t, 3, strings.Count(got, "client1 <- ClientLatest"), "what has no room goes on the stream")
		require.Equal(t, n, strings.Count(got, "client2 <- ClientLatest"))
		require.Contains(t, got, fmt.Sprintf("client1 <- ClientLatest rig serial=%d J66 66", round+1))
	}
	require.Contains(t, run("set rig from=ai1 context=0 Own=4"), "client3 <- ClientLatest")
}
