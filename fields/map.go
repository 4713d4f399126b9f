package fields

import (
	"fmt"
	"slices"
)

// Map is an encoded msgpack map from field number to value, ascending by number and without duplicates: the body of
// every set, entry and get answer. It is only ever read; whoever holds one may share it.
//
// A Map of no bytes at all is the empty map for all methods but Valid: on the wire even an empty one has its header.
type Map []byte

// EmptyMap returns the encoding of a map without entries.
func EmptyMap() Map { return Map{fixMap} }

// Len returns the number of entries, as the header says; 0 when there is none.
func (m Map) Len() int {
	n, _, err := ReadMapHeader(m)
	if err != nil {
		return 0
	}
	return n
}

// Valid says whether m is exactly one map as described at Map. It does not know the types of the values.
func (m Map) Valid() error {
	_, rest, err := ReadMap(m)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("fields: map of %d entries: %w", m.Len(), ErrTrailing)
	}
	return nil
}

// ReadMap takes a valid Map off the front of b, as part of b, and returns what follows it.
func ReadMap(b []byte) (m Map, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, fmt.Errorf("fields: map: %w", ErrShort)
	}
	it := Map(b).Iter()
	for it.Next() {
	}
	if err := it.Err(); err != nil {
		return nil, nil, err
	}
	n := len(b) - len(it.rest)
	return Map(b[:n:n]), it.rest, nil
}

// Get returns the value of n, as part of m. It stops at the first number above n.
func (m Map) Get(n Number) (value []byte, ok bool) {
	it := m.Iter()
	for it.Next() {
		if it.number >= n {
			return it.value, it.number == n
		}
	}
	return nil, false
}

// Iter returns an iterator that stands before the first entry.
func (m Map) Iter() Iter {
	if len(m) == 0 {
		return Iter{}
	}
	n, rest, err := ReadMapHeader(m)
	it := Iter{left: n, rest: rest}
	if err != nil {
		it.fail(fmt.Errorf("fields: map: %w", err))
	}
	return it
}

// Iter walks the entries of a Map in order without allocating:
//
//	it := m.Iter()
//	for it.Next() {
//		use(it.Number(), it.Value())
//	}
//	if err := it.Err(); err != nil { ... }
//
// It checks what it reads, so that a map of unknown origin may be walked before Valid was asked.
type Iter struct {
	rest   []byte
	value  []byte
	left   int
	number Number
	begun  bool
	err    error
}

// Next moves to the next entry. False: there is none, or the map is wrong, which Err tells.
func (it *Iter) Next() bool {
	if it.left == 0 {
		return false
	}
	it.left--
	u, rest, err := ReadUint(it.rest)
	if err != nil {
		return it.fail(fmt.Errorf("fields: map after %v: number: %w", it.number, err))
	}
	if u > uint64(MaxNumber) {
		return it.fail(fmt.Errorf("fields: map: number %d: %w", u, ErrRange))
	}
	number := Number(u)
	if it.begun && number <= it.number {
		return it.fail(fmt.Errorf("fields: map: %v after %v: %w", number, it.number, ErrOrder))
	}
	n, err := Skip(rest)
	if err != nil {
		return it.fail(fmt.Errorf("fields: map: value of %v: %w", number, err))
	}
	if n > MaxValueLen {
		return it.fail(fmt.Errorf("fields: map: value of %v: %w", number, ErrLength))
	}
	it.begun, it.number, it.value, it.rest = true, number, rest[:n:n], rest[n:]
	return true
}

// fail ends the walk.
func (it *Iter) fail(err error) bool {
	it.left, it.value, it.rest, it.err = 0, nil, nil, err
	return false
}

// Number returns the number of the entry.
func (it *Iter) Number() Number { return it.number }

// Value returns the encoded value of the entry, as part of the map.
func (it *Iter) Value() []byte { return it.value }

// Rest returns the bytes after the entry: none after the last entry of a valid Map.
func (it *Iter) Rest() []byte { return it.rest }

// Err returns why the walk ended early, or nil.
func (it *Iter) Err() error { return it.err }

// Pair is one entry, for maps that are put together from unordered parts.
type Pair struct {
	Number Number
	Value  []byte // exactly one encoded value
}

// MapOf returns the map of the pairs, in whatever order they come; of several with one number the last wins.
func MapOf(pairs ...Pair) Map {
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(a, b Pair) int { return int(a.Number) - int(b.Number) })
	var b MapBuilder
	for i, p := range sorted {
		if i+1 < len(sorted) && sorted[i+1].Number == p.Number {
			continue
		}
		b.add(p.Number, p.Value)
	}
	return b.Map()
}

// Merge returns the entries of a and b, with b's value where both have one. The result shares no memory with them.
// Both must be valid.
func Merge(a, b Map) Map {
	var out MapBuilder
	out.Grow(len(a) + len(b))
	ia, ib := a.Iter(), b.Iter()
	moreA, moreB := ia.Next(), ib.Next()
	for moreA || moreB {
		if moreA && (!moreB || ia.number < ib.number) {
			out.add(ia.number, ia.value)
			moreA = ia.Next()
			continue
		}
		if moreA && ia.number == ib.number {
			moreA = ia.Next()
		}
		out.add(ib.number, ib.value)
		moreB = ib.Next()
	}
	return out.Map()
}

// Filter returns the entries whose number keep wants: m itself if it wants all of them, else a copy.
func (m Map) Filter(keep func(Number) bool) Map {
	all := true
	for it := m.Iter(); it.Next(); {
		all = all && keep(it.number)
	}
	if all && len(m) > 0 {
		return m
	}
	var out MapBuilder
	for it := m.Iter(); it.Next(); {
		if keep(it.number) {
			out.add(it.number, it.value)
		}
	}
	return out.Map()
}

// Without returns a copy of m that has no entry of that number.
func (m Map) Without(n Number) Map {
	return m.Filter(func(o Number) bool { return o != n })
}
