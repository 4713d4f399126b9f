package dc

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
)

// tokenKind is what a token is.
type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a name or a word of the language
	tokenNumber           // without a sign
	tokenString           // text holds the bytes between the quotes, escapes resolved
	tokenHex              // <0a0b>; text holds the bytes
	tokenNote             // a structured comment; text holds what follows "//! "
	tokenPunct
)

type token struct {
	kind tokenKind
	text string
	at   do.Position
}

// String is the token as an error says it.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenNote:
		return "the comment //! " + t.text
	case tokenHex:
		return "<" + hex.EncodeToString([]byte(t.text)) + ">"
	}
	return strconv.Quote(t.text)
}

// failAt is an error at a place.
func failAt(at do.Position, format string, args ...any) error {
	return fmt.Errorf("dc: %s%w: "+format, append([]any{at, do.ErrSchema}, args...)...)
}

// lexer cuts one file into tokens.
type lexer struct {
	rest string
	at   do.Position // of rest
}

// skip moves over the first n bytes of rest.
func (l *lexer) skip(n int) {
	done := l.rest[:n]
	if lines := strings.Count(done, "\n"); lines > 0 {
		l.at.Line += lines
		l.at.Col = n - strings.LastIndexByte(done, '\n')
	} else {
		l.at.Col += n
	}
	l.rest = l.rest[n:]
}

// noteMark begins a structured comment; any other comment, with an exclamation mark or not, is skipped.
const noteMark = "//! "

// space moves over white space and plain comments.
func (l *lexer) space() error {
	for {
		l.skip(len(l.rest) - len(strings.TrimLeft(l.rest, " \t\r\n\v\f")))
		switch {
		case strings.HasPrefix(l.rest, "//") && !strings.HasPrefix(l.rest, noteMark):
			l.skip(l.lineEnd())
		case strings.HasPrefix(l.rest, "/*"):
			end := strings.Index(l.rest[2:], "*/")
			if end < 0 {
				return failAt(l.at, "a comment /* without its end")
			}
			l.skip(end + 4)
		default:
			return nil
		}
	}
}

// lineEnd is how many bytes of rest are before the end of the line.
func (l *lexer) lineEnd() int {
	if i := strings.IndexByte(l.rest, '\n'); i >= 0 {
		return i
	}
	return len(l.rest)
}

// next cuts off the next token.
func (l *lexer) next() (token, error) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	t := token{at: l.at}
	n := 1
	var err error
	switch c := first(l.rest); {
	case l.rest == "":
		return t, nil
	case strings.HasPrefix(l.rest, noteMark):
		n = l.lineEnd()
		t.kind, t.text = tokenNote, strings.TrimSpace(l.rest[len(noteMark):n])
	case c == '"' || c == '\'':
		t.kind = tokenString
		t.text, n, err = l.quoted(c)
	case c == '<':
		t.kind = tokenHex
		t.text, n, err = l.hexString()
	case digit(c) || c == '.' && len(l.rest) > 1 && digit(l.rest[1]):
		t.kind = tokenNumber
		n, err = l.number()
		t.text = l.rest[:n]
	case wordByte(c):
		n = run(l.rest, wordByte)
		t.kind, t.text = tokenWord, l.rest[:n]
	case strings.IndexByte("{}()[]:;,=+-/%*.", c) >= 0:
		t.kind, t.text = tokenPunct, l.rest[:1]
	default:
		return t, failAt(l.at, "unexpected character %s", strconv.QuoteToASCII(firstRune(l.rest)))
	}
	if err == nil {
		l.skip(n)
	}
	return t, err
}

// number is the length of the number at the front: 15, 0x0f, 1.5, .5, 1.5e3.
func (l *lexer) number() (int, error) {
	s := l.rest
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		n := 2 + run(s[2:], func(c byte) bool { _, ok := hexDigit(c); return ok })
		return n, l.endOfNumber(n)
	}
	n := run(s, digit)
	if n < len(s) && s[n] == '.' {
		n += 1 + run(s[n+1:], digit)
		if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
			e := n + 1
			if e < len(s) && (s[e] == '+' || s[e] == '-') {
				e++
			}
			if d := run(s[e:], digit); d > 0 {
				n = e + d
			}
		}
	}
	return n, l.endOfNumber(n)
}

// endOfNumber refuses a number of n bytes that runs into a word.
func (l *lexer) endOfNumber(n int) error {
	if n < len(l.rest) && wordByte(l.rest[n]) || n == 2 && l.rest[1]|0x20 == 'x' {
		return failAt(l.at, "%q is no number", l.rest[:n+run(l.rest[n:], wordByte)])
	}
	return nil
}

// quoted reads a string in quotes, and says how long it is with them. The escapes are those of the other readers: a b
// c of their own, up to two digits after x, octal digits after 0, else up to three decimal ones; what follows any
// other backslash stands for itself.
func (l *lexer) quoted(quote byte) (text string, n int, err error) {
	var b strings.Builder
	s := l.rest
	for i := 1; i < len(s); {
		c := s[i]
		i++
		switch {
		case c == quote:
			return b.String(), i, nil
		case c == '\n':
			return "", 0, failAt(l.at, "a string without its end in the line")
		case c != '\\':
			b.WriteByte(c)
			continue
		case i == len(s):
			continue
		}
		c = s[i]
		i++
		v, base, most := 0, 0, 0
		switch {
		case c == 'x':
			base, most = 16, 2
		case c == '0':
			base, most = 8, 3
		case digit(c):
			v, base, most = int(c-'0'), 10, 2
		default:
			b.WriteByte(escape(c))
			continue
		}
		for ; most > 0 && i < len(s); most-- {
			d, ok := hexDigit(s[i])
			if !ok || int(d) >= base {
				break
			}
			v = v*base + int(d)
			i++
		}
		b.WriteByte(byte(v))
	}
	return "", 0, failAt(l.at, "a string without its end")
}

// escape is what a backslash before c stands for.
func escape(c byte) byte {
	if i := strings.IndexByte("anrt", c); i >= 0 {
		return "\a\n\r\t"[i]
	}
	return c
}

// hexString reads <0a0b>, and says how long it is with the angles.
func (l *lexer) hexString() (text string, n int, err error) {
	end := strings.IndexByte(l.rest, '>')
	if end < 0 {
		return "", 0, failAt(l.at, "a hexadecimal string < without its end")
	}
	b, err := hex.DecodeString(l.rest[1:end])
	if err != nil {
		return "", 0, failAt(l.at, "a hexadecimal string holds pairs of hexadecimal digits and nothing else")
	}
	return string(b), end + 1, nil
}

// first is the first byte of s, zero if there is none.
func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// firstRune is the first character of s.
func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// run is how many bytes at the front of s satisfy ok.
func run(s string, ok func(byte) bool) int {
	for i := range len(s) {
		if !ok(s[i]) {
			return i
		}
	}
	return len(s)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordByte(c byte) bool {
	return c == '_' || digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func hexDigit(c byte) (byte, bool) {
	switch low := c | 0x20; {
	case digit(c):
		return c - '0', true
	case low >= 'a' && low <= 'f':
		return low - 'a' + 10, true
	}
	return 0, false
}

// number is a number of a file: exact where it is whole.
type number struct {
	negative bool
	whole    bool
	abs      uint64 // if whole
	real     float64
}

// parseNumber reads the text of a number token.
func parseNumber(text string, negative bool) (n number, err error) {
	n.negative = negative
	if strings.ContainsAny(text, ".") {
		n.real, err = strconv.ParseFloat(text, 64)
		if n.real == math.Trunc(n.real) && n.real < 1<<53 {
			n.whole, n.abs = true, uint64(n.real)
		}
	} else {
		base := 10
		if len(text) > 2 && text[1]|0x20 == 'x' {
			text, base = text[2:], 16
		}
		n.whole = true
		n.abs, err = strconv.ParseUint(text, base, 64)
		n.real = float64(n.abs)
	}
	if negative {
		n.real = -n.real
	}
	return n, err
}

// String is the number as our own texts write it.
func (n number) String() string {
	switch {
	case !n.whole:
		return strconv.FormatFloat(n.real, 'g', -1, 64)
	case n.negative && n.abs > 0:
		return "-" + strconv.FormatUint(n.abs, 10)
	}
	return strconv.FormatUint(n.abs, 10)
}
