package dc

import (
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// What a file can make of our memory and time is bounded.
const (
	maxText     = 8 << 20 // bytes of all files
	maxDepth    = 32      // of structs within parameters, brackets within defaults
	maxWeight   = 1 << 20 // types, counted again wherever a struct is named
	maxRepeat   = 1 << 16 // elements of one default
	maxKeywords = 64      // of one field
)

// Read reads the files in order, as if they were one. The error is the first thing that is wrong, with its place.
func Read(sources ...Source) (*File, error) {
	f := &File{keywords: make(map[string]bool), byName: make(map[string]any)}
	size := 0
	for _, s := range sources {
		if size += len(s.Text); size > maxText {
			return nil, failAt(do.Position{File: s.Name, Line: 1, Col: 1}, "with this file there are %d bytes to read, %d are allowed", size, maxText)
		}
		p := &parser{file: f, lex: lexer{rest: string(s.Text), at: do.Position{File: s.Name, Line: 1, Col: 1}}}
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parser reads one file by recursive descent with one token of lookahead.
type parser struct {
	file  *File
	lex   lexer
	tok   token
	last  do.Position // of the token before tok
	depth int
}

func (p *parser) read() error {
	if err := p.advance(); err != nil {
		return err
	}
	for p.tok.kind != tokenEnd {
		if err := p.top(); err != nil {
			return err
		}
	}
	return nil
}

// advance reads the next token into p.tok.
func (p *parser) advance() (err error) {
	p.last = p.tok.at
	p.tok, err = p.lex.next()
	return err
}

// fail is an error at the current token.
func (p *parser) fail(format string, args ...any) error { return failAt(p.tok.at, format, args...) }

// is reports whether the current token is that word or sign.
func (p *parser) is(text string) bool {
	return p.tok.text == text && (p.tok.kind == tokenWord || p.tok.kind == tokenPunct)
}

// accept moves over that word or sign if it is there.
func (p *parser) accept(text string) (bool, error) {
	if !p.is(text) {
		return false, nil
	}
	return true, p.advance()
}

// expect moves over that word or sign.
func (p *parser) expect(text string) error {
	if !p.is(text) {
		return p.fail("want %q, not %s", text, p.tok)
	}
	return p.advance()
}

// languageWords cannot be names.
const languageWords = " dclass struct keyword typedef import from switch case default break "

// name takes a name.
func (p *parser) name(what string) (string, error) {
	if p.tok.kind != tokenWord {
		return "", p.fail("want %s, not %s", what, p.tok)
	}
	w := p.tok.text
	if _, builtin := baseOf(w); builtin || strings.Contains(languageWords, " "+w+" ") {
		return "", p.fail("want %s, and %q is a word of the language", what, w)
	}
	return w, p.advance()
}

// enter counts nesting.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.fail("nested deeper than %d", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// top reads one declaration.
func (p *parser) top() error {
	switch {
	case p.is(";"):
		return p.advance()
	case p.is("dclass"), p.is("struct"):
		_, err := p.class(true)
		return err
	case p.is("keyword"):
		return p.keywordDecl()
	case p.is("typedef"):
		return p.typedef()
	case p.is("import"), p.is("from"):
		return p.imports()
	case p.is("switch"):
		return p.noSwitch()
	case p.tok.kind == tokenNote:
		return p.uberdog()
	}
	return p.fail("want dclass, struct, typedef, keyword or import, not %s", p.tok)
}

func (p *parser) noSwitch() error {
	return p.fail("a switch is not supported: its value has another type in each case; declare a struct with all members, or a blob that the game reads itself")
}

// keywordDecl reads keyword NAME ...; the other readers need no semicolon.
func (p *parser) keywordDecl() error {
	if err := p.advance(); err != nil {
		return err
	}
	for p.tok.kind == tokenWord && !strings.Contains(languageWords, " "+p.tok.text+" ") {
		w, err := p.name("a keyword")
		if err != nil {
			return err
		}
		p.file.keywords[w] = true
	}
	return nil
}

// imports reads import MODULE, or from MODULE import SYMBOL, ...
func (p *parser) imports() error {
	from := p.is("from")
	if err := p.advance(); err != nil {
		return err
	}
	var im Import
	var err error
	if im.Module, err = p.path("./"); err != nil {
		return err
	}
	if from {
		if err := p.expect("import"); err != nil {
			return err
		}
		if star, err := p.accept("*"); err != nil {
			return err
		} else if star {
			im.Symbols = []string{"*"}
		}
		for more := im.Symbols == nil; more; {
			s, err := p.path("/")
			if err != nil {
				return err
			}
			im.Symbols = append(im.Symbols, s)
			if more, err = p.accept(","); err != nil {
				return err
			}
		}
	}
	p.file.imports = append(p.file.imports, im)
	return nil
}

// path takes names with one of the signs between them: direct.distributed, DistributedObject/AI/OV.
func (p *parser) path(signs string) (string, error) {
	var b strings.Builder
	for {
		w, err := p.name("the name of a module")
		if err != nil {
			return "", err
		}
		b.WriteString(w)
		if p.tok.kind != tokenPunct || !strings.Contains(signs, p.tok.text) {
			return b.String(), nil
		}
		b.WriteString(p.tok.text)
		if err := p.advance(); err != nil {
			return "", err
		}
	}
}

// uberdog reads the structured comment uberdog ID CLASS [anonymous];
func (p *parser) uberdog() error {
	words := strings.Fields(strings.TrimSuffix(p.tok.text, ";"))
	if len(words) < 3 || words[0] != "uberdog" || len(words) > 4 || len(words) == 4 && words[3] != "anonymous" {
		return p.fail("want uberdog ID CLASS [anonymous];, not %s", p.tok)
	}
	id, err := do.ParseID(words[1])
	if err != nil {
		return p.fail("uberdog: %w", err)
	}
	p.file.bindings = append(p.file.bindings, do.Binding{ID: id, Class: exported(words[2]), Anonymous: len(words) == 4})
	return p.advance()
}

// typedef reads typedef TYPE NAME [= DEFAULT];
func (p *parser) typedef() error {
	if err := p.advance(); err != nil {
		return err
	}
	par, err := p.param()
	if err != nil {
		return err
	}
	if par.name == "" {
		return p.fail("want the name of the typedef, not %s", p.tok)
	}
	d := &typedef{at: par.at, name: par.name, typ: par.typ, def: par.def}
	if err := p.declare(d.at, d.name, d); err != nil {
		return err
	}
	p.file.typedefs = append(p.file.typedefs, d)
	return nil
}

// declare gives a name to a class or typedef.
func (p *parser) declare(at do.Position, name string, thing any) error {
	if p.file.byName[name] != nil {
		return failAt(at, "%s is declared twice", name)
	}
	p.file.byName[name] = thing
	return nil
}

// weigh counts what a type costs.
func (p *parser) weigh(at do.Position, n int) error {
	if p.file.weight += n; p.file.weight > maxWeight {
		return failAt(at, "with this there are more than %d types, those of a struct counted wherever it is named", maxWeight)
	}
	return nil
}

// historical are the keywords that need no declaration, with their bits in the legacy hash (rule 154).
var historical = map[string]uint32{
	"required": 1 << 0, "broadcast": 1 << 1, "ownrecv": 1 << 2, "ram": 1 << 3, "db": 1 << 4,
	"clsend": 1 << 5, "clrecv": 1 << 6, "ownsend": 1 << 7, "airecv": 1 << 8,
}

// keywords reads the words behind a field.
func (p *parser) keywords() ([]keyword, error) {
	var out []keyword
	for p.tok.kind == tokenWord {
		k := keyword{name: p.tok.text, at: p.tok.at}
		bit, old := historical[k.name]
		declared := p.file.keywords[k.name]
		if _, err := fields.ParseKeyword(k.name); err != nil && !old && !declared {
			return nil, p.fail("unknown keyword %q: if it is one, declare it: keyword %s;", k.name, k.name)
		}
		if old && !declared {
			k.flag = bit
		}
		if len(out) == maxKeywords {
			return nil, p.fail("more than %d keywords", maxKeywords)
		}
		for _, o := range out {
			if o.name == k.name {
				return nil, p.fail("the keyword %q is there twice", k.name)
			}
		}
		out = append(out, k)
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
