package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/otpd/otpd/fields"
)

// What can be wrong with bytes that should be a message or a frame. The errors of package fields are wrapped, too.
var (
	// ErrMalformed says that the bytes are no message, frame, packet or recording.
	ErrMalformed = errors.New("malformed")
	// ErrUnknown says that there is no message, frame or packet of that number.
	ErrUnknown = errors.New("unknown number")
)

// Limits of members. Counts of lists are limited by the bytes that are there.
const (
	maxText    = 64 << 10 // bytes of a string
	maxBytes   = 16 << 20 // bytes of a bin: the largest is a schema's text
	maxMembers = 15       // of a struct, so that its header is one byte
	fixArray   = 0x90     // the header of an array of no members; plus up to 15
)

type mode uint8

const (
	encoding mode = iota
	decoding
	describing // the members are handed to the sink: for text and for the protocol's documentation
)

// coder visits the members of a message in the order of its layout. What it does with each, the mode says: so the
// same code method encodes, decodes, prints and documents a message, and these cannot come to differ.
//
// A struct is a msgpack array of its members. When decoding, the first error stays, and what follows does nothing.
type coder struct {
	mode mode
	buf  []byte // encoding: what was written; decoding: what is left
	// members of the innermost open array: encoding: so far; decoding: still to come.
	members int
	within  bool // inside of a message in a message, where no third is allowed
	loose   bool // the recipients may be none: of recordings
	err     error
	sink    sink
}

// sink takes the members of a message that is described. Names are as in the layout.
type sink interface {
	member(name string, value any)
	nested(name string, v coded)    // a struct inside; name is "" in a list
	openList(name string, elem any) // elem is a zero element
	closeList()
}

// mark remembers the array around one that was opened.
type mark struct{ at, members int }

// open begins an array whose members follow.
func (c *coder) open() mark {
	m := mark{at: len(c.buf), members: c.members}
	switch c.mode {
	case encoding:
		c.members = 0
		c.buf = append(c.buf, fixArray)
	case decoding:
		if c.err != nil {
			break
		}
		n, rest, err := fields.ReadArrayHeader(c.buf)
		if err != nil {
			c.fail("header", err)
		}
		c.members, c.buf = n, rest
	}
	return m
}

// close ends it: an array with more members than were visited is an error.
func (c *coder) close(m mark) {
	switch c.mode {
	case encoding:
		if c.members > maxMembers {
			panic("wire: a struct of more than 15 members")
		}
		c.buf[m.at] = fixArray | byte(c.members)
	case decoding:
		if c.err == nil && c.members > 0 {
			c.fail("end", fmt.Errorf("%d members too many: %w", c.members, fields.ErrTrailing))
		}
	}
	c.members = m.members
}

// optional reports whether to visit a last member that was added to the layout later: it is not written while it is
// zero, and may be missing in what is read. So who does not know it and who does not use it understand each other.
func (c *coder) optional(zero bool) bool {
	return !(c.mode == encoding && zero) && !(c.mode == decoding && c.err == nil && c.members == 0)
}

// next counts a member, and says when decoding whether there is one to read.
func (c *coder) next(name string) bool {
	switch c.mode {
	case encoding:
		c.members++
		return true
	case decoding:
		if c.err != nil {
			return false
		}
		if c.members == 0 {
			c.fail(name, fmt.Errorf("missing: %w", fields.ErrLength))
			return false
		}
		c.members--
	}
	return true
}

// fail keeps the first error.
func (c *coder) fail(name string, err error) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", name, err)
	}
	c.buf = nil
}

// took moves on behind what was read.
func (c *coder) took(name string, rest []byte, err error) bool {
	if err != nil {
		c.fail(name, err)
		return false
	}
	c.buf = rest
	return true
}

// finish tells how decoding went; bytes that are left are an error.
func (c *coder) finish() error {
	if c.err == nil && len(c.buf) > 0 {
		return fmt.Errorf("%d bytes: %w", len(c.buf), fields.ErrTrailing)
	}
	return c.err
}

// unsigned is what num visits.
type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// num visits an unsigned number; one that T cannot hold is ErrRange.
func num[T unsigned](c *coder, name string, v *T) { enum(c, name, v, 0, ^T(0)) }

// enum visits a number that must lie between lo and hi.
func enum[T unsigned](c *coder, name string, v *T, lo, hi T) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendUint(c.buf, uint64(*v))
	case decoding:
		u, rest, err := fields.ReadUint(c.buf)
		if err == nil && (u < uint64(lo) || u > uint64(hi)) {
			err = fmt.Errorf("%d: %w", u, fields.ErrRange)
		}
		if c.took(name, rest, err) {
			*v = T(u)
		}
	default:
		c.sink.member(name, *v)
	}
}

// int visits a signed number.
func (c *coder) int(name string, v *int64) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendInt(c.buf, *v)
	case decoding:
		n, rest, err := fields.ReadInt(c.buf)
		if c.took(name, rest, err) {
			*v = n
		}
	default:
		c.sink.member(name, *v)
	}
}

// ref visits a client's name of an object. 0 is none.
func (c *coder) ref(v *Ref) {
	if c.mode == describing {
		c.sink.member("ref", *v)
		return
	}
	n := int64(*v)
	c.int("ref", &n)
	if c.mode == decoding && c.err == nil && (n == 0 || n > math.MaxUint32) {
		c.fail("ref", fmt.Errorf("%d: %w", n, fields.ErrRange))
		return
	}
	*v = Ref(n)
}

// bool visits a bool.
func (c *coder) bool(name string, v *bool) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendBool(c.buf, *v)
	case decoding:
		b, rest, err := fields.ReadBool(c.buf)
		if c.took(name, rest, err) {
			*v = b
		}
	default:
		c.sink.member(name, *v)
	}
}

// string visits text for people: at most maxText bytes of UTF-8.
func (c *coder) string(name string, v *string) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendString(c.buf, cut(*v, maxText))
	case decoding:
		b, rest, err := fields.ReadString(c.buf)
		if err == nil && len(b) > maxText {
			err = fields.ErrLength
		}
		if c.took(name, rest, err) {
			*v = string(b)
		}
	default:
		c.sink.member(name, *v)
	}
}

// bytes visits a bin, which stays part of the input.
func (c *coder) bytes(name string, v *[]byte) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendBin(c.buf, *v)
	case decoding:
		b, rest, err := fields.ReadBin(c.buf)
		if err == nil && len(b) > maxBytes {
			err = fields.ErrLength
		}
		if c.took(name, rest, err) {
			*v = b
		}
	default:
		c.sink.member(name, *v)
	}
}

// list visits a slice. Each element has at least size bytes on the wire, which bounds what is allocated.
func list[T any](c *coder, name string, v *[]T, size int, each func(*coder, *T)) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		c.buf = fields.AppendArrayHeader(c.buf, len(*v))
	case decoding:
		n, rest, err := fields.ReadArrayHeader(c.buf)
		if err == nil && n*size > len(rest) {
			err = fields.ErrShort
		}
		if !c.took(name, rest, err) {
			return
		}
		*v = nil
		if n > 0 {
			*v = make([]T, n)
		}
	default:
		c.sink.openList(name, *new(T))
		defer c.sink.closeList()
	}
	// A list's elements are not members of the struct around it.
	outer := c.members
	for i := range *v {
		c.members = 1
		each(c, &(*v)[i])
		if c.err != nil {
			c.err = fmt.Errorf("%s %d: %w", name, i, c.err)
			return
		}
	}
	c.members = outer
}

// bin32 is the header of a bin, before bin32Size bytes of its length.
const (
	bin32     = 0xc6
	bin32Size = 4
)

// packed is list for elements that lie in a bin one after the other: whoever looks for the end of what they are in need
// not look at them. The bin has the longest header, so that what is appended to it only changes its length.
func packed[T any](c *coder, name string, v *[]T, each func(*coder, *T)) {
	if !c.next(name) {
		return
	}
	outer := c.members
	switch c.mode {
	case encoding:
		c.buf = append(c.buf, bin32, 0, 0, 0, 0)
		at := len(c.buf)
		for i := range *v {
			each(c, &(*v)[i])
		}
		binary.BigEndian.PutUint32(c.buf[at-bin32Size:], uint32(len(c.buf)-at))
	case decoding:
		b, rest, err := fields.ReadBin(c.buf)
		if err == nil && len(b) > maxBytes {
			err = fields.ErrLength
		}
		if !c.took(name, b, err) {
			return
		}
		*v = nil
		if n := countValues(b); n > 0 {
			*v = make([]T, 0, n)
		}
		for len(c.buf) > 0 {
			c.members = 1
			*v = append(*v, *new(T))
			if each(c, &(*v)[len(*v)-1]); c.err != nil {
				c.err = fmt.Errorf("%s %d: %w", name, len(*v)-1, c.err)
				return
			}
		}
		c.buf = rest
	default:
		c.sink.openList(name, *new(T))
		for i := range *v {
			each(c, &(*v)[i])
		}
		c.sink.closeList()
	}
	c.members = outer
}

// countValues is how many values lie at the front of b one after the other.
func countValues(b []byte) (n int) {
	for {
		size, err := fields.Skip(b)
		if err != nil {
			return n
		}
		n, b = n+1, b[size:]
	}
}
