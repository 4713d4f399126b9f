package clientagent

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/wire"
)

// TestAnswersOfCallsAreKeptWithinBounds: the newest of them, by number and by size.
func TestAnswersOfCallsAreKeptWithinBounds(t *testing.T) {
	var c callMemory
	answer := func(id uint32, size int) {
		c.begin(id)
		c.end(&wire.ClientReply{Call: id, Result: make([]byte, size)})
	}
	kept := func(from, to uint32) {
		t.Helper()
		require.Len(t, c.known, int(to-from+1))
		require.Len(t, c.answered, int(to-from+1))
		for id := from; id <= to; id++ {
			require.NotNil(t, c.known[id], "call %d", id)
		}
	}
	for id := range uint32(1000) {
		answer(id, 10)
	}
	kept(1000-rememberedCalls, 999)
	for id := range uint32(100) {
		answer(1000+id, rememberedBytes/8)
	}
	kept(1092, 1099)
	answer(1100, rememberedBytes+1)
	require.Empty(t, c.known, "one that is too large for it")
	require.Zero(t, c.bytes)
	answer(1101, 10)
	kept(1101, 1101)
	c.begin(1102)
	require.Contains(t, c.known, uint32(1102), "what is under way is not forgotten")
}
