package clientagent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
)

func TestWrongConfigurationIsNamed(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"clientagent: config: no instance id":         func(c *Config) { c.Instance = do.ID{} },
		"clientagent: config: no interest policy 9":   func(c *Config) { c.Interests = 9 },
		"clientagent: config: WriteStall is -1s":      func(c *Config) { c.WriteStall = -time.Second },
		"clientagent: config: MaxHandles is -1":       func(c *Config) { c.MaxHandles = -1 },
		"clientagent: config: Backlog is -5":          func(c *Config) { c.Backlog = -5 },
		"clientagent: config: OpeningTimeout is -1ns": func(c *Config) { c.OpeningTimeout = -1 },
	} {
		c := Config{Instance: do.NewID(0, 1, 1)}
		change(&c)
		_, err := New(c)
		require.EqualError(t, err, want)
	}
	s, err := New(Config{Instance: do.NewID(0, 1, 1), Heartbeat: -1})
	require.NoError(t, err, "no heartbeat is a choice")
	require.Equal(t, time.Duration(-1), s.cfg.Heartbeat)
	require.Equal(t, 10*time.Second, s.cfg.HelloTimeout)
	require.Equal(t, 1<<20, s.cfg.Backlog)
}
