package stateserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/do"
)

// Config says what a State is. The zero value of each duration and limit means its default.
type Config struct {
	// Instance names this State among all: it is the id in its control channel.
	Instance do.ID
	// Partitions whose objects it holds. No two States of a cluster may share one (rule 139).
	Partitions []do.Partition
	// Epoch is the epoch of the partitions in the database; it only grows, and the database refuses older ones. Above 0.
	Epoch uint32
	// Schema to begin with; nil: the database is asked for it.
	Schema *do.Schema `json:"-"`
	// NoDatabase says that there is no database role: objects that are not in memory do not exist, and Activate fails.
	NoDatabase bool

	// WriteInterval is how long changed db fields of one object are gathered at most; default 10 ms.
	WriteInterval time.Duration
	// AnswerTimeout is how long an answer of the database is awaited before the request counts as lost; default 5 s.
	AnswerTimeout time.Duration
	// DigestInterval is the time between two digests of a location in which things change; default 1 s.
	DigestInterval time.Duration
	// CallTimeout ends calls that came without a deadline; default 30 s.
	CallTimeout time.Duration
	// ProbeTimeout is how long a move waits for word about the chain of its parents in other States; default 5 s.
	ProbeTimeout time.Duration
	// LastWord is how long what others want of an object of the database that went waits for its AI to write what that
	// still has; default 6 s, a second more than OnDelete has. Below 0 nothing waits.
	LastWord time.Duration
	// IdleUnload takes an object that has a row, no children and no session as its owner out of memory when no message
	// was sent to it for as long; 0: never.
	IdleUnload time.Duration
	// MaxCommits is how many answers may wait for the database; a commit that comes then is refused, with nothing of it
	// done. What was accepted before is written however many there are. Default 65536.
	MaxCommits int
	// MaxParked is how many messages may wait for one object; what comes then is refused. Default 4096.
	MaxParked int
}

// ErrConfig is wrapped by errors about a Config that cannot be.
var ErrConfig = errors.New("wrong configuration")

func (c Config) validate() error {
	switch {
	case c.Instance.IsZero():
		return fmt.Errorf("stateserver: instance is empty: %w", ErrConfig)
	case len(c.Partitions) == 0:
		return fmt.Errorf("stateserver: no partitions: %w", ErrConfig)
	case c.Epoch == 0:
		return fmt.Errorf("stateserver: epoch is 0: %w", ErrConfig)
	}
	return nil
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&c.WriteInterval, 10 * time.Millisecond},
		{&c.AnswerTimeout, 5 * time.Second},
		{&c.DigestInterval, time.Second},
		{&c.CallTimeout, 30 * time.Second},
		{&c.ProbeTimeout, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.zero
		}
	}
	if c.LastWord == 0 {
		c.LastWord = 6 * time.Second
	}
	if c.MaxCommits <= 0 {
		c.MaxCommits = 1 << 16
	}
	if c.MaxParked <= 0 {
		c.MaxParked = 4096
	}
	return c
}

// configText is the form of Config in a recording.
type configText struct {
	Instance                    do.ID
	Partitions                  []do.Partition
	Epoch                       uint32
	Schema                      string `json:",omitempty"`
	NoDatabase                  bool   `json:",omitempty"`
	Write, Answer, Digest, Call time.Duration
	Probe                       time.Duration `json:",omitempty"`
	MaxParked                   int
	MaxCommits                  int           `json:",omitempty"`
	Idle                        time.Duration `json:",omitempty"`
	Word                        time.Duration `json:",omitempty"`
}

// Text is the Config as ParseConfig reads it, for the header of a recording: a State made of it does the same again.
func (c Config) Text() string {
	t := configText{
		Instance: c.Instance, Partitions: c.Partitions, Epoch: c.Epoch, NoDatabase: c.NoDatabase,
		Write: c.WriteInterval, Answer: c.AnswerTimeout, Digest: c.DigestInterval, Call: c.CallTimeout, Probe: c.ProbeTimeout, MaxParked: c.MaxParked,
		MaxCommits: c.MaxCommits, Idle: c.IdleUnload, Word: c.LastWord,
	}
	if c.Schema != nil {
		t.Schema = string(c.Schema.Text())
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("stateserver: text of a config: %v", err)) // there is nothing in it that JSON cannot say
	}
	return string(text)
}

// ParseConfig reads what Text writes.
func ParseConfig(text string) (Config, error) {
	var t configText
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return Config{}, fmt.Errorf("stateserver: parse config: %w", err)
	}
	c := Config{
		Instance: t.Instance, Partitions: t.Partitions, Epoch: t.Epoch, NoDatabase: t.NoDatabase,
		WriteInterval: t.Write, AnswerTimeout: t.Answer, DigestInterval: t.Digest, CallTimeout: t.Call, ProbeTimeout: t.Probe, MaxParked: t.MaxParked,
		MaxCommits: t.MaxCommits, IdleUnload: t.Idle, LastWord: t.Word,
	}
	if t.Schema != "" {
		schema, err := do.ParseSchema([]byte(t.Schema))
		if err != nil {
			return Config{}, fmt.Errorf("stateserver: parse config: %w", err)
		}
		c.Schema = schema
	}
	return c, nil
}
