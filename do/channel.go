package do

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind says what a Channel addresses. The order of kinds is part of the order of channels.
type Kind uint32

// The kinds of channels. What the older OTP servers made by arithmetic on 64-bit numbers is a kind here (rule 14).
const (
	KindNone       Kind = iota // the invalid channel: nothing is ever sent there (rule 15)
	KindControl                // a role's service: Zone is the Role, ID an instance or partition where there are several
	KindObject                 // an object: its State listens
	KindUberDOG                // a game global: the processes that serve it listen
	KindLocation               // a zone (Zone) below a parent (ID): those who watch it listen
	KindChildren               // the children of a parent (ID): the States of its children listen
	KindSession                // a client session: its agent listens
	KindAccount                // an account: the agents of its sessions listen
	KindAI                     // an AI process's repository
	KindRecord                 // database changes of an object
	KindGroup                  // an ad-hoc audience
	KindAllClients             // every client session
	kinds
)

var kindNames = [kinds]string{"none", "control", "object", "uberdog", "location", "children", "session", "account", "ai", "record", "group", "clients"}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "kind(" + strconv.FormatUint(uint64(k), 10) + ")"
}

// Role numbers a server role in a control channel.
type Role = Zone

// The roles. RoleDirector is the message director itself: a message whose only recipient it is, is a control message (rule 5).
const (
	RoleDirector    Role = 1
	RoleStateServer Role = 2 // all state servers
	RoleDatabase    Role = 3
	RoleClientAgent Role = 4 // all client agents
)

// Channel is an address. It is comparable and ordered; there is no arithmetic on it.
// Its memory has no padding, so that it hashes as 24 plain bytes.
type Channel struct {
	ID   ID
	Zone Zone
	Kind Kind
}

// Control is the service of a role.
func Control(r Role) Channel { return Channel{Kind: KindControl, Zone: r} }

// ControlOf is one instance of a role: an agent or State by the id it drew.
func ControlOf(r Role, instance ID) Channel { return Channel{Kind: KindControl, Zone: r, ID: instance} }

// ObjectChannel is the channel of an object.
func ObjectChannel(id ID) Channel { return Channel{Kind: KindObject, ID: id} }

// UberDOG is the channel of a game global.
func UberDOG(id ID) Channel { return Channel{Kind: KindUberDOG, ID: id} }

// At is the channel of a location; the invalid channel when the location is none (rule 15).
func At(l Location) Channel {
	if l.Parent.IsZero() {
		return Channel{}
	}
	return Channel{Kind: KindLocation, ID: l.Parent, Zone: l.Zone}
}

// Children is the channel on which a parent reaches the States of its children.
func Children(parent ID) Channel { return Channel{Kind: KindChildren, ID: parent} }

// Session is the channel of a client session.
func Session(id ID) Channel { return Channel{Kind: KindSession, ID: id} }

// Account is the channel of an account, whatever sessions it has.
func Account(id ID) Channel { return Channel{Kind: KindAccount, ID: id} }

// AI is the channel of an AI process's repository.
func AI(id ID) Channel { return Channel{Kind: KindAI, ID: id} }

// Record is the channel of database changes of an object.
func Record(id ID) Channel { return Channel{Kind: KindRecord, ID: id} }

// Group is an ad-hoc audience.
func Group(id ID) Channel { return Channel{Kind: KindGroup, ID: id} }

// AllClients is every client session.
func AllClients() Channel { return Channel{Kind: KindAllClients} }

// IsZero reports whether c is the invalid channel.
func (c Channel) IsZero() bool { return c.Kind == KindNone }

// Location is the location of a location channel, none of any other.
func (c Channel) Location() Location {
	if c.Kind != KindLocation {
		return Location{}
	}
	return Location{Parent: c.ID, Zone: c.Zone}
}

// Compare orders channels by kind, id, zone.
func (c Channel) Compare(o Channel) int {
	switch {
	case c.Kind < o.Kind:
		return -1
	case c.Kind > o.Kind:
		return 1
	}
	if r := c.ID.Compare(o.ID); r != 0 {
		return r
	}
	switch {
	case c.Zone < o.Zone:
		return -1
	case c.Zone > o.Zone:
		return 1
	}
	return 0
}

// String is "object 0001…", "location #1/20", "control database", ...; ParseChannel reads it.
func (c Channel) String() string {
	switch c.Kind {
	case KindNone, KindAllClients:
		return c.Kind.String()
	case KindControl:
		s := "control " + roleName(c.Zone)
		if !c.ID.IsZero() {
			s += " " + c.ID.String()
		}
		return s
	case KindLocation:
		return "location " + c.Location().String()
	}
	return c.Kind.String() + " " + c.ID.String()
}

var roleNames = [...]string{RoleDirector: "director", RoleStateServer: "stateserver", RoleDatabase: "database", RoleClientAgent: "clientagent"}

func roleName(r Role) string {
	if int(r) < len(roleNames) && roleNames[r] != "" {
		return roleNames[r]
	}
	return strconv.FormatUint(uint64(r), 10)
}

// ErrChannel is wrapped by errors about text that is no channel.
var ErrChannel = errors.New("not a channel")

// ParseChannel reads what String writes, and roles by number. Errors wrap ErrChannel.
func ParseChannel(s string) (Channel, error) {
	word, rest, _ := strings.Cut(s, " ")
	kind := Kind(slices.Index(kindNames[:], word)) // past every kind if there is none
	c := Channel{Kind: kind}
	var err error
	switch {
	case kind >= kinds:
		err = errors.New("no such kind")
	case kind == KindNone || kind == KindAllClients:
		if s != word {
			err = errors.New("nothing may follow")
		}
	case kind == KindControl:
		name, instance, one := strings.Cut(rest, " ")
		if c.Zone, err = parseRole(name); err == nil && one {
			c.ID, err = ParseID(instance)
		}
	case kind == KindLocation:
		var l Location
		if l, err = ParseLocation(rest); err == nil && l.IsZero() {
			err = errors.New("nowhere has no channel (rule 15)")
		}
		c = At(l)
	default:
		c.ID, err = ParseID(rest)
	}
	if err != nil {
		return Channel{}, fmt.Errorf("do: parse %q: %w: %w", s, ErrChannel, err)
	}
	return c, nil
}

// parseRole reads the name or number of a role.
func parseRole(s string) (Role, error) {
	if i := slices.Index(roleNames[:], s); i > 0 {
		return Role(i), nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("no role %q", s)
	}
	return Role(n), nil
}

// Range is every channel from Lo to Hi, both included, of one kind.
type Range struct{ Lo, Hi Channel }

// PartitionRange is the range of all channels of kind k whose id is in partition p.
func PartitionRange(k Kind, p Partition) Range {
	lo, hi := ID{0: byte(p >> 8), 1: byte(p)}, ID{0: byte(p >> 8), 1: byte(p)}
	for i := 2; i < len(hi); i++ {
		hi[i] = 0xff
	}
	return Range{Lo: Channel{Kind: k, ID: lo}, Hi: Channel{Kind: k, ID: hi, Zone: ^Zone(0)}}
}

// Contains reports whether c lies in r.
func (r Range) Contains(c Channel) bool { return r.Lo.Compare(c) <= 0 && c.Compare(r.Hi) <= 0 }

func (r Range) String() string { return r.Lo.String() + " to " + r.Hi.String() }
