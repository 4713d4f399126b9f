package accounts_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/uberdog/auth/accounts"
	"github.com/otpd/otpd/wire"
)

// Claims is what the tokens of a platform say: who the player is, for which game, and until when.
type Claims struct {
	Player  string
	Game    string
	Expires time.Time
}

// Issue makes a token as the platform would: the claims and their signature, in base64.
func Issue(key ed25519.PrivateKey, c Claims) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	enc := base64.RawURLEncoding
	return enc.EncodeToString(b) + "." + enc.EncodeToString(ed25519.Sign(key, b))
}

// Platform is a game's own authenticator: it takes tokens that the platform signed.
type Platform struct {
	Key  ed25519.PublicKey
	Game string
	Now  func() time.Time
}

// Authenticate verifies a token.
func (p *Platform) Authenticate(_ context.Context, t auth.Ticket) (accounts.Subject, error) {
	refused := func(why string) (accounts.Subject, error) {
		return accounts.Subject{}, fmt.Errorf("%s: %w", why, accounts.ErrTicket)
	}
	claims, signature, _ := strings.Cut(t.Text, ".")
	enc := base64.RawURLEncoding.Strict()
	body, err := enc.DecodeString(claims)
	if err != nil {
		return refused("no base64")
	}
	sum, err := enc.DecodeString(signature)
	if err != nil || !ed25519.Verify(p.Key, body, sum) {
		return refused("not signed by the platform")
	}
	var c Claims
	if err := json.Unmarshal(body, &c); err != nil {
		return refused("no claims")
	}
	switch {
	case c.Game != p.Game:
		return refused("for another game")
	case !p.Now().Before(c.Expires):
		return refused("expired")
	}
	return accounts.Subject{Issuer: "platform", Name: c.Player}, nil
}

// A game whose players come with a token of a platform gives Auth its own authenticator. Clients then call Enter with
// the token instead of Login:
//
//	_, err = accounts.Serve(repo, accounts.Config{Authenticator: platform, NoPasswords: true})
//	...
//	who, err := a.Enter.Call(ctx, auth.Ticket{Text: token})
func ExampleAuthenticator() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	platform := &Platform{
		Key: key.Public().(ed25519.PublicKey), Game: "tavern", Now: func() time.Time { return noon },
	}
	for _, c := range []Claims{
		{"flippy-4711", "tavern", noon.Add(time.Minute)},
		{"flippy-4711", "tavern", noon},
		{"flippy-4711", "another", noon.Add(time.Minute)},
	} {
		who, err := platform.Authenticate(context.Background(), auth.Ticket{Text: Issue(key, c)})
		fmt.Println(who.Name, err)
	}
	// Output:
	// flippy-4711 <nil>
	//  expired: the ticket is not valid
	//  for another game: the ticket is not valid
}

func TestEnterByAPlatformsTokenOverQUIC(t *testing.T) {
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
	platform := &Platform{Key: key.Public().(ed25519.PublicKey), Game: "tavern", Now: time.Now}
	c := newCluster(t, accounts.Config{Authenticator: platform, NoPasswords: true})
	p := c.player()
	_, err := p.register("flippy")
	require.ErrorIs(t, err, client.CodeDenied)
	_, err = p.enter(auth.Ticket{Text: "flippy-4711"})
	require.ErrorIs(t, err, client.CodeDenied)
	require.Equal(t, wire.StateAnonymous, p.state())

	token := Issue(key, Claims{"flippy-4711", "tavern", time.Now().Add(time.Hour)})
	who, err := p.enter(auth.Ticket{Text: token})
	require.NoError(t, err)
	require.Equal(t, wire.StateEstablished, p.state())
	again := c.player()
	same, err := again.enter(auth.Ticket{Text: token})
	require.NoError(t, err)
	require.Equal(t, who, same)
	require.Equal(t, wire.ReasonLoggedInElsewhere, p.ejected(), "the policy holds for it, too")
}

func TestWithoutAnAuthenticatorNobodyEntersOverQUIC(t *testing.T) {
	c := newCluster(t, accounts.Config{})
	p := c.player()
	_, err := p.enter(auth.Ticket{Text: "flippy"})
	require.ErrorIs(t, err, client.CodeDenied)
	require.Equal(t, wire.StateAnonymous, p.state())
}
