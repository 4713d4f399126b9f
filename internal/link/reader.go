package link

import (
	"errors"
	"fmt"
	"io"

	"github.com/otpd/otpd/fields"
)

// Reader cuts a stream into whole frames. It looks only at where values end, not at what they say, and each byte
// once, however small the pieces in which it comes.
type Reader struct {
	src io.Reader
	max int // longest frame

	buf     []byte // read and not yet returned; frames already returned share its memory before it
	scanned int    // bytes of buf that were looked at
	whole   int    // bytes of buf that are whole frames
	need    uint64 // values that the open frame still lacks; 0: none is open
	err     error  // what comes after the frames in buf
}

// readChunk is how much is read at once, and what an idle session costs.
const readChunk = 1 << 10

// NewReader returns a Reader of src that refuses frames of more than limit bytes.
func NewReader(src io.Reader, limit int) *Reader { return &Reader{src: src, max: limit} }

// Next waits for at least one whole frame and returns all that have come, at most about a chunk or one frame. The
// bytes belong to the caller.
//
// At the end of the stream it returns io.EOF, or io.ErrUnexpectedEOF with what there is of the last frame. A frame
// beyond the limit is ErrFrameSize, bytes that are no msgpack an error of package fields; both come with the
// bytes at fault, so that who decodes them sees the same.
func (r *Reader) Next() ([]byte, error) {
	for {
		if r.err == nil {
			r.err = r.scan()
		}
		if r.whole > 0 {
			b := r.buf[:r.whole:r.whole]
			r.buf, r.scanned, r.whole = r.buf[r.whole:], r.scanned-r.whole, 0
			return b, nil
		}
		if r.err != nil {
			return r.last()
		}
		r.fill()
	}
}

// last returns the error that ended the stream with the bytes of the open frame.
func (r *Reader) last() ([]byte, error) {
	b, err := r.buf, r.err
	if errors.Is(err, io.EOF) && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	r.buf, r.scanned, r.need = nil, 0, 0
	if len(b) == 0 {
		return nil, err
	}
	return b, err
}

// fill reads more behind buf. Memory that frames were returned from is never written again.
func (r *Reader) fill() {
	if cap(r.buf)-len(r.buf) < readChunk/8 {
		grown := make([]byte, len(r.buf), len(r.buf)+max(readChunk, len(r.buf)))
		copy(grown, r.buf)
		r.buf = grown
	}
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if err != nil {
		if scanErr := r.scan(); scanErr != nil {
			err = scanErr
		}
		r.err = err
	}
}

// scan looks at the bytes that are new. A frame is one value; an array or map adds its members to what it needs.
func (r *Reader) scan() error {
	for r.scanned < len(r.buf) {
		if r.need == 0 {
			if c := r.buf[r.scanned]; c>>4 != 0x9 {
				return fmt.Errorf("link: read frame: first byte %#x: %w", c, fields.ErrType)
			}
			r.need = 1
		}
		n, members, err := step(r.buf[r.scanned:])
		if errors.Is(err, fields.ErrShort) {
			break
		}
		if err != nil {
			return fmt.Errorf("link: read frame: %w", err)
		}
		r.scanned += n
		r.need += members - 1
		if r.need == 0 {
			r.whole = r.scanned
		}
		if r.scanned-r.whole > r.max {
			return fmt.Errorf("link: read frame: %w (limit %d)", ErrFrameSize, r.max)
		}
	}
	if len(r.buf)-r.whole > r.max+readChunk {
		return fmt.Errorf("link: read frame: %w (limit %d)", ErrFrameSize, r.max)
	}
	return nil
}

// step returns the length of a scalar, or of the header of an array or map and how many values follow it. It does
// not ask that they are there, as the readers of package fields do.
func step(b []byte) (n int, members uint64, err error) {
	switch c := b[0]; {
	case c>>4 == 0x9:
		return 1, uint64(c & 15), nil
	case c>>4 == 0x8:
		return 1, 2 * uint64(c&15), nil
	case c == 0xdc:
		return count(b, 2, 1)
	case c == 0xdd:
		return count(b, 4, 1)
	case c == 0xde:
		return count(b, 2, 2)
	case c == 0xdf:
		return count(b, 4, 2)
	}
	n, err = fields.Skip(b)
	return n, 0, err
}

// count reads a big-endian number of size bytes behind the first: so many times each values follow.
func count(b []byte, size int, each uint64) (n int, members uint64, err error) {
	if len(b) < 1+size {
		return 0, 0, fields.ErrShort
	}
	for _, c := range b[1 : 1+size] {
		members = members<<8 | uint64(c)
	}
	return 1 + size, members * each, nil
}
