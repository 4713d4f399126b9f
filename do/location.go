package do

import (
	"fmt"
	"strconv"
	"strings"
)

// Zone is a part of the space below a parent object.
type Zone uint32

// Location is where an object is: a zone below a parent. Without a parent it is nowhere (rule 15).
type Location struct {
	Parent ID
	Zone   Zone
}

// IsZero reports whether l is nowhere.
func (l Location) IsZero() bool { return l.Parent.IsZero() }

// Compare orders locations by parent, then zone.
func (l Location) Compare(o Location) int {
	if r := l.Parent.Compare(o.Parent); r != 0 {
		return r
	}
	switch {
	case l.Zone < o.Zone:
		return -1
	case l.Zone > o.Zone:
		return 1
	}
	return 0
}

// String is "parent/zone", or "none".
func (l Location) String() string {
	if l.IsZero() {
		return "none"
	}
	return l.Parent.String() + "/" + strconv.FormatUint(uint64(l.Zone), 10)
}

// ParseLocation reads what String writes.
func ParseLocation(s string) (Location, error) {
	if s == "none" {
		return Location{}, nil
	}
	parent, zone, ok := strings.Cut(s, "/")
	if !ok {
		return Location{}, fmt.Errorf("do: parse location %q: want parent/zone", s)
	}
	id, err := ParseID(parent)
	if err != nil {
		return Location{}, err
	}
	z, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return Location{}, fmt.Errorf("do: parse location %q: zone: %w", s, err)
	}
	return Location{Parent: id, Zone: Zone(z)}, nil
}

// Incarnation numbers the lives of an object: the epoch of its partition in the high 32 bits, a counter of
// its State in the low 32. It only grows.
type Incarnation uint64

// NewIncarnation is the count-th life that a State gave in an epoch.
func NewIncarnation(epoch, count uint32) Incarnation {
	return Incarnation(epoch)<<32 | Incarnation(count)
}

// Version says how new a view of an object is. N counts what the object published to its location, M what
// only others heard since (owner, AI, writer). Versions are compared field by field in this order.
type Version struct {
	Inc Incarnation
	N   uint32
	M   uint32
}

// IsZero reports whether v is the version of nothing.
func (v Version) IsZero() bool { return v == Version{} }

// Compare orders versions: a later one is greater.
func (v Version) Compare(o Version) int {
	switch {
	case v.Inc != o.Inc:
		if v.Inc < o.Inc {
			return -1
		}
		return 1
	case v.N != o.N:
		if v.N < o.N {
			return -1
		}
		return 1
	case v.M != o.M:
		if v.M < o.M {
			return -1
		}
		return 1
	}
	return 0
}

// String is "epoch.count:n.m".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d:%d.%d", uint64(v.Inc)>>32, uint32(v.Inc), v.N, v.M)
}
