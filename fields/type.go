package fields

import (
	"fmt"
	"regexp"
	"slices"
)

// Type describes the values of a field with all their constraints. It never changes after it was made, so that
// any number of goroutines may share it. TypeOf and ParseType make one.
type Type struct {
	kind Kind
	text string // the canonical text, which is also what makes types equal

	// Numbers. lo and hi of an isInt kind are always set, and in the encoded unit: nanoseconds, or scaled.
	// ulo and uhi are those of KindUint64, flo and fhi of floats where hasMin and hasMax say so.
	lo, hi         int64
	ulo, uhi       uint64
	flo, fhi       float64
	hasMin, hasMax bool
	oneInt         []int64 // the allowed ints; those of a KindUint64 as their bits

	// Lengths in bytes or elements. maxLen is MaxValueLen where nothing was declared.
	minLen, maxLen int
	pattern        string
	re             *regexp.Regexp // the pattern, anchored at both ends
	oneStr         []string

	elem    *Type // of KindArray, KindSlice, KindMap
	key     *Type // of KindMap: a KindString
	n       int   // elements of a KindArray
	members []Member
	binLen  int // bytes of a KindStruct of KindPacked members only, which is one bin; else 0

	base   Kind    // of KindPacked: KindFloat32 or KindFloat64
	as     Kind    // of KindPacked: the int that travels
	scale  float64 // of KindPacked: a whole number
	mod    float64 // of KindPacked: values are brought into [0, mod); 0 for none
	modInt int64   // mod*scale

	depth   int // containers nested in each other, this one included
	zeroLen int // len(Zero())
}

// Member is a part of a struct.
type Member struct {
	Name string
	Type *Type
}

// Kind returns what sort of value t describes.
func (t *Type) Kind() Kind { return t.kind }

// Elem returns the type of the elements of a KindArray, a KindSlice or a KindMap, else nil.
func (t *Type) Elem() *Type { return t.elem }

// Key returns the type of the keys of a KindMap, a KindString, else nil.
func (t *Type) Key() *Type { return t.key }

// Len returns the number of elements of a KindArray, else 0.
func (t *Type) Len() int { return t.n }

// Lengths returns the bounds of the length of a KindString or KindBytes in bytes, of a KindSlice or KindMap in elements; max is
// MaxValueLen where none was declared.
func (t *Type) Lengths() (min, max int) { return t.minLen, t.maxLen }

// Members returns the members of a KindStruct in order. The caller must not change the slice.
func (t *Type) Members() []Member { return t.members }

// Packing returns how a KindPacked float travels: as round(v*scale) of the int kind, v brought into [0, mod) if mod is
// not 0. base is the kind that it has in Go.
func (t *Type) Packing() (base, as Kind, scale, mod float64) { return t.base, t.as, t.scale, t.mod }

// OneOf returns the allowed values as ParseText reads them, or nil if there is no such list.
func (t *Type) OneOf() []string {
	if t.oneStr != nil {
		return slices.Clone(t.oneStr)
	}
	var out []string
	for _, v := range t.oneInt {
		out = append(out, t.intText(v))
	}
	return out
}

// Pattern returns the regular expression that a KindString must match as a whole, or "".
func (t *Type) Pattern() string { return t.pattern }

// String returns the canonical text of the type, which ParseType reads.
func (t *Type) String() string { return t.text }

// Equal reports whether t and u describe the same values with the same constraints and member names.
func (t *Type) Equal(u *Type) bool {
	return t == u || t != nil && u != nil && t.text == u.text
}

// seal fills in what follows from the parts of t, and refuses what is too deep or too large.
func (t *Type) seal() (*Type, error) {
	for _, child := range t.children() {
		t.depth = max(t.depth, child.depth)
	}
	if t.kind >= KindArray && t.kind <= KindStruct {
		t.depth++
	}
	if t.depth > MaxDepth {
		return nil, fmt.Errorf("%w: %s: %w (at most %d)", ErrDeclare, t.kind, ErrDepth, MaxDepth)
	}
	if t.zeroLen = t.zeroSize(); t.zeroLen > MaxValueLen {
		return nil, fmt.Errorf("%w: %s: its smallest value has more than %d bytes", ErrDeclare, t.kind, MaxValueLen)
	}
	t.text = t.format()
	return t, nil
}

// children returns the types that t is made of.
func (t *Type) children() []*Type {
	var out []*Type
	for _, child := range []*Type{t.elem, t.key} {
		if child != nil {
			out = append(out, child)
		}
	}
	for _, m := range t.members {
		out = append(out, m.Type)
	}
	return out
}

// newArray returns the type of n elems.
func newArray(n int, elem *Type) (*Type, error) {
	if n < 0 || n > MaxValueLen {
		return nil, fmt.Errorf("%w: array of %d: at most %d elements", ErrDeclare, n, MaxValueLen)
	}
	return (&Type{kind: KindArray, elem: elem, n: n}).seal()
}

// newSlice returns the type of a list of elems; of tag only lengths may be set.
func newSlice(elem *Type, tag Tag) (*Type, error) {
	t := &Type{kind: KindSlice, elem: elem}
	if err := t.constrain(tag); err != nil {
		return nil, err
	}
	return t.seal()
}

// newMap returns the type of a map; of tag only lengths may be set.
func newMap(key, elem *Type, tag Tag) (*Type, error) {
	t := &Type{kind: KindMap, key: key, elem: elem}
	if err := t.constrain(tag); err != nil {
		return nil, err
	}
	if t.minLen > 0 {
		// Its zero value would need keys that nobody has named (rule 69).
		return nil, fmt.Errorf("%w: a map has no least length: its zero value is empty", ErrDeclare)
	}
	return t.seal()
}

// newStruct returns the type of a struct. Member names must differ.
func newStruct(members []Member) (*Type, error) {
	t := &Type{kind: KindStruct, members: members}
	for i, m := range members {
		for _, o := range members[:i] {
			if o.Name == m.Name {
				return nil, fmt.Errorf("%w: member %s is there twice", ErrDeclare, m.Name)
			}
		}
	}
	t.binLen = packedLen(members)
	return t.seal()
}

// packedLen returns the bytes of the bin that a struct of these members is, or 0 if it is an array.
func packedLen(members []Member) int {
	n := 0
	for _, m := range members {
		if m.Type.kind != KindPacked {
			return 0
		}
		n += m.Type.as.size()
	}
	return n
}

// newScalar returns the type of a value without parts.
func newScalar(kind Kind, tag Tag) (*Type, error) {
	t := &Type{kind: kind}
	if tag.As != "" {
		if err := t.pack(tag); err != nil {
			return nil, err
		}
	}
	if err := t.constrain(tag); err != nil {
		return nil, err
	}
	return t.seal()
}
