package messagedirector

import (
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or a district for them.
func TestMain(m *testing.M) {
	if url := os.Getenv(childURL); url != "" {
		childOrFail(url)
	}
	goleak.VerifyTestMain(m)
}

func portOf(t *testing.T, n *Node) int {
	t.Helper()
	_, port, err := net.SplitHostPort(n.host)
	require.NoError(t, err)
	p, err := strconv.Atoi(port)
	require.NoError(t, err)
	return p
}
