package fields

import (
	"fmt"
	"slices"
	"unsafe"
)

// MapBuilder puts a Map together from entries in ascending order. The zero value is ready; Reset makes it ready
// again and keeps its memory, so that a held builder allocates nothing.
type MapBuilder struct {
	// buf begins with room for the longest header, which is written when the count is known.
	buf  []byte
	n    int
	last Number
}

// headerRoom is the length of a map header with a 32-bit count.
const headerRoom = 5

// Reset makes b empty. Maps that it returned become invalid.
func (b *MapBuilder) Reset() {
	b.buf, b.n, b.last = b.buf[:0], 0, 0
}

// Grow makes room for n more bytes of entries.
func (b *MapBuilder) Grow(n int) {
	b.begin()
	b.buf = slices.Grow(b.buf, n)
}

// begin reserves the header's room.
func (b *MapBuilder) begin() {
	if len(b.buf) == 0 {
		b.buf = append(b.buf, make([]byte, headerRoom)...)
	}
}

// add appends an entry whose order the caller answers for.
func (b *MapBuilder) add(n Number, value []byte) {
	b.key(n)
	b.buf = append(b.buf, value...)
}

// key appends the number of the next entry.
func (b *MapBuilder) key(n Number) {
	b.begin()
	b.buf = AppendUint(b.buf, uint64(n))
	b.n, b.last = b.n+1, n
}

// check says whether n may come next.
func (b *MapBuilder) check(n Number) error {
	if !n.Valid() {
		return fmt.Errorf("fields: build map: number %d: %w", uint32(n), ErrRange)
	}
	if b.n > 0 && n <= b.last {
		return fmt.Errorf("fields: build map: %v after %v: %w", n, b.last, ErrOrder)
	}
	return nil
}

// Add appends an entry. value must be exactly one encoded value; n must be above the last one, else ErrOrder and
// nothing is added.
func (b *MapBuilder) Add(n Number, value []byte) error {
	if err := b.check(n); err != nil {
		return err
	}
	b.add(n, value)
	return nil
}

// Encode appends an entry whose value c encodes from p, without a buffer in between.
func (b *MapBuilder) Encode(n Number, c *Codec, p unsafe.Pointer) error {
	if err := b.check(n); err != nil {
		return err
	}
	b.key(n)
	b.buf = c.Append(b.buf, p)
	return nil
}

// Len returns the number of entries so far.
func (b *MapBuilder) Len() int { return b.n }

// Map returns what was built, which is valid until the next call of Reset, Add or Encode.
func (b *MapBuilder) Map() Map {
	b.begin()
	var head [headerRoom]byte
	h := AppendMapHeader(head[:0], b.n)
	at := headerRoom - len(h)
	copy(b.buf[at:], h)
	return Map(b.buf[at:len(b.buf):len(b.buf)])
}
