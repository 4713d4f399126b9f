package stateserver

import (
	"encoding/binary"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// object is one DistributedObject in memory. There are millions of them: what only some need is in extra.
type object struct {
	id     do.ID
	inc    do.Incarnation
	n, m   uint32 // the version, with inc
	class  *class
	place  *place // nil: nowhere
	ai     do.Channel
	values []byte // see value
	extra  *extra // nil: nothing of it is there

	at      uint32 // its place in place.members
	arrived uint32 // n of the ChangingLocation that the parent has yet to acknowledge, while not entered
	serial  uint16 // counts updates of latest fields
	toOwner tally
	toAI    tally

	explicit bool // the AI was set, not inherited (rule 41)
	watched  bool // somebody below asked where it goes: its children's channel is told of its moves, too
	entered  bool // EnterLocation was sent for where it is: it is in the parent's list
}

// extra is what few objects have.
type extra struct {
	owner  do.Channel
	writer *writer    // of an object that has a row in the database
	calls  []*call    // that its AI or owner has not answered
	writes []latest   // newest serials of one writer of latest fields
	by     do.Channel // that writer
}

// more is the object's extra, made when needed.
func (o *object) more() *extra {
	if o.extra == nil {
		o.extra = &extra{}
	}
	return o.extra
}

// writer is what stands between the object and its row, nil if it has none.
func (o *object) writer() *writer {
	if o.extra == nil {
		return nil
	}
	return o.extra.writer
}

// owner is who owns the object, none if nobody does.
func (o *object) owner() do.Channel {
	if o.extra == nil {
		return do.Channel{}
	}
	return o.extra.owner
}

func (o *object) setOwner(c do.Channel) {
	if o.extra != nil || !c.IsZero() {
		o.more().owner = c
	}
}

func (o *object) version() do.Version { return do.Version{Inc: o.inc, N: o.n, M: o.m} }

func (o *object) location() do.Location {
	if o.place == nil {
		return do.Location{}
	}
	return o.place.loc
}

// channel is where the object is spoken to, and the sender of what it says.
func (o *object) channel() do.Channel { return do.ObjectChannel(o.id) }

// published counts a message to the location.
func (o *object) published() {
	o.n, o.m = o.n+1, 0
}

// told counts a message, or a change, that the location does not hear of.
func (o *object) told() { o.m++ }

// The values of an object lie in one buffer, so that an object is two pieces of memory: for each stored field in the
// order of Class.Stored the end of its value as little-endian uint32, counted from the start of the buffer, then the
// values one after the other. An empty value is an unset field. An object of which nothing was ever set has no buffer.

const endSize = 4

// span is where the value of a slot lies in the buffer.
func (o *object) span(slot int) (from, to int) {
	if len(o.values) == 0 {
		return 0, 0
	}
	from = endSize * len(o.class.stored)
	if slot > 0 {
		from = int(binary.LittleEndian.Uint32(o.values[endSize*(slot-1):]))
	}
	return from, int(binary.LittleEndian.Uint32(o.values[endSize*slot:]))
}

// set reports whether the slot has a value of its own.
func (o *object) isSet(slot int) bool {
	from, to := o.span(slot)
	return from < to
}

// value is the value of the slot: what was set, else for a required field its initial one (which is how an object that
// was made before the field was appended to its class has it), else nil. It lies in the object's memory.
func (o *object) value(slot int) []byte {
	if from, to := o.span(slot); from < to {
		return o.values[from:to:to]
	}
	return o.class.stored[slot].unset
}

// put stores a copy of v, which is not empty. A value of the same length is written in its place.
func (o *object) put(slot int, v []byte) {
	from, to := o.span(slot)
	if to-from == len(v) && len(v) > 0 {
		copy(o.values[from:to], v)
		return
	}
	o.splice(slot, v)
}

// unset removes the value of the slot.
func (o *object) unset(slot int) {
	if o.isSet(slot) {
		o.splice(slot, nil)
	}
}

// splice replaces the value of the slot by one of another length and moves what follows.
func (o *object) splice(slot int, v []byte) {
	if len(o.values) == 0 {
		o.values = emptyValues(len(o.class.stored))
	}
	from, to := o.span(slot)
	grow := len(v) - (to - from)
	old := o.values
	size := len(old) + grow
	if size <= cap(old) {
		o.values = old[:size]
		copy(o.values[from+len(v):], old[to:])
	} else {
		o.values = make([]byte, size)
		copy(o.values, old[:from])
		copy(o.values[from+len(v):], old[to:])
	}
	copy(o.values[from:], v)
	for i := slot; i < len(o.class.stored); i++ {
		end := o.values[endSize*i:]
		binary.LittleEndian.PutUint32(end, uint32(int(binary.LittleEndian.Uint32(end))+grow))
	}
}

// emptyValues is the buffer of an object with n slots of which none is set.
func emptyValues(n int) []byte {
	b := make([]byte, endSize*n)
	for i := range n {
		binary.LittleEndian.PutUint32(b[endSize*i:], uint32(len(b)))
	}
	return b
}

// packValues is the buffer for values by slot, in one piece of the exact size.
func packValues(values [][]byte) []byte {
	size := endSize * len(values)
	for _, v := range values {
		size += len(v)
	}
	b := make([]byte, endSize*len(values), size)
	for i, v := range values {
		b = append(b, v...)
		binary.LittleEndian.PutUint32(b[endSize*i:], uint32(len(b)))
	}
	return b
}

// entry is the object as an audience may see it, in memory of its own.
func (o *object) entry(a audience) (e wire.Entry) {
	o.fillEntry(&e, nil, a)
	return e
}

// fillEntry makes a zero e the entry, with the bytes of its fields appended to buf, so that many entries share a few pieces of memory.
func (o *object) fillEntry(e *wire.Entry, buf []byte, a audience) []byte {
	start := len(buf)
	buf = o.appendFields(buf, o.class.seen[a])
	e.DO, e.Class, e.Version = o.id, o.class.number, o.version()
	if o.place != nil {
		e.Location = o.place.loc
	}
	e.AI, e.Owner, e.Serial = o.ai, o.owner(), o.serial
	e.Fields = buf[start:len(buf):len(buf)]
	return buf
}
