package do

import (
	"fmt"
	"strconv"
	"strings"
)

// tokenKind is what a token of a schema's text is.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenNumber
	tokenString // text holds the value between the quotes
	tokenNote   // a comment that begins with //!; text holds what follows
	tokenPunct
)

// token is one word of a schema's text.
type token struct {
	kind tokenKind
	text string
	at   Position
}

// String is the token as an error says it.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenNote:
		return "the comment //!" + t.text
	}
	return strconv.Quote(t.text)
}

// lexer cuts a schema's text into tokens. It is the same for all .dc files.
type lexer struct {
	rest string
	at   Position // of rest
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

// space moves over white space and plain comments.
func (l *lexer) space() error {
	for {
		l.skip(len(l.rest) - len(strings.TrimLeft(l.rest, " \t\r\n")))
		switch {
		case strings.HasPrefix(l.rest, "//") && !strings.HasPrefix(l.rest, "//!"):
			l.skip(l.lineEnd())
		case strings.HasPrefix(l.rest, "/*"):
			end := strings.Index(l.rest[2:], "*/")
			if end < 0 {
				return fmt.Errorf("do: %s%w: a comment /* without its end", l.at, ErrSchema)
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
	switch {
	case l.rest == "":
		return t, nil
	case strings.HasPrefix(l.rest, "//!"):
		n = l.lineEnd()
		t.kind, t.text = tokenNote, strings.TrimSpace(l.rest[3:n])
	case l.rest[0] == '"':
		quoted, err := strconv.QuotedPrefix(l.rest)
		if err != nil {
			return t, fmt.Errorf("do: %s%w: a string without its end", l.at, ErrSchema)
		}
		n = len(quoted)
		t.kind = tokenString
		t.text, _ = strconv.Unquote(quoted) // QuotedPrefix accepts only what Unquote does
	case l.rest[0] >= '0' && l.rest[0] <= '9':
		n = run(l.rest, func(c byte) bool { return wordByte(c) || c == '.' })
		t.kind, t.text = tokenNumber, l.rest[:n]
	case wordByte(l.rest[0]):
		n = run(l.rest, wordByte)
		t.kind, t.text = tokenWord, l.rest[:n]
	case strings.IndexByte("{}()[]:;,=-/%<>", l.rest[0]) >= 0:
		t.kind, t.text = tokenPunct, l.rest[:1]
	default:
		return t, fmt.Errorf("do: %s%w: unexpected character %s", l.at, ErrSchema, strconv.QuoteToASCII(firstRune(l.rest)))
	}
	l.skip(n)
	return t, nil
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

// firstRune is the first character of s.
func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
