package dc

import (
	"strings"

	"github.com/otpd/otpd/fields"
)

// class reads dclass NAME [: PARENT, ...] { FIELD; ... }, or a struct; a struct within a parameter needs no name and
// is not listed.
func (p *parser) class(listed bool) (*class, error) {
	c := &class{isStruct: p.is("struct"), number: -1, weight: 1}
	if err := p.advance(); err != nil {
		return nil, err
	}
	c.at = p.tok.at
	var err error
	if listed || p.tok.kind == tokenWord {
		if c.name, err = p.name("the name of the " + c.kind()); err != nil {
			return nil, err
		}
	}
	if inherits, err := p.accept(":"); err != nil {
		return nil, err
	} else if inherits {
		if err := p.parents(c); err != nil {
			return nil, err
		}
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	for !p.is("}") {
		if err := p.member(c); err != nil {
			return nil, err
		}
	}
	if listed {
		if err := p.declare(c.at, c.name, c); err != nil {
			return nil, err
		}
		if !c.isStruct {
			c.number = len(p.file.classes)
		}
		p.file.classes = append(p.file.classes, c)
	}
	return c, p.advance()
}

// kind is what the file calls it.
func (c *class) kind() string {
	if c.isStruct {
		return "struct"
	}
	return "dclass"
}

// parents reads the names of parents, which are of the same kind.
func (p *parser) parents(c *class) error {
	for {
		at := p.tok.at
		name, err := p.name("the name of a parent")
		if err != nil {
			return err
		}
		parent, ok := p.file.byName[name].(*class)
		switch {
		case !ok:
			return failAt(at, "the parent %s is not declared before it", name)
		case parent.isStruct != c.isStruct:
			return failAt(at, "%s is a %s: a %s inherits from its own kind", name, parent.kind(), c.kind())
		}
		for _, o := range c.parents {
			if o == parent {
				return failAt(at, "the parent %s is named twice", name)
			}
		}
		c.parents = append(c.parents, parent)
		c.weight += parent.weight
		if err := p.weigh(at, parent.weight); err != nil {
			return err
		}
		if more, err := p.accept(","); !more || err != nil {
			return err
		}
	}
}

// member reads one field of c, with its semicolon and structured comment, and adds it.
func (p *parser) member(c *class) error {
	f := &field{at: p.tok.at, class: c, number: -1}
	if p.is(";") {
		return p.advance()
	}
	if p.tok.kind == tokenNote {
		if strings.TrimSuffix(p.tok.text, ";") != "gone" || c.isStruct {
			return p.fail("want a field or //! gone;, not %s", p.tok)
		}
		f.form = gone
		c.fields = append(c.fields, f)
		return p.advance()
	}
	if err := p.field(c, f); err != nil {
		return err
	}
	var err error
	if f.form != molecular {
		if f.keywords, err = p.keywords(); err != nil {
			return err
		}
	}
	if c.isStruct && len(f.keywords) > 0 {
		return failAt(f.keywords[0].at, "a member of a struct has no keywords")
	}
	if err := p.expect(";"); err != nil {
		return err
	}
	if p.tok.kind == tokenNote && p.tok.at.Line == p.last.Line && p.tok.text != "gone;" {
		note := p.tok
		f.note = &note
		if err := p.advance(); err != nil {
			return err
		}
	}
	return p.add(c, f)
}

// add appends f to c.
func (p *parser) add(c *class, f *field) error {
	for i := range f.params {
		c.weight += f.params[i].typ.weight
	}
	for _, part := range f.parts {
		for i := range part.params {
			c.weight += part.params[i].typ.weight
		}
	}
	c.weight++
	if err := p.weigh(f.at, 1); err != nil {
		return err
	}
	switch {
	case f.name == "" && !c.isStruct:
		return failAt(f.at, "a field of a dclass has a name")
	case f.name != "" && f.name == c.name:
		if f.form != atomic || c.constructor != nil {
			return failAt(f.at, "%s is named as its %s: a constructor is one atomic field (rule 155)", f.name, c.kind())
		}
		c.constructor = f
		f.number = p.file.fields
		p.file.fields++
		return nil
	}
	if len(c.fields) >= fields.MaxOwnFields {
		return failAt(f.at, "more than %d fields in one %s", fields.MaxOwnFields, c.kind())
	}
	for _, o := range c.fields {
		if f.name != "" && o.name == f.name {
			return failAt(f.at, "the field %s is declared twice", f.name)
		}
	}
	f.number = p.file.fields
	p.file.fields++
	c.fields = append(c.fields, f)
	return nil
}

// field reads a field up to its keywords. What follows a name decides which form it has.
func (p *parser) field(c *class, f *field) error {
	if p.is("switch") {
		return p.noSwitch()
	}
	if p.is("(") {
		return p.fail("want the name of the field before %s", p.tok)
	}
	_, builtin := baseOf(p.tok.text)
	if p.tok.kind == tokenWord && !builtin && !p.is("struct") {
		at := p.tok.at
		name, err := p.name("a field")
		if err != nil {
			return err
		}
		switch {
		case p.is("("):
			f.name = name
			return p.atomic(f)
		case p.is(":"):
			f.name = name
			return p.molecular(c, f)
		}
		t, err := p.named(at, name)
		if err != nil {
			return err
		}
		return p.parameter(f, t)
	}
	t, err := p.typeName()
	if err != nil {
		return err
	}
	return p.parameter(f, t)
}

// parameter reads the rest of TYPE NAME [= DEFAULT].
func (p *parser) parameter(f *field, t *typ) error {
	par := param{at: f.at}
	if err := p.paramRest(&par, t); err != nil {
		return err
	}
	f.form, f.name, f.params = parameter, par.name, []param{par}
	return nil
}

// atomic reads the rest of NAME(PARAM, ...).
func (p *parser) atomic(f *field) error {
	f.form = atomic
	if err := p.expect("("); err != nil {
		return err
	}
	for more := !p.is(")"); more; {
		par, err := p.param()
		if err != nil {
			return err
		}
		f.params = append(f.params, par)
		if more, err = p.accept(","); err != nil {
			return err
		}
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	if given, err := p.accept("="); !given || err != nil {
		return err
	}
	v, err := p.value()
	f.def = &v
	return err
}

// molecular reads the rest of NAME : PART, ...
func (p *parser) molecular(c *class, f *field) error {
	f.form = molecular
	if err := p.expect(":"); err != nil {
		return err
	}
	for more := true; more; {
		at := p.tok.at
		if len(f.parts) == fields.MaxOwnFields {
			return failAt(at, "more than %d parts", fields.MaxOwnFields)
		}
		name, err := p.name("the name of a part")
		if err != nil {
			return err
		}
		part := c.field(name)
		switch {
		case part == nil:
			return failAt(at, "the part %s is not declared before it", name)
		case part.form == molecular:
			return failAt(at, "the part %s is molecular itself", name)
		case len(f.parts) > 0 && !sameKeywords(f.parts[0], part):
			return failAt(at, "the parts %s and %s have different keywords (rule 61)", f.parts[0].name, name)
		}
		if err := p.weigh(at, 1+weightOf(part)); err != nil {
			return err
		}
		f.parts = append(f.parts, part)
		if more, err = p.accept(","); err != nil {
			return err
		}
	}
	return nil
}

func weightOf(f *field) (n int) {
	for i := range f.params {
		n += f.params[i].typ.weight
	}
	return n
}

// sameKeywords reports whether two fields have the same keywords in any order; they have no duplicates.
func sameKeywords(a, b *field) bool {
	if len(a.keywords) != len(b.keywords) {
		return false
	}
	for _, k := range a.keywords {
		found := false
		for _, o := range b.keywords {
			found = found || o.name == k.name
		}
		if !found {
			return false
		}
	}
	return true
}
