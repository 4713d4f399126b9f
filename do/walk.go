package do

import (
	"fmt"
	"reflect"

	"github.com/otpd/otpd/fields"
)

// walker reads the class declarations in a Go struct and what it embeds.
type walker struct {
	plan  *plan
	at    map[string]member // by field name, which is unique in Go
	names map[string]string // field name to the class that declares it
}

// class reads the struct rt, which stands at base in the plan's type, its parents first.
func (w *walker) class(rt reflect.Type, base uintptr) error {
	d := ClassDecl{Name: rt.Name()}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("do: class %s: %w: "+format, append([]any{rt.Name(), ErrSchema}, args...)...)
	}
	switch other := w.plan.types[d.Name]; {
	case rt.Name() == "":
		return fmt.Errorf("do: class %v: %w: a class is a named struct", rt, ErrSchema)
	case typeName(rt) != rt.Name():
		return fail("a class cannot have type parameters")
	case other == rt:
		return fail("it is embedded twice in %v: Go would hold its fields twice", w.plan.rt)
	case other != nil:
		return fail("%v and %v have the same name", other, rt)
	case !holdsObject(rt):
		return fail("it does not embed do.Object, or a class that does")
	case !declares(rt):
		return fail("it declares nothing: embed do.Object first, so that it is no behaviour of what it embeds")
	}
	w.plan.types[d.Name] = rt
	direct, own := false, ""
	for i := range rt.NumField() {
		f := rt.Field(i)
		if f.Tag.Get("do") == "-" {
			continue
		}
		if f.Anonymous && f.Type != goneType && f.Type != molecularType {
			if own != "" {
				return fail("%s is embedded after the member %s: what is embedded comes first", f.Name, own)
			}
			if err := w.embedded(&d, f, base, fail); err != nil {
				return err
			}
			direct = direct || f.Type == objectType
			continue
		}
		own = f.Name
		decl, err := w.member(rt, f, base)
		if err != nil {
			return fmt.Errorf("do: class %s: field %s: %w", rt.Name(), f.Name, err)
		}
		d.Fields = append(d.Fields, decl)
	}
	if len(d.Parents) > 1 && !direct {
		return fail("its parents %s and %s each hold a do.Object: embed do.Object first, too, so that Save and the others are not ambiguous", d.Parents[0], d.Parents[1])
	}
	w.plan.decls = append(w.plan.decls, d)
	return nil
}

// embedded reads what a class embeds: Object, or a parent.
func (w *walker) embedded(d *ClassDecl, f reflect.StructField, base uintptr, fail func(string, ...any) error) error {
	_, tagged := f.Tag.Lookup("do")
	switch {
	case tagged:
		return fail("%s is embedded and has a do tag: only members have one", f.Name)
	case f.Type == objectType:
		w.plan.objects = append(w.plan.objects, base+f.Offset)
		return nil
	case f.Type.Kind() == reflect.Pointer:
		return fail("it embeds %s by pointer: embed it by value", f.Name)
	case f.Type.Kind() != reflect.Struct:
		return fail("it embeds %s, which is no class", f.Name)
	}
	if _, is := sentOf(f.Type); is {
		return fail("it embeds %s: give the member a name", f.Name)
	}
	d.Parents = append(d.Parents, f.Type.Name())
	return w.class(f.Type, base+f.Offset)
}

// member reads one member of the class rt.
func (w *walker) member(rt reflect.Type, f reflect.StructField, base uintptr) (FieldDecl, error) {
	text, tagged := f.Tag.Lookup("do")
	d := FieldDecl{Name: f.Name}
	switch {
	case f.Type == goneType && tagged:
		return d, fmt.Errorf("%w: a do.Gone has no tag", ErrSchema)
	case f.Type == goneType:
		return FieldDecl{Gone: true}, nil
	}
	if err := w.checkMember(rt, f, tagged); err != nil {
		return d, err
	}
	tag, err := fields.ParseTag(text)
	if err != nil {
		return d, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	m := member{offset: base + f.Offset, rt: f.Type, arg: f.Type}
	s, isSent := sentOf(f.Type)
	d.Keywords, d.Rate = tag.Keywords, tag.Rate
	switch {
	case f.Type == molecularType:
		d.Kind, d.Parts = FieldMolecular, tag.Of
		if constrained(tag) {
			return d, fmt.Errorf("%w: a molecular has no constraints: its parts may", ErrSchema)
		}
	case tag.Of != nil:
		return d, fmt.Errorf("%w: of= names the parts of a do.Molecular", ErrSchema)
	case isSent:
		d.Kind, m.arg, m.res = s.declared()
	}
	if d.Kind != FieldMolecular {
		if d.Type, err = fields.TypeOf(m.arg, tag); err != nil {
			return d, fmt.Errorf("%w: %w", ErrSchema, err)
		}
	}
	if d.Kind == FieldCall {
		if d.Reply, err = fields.TypeOf(m.res, fields.Tag{}); err != nil {
			return d, fmt.Errorf("%w: reply: %w", ErrSchema, err)
		}
	}
	if err := setDefault(&d, tag); err != nil {
		return d, err
	}
	w.at[f.Name] = m
	w.names[f.Name] = rt.Name()
	return d, nil
}

// setDefault reads the default of a tag.
func setDefault(d *FieldDecl, tag fields.Tag) (err error) {
	switch {
	case !tag.HasDefault:
		return nil
	case d.Kind != FieldState:
		return fmt.Errorf("%w: only state fields have a default", ErrSchema)
	}
	if d.Default, err = d.Type.ParseText(tag.Default); err != nil {
		return fmt.Errorf("%w: default=%s: %w", ErrSchema, tag.Default, err)
	}
	return nil
}

// checkMember refuses what Go would let pass and a class cannot have.
func (w *walker) checkMember(rt reflect.Type, f reflect.StructField, tagged bool) error {
	_, method := reflect.PointerTo(objectType).MethodByName(f.Name)
	_, isSent := sentOf(f.Type)
	switch {
	case f.Type == objectType:
		return fmt.Errorf("%w: do.Object is embedded, it has no name", ErrSchema)
	case !f.IsExported():
		return fmt.Errorf("%w: it is not exported: what only one process knows belongs in a behaviour that embeds the class", ErrSchema)
	case f.Type.Kind() == reflect.Pointer:
		return fmt.Errorf("%w: %v is a pointer: a field is a value", ErrSchema, f.Type)
	case !tagged && (isSent || f.Type == molecularType):
		return fmt.Errorf(`%w: it has no do tag: write who may send it and who hears it, like do:"broadcast,ownsend", or do:"ai"`, ErrSchema)
	case !tagged:
		return fmt.Errorf(`%w: it has no do tag: write where it lives, like do:"required,broadcast", or do:"-" to leave it out`, ErrSchema)
	case method || f.Name == "Object":
		return fmt.Errorf("%w: it would hide %s of do.Object", ErrSchema, f.Name)
	case f.Name == "Generate" || f.Name == "Disable":
		return fmt.Errorf("%w: On%s is called when the object itself does that: take another name", ErrSchema, f.Name)
	case w.names[f.Name] != "":
		return fmt.Errorf("%w: the name is ambiguous: %s has a field %s, too", ErrSchema, w.names[f.Name], f.Name)
	}
	return nil
}

// constrained reports whether a tag has words about a value.
func constrained(t fields.Tag) bool {
	return t.Min+t.Max+t.MinLen+t.MaxLen+t.Pattern+t.As != "" || t.OneOf != nil || t.Scale != 0 || t.Mod != 0 || t.Elem != nil || t.Key != nil
}
