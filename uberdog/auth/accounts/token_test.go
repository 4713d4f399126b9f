package accounts

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// holding is a world in which flippy is logged in and has a token.
func holding(t *testing.T, change ...func(*Config)) (*world, auth.Token) {
	change = append(change, func(c *Config) { c.Random = rand.Reader })
	w, ctx := newWorld(t, change...), context.Background()
	_, err := w.token(ctx, auth.TokenRequest{})
	require.ErrorIs(t, err, wire.CodeDenied, "needs a login")
	who, err := w.register(ctx, flippy)
	require.NoError(t, err)
	w.who.Account = who.Account
	tok, err := w.token(ctx, auth.TokenRequest{Device: "phone"})
	require.NoError(t, err)
	require.NotContains(t, string(w.rows.list[0].tokens[0].Sum), tok.Secret)
	return w, tok
}

func TestTokenBringsBackWithoutAHash(t *testing.T) {
	w, tok := holding(t)
	require.Equal(t, w.at.UTC().Add(30*24*time.Hour), tok.Expires)
	w.as(2)
	hashes := w.hashing.stats().served
	who, err := w.resume(context.Background(), auth.Resumption{Secret: tok.Secret})
	require.NoError(t, err)
	require.Equal(t, "flippy", who.Name)
	require.Equal(t, hashes, w.hashing.stats().served)
	require.Equal(t, w.who.Channel.ID, w.rows.list[0].holder, "the policy holds for it, too")

	w.as(3)
	_, err = w.resume(context.Background(), auth.Resumption{Secret: tok.Secret})
	require.NoError(t, err, "it can be used again: the connection may be lost again")
}

func TestTokenEndsWithTime(t *testing.T) {
	w, tok := holding(t, func(c *Config) { c.TokenLife = time.Hour })
	w.as(2)
	w.at = w.at.Add(time.Hour - time.Second)
	_, err := w.resume(context.Background(), auth.Resumption{Secret: tok.Secret})
	require.NoError(t, err)
	w.as(3)
	w.at = w.at.Add(time.Second)
	_, err = w.resume(context.Background(), auth.Resumption{Secret: tok.Secret})
	require.ErrorIs(t, err, wire.CodeDenied)
}

func TestTokensAreTakenBack(t *testing.T) {
	w, phone := holding(t)
	ctx := context.Background()
	laptop, err := w.token(ctx, auth.TokenRequest{Device: "laptop"})
	require.NoError(t, err)
	in := w.who
	resume := func(n uint64, tok auth.Token) error {
		w.as(n)
		_, err := w.resume(ctx, auth.Resumption{Secret: tok.Secret})
		return err
	}
	_, err = w.revoke(ctx, auth.Revocation{Device: "phone"})
	require.NoError(t, err)
	require.ErrorIs(t, resume(2, phone), wire.CodeDenied)
	require.NoError(t, resume(3, laptop))
	w.who = in
	_, err = w.revoke(ctx, auth.Revocation{})
	require.NoError(t, err)
	require.ErrorIs(t, resume(4, laptop), wire.CodeDenied)
	_, err = w.revoke(ctx, auth.Revocation{})
	require.ErrorIs(t, err, wire.CodeDenied, "needs a login")
}

func TestBannedAccountsAreNotLetIn(t *testing.T) {
	w, tok := holding(t)
	ctx := context.Background()
	w.who.Channel = do.AI(do.NewID(0, 1, 1))
	_, err := w.setRoles(ctx, auth.RoleChange{Name: "flippy", Roles: []string{auth.RoleBanned}})
	require.NoError(t, err)
	w.heard()
	w.as(2)
	_, err = w.login(ctx, flippy)
	require.ErrorContains(t, err, "banned")
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.resume(ctx, auth.Resumption{Secret: tok.Secret})
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.login(ctx, auth.Credentials{Name: "flippy", Password: "hunter3hunter3"})
	require.Equal(t, wrongPassword(), err, "who does not know the password does not learn it")
	require.Empty(t, w.heard())
}

func TestTokenEndsWithThePassword(t *testing.T) {
	w, tok := holding(t)
	ctx := context.Background()
	_, err := w.changePassword(ctx, auth.PasswordChange{Old: flippy.Password, New: "correct horse"})
	require.NoError(t, err)
	fresh, err := w.token(ctx, auth.TokenRequest{})
	require.NoError(t, err)
	w.as(2)
	_, err = w.resume(ctx, auth.Resumption{Secret: tok.Secret})
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.resume(ctx, auth.Resumption{Secret: fresh.Secret})
	require.NoError(t, err)
}

func TestWrongTokensLookTheSame(t *testing.T) {
	w, tok := holding(t)
	w.as(2)
	flipped := []byte(tok.Secret)
	flipped[40] ^= 1
	// One that another cluster made, for an account that is not here.
	other, _ := holding(t)
	other.rows.list[0].id = do.NewID(1, 1, 99)
	other.who.Account = do.NewID(1, 1, 99)
	unknown, err := other.token(context.Background(), auth.TokenRequest{})
	require.NoError(t, err)
	for name, secret := range map[string]string{
		"empty": "", "no base64": "!!!", "short": tok.Secret[:20], "long": tok.Secret + "AA", "flipped": string(flipped), "unknown": unknown.Secret,
	} {
		_, err := w.resume(context.Background(), auth.Resumption{Secret: secret})
		require.Equal(t, wrongToken(), err, name)
	}
}

func TestTokensAreBounded(t *testing.T) {
	w, first := holding(t)
	ctx := context.Background()
	var last auth.Token
	for range maxTokens {
		var err error
		last, err = w.token(ctx, auth.TokenRequest{})
		require.NoError(t, err)
	}
	require.Len(t, w.rows.list[0].tokens, maxTokens)
	w.as(2)
	_, err := w.resume(ctx, auth.Resumption{Secret: first.Secret})
	require.ErrorIs(t, err, wire.CodeDenied, "the oldest went")
	_, err = w.resume(ctx, auth.Resumption{Secret: last.Secret})
	require.NoError(t, err)

	none := newWorld(t, func(c *Config) { c.TokenLife = -1 })
	_, err = none.token(ctx, auth.TokenRequest{})
	require.ErrorIs(t, err, wire.CodeDenied)
}

func TestAttemptsAreLimitedByAddress(t *testing.T) {
	w, ctx := newWorld(t, func(c *Config) { c.AddressBurst, c.Burst = 3, 100 }), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	attempt := func(n uint64) error {
		w.as(n)
		_, err := w.login(ctx, auth.Credentials{Name: "duke", Password: "hunter3hunter3"})
		return err
	}
	require.ErrorIs(t, attempt(2), wire.CodeDenied)
	require.ErrorIs(t, attempt(3), wire.CodeDenied)
	err = attempt(4)
	require.ErrorIs(t, err, wire.CodeRate, "whatever session and whatever name")
	wait, ok := auth.RetryAfter(err)
	require.True(t, ok)
	require.Equal(t, time.Second, wait)
	w.from = "192.0.2.2:1000"
	require.ErrorIs(t, attempt(5), wire.CodeDenied, "others are not concerned")
	w.from = "192.0.2.1:2000"
	w.at = w.at.Add(time.Second)
	for n := range uint64(5) {
		w.as(10 + n)
		_, err = w.login(ctx, flippy)
		require.NoError(t, err, "a success does not count")
	}
}

func TestOverloadSaysWhenToTryAgain(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, err := w.register(ctx, flippy)
	require.NoError(t, err)
	require.Empty(t, w.places)
	// Two hash, two wait.
	w.hashing.mean = 3 * time.Second
	for range 2 {
		_, _, _, err := w.hashing.come(1)
		require.NoError(t, err)
	}
	w.as(2)
	turn, ahead, wait, err := w.hashing.come(1)
	require.NoError(t, err)
	require.Equal(t, 2, ahead)
	require.Equal(t, 1500*time.Millisecond, wait)
	turn.giveUp()
	var seen []auth.Place
	w.offload = func(context.Context, string, func() error) error {
		seen = w.places
		return context.DeadlineExceeded
	}
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, []auth.Place{{Ahead: 2, Wait: 1500 * time.Millisecond}}, seen, "told before it waits")
	require.Zero(t, w.hashing.stats().waiting, "who gave up has left the queue")

	for range 2 {
		_, _, _, err := w.hashing.come(1)
		require.NoError(t, err)
	}
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeOverload)
	wait, ok := auth.RetryAfter(err)
	require.True(t, ok)
	require.Equal(t, 5*time.Second, wait)
}
