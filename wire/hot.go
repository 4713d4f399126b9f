package wire

import (
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// The most frequent frames by hand: no struct behind an interface, no allocation. Their bytes are those of AppendFrame,
// which a test holds.

// AppendClientUpdate appends a ClientUpdate of one encoded value.
func AppendClientUpdate(dst []byte, alias uint32, field fields.Number, value []byte) []byte {
	dst = append(dst, fixArray|4, byte(FrameClientUpdate))
	dst = fields.AppendUint(dst, uint64(alias))
	dst = fields.AppendUint(dst, uint64(field))
	return append(dst, value...)
}

// AppendClientUpdates appends a ClientUpdates of a map that is not empty.
func AppendClientUpdates(dst []byte, alias uint32, m fields.Map) []byte {
	dst = append(dst, fixArray|3, byte(FrameClientUpdates))
	dst = fields.AppendUint(dst, uint64(alias))
	return append(dst, m...)
}

// AppendClientLatest appends a ClientLatest of one encoded value.
func AppendClientLatest(dst []byte, alias uint32, serial uint16, field fields.Number, value []byte) []byte {
	dst = append(dst, fixArray|5, byte(FrameClientLatest))
	dst = fields.AppendUint(dst, uint64(alias))
	dst = fields.AppendUint(dst, uint64(serial))
	dst = fields.AppendUint(dst, uint64(field))
	return append(dst, value...)
}

// AppendClientLeave appends a ClientLeave.
func AppendClientLeave(dst []byte, alias uint32, reason LeaveReason) []byte {
	dst = fields.AppendUint(append(dst, fixArray|3), uint64(FrameClientLeave))
	dst = fields.AppendUint(dst, uint64(alias))
	return fields.AppendUint(dst, uint64(reason))
}

// AppendClientDone appends a ClientDone.
func AppendClientDone(dst []byte, context uint32, v do.Version, now uint16) []byte {
	dst = append(dst, fixArray|4, byte(FrameClientDone))
	dst = fields.AppendUint(dst, uint64(context))
	return fields.AppendUint(appendVersion(dst, v), uint64(now))
}

// AppendClientLatestDone appends a ClientLatestDone.
func AppendClientLatestDone(dst []byte, alias uint32, serial, now uint16) []byte {
	dst = append(dst, fixArray|4, byte(FrameClientLatestDone))
	dst = fields.AppendUint(dst, uint64(alias))
	dst = fields.AppendUint(dst, uint64(serial))
	return fields.AppendUint(dst, uint64(now))
}

// ParseClientSet takes the ClientSet at the front of b, as NextFrame does. The frame must be one: PeekFrame.
func ParseClientSet(b []byte) (m ClientSet, n int, err error) {
	c, n, err := parse(b, FrameClientSet)
	if err == nil {
		m.code(&c)
		err = c.parsed(FrameClientSet)
	}
	return m, n, err
}

// ParseClientSetLatest takes the ClientSetLatest at the front of b, as NextFrame does.
func ParseClientSetLatest(b []byte) (m ClientSetLatest, n int, err error) {
	c, n, err := parse(b, FrameClientSetLatest)
	if err == nil {
		m.code(&c)
		err = c.parsed(FrameClientSetLatest)
	}
	return m, n, err
}

// ParseClientUpdate takes the ClientUpdate at the front of b, as NextFrame does.
func ParseClientUpdate(b []byte) (m ClientUpdate, n int, err error) {
	c, n, err := parse(b, FrameClientUpdate)
	if err == nil {
		m.code(&c)
		err = c.parsed(FrameClientUpdate)
	}
	return m, n, err
}

// ParseClientLatest takes the ClientLatest at the front of b, as NextFrame does.
func ParseClientLatest(b []byte) (m ClientLatest, n int, err error) {
	c, n, err := parse(b, FrameClientLatest)
	if err == nil {
		m.code(&c)
		err = c.parsed(FrameClientLatest)
	}
	return m, n, err
}

// parse gives a coder that stands before the first member of the frame at the front of b, and the frame's length.
func parse(b []byte, want FrameType) (coder, int, error) {
	t, err := frameNumber(b)
	if err != nil {
		return coder{}, 0, err
	}
	if t != want {
		return coder{}, 0, fmt.Errorf("wire: parse %s: it is a %s: %w", want, t, ErrMalformed)
	}
	n, err := frameLen(b, t)
	if err != nil {
		return coder{}, 0, err
	}
	c := coder{mode: decoding, buf: b[:n:n]}
	c.open()
	num(&c, "number", &t)
	return c, n, nil
}

// parsed tells how it went.
func (c *coder) parsed(t FrameType) error {
	c.close(mark{})
	if err := c.finish(); err != nil {
		return malformed(t.String(), err)
	}
	return nil
}
