package fields

import "fmt"

// Number is a field's number in its class: the level is how many ancestors were declared before the class that
// declares it (in linearised order, from the root), the index counts within that class. So appending a field to a
// parent moves no other number. The value, which is what travels, is
//
//	bits 13..10  index >> 6
//	bits  9..6   level
//	bits  5..0   index & 63
//
// which keeps the numbers of a class with up to 64 own fields below 1024, and on the first two levels below 128,
// where msgpack writes them as one byte.
type Number uint32

// Limits of a Number.
const (
	// MaxLevels is how many classes a field's class may be composed of, itself included.
	MaxLevels = 16
	// MaxOwnFields is how many fields a class may declare itself, Gone ones included.
	MaxOwnFields = 1024
	// MaxNumber is the largest Number.
	MaxNumber Number = MaxLevels*MaxOwnFields - 1
)

// NewNumber returns the number of the index-th field of a class at the level; ErrRange when one is out of its limit.
func NewNumber(level, index int) (Number, error) {
	if level < 0 || level >= MaxLevels {
		return 0, fmt.Errorf("fields: number level %d: %w (0..%d)", level, ErrRange, MaxLevels-1)
	}
	if index < 0 || index >= MaxOwnFields {
		return 0, fmt.Errorf("fields: number index %d: %w (0..%d)", index, ErrRange, MaxOwnFields-1)
	}
	return Number(index>>6<<10 | level<<6 | index&63), nil
}

// Level returns how many ancestors come before the declaring class.
func (n Number) Level() int { return int(n >> 6 & 15) }

// Index returns the place of the field in its declaring class.
func (n Number) Index() int { return int(n>>10<<6 | n&63) }

// Valid reports whether n is a number that NewNumber can make.
func (n Number) Valid() bool { return n <= MaxNumber }

// String returns level.index, the form of messages to people.
func (n Number) String() string { return fmt.Sprintf("%d.%d", n.Level(), n.Index()) }
