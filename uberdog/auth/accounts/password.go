package accounts

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrHash is wrapped by errors about a stored hash that is none, or asks for more than the bounds below.
var ErrHash = errors.New("not a password hash")

// Params are the cost of a hash. The zero value is the default.
type Params struct {
	Memory  uint32 // KiB; 0: 19456
	Time    uint32 // passes; 0: 2
	Threads uint8  // 0: 1
}

// Cheap are parameters for tests and demos: a hash takes well under a millisecond and protects nobody.
func Cheap() Params { return Params{Memory: 64, Time: 1, Threads: 1} }

// Bounds of what is accepted, from a configuration as well as from a stored hash: verifying must not be a way to take
// the process down.
const (
	maxMemory  = 1 << 20 // KiB
	maxTime    = 64
	maxThreads = 64
	saltBytes  = 16
	keyBytes   = 32
)

// withDefaults fills in what is zero: the least that OWASP recommends for argon2id.
func (p Params) withDefaults() Params {
	if p.Memory == 0 {
		p.Memory = 19456
	}
	if p.Time == 0 {
		p.Time = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	return p
}

// validate checks the bounds; 8 KiB per thread is the least that argon2 works with (RFC 9106, 3.1).
func (p Params) validate() error {
	if p.Time < 1 || p.Time > maxTime || p.Threads < 1 || p.Threads > maxThreads ||
		p.Memory < 8*uint32(p.Threads) || p.Memory > maxMemory {
		return fmt.Errorf("%w: m=%d,t=%d,p=%d is out of bounds (m: 8 KiB per thread to %d, t: 1 to %d, p: 1 to %d)",
			ErrHash, p.Memory, p.Time, p.Threads, maxMemory, maxTime, maxThreads)
	}
	return nil
}

// hash is a hash with what it was made of.
type hash struct {
	params Params
	salt   []byte
	key    []byte
}

// newHash hashes a password. It takes time and memory as p says.
func newHash(password string, p Params, salt []byte) hash {
	return hash{p, salt, derive(password, p, salt, keyBytes)}
}

func derive(password string, p Params, salt []byte, n int) []byte {
	return argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, uint32(n))
}

// matches does the work of newHash again, and compares in constant time.
func (h hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(derive(password, h.params, h.salt, len(h.key)), h.key) == 1
}

// String is the PHC form: $argon2id$v=19$m=19456,t=2,p=1$salt$key, the last two in base64 without padding.
func (h hash) String() string {
	enc := base64.RawStdEncoding.Strict()
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.Memory, h.params.Time, h.params.Threads, enc.EncodeToString(h.salt), enc.EncodeToString(h.key))
}

// parseHash reads what String writes, and nothing else. Errors wrap ErrHash and hold no part of the hash.
func parseHash(s string) (hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" {
		return hash{}, fmt.Errorf("%w: %d parts", ErrHash, len(parts))
	}
	if parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, fmt.Errorf("%w: want argon2id of version %d", ErrHash, argon2.Version)
	}
	p, err := parseParams(parts[3])
	if err != nil {
		return hash{}, err
	}
	h := hash{params: p}
	enc := base64.RawStdEncoding.Strict()
	if h.salt, err = enc.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return hash{}, fmt.Errorf("%w: salt", ErrHash)
	}
	if h.key, err = enc.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return hash{}, fmt.Errorf("%w: key", ErrHash)
	}
	if h.String() != s {
		// The decoder of base64 passes over line breaks.
		return hash{}, fmt.Errorf("%w: not in canonical form", ErrHash)
	}
	return h, nil
}

// parseParams reads m=..,t=..,p=.. in this order.
func parseParams(s string) (Params, error) {
	var v [3]uint64
	words := strings.Split(s, ",")
	if len(words) != len(v) {
		return Params{}, fmt.Errorf("%w: %d parameters", ErrHash, len(words))
	}
	for i, bits := range [...]int{32, 32, 8} {
		name := "mtp"[i : i+1]
		digits, ok := strings.CutPrefix(words[i], name+"=")
		n, err := strconv.ParseUint(digits, 10, bits)
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
			return Params{}, fmt.Errorf("%w: parameter %s", ErrHash, name)
		}
		v[i] = n
	}
	p := Params{uint32(v[0]), uint32(v[1]), uint8(v[2])}
	return p, p.validate()
}
