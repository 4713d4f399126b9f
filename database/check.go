package database

import (
	"errors"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// stores reports whether anything of a class is stored.
func stores(class *do.Class) bool {
	return slices.ContainsFunc(class.Fields(), isStored)
}

// isStored reports whether a field is stored: only db matters, required has no meaning here (rule 140).
func isStored(f *do.Field) bool {
	return f.Kind == do.FieldState && f.Keywords.Has(fields.DB)
}

// stored checks the values for an object of the class and returns those that are stored; others are left out, which
// is no error (rule 141). A molecular is stored as its parts (rule 127).
func stored(class *do.Class, m fields.Map) (values fields.Map, code wire.Code, text string) {
	var pairs []fields.Pair
	it := m.Iter()
	for it.Next() {
		f := class.Field(it.Number())
		if f == nil {
			return nil, wire.CodeNoField, it.Number().String()
		}
		if err := f.Check(it.Value()); err != nil {
			return nil, valueCode(err), f.Name + ": " + err.Error()
		}
		pairs = appendStored(pairs, f, it.Value())
	}
	if err := it.Err(); err != nil {
		return nil, wire.CodeMalformed, err.Error()
	}
	return fields.MapOf(pairs...), wire.CodeOK, ""
}

// appendStored appends what is stored of a checked value.
func appendStored(pairs []fields.Pair, f *do.Field, value []byte) []fields.Pair {
	if f.Kind == do.FieldMolecular {
		// Split cannot fail on what Check let through.
		_ = f.Split(value, func(part *do.Field, v []byte) { pairs = appendStored(pairs, part, v) })
		return pairs
	}
	if isStored(f) {
		pairs = append(pairs, fields.Pair{Number: f.Number, Value: value})
	}
	return pairs
}

// defaults are the declared defaults of what is stored of a class. A field without one stays absent (rule 141).
func defaults(class *do.Class) fields.Map {
	var pairs []fields.Pair
	for _, f := range class.Fields() {
		if isStored(f) && f.Default != nil {
			pairs = append(pairs, fields.Pair{Number: f.Number, Value: f.Default})
		}
	}
	return fields.MapOf(pairs...)
}

// removed adds to values what the removal of fields writes: a declared default, else the field becomes absent
// (rule 145). Fields that are not stored are left out.
func removed(class *do.Class, values fields.Map, numbers []fields.Number) (all fields.Map, unset []fields.Number, code wire.Code, text string) {
	var pairs []fields.Pair
	for _, n := range numbers {
		f := class.Field(n)
		switch {
		case f == nil:
			return nil, nil, wire.CodeNoField, n.String()
		case !isStored(f):
		case f.Default != nil:
			pairs = append(pairs, fields.Pair{Number: n, Value: f.Default})
		default:
			unset = append(unset, n)
		}
	}
	slices.Sort(unset)
	return fields.Merge(fields.MapOf(pairs...), values), slices.Compact(unset), wire.CodeOK, ""
}

// valueCode tells a value of another type from one that breaks a constraint (rule 71).
func valueCode(err error) wire.Code {
	for _, constraint := range []error{fields.ErrRange, fields.ErrLength, fields.ErrPattern, fields.ErrOneOf} {
		if errors.Is(err, constraint) {
			return wire.CodeConstraint
		}
	}
	return wire.CodeValue
}
