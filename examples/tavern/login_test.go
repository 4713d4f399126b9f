package tavern

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// player is a client that a test steers.
type player struct {
	*client.Repository
	t     *testing.T
	ended chan error
}

func (c *cluster) player() *player {
	b := &Bot{}
	registry, err := b.registry()
	require.NoError(c.t, err)
	ctx, cancel := context.WithCancel(c.t.Context())
	r, err := client.Dial(ctx, c.Addr, client.Config{Registry: registry, TLS: client.Pinned(c.Pin), Log: c.Log})
	require.NoError(c.t, err)
	p := &player{r, c.t, make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		p.ended <- r.Run(ctx)
		close(done)
	}()
	c.t.Cleanup(func() {
		cancel()
		<-done
	})
	return p
}

// do runs f on the player's loop.
func (p *player) do(f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	return p.DoWait(ctx, f)
}

func (p *player) register(name, password string) (who auth.Identity, err error) {
	err = p.do(func(ctx context.Context) error {
		a, err := client.UberDOG[auth.Auth](p.Repository, auth.ID())
		if err == nil {
			who, err = a.Register.Call(ctx, auth.Credentials{Name: name, Password: password})
		}
		return err
	})
	return who, err
}

func (p *player) login(name, password string) (who auth.Identity, err error) {
	err = p.do(func(ctx context.Context) error {
		a, err := client.UberDOG[auth.Auth](p.Repository, auth.ID())
		if err == nil {
			who, err = a.Login.Call(ctx, auth.Credentials{Name: name, Password: password})
		}
		return err
	})
	return who, err
}

func (p *player) enter(name string) (at Arrival, err error) {
	err = p.do(func(ctx context.Context) error {
		r, err := client.UberDOG[Realm](p.Repository, RealmID())
		if err == nil {
			at, err = r.Enter.Call(ctx, Entrance{Name: name})
		}
		return err
	})
	return at, err
}

func (p *player) leave() error {
	return p.do(func(ctx context.Context) error {
		r, err := client.UberDOG[Realm](p.Repository, RealmID())
		if err == nil {
			_, err = r.Leave.Call(ctx, Departure{})
		}
		return err
	})
}

// avatar waits until the player owns an avatar.
func (p *player) avatar(id do.ID) (a *AvatarCL) {
	require.Eventually(p.t, func() bool {
		err := p.do(func(context.Context) error {
			a = client.Find[AvatarCL](p.Repository, id)
			return nil
		})
		return err == nil && a != nil
	}, time.Minute, time.Millisecond)
	return a
}

func (p *player) session() (s client.Session) {
	require.NoError(p.t, p.do(func(context.Context) error {
		s = p.Session()
		return nil
	}))
	return s
}

// end waits until the session is over, and tells why.
func (p *player) end() error {
	select {
	case err := <-p.ended:
		return err
	case <-time.After(time.Minute):
		return errors.New("the session goes on")
	}
}

const secret = "correct horse battery"

func TestLogin(t *testing.T) {
	c := newCluster(t)
	first := c.player()
	who, err := first.register("Flippy", secret)
	require.NoError(t, err)
	require.Equal(t, "flippy", who.Name)
	s := first.session()
	require.Equal(t, wire.StateEstablished, s.State)
	require.Equal(t, who.Account, s.Account)

	second := c.player()
	_, err = second.register("flippy", secret)
	require.ErrorIs(t, err, client.CodeUnique)
	_, err = second.login("flippy", "wrong password")
	require.ErrorIs(t, err, client.CodeDenied)
	_, err = second.login("nobody", secret)
	require.ErrorIs(t, err, client.CodeDenied)
	require.Equal(t, wire.StateAnonymous, second.session().State, "rule 86")

	again, err := second.login("FLIPPY", secret)
	require.NoError(t, err)
	require.Equal(t, who, again)
	var eject *client.EjectError
	require.ErrorAs(t, first.end(), &eject)
	require.Equal(t, wire.ReasonLoggedInElsewhere, eject.Reason)
}

func TestNamesAreCheckedBeforeTheyAreSent(t *testing.T) {
	c := newCluster(t)
	p := c.player()
	for _, name := range []string{"", "ab", "9lives", "no spaces", "way-too-long-for-a-name-of-24"} {
		_, err := p.register(name, secret)
		require.Error(t, err, name)
	}
	_, err := p.register("flippy", "short")
	require.Error(t, err)
	_, err = p.register("flippy", secret)
	require.NoError(t, err, "and the session lives")
}

func TestRealmNeedsALogin(t *testing.T) {
	c := newCluster(t)
	p := c.player()
	_, err := p.enter("Flippy")
	require.Error(t, err)
	var eject *client.EjectError
	require.ErrorAs(t, p.end(), &eject)
	require.Equal(t, wire.ReasonDenied, eject.Reason, "rule 86: it is not anonymous")
}

func TestAvatarLeavesAndComesBack(t *testing.T) {
	c := newCluster(t)
	p := c.player()
	_, err := p.register("flippy", secret)
	require.NoError(t, err)
	at, err := p.enter("Flippy")
	require.NoError(t, err)
	require.EqualValues(t, 10000, at.Gold)
	a := p.avatar(at.Avatar)
	require.NoError(t, p.do(func(ctx context.Context) error {
		r, err := a.Buy.Call(ctx, Order{Item: "mead"})
		require.Equal(t, Receipt{Item: "mead", Paid: 8, GoldLeft: 9992}, r)
		require.EqualValues(t, 9992, a.Gold, "the receipt does not overtake the gold")
		return err
	}))
	err = p.do(func(ctx context.Context) error {
		_, err := a.Buy.Call(ctx, Order{Item: "milk"})
		return err
	})
	require.ErrorIs(t, err, client.CodeHandler)
	require.ErrorContains(t, err, ErrNoSuchItem.Error())

	_, err = p.enter("Flippy")
	require.ErrorIs(t, err, client.CodeExists, "one is enough")
	require.NoError(t, p.leave())
	require.Eventually(t, func() bool { return len(c.avatars()) == 0 }, time.Minute, time.Millisecond)
	require.ErrorContains(t, p.leave(), ErrNotHere.Error())

	back, err := p.enter("Another name")
	require.NoError(t, err)
	require.Equal(t, at.Avatar, back.Avatar)
	require.EqualValues(t, 9992, back.Gold)
	require.Equal(t, "Flippy", p.avatar(back.Avatar).Name)
}

// avatars are those in the States' memory.
func (c *cluster) avatars() (out []do.ID) {
	for id, o := range c.Truth() {
		if o.Class.Name() == "Avatar" {
			out = append(out, id)
		}
	}
	return out
}

func TestSecondSessionTakesTheAvatarOver(t *testing.T) {
	c := newCluster(t)
	first := c.player()
	_, err := first.register("flippy", secret)
	require.NoError(t, err)
	at, err := first.enter("Flippy")
	require.NoError(t, err)

	second := c.player()
	_, err = second.login("flippy", secret)
	require.NoError(t, err)
	again, err := second.enter("Flippy")
	require.NoError(t, err)
	require.Equal(t, at.Avatar, again.Avatar)
	second.avatar(again.Avatar)
	require.Len(t, c.avatars(), 1)

	// It goes with its session.
	var eject *client.EjectError
	require.ErrorAs(t, first.end(), &eject)
	require.NoError(t, second.Do(func(context.Context) error {
		second.Goodbye()
		return nil
	}))
	require.NoError(t, second.end())
	require.Eventually(t, func() bool { return len(c.avatars()) == 0 }, time.Minute, time.Millisecond)
}

func TestEntersAtOnceMakeOneAvatar(t *testing.T) {
	c := newCluster(t)
	p := c.player()
	_, err := p.register("flippy", secret)
	require.NoError(t, err)
	results := make(chan error, 3)
	for range cap(results) {
		go func() {
			_, err := p.enter("Flippy")
			results <- err
		}()
	}
	ok := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			ok++
		case !errors.Is(err, client.CodeExists):
			require.NoError(t, err)
		}
	}
	require.Equal(t, 1, ok)
	require.Len(t, c.avatars(), 1)
}
