package clientagent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// InterestPolicy says which interests clients may open themselves (rule 95).
type InterestPolicy uint8

// The policies.
const (
	InterestAny       InterestPolicy = iota // below any parent
	InterestVisible                         // below parents that the client knows (rule 89), and well-known roots
	InterestDisabled                        // none: only the cluster opens interests
	InterestPermitted                       // in zones that the parent has open, or that an AI permits; and what follows an owned object
)

// policyNames is in the order of the policies.
var policyNames = []string{"any", "visible", "disabled", "permitted"}

// String is the policy's name, as MarshalText writes and UnmarshalText reads it.
func (p InterestPolicy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy %d", uint8(p))
}

// MarshalText writes the name.
func (p InterestPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the name; empty is any.
func (p *InterestPolicy) UnmarshalText(text []byte) error {
	i := slices.Index(policyNames, string(text))
	if i < 0 && len(text) > 0 {
		return fmt.Errorf("clientagent: %q is no interest policy: any, visible, permitted or disabled", text)
	}
	*p = InterestPolicy(max(i, 0))
	return nil
}

// Config says how an agent treats its clients. The zero value of everything but Instance is useful.
type Config struct {
	// Instance names this agent in the cluster; it is drawn anew at each start.
	Instance do.ID
	// Version is the game's version that clients must have; empty: any (reason 124).
	Version string
	// Interests is what clients may open.
	Interests InterestPolicy
	// NoRelocate forbids clients to move what they own (rule 94).
	NoRelocate bool

	// Heartbeat ends a session that was silent for so long (rule 99). Default 30 s, negative: never.
	Heartbeat time.Duration
	// HelloTimeout ends a connection that has not said Hello. Default 10 s.
	HelloTimeout time.Duration
	// OpeningTimeout gives up on the shards that an opening still waits for (rule 114). Default 3 s.
	OpeningTimeout time.Duration
	// History is how long what became forbidden is swallowed (rule 105). Default 10 s.
	History time.Duration
	// Repeat is how long a latest value may stand before it is repeated on the stream. Default 200 ms.
	Repeat time.Duration
	// AliasRest is how long an alias rests before it is given again. Default 5 s.
	AliasRest time.Duration
	// RequestTimeout answers a set or move that nobody answered: outcome unknown. Default 30 s.
	RequestTimeout time.Duration
	// CallTimeout is the longest deadline of a call, and that of one without. Default 60 s.
	CallTimeout time.Duration
	// WriteStall ends a session whose output has not moved for so long (rule 100). Default 5 s.
	WriteStall time.Duration

	// MaxSessions is how many sessions this State takes (reason 1). Default 10,000.
	MaxSessions int
	// MaxFrame is how many bytes a client's frame may have (reason 106). Default wire.MaxClientFrame.
	MaxFrame int
	// MaxHandles and MaxZones bound the interests that a client opens itself, and the zones of all of them. Defaults 64, 4,096.
	MaxHandles, MaxZones int
	// MaxRequests bounds a client's unanswered sets, moves and calls. Default 512.
	MaxRequests int
	// Frames and Bytes are how much one client may send in a second; it may save up two seconds' worth (reason 347).
	// Defaults 1,000 and 256 KiB.
	Frames, Bytes int
	// Backlog is how many bytes may wait for a client that does not read (reason 346), beside the entries of what it has
	// opened, or that repair its view. Default 1 MiB.
	Backlog int
	// Behind is the backlog from which on latest values wait. Default 8 KiB: in a full
	// zone some tens of milliseconds.
	Behind int
}

// maxFrame is MaxFrame or its default.
func (c *Config) maxFrame() int {
	if c.MaxFrame == 0 {
		return wire.MaxClientFrame
	}
	return c.MaxFrame
}

// validate fills in the defaults.
func (c *Config) validate() error {
	if c.Instance.IsZero() {
		return fmt.Errorf("clientagent: config: %w", errors.New("no instance id"))
	}
	if c.Interests > InterestPermitted {
		return fmt.Errorf("clientagent: config: no interest policy %d", c.Interests)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"Heartbeat", &c.Heartbeat, 30 * time.Second},
		{"HelloTimeout", &c.HelloTimeout, 10 * time.Second},
		{"OpeningTimeout", &c.OpeningTimeout, 3 * time.Second},
		{"History", &c.History, 10 * time.Second},
		{"Repeat", &c.Repeat, 200 * time.Millisecond},
		{"AliasRest", &c.AliasRest, 5 * time.Second},
		{"RequestTimeout", &c.RequestTimeout, 30 * time.Second},
		{"CallTimeout", &c.CallTimeout, 60 * time.Second},
		{"WriteStall", &c.WriteStall, 5 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
		if *d.value < 0 && d.value != &c.Heartbeat {
			return fmt.Errorf("clientagent: config: %s is %v", d.name, *d.value)
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		or    int
	}{
		{"MaxSessions", &c.MaxSessions, 10_000},
		{"MaxFrame", &c.MaxFrame, wire.MaxClientFrame},
		{"MaxHandles", &c.MaxHandles, 64},
		{"MaxZones", &c.MaxZones, 4096},
		{"MaxRequests", &c.MaxRequests, 512},
		{"Frames", &c.Frames, 1000},
		{"Bytes", &c.Bytes, 256 << 10},
		{"Backlog", &c.Backlog, 1 << 20},
		{"Behind", &c.Behind, 8 << 10},
	} {
		if *n.value == 0 {
			*n.value = n.or
		}
		if *n.value < 0 {
			return fmt.Errorf("clientagent: config: %s is %d", n.name, *n.value)
		}
	}
	return nil
}
