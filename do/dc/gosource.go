package dc

import (
	"fmt"
	"go/format"
	gotoken "go/token"
	"slices"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// GoSource is the Go file that declares the classes of s in a package, and a function Register that registers them
// with their UberDOG bindings. names are names for struct types by canonical text, as File.TypeNames has them; other
// struct types are named after the first field that has them.
//
// A Registry filled by it has the schema s, unless there are problems: what the language of schemas can say and Go cannot
// declare, each with what to do about it. Where a problem is, the source has a comment.
func GoSource(s *do.Schema, pkg string, names map[string]string) (source []byte, problems []string, err error) {
	if !gotoken.IsIdentifier(pkg) {
		return nil, nil, fmt.Errorf("dc: %q is no name for a package", pkg)
	}
	g := &generator{names: names, types: make(map[string]string), taken: make(map[string]bool)}
	for _, c := range s.Classes() {
		if !gotoken.IsExported(c.Name()) || !gotoken.IsIdentifier(c.Name()) {
			return nil, nil, fmt.Errorf("dc: class %s: its name is no exported name of Go", c.Name())
		}
		g.taken[c.Name()] = true
	}
	for g.function = "Register"; g.taken[g.function]; {
		g.function += "_"
	}
	g.taken[g.function] = true
	for _, c := range s.Classes() {
		g.class(c)
	}
	g.register(s)
	var b strings.Builder
	b.WriteString("package " + pkg + "\n\nimport (\n")
	if g.usesTime {
		b.WriteString("\"time\"\n\n")
	}
	b.WriteString("\"github.com/otpd/otpd/do\"\n)\n" + g.out.String())
	for _, d := range g.decls {
		b.WriteString(d)
	}
	source, err = format.Source([]byte(b.String()))
	if err != nil {
		err = fmt.Errorf("dc: go source: %w", err)
	}
	return source, g.problems, err
}

// generator writes one file.
type generator struct {
	out      strings.Builder
	decls    []string          // of struct types, in the order of their use
	types    map[string]string // canonical text to the name of a struct type
	names    map[string]string // names that are wished for
	taken    map[string]bool
	function string // that registers
	usesTime bool
	problems []string
}

func (g *generator) problem(format string, args ...any) string {
	p := fmt.Sprintf(format, args...)
	g.problems = append(g.problems, p)
	return "// " + p + "\n"
}

// class writes the declaration of a class.
func (g *generator) class(c *do.Class) {
	var body strings.Builder
	body.WriteString(g.embedded(c))
	for _, f := range c.Own() {
		if f.Gone {
			body.WriteString("_ do.Gone\n")
			continue
		}
		body.WriteString(g.member(c, &f))
	}
	fmt.Fprintf(&g.out, "\n// %s is a class of distributed objects.\ntype %s struct {\n%s}\n", c.Name(), c.Name(), body.String())
}

// embedded writes what a class embeds, and says what Go cannot embed.
func (g *generator) embedded(c *do.Class) string {
	var b strings.Builder
	parents := c.Parents()
	if len(parents) != 1 || len(c.Own()) == 0 {
		b.WriteString("do.Object\n")
	}
	for _, p := range parents {
		b.WriteString(p.Name() + "\n")
	}
	seen := make(map[*do.Class]bool)
	for _, p := range parents {
		for _, a := range p.Ancestors() {
			if seen[a] {
				b.WriteString(g.problem("class %s inherits from %s by two ways: Go would hold its fields twice; let one of its parents not inherit from it", c.Name(), a.Name()))
			}
			seen[a] = true
		}
	}
	return b.String() + "\n"
}

// member writes one field.
func (g *generator) member(c *do.Class, f *do.FieldDecl) string {
	why := ""
	switch {
	case !gotoken.IsExported(f.Name):
		why = "its name is not exported"
	case strings.Contains(taken, " "+f.Name+" ") || objectMethod(f.Name):
		why = "every object has a " + f.Name + " of its own"
	}
	if slices.ContainsFunc(c.Parents(), func(p *do.Class) bool { return p.Name() == f.Name }) {
		why = "the class embeds its parent by that name"
	}
	for _, a := range c.Ancestors() {
		for _, o := range a.Own() {
			if a != c && o.Name == f.Name && !o.Gone {
				why = fmt.Sprintf("%s declares it, too, and a name is declared once in Go", a.Name())
			}
		}
	}
	if f.Kind == do.FieldMolecular {
		for _, p := range f.Parts {
			if part := c.FieldByName(p); part != nil && part.Kind != do.FieldState {
				why = fmt.Sprintf("its part %s is no state field, and in Go a molecular field is sent with the values of its parts", p)
			}
		}
	}
	typ, tag, bad := g.goField(c, f)
	if why == "" {
		why = bad
	}
	if why != "" {
		return g.problem("class %s: field %s cannot be declared in Go: %s; rename it or leave it out of the schema", c.Name(), f.Name, why)
	}
	return f.Name + " " + typ + " " + goTag(tag) + "\n"
}

// goField is the Go type of a field and the words of its tag; bad says why there is none.
func (g *generator) goField(c *do.Class, f *do.FieldDecl) (typ string, words []string, bad string) {
	words = strings.Fields(f.Keywords.String())
	name := c.Name() + f.Name
	switch f.Kind {
	case do.FieldMolecular:
		return "do.Molecular", []string{"of=" + strings.Join(f.Parts, "|")}, ""
	case do.FieldEvent:
		typ = "do.Event[" + g.goType(f.Type, name) + "]"
	case do.FieldCall:
		typ = "do.Call[" + g.goType(f.Type, name) + ", " + g.goType(f.Reply, name+"Reply") + "]"
		if w, why := g.words(f.Reply); len(w) > 0 || why != "" {
			return "", nil, "its reply is constrained, which only the members of a struct can be"
		}
	default:
		typ = g.goType(f.Type, name)
	}
	constraints, bad := g.words(f.Type)
	words = append(words, constraints...)
	if f.Rate != 0 {
		words = append(words, "rate="+strconv.FormatFloat(f.Rate, 'g', -1, 64))
	}
	if f.Default != nil {
		words = append(words, "default="+quoteWord(f.Type.Text(f.Default)))
	}
	if len(words) == 0 {
		words = []string{"ai"}
	}
	return typ, words, bad
}

// register writes the function that registers all classes in order.
func (g *generator) register(s *do.Schema) {
	fmt.Fprintf(&g.out, "\n// %s registers the classes in the order of the schema, and the UberDOGs.\nfunc %s(r *do.Registry) error {\n", g.function, g.function)
	g.out.WriteString("for _, class := range []any{\n")
	for _, c := range s.Classes() {
		g.out.WriteString(c.Name() + "{},\n")
	}
	g.out.WriteString("} {\nif err := r.Class(class); err != nil {\nreturn err\n}\n}\n")
	for _, u := range s.UberDOGs() {
		id := u.ID
		fmt.Fprintf(&g.out, "if err := r.UberDOG(do.WellKnown(%s), %s{}, %v); err != nil {\nreturn err\n}\n", strings.TrimPrefix(id.String(), "#"), u.Class, u.Anonymous)
	}
	g.out.WriteString("return nil\n}\n")
}

// goType is the Go type for t, without its constraints. Structs get a name: that of the files, or hint.
func (g *generator) goType(t *fields.Type, hint string) string {
	switch k := t.Kind(); k {
	case fields.KindBytes:
		return "[]byte"
	case fields.KindTime:
		g.usesTime = true
		return "time.Time"
	case fields.KindDuration:
		g.usesTime = true
		return "time.Duration"
	case fields.KindID:
		return "do.ID"
	case fields.KindPacked:
		b, _, _, _ := t.Packing()
		return b.String()
	case fields.KindArray:
		return fmt.Sprintf("[%d]%s", t.Len(), g.goType(t.Elem(), hint+"Item"))
	case fields.KindSlice:
		return "[]" + g.goType(t.Elem(), hint+"Item")
	case fields.KindMap:
		return "map[string]" + g.goType(t.Elem(), hint+"Item")
	case fields.KindStruct:
		return g.structType(t, hint)
	default:
		return k.String()
	}
}

// structType declares the struct t, once, and is its name.
func (g *generator) structType(t *fields.Type, hint string) string {
	if len(t.Members()) == 0 {
		return "struct{}"
	}
	if name := g.types[t.String()]; name != "" {
		return name
	}
	name := hint
	if wish := g.names[t.String()]; gotoken.IsExported(wish) && gotoken.IsIdentifier(wish) {
		name = wish
	}
	for g.taken[name] {
		name += "_"
	}
	g.taken[name] = true
	g.types[t.String()] = name
	var b strings.Builder
	fmt.Fprintf(&b, "\n// %s is a value of fields.\ntype %s struct {\n", name, name)
	place := len(g.decls)
	g.decls = append(g.decls, "")
	for _, m := range t.Members() {
		typ := g.goType(m.Type, name+m.Name)
		words, bad := g.words(m.Type)
		switch {
		case !gotoken.IsExported(m.Name):
			b.WriteString(g.problem("type %s: member %s cannot be declared in Go: its name is not exported; rename it", name, m.Name))
			continue
		case bad != "":
			b.WriteString(g.problem("type %s: member %s cannot be declared in Go: %s", name, m.Name, bad))
			continue
		}
		b.WriteString(m.Name + " " + typ)
		if len(words) > 0 {
			b.WriteString(" " + goTag(words))
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n")
	g.decls[place] = b.String()
	return name
}

// words are the words of a tag for the constraints of t; bad says what a tag cannot say.
func (g *generator) words(t *fields.Type) (words []string, bad string) {
	add := func(word, value string) { words = append(words, word+"="+quoteWord(value)) }
	switch k := t.Kind(); k {
	case fields.KindString, fields.KindBytes, fields.KindSlice, fields.KindMap:
		least, most := t.Lengths()
		if least > 0 {
			add("min", strconv.Itoa(least))
		}
		if most < fields.MaxValueLen {
			add("max", strconv.Itoa(most))
		}
	case fields.KindPacked:
		_, as, scale, mod := t.Packing()
		add("as", as.String())
		if scale != 1 {
			add("scale", strconv.FormatFloat(scale, 'f', -1, 64))
		}
		if mod != 0 {
			add("mod", strconv.FormatFloat(mod, 'g', -1, 64))
		}
		words = append(words, bounds(t)...)
	case fields.KindBool, fields.KindTime, fields.KindID, fields.KindStruct, fields.KindArray:
	default:
		words = append(words, bounds(t)...)
	}
	if p := t.Pattern(); p != "" {
		add("pattern", p)
	}
	if one := t.OneOf(); one != nil {
		if slices.ContainsFunc(one, func(v string) bool { return v == "" || strings.Contains(v, "|") }) {
			bad = "one of its allowed values is empty or has a | in it"
		}
		add("oneof", strings.Join(one, "|"))
	}
	for _, part := range []struct {
		word string
		typ  *fields.Type
	}{{"key", t.Key()}, {"elem", t.Elem()}} {
		if part.typ == nil {
			continue
		}
		inner, why := g.words(part.typ)
		if why != "" {
			bad = why
		}
		if len(inner) > 0 {
			add(part.word, strings.Join(inner, ","))
		}
	}
	return words, bad
}

// bounds are min and max of a number.
func bounds(t *fields.Type) (words []string) {
	lo, hi := t.Range()
	if lo != "" {
		words = append(words, "min="+lo)
	}
	if hi != "" {
		words = append(words, "max="+hi)
	}
	return words
}

// quoteWord is a value as a tag has it.
func quoteWord(v string) string {
	if v != "" && !strings.ContainsAny(v, ",' \"=") && strings.TrimSpace(v) == v {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'"
}

// goTag is the literal of a struct tag.
func goTag(words []string) string {
	tag := "do:" + strconv.Quote(strings.Join(words, ","))
	if strings.ContainsAny(tag, "`\r") || !strconv.CanBackquote(tag) {
		return strconv.Quote(tag)
	}
	return "`" + tag + "`"
}
