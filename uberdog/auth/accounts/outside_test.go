package accounts

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

func TestWithoutAnAuthenticatorNobodyComesIn(t *testing.T) {
	w := newWorld(t)
	_, err := w.ticket(context.Background(), auth.Ticket{Text: "flippy"})
	require.ErrorIs(t, err, wire.CodeDenied)
	require.Empty(t, w.rows.list)
	require.Empty(t, w.heard())
}

func TestAnybody(t *testing.T) {
	w, ctx := newWorld(t, func(c *Config) { c.Authenticator, c.NoPasswords = Anybody(), true }), context.Background()
	who, err := w.ticket(ctx, auth.Ticket{Text: "Flippy"})
	require.NoError(t, err)
	require.Equal(t, "anybody/Flippy", w.rows.list[0].outside)
	w.as(2)
	again, err := w.ticket(ctx, auth.Ticket{Text: "Flippy"})
	require.NoError(t, err)
	require.Equal(t, who, again)
	w.as(3)
	other, err := w.ticket(ctx, auth.Ticket{Text: "Duke"})
	require.NoError(t, err)
	require.NotEqual(t, who.Account, other.Account)
	_, err = w.ticket(ctx, auth.Ticket{})
	require.ErrorIs(t, err, wire.CodeDenied)

	w.as(4)
	_, err = w.register(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied)
	_, err = w.login(ctx, flippy)
	require.ErrorIs(t, err, wire.CodeDenied)
}

func TestAuthenticatorsTroubleStaysHere(t *testing.T) {
	trouble := errors.New("secret host does not answer")
	w := newWorld(t, func(c *Config) {
		c.Authenticator = AuthenticatorFunc(func(context.Context, auth.Ticket) (Subject, error) { return Subject{}, trouble })
	})
	_, err := w.ticket(context.Background(), auth.Ticket{Text: "x"})
	require.ErrorIs(t, err, wire.CodeAway)
	require.NotContains(t, err.Error(), "secret")

	w = newWorld(t, func(c *Config) {
		c.Authenticator = AuthenticatorFunc(func(context.Context, auth.Ticket) (Subject, error) { return Subject{Issuer: "x"}, nil })
	})
	_, err = w.ticket(context.Background(), auth.Ticket{Text: "x"})
	require.ErrorIs(t, err, wire.CodeAway, "one without a name is nobody")
	require.Empty(t, w.rows.list)
}

func TestOutsideAccountsHaveNoPassword(t *testing.T) {
	w, ctx := newWorld(t, func(c *Config) { c.Authenticator = Anybody() }), context.Background()
	who, err := w.ticket(ctx, auth.Ticket{Text: "Flippy"})
	require.NoError(t, err)
	w.as(2)
	for _, password := range []string{"", "anything"} {
		_, err = w.login(ctx, auth.Credentials{Name: who.Name, Password: password})
		require.Equal(t, wrongPassword(), err)
	}
	w.who.Account = who.Account
	_, err = w.changePassword(ctx, auth.PasswordChange{New: "correct horse"})
	require.ErrorIs(t, err, wire.CodeDenied)
}

func TestOutsideNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range []Subject{{"a", "bc"}, {"ab", "c"}, {"a b", "c"}, {"a", "b c"}, {"", "a"}, {"a", strings.Repeat("x", 1000)}} {
		name := outsideName(s)
		require.LessOrEqual(t, len(name), 24)
		require.True(t, strings.HasPrefix(name, "~"))
		require.False(t, seen[name], "%v", s)
		seen[name] = true
	}
	require.Equal(t, "ab", cut("abü", 3))
}

func TestRoles(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	ids := map[string]do.ID{}
	for _, name := range []string{"flippy", "duke", "goofy"} {
		w.as(uint64(len(ids) + 1))
		who, err := w.register(ctx, auth.Credentials{Name: name, Password: flippy.Password})
		require.NoError(t, err)
		ids[name] = who.Account
	}
	w.heard()
	be := func(name string) {
		w.as(9)
		w.who.Account = ids[name]
	}
	give := func(name string, roles ...string) error {
		_, err := w.setRoles(ctx, auth.RoleChange{Name: name, Roles: roles})
		return err
	}
	kick := func(name string) error {
		_, err := w.kick(ctx, auth.KickRequest{Name: name, Text: "enough"})
		return err
	}
	w.as(8)
	require.ErrorIs(t, give("flippy", auth.RoleAdmin), wire.CodeDenied, "needs a login")
	be("flippy")
	require.ErrorIs(t, give("flippy", auth.RoleAdmin), wire.CodeDenied, "a player has no power")
	require.ErrorIs(t, kick("duke"), wire.CodeDenied)

	w.who.Channel, w.who.Account = do.AI(do.NewID(0, 1, 1)), do.ID{}
	require.NoError(t, give("Flippy", auth.RoleAdmin), "the first admin comes from a process")
	be("flippy")
	require.NoError(t, give("duke", auth.RoleModerator))
	require.ErrorIs(t, give("nobody", auth.RoleAdmin), wire.CodeNoObject)

	be("duke")
	require.ErrorIs(t, give("duke", auth.RoleAdmin), wire.CodeDenied)
	require.ErrorIs(t, kick("flippy"), wire.CodeDenied, "an admin is for admins to kick")
	require.Empty(t, w.heard())
	require.NoError(t, kick("GOOFY"))
	goofy := do.Session(do.NewID(0, 1, 3)).String()
	require.Equal(t, []string{"kick account " + ids["goofy"].String() + " 154 enough", "kick " + goofy + " 154 enough"}, w.heard())

	be("flippy")
	require.NoError(t, give("duke"))
	be("duke")
	require.ErrorIs(t, kick("goofy"), wire.CodeDenied, "what counts is the role now")
}
