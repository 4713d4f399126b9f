package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/otpd/otpd/ai"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/uberdog"
	"github.com/otpd/otpd/uberdog/auth"
)

// Config says how accounts are served. The zero value is what a production server wants.
type Config struct {
	Params   Params        // of new hashes
	Hashes   int           // that run at once; 0: one per core
	Memory   uint32        // KiB that hashes may take together; 0: what Hashes of Params take
	Queue    int           // that may wait, before logins are refused with Overload; 0: 256
	Patience time.Duration // about the longest wait, before logins are refused with Overload; 0: 5 s

	// Attempts in a row for one name, and in which time it gets one back; 0: 10, 6 s. A success gives all back.
	Burst    int
	Interval time.Duration
	// Attempts in a row from one address (an IPv4 address, or 64 bits of an IPv6 one), and in which time it gets one
	// back; 0: 60, 1 s; AddressBurst below 0: no limit. A login that succeeds does not count.
	AddressBurst    int
	AddressInterval time.Duration

	Sessions Sessions // how many sessions an account may have

	// Objects are what an account has in the world while it has a session; nil: nothing that Auth knows of. It needs that
	// an account has one session.
	Objects     Objects
	ObjectsTime time.Duration // for those of the session before to go; 0: 20 s

	TokenLife time.Duration // how long a token is good; 0: 30 days; below 0: there are none

	// Authenticator says who has a ticket. nil: nobody comes in by ticket.
	Authenticator     Authenticator
	AuthenticatorTime time.Duration // that it has; 0: 5 s
	NoPasswords       bool          // nobody comes in by password, and nobody registers

	Random io.Reader    // of salts and tokens; nil: the system's
	Log    *slog.Logger // nil: slog's default
}

func (c Config) withDefaults() Config {
	ints := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	times := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	ints(&c.Hashes, runtime.GOMAXPROCS(0))
	ints(&c.Queue, 256)
	ints(&c.Burst, 10)
	ints(&c.AddressBurst, 60)
	times(&c.Patience, 5*time.Second)
	times(&c.Interval, 6*time.Second)
	times(&c.AddressInterval, time.Second)
	times(&c.TokenLife, 30*24*time.Hour)
	times(&c.AuthenticatorTime, 5*time.Second)
	times(&c.ObjectsTime, 20*time.Second)
	c.Params = c.Params.withDefaults()
	if c.Memory == 0 {
		c.Memory = uint32(max(0, c.Hashes)) * c.Params.Memory
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// ErrConfig is wrapped by errors about a Config.
var ErrConfig = errors.New("wrong configuration")

func (c Config) validate() error {
	for _, v := range []struct {
		name string
		ok   bool
		is   any
	}{
		{"Hashes", c.Hashes > 0, c.Hashes},
		{"Queue", c.Queue > 0, c.Queue},
		{"Patience", c.Patience > 0, c.Patience},
		{"Burst", c.Burst > 0, c.Burst},
		{"Interval", c.Interval > 0, c.Interval},
		{"AddressInterval", c.AddressInterval > 0, c.AddressInterval},
		{"AuthenticatorTime", c.AuthenticatorTime > 0, c.AuthenticatorTime},
		{"ObjectsTime", c.ObjectsTime > 0, c.ObjectsTime},
		{"Sessions, with Objects,", c.Objects == nil || c.Sessions != AllowMany, c.Sessions},
		{"Sessions", c.Sessions <= AllowMany, uint8(c.Sessions)},
	} {
		if !v.ok {
			return fmt.Errorf("accounts: %w: %s is %v", ErrConfig, v.name, v.is)
		}
	}
	return c.Params.validate()
}

// AuthUD answers what clients ask of the Auth UberDOG.
type AuthUD struct {
	auth.Auth
	s *service
}

// Register tells an AI's registry, which knows the class by auth.Register, how this process serves Auth.
func Register(r *do.Registry) error { return r.Behave(func() *AuthUD { return &AuthUD{} }) }

// Serve makes the repository's process serve the Auth UberDOG. It is called on the loop, or before it runs.
func Serve(r *ai.Repository, cfg Config) (*AuthUD, error) {
	s, err := newService(cfg)
	if err != nil {
		return nil, fmt.Errorf("accounts: serve: %w", err)
	}
	u := &AuthUD{s: s}
	s.store, s.gate = &rows{r}, &sessions{r}
	s.turns.wait = r.Elsewhere
	s.now, s.caller, s.offload, s.sleep = r.Now, uberdog.CallerOf, r.Offload, r.Sleep
	s.waiting = func(session do.Channel, p auth.Place) {
		if err := u.Waiting.SendTo(session, p); err != nil {
			s.log.Warn("accounts: tell a place", "session", session, "err", err)
		}
	}
	return u, uberdog.Serve(r, auth.ID(), u)
}

// newService makes what knows no cluster yet.
func newService(cfg Config) (*service, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h, err := newHasher(cfg.Params, cfg.Random)
	if err != nil {
		return nil, err
	}
	entrance := func(slots int, memory uint64) *turnstile {
		return &turnstile{slots: slots, memory: memory, queue: cfg.Queue, patience: cfg.Patience, now: time.Now}
	}
	return &service{
		cfg: cfg, hasher: h, hashing: entrance(cfg.Hashes, uint64(cfg.Memory)), asking: entrance(maxAsking, 0),
		names: newLimiter(cfg.Burst, cfg.Interval), addresses: newLimiter(cfg.AddressBurst, cfg.AddressInterval),
		turns: turns{taken: make(map[do.ID][]*turn)}, log: cfg.Log,
	}, nil
}

// OnRegister makes an account and logs in.
func (u *AuthUD) OnRegister(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	return u.s.register(ctx, c)
}

// OnLogin establishes the session.
func (u *AuthUD) OnLogin(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	return u.s.login(ctx, c)
}

// OnChangePassword changes the password of the session's account.
func (u *AuthUD) OnChangePassword(ctx context.Context, c auth.PasswordChange) (auth.Identity, error) {
	return u.s.changePassword(ctx, c)
}

// OnToken gives the session's account a token.
func (u *AuthUD) OnToken(ctx context.Context, r auth.TokenRequest) (auth.Token, error) {
	return u.s.token(ctx, r)
}

// OnRevoke takes tokens back.
func (u *AuthUD) OnRevoke(ctx context.Context, r auth.Revocation) (auth.Identity, error) {
	return u.s.revoke(ctx, r)
}

// OnResume establishes the session by token.
func (u *AuthUD) OnResume(ctx context.Context, r auth.Resumption) (auth.Identity, error) {
	return u.s.resume(ctx, r)
}

// OnEnter establishes the session by ticket.
func (u *AuthUD) OnEnter(ctx context.Context, t auth.Ticket) (auth.Identity, error) {
	return u.s.ticket(ctx, t)
}

// OnSetRoles replaces the roles of an account.
func (u *AuthUD) OnSetRoles(ctx context.Context, c auth.RoleChange) (auth.Identity, error) {
	return u.s.setRoles(ctx, c)
}

// OnKick ends the sessions of an account.
func (u *AuthUD) OnKick(ctx context.Context, k auth.KickRequest) (auth.Identity, error) {
	return u.s.kick(ctx, k)
}
