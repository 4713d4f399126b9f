package accounts

import (
	"bytes"
	"context"
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
	_, err := newHasher(Params{Memory: maxMemory + 1}, 1, 1, zeros{})
	require.ErrorIs(t, err, ErrHash)
}

// zeros is a source of bytes that anybody knows.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestCheck(t *testing.T) {
	ctx := context.Background()
	h, err := newHasher(Cheap(), 1, 0, zeros{})
	require.NoError(t, err)
	stored, err := h.make(ctx, "hunter2hunter2")
	require.NoError(t, err)

	v, err := h.check(ctx, stored, "hunter2hunter2")
	require.NoError(t, err)
	require.Equal(t, verdict{ok: true}, v)
	v, err = h.check(ctx, stored, "hunter2hunter3")
	require.NoError(t, err)
	require.Equal(t, verdict{}, v)
	_, err = h.check(ctx, "plain text", "plain text")
	require.ErrorIs(t, err, ErrHash)
	v, err = h.check(ctx, "", "anything")
	require.NoError(t, err)
	require.Equal(t, verdict{}, v, "a name that does not exist has no password")
}

func TestOtherCostIsMadeAnewOnlyForTheRightPassword(t *testing.T) {
	ctx := context.Background()
	old, err := newHasher(Params{Memory: 32, Time: 1, Threads: 1}, 1, 0, zeros{})
	require.NoError(t, err)
	stored, err := old.make(ctx, "hunter2hunter2")
	require.NoError(t, err)
	h, err := newHasher(Cheap(), 1, 0, zeros{})
	require.NoError(t, err)
	v, err := h.check(ctx, stored, "hunter2hunter2")
	require.NoError(t, err)
	require.True(t, v.ok)
	require.True(t, strings.HasPrefix(v.fresh, "$argon2id$v=19$m=64,t=1,p=1$"), v.fresh)
	v, err = h.check(ctx, stored, "wrong")
	require.NoError(t, err)
	require.Equal(t, verdict{}, v)
}

func TestQueueOfHashesIsBounded(t *testing.T) {
	h, err := newHasher(Cheap(), 1, 1, zeros{})
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, h.take(ctx))

	waiting, cancel := context.WithCancel(ctx)
	waited := make(chan error, 1)
	go func() { waited <- h.take(waiting) }()
	require.Eventually(t, func() bool { return h.asked.Load() == 2 }, 5*time.Second, time.Millisecond)
	_, err = h.make(ctx, "one too many")
	require.ErrorIs(t, err, ErrBusy)
	cancel()
	require.ErrorIs(t, <-waited, context.Canceled)
	require.EqualValues(t, 1, h.asked.Load(), "who gave up has left the queue")

	h.give()
	_, err = h.make(ctx, "now there is room")
	require.NoError(t, err)
	require.Zero(t, h.asked.Load())
}

func TestAttemptsPerName(t *testing.T) {
	l := newLimiter(3, time.Second)
	now := int64(1e18)
	for range 3 {
		require.True(t, l.allow("flippy", now))
	}
	require.False(t, l.allow("flippy", now))
	require.True(t, l.allow("duke", now), "others are not concerned")
	require.False(t, l.allow("flippy", now+int64(999*time.Millisecond)))
	require.True(t, l.allow("flippy", now+int64(time.Second)))
	require.False(t, l.allow("flippy", now+int64(time.Second)))
	l.forgive("flippy")
	require.True(t, l.allow("flippy", now+int64(time.Second)))
}

func TestLimiterForgetsFullBuckets(t *testing.T) {
	l := newLimiter(2, time.Second)
	name := func(i int) string { return string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}) }
	for i := range 5 * maxNames {
		require.True(t, l.allow(name(i), int64(i)))
		require.LessOrEqual(t, len(l.buckets), 2*maxNames)
	}
	require.True(t, l.allow("later", int64(time.Hour)))
	for i := range 2 * maxNames {
		l.allow(name(i), int64(time.Hour)+int64(i)*int64(time.Second))
	}
	require.LessOrEqual(t, len(l.buckets), maxNames+1)
}
