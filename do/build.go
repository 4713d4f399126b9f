package do

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/otpd/otpd/fields"
)

// maxFields bounds what a short text can make of itself by inheritance.
const maxFields = 1 << 18

// NewSchema makes a schema of declarations: checks them, linearises the classes and numbers the fields.
// Errors wrap ErrSchema and name class and field.
func NewSchema(classes []ClassDecl, uberdogs []Binding) (*Schema, error) {
	s := &Schema{byName: make(map[string]*Class, len(classes))}
	for i := range classes {
		if err := s.add(&classes[i]); err != nil {
			at := classes[i].At
			if in, ok := err.(*fieldError); ok {
				at = in.at
			}
			return nil, fmt.Errorf("do: %sclass %s: %w", at, classes[i].Name, err)
		}
	}
	s.uberdogs = slices.Clone(uberdogs)
	slices.SortFunc(s.uberdogs, func(a, b Binding) int { return a.ID.Compare(b.ID) })
	for i, b := range s.uberdogs {
		if err := s.checkUberDOG(b); err != nil {
			return nil, fmt.Errorf("do: uberdog %s: %w", b.ID, err)
		}
		if i > 0 && s.uberdogs[i-1].ID == b.ID {
			return nil, fmt.Errorf("do: uberdog %s: %w: the id is bound twice, to %s and %s", b.ID, ErrSchema, s.uberdogs[i-1].Class, b.Class)
		}
	}
	s.text = schemaText(s)
	s.summary = sha256.Sum256(s.text)
	return s, nil
}

// fieldError says which field of a class an error is about, and where that stands.
type fieldError struct {
	at   Position
	name string
	err  error
}

func (e *fieldError) Error() string { return "field " + e.name + ": " + e.err.Error() }

func (e *fieldError) Unwrap() error { return e.err }

// checkUberDOG refuses bindings that cannot be reached, and classes with state, which an UberDOG has not (rule 171).
func (s *Schema) checkUberDOG(b Binding) error {
	c := s.byName[b.Class]
	switch {
	case !b.ID.IsWellKnown():
		return fmt.Errorf("%w: an UberDOG has a well-known id (do.WellKnown)", ErrSchema)
	case b.ID.Number() > MaxUberDOG:
		return fmt.Errorf("%w: an UberDOG's number is at most %d, since clients name it in 31 bits", ErrSchema, uint32(MaxUberDOG))
	case c == nil:
		return fmt.Errorf("%w: there is no class %s", ErrSchema, b.Class)
	}
	for _, f := range c.fields {
		if f.Kind == FieldState || f.Kind == FieldMolecular {
			return fmt.Errorf("%w: an UberDOG has no state, and %s is a %s field (rule 171)", ErrSchema, f, f.Kind)
		}
		if f.OwnerAnswers() {
			return fmt.Errorf("%w: an UberDOG has no owner, who would answer %s: leave out ownrecv", ErrSchema, f)
		}
	}
	return nil
}

// add makes the class of d and appends it.
func (s *Schema) add(d *ClassDecl) error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if s.byName[d.Name] != nil {
		return fmt.Errorf("%w: declared twice", ErrSchema)
	}
	if len(d.Parents) >= fields.MaxLevels {
		return fmt.Errorf("%w: %d parents, %d are allowed", ErrSchema, len(d.Parents), fields.MaxLevels-1)
	}
	c := &Class{name: d.Name, number: uint32(len(s.classes)), own: slices.Clone(d.Fields), byName: make(map[string]*Field)}
	for _, name := range d.Parents {
		p := s.byName[name]
		if p == nil {
			return fmt.Errorf("%w: parent %s is not declared before it", ErrSchema, name)
		}
		if slices.Contains(c.parents, p) {
			return fmt.Errorf("%w: parent %s is named twice", ErrSchema, name)
		}
		c.parents = append(c.parents, p)
	}
	if err := c.linearise(); err != nil {
		return err
	}
	if err := c.checkOwn(); err != nil {
		return err
	}
	if err := c.numberFields(); err != nil {
		return err
	}
	if s.fields += len(c.fields); s.fields > maxFields {
		return fmt.Errorf("%w: with it the schema has more than %d fields, inherited ones counted in each class", ErrSchema, maxFields)
	}
	c.text = classText(c)
	h := sha256.New()
	for _, a := range c.linear {
		h.Write([]byte(a.text))
	}
	h.Sum(c.summary[:0])
	s.classes = append(s.classes, c)
	s.byName[c.name] = c
	return nil
}

// linearise sets c.linear by C3: every class after its children, parents in the order of the declaration, and the
// order within each parent's linearisation kept. See Barrett et al., "A Monotonic Superclass Linearization for
// Dylan", OOPSLA 1996.
func (c *Class) linearise() error {
	var todo [][]*Class
	for _, p := range c.parents {
		l := slices.Clone(p.linear)
		slices.Reverse(l)
		todo = append(todo, l)
	}
	todo = append(todo, slices.Clone(c.parents))
	order := []*Class{c}
	for {
		todo = slices.DeleteFunc(todo, func(l []*Class) bool { return len(l) == 0 })
		if len(todo) == 0 {
			break
		}
		next := nextC3(todo)
		if next == nil {
			return fmt.Errorf("%w: the order of its parents contradicts the order of theirs (C3): %s before %s, and the other way round",
				ErrSchema, todo[0][0], todo[len(todo)-1][0])
		}
		order = append(order, next)
		for i, l := range todo {
			if l[0] == next {
				todo[i] = l[1:]
			}
		}
	}
	if len(order) > fields.MaxLevels {
		return fmt.Errorf("%w: with its ancestors it is %d classes deep, %d are allowed", ErrSchema, len(order), fields.MaxLevels)
	}
	slices.Reverse(order)
	c.linear = order
	return nil
}

// nextC3 is the first head that is in no tail.
func nextC3(todo [][]*Class) *Class {
	for _, l := range todo {
		if !slices.ContainsFunc(todo, func(o []*Class) bool { return slices.Contains(o[1:], l[0]) }) {
			return l[0]
		}
	}
	return nil
}

// checkOwn checks the class's own declarations.
func (c *Class) checkOwn() error {
	if len(c.own) > fields.MaxOwnFields {
		return fmt.Errorf("%w: %d own fields, %d are allowed", ErrSchema, len(c.own), fields.MaxOwnFields)
	}
	seen := make(map[string]bool, len(c.own))
	for i := range c.own {
		f := &c.own[i]
		if f.Gone {
			c.own[i] = FieldDecl{Gone: true}
			continue
		}
		err := checkField(f)
		if err == nil && seen[f.Name] {
			err = fmt.Errorf("%w: declared twice", ErrSchema)
		}
		if err == nil && f.Name == c.name {
			err = fmt.Errorf("%w: a field cannot have the name of its class (rule 155)", ErrSchema)
		}
		if err != nil {
			return &fieldError{f.At, f.Name, err}
		}
		seen[f.Name] = true
		f.Keywords &^= fields.AI // the default: the same schema whether it is written out or not
	}
	return nil
}

// numberFields gives c a Field for each of its own and inherited declarations that is neither gone nor hidden.
func (c *Class) numberFields() error {
	from := make(map[string]*Class) // who declares a name: the child before the parent, the first parent before the second (rule 153)
	for _, a := range slices.Backward(c.linear) {
		for i := range a.own {
			if name := a.own[i].Name; name != "" && from[name] == nil {
				from[name] = a
			}
		}
	}
	for level, a := range c.linear {
		row := make([]*Field, len(a.own))
		for i := range a.own {
			d := &a.own[i]
			if d.Gone || from[d.Name] != a {
				continue
			}
			f, err := c.newField(a, d, level, i)
			if err != nil {
				return &fieldError{d.At, d.Name, err}
			}
			row[i] = f
			c.byName[d.Name] = f
			c.fields = append(c.fields, f)
		}
		c.levels = append(c.levels, row)
	}
	slices.SortFunc(c.fields, func(a, b *Field) int { return int(a.Number) - int(b.Number) })
	for _, f := range c.fields {
		if f.Kind == FieldState && f.Keywords.Any(fields.Required|fields.RAM) {
			f.Slot = len(c.stored)
			c.stored = append(c.stored, f)
		}
	}
	if err := c.setMarks(); err != nil {
		return err
	}
	return c.checkColumns()
}

// newField makes the field of declaration d of the ancestor a.
func (c *Class) newField(a *Class, d *FieldDecl, level, index int) (*Field, error) {
	n, err := fields.NewNumber(level, index)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	f := &Field{
		Number: n, Name: d.Name, Class: a, Kind: d.Kind, Keywords: d.Keywords, Type: d.Type, Reply: d.Reply,
		Default: d.Default, Rate: d.Rate, Slot: -1,
	}
	switch {
	case f.Kind == FieldMolecular:
		err = c.setParts(f, d.Parts)
	case f.Kind == FieldState && f.Default != nil:
		f.initial = f.Default
	case f.Kind == FieldState:
		f.initial = f.Type.Zero()
	}
	return f, err
}

// access are the keywords that all parts of a molecular share: the historical ones (rule 61), and review, since
// who sets a value cannot differ within one update.
const access = kept | clients | fields.Broadcast | fields.ClRecv | fields.OwnRecv | fields.AIRecv | fields.Review

// setParts gives a molecular its parts, and their keywords.
func (c *Class) setParts(f *Field, parts []string) error {
	latest := fields.Latest
	for _, name := range parts {
		p := c.byName[name]
		switch {
		case p == nil:
			return fmt.Errorf("%w: part %s is not declared before it", ErrSchema, name)
		case p.Kind == FieldMolecular || p.Kind == FieldCall:
			return fmt.Errorf("%w: part %s is a %s: parts are state fields or events", ErrSchema, name, p.Kind)
		case slices.Contains(f.Parts, p):
			return fmt.Errorf("%w: part %s is named twice", ErrSchema, name)
		case len(f.Parts) > 0 && (p.Keywords^f.Parts[0].Keywords)&access != 0:
			return fmt.Errorf("%w: part %s is %q and part %s is %q: all parts have the same keywords (rule 61)",
				ErrSchema, parts[0], f.Parts[0].Keywords&access, name, p.Keywords&access)
		}
		latest &= p.Keywords
		f.Parts = append(f.Parts, p)
	}
	f.Keywords = f.Parts[0].Keywords&access | latest
	return nil
}

// checkColumns refuses db fields that some databases could not tell apart.
func (c *Class) checkColumns() error {
	seen := make(map[string]*Field)
	for _, f := range c.fields {
		if !f.Keywords.Has(fields.DB) || f.Kind != FieldState {
			continue
		}
		low := strings.ToLower(f.Name)
		if o := seen[low]; o != nil {
			return fmt.Errorf("field %s: %w: it differs from %s only in case, and both are db: some databases take them for one", f.Name, ErrSchema, o.Name)
		}
		seen[low] = f
	}
	return nil
}
