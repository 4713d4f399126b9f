package do

import (
	"fmt"
	"strings"

	"github.com/otpd/otpd/fields"
)

// maxText is the longest text of a schema in bytes.
const maxText = 8 << 20

// ParseSchema reads the text of a schema: what Schema.Text writes, with any white space and comments. Errors wrap
// ErrSchema and begin with the line and column, both from 1.
func ParseSchema(text []byte) (*Schema, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("do: parse schema: %w: %d bytes, %d are allowed", ErrSchema, len(text), maxText)
	}
	p := &parser{lex: lexer{rest: string(text), at: Position{Line: 1, Col: 1}}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	for p.tok.kind != tokenEnd {
		if err := p.top(); err != nil {
			return nil, err
		}
	}
	return NewSchema(p.classes, p.uberdogs)
}

// parser reads a schema's text by recursive descent with one token of lookahead.
type parser struct {
	lex      lexer
	tok      token
	last     Position // where the token before tok stands
	classes  []ClassDecl
	uberdogs []Binding
}

// advance reads the next token into p.tok.
func (p *parser) advance() error {
	p.last = p.tok.at
	t, err := p.lex.next()
	p.tok = t
	return err
}

// fail is an error at the current token.
func (p *parser) fail(format string, args ...any) error { return failAt(p.tok.at, format, args...) }

func failAt(at Position, format string, args ...any) error {
	return fmt.Errorf("do: %s%w: "+format, append([]any{at, ErrSchema}, args...)...)
}

// is reports whether the current token is that word or sign.
func (p *parser) is(text string) bool {
	return p.tok.text == text && (p.tok.kind == tokenWord || p.tok.kind == tokenPunct)
}

// expect moves over that word or sign.
func (p *parser) expect(text string) error {
	if !p.is(text) {
		return p.fail("want %q, not %s", text, p.tok)
	}
	return p.advance()
}

// accept moves over that word or sign if it is there.
func (p *parser) accept(text string) (bool, error) {
	if !p.is(text) {
		return false, nil
	}
	return true, p.advance()
}

// word takes a word.
func (p *parser) word(what string) (string, error) {
	if p.tok.kind != tokenWord {
		return "", p.fail("want %s, not %s", what, p.tok)
	}
	w := p.tok.text
	return w, p.advance()
}

// list takes one or more words with commas between them.
func (p *parser) list(what string) ([]string, error) {
	var out []string
	for {
		w, err := p.word(what)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
		if more, err := p.accept(","); !more || err != nil {
			return out, err
		}
	}
}

// top reads a class, the declaration of a keyword, or the binding of an UberDOG.
func (p *parser) top() error {
	switch {
	case p.is("dclass"):
		return p.class()
	case p.is("keyword"):
		if err := p.advance(); err != nil {
			return err
		}
		at := p.tok.at
		w, err := p.word("a keyword")
		if err != nil {
			return err
		}
		if _, err := fields.ParseKeyword(w); err != nil {
			return failAt(at, "%w", err)
		}
		return p.expect(";")
	case p.tok.kind == tokenNote:
		return p.uberdog()
	}
	return p.fail("want dclass, not %s", p.tok)
}

// uberdog reads a binding: uberdog ID CLASS [anonymous];
func (p *parser) uberdog() error {
	words := strings.Fields(strings.TrimSuffix(p.tok.text, ";"))
	if len(words) < 3 || words[0] != "uberdog" || len(words) > 4 || len(words) == 4 && words[3] != "anonymous" {
		return p.fail("want uberdog ID CLASS [anonymous];, not %s", p.tok)
	}
	id, err := ParseID(words[1])
	if err != nil {
		return p.fail("uberdog: %w", err)
	}
	p.uberdogs = append(p.uberdogs, Binding{ID: id, Class: words[2], Anonymous: len(words) == 4})
	return p.advance()
}

// class reads dclass NAME [: PARENT, ...] { field ... };
func (p *parser) class() error {
	if err := p.expect("dclass"); err != nil {
		return err
	}
	d := ClassDecl{At: p.tok.at}
	var err error
	if d.Name, err = p.word("the name of a class"); err != nil {
		return err
	}
	inherits, err := p.accept(":")
	if err != nil {
		return err
	}
	if inherits {
		if d.Parents, err = p.list("the name of a parent"); err != nil {
			return err
		}
	}
	if err := p.expect("{"); err != nil {
		return err
	}
	for !p.is("}") {
		f, err := p.field()
		if err != nil {
			return err
		}
		d.Fields = append(d.Fields, f)
	}
	p.classes = append(p.classes, d)
	if err := p.advance(); err != nil {
		return err
	}
	_, err = p.accept(";")
	return err
}

// field reads one field, or the mark of a gone one.
func (p *parser) field() (FieldDecl, error) {
	d := FieldDecl{At: p.tok.at}
	if p.tok.kind == tokenNote {
		if strings.TrimSuffix(p.tok.text, ";") != "gone" {
			return d, p.fail("want a field or //! gone;, not %s", p.tok)
		}
		d.Gone = true
		return d, p.advance()
	}
	if p.tok.kind != tokenWord {
		return d, p.fail("want a field, not %s", p.tok)
	}
	if dcBase(p.tok.text) != "" {
		return d, p.state(&d)
	}
	d.Name = p.tok.text
	if err := p.advance(); err != nil {
		return d, err
	}
	switch {
	case p.is(":"):
		return d, p.molecular(&d)
	case p.is("("):
		return d, p.method(&d)
	}
	return d, p.fail("want a type, or : or ( after the name %s, not %s", d.Name, p.tok)
}

// molecular reads : PART, PART ...;
func (p *parser) molecular(d *FieldDecl) (err error) {
	d.Kind = FieldMolecular
	if err := p.expect(":"); err != nil {
		return err
	}
	if d.Parts, err = p.list("the name of a part"); err != nil {
		return err
	}
	return p.tail(d, "", "")
}

// method reads (TYPE) KEYWORDS; which is an event, or a call if the comment has a reply.
func (p *parser) method(d *FieldDecl) error {
	d.Kind = FieldEvent
	if err := p.expect("("); err != nil {
		return err
	}
	dc := "" // no argument: the struct without members
	if !p.is(")") {
		var err error
		if dc, err = p.dcType(); err != nil {
			return err
		}
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	return p.tail(d, dc, "")
}

// state reads TYPE NAME [= DEFAULT] KEYWORDS;
func (p *parser) state(d *FieldDecl) error {
	dc, err := p.dcType()
	if err != nil {
		return err
	}
	d.At = p.tok.at
	if d.Name, err = p.word("the name of a field"); err != nil {
		return err
	}
	value := ""
	given, err := p.accept("=")
	if err != nil {
		return err
	}
	if given {
		if value, err = p.dcDefault(); err != nil {
			return err
		}
	}
	return p.tail(d, dc, value)
}

// tail reads KEYWORDS ; and the comment in the same line, and completes d with them.
func (p *parser) tail(d *FieldDecl, dc, value string) error {
	for p.tok.kind == tokenWord {
		k, err := fields.ParseKeyword(p.tok.text)
		if err != nil {
			return p.fail("%w", err)
		}
		d.Keywords |= k
		if err := p.advance(); err != nil {
			return err
		}
	}
	if err := p.expect(";"); err != nil {
		return err
	}
	var n note
	if p.tok.kind == tokenNote && p.tok.at.Line == p.last.Line && p.tok.text != "gone;" {
		var err error
		if n, err = readNote(p.tok.text); err != nil {
			return p.fail("%w", err)
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	if err := n.complete(d, dc, value); err != nil {
		return failAt(d.At, "field %s: %w", d.Name, err)
	}
	return nil
}
