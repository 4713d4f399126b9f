package messagedirector

import (
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
)

// DefaultLease is how long a node may be silent before its peers declare it dead.
const DefaultLease = 3 * time.Second

// NodeConfig says how a process takes part in a cluster. The zero value is useful.
type NodeConfig struct {
	Name    string        // for people: what process this is
	Cluster string        // separates clusters on one NATS; default "otpd"
	Lease   time.Duration // 0: DefaultLease. All nodes of a cluster should have the same
	// After is the node that this process was before, if it was one: it takes that one's place. A will that is being run is
	// waited for; one that is not will not be, because what it would end lives on.
	After do.ID

	before do.ID // a node that is dead for certain: nobody needs to wait for its lease to end
}

func (c *NodeConfig) validate() error {
	if c.Cluster == "" {
		c.Cluster = "otpd"
	}
	if strings.ContainsAny(c.Cluster, ".*> \t\r\n/\\") {
		return fmt.Errorf("messagedirector: config: cluster name %q: want letters, digits, - and _", c.Cluster)
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Lease < 100*time.Millisecond {
		return fmt.Errorf("messagedirector: config: lease of %v: want at least 100ms", c.Lease)
	}
	return nil
}

// BusConfig says how a daemon serves the bus. The zero value listens on a free port of loopback, makes up a token, and keeps
// the registry in a directory of its own that is removed at the end.
type BusConfig struct {
	NodeConfig
	Host     string // default 127.0.0.1
	Port     int    // 0: a free one
	Token    string // what a process must know to join; default: a random one
	StoreDir string // of the registry; default: a temporary directory
}

func (c *BusConfig) validate() error {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("messagedirector: config: port %d: want 0 to 65535", c.Port)
	}
	if strings.ContainsAny(c.Token, NotInToken) {
		return fmt.Errorf("messagedirector: config: the token has characters that do not fit into a URL: want none of %q", NotInToken)
	}
	return c.NodeConfig.validate()
}

// NotInToken are the characters that a bus's token must not have, since it is part of a URL.
const NotInToken = "@:/?# "
