package dc

import (
	"fmt"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Notice is something that a file says and that has no place in our schema, or another one.
type Notice struct {
	At   do.Position
	Text string
}

func (n Notice) String() string { return n.At.String() + n.Text }

// Schema is the schema that the files say, and what had to be left out or said differently, in the order of the
// files. docs/schema.md has the mapping. Errors wrap do.ErrSchema and begin with the place.
func (f *File) Schema() (*do.Schema, []Notice, error) {
	m := &mapper{}
	var decls []do.ClassDecl
	for _, c := range f.classes {
		if c.isStruct {
			continue
		}
		d, err := m.class(c)
		if err != nil {
			return nil, nil, err
		}
		decls = append(decls, d)
	}
	s, err := do.NewSchema(decls, f.bindings)
	return s, m.notices, err
}

// TypeNames are the names that the files give to structs, by the canonical text of the type: see GoSource.
func (f *File) TypeNames() map[string]string {
	names := make(map[string]string)
	for _, c := range f.classes {
		if !c.isStruct {
			continue
		}
		if t, err := (&mapper{}).structType(c); err == nil && names[t.String()] == "" {
			names[t.String()] = exported(c.name)
		}
	}
	return names
}

// mapper turns what files say into declarations.
type mapper struct{ notices []Notice }

func (m *mapper) notice(at do.Position, format string, args ...any) {
	m.notices = append(m.notices, Notice{at, fmt.Sprintf(format, args...)})
}

// exported is a name as Go shows it to other packages: names of the files begin with a lower-case letter by custom.
func exported(name string) string {
	if name == "" {
		return ""
	}
	if c := name[0]; c >= 'a' && c <= 'z' {
		name = string(c-'a'+'A') + name[1:]
	} else if c < 'A' || c > 'Z' {
		name = "X" + name
	}
	return name
}

// taken are the names of what every object has.
const taken = " Object Generate Disable "

// memberName is the name of a field in its class. What every object has already, or the class itself is called, gets
// an underscore at the end.
func memberName(f *field) string {
	name := exported(f.name)
	if strings.Contains(taken, " "+name+" ") || objectMethod(name) || name == exported(f.class.name) {
		name += "_"
	}
	return name
}

func (m *mapper) class(c *class) (do.ClassDecl, error) {
	d := do.ClassDecl{Name: exported(c.name), At: c.at}
	for _, p := range c.parents {
		d.Parents = append(d.Parents, exported(p.name))
	}
	if c.constructor != nil {
		m.notice(c.constructor.at, "the constructor %s is left out (rule 155)", c.name)
	}
	for _, f := range c.fields {
		fd, err := m.field(f)
		if err != nil {
			return d, err
		}
		d.Fields = append(d.Fields, fd)
	}
	return d, nil
}

// field maps one field. A value that is kept (required, ram, db) is a state field, any other an event.
func (m *mapper) field(f *field) (do.FieldDecl, error) {
	d := do.FieldDecl{Name: memberName(f), At: f.at}
	switch f.form {
	case gone:
		return do.FieldDecl{Gone: true, At: f.at}, nil
	case molecular:
		d.Kind = do.FieldMolecular
		for _, p := range f.parts {
			d.Parts = append(d.Parts, memberName(p))
		}
		if f.note != nil {
			return d, failAt(f.note.at, "a molecular field has no structured comment")
		}
		return d, nil
	}
	m.keywords(f, &d)
	noted, err := m.noted(f, &d)
	if err != nil || noted {
		return d, err
	}
	t, err := m.fieldType(f)
	if err != nil {
		return d, err
	}
	if err := m.annotate(f, &d, t); err != nil {
		return d, err
	}
	return d, m.setDefault(f, &d)
}

// keywords sets the keywords and the kind that follows from them.
func (m *mapper) keywords(f *field, d *do.FieldDecl) {
	for _, k := range f.keywords {
		one, err := fields.ParseKeyword(k.name)
		if err != nil {
			m.notice(k.at, "field %s: the keyword %s has no meaning here and is left out", f.name, k.name)
		}
		d.Keywords |= one
	}
	const stored = fields.Required | fields.RAM
	if !d.Keywords.Any(stored | fields.DB) {
		d.Kind = do.FieldEvent
	}
	if d.Keywords.Has(fields.ClRecv) && !d.Keywords.Any(stored) {
		d.Keywords &^= fields.ClRecv
		m.notice(f.at, "field %s: clrecv is left out: it is about the value at entry, which only required and ram fields have", f.name)
	}
}

// noted reads a field whose structured comment has its type: .dc has only something near it.
func (m *mapper) noted(f *field, d *do.FieldDecl) (bool, error) {
	if f.note == nil || !strings.Contains(f.note.text, "type=") {
		return false, nil
	}
	if err := m.annotate(f, d, nil); err != nil {
		return true, err
	}
	if len(f.params) > 0 && f.params[0].def != nil && d.Default == nil {
		return true, m.encode(f.params[0].def, d)
	}
	return true, nil
}

// annotate completes d by its type and its structured comment.
func (m *mapper) annotate(f *field, d *do.FieldDecl, t *fields.Type) error {
	d.Type = t
	if f.note == nil {
		return nil
	}
	if err := d.Annotate(f.note.text, t); err != nil {
		return failAt(f.note.at, "field %s: %w", f.name, err)
	}
	return nil
}

// setDefault sets the default that the files give: the field's own, or one made of those of its parts.
func (m *mapper) setDefault(f *field, d *do.FieldDecl) error {
	v, explicit := fieldDefault(f)
	switch {
	case !explicit:
		return nil
	case d.Default != nil:
		return failAt(v.at, "field %s: it has a default in its structured comment, too", f.name)
	case d.Kind != do.FieldState:
		m.notice(f.at, "field %s: its default is left out: only what is kept has one", f.name)
		return nil
	}
	return m.encode(&v, d)
}

// encode sets d's default to v.
func (m *mapper) encode(v *value, d *do.FieldDecl) error {
	text, err := valueText(v, d.Type)
	if err != nil {
		return err
	}
	if d.Default, err = d.Type.ParseText(text); err != nil {
		return failAt(v.at, "field %s: %w", d.Name, err)
	}
	return nil
}
