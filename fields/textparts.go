package fields

import (
	"fmt"
	"slices"
)

// more reads what stands before the next value of a list that closes with end: a comma perhaps, or the end.
func (p *typeParser) more(end string, first bool) (bool, error) {
	if p.next(end) {
		return false, nil
	}
	if !first {
		p.next(",")
	}
	if p.space(); p.s == "" {
		return false, fmt.Errorf("%w: %q expected", ErrText, end)
	}
	return true, nil
}

// parseListText reads [1 2] for an array or a slice.
func (t *Type) parseListText(dst []byte, p *typeParser) ([]byte, error) {
	if err := p.expect("["); err != nil {
		return nil, err
	}
	var body []byte
	n := 0
	for {
		ok, err := p.more("]", n == 0)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if body, err = t.elem.parseText(body, p); err != nil {
			return nil, fmt.Errorf("[%d]: %w", n, err)
		}
		n++
	}
	if t.kind == KindArray && n != t.n {
		return nil, fmt.Errorf("%w: %d values for %s", ErrText, n, t.text)
	}
	return append(AppendArrayHeader(dst, n), body...), nil
}

// parseMapText reads {"k":1 "b":2}, whose keys may come in any order.
func (t *Type) parseMapText(dst []byte, p *typeParser) ([]byte, error) {
	values, keys, err := parsePairs(p, func(string) (*Type, error) { return t.elem, nil })
	if err != nil {
		return nil, err
	}
	dst = AppendMapHeader(dst, len(keys))
	for _, k := range keys {
		dst = append(AppendString(dst, k), values[k]...)
	}
	return dst, nil
}

// parseStructText reads {X:1 Y:2}.
func (t *Type) parseStructText(dst []byte, p *typeParser) ([]byte, error) {
	values, _, err := parsePairs(p, func(name string) (*Type, error) {
		for _, m := range t.members {
			if m.Name == name {
				return m.Type, nil
			}
		}
		return nil, fmt.Errorf("%w: no member %q in %s", ErrText, name, t.text)
	})
	if err != nil {
		return nil, err
	}
	if t.binLen == 0 {
		dst = AppendArrayHeader(dst, len(t.members))
		for _, m := range t.members {
			v, ok := values[m.Name]
			if !ok {
				v = m.Type.Zero()
			}
			dst = append(dst, v...)
		}
		return dst, nil
	}
	dst = AppendBinHeader(dst, t.binLen)
	for _, m := range t.members {
		v := m.Type.zeroInt()
		if enc, ok := values[m.Name]; ok {
			if v, _, err = ReadInt(enc); err != nil {
				return nil, err
			}
			if lo, hi := m.Type.as.limits(); v < lo || v > hi {
				return nil, fmt.Errorf("%s: %w", m.Name, ErrRange)
			}
		}
		dst = appendLittleEndian(dst, v, m.Type.as)
	}
	return dst, nil
}

// parsePairs reads {key:value ...} and returns the encoded values and the keys in order.
func parsePairs(p *typeParser, typeOf func(key string) (*Type, error)) (values map[string][]byte, keys []string, err error) {
	if err := p.expect("{"); err != nil {
		return nil, nil, err
	}
	values = map[string][]byte{}
	for {
		ok, err := p.more("}", len(keys) == 0)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			slices.Sort(keys)
			return values, keys, nil
		}
		key, err := p.text()
		if err != nil {
			return nil, nil, err
		}
		if _, twice := values[key]; twice {
			return nil, nil, fmt.Errorf("%w: %q is there twice", ErrText, key)
		}
		if err := p.expect(":"); err != nil {
			return nil, nil, err
		}
		t, err := typeOf(key)
		if err != nil {
			return nil, nil, err
		}
		enc, err := t.parseText(nil, p)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", key, err)
		}
		values[key], keys = enc, append(keys, key)
	}
}
