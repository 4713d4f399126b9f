package wire

import (
	"encoding/binary"

	"github.com/otpd/otpd/do"
)

// The parameters of FNV-1a, 64 bits. http://www.isthe.com/chongo/tech/comp/fnv/
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// DigestOf is what one object adds to the Sum of its partition's DigestPart: FNV-1a over the 16 bytes of the id, the
// incarnation (8 bytes) and n (4 bytes), both big endian. m is left out: who watches a location does not hear of it.
// A sum does not depend on the order of the objects, so that the two sides need not agree on one.
func DigestOf(id do.ID, v do.Version) uint64 {
	var b [28]byte
	copy(b[:], id[:])
	binary.BigEndian.PutUint64(b[16:], uint64(v.Inc))
	binary.BigEndian.PutUint32(b[24:], v.N)
	h := uint64(fnvOffset)
	for _, x := range b {
		h = (h ^ uint64(x)) * fnvPrime
	}
	return h
}
