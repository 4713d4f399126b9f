package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// How the nouns of package do travel. What is none (no id, no location, no channel, no version) is nil: one byte.

// coded is what has members.
type coded interface{ code(c *coder) }

// nested visits a struct inside: an array of its members.
func (c *coder) nested(name string, v coded) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.nested(name, v)
		return
	}
	m := c.open()
	v.code(c)
	c.close(m)
}

// nest visits an element of a list of structs.
func nest[P interface {
	*T
	coded
}, T any](c *coder, v *T) {
	c.nested("", P(v))
}

// none writes or reads the nil that stands for nothing, and tells whether that was all.
func (c *coder) none(zero bool) bool {
	switch c.mode {
	case encoding:
		if zero {
			c.buf = fields.AppendNil(c.buf)
		}
		return zero
	case decoding:
		if fields.IsNil(c.buf) {
			c.buf = c.buf[1:]
			return true
		}
	}
	return false
}

// id visits a DoID: a bin of 16 bytes.
func (c *coder) id(name string, v *do.ID) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, *v)
		return
	}
	if c.none(v.IsZero()) {
		return
	}
	if c.mode == encoding {
		c.buf = fields.AppendBin(c.buf, v[:])
		return
	}
	b, rest, err := fields.ReadBin(c.buf)
	if err == nil && len(b) != len(v) {
		err = fmt.Errorf("id of %d bytes: %w", len(b), fields.ErrLength)
	}
	if c.took(name, rest, err) {
		copy(v[:], b)
	}
}

// class visits the number of a class in the cluster's schema.
func (c *coder) class(v *uint32) {
	if c.mode == describing {
		c.sink.member("class", classNumber(*v))
		return
	}
	num(c, "class", v)
}

// classNumber tells sinks that a number is a class's.
type classNumber uint32

// field visits the number of a field.
func (c *coder) field(v *fields.Number) { enum(c, "field", v, 0, fields.MaxNumber) }

// location visits a location: [parent, zone].
func (c *coder) location(name string, v *do.Location) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, *v)
		return
	}
	if c.none(v.IsZero()) {
		return
	}
	m := c.open()
	c.id(name, &v.Parent)
	num(c, name, &v.Zone)
	c.close(m)
	if c.mode == decoding && v.IsZero() {
		c.fail(name, fmt.Errorf("a zone without parent: %w", fields.ErrRange))
	}
}

// version visits a version: [incarnation, n, m].
func (c *coder) version(v *do.Version) {
	if !c.next("version") {
		return
	}
	if c.mode == describing {
		c.sink.member("version", *v)
		return
	}
	if c.none(v.IsZero()) {
		return
	}
	m := c.open()
	num(c, "incarnation", &v.Inc)
	num(c, "n", &v.N)
	num(c, "m", &v.M)
	c.close(m)
}

// channel visits a channel: [kind, id, zone].
func (c *coder) channel(name string, v *do.Channel) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, *v)
		return
	}
	if c.none(*v == do.Channel{}) {
		return
	}
	m := c.open()
	enum(c, name, &v.Kind, do.KindNone+1, do.KindAllClients)
	c.id(name, &v.ID)
	num(c, name, &v.Zone)
	c.close(m)
}

// channelRange visits a range of channels: [lowest, highest].
func (c *coder) channelRange(name string, v *do.Range) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, *v)
		return
	}
	m := c.open()
	c.channel("lowest", &v.Lo)
	c.channel("highest", &v.Hi)
	c.close(m)
}

// Elements of lists.

func plainID(c *coder, v *do.ID)            { c.id("id", v) }
func plainZone(c *coder, v *do.Zone)        { num(c, "zone", v) }
func plainField(c *coder, v *fields.Number) { c.field(v) }
func plainChannel(c *coder, v *do.Channel)  { c.channel("channel", v) }
func plainRange(c *coder, v *do.Range)      { c.channelRange("range", v) }

// fields visits a map of field values; decoding checks all of it but the types of the values.
func (c *coder) fields(name string, v *fields.Map) {
	if !c.next(name) {
		return
	}
	switch c.mode {
	case encoding:
		if len(*v) == 0 {
			c.buf = fields.AppendMapHeader(c.buf, 0)
			return
		}
		c.buf = append(c.buf, *v...)
	case decoding:
		m, rest, err := fields.ReadMap(c.buf)
		if c.took(name, rest, err) {
			*v = m
		}
	default:
		c.sink.member(name, *v)
	}
}

// value visits one encoded value, in place; none is nil. Its type is for others to check.
func (c *coder) value(name string, v *[]byte) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, rawValue(*v))
		return
	}
	if c.none(len(*v) == 0) {
		return
	}
	if c.mode == encoding {
		c.buf = append(c.buf, *v...)
		return
	}
	n, err := fields.Skip(c.buf)
	if err == nil && n > fields.MaxValueLen {
		err = fields.ErrLength
	}
	if err != nil {
		c.fail(name, err)
		return
	}
	*v = c.buf[:n:n]
	c.buf = c.buf[n:]
}

// rawValue tells sinks that bytes are one encoded value.
type rawValue []byte

// cut is s without what is beyond n bytes, at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
