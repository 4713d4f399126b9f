package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Frames of the client link. A stream is a sequence of frames, each a msgpack array of the frame's number and its
// members; there is no length in front: the array is self-delimiting. A datagram holds one or more whole frames.

// Frame is a pointer to one of the client structs of this package.
type Frame interface {
	FrameType() FrameType
	String() string
	code(c *coder)
}

// FrameType is a frame's number on the client link.
type FrameType uint16

// Ref is how a client names an object: the alias it was last told, or the number of a well-known UberDOG.
// On the wire a positive int is an alias, a negative one an UberDOG's number.
type Ref int64

// LeaveReason says why an object left a client's view (rule 121).
type LeaveReason uint8

// The reasons of ClientLeave.
const (
	LeaveMoved    LeaveReason = 1 // out of every interest
	LeaveInterest LeaveReason = 2 // the interest was closed
	LeaveDeleted  LeaveReason = 3 // gone from the world
)

// String is "moved", "interest" or "deleted".
func (r LeaveReason) String() string {
	switch r {
	case LeaveMoved:
		return "moved"
	case LeaveInterest:
		return "interest"
	case LeaveDeleted:
		return "deleted"
	}
	return "leave " + strconv.Itoa(int(r))
}

// The limits of the client link.
const (
	// MaxClientFrame is how many bytes one frame from a client may have; more ends the session (rule 98).
	MaxClientFrame = 64 << 10
	// MaxFrame is how many bytes one frame to a client may have.
	MaxFrame = 16 << 20
)

// AliasRef is the Ref of an object that entered under an alias.
func AliasRef(alias uint32) Ref { return Ref(alias) }

// UberDOGRef is the Ref of the UberDOG with the well-known number n, which must be below 1<<63.
func UberDOGRef(n uint64) Ref { return -Ref(n) }

// UberDOGAliases is the first of the aliases that name UberDOGs to clients: they never enter.
const UberDOGAliases = uint32(1) << 31

// UberDOGAlias is the alias by which frames to clients name a well-known UberDOG: its number with the high bit set.
func UberDOGAlias(id do.ID) uint32 { return UberDOGAliases | uint32(id.Number()) }

// Alias is the alias that r is, if it is one.
func (r Ref) Alias() (alias uint32, ok bool) {
	if r <= 0 || r > math.MaxUint32 {
		return 0, false
	}
	return uint32(r), true
}

// UberDOG is the DoID of the UberDOG that r is, if it is one.
func (r Ref) UberDOG() (id do.ID, ok bool) {
	if r >= 0 {
		return do.ID{}, false
	}
	return do.WellKnown(-uint64(r)), true
}

// AppendFrame appends f.
func AppendFrame(dst []byte, f Frame) []byte {
	c := coder{mode: encoding, buf: dst}
	c.frame(f)
	return c.buf
}

// frame encodes the number and the members of f.
func (c *coder) frame(f Frame) {
	m := c.open()
	t := f.FrameType()
	num(c, "number", &t)
	f.code(c)
	c.close(m)
}

// PeekFrame reads the number of the frame at the front of b, so that the most frequent frames can be taken by their
// own Parse functions. ErrShort: b ends before it.
func PeekFrame(b []byte) (FrameType, error) {
	return frameNumber(b)
}

// frameNumber reads the header and number of a frame. The header is one byte: no frame has 15 members, and so bytes that begin no frame
// are refused at the first of them, not waited for.
func frameNumber(b []byte) (FrameType, error) {
	if len(b) == 0 {
		return 0, fields.ErrShort
	}
	if b[0] <= fixArray || b[0] > fixArray|maxMembers {
		return 0, fmt.Errorf("wire: frame begins with byte %#x: %w", b[0], ErrMalformed)
	}
	n, _, err := fields.ReadUint(b[1:])
	switch {
	case errors.Is(err, fields.ErrShort):
		return 0, err
	case err != nil:
		return 0, malformed("frame number", err)
	case n > math.MaxUint16:
		return 0, fmt.Errorf("wire: frame %d: %w", n, ErrMalformed)
	}
	return FrameType(n), nil
}

// NextFrame decodes the frame at the front of b and tells how long it is. fields.ErrShort says that b is a proper
// prefix of a frame: more bytes may make it whole. Any other error wraps ErrMalformed or ErrUnknown and is final.
// The caller bounds how much it collects: MaxClientFrame, MaxFrame. Values alias b, which must not be reused.
func NextFrame(b []byte) (f Frame, n int, err error) {
	t, err := frameNumber(b)
	if err != nil {
		return nil, 0, err
	}
	if t == FrameClientEnter {
		if e, n := nextEnter(b); e != nil {
			return e, n, nil
		}
	}
	s := t.find()
	if s == nil {
		return nil, 0, fmt.Errorf("wire: frame %d: %w", t, ErrUnknown)
	}
	if n, err = frameLen(b, t); err != nil {
		return nil, 0, err
	}
	f = s.empty()
	c := coder{mode: decoding, buf: b[:n:n]}
	c.frame(f)
	if err := c.finish(); err != nil {
		return nil, 0, malformed(s.name, err)
	}
	return f, n, nil
}

// frameLen is the length of the frame at the front of b, ErrShort if b ends before.
func frameLen(b []byte, t FrameType) (int, error) {
	n, err := fields.Skip(b)
	switch {
	case errors.Is(err, fields.ErrShort):
		return 0, fields.ErrShort
	case err != nil:
		return 0, malformed(t.String(), err)
	}
	return n, nil
}

// malformed wraps why bytes that are all there do not decode. It hides ErrShort, which for callers means: wait for more.
func malformed(what string, err error) error {
	if errors.Is(err, fields.ErrTrailing) {
		return fmt.Errorf("wire: decode %s: %w: %w", what, ErrMalformed, err)
	}
	return fmt.Errorf("wire: decode %s: %w: %v", what, ErrMalformed, err)
}
