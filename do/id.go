package do

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// ID is a DoID: the name of a DistributedObject, for ever. It is a UUID of version 8 (RFC 9562):
//
//	bytes 0-1   partition, big endian: which shard of the state servers holds the object
//	bytes 2-7   unix milliseconds, 44 bits around the version nibble (high half of byte 6)
//	bytes 8-15  62 random bits below the variant bits
//
// Well-known ids are the exception: numbers in the last 8 bytes with everything else zero.
// The zero ID is no object.
type ID [16]byte

// Partition is a shard of the state servers. Partition 0 holds only well-known ids (roots).
type Partition uint16

// ErrID is wrapped by errors about text or bytes that are no DoID.
var ErrID = errors.New("not a DoID")

// NewID makes the DoID of partition p for the time unixMilli with 64 random bits, of which 62 are used.
// Time and randomness are the caller's, so that a pure core can make ids.
func NewID(p Partition, unixMilli int64, random uint64) ID {
	var id ID
	binary.BigEndian.PutUint16(id[0:], uint16(p))
	ms := uint64(unixMilli) & (1<<44 - 1)
	binary.BigEndian.PutUint32(id[2:], uint32(ms>>12))
	id[6] = 0x80 | byte(ms>>8)&0x0f
	id[7] = byte(ms)
	binary.BigEndian.PutUint64(id[8:], random)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// WellKnown is the id of a root or UberDOG: n in the last 8 bytes.
func WellKnown(n uint64) ID {
	var id ID
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// IsWellKnown reports whether id is a small number made by WellKnown.
func (id ID) IsWellKnown() bool {
	return binary.BigEndian.Uint64(id[:8]) == 0 && !id.IsZero()
}

// Number is the number of a well-known id, 0 for any other.
func (id ID) Number() uint64 {
	if !id.IsWellKnown() {
		return 0
	}
	return binary.BigEndian.Uint64(id[8:])
}

// Partition is the shard that holds id.
func (id ID) Partition() Partition { return Partition(binary.BigEndian.Uint16(id[0:])) }

// UnixMilli is the time in the id, 0 for a well-known one.
func (id ID) UnixMilli() int64 {
	if id.IsWellKnown() || id.IsZero() {
		return 0
	}
	return int64(binary.BigEndian.Uint32(id[2:]))<<12 | int64(id[6]&0x0f)<<8 | int64(id[7])
}

// Compare orders ids by their bytes: by partition, then by age.
func (id ID) Compare(o ID) int {
	a, b := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(o[:8])
	if a == b {
		a, b = binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(o[8:])
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// String is the UUID form, or "#4670" for a well-known id, or "none".
func (id ID) String() string {
	switch {
	case id.IsZero():
		return "none"
	case id.IsWellKnown():
		return "#" + strconv.FormatUint(id.Number(), 10)
	}
	return uuid.UUID(id).String()
}

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(b []byte) error {
	p, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = p
	return nil
}

// ParseID reads what String writes, and the UUID form of any id, with or without dashes, as databases print it.
// Errors wrap ErrID.
func ParseID(s string) (ID, error) {
	if s == "none" {
		return ID{}, nil
	}
	if len(s) > 1 && s[0] == '#' {
		n, err := strconv.ParseUint(s[1:], 10, 64)
		if err != nil || n == 0 {
			return ID{}, fmt.Errorf("do: parse %q: %w", s, ErrID)
		}
		return WellKnown(n), nil
	}
	// uuid.Parse would also take braces and urn:uuid:, which are of other lengths.
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 && len(s) != 32 {
		return ID{}, fmt.Errorf("do: parse %q: %w", s, ErrID)
	}
	return ID(u), nil
}
