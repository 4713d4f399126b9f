package accounts_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/testcluster"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/uberdog/auth/accounts"
	"github.com/otpd/otpd/wire"
)

// These tests have every server role in one process, and clients over QUIC.

// limit is how long anything may take here: other tests share the processors.
const limit = time.Minute

type cluster struct {
	*testcluster.Cluster
	t *testing.T
}

// process serves Auth as one AI process; several share the calls.
func (c *cluster) process(cfg accounts.Config) (*ai.Repository, *accounts.AuthUD) {
	registry := do.NewRegistry()
	require.NoError(c.t, errors.Join(auth.Register(registry), accounts.Register(registry)))
	repo, err := ai.Connect(c.t.Context(), ai.Config{Director: c.Director, Registry: registry, Name: "auth", Log: c.Log})
	require.NoError(c.t, err)
	if cfg.Params == (accounts.Params{}) {
		cfg.Params = accounts.Cheap()
	}
	cfg.Log = c.Log
	u, err := accounts.Serve(repo, cfg)
	require.NoError(c.t, err)
	c.Run(repo.Run)
	return repo, u
}

func newCluster(t *testing.T, cfg accounts.Config) *cluster {
	c := &cluster{testcluster.New(t), t}
	c.process(cfg)
	return c
}

// AuthCL is Auth as a player sees it.
type AuthCL struct {
	auth.Auth
	places chan auth.Place
}

func (a *AuthCL) OnWaiting(p auth.Place) { a.places <- p }

type player struct {
	*client.Repository
	t      *testing.T
	auth   *AuthCL
	places chan auth.Place
	ended  chan error
}

func (c *cluster) player() *player {
	p := &player{t: c.t, places: make(chan auth.Place, 100), ended: make(chan error, 1)}
	registry := do.NewRegistry()
	require.NoError(c.t, auth.Register(registry))
	require.NoError(c.t, registry.Behave(func() *AuthCL { return &AuthCL{places: p.places} }))
	ctx, cancel := context.WithCancel(context.Background())
	p.Repository = c.Dial(registry)
	done := make(chan struct{})
	go func() {
		p.ended <- p.Run(ctx)
		close(done)
	}()
	c.t.Cleanup(func() {
		cancel()
		<-done
	})
	require.NoError(c.t, p.do(func(context.Context) (err error) {
		p.auth, err = client.UberDOG[AuthCL](p.Repository, auth.ID())
		return err
	}))
	return p
}

func (p *player) do(f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	return p.DoWait(ctx, f)
}

// call makes one of the calls of Auth.
func call[Req, Res any](p *player, of func(*auth.Auth) *do.Call[Req, Res], req Req) (res Res, err error) {
	err = p.do(func(ctx context.Context) (err error) {
		res, err = of(&p.auth.Auth).Call(ctx, req)
		return err
	})
	return res, err
}

const secret = "correct horse battery"

func (p *player) register(name string) (auth.Identity, error) {
	return call(p, func(a *auth.Auth) *do.Call[auth.Credentials, auth.Identity] { return &a.Register }, auth.Credentials{Name: name, Password: secret})
}

func (p *player) login(name, password string) (auth.Identity, error) {
	return call(p, func(a *auth.Auth) *do.Call[auth.Credentials, auth.Identity] { return &a.Login }, auth.Credentials{Name: name, Password: password})
}

func (p *player) token() (auth.Token, error) {
	return call(p, func(a *auth.Auth) *do.Call[auth.TokenRequest, auth.Token] { return &a.Token }, auth.TokenRequest{Device: "test"})
}

func (p *player) resume(t auth.Token) (auth.Identity, error) {
	return call(p, func(a *auth.Auth) *do.Call[auth.Resumption, auth.Identity] { return &a.Resume }, auth.Resumption{Secret: t.Secret})
}

func (p *player) enter(t auth.Ticket) (auth.Identity, error) {
	return call(p, func(a *auth.Auth) *do.Call[auth.Ticket, auth.Identity] { return &a.Enter }, t)
}

func (p *player) state() (state wire.SessionState) {
	require.NoError(p.t, p.do(func(context.Context) error {
		state = p.Session().State
		return nil
	}))
	return state
}

// ejected waits for the end of the session and returns its reason.
func (p *player) ejected() wire.Reason {
	select {
	case err := <-p.ended:
		var e *client.EjectError
		require.ErrorAs(p.t, err, &e)
		return e.Reason
	case <-time.After(limit):
		require.Fail(p.t, "the session goes on")
		return 0
	}
}

// hangUp ends the session and returns when the account is free again.
func (p *player) hangUp(repo *ai.Repository, account do.ID) {
	require.NoError(p.t, p.Do(func(context.Context) error {
		p.Goodbye()
		return nil
	}))
	require.Eventually(p.t, func() bool {
		free := false
		err := repo.DoWait(p.t.Context(), func(ctx context.Context) error {
			row, err := ai.Load[auth.Account](ctx, repo, account)
			free = err == nil && row.Object.Holder.IsZero()
			return err
		})
		return err == nil && free
	}, limit, 2*time.Millisecond)
}

func TestKickOldOverQUIC(t *testing.T) {
	c := newCluster(t, accounts.Config{})
	first, second := c.player(), c.player()
	_, err := first.register("flippy")
	require.NoError(t, err)
	require.Equal(t, wire.StateEstablished, first.state())
	_, err = second.login("flippy", secret)
	require.NoError(t, err)
	require.Equal(t, wire.ReasonLoggedInElsewhere, first.ejected())
	require.Equal(t, wire.StateEstablished, second.state())
}

// rule 146: the account is given back by the session that holds it, and by no other.
func TestRule146RefuseNewOverQUIC(t *testing.T) {
	c := &cluster{testcluster.New(t), t}
	repo, _ := c.process(accounts.Config{Sessions: accounts.RefuseNew})
	first, second := c.player(), c.player()
	who, err := first.register("flippy")
	require.NoError(t, err)
	_, err = second.login("flippy", secret)
	require.ErrorIs(t, err, client.CodeExists)
	require.Equal(t, wire.StateAnonymous, second.state())
	require.Equal(t, wire.StateEstablished, first.state(), "nothing happened to it")

	first.hangUp(repo, who.Account)
	_, err = second.login("flippy", secret)
	require.NoError(t, err)
}

func TestAllowManyOverQUIC(t *testing.T) {
	c := newCluster(t, accounts.Config{Sessions: accounts.AllowMany})
	first, second := c.player(), c.player()
	_, err := first.register("flippy")
	require.NoError(t, err)
	_, err = second.login("flippy", secret)
	require.NoError(t, err)
	require.Equal(t, wire.StateEstablished, first.state())
	require.Equal(t, wire.StateEstablished, second.state())
}

// Several processes serve Auth, and many sessions log in to one account at once: one of them is left.
func TestManyLoginsBySeveralProcessesLeaveOneSession(t *testing.T) {
	c := &cluster{testcluster.New(t), t}
	var uds []*accounts.AuthUD
	for range 3 {
		_, u := c.process(accounts.Config{AddressBurst: -1, Burst: 1000})
		uds = append(uds, u)
	}
	_, err := c.player().register("flippy")
	require.NoError(t, err)
	const many = 12
	var players []*player
	for range many {
		players = append(players, c.player())
	}
	results := make(chan error, many)
	for _, p := range players {
		go func() {
			_, err := p.login("flippy", secret)
			results <- err
		}()
	}
	for range many {
		<-results // the losers have an error, or the end of their session
	}
	alive := func() (n int) {
		for _, p := range players {
			if len(p.ended) == 0 && p.DoWait(t.Context(), func(context.Context) error {
				if p.Session().State == wire.StateEstablished {
					n++
				}
				return nil
			}) != nil {
				continue
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return alive() == 1 }, limit, 5*time.Millisecond)
	serving := 0
	for _, u := range uds {
		for _, m := range u.Metrics() {
			if m.Name == "otpd_auth_hashes_total" && m.Value > 0 {
				serving++
			}
		}
	}
	require.Greater(t, serving, 1, "the calls were shared")
}

func TestTokenOverQUIC(t *testing.T) {
	c := newCluster(t, accounts.Config{})
	first := c.player()
	who, err := first.register("flippy")
	require.NoError(t, err)
	token, err := first.token()
	require.NoError(t, err)
	second := c.player()
	again, err := second.resume(token)
	require.NoError(t, err)
	require.Equal(t, who, again)
	require.Equal(t, wire.ReasonLoggedInElsewhere, first.ejected())
	require.Equal(t, wire.StateEstablished, second.state())

	_, err = call(second, func(a *auth.Auth) *do.Call[auth.PasswordChange, auth.Identity] { return &a.ChangePassword },
		auth.PasswordChange{Old: secret, New: "staple battery"})
	require.NoError(t, err)
	third := c.player()
	_, err = third.resume(token)
	require.ErrorIs(t, err, client.CodeDenied)
	_, err = third.login("flippy", "staple battery")
	require.NoError(t, err)
}

func TestKickByAModeratorOverQUIC(t *testing.T) {
	c := &cluster{testcluster.New(t), t}
	repo, _ := c.process(accounts.Config{})
	mod, bad := c.player(), c.player()
	who, err := mod.register("minnie")
	require.NoError(t, err)
	_, err = bad.register("pete")
	require.NoError(t, err)
	kick := func() error {
		_, err := call(mod, func(a *auth.Auth) *do.Call[auth.KickRequest, auth.Identity] { return &a.Kick }, auth.KickRequest{Name: "Pete"})
		return err
	}
	require.ErrorIs(t, kick(), client.CodeDenied)
	require.NoError(t, repo.DoWait(t.Context(), func(ctx context.Context) error {
		a, err := ai.UberDOG[accounts.AuthUD](repo, auth.ID())
		if err != nil {
			return err
		}
		if _, err := a.SetRoles.Call(ctx, auth.RoleChange{Name: "minnie", Roles: []string{auth.RoleModerator}}); err != nil {
			return err
		}
		now, err := accounts.Of(ctx, repo, who.Account)
		require.True(t, now.Has(auth.RoleModerator))
		return err
	}))
	require.NoError(t, kick())
	require.Equal(t, wire.ReasonKicked, bad.ejected())
}

// A storm of logins: one hash at a time, three may wait. Those who wait are told their place, the others when to come
// again; with that all get in.
func TestStormOfLoginsOverQUIC(t *testing.T) {
	const crowd = 16
	c := &cluster{testcluster.New(t), t}
	// A hash that takes some milliseconds, so that logins meet.
	_, u := c.process(accounts.Config{Hashes: 1, Queue: 3, AddressBurst: -1, Params: accounts.Params{Memory: 4096, Time: 2}})
	type end struct {
		told, refused int
		err           error
	}
	var players []*player
	for range crowd {
		players = append(players, c.player())
	}
	ends := make(chan end, crowd)
	for i, p := range players {
		go func() {
			var e end
			for {
				_, e.err = p.register("player-" + string(rune('a'+i)))
				wait, again := auth.RetryAfter(e.err)
				if !again {
					break
				}
				e.refused++
				_ = p.do(func(ctx context.Context) error { return p.Sleep(ctx, wait/2+rand.N(wait)) })
			}
			e.told = len(p.places)
			ends <- e
		}()
	}
	told, refused := 0, 0
	for range crowd {
		e := <-ends
		require.NoError(t, e.err)
		told += e.told
		refused += e.refused
	}
	require.Positive(t, told, "somebody waited, and was told")
	require.Positive(t, refused, "somebody was refused, and told when to come again")
	for _, m := range u.Metrics() {
		switch m.Name {
		case "otpd_auth_hash_memory_peak_bytes":
			require.EqualValues(t, 4096<<10, m.Value, "never two hashes at once")
		case "otpd_auth_hashes_total":
			require.EqualValues(t, crowd, m.Value)
		}
	}
}
