package accounts

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
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
	Queue    int           // that may wait, before logins are refused with Overload; 0: 256
	Burst    int           // attempts in a row for one name; 0: 10
	Interval time.Duration // in which a name gets one attempt back; 0: 6 s
	Shared   bool          // let an account have several sessions
	Random   io.Reader     // of salts; nil: the system's
}

func (c Config) withDefaults() Config {
	if c.Hashes <= 0 {
		c.Hashes = runtime.GOMAXPROCS(0)
	}
	if c.Queue <= 0 {
		c.Queue = 256
	}
	if c.Burst <= 0 {
		c.Burst = 10
	}
	if c.Interval <= 0 {
		c.Interval = 6 * time.Second
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c
}

// AuthUD answers what clients ask of the Auth UberDOG.
type AuthUD struct {
	auth.Auth
	s *service
}

// Register tells an AI's registry, which knows the class by auth.Register, how this process serves Auth.
func Register(r *do.Registry) error { return r.Behave(func() *AuthUD { return &AuthUD{} }) }

// Serve makes the repository's process serve the Auth UberDOG. It is called on the loop, or before it runs.
func Serve(r *ai.Repository, cfg Config) error {
	cfg = cfg.withDefaults()
	h, err := newHasher(cfg.Params, cfg.Hashes, cfg.Queue, cfg.Random)
	if err != nil {
		return fmt.Errorf("accounts: serve: %w", err)
	}
	u := &AuthUD{s: &service{
		store: &rows{r}, gate: &sessions{r}, hasher: h, limit: newLimiter(cfg.Burst, cfg.Interval),
		turns:  turns{taken: make(map[do.ID][]*turn), wait: r.Elsewhere},
		shared: cfg.Shared, now: r.Now, caller: uberdog.CallerOf, offload: r.Offload,
	}}
	return uberdog.Serve(r, auth.ID(), u)
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
