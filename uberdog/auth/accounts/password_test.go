package accounts

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHashInPHCForm(t *testing.T) {
	// The vector was made by the reference implementation:
	// echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32 -e, as its test suite has it.
	const vector = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h, err := parseHash(vector)
	require.NoError(t, err)
	require.Equal(t, Params{Memory: 256, Time: 2, Threads: 1}, h.params)
	require.True(t, h.matches("password"))
	require.False(t, h.matches("passwore"))
	require.Equal(t, vector, h.String())
}

func TestWrongHashesAreRefused(t *testing.T) {
	good := newHash("x", Cheap(), bytes.Repeat([]byte{1}, saltBytes)).String()
	_, err := parseHash(good)
	require.NoError(t, err)
	swap := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	for name, s := range map[string]string{
		"empty":             "",
		"cut":               good[:len(good)-4],
		"trailing":          good + "$",
		"other scheme":      swap("argon2id", "argon2i"),
		"older version":     swap("v=19", "v=16"),
		"order":             swap("m=64,t=1", "t=1,m=64"),
		"leading zero":      swap("m=64", "m=064"),
		"sign":              swap("m=64", "m=+64"),
		"too much memory":   swap("m=64", "m=4294967295"),
		"too little memory": swap("m=64", "m=7"),
		"no pass":           swap("t=1", "t=0"),
		"too many passes":   swap("t=1", "t=65"),
		"no thread":         swap("p=1", "p=0"),
		"too many threads":  swap("p=1", "p=256"),
		"salt":              swap("$AQEB", "$!QEB"),
		"short salt":        swap("AQEBAQEBAQEBAQEBAQEBAQ", "AQEB"),
		"line break":        strings.Replace(good, "AQEB", "AQ\nEB", 1),
	} {
		if name == "cut" {
			// Still 29 bytes of key: allowed in form, and it matches no password that the whole key does.
			h, err := parseHash(s)
			require.NoError(t, err)
			require.False(t, h.matches("x"))
			continue
		}
		_, err := parseHash(s)
		require.ErrorIs(t, err, ErrHash, name)
	}
}

func TestParamsAreBounded(t *testing.T) {
	require.NoError(t, Params{}.withDefaults().validate())
	require.NoError(t, Cheap().validate())
	_, err := newHasher(Params{Memory: maxMemory + 1}, zeros{})
	require.ErrorIs(t, err, ErrHash)
}

// zeros is a source of bytes that anybody knows.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// checked is a password compared with a stored hash.
func checked(t *testing.T, h *hasher, stored, password string) verdict {
	want, err := h.wanted(stored)
	require.NoError(t, err)
	v, err := h.check(want, password)
	require.NoError(t, err)
	return v
}

func TestCheck(t *testing.T) {
	h, err := newHasher(Cheap(), zeros{})
	require.NoError(t, err)
	stored, err := h.make("hunter2hunter2")
	require.NoError(t, err)

	require.Equal(t, verdict{ok: true}, checked(t, h, stored, "hunter2hunter2"))
	require.Equal(t, verdict{}, checked(t, h, stored, "hunter2hunter3"))
	_, err = h.wanted("plain text")
	require.ErrorIs(t, err, ErrHash)
	require.Equal(t, verdict{}, checked(t, h, "", "anything"), "a name that does not exist has no password")
}

func TestNobodysHashCostsAsMuch(t *testing.T) {
	h, err := newHasher(Params{Memory: 128, Time: 2, Threads: 1}, rand.Reader)
	require.NoError(t, err)
	stored, err := h.make("hunter2hunter2")
	require.NoError(t, err)
	real, err := h.wanted(stored)
	require.NoError(t, err)
	nobody, err := h.wanted("")
	require.NoError(t, err)
	require.Equal(t, real.params, nobody.params)
	require.Len(t, nobody.salt, len(real.salt))
	require.Len(t, nobody.key, len(real.key))
	require.Equal(t, h.need(real), h.need(nobody))
}

func TestOtherCostIsMadeAnewOnlyForTheRightPassword(t *testing.T) {
	old, err := newHasher(Params{Memory: 32, Time: 1, Threads: 1}, zeros{})
	require.NoError(t, err)
	stored, err := old.make("hunter2hunter2")
	require.NoError(t, err)
	h, err := newHasher(Cheap(), zeros{})
	require.NoError(t, err)
	v := checked(t, h, stored, "hunter2hunter2")
	require.True(t, v.ok)
	require.True(t, strings.HasPrefix(v.fresh, "$argon2id$v=19$m=64,t=1,p=1$"), v.fresh)
	require.Equal(t, verdict{}, checked(t, h, stored, "wrong"))
}

func TestAttemptsPerName(t *testing.T) {
	l := newLimiter(3, time.Second)
	now := int64(1e18)
	allowed := func(name string, after time.Duration) bool { return l.take(name, now+int64(after)) == 0 }
	for range 3 {
		require.True(t, allowed("flippy", 0))
	}
	require.Equal(t, time.Second, l.take("flippy", now).Round(time.Microsecond), "when there will be one")
	require.True(t, allowed("duke", 0), "others are not concerned")
	require.False(t, allowed("flippy", 999*time.Millisecond))
	require.True(t, allowed("flippy", time.Second))
	require.False(t, allowed("flippy", time.Second))
	l.giveBack("flippy")
	require.True(t, allowed("flippy", time.Second))
	require.False(t, allowed("flippy", time.Second))
	l.forgive("flippy")
	require.True(t, allowed("flippy", time.Second))

	none := newLimiter(-1, time.Second)
	for range 100 {
		require.Zero(t, none.take("flippy", now))
	}
}

func TestLimiterForgetsFullBuckets(t *testing.T) {
	l := newLimiter(2, time.Second)
	name := func(i int) string { return string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}) }
	for i := range 5 * maxKeys {
		require.Zero(t, l.take(name(i), int64(i)))
		require.LessOrEqual(t, len(l.buckets), 2*maxKeys)
	}
	require.Zero(t, l.take("later", int64(time.Hour)))
	for i := range 2 * maxKeys {
		l.take(name(i), int64(time.Hour)+int64(i)*int64(time.Second))
	}
	require.LessOrEqual(t, len(l.buckets), maxKeys+1)
}

func TestNetworkOfAnAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:5000":                  "192.0.2.7",
		"[::ffff:192.0.2.7]:5000":         "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:5000":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1%eth0]:443": "2001:db8:1:2::/64",
		"memory":                          "memory",
	} {
		require.Equal(t, want, network(remote))
	}
}
