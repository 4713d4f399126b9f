package do

import (
	"errors"
)

// Schema is an ordered set of classes and the bindings of UberDOGs. It is immutable.
type Schema struct {
	classes  []*Class
	byName   map[string]*Class
	uberdogs []Binding
	fields   int // over all classes, inherited ones included
	text     []byte
	summary  [32]byte
}

// MaxUberDOG is the largest number of an UberDOG: on the client link it shares 32 bits with the aliases of objects.
const MaxUberDOG = 1<<31 - 1

// Binding says which class an UberDOG has, and whether clients reach it before they have logged in.
type Binding struct {
	ID        ID
	Class     string
	Anonymous bool
}

// ErrSchema is wrapped by errors about declarations that contradict themselves or each other.
var ErrSchema = errors.New("wrong schema")

// ErrIncompatible is wrapped by errors about two schemas that cannot live together.
var ErrIncompatible = errors.New("incompatible schema")

// Classes are the classes in order; a class's number is its place here. The caller must not change them.
func (s *Schema) Classes() []*Class { return s.classes }

// Class is the class of that name, nil if there is none.
func (s *Schema) Class(name string) *Class { return s.byName[name] }

// ByNumber is the class with the number, nil if there is none.
func (s *Schema) ByNumber(n uint32) *Class {
	if uint64(n) >= uint64(len(s.classes)) {
		return nil
	}
	return s.classes[n]
}

// UberDOGs are the bindings, ascending by id. The caller must not change them.
func (s *Schema) UberDOGs() []Binding { return s.uberdogs }

// Text is the canonical text of the schema, which ParseSchema reads. The caller must not change it.
func (s *Schema) Text() []byte { return s.text }

// Fingerprint is the SHA-256 of Text (rule 154). Schemas with the same fingerprint are the same.
func (s *Schema) Fingerprint() [32]byte { return s.summary }
