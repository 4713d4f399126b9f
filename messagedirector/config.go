package messagedirector

import (
	"fmt"
	"log/slog"
)

// The defaults of Config.
const (
	DefaultHighWater = 8 << 20
	DefaultLimit     = 512 << 20
)

// Config says how a director works. The zero value is useful.
type Config struct {
	Log       *slog.Logger // none: nothing is logged
	Seed      uint64       // of the table; 0: a random one
	HighWater int          // bytes of an inbox past which originators are held back; 0: DefaultHighWater
	Limit     int          // bytes of an inbox past which its participant ends; 0: DefaultLimit
}

func (c *Config) validate() error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.HighWater == 0 {
		c.HighWater = DefaultHighWater
	}
	if c.Limit == 0 {
		c.Limit = max(DefaultLimit, 2*c.HighWater)
	}
	if c.HighWater < 0 || c.Limit < c.HighWater {
		return fmt.Errorf("messagedirector: config: high-water mark %d and limit %d: want 0 <= mark <= limit", c.HighWater, c.Limit)
	}
	return nil
}
