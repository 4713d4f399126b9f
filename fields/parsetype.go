package fields

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// ParseType reads the text of a type, as String writes it; spaces may be added or left out between words.
func ParseType(s string) (*Type, error) {
	p := typeParser{s: s}
	t, err := p.parse(0)
	if err == nil {
		if p.space(); p.s != "" {
			err = fmt.Errorf("%w: %q after the type", ErrText, p.s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fields: parse type %q at byte %d: %w", s, len(s)-len(p.s), err)
	}
	return t, nil
}

// typeParser holds what is still to read.
type typeParser struct{ s string }

// space skips white space.
func (p *typeParser) space() { p.s = strings.TrimLeft(p.s, " \t\r\n") }

// next skips white space, and text if that comes next.
func (p *typeParser) next(text string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s, text)
	if ok {
		p.s = rest
	}
	return ok
}

// word reads letters, digits and underscores, or nothing.
func (p *typeParser) word() string {
	p.space()
	end := strings.IndexFunc(p.s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(p.s)
	}
	w := p.s[:end]
	p.s = p.s[end:]
	return w
}

// token reads up to white space or one of the bytes in stop.
func (p *typeParser) token(stop string) string {
	p.space()
	end := strings.IndexAny(p.s, stop+" \t\r\n")
	if end < 0 {
		end = len(p.s)
	}
	w := p.s[:end]
	p.s = p.s[end:]
	return w
}

// expect reads text or fails.
func (p *typeParser) expect(text string) error {
	if p.next(text) {
		return nil
	}
	return fmt.Errorf("%w: %q expected", ErrText, text)
}

// parse reads a type that stands in depth others.
func (p *typeParser) parse(depth int) (*Type, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w (at most %d)", ErrDepth, MaxDepth)
	}
	switch {
	case p.next("["):
		return p.list(depth)
	case p.next("{"):
		return p.members(depth)
	}
	name := p.word()
	if name == "map" {
		return p.mapType(depth)
	}
	kind, ok := scalarKind(name)
	if !ok {
		return nil, fmt.Errorf("%w: no type %q", ErrText, name)
	}
	tag, _, err := p.constraints(kind, depth)
	if err != nil {
		return nil, err
	}
	if err := p.packing(&tag); err != nil {
		return nil, err
	}
	return newScalar(kind, tag)
}

// list reads what follows "[": a slice or an array.
func (p *typeParser) list(depth int) (*Type, error) {
	if p.next("]") {
		tag, _, err := p.constraints(KindSlice, depth)
		if err != nil {
			return nil, err
		}
		elem, err := p.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		if elem.kind == KindUint8 {
			return nil, fmt.Errorf("%w: []uint8 is bytes", ErrText)
		}
		return newSlice(elem, tag)
	}
	n, err := strconv.ParseUint(p.token("]"), 10, 31)
	if err != nil {
		return nil, fmt.Errorf("%w: a length expected in [ ]", ErrText)
	}
	if err := p.expect("]"); err != nil {
		return nil, err
	}
	elem, err := p.parse(depth + 1)
	if err != nil {
		return nil, err
	}
	return newArray(int(n), elem)
}

// mapType reads what follows "map".
func (p *typeParser) mapType(depth int) (*Type, error) {
	tag, key, err := p.constraints(KindMap, depth)
	if err != nil {
		return nil, err
	}
	if key == nil {
		if key, err = newScalar(KindString, Tag{}); err != nil {
			return nil, err
		}
	}
	if key.kind != KindString {
		return nil, fmt.Errorf("%w: the key of a map must be a string", ErrText)
	}
	elem, err := p.parse(depth + 1)
	if err != nil {
		return nil, err
	}
	return newMap(key, elem, tag)
}

// members reads what follows "{".
func (p *typeParser) members(depth int) (*Type, error) {
	var members []Member
	for !p.next("}") {
		if members != nil {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		name := p.word()
		if name == "" || unicode.IsDigit([]rune(name)[0]) {
			return nil, fmt.Errorf("%w: the name of a member expected", ErrText)
		}
		t, err := p.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		members = append(members, Member{Name: name, Type: t})
	}
	return newStruct(members)
}

// packing reads "as int16/10%360" into tag, if it is there.
func (p *typeParser) packing(tag *Tag) error {
	before := p.s
	if p.word() != "as" {
		p.s = before
		return nil
	}
	if tag.As = p.word(); tag.As == "" {
		return fmt.Errorf("%w: an int type expected after \"as\"", ErrText)
	}
	if p.next("/") {
		n, err := strconv.ParseUint(p.word(), 10, 32)
		if err != nil || n == 0 {
			return fmt.Errorf("%w: a whole number from 1 expected after /", ErrText)
		}
		tag.Scale = uint32(n)
	}
	if p.next("%") {
		mod, err := tagPositive("mod", p.token(",})|"))
		if err != nil {
			return fmt.Errorf("%w: a number above 0 expected after %%", ErrText)
		}
		tag.Mod = mod
	}
	return nil
}

// constraints reads "(...)" if it is there. key is that of a map, or nil.
func (p *typeParser) constraints(kind Kind, depth int) (tag Tag, key *Type, err error) {
	if !p.next("(") {
		return tag, nil, nil
	}
	seen := map[string]bool{}
	for first := true; first || !p.next(")"); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return tag, nil, err
			}
		}
		before := p.s
		word := p.word()
		switch word {
		case "min":
			tag.MinLen = p.token(",)")
		case "max":
			tag.MaxLen = p.token(",)")
		case "pattern":
			tag.Pattern, err = p.quoted()
		case "oneof":
			tag.OneOf, err = p.values(kind)
		case "key":
			if kind != KindMap {
				return tag, nil, fmt.Errorf("%w: a key on %s", ErrText, kind)
			}
			key, err = p.parse(depth + 1)
		default:
			p.s, word = before, "range"
			err = p.bounds(&tag)
		}
		if err != nil {
			return tag, nil, err
		}
		if seen[word] {
			return tag, nil, fmt.Errorf("%w: %s is there twice", ErrText, word)
		}
		seen[word] = true
	}
	return tag, key, nil
}

// bounds reads low..high.
func (p *typeParser) bounds(tag *Tag) error {
	text := p.token(",)")
	lo, hi, ok := strings.Cut(text, "..")
	if !ok || lo+hi == "" {
		return fmt.Errorf("%w: %q: allowed are low..high, min, max, pattern, oneof, key", ErrText, text)
	}
	tag.Min, tag.Max = lo, hi
	return nil
}

// quoted reads a Go string literal in double quotes.
func (p *typeParser) quoted() (string, error) {
	p.space()
	if !strings.HasPrefix(p.s, `"`) {
		return "", fmt.Errorf("%w: a text in double quotes expected", ErrText)
	}
	q, err := strconv.QuotedPrefix(p.s)
	if err != nil {
		return "", fmt.Errorf("%w: a text in double quotes expected", ErrText)
	}
	p.s = p.s[len(q):]
	return strconv.Unquote(q)
}

// values reads a|b|c: quoted texts for strings, else ints.
func (p *typeParser) values(kind Kind) (out []string, err error) {
	for {
		var v string
		if kind == KindString {
			if v, err = p.quoted(); err != nil {
				return nil, err
			}
		} else {
			v = p.token("|,)")
		}
		out = append(out, v)
		if !p.next("|") {
			return out, nil
		}
	}
}
