package wire

import (
	"math"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Entries by hand: an opening is thousands of them. Their bytes, and what is read from them, are those of the codec.

// enterMembers is how many members a ClientEnter has, with its number.
const enterMembers = 9

// AppendClientEnter appends a ClientEnter.
func AppendClientEnter(dst []byte, m *ClientEnter) []byte {
	dst = fields.AppendUint(append(dst, fixArray|enterMembers), uint64(FrameClientEnter))
	dst = fields.AppendUint(dst, uint64(m.Alias))
	dst = appendID(dst, m.DO)
	dst = fields.AppendUint(dst, uint64(m.Class))
	dst = appendLocation(dst, m.Location)
	dst = fields.AppendUint(dst, uint64(m.Serial))
	dst = fields.AppendBool(dst, m.Owned)
	dst = appendVersion(dst, m.Version)
	if len(m.Fields) == 0 {
		return fields.AppendMapHeader(dst, 0)
	}
	return append(dst, m.Fields...)
}

func appendID(dst []byte, id do.ID) []byte {
	if id.IsZero() {
		return fields.AppendNil(dst)
	}
	return fields.AppendBin(dst, id[:])
}

func appendLocation(dst []byte, l do.Location) []byte {
	if l.IsZero() {
		return fields.AppendNil(dst)
	}
	dst = appendID(append(dst, fixArray|2), l.Parent)
	return fields.AppendUint(dst, uint64(l.Zone))
}

func appendVersion(dst []byte, v do.Version) []byte {
	if v.IsZero() {
		return fields.AppendNil(dst)
	}
	dst = append(dst, fixArray|3)
	dst = fields.AppendUint(dst, uint64(v.Inc))
	dst = fields.AppendUint(dst, uint64(v.N))
	return fields.AppendUint(dst, uint64(v.M))
}

// nextEnter is NextFrame where b begins with a ClientEnter. nil: as readEnter, or b is shorter than it.
func nextEnter(b []byte) (*ClientEnter, int) {
	n, err := fields.Skip(b)
	if err != nil {
		return nil, 0
	}
	if m := new(ClientEnter); readEnter(b[:n:n], m) {
		return m, n
	}
	return nil, 0
}

// readEnter reads a ClientEnter, of which b is exactly one array. False: the codec has to say what is wrong with it, or it
// has members of which one is none.
func readEnter(b []byte, m *ClientEnter) bool {
	r := reader{b: b}
	r.header(enterMembers)
	r.uint(math.MaxUint16)
	m.Alias = uint32(r.uint(math.MaxUint32))
	r.id(&m.DO)
	m.Class = uint32(r.uint(math.MaxUint32))
	r.location(&m.Location)
	m.Serial = uint16(r.uint(math.MaxUint16))
	m.Owned = r.bool()
	r.header(3)
	m.Version.Inc = do.Incarnation(r.uint(math.MaxUint64))
	m.Version.N = uint32(r.uint(math.MaxUint32))
	m.Version.M = uint32(r.uint(math.MaxUint32))
	if r.wrong || m.Location.IsZero() {
		return false
	}
	var err error
	m.Fields, r.b, err = fields.ReadMap(r.b)
	return err == nil && len(r.b) == 0
}

// reader reads members one after the other. What is not as it has to be makes it wrong, for good.
type reader struct {
	b     []byte
	wrong bool
}

func (r *reader) header(members byte) {
	if len(r.b) == 0 || r.b[0] != fixArray|members {
		r.fail()
		return
	}
	r.b = r.b[1:]
}

func (r *reader) uint(most uint64) uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		u := uint64(r.b[0])
		r.b = r.b[1:]
		return u
	}
	u, rest, err := fields.ReadUint(r.b)
	if err != nil || u > most {
		r.fail()
		return 0
	}
	r.b = rest
	return u
}

func (r *reader) bool() bool {
	v, rest, err := fields.ReadBool(r.b)
	if err != nil {
		r.fail()
		return false
	}
	r.b = rest
	return v
}

func (r *reader) id(id *do.ID) {
	v, rest, err := fields.ReadBin(r.b)
	if err != nil || len(v) != len(id) {
		r.fail()
		return
	}
	copy(id[:], v)
	r.b = rest
}

// location is that of the codec, none included.
func (r *reader) location(l *do.Location) {
	if fields.IsNil(r.b) {
		r.b = r.b[1:]
		return
	}
	r.header(2)
	r.id(&l.Parent)
	l.Zone = do.Zone(r.uint(math.MaxUint32))
	if l.IsZero() {
		r.fail()
	}
}

func (r *reader) int() int64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		n := int64(r.b[0])
		r.b = r.b[1:]
		return n
	}
	n, rest, err := fields.ReadInt(r.b)
	if err != nil {
		r.fail()
		return 0
	}
	r.b = rest
	return n
}

func (r *reader) fail() { r.b, r.wrong = nil, true }
