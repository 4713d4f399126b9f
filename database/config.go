package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Config says how a State works. The zero value of each limit means its default.
type Config struct {
	// Partitions of the cluster record: created objects get 1 to Partitions. It is told with the schema.
	Partitions uint16 `json:"partitions"`
	// Batch is how many operations one transaction has at most; default 100.
	Batch int `json:"batch"`
	// Workers is how many batches may be under way at once; default 1. Those of one object come one after the other
	// however many there are.
	Workers int `json:"workers"`
	// Waiting is how many requests may wait; what comes then is refused with CodeOverload. Default 65536.
	Waiting int `json:"waiting"`
	// Manual: a schema that needs other tables than there are is refused; a person makes them (otpd migrate up).
	Manual bool `json:"manual"`
	// FreezeTimeout is how long a transaction waits for the State of one of its objects; default 5 s.
	FreezeTimeout time.Duration `json:"freezeTimeout"`
}

// The defaults of Config.
const (
	DefaultBatch   = 100
	DefaultWorkers = 1
	DefaultWaiting = 1 << 16

	DefaultFreezeTimeout = 5 * time.Second
)

// ErrConfig is wrapped by errors about a Config that cannot be.
var ErrConfig = errors.New("wrong configuration")

func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		value *int
		zero  int
		most  int
		name  string
	}{
		{&c.Batch, DefaultBatch, MaxBatch, "batch"},
		{&c.Workers, DefaultWorkers, 1 << 10, "workers"},
		{&c.Waiting, DefaultWaiting, 1 << 24, "waiting"},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < 1 || *d.value > d.most {
			return c, fmt.Errorf("database: %s is %d, want 1 to %d: %w", d.name, *d.value, d.most, ErrConfig)
		}
	}
	if c.FreezeTimeout == 0 {
		c.FreezeTimeout = DefaultFreezeTimeout
	}
	if c.FreezeTimeout < 0 {
		return c, fmt.Errorf("database: freezeTimeout is %s: %w", c.FreezeTimeout, ErrConfig)
	}
	if c.Partitions == 0 {
		return c, fmt.Errorf("database: no partitions: %w", ErrConfig)
	}
	return c, nil
}

// Text is c as the header of a recording has it.
func (c Config) Text() string {
	// A struct of numbers cannot fail.
	b, _ := json.Marshal(c)
	return string(b)
}

// ParseConfig reads what Text writes.
func ParseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Config{}, fmt.Errorf("database: parse configuration: %w: %w", ErrConfig, err)
	}
	return c, nil
}
