package wire

import (
	"encoding/binary"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/otpd/otpd/do"
)

func TestDigestOfIsFNV1a(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := randomID(t)
		v := do.Version{Inc: do.Incarnation(rapid.Uint64().Draw(t, "inc")), N: rapid.Uint32().Draw(t, "n"), M: rapid.Uint32().Draw(t, "m")}
		h := fnv.New64a()
		h.Write(id[:])
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(v.Inc)))
		h.Write(binary.BigEndian.AppendUint32(nil, v.N))
		require.Equal(t, h.Sum64(), DigestOf(id, v))
	})
}
