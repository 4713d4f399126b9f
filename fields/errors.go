package fields

import "errors"

// What can be wrong with the bytes of a value. Errors of this package wrap one of these.
var (
	// ErrShort says that the bytes end before the value does.
	ErrShort = errors.New("value is cut short")
	// ErrSyntax says that the bytes are not msgpack, or use its extension types, which the protocol does not have.
	ErrSyntax = errors.New("not msgpack of this protocol")
	// ErrTrailing says that bytes follow where the value must be the last thing.
	ErrTrailing = errors.New("bytes after the value")
	// ErrType says that the value is of another type, or a struct or array of another size.
	ErrType = errors.New("value of another type")
	// ErrRange says that a number is outside of its type or of its min and max.
	ErrRange = errors.New("value out of range")
	// ErrLength says that a string, bytes, slice or map is too short or too long, or a whole value above MaxValueLen.
	ErrLength = errors.New("length out of bounds")
	// ErrPattern says that a string does not match the pattern of its type.
	ErrPattern = errors.New("string does not match the pattern")
	// ErrOneOf says that a value is none of those that its type lists.
	ErrOneOf = errors.New("value is none of those allowed")
	// ErrUTF8 says that a string is not UTF-8.
	ErrUTF8 = errors.New("string is not UTF-8")
	// ErrDepth says that values are nested deeper than MaxDepth.
	ErrDepth = errors.New("nested too deep")
	// ErrOrder says that the keys of a map are not ascending, or that one is there twice.
	ErrOrder = errors.New("keys not in ascending order")
)

// What can be wrong with a declaration or with text.
var (
	// ErrTag says that a do:"..." tag has a word, or a value of a word, that it cannot have.
	ErrTag = errors.New("wrong tag")
	// ErrDeclare says that a Go type, or a constraint on it, cannot be a field.
	ErrDeclare = errors.New("wrong declaration")
	// ErrText says that the text of a type or a value cannot be read.
	ErrText = errors.New("wrong text")
)

// Limits of every value. They hold at both ends of every link, so that what one side accepts the other does, too.
const (
	// MaxDepth is how many arrays, maps and structs a value may be nested in each other.
	MaxDepth = 32
	// MaxValueLen is how many bytes one encoded field value may have.
	MaxValueLen = 1 << 20
)
