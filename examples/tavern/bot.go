package tavern

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/client"
	"github.com/otpd/otpd/do"
)

// BotConfig says who a bot is and how it plays. Addr, Name and Password are needed.
type BotConfig struct {
	Addr     string
	TLS      *tls.Config
	Version  string
	Name     string // of account and avatar
	Password string

	Known bool          // the account exists: log in, do not register first
	Seed  uint64        // of all that it decides
	Hz    int           // positions a second; 0: 10
	Stay  time.Duration // how long a session lasts, give or take half; 0: 6 s; below 0: until it is stopped
	Away  time.Duration // how long it stays away then, give or take half; 0: 500 ms

	Dialer      *client.Dialer // shared with other bots; nil: its own
	NoDatagrams bool
	Log         *slog.Logger // nil: what goes wrong goes to slog's default
}

func (c BotConfig) withDefaults() BotConfig {
	if c.Hz <= 0 {
		c.Hz = 10
	}
	if c.Stay == 0 {
		c.Stay = 6 * time.Second
	}
	if c.Away <= 0 {
		c.Away = 500 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Bot is a player that plays by itself: it logs in, walks the street, sees those around it, goes into taverns, talks,
// drinks, logs out and comes back. What it decides follows from its seed, and from what it meets.
type Bot struct {
	Stats Stats

	// Set by NewBot, then read-only.
	cfg     BotConfig
	resting chan struct{} // closed when it has come to rest after Stop
	leaving chan struct{} // closed by Stop
	stop    sync.Once
	rest    sync.Once

	classes *do.Registry // Owned by Run. Made by the first visit

	known atomic.Bool  // the account exists
	first atomic.Int64 // gold at the first arrival, plus one; 0: not arrived
	gold  atomic.Int64 // the gold that it was told of last, plus one
	mugs  atomic.Int64 // mugs at the first arrival, plus one
	spent atomic.Int64 // gold for drinks

	mu   sync.Mutex
	repo *client.Repository // Guarded by mu. Of the living session, nil between two
	self do.ID              // Guarded by mu. The avatar
}

// NewBot makes a bot; Run lets it play.
func NewBot(cfg BotConfig) *Bot {
	b := &Bot{cfg: cfg.withDefaults(), resting: make(chan struct{}), leaving: make(chan struct{})}
	b.known.Store(cfg.Known)
	return b
}

// Run plays until ctx ends; it returns when the last session is over. What goes wrong in a session is counted and
// logged, and the bot comes back.
func (b *Bot) Run(ctx context.Context) {
	dice := &walker{rng: rand.New(rand.NewPCG(b.cfg.Seed, 0))}
	for n := 0; ctx.Err() == nil; n++ {
		err := b.visit(ctx, n, dice)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			b.Stats.Failures.Add(1)
			b.cfg.Log.Warn("bot: session", "name", b.cfg.Name, "err", err)
		}
		select {
		case <-time.After(dice.between(b.cfg.Away/2, b.cfg.Away*3/2)):
		case <-b.leaving:
			// It is to be online when everything is compared.
			if err != nil {
				pause(ctx, 200*time.Millisecond)
			}
		case <-ctx.Done():
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// visit is one session, from the connection to the logout.
func (b *Bot) visit(ctx context.Context, n int, dice *walker) error {
	if b.classes == nil {
		var err error
		if b.classes, err = b.registry(); err != nil {
			return err
		}
	}
	r, err := client.Dial(ctx, b.cfg.Addr, client.Config{
		Registry: b.classes, TLS: b.cfg.TLS, Version: b.cfg.Version, Meta: "bot", Log: b.cfg.Log,
		Dialer: b.cfg.Dialer, NoDatagrams: b.cfg.NoDatagrams,
	})
	if err != nil {
		return err
	}
	v := &visit{b: b, r: r, again: n > 0, dice: dice, result: errors.New("the session ended before the visit")}
	if err := r.Do(v.live); err != nil {
		r.Close()
		return err
	}
	err = r.Run(ctx)
	b.setRepo(nil, do.ID{})
	b.Stats.ended(r.Traffic())
	if err != nil {
		return err
	}
	return v.result
}

func (b *Bot) setRepo(r *client.Repository, self do.ID) {
	b.mu.Lock()
	b.repo, b.self = r, self
	b.mu.Unlock()
}

// Stop ends all that the bot originates: it walks no more and stays online, until Run's context ends. It does not wait;
// Rest does.
func (b *Bot) Stop() { b.stop.Do(func() { close(b.leaving) }) }

// Rest returns when the bot has come to rest after Stop: it is online, and nothing of it is in flight.
func (b *Bot) Rest(ctx context.Context) error {
	select {
	case <-b.resting:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tavern: bot %s does not come to rest: %w", b.cfg.Name, ctx.Err())
	}
}

func (b *Bot) stopped() bool {
	select {
	case <-b.leaving:
		return true
	default:
		return false
	}
}

// Name is the bot's account.
func (b *Bot) Name() string { return b.cfg.Name }

// Known reports whether the account exists: it was made, or logged in to.
func (b *Bot) Known() bool { return b.known.Load() }

// FirstGold is the gold that the avatar had when it arrived for the first time in this run.
func (b *Bot) FirstGold() (gold int64, ok bool) { return b.first.Load() - 1, b.first.Load() > 0 }

// FirstMugs is the mugs that it had then.
func (b *Bot) FirstMugs() (mugs int64, ok bool) { return b.mugs.Load() - 1, b.mugs.Load() > 0 }

// Spent is the gold that went for drinks in this run. What it pays for mugs others have.
func (b *Bot) Spent() int64 { return b.spent.Load() }

// Gold is what it was told last: when it arrived, or when it changed.
func (b *Bot) Gold() (gold int64, ok bool) { return b.gold.Load() - 1, b.gold.Load() > 0 }

// hasGold notes what an arrival says, or a change.
func (b *Bot) hasGold(gold int64, arrival bool) {
	b.gold.Store(gold + 1)
	if arrival {
		b.first.CompareAndSwap(0, gold+1)
	}
}

// Covered is zones that a bot sees.
type Covered struct {
	Parent do.ID
	Zones  []do.Zone
}

// View is what a bot sees and owns, for comparing it with the truth.
type View struct {
	Name      string
	Session   client.Session
	Avatar    do.ID
	Interests []Covered
	Objects   []client.ObjectView
	Quiet     bool // no write of its own is in flight
}

// ErrOffline says that a bot has no session.
var ErrOffline = errors.New("the bot is not online")

// sight is what a bot that follows its avatar has to see: the cells around it on the street, and in a tavern that, and the
// street around its door.
func sight(r *client.Repository, self do.ID) []Covered {
	a := client.Find[AvatarCL](r, self)
	if a == nil {
		return nil
	}
	street := func(z do.Zone) Covered { return Covered{StreetID(), Ground().Around(nil, z)} }
	at := a.Location()
	if at.Parent == StreetID() {
		return []Covered{street(at.Zone)}
	}
	inside := Covered{at.Parent, []do.Zone{at.Zone}}
	t := client.Find[Tavern](r, at.Parent)
	if t == nil {
		return []Covered{inside}
	}
	return []Covered{inside, street(t.Location().Zone)}
}

// pending reports whether writes of one's own are in flight.
func pending(objects []client.ObjectView) bool {
	return slices.ContainsFunc(objects, func(o client.ObjectView) bool { return o.Pending })
}

// View is the bot's whole view, at one moment of its loop.
func (b *Bot) View(ctx context.Context) (View, error) {
	b.mu.Lock()
	r, self := b.repo, b.self
	b.mu.Unlock()
	if r == nil {
		return View{}, fmt.Errorf("tavern: view of %s: %w", b.cfg.Name, ErrOffline)
	}
	v := View{Name: b.cfg.Name, Avatar: self}
	err := r.DoWait(ctx, func(context.Context) error {
		v.Session, v.Objects = r.Session(), r.View()
		v.Quiet = !pending(v.Objects)
		v.Interests = sight(r, self)
		return nil
	})
	return v, err
}
