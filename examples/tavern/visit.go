package tavern

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog/auth"
)

// visit is one session of a bot. It has one owner, the repository's loop.
type visit struct {
	// Set by Bot.visit, then read-only.
	b     *Bot
	r     *client.Repository
	again bool    // it has been here before in this run
	dice  *walker // its random numbers last from one session to the next

	result error // of the visit as a whole; read when the loop has ended
	walk   *walker
	avatar *AvatarCL
	calls  int       // in flight beside the walking
	inside *Tavern   // where it is now, nil on the street
	door   do.Zone   // of the street, outside of it
	drink  *site     // where it is going to, nil when it only walks
	out    time.Time // when it leaves the tavern
	end    time.Time // when it logs out, zero for never
}

// live is the visit: a handler that waits most of the time.
func (v *visit) live(ctx context.Context) error {
	v.result = v.play(ctx)
	if ctx.Err() == nil {
		v.r.Goodbye()
	}
	return nil
}

func (v *visit) play(ctx context.Context) error {
	if err := v.login(ctx); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if err := v.enter(ctx); err != nil {
		return fmt.Errorf("enter: %w", err)
	}
	v.b.Stats.Logins.Add(1)
	if v.again {
		v.b.Stats.Relogins.Add(1)
	}
	v.b.setRepo(v.r, v.avatar.ID())
	if stay := v.b.cfg.Stay; stay > 0 {
		length := v.dice.between(stay/2, stay*3/2)
		if !v.again {
			// A crowd comes all at once: its first sessions end as if they had begun long ago.
			length = time.Duration(spread(v.b.cfg.Seed) * float64(stay*3/2))
		}
		v.end = time.Now().Add(length)
	}
	if err := v.stroll(ctx); err != nil {
		return err
	}
	return v.settle(ctx)
}

// login logs in; an account that does not exist is made.
func (v *visit) login(ctx context.Context) error {
	a, err := client.UberDOG[auth.Auth](v.r, auth.ID())
	if err != nil {
		return err
	}
	who := auth.Credentials{Name: v.b.cfg.Name, Password: v.b.cfg.Password}
	for {
		if err = v.identify(ctx, a, who); err == nil {
			v.b.known.Store(true)
			return nil
		}
		wait, again := auth.RetryAfter(err)
		if !again {
			return err
		}
		// Too many at once: the server said when to come again. Not all of them at the same moment.
		if err := v.r.Sleep(ctx, v.dice.between(wait, 2*wait)); err != nil {
			return err
		}
	}
}

func (v *visit) identify(ctx context.Context, a *auth.Auth, who auth.Credentials) error {
	if !v.b.known.Load() {
		_, err := a.Register.Call(ctx, who)
		v.count(err, client.CodeUnique, client.CodeOverload, client.CodeRate)
		if !errors.Is(err, client.CodeUnique) {
			return err
		}
	}
	_, err := a.Login.Call(ctx, who)
	v.count(err, client.CodeOverload, client.CodeRate)
	return err
}

// count counts a call; the codes are answers that a good server gives, too.
func (v *visit) count(err error, fine ...client.Code) {
	for _, c := range fine {
		if errors.Is(err, c) {
			v.b.Stats.CallsOK.Add(1)
			return
		}
	}
	switch {
	case err == nil:
		v.b.Stats.CallsOK.Add(1)
	case errors.Is(err, client.ErrClosed):
		// The bot was ended in the middle of it.
	default:
		v.b.Stats.CallsFail.Add(1)
		v.b.cfg.Log.Warn("bot: call", "name", v.b.cfg.Name, "err", err)
	}
}

// enter brings the avatar to the street, and opens the bot's eyes.
func (v *visit) enter(ctx context.Context) error {
	realm, err := client.UberDOG[Realm](v.r, RealmID())
	if err != nil {
		return err
	}
	at, err := realm.Enter.Call(ctx, Entrance{Name: v.b.cfg.Name})
	v.count(err)
	if err != nil {
		return err
	}
	v.b.hasGold(at.Gold, true)
	x, y := float64(at.Pos.X), float64(at.Pos.Y)
	v.walk = &walker{rng: v.dice.rng, x: x, y: y, tx: x, ty: y, speed: Speed}
	if err := v.embody(ctx, at.Avatar); err != nil {
		return err
	}
	v.b.mugs.CompareAndSwap(0, int64(v.avatar.Mugs)+1)
	if err := v.price(); err != nil {
		return err
	}
	return v.look(ctx)
}

// look opens the bot's eyes: from now on it sees what is around its avatar, wherever that goes.
func (v *visit) look(ctx context.Context) error {
	v.b.Stats.InterestsOpened.Add(1)
	eyes, err := v.r.Follow(&v.avatar.Object, 0)
	if err == nil {
		err = eyes.Wait(ctx)
	}
	if err != nil {
		v.b.Stats.InterestsFailed.Add(1)
		return err
	}
	v.b.Stats.InterestsDone.Add(1)
	return nil
}

// embodyTime is how long the avatar may take to get from its State to here.
const embodyTime = 30 * time.Second

// embody waits until the avatar is here and one's own. The answer to Enter and the avatar come from two places.
func (v *visit) embody(ctx context.Context, id do.ID) error {
	for end := time.Now().Add(embodyTime); time.Now().Before(end); {
		if a := client.Find[AvatarCL](v.r, id); a != nil && v.r.Owned(&a.Object) {
			v.avatar = a
			return nil
		}
		if err := v.r.Sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("avatar %s: %w", id, client.ErrNoObject)
}

// stroll walks until it is time to go, or the bot was stopped, at Hz steps a second. A step that comes late does not
// move those after it, and its position says when it was meant: so what is measured is what a player would see.
func (v *visit) stroll(ctx context.Context) error {
	period := time.Second / time.Duration(v.b.cfg.Hz)
	// Bots that logged in together do not step together.
	for due := time.Now().Add(v.dice.between(0, period)); ; due = due.Add(period) {
		if late := time.Since(due); late > time.Second {
			due = due.Add(late.Truncate(period)) // this machine stood still
		}
		if err := v.r.Sleep(ctx, time.Until(due)); err != nil {
			return err
		}
		if v.b.stopped() || !v.end.IsZero() && due.After(v.end) {
			return nil
		}
		if err := v.step(period, due); err != nil {
			return err
		}
		v.observe()
	}
}

// observe takes the samples that one takes with each step.
func (v *visit) observe() {
	t := v.r.Traffic()
	v.b.Stats.traffic(t)
	v.b.Stats.ViewSum.Add(t.Entered - t.Left)
	v.b.Stats.ViewSeen.Add(1)
	if v.dice.chance(float64(v.b.cfg.Hz)) {
		if now, _, ok := v.r.Now(); ok {
			v.b.Stats.Clock.Add(time.Since(now).Abs())
		}
	}
}

// settleTime is how long what is in flight may take.
const settleTime = 30 * time.Second

// settle waits until nothing is in flight. A bot that was stopped then stays, without a word, until the session ends.
func (v *visit) settle(ctx context.Context) error {
	for end := time.Now().Add(settleTime); v.calls > 0 || pending(v.r.View()); {
		if time.Now().After(end) {
			return errors.New("a call or a write is not answered")
		}
		if err := v.r.Sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	for v.b.stopped() {
		v.b.rest.Do(func() { close(v.b.resting) })
		v.observe()
		if err := v.r.Sleep(ctx, 50*time.Millisecond); err != nil {
			if errors.Is(err, client.ErrClosed) {
				return nil
			}
			return err
		}
	}
	return nil
}
