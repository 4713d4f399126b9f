package dc

// value reads a default: a number, a string, <hex>, or a list in any brackets.
func (p *parser) value() (value, error) {
	v := value{at: p.tok.at, repeat: 1}
	if p.tok.kind == tokenWord {
		var err error
		if v.name, err = p.name("a value"); err != nil {
			return v, err
		}
		if err := p.expect("="); err != nil {
			return v, err
		}
	}
	switch {
	case p.is("{"):
		return v, p.list(&v, "}")
	case p.is("["):
		return v, p.list(&v, "]")
	case p.is("("):
		return v, p.list(&v, ")")
	case p.tok.kind == tokenString, p.tok.kind == tokenHex:
		v.kind, v.text = p.tok.kind, p.tok.text
		return v, p.advance()
	case p.tok.kind == tokenNumber, p.is("-"), p.is("+"):
		v.kind = tokenNumber
		var err error
		v.num, err = p.number()
		return v, err
	}
	return v, p.fail("want a value, not %s", p.tok)
}

// list reads the values of a list, each perhaps repeated: 0 * 7.
func (p *parser) list(v *value, end string) error {
	v.kind = tokenPunct
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return err
	}
	total := 0
	for !p.is(end) {
		e, err := p.value()
		if err != nil {
			return err
		}
		if again, err := p.accept("*"); err != nil {
			return err
		} else if again {
			n, err := p.number()
			if err != nil {
				return err
			}
			if !n.whole || n.negative || n.abs > maxRepeat {
				return failAt(e.at, "a value is repeated 0 to %d times", maxRepeat)
			}
			e.repeat = int(n.abs)
		}
		if total += e.repeat; total > maxRepeat {
			return failAt(e.at, "a list of more than %d values", maxRepeat)
		}
		v.list = append(v.list, e)
		if more, err := p.accept(","); err != nil {
			return err
		} else if !more {
			break
		}
	}
	return p.expect(end)
}
