package dc

import (
	"github.com/otpd/otpd/do"
)

// Source is the text of a file, and its name for messages.
type Source struct {
	Name string
	Text []byte
}

// File is what one or more .dc files say. It is not changed after Read.
type File struct {
	imports  []Import
	keywords map[string]bool // declared by the files; the historical nine need no declaration
	classes  []*class        // dclasses and structs, in order
	typedefs []*typedef
	bindings []do.Binding

	byName map[string]any // *class or *typedef
	fields int            // numbers given out (rule 152)
	weight int            // of all types, see maxWeight
}

// Import is an import statement. It names Python modules, and so means nothing here.
type Import struct {
	Module  string
	Symbols []string // of from MODULE import SYMBOLS
}

// Imports are the import statements, in order. The caller must not change them.
func (f *File) Imports() []Import { return f.imports }

// class is a dclass or a struct.
type class struct {
	at          do.Position
	name        string // empty for a struct within a parameter
	isStruct    bool
	parents     []*class
	constructor *field
	fields      []*field
	number      int // place in File.classes; -1 for a struct (rule 152)
	weight      int
}

// field finds an own or inherited field: the child's before the parents', the first parent's before the second's
// (rule 153).
func (c *class) field(name string) *field {
	for _, f := range c.fields {
		if f.name == name {
			return f
		}
	}
	for _, p := range c.parents {
		if f := p.field(name); f != nil {
			return f
		}
	}
	return nil
}

// form is how a field is written.
type form uint8

const (
	atomic    form = iota // name(params) keywords;
	parameter             // type name keywords;
	molecular             // name : parts;
	gone                  // //! gone;
)

// field is a field of a dclass, or a member of a struct.
type field struct {
	at       do.Position
	name     string // may be empty in a struct
	class    *class // that declares it
	form     form
	params   []param // of parameter: one, with the field's name
	parts    []*field
	keywords []keyword
	def      *value // of an atomic field as a whole, as Astron allows
	note     *token // the structured comment
	number   int    // over all files (rule 152)
}

// keyword is a word behind a field.
type keyword struct {
	name string
	at   do.Position
	flag uint32 // the historical bit, or 0 for a keyword that is hashed by its name
}

// param is an argument of an atomic field, or the value of a parameter field.
type param struct {
	at   do.Position
	name string // may be empty
	typ  *typ
	def  *value
}

// typedef names a type, and may give it a default.
type typedef struct {
	at   do.Position
	name string
	typ  *typ
	def  *value
}

// base is a built-in type. The values are those that the other readers hash, apart from the last three.
type base int32

const (
	baseInt8 base = iota
	baseInt16
	baseInt32
	baseInt64
	baseUint8
	baseUint16
	baseUint32
	baseUint64
	baseFloat64
	baseString
	baseBlob
	baseBlob32
	baseInt16Array
	baseInt32Array
	baseUint16Array
	baseUint32Array
	baseInt8Array
	baseUint8Array
	baseUint32Uint8Array
	baseChar
	baseFloat32 // Astron only
	baseClass   // a struct or dclass
	baseArray   // of elem
)

// baseWords are the words for the built-in types, in the order of the constants.
var baseWords = []string{
	"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float64", "string", "blob", "blob32",
	"int16array", "int32array", "uint16array", "uint32array", "int8array", "uint8array", "uint32uint8array", "char",
	"float32",
}

// lengthy reports whether the range of such a type is about its length.
func (b base) lengthy() bool { return b == baseString || b == baseBlob || b == baseBlob32 }

// elem is what a built-in array holds.
func (b base) elem() (base, bool) {
	switch b {
	case baseInt8Array:
		return baseInt8, true
	case baseInt16Array:
		return baseInt16, true
	case baseInt32Array:
		return baseInt32, true
	case baseUint8Array:
		return baseUint8, true
	case baseUint16Array:
		return baseUint16, true
	case baseUint32Array:
		return baseUint32, true
	}
	return 0, false
}

// typ is a type of a file. It is shared and not changed once it was read.
type typ struct {
	at      do.Position
	base    base
	class   *class // of baseClass
	elem    *typ   // of baseArray
	divisor uint32 // of numbers; 1 if not given
	modulus float64
	ranges  []span // of the value, of a length, or of the number of elements
	alias   *typedef
	weight  int
}

// span is a range, in the unit that the file writes: before the divisor.
type span struct{ lo, hi number }

// value is a default.
type value struct {
	at     do.Position
	kind   tokenKind // tokenNumber, tokenString, tokenHex; tokenPunct for a list
	num    number
	text   string
	list   []value
	name   string // of name=value within a struct
	repeat int    // within a list: 1, or what follows the *
}
