package wire

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// ClientEnters shows objects of one class below one parent that the client does not own, each as ClientEnter does, in this
// order. Only those get it who said in ClientHello that they read it.
type ClientEnters struct {
	Class    uint32
	Location do.Location    // what the objects' zones are counted from
	Alias    uint32         // the same for their aliases
	Inc      do.Incarnation // the same for the incarnations in their versions
	Entered  []Entered      // a bin with one after the other, so that the frame's end is known without looking at them
}

func (*ClientEnters) FrameType() FrameType { return FrameClientEnters }
func (m *ClientEnters) String() string     { return text(m) }

func (m *ClientEnters) code(c *coder) {
	c.class(&m.Class)
	c.location("location", &m.Location)
	num(c, "alias", &m.Alias)
	num(c, "inc", &m.Inc)
	packed(c, "entered", &m.Entered, nest[*Entered])
}

// Entered is one object in ClientEnters.
type Entered struct {
	Alias  int64 // to be added to the frame's, modulo 2^32
	DO     do.ID
	Zone   int64 // to be added to the frame's, modulo 2^32
	Serial uint16
	Inc    int64  // to be added to the frame's, modulo 2^64
	N      uint32 // of the version
	M      uint32 // of the version
	Fields fields.Map
}

func (m *Entered) code(c *coder) {
	c.int("alias", &m.Alias)
	c.id("do", &m.DO)
	c.int("zone", &m.Zone)
	num(c, "serial", &m.Serial)
	c.int("inc", &m.Inc)
	num(c, "n", &m.N)
	num(c, "m", &m.M)
	c.fields("fields", &m.Fields)
}

// All is the objects, each as a frame of its own.
func (m *ClientEnters) All() iter.Seq[*ClientEnter] {
	return func(yield func(*ClientEnter) bool) {
		for i := range m.Entered {
			f := &ClientEnter{Class: m.Class, Location: m.Location}
			f.enter(&m.Entered[i], m.Location.Zone, m.Alias, m.Inc)
			if !yield(f) {
				return
			}
		}
	}
}

// enter takes over what e says, counted from what the frame says. An object that is nowhere has no zone either.
func (m *ClientEnter) enter(e *Entered, zone do.Zone, alias uint32, inc do.Incarnation) {
	if m.Location.Zone = zone + do.Zone(e.Zone); m.Location.Parent.IsZero() {
		m.Location.Zone = 0
	}
	m.Alias, m.DO, m.Serial, m.Fields = alias+uint32(e.Alias), e.DO, e.Serial, e.Fields
	m.Version = do.Version{Inc: inc + do.Incarnation(e.Inc), N: e.N, M: e.M}
}

// EntersWriter appends ClientEnter to a stream as ClientEnters: as long as nothing else is appended between them, and they are
// of one class below one parent, they share a frame. The zero value is ready. By hand, as in hotenter.go.
type EntersWriter struct {
	size     int // where the open frame's bin has its length; 0: none is open
	end      int // where the frame ends in the stream
	class    uint32
	location do.Location
	alias    uint32
	inc      do.Incarnation
}

const (
	// entersMost is how many bytes objects share, so that none is long waited for. A larger one has a frame of its own.
	entersMost = 4 << 10
	// enteredMembers is how many members an Entered has, and entersMembers a ClientEnters with its number.
	enteredMembers = 8
	entersMembers  = 6
)

// Append appends m, which must not be the client's own, to stream. begun: a frame begins with it.
func (w *EntersWriter) Append(stream []byte, m *ClientEnter) (_ []byte, begun bool) {
	if w.size == 0 || w.end != len(stream) || w.end-w.size+len(m.Fields) > entersMost ||
		w.class != m.Class || w.location.Parent != m.Location.Parent {
		stream, begun = w.begin(stream, m), true
	}
	stream = append(stream, fixArray|enteredMembers)
	stream = fields.AppendInt(stream, int64(int32(m.Alias-w.alias)))
	stream = appendID(stream, m.DO)
	stream = fields.AppendInt(stream, int64(int32(m.Location.Zone-w.location.Zone)))
	stream = fields.AppendUint(stream, uint64(m.Serial))
	stream = fields.AppendInt(stream, int64(m.Version.Inc-w.inc))
	stream = fields.AppendUint(stream, uint64(m.Version.N))
	stream = fields.AppendUint(stream, uint64(m.Version.M))
	if len(m.Fields) == 0 {
		stream = fields.AppendMapHeader(stream, 0)
	} else {
		stream = append(stream, m.Fields...)
	}
	w.end = len(stream)
	binary.BigEndian.PutUint32(stream[w.size:], uint32(w.end-w.size-bin32Size))
	return stream, begun
}

// begin appends a frame without objects.
func (w *EntersWriter) begin(stream []byte, m *ClientEnter) []byte {
	w.class, w.location, w.alias, w.inc = m.Class, m.Location, m.Alias, m.Version.Inc
	stream = append(stream, fixArray|entersMembers, byte(FrameClientEnters))
	stream = fields.AppendUint(stream, uint64(w.class))
	stream = appendLocation(stream, w.location)
	stream = fields.AppendUint(stream, uint64(w.alias))
	stream = fields.AppendUint(stream, uint64(w.inc))
	stream = append(stream, bin32, 0, 0, 0, 0)
	w.size = len(stream) - bin32Size
	return stream
}

// Reset is to be called when the stream begins anew.
func (w *EntersWriter) Reset() { w.size = 0 }

// EntersReader gives the objects of a ClientEnters without allocating.
type EntersReader struct {
	Enter ClientEnter // the object that Next read; its Fields are part of the frame

	zone  do.Zone
	alias uint32
	inc   do.Incarnation
	rest  []byte
	err   error
}

// ParseClientEnters takes the ClientEnters at the front of b, as NextFrame does. What is wrong with its objects the reader tells.
func ParseClientEnters(b []byte) (r EntersReader, n int, err error) {
	if n, err = fields.Skip(b); err == nil && r.head(b[:n:n]) {
		return r, n, nil
	}
	f, n, err := NextFrame(b)
	if err != nil {
		return EntersReader{}, 0, err
	}
	m, ok := f.(*ClientEnters)
	if !ok {
		return EntersReader{}, 0, fmt.Errorf("wire: parse %s: it is a %s: %w", FrameClientEnters, f.FrameType(), ErrMalformed)
	}
	// Somebody else's way to write it.
	r.head(AppendFrame(nil, m))
	return r, n, nil
}

// head reads what is before the objects. False: it is not written as we write it.
func (r *EntersReader) head(b []byte) bool {
	m := reader{b: b}
	m.header(entersMembers)
	if m.uint(math.MaxUint16) != uint64(FrameClientEnters) {
		return false
	}
	*r = EntersReader{}
	r.Enter.Class = uint32(m.uint(math.MaxUint32))
	m.location(&r.Enter.Location)
	r.zone = r.Enter.Location.Zone
	r.alias = uint32(m.uint(math.MaxUint32))
	r.inc = do.Incarnation(m.uint(math.MaxUint64))
	if m.wrong {
		return false
	}
	var err error
	r.rest, m.b, err = fields.ReadBin(m.b)
	return err == nil && len(m.b) == 0
}

// Next reads the next object into Enter. False: there is none, or it is wrong, which Err tells.
func (r *EntersReader) Next() bool {
	if len(r.rest) == 0 {
		return false
	}
	var e Entered
	rest, ok := e.read(r.rest)
	if !ok {
		if e, rest, r.err = readEntered(r.rest); r.err != nil {
			r.rest = nil
			return false
		}
	}
	r.rest = rest
	r.Enter.enter(&e, r.zone, r.alias, r.inc)
	return true
}

// Err is why Next stopped early, or nil.
func (r *EntersReader) Err() error { return r.err }

// read reads what EntersWriter writes from the front of b. False: the codec has to say what is wrong with it.
func (m *Entered) read(b []byte) (rest []byte, ok bool) {
	r := reader{b: b}
	r.header(enteredMembers)
	m.Alias = r.int()
	r.id(&m.DO)
	m.Zone = r.int()
	m.Serial = uint16(r.uint(math.MaxUint16))
	m.Inc = r.int()
	m.N = uint32(r.uint(math.MaxUint32))
	m.M = uint32(r.uint(math.MaxUint32))
	if r.wrong {
		return nil, false
	}
	var err error
	m.Fields, rest, err = fields.ReadMap(r.b)
	return rest, err == nil
}

// readEntered is read by the codec.
func readEntered(b []byte) (m Entered, rest []byte, err error) {
	e := new(Entered) // it is this one that escapes
	c := coder{mode: decoding, buf: b, members: 1}
	nest(&c, e)
	if c.err != nil {
		return m, nil, malformed(FrameClientEnters.String(), c.err)
	}
	return *e, c.buf, nil
}
