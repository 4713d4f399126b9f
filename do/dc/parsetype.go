package dc

import (
	"slices"

	"github.com/otpd/otpd/do"
)

// baseOf is the built-in type with that word.
func baseOf(word string) (base, bool) {
	i := slices.Index(baseWords, word)
	return base(max(i, 0)), i >= 0
}

// param reads TYPE [NAME] [= DEFAULT].
func (p *parser) param() (param, error) {
	par := param{at: p.tok.at}
	t, err := p.typeName()
	if err != nil {
		return par, err
	}
	err = p.paramRest(&par, t)
	return par, err
}

// typeName reads a built-in type, a declared name, or a struct in its place.
func (p *parser) typeName() (*typ, error) {
	at := p.tok.at
	switch b, builtin := baseOf(p.tok.text); {
	case p.is("switch"):
		return nil, p.noSwitch()
	case p.is("struct"):
		c, err := p.class(false)
		if err != nil {
			return nil, err
		}
		return p.classType(at, c)
	case builtin && p.tok.kind == tokenWord:
		return &typ{at: at, base: b, divisor: 1, weight: 1}, p.advance()
	}
	name, err := p.name("a type")
	if err != nil {
		return nil, err
	}
	return p.named(at, name)
}

// named is the type that a typedef, struct or dclass declares.
func (p *parser) named(at do.Position, name string) (*typ, error) {
	switch d := p.file.byName[name].(type) {
	case *typedef:
		if err := p.weigh(at, d.typ.weight); err != nil {
			return nil, err
		}
		t := *d.typ
		t.at, t.alias = at, d
		return &t, nil
	case *class:
		return p.classType(at, d)
	}
	return nil, failAt(at, "there is no type %s declared before it", name)
}

func (p *parser) classType(at do.Position, c *class) (*typ, error) {
	return &typ{at: at, base: baseClass, class: c, divisor: 1, weight: 1 + c.weight}, p.weigh(at, 1+c.weight)
}

// paramRest reads what follows the first word of a type: its modifiers, the name, modifiers again, and the default.
func (p *parser) paramRest(par *param, t *typ) error {
	t, err := p.modifiers(t)
	if err != nil {
		return err
	}
	if p.tok.kind == tokenWord {
		par.at = p.tok.at
		if par.name, err = p.name("a name"); err != nil {
			return err
		}
		if t, err = p.modifiers(t); err != nil {
			return err
		}
	}
	par.typ = t
	if given, err := p.accept("="); !given || err != nil {
		return err
	}
	v, err := p.value()
	if err != nil {
		return err
	}
	par.def = &v
	// An older spelling, type name = value / divisor, gives the value as it travels.
	if p.is("/") && t.divisor == 1 {
		if par.typ, err = p.modifiers(t); err != nil {
			return err
		}
		if v.kind != tokenNumber {
			return failAt(v.at, "only a number is divided")
		}
		n := v.num.real / float64(par.typ.divisor)
		v.num = number{real: n}
	}
	return nil
}

// modifiers reads any of (RANGE), /DIVISOR, %MODULUS and [SIZE] behind t.
func (p *parser) modifiers(t *typ) (*typ, error) {
	for {
		at := p.tok.at
		var err error
		switch {
		case p.is("["):
			t, err = p.array(t)
		case !p.is("(") && !p.is("/") && !p.is("%"):
			return t, nil
		case t.alias != nil || t.base >= baseClass:
			return nil, failAt(at, "a range, divisor or modulus belongs to a built-in type")
		default:
			n := *t
			t = &n
			err = p.modifier(t, at)
		}
		if err != nil {
			return nil, err
		}
	}
}

// modifier reads a range, a divisor or a modulus into t.
func (p *parser) modifier(t *typ, at do.Position) (err error) {
	sign := p.tok.text
	if err := p.advance(); err != nil {
		return err
	}
	if sign == "(" {
		if t.ranges, err = p.ranges(")", false); err != nil {
			return err
		}
		if t.base == baseUint32Uint8Array {
			return failAt(at, "%s has no range", baseWords[t.base])
		}
		return p.checkRanges(t, at)
	}
	if t.base.lengthy() || t.base == baseUint32Uint8Array {
		return failAt(at, "only a number has a divisor or a modulus, not %s", baseWords[t.base])
	}
	at = p.tok.at
	n, err := p.number()
	if err != nil {
		return err
	}
	if sign == "%" {
		if !(n.real > 0) {
			return failAt(at, "a modulus is above 0")
		}
		t.modulus = n.real
		return nil
	}
	if !n.whole || n.negative || n.abs == 0 || n.abs > 1<<32-1 {
		return failAt(at, "a divisor is a whole number from 1")
	}
	t.divisor = uint32(n.abs)
	return nil
}

// number reads a number with its sign, or a single character in quotes, which stands for its byte.
func (p *parser) number() (n number, err error) {
	negative := p.is("-")
	if negative || p.is("+") {
		if err := p.advance(); err != nil {
			return n, err
		}
	} else if p.tok.kind == tokenString {
		if len(p.tok.text) != 1 {
			return n, p.fail("want a single character, not %s", p.tok)
		}
		c := p.tok.text[0]
		return number{whole: true, abs: uint64(c), real: float64(c)}, p.advance()
	}
	if p.tok.kind != tokenNumber {
		return n, p.fail("want a number, not %s", p.tok)
	}
	if n, err = parseNumber(p.tok.text, negative); err != nil {
		return n, p.fail("the number %s is out of range", p.tok.text)
	}
	return n, p.advance()
}

// ranges reads LOW-HIGH, VALUE, ... up to end and over it; nothing between the brackets is no range.
func (p *parser) ranges(end string, unsigned bool) ([]span, error) {
	var out []span
	for more := !p.is(end); more; {
		at := p.tok.at
		lo, err := p.number()
		if err != nil {
			return nil, err
		}
		s := span{lo, lo}
		if to, err := p.accept("-"); err != nil {
			return nil, err
		} else if to {
			if s.hi, err = p.number(); err != nil {
				return nil, err
			}
		}
		switch {
		case s.hi.real < s.lo.real:
			return nil, failAt(at, "the range %s-%s ends before it begins", s.lo, s.hi)
		case unsigned && (!s.lo.whole || !s.hi.whole || s.lo.negative || s.hi.abs > 1<<32-1):
			return nil, failAt(at, "a number of elements is whole and below 2^32")
		}
		for _, o := range out {
			if s.lo.real <= o.hi.real && o.lo.real <= s.hi.real {
				return nil, failAt(at, "the range %s-%s overlaps %s-%s", s.lo, s.hi, o.lo, o.hi)
			}
		}
		out = append(out, s)
		if more, err = p.accept(","); err != nil {
			return nil, err
		}
	}
	return out, p.expect(end)
}

// checkRanges refuses lengths that are no lengths. That the bounds of numbers fit is checked with the type.
func (p *parser) checkRanges(t *typ, at do.Position) error {
	for _, s := range t.ranges {
		if t.base.lengthy() && (!s.lo.whole || !s.hi.whole || s.lo.negative) {
			return failAt(at, "the length of a %s is a whole number", baseWords[t.base])
		}
	}
	return nil
}

// array reads [SIZE] behind t. As in C, brackets that follow each other go from the outside in; a typedef is one thing.
func (p *parser) array(t *typ) (*typ, error) {
	at := p.tok.at
	if err := p.expect("["); err != nil {
		return nil, err
	}
	size, err := p.ranges("]", true)
	if err != nil {
		return nil, err
	}
	depth := 0
	for e := t; e.base == baseArray; e = e.elem {
		depth++
	}
	if depth >= maxDepth {
		return nil, failAt(at, "nested deeper than %d", maxDepth)
	}
	return wrap(t, size), p.weigh(at, 1)
}

func wrap(t *typ, size []span) *typ {
	if t.base != baseArray || t.alias != nil {
		return &typ{at: t.at, base: baseArray, elem: t, divisor: 1, ranges: size, weight: t.weight + 1}
	}
	n := *t
	n.elem = wrap(t.elem, size)
	n.weight++
	return &n
}
