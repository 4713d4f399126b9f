package do

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/otpd/otpd/fields"
)

// note is what a field's comment says.
type note struct {
	keywords        fields.Keyword
	rate            float64
	typ, reply, def string
	hasDefault      bool
}

// readNote reads words, and word=value where value is a word or stands in quotes.
func readNote(s string) (n note, err error) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := strings.IndexAny(s, " =")
		if end < 0 || s[end] == ' ' {
			word, rest, _ := strings.Cut(s, " ")
			k, err := fields.ParseKeyword(word)
			if err != nil {
				return n, err
			}
			n.keywords |= k
			s = rest
			continue
		}
		word, value := s[:end], ""
		s = s[end+1:]
		if quoted, err := strconv.QuotedPrefix(s); err == nil {
			s = s[len(quoted):]
			value, _ = strconv.Unquote(quoted) // QuotedPrefix accepts only what Unquote does
		} else {
			value, s, _ = strings.Cut(s, " ")
		}
		switch word {
		case "rate":
			n.rate, err = strconv.ParseFloat(value, 64)
		case "type":
			n.typ = value
		case "reply":
			n.reply = value
		case "default":
			n.def, n.hasDefault = value, true
		default:
			err = fmt.Errorf("%q is none of rate=, type=, reply=, default=", word+"=")
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Annotate puts what a structured comment of a .dc file says, the text after //!, into d, whose kind is set. Its type
// is t unless the comment has another.
func (d *FieldDecl) Annotate(comment string, t *fields.Type) error {
	n, err := readNote(comment)
	if err != nil {
		return err
	}
	return n.into(d, t)
}

// complete puts the note, the .dc type and the .dc default into d.
func (n note) complete(d *FieldDecl, dc, value string) (err error) {
	var t *fields.Type
	if d.Kind != FieldMolecular && n.typ == "" {
		if t, err = typeOfDC(dc); err != nil {
			return err
		}
	}
	if err := n.into(d, t); err != nil || value == "" {
		return err
	}
	if n.hasDefault {
		return fmt.Errorf("it has two defaults")
	}
	d.Default, err = d.Type.ParseText(value)
	return err
}

// into puts the note and the type t into d.
func (n note) into(d *FieldDecl, t *fields.Type) (err error) {
	d.Keywords |= n.keywords
	d.Rate = n.rate
	if d.Kind == FieldMolecular {
		if n.typ != "" || n.reply != "" || n.hasDefault {
			return fmt.Errorf("a molecular has no type, reply or default")
		}
		return nil
	}
	if d.Type = t; n.typ != "" {
		if d.Type, err = fields.ParseType(n.typ); err != nil {
			return err
		}
	}
	if n.reply != "" {
		if d.Kind != FieldEvent {
			return fmt.Errorf("only a call has a reply")
		}
		d.Kind = FieldCall
		if d.Reply, err = fields.ParseType(n.reply); err != nil {
			return err
		}
	}
	if n.hasDefault {
		d.Default, err = d.Type.ParseText(n.def)
	}
	return err
}
