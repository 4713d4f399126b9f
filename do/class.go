package do

import (
	"fmt"

	"github.com/otpd/otpd/fields"
)

// FieldKind says what a field is.
type FieldKind uint8

// The kinds of fields.
const (
	FieldState     FieldKind = iota // a value that objects have
	FieldEvent                      // sent, never stored (rule 21)
	FieldCall                       // sent to one process, which answers
	FieldMolecular                  // several fields set together (rule 60)
)

func (k FieldKind) String() string {
	switch k {
	case FieldState:
		return "state"
	case FieldEvent:
		return "event"
	case FieldCall:
		return "call"
	case FieldMolecular:
		return "molecular"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field is a field as one class has it. It is immutable. An inherited field is a Field of its own in each class,
// since its number and its slot may be others there.
type Field struct {
	Number   fields.Number
	Name     string
	Class    *Class // the class that declares it
	Kind     FieldKind
	Keywords fields.Keyword // of a molecular: those of its parts, latest only if all parts are (rule 61)
	Type     *fields.Type   // value, event argument or call request; nil for a molecular: see Check
	Reply    *fields.Type   // of a call
	Parts    []*Field       // of a molecular, fields of the same class
	Default  []byte         // encoding of the declared default, nil if there is none
	Rate     float64        // most updates in a second from one client, 0 for no limit
	Slot     int            // place in Class.Stored of the class that has the field, -1 if it is not stored

	initial []byte
}

// Initial is the encoding of the declared default, else of the zero of the type (rule 69). It is nil for what has
// no value: events, calls and moleculars. The caller must not change it.
func (f *Field) Initial() []byte { return f.initial }

// Stored reports whether the field's value is kept in memory: required or ram.
func (f *Field) Stored() bool { return f.Slot >= 0 }

// Settable reports whether clients may set or send the field: all that know the object, or its owner.
func (f *Field) Settable() bool { return f.Keywords.Any(fields.ClSend | fields.OwnSend) }

// OwnerAnswers reports whether the field is a call that goes to the object's owner; other calls go to its AI.
func (f *Field) OwnerAnswers() bool { return f.Kind == FieldCall && f.Keywords.Has(fields.OwnRecv) }

// Check returns nil if value is exactly one value of the field, with every constraint kept. The value of a
// molecular is an array of its parts' values. It allocates nothing unless it fails, or has a grid or edges to decode.
func (f *Field) Check(value []byte) error {
	if f.Kind != FieldMolecular {
		if err := f.Type.Check(value); err != nil || !f.Keywords.Any(fields.Grid|fields.Edges) {
			return err
		}
		return checkZoneValue(f.Keywords, value)
	}
	rest, err := f.partsOf(value)
	for _, p := range f.Parts {
		if err != nil {
			return err
		}
		if rest, err = p.Type.CheckPrefix(rest); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	if err == nil && len(rest) > 0 {
		err = fields.ErrTrailing
	}
	return err
}

// Split calls each with every part of a molecular and its value, in the order of Parts. It checks nothing but the
// form: the value was checked when it came in.
func (f *Field) Split(value []byte, each func(part *Field, value []byte)) error {
	rest, err := f.partsOf(value)
	if err != nil {
		return err
	}
	for _, p := range f.Parts {
		n, err := fields.Skip(rest)
		if err != nil {
			return fmt.Errorf("do: split %s: %s: %w", f.Name, p.Name, err)
		}
		each(p, rest[:n])
		rest = rest[n:]
	}
	return nil
}

// partsOf reads the array header of a molecular's value.
func (f *Field) partsOf(value []byte) ([]byte, error) {
	n, rest, err := fields.ReadArrayHeader(value)
	if err != nil {
		return nil, err
	}
	if n != len(f.Parts) {
		return nil, fmt.Errorf("%d values for %d parts: %w", n, len(f.Parts), fields.ErrLength)
	}
	return rest, nil
}

func (f *Field) String() string { return f.Class.name + "." + f.Name }

// Class describes one class. It is immutable once its schema is made, and needs no Go type.
type Class struct {
	name    string
	number  uint32
	parents []*Class
	linear  []*Class // itself and all ancestors, the root first: the reverse of its C3 linearisation
	own     []FieldDecl

	levels  [][]*Field // by level, then index; nil where a field is gone or hidden
	fields  []*Field
	stored  []*Field
	byName  map[string]*Field
	marks   fields.Keyword // of position and the zone graph, that its fields have
	text    string
	summary [32]byte
}

// Name is the class's name.
func (c *Class) Name() string { return c.name }

// Number is the class's place in its schema.
func (c *Class) Number() uint32 { return c.number }

// Parents are the classes named in the declaration, in that order. The caller must not change them.
func (c *Class) Parents() []*Class { return c.parents }

// Own are the class's own declarations in the order of their numbers, gone ones included. The caller must not change
// them.
func (c *Class) Own() []FieldDecl { return c.own }

// Ancestors are the class itself and all that it inherits from, the root first; the place of a class here is the
// level of its fields' numbers. The caller must not change them.
func (c *Class) Ancestors() []*Class { return c.linear }

// Field is the field with the number; nil if the class has none, or if it is gone.
func (c *Class) Field(n fields.Number) *Field {
	l, i := n.Level(), n.Index()
	if l >= len(c.levels) || i >= len(c.levels[l]) || !n.Valid() {
		return nil
	}
	return c.levels[l][i]
}

// FieldByName is the field of that name, inherited or own; nil if there is none. With the same name in several
// ancestors, the child's hides the parent's, and the first parent's the second's (rule 153).
func (c *Class) FieldByName(name string) *Field { return c.byName[name] }

// Fields are all fields, inherited ones included and gone ones left out, ascending by number. The caller must not
// change them.
func (c *Class) Fields() []*Field { return c.fields }

// Stored are the fields whose values are kept in memory (required or ram), ascending by number; Field.Slot is the
// place here. The caller must not change them.
func (c *Class) Stored() []*Field { return c.stored }

// Fingerprint is the SHA-256 of the canonical text of the class and of everything that it inherits from, the root
// first (rule 154).
func (c *Class) Fingerprint() [32]byte { return c.summary }

// IsA reports whether c is o, or inherits from it.
func (c *Class) IsA(o *Class) bool {
	for _, a := range c.linear {
		if a == o {
			return true
		}
	}
	return false
}

func (c *Class) String() string { return c.name }
