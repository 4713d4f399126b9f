package tavern

import (
	"errors"
	"time"

	"github.com/otpd/otpd/do"
)

// What a bot sees: its behaviours of the classes.

// AvatarCL is an avatar in a bot's view.
type AvatarCL struct {
	Avatar
	bot *Bot
}

// OnPos hears of a position that somebody else sent: how old is it?
func (a *AvatarCL) OnPos(Vec2) {
	if a.Pos.At > 0 {
		a.bot.Stats.Latency.Add(time.Since(time.UnixMicro(a.Pos.At)))
	}
}

// OnGold hears of a purchase, or of a sale.
func (a *AvatarCL) OnGold(int64) { a.bot.hasGold(a.Gold, false) }

// registry has the classes with a bot's behaviours.
func (b *Bot) registry() (*do.Registry, error) {
	r := do.NewRegistry()
	return r, errors.Join(
		Classes(r),
		r.BehaveAs(do.SideClient, func() *AvatarCL { return &AvatarCL{bot: b} }),
	)
}
