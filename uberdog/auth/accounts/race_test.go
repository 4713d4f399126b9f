package accounts

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
	"github.com/otpd/otpd/wire"
)

// An account is banned while somebody logs in to it: whichever of the two the database hears first, the session is not in it
// when the kick that follows was heard.
func TestBannedWhileLoggingIn(t *testing.T) {
	ctx := context.Background()
	ban := func(w *world) {
		w.rows.before, w.binding = nil, nil
		by := w.who
		w.who.Channel = do.AI(do.NewID(0, 1, 9))
		_, err := w.setRoles(ctx, auth.RoleChange{Name: flippy.Name, Roles: []string{auth.RoleBanned}})
		require.NoError(t, err)
		_, err = w.kick(ctx, auth.KickRequest{Name: flippy.Name})
		require.NoError(t, err)
		w.who = by
	}
	for name, c := range map[string]struct {
		sessions Sessions
		when     func(w *world)
		admitted bool
	}{
		"before it has the account":        {KickOld, func(w *world) { w.rows.before = func() { ban(w) } }, false},
		"before it has the account, one":   {RefuseNew, func(w *world) { w.rows.before = func() { ban(w) } }, false},
		"before it is bound":               {KickOld, func(w *world) { w.binding = func() { ban(w) } }, true},
		"while the password is looked at":  {KickOld, func(w *world) { w.offered = -1 }, false},
		"while the password is looked at.": {AllowMany, func(w *world) { w.offered = -1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, with(c.sessions))
			_, err := w.register(ctx, flippy)
			require.NoError(t, err)
			w.as(2)
			session := w.who.Channel
			w.dead[do.Session(do.NewID(0, 1, 1))] = true
			w.heard()
			beside := w.offload
			w.offload = func(ctx context.Context, what string, fn func() error) error {
				if w.offered < 0 {
					ban(w)
				}
				return beside(ctx, what, fn)
			}
			c.when(w)
			_, err = w.login(ctx, flippy)
			if c.admitted {
				require.NoError(t, err)
				require.Contains(t, w.heard(), fmt.Sprintf("kick %s %d", session, wire.ReasonKicked), "by its own channel: it is not bound yet")
				return
			}
			require.ErrorIs(t, err, wire.CodeDenied)
			require.ErrorContains(t, err, "banned")
			heard := w.heard()
			if c.sessions == AllowMany { // nobody holds it: it is looked at once more when a kick would find it
				require.Equal(t, fmt.Sprintf("kick %s %d", session, wire.ReasonKicked), heard[len(heard)-1])
				return
			}
			require.NotContains(t, heard, "bind "+session.String()+" "+w.rows.list[0].id.String())
		})
	}
}

// A registration gives up while its password is hashed: what comes of that later touches nothing of it.
func TestGivingUpWhileItIsHashed(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	inside, done := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(inside) })
	w.hashing.now = func() time.Time { // asked for by who goes in
		once()
		return time.Now()
	}
	w.offload = func(_ context.Context, _ string, fn func() error) error {
		go func() {
			defer close(done)
			_ = fn()
		}()
		<-inside
		return context.DeadlineExceeded
	}
	_, err := w.register(ctx, flippy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-done
}

// The answer to an activation is lost: the object may be there, and must not keep the account's next login out.
func TestObjectsWhoseActivationHadNoAnswerGo(t *testing.T) {
	w := newWorld(t, owning(at(1)))
	w.activating = context.DeadlineExceeded
	_, err := w.register(context.Background(), flippy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, w.heard(), "dismiss "+w.who.Channel.String()+" "+at(1).ID.String())
	w.activating = &wire.Error{Code: wire.CodeNoObject}
	_, err = w.login(context.Background(), flippy)
	require.ErrorIs(t, err, wire.CodeNoObject)
	require.NotContains(t, w.heard(), "dismiss "+w.who.Channel.String()+" "+at(1).ID.String(), "it was not done")
}
