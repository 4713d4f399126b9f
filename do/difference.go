package do

import (
	"fmt"
	"slices"
)

// Difference is one thing in which two schemas differ.
type Difference struct {
	Compatible bool // one side only lacks what the other appended or took out
	Text       string
}

// Differences are all differences that Compare looks for, in the order of old, then what only new has. The schemas are
// compatible if all of these are, and the same if there are none.
func Differences(old, new *Schema) []Difference {
	var d differences
	last := -1
	for _, a := range old.classes {
		b := new.byName[a.name]
		if b == nil {
			d.lack("class %s is missing in the new schema", a)
			continue
		}
		if int(b.number) < last {
			d.wrong("class %s stands before class %s in the new schema, and after it in the old: append, never reorder", a, new.classes[last])
		}
		last = max(last, int(b.number))
		d.class(a, b)
	}
	for _, b := range new.classes {
		if old.byName[b.name] == nil {
			d.lack("class %s is missing in the old schema", b)
		}
	}
	d.uberdogs(old, new)
	return d
}

// differences collects.
type differences []Difference

func (d *differences) lack(format string, args ...any) {
	*d = append(*d, Difference{true, fmt.Sprintf(format, args...)})
}

func (d *differences) wrong(format string, args ...any) {
	*d = append(*d, Difference{false, fmt.Sprintf(format, args...)})
}

// class compares what two classes of the same name declare themselves.
func (d *differences) class(a, b *Class) {
	if pa, pb := mapped(a.parents, (*Class).Name), mapped(b.parents, (*Class).Name); !slices.Equal(pa, pb) {
		d.wrong("class %s has the parents %q in the old schema and %q in the new", a, pa, pb)
	}
	n := min(len(a.own), len(b.own))
	for i := range n {
		x, y := fieldLine(&a.own[i]), fieldLine(&b.own[i])
		switch {
		case x == y:
		case a.own[i].Gone:
			d.lack("class %s: field %d (%s) is gone in the old schema", a, i, b.own[i].Name)
		case b.own[i].Gone:
			d.lack("class %s: field %d (%s) is gone in the new schema", a, i, a.own[i].Name)
		default:
			d.wrong("class %s: field %d is %s in the old schema and %s in the new", a, i, x, y)
		}
	}
	for i := n; i < len(a.own); i++ {
		d.lack("class %s: field %d (%s) is missing in the new schema", a, i, ownName(&a.own[i]))
	}
	for i := n; i < len(b.own); i++ {
		d.lack("class %s: field %d (%s) is missing in the old schema", a, i, ownName(&b.own[i]))
	}
}

// ownName is the name of a declaration for messages.
func ownName(f *FieldDecl) string {
	if f.Gone {
		return "gone"
	}
	return f.Name
}

// uberdogs compares the bindings.
func (d *differences) uberdogs(old, new *Schema) {
	for _, u := range old.uberdogs {
		v, ok := new.uberdog(u.ID)
		switch {
		case !ok:
			d.lack("uberdog %s is missing in the new schema", u.ID)
		case u.Class != v.Class:
			d.wrong("uberdog %s is a %s in the old schema and a %s in the new", u.ID, u.Class, v.Class)
		case u.Anonymous != v.Anonymous:
			d.wrong("uberdog %s is anonymous in only one of the schemas", u.ID)
		}
	}
	for _, v := range new.uberdogs {
		if _, ok := old.uberdog(v.ID); !ok {
			d.lack("uberdog %s is missing in the old schema", v.ID)
		}
	}
}
