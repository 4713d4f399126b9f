package fields

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The text of values is what logs, scenarios and declared defaults hold:
//
//	true  15  2.5  "Flippy"  0x0a0b (bytes)  1m30s  2026-01-02T03:04:05.5Z
//	4670 or 018f2c00-...  (an id, as a number if its first 8 bytes are zero)
//	[1 2]  {"k":1 "b":2} (a map)  {X:1 Y:2} (a struct)

// AppendText appends the text of enc to dst. Bytes that are not a value of this type appear as invalid(0x...).
func (t *Type) AppendText(dst, enc []byte) []byte {
	if t.Check(enc) != nil {
		return append(hex.AppendEncode(append(dst, "invalid(0x"...), enc), ')')
	}
	dst, _ = t.appendText(dst, enc)
	return dst
}

// Text returns what AppendText appends.
func (t *Type) Text(enc []byte) string { return string(t.AppendText(nil, enc)) }

// appendText appends the text of a value that was checked, and returns what follows it.
func (t *Type) appendText(dst, b []byte) (out, rest []byte) {
	switch t.kind {
	case KindBool:
		v, rest, _ := ReadBool(b)
		return strconv.AppendBool(dst, v), rest
	case KindUint64:
		v, rest, _ := ReadUint(b)
		return strconv.AppendUint(dst, v, 10), rest
	case KindFloat32, KindFloat64:
		v, rest, _ := t.readFloat(b)
		return append(dst, formatFloat(v, t.kind)...), rest
	case KindString:
		v, rest, _ := ReadString(b)
		return strconv.AppendQuote(dst, string(v)), rest
	case KindBytes:
		v, rest, _ := ReadBin(b)
		return hex.AppendEncode(append(dst, "0x"...), v), rest
	case KindID:
		v, rest, _ := ReadBin(b)
		return appendID(dst, [idLen]byte(v)), rest
	case KindTime:
		v, rest, _ := ReadInt(b)
		return time.Unix(0, v).UTC().AppendFormat(dst, time.RFC3339Nano), rest
	case KindArray, KindSlice:
		return t.appendListText(dst, b)
	case KindMap:
		return t.appendMapText(dst, b)
	case KindStruct:
		return t.appendStructText(dst, b)
	}
	v, rest, _ := ReadInt(b)
	return append(dst, t.intText(v)...), rest
}

// appendID appends the number of a well-known id, or the 8-4-4-4-12 digits of RFC 9562.
func appendID(dst []byte, id [idLen]byte) []byte {
	if high, low := splitID(id); high == 0 {
		return strconv.AppendUint(dst, low, 10)
	}
	for i, cut := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[[]int{0, 4, 6, 8, 10}[i]:cut])
	}
	return dst
}

// splitID returns the two halves of an id as big-endian numbers.
func splitID(id [idLen]byte) (high, low uint64) {
	for i := range 8 {
		high, low = high<<8|uint64(id[i]), low<<8|uint64(id[8+i])
	}
	return high, low
}

func (t *Type) appendListText(dst, b []byte) (out, rest []byte) {
	n, rest, _ := ReadArrayHeader(b)
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst, rest = t.elem.appendText(dst, rest)
	}
	return append(dst, ']'), rest
}

func (t *Type) appendMapText(dst, b []byte) (out, rest []byte) {
	n, rest, _ := ReadMapHeader(b)
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst, rest = t.key.appendText(dst, rest)
		dst, rest = t.elem.appendText(append(dst, ':'), rest)
	}
	return append(dst, '}'), rest
}

func (t *Type) appendStructText(dst, b []byte) (out, rest []byte) {
	var packed []byte
	if t.binLen > 0 {
		packed, rest, _ = ReadBin(b)
	} else {
		_, rest, _ = ReadArrayHeader(b)
	}
	dst = append(dst, '{')
	for i, m := range t.members {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(append(dst, m.Name...), ':')
		if t.binLen == 0 {
			dst, rest = m.Type.appendText(dst, rest)
			continue
		}
		dst = append(dst, m.Type.intText(littleEndian(packed, m.Type.as))...)
		packed = packed[m.Type.as.size():]
	}
	return append(dst, '}'), rest
}

// ParseText encodes the value that s describes and checks it. At the top a string may stand without quotes, as in
// default=Flippy; within lists and structs it needs them if it has spaces, commas, colons or brackets. Members may
// come in any order and be left out: then they are zero. Commas between values may be written, too.
func (t *Type) ParseText(s string) (enc []byte, err error) {
	if t.kind == KindString && !strings.HasPrefix(s, `"`) {
		enc = AppendString(nil, s)
	} else {
		p := typeParser{s: s}
		if enc, err = t.parseText(nil, &p); err == nil {
			if p.space(); p.s != "" {
				err = fmt.Errorf("%w: %q after the value", ErrText, p.s)
			}
		}
	}
	if err == nil {
		err = t.Check(enc)
	}
	if err != nil {
		return nil, fmt.Errorf("fields: parse value %q: %w", s, err)
	}
	return enc, nil
}

// valueEnd are the bytes that end a value within others, beside white space.
const valueEnd = ",:[]{}"

// parseText reads one value and appends its encoding, which the caller checks.
func (t *Type) parseText(dst []byte, p *typeParser) ([]byte, error) {
	switch t.kind {
	case KindArray, KindSlice:
		return t.parseListText(dst, p)
	case KindMap:
		return t.parseMapText(dst, p)
	case KindStruct:
		return t.parseStructText(dst, p)
	case KindString:
		s, err := p.text()
		return AppendString(dst, s), err
	case KindTime:
		return parseTime(dst, p.token(",[]{}"))
	}
	return t.parseWord(dst, p.token(valueEnd))
}

// text reads a string with or without quotes.
func (p *typeParser) text() (string, error) {
	p.space()
	if strings.HasPrefix(p.s, `"`) {
		return p.quoted()
	}
	w := p.token(valueEnd)
	if w == "" {
		return "", fmt.Errorf("%w: a text expected", ErrText)
	}
	return w, nil
}

// parseTime reads RFC 3339; 0 is the zero time.
func parseTime(dst []byte, w string) ([]byte, error) {
	if w == "0" {
		return AppendInt(dst, 0), nil
	}
	v, err := time.Parse(time.RFC3339Nano, w)
	if err != nil {
		return nil, fmt.Errorf("%w: %q is no time like 2026-01-02T03:04:05.5Z", ErrText, w)
	}
	if !countable(v) {
		return nil, fmt.Errorf("%s: %w (years %d..%d)", w, ErrRange, firstYear, lastYear)
	}
	return AppendInt(dst, v.UnixNano()), nil
}

// parseWord encodes a value that is one word.
func (t *Type) parseWord(dst []byte, w string) (out []byte, err error) {
	bad := func(what string) error { return fmt.Errorf("%w: %q is no %s", ErrText, w, what) }
	switch t.kind {
	case KindBool:
		if w != "true" && w != "false" {
			return nil, bad("bool: true or false")
		}
		return AppendBool(dst, w == "true"), nil
	case KindUint64:
		v, err := strconv.ParseUint(w, 10, 64)
		if err != nil {
			return nil, bad("uint64")
		}
		return AppendUint(dst, v), nil
	case KindFloat32:
		v, err := strconv.ParseFloat(w, 32)
		if err != nil {
			return nil, bad("float32")
		}
		return AppendFloat32(dst, float32(v)), nil
	case KindFloat64, KindPacked:
		v, err := strconv.ParseFloat(w, 64)
		switch {
		case err != nil:
			return nil, bad("number")
		case t.kind == KindFloat64:
			return AppendFloat64(dst, v), nil
		case math.IsNaN(v):
			return nil, bad("number that can be packed")
		}
		return AppendInt(dst, t.packFloat(v)), nil
	case KindBytes:
		digits, ok := strings.CutPrefix(w, "0x")
		v, err := hex.DecodeString(digits)
		if !ok || err != nil {
			return nil, bad("bytes like 0x0a0b")
		}
		return AppendBin(dst, v), nil
	case KindID:
		id, ok := parseID(w)
		if !ok {
			return nil, bad("id: a number or 8-4-4-4-12 hex digits")
		}
		return AppendBin(dst, id[:]), nil
	}
	v, err := t.parseInt(w)
	if err != nil {
		return nil, bad(t.kind.String())
	}
	return AppendInt(dst, v), nil
}

// parseID is the inverse of appendID.
func parseID(w string) (id [idLen]byte, ok bool) {
	if low, err := strconv.ParseUint(w, 10, 64); err == nil {
		for i := range 8 {
			id[idLen-1-i] = byte(low >> (8 * i))
		}
		return id, true
	}
	if len(w) != 36 || w[8] != '-' || w[13] != '-' || w[18] != '-' || w[23] != '-' {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(strings.ReplaceAll(w, "-", "")[:]))
	return id, err == nil
}
