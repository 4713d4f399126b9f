package wire

import (
	"fmt"

	"github.com/otpd/otpd/fields"
)

// MaxTo is how many recipients a message may have (rule 1).
const MaxTo = 255

// Trace ties what a message causes to the trace that it belongs to: the ids of W3C Trace Context.
type Trace struct {
	ID   [16]byte
	Span [8]byte
}

// AppendMessage appends m: an array of number, recipients, sender, body (an array of the body's members) and, if
// there is one, the trace (a bin of 24 bytes). m must have a body, its values must be encoded values.
func AppendMessage(dst []byte, m *Message) []byte {
	c := coder{mode: encoding, buf: dst}
	c.envelope(m)
	return c.buf
}

// DecodeMessage decodes b, which must be exactly one message. Values in it alias b, which must not be reused.
// Errors wrap ErrMalformed or ErrUnknown.
func DecodeMessage(b []byte) (Message, error) {
	var m Message
	c := coder{mode: decoding, buf: b}
	c.envelope(&m)
	if err := c.finish(); err != nil {
		what := "message"
		if m.Body != nil {
			what = m.Body.Type().String()
		}
		return Message{}, fmt.Errorf("wire: decode %s: %w: %w", what, ErrMalformed, err)
	}
	return m, nil
}

// message visits a message inside of another one, in which there must not be a third.
func (c *coder) message(name string, v *Message) {
	if !c.next(name) {
		return
	}
	if c.mode == describing {
		c.sink.member(name, *v)
		return
	}
	if c.within {
		c.fail(name, fields.ErrDepth)
		return
	}
	c.within = true
	c.envelope(v)
	c.within = false
}

// plainMessage is an element of a list of messages.
func plainMessage(c *coder, v *Message) {
	if !c.next("message") {
		return
	}
	if c.mode == describing {
		c.sink.member("message", *v)
		return
	}
	c.envelope(v)
}

// envelope encodes or decodes a message.
func (c *coder) envelope(v *Message) {
	m := c.open()
	var t Type
	if c.mode == encoding {
		t = v.Body.Type()
	}
	num(c, "number", &t)
	list(c, "to", &v.To, 1, plainChannel)
	if c.mode == decoding && c.err == nil && (len(v.To) > MaxTo || len(v.To) == 0 && !c.loose) {
		c.fail("to", fmt.Errorf("%d recipients: %w", len(v.To), fields.ErrLength))
	}
	c.channel("from", &v.From)
	if c.mode == decoding && c.err == nil {
		s := t.find()
		if s == nil {
			c.fail("body", fmt.Errorf("message %d: %w", t, ErrUnknown))
			return
		}
		v.Body = s.empty()
	}
	if c.err != nil {
		return
	}
	c.nested("body", v.Body)
	c.trace(&v.Trace)
	c.close(m)
}

// trace visits the optional last member of a message.
func (c *coder) trace(v **Trace) {
	if c.mode == encoding && *v == nil || c.mode == decoding && c.members == 0 {
		return
	}
	if !c.next("trace") {
		return
	}
	if c.mode == encoding {
		c.buf = fields.AppendBinHeader(c.buf, len((*v).ID)+len((*v).Span))
		c.buf = append(append(c.buf, (*v).ID[:]...), (*v).Span[:]...)
		return
	}
	b, rest, err := fields.ReadBin(c.buf)
	t := new(Trace)
	if err == nil && len(b) != len(t.ID)+len(t.Span) {
		err = fields.ErrLength
	}
	if c.took("trace", rest, err) {
		copy(t.Span[:], b[copy(t.ID[:], b):])
		*v = t
	}
}
