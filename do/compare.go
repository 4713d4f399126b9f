package do

import (
	"fmt"
	"slices"
)

// Compat says how two schemas go together.
type Compat uint8

// The outcomes of Compare.
const (
	Incompatible Compat = iota // a name or number means different things on the two sides
	Compatible                 // one side lacks classes or fields that the other appended, or took out
	Same                       // equal fingerprints
)

func (c Compat) String() string {
	return [...]string{"incompatible", "compatible", "same"}[min(c, Same)]
}

// Compare compares two schemas as a handshake does. Classes are matched by name and must have the same order where
// both have them; of each, one side's own fields must begin with the other's, where a gone field counts as equal to
// what stood in its place. Anything else is incompatible, and firstDifference says what came first, in the order
// of old. For compatible schemas it says the first thing that one side lacks.
func Compare(old, new *Schema) (c Compat, firstDifference string) {
	if old.summary == new.summary {
		return Same, ""
	}
	var lack string
	last := -1
	for _, a := range old.classes {
		b := new.byName[a.name]
		if b == nil {
			keepFirst(&lack, "class %s is missing in the new schema", a)
			continue
		}
		if int(b.number) < last {
			return Incompatible, fmt.Sprintf("class %s stands before class %s in the new schema, and after it in the old: append, never reorder", a, new.classes[last])
		}
		last = int(b.number)
		wrong, less := compareClass(a, b)
		if wrong != "" {
			return Incompatible, wrong
		}
		if less != "" {
			keepFirst(&lack, "%s", less)
		}
	}
	for _, b := range new.classes {
		if old.byName[b.name] == nil {
			keepFirst(&lack, "class %s is missing in the old schema", b)
		}
	}
	if wrong, less := compareUberDOGs(old, new); wrong != "" {
		return Incompatible, wrong
	} else if less != "" {
		keepFirst(&lack, "%s", less)
	}
	return Compatible, lack
}

// keepFirst sets *first unless it is set.
func keepFirst(first *string, format string, args ...any) {
	if *first == "" {
		*first = fmt.Sprintf(format, args...)
	}
}

// compareClass compares what two classes of the same name declare themselves: what is wrong, or what one side lacks.
func compareClass(a, b *Class) (wrong, lack string) {
	if a.text == b.text {
		return "", ""
	}
	if pa, pb := mapped(a.parents, (*Class).Name), mapped(b.parents, (*Class).Name); !slices.Equal(pa, pb) {
		return fmt.Sprintf("class %s has the parents %q in the old schema and %q in the new", a, pa, pb), ""
	}
	for i := range min(len(a.own), len(b.own)) {
		x, y := fieldLine(&a.own[i]), fieldLine(&b.own[i])
		switch {
		case x == y:
		case a.own[i].Gone:
			keepFirst(&lack, "class %s: field %d (%s) is gone in the old schema", a, i, b.own[i].Name)
		case b.own[i].Gone:
			keepFirst(&lack, "class %s: field %d (%s) is gone in the new schema", a, i, a.own[i].Name)
		default:
			return fmt.Sprintf("class %s: field %d is %s in the old schema and %s in the new", a, i, x, y), ""
		}
	}
	switch n := min(len(a.own), len(b.own)); {
	case len(a.own) > n:
		keepFirst(&lack, "class %s: field %d (%s) is missing in the new schema", a, n, ownName(&a.own[n]))
	case len(b.own) > n:
		keepFirst(&lack, "class %s: field %d (%s) is missing in the old schema", a, n, ownName(&b.own[n]))
	}
	return "", lack
}

// compareUberDOGs compares the bindings: what is wrong, or what one side lacks.
func compareUberDOGs(old, new *Schema) (wrong, lack string) {
	for _, u := range old.uberdogs {
		v, ok := new.uberdog(u.ID)
		switch {
		case !ok:
			keepFirst(&lack, "uberdog %s is missing in the new schema", u.ID)
		case u.Class != v.Class:
			return fmt.Sprintf("uberdog %s is a %s in the old schema and a %s in the new", u.ID, u.Class, v.Class), ""
		case u.Anonymous != v.Anonymous:
			return fmt.Sprintf("uberdog %s is anonymous in only one of the schemas", u.ID), ""
		}
	}
	for _, v := range new.uberdogs {
		if _, ok := old.uberdog(v.ID); !ok {
			keepFirst(&lack, "uberdog %s is missing in the old schema", v.ID)
		}
	}
	return "", lack
}

// uberdog finds a binding by id.
func (s *Schema) uberdog(id ID) (Binding, bool) {
	i, ok := slices.BinarySearchFunc(s.uberdogs, id, func(b Binding, id ID) int { return b.ID.Compare(id) })
	if !ok {
		return Binding{}, false
	}
	return s.uberdogs[i], true
}

// Merge gives the schema that a cluster has after one that is offered has joined it: the cluster's classes and
// fields keep their order and numbers, what the offered one has in addition is appended, and what is gone in
// either is gone. The error wraps ErrIncompatible and names the first difference, with the cluster's schema as the
// old one. Neither argument is changed; where nothing is added, the result is cluster itself.
func Merge(cluster, offered *Schema) (*Schema, error) {
	if cluster.summary == offered.summary {
		return cluster, nil
	}
	if c, why := Compare(cluster, offered); c == Incompatible {
		return nil, fmt.Errorf("do: merge: %w: %s", ErrIncompatible, why)
	}
	var decls []ClassDecl
	for _, a := range cluster.classes {
		d := ClassDecl{Name: a.name, Parents: mapped(a.parents, (*Class).Name), Fields: slices.Clone(a.own)}
		if b := offered.byName[a.name]; b != nil {
			d.Fields = mergeFields(a.own, b.own)
		}
		decls = append(decls, d)
	}
	for _, b := range offered.classes {
		if cluster.byName[b.name] == nil {
			decls = append(decls, ClassDecl{Name: b.name, Parents: mapped(b.parents, (*Class).Name), Fields: slices.Clone(b.own)})
		}
	}
	bindings := slices.Clone(cluster.uberdogs)
	for _, u := range offered.uberdogs {
		if _, ok := cluster.uberdog(u.ID); !ok {
			bindings = append(bindings, u)
		}
	}
	s, err := NewSchema(decls, bindings)
	if err != nil {
		return nil, fmt.Errorf("do: merge: %w: %w", ErrIncompatible, err)
	}
	// A class that the offered schema has in front of one of the cluster's would end up behind it.
	if c, why := Compare(s, offered); c == Incompatible {
		return nil, fmt.Errorf("do: merge: %w: %s", ErrIncompatible, why)
	}
	if s.summary == cluster.summary {
		return cluster, nil
	}
	return s, nil
}

// mergeFields is the longer of two compatible lists, with what is gone in either gone.
func mergeFields(a, b []FieldDecl) []FieldDecl {
	long, short := slices.Clone(a), b
	if len(b) > len(a) {
		long, short = slices.Clone(b), a
	}
	for i := range short {
		if short[i].Gone {
			long[i] = short[i]
		}
	}
	return long
}

// mapped is f of each.
func mapped[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}
