package do

import (
	"strconv"
	"strings"

	"github.com/otpd/otpd/fields"
)

// The canonical text of a schema is in the syntax of .dc files where that can say it, so that the field's tools
// read it:
//
//	dclass Avatar : Base {
//	  string(0-24) Name required db broadcast;
//	  int16(0-100) HP = 100 required db broadcast;
//	  blob Pos ram broadcast ownsend; //! latest type="{X float32, Y float32}"
//	  Say(string(0-200)) broadcast ownsend airecv; //! rate=5
//	  Buy(blob) ownsend; //! type="{Item string}" reply="{Paid int64}"
//	  Walk : X, Y;
//	  //! gone;
//	};
//	//! uberdog #4670 Auth anonymous;
//
// What .dc cannot say stands in comments that begin with //!, which other parsers skip. Where a field has one with
// type, that is its type, and the .dc type is only the nearest that .dc has.

// schemaText is the canonical text of s.
func schemaText(s *Schema) []byte {
	var b strings.Builder
	for _, c := range s.classes {
		b.WriteString(c.text)
	}
	for _, u := range s.uberdogs {
		b.WriteString("//! uberdog " + u.ID.String() + " " + u.Class)
		if u.Anonymous {
			b.WriteString(" anonymous")
		}
		b.WriteString(";\n")
	}
	return []byte(b.String())
}

// classText is the canonical text of c, without what it inherits.
func classText(c *Class) string {
	var b strings.Builder
	b.WriteString("dclass " + c.name)
	for i, p := range c.parents {
		if i == 0 {
			b.WriteString(" : ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(p.name)
	}
	b.WriteString(" {\n")
	for i := range c.own {
		b.WriteString("  ")
		fieldText(&b, &c.own[i])
		b.WriteByte('\n')
	}
	b.WriteString("};\n")
	return b.String()
}

// fieldLine is one field as it stands in the text, without the indent.
func fieldLine(f *FieldDecl) string {
	var b strings.Builder
	fieldText(&b, f)
	return b.String()
}

// dcWords are the keywords that .dc has; the others stand in the comment.
const dcWords = kept | clients | fields.Broadcast | fields.ClRecv | fields.OwnRecv | fields.AIRecv

// fieldText writes one field.
func fieldText(b *strings.Builder, f *FieldDecl) {
	if f.Gone {
		b.WriteString("//! gone;")
		return
	}
	if f.Kind == FieldMolecular {
		b.WriteString(f.Name + " : " + strings.Join(f.Parts, ", ") + ";")
		return
	}
	var extra []string
	if k := f.Keywords &^ dcWords; k != 0 {
		extra = append(extra, k.String())
	}
	if f.Rate != 0 {
		extra = append(extra, "rate="+strconv.FormatFloat(f.Rate, 'g', -1, 64))
	}
	typ, exact := dcType(f.Type)
	if f.Kind != FieldState && f.Type.String() == noArgument {
		typ, exact = "", true
	}
	if !exact {
		extra = append(extra, "type="+strconv.Quote(f.Type.String()))
	}
	if f.Reply != nil {
		extra = append(extra, "reply="+strconv.Quote(f.Reply.String()))
	}
	if f.Kind == FieldState {
		b.WriteString(typ + " " + f.Name)
	} else {
		b.WriteString(f.Name + "(" + typ + ")")
	}
	if f.Default != nil {
		text := string(f.Type.AppendText(nil, f.Default))
		if exact && dcPlain(f.Type, text) {
			b.WriteString(" = " + text)
		} else {
			extra = append(extra, "default="+strconv.Quote(text))
		}
	}
	if k := f.Keywords & dcWords; k != 0 {
		b.WriteString(" " + k.String())
	}
	b.WriteByte(';')
	if len(extra) > 0 {
		b.WriteString(" //! " + strings.Join(extra, " "))
	}
}
