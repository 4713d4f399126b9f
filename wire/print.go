package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// printing writes one line. It is the sink of a coder that describes: a member that is nothing (zero, none, empty)
// is left out; what explains itself stands bare (object, class, location, values); the rest is name=value.
type printing struct {
	p       *Printer
	out     []byte
	class   *do.Class // of the object last named
	field   *do.Field // the field last named
	context uint32    // written last
	bare    bool      // elements of a list: without their name
}

// printed is what writes its members itself, where their order on the wire is not that of the sentence.
type printed interface{ print(w *printing) }

// text is the line of a message, frame or packet without names.
func text(m coded) string {
	p := Printer{Versions: true}
	return p.line(m)
}

// line is the name of m and its members.
func (p *Printer) line(m coded) string {
	w := printing{p: p}
	w.body(m)
	return string(w.out)
}

// body writes the name of m and its members.
func (w *printing) body(m coded) {
	switch m := m.(type) {
	case Body:
		w.word(m.Type().String())
	case Frame:
		w.word(m.FrameType().String())
	case Packet:
		w.word(m.PacketType().String())
	}
	w.members(m)
	if w.context != 0 {
		w.named("context", strconv.FormatUint(uint64(w.context), 10))
	}
}

// members writes the members of m.
func (w *printing) members(m coded) {
	if m, ok := m.(printed); ok {
		m.print(w)
		return
	}
	m.code(&coder{mode: describing, sink: w})
}

// word writes s, after a space if something is before it.
func (w *printing) word(s string) {
	if n := len(w.out); n > 0 && w.out[n-1] != '[' && w.out[n-1] != '(' {
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, s...)
}

// named writes name=s, or s alone in a list.
func (w *printing) named(name, s string) {
	if !w.bare {
		s = name + "=" + s
	}
	w.word(s)
}

// nested writes the members of a struct inside. In a list each stands after a comma.
func (w *printing) nested(name string, v coded) {
	if name == "" && w.out[len(w.out)-1] != '[' {
		w.out = append(w.out, ',')
	}
	bare := w.bare
	w.bare = false
	w.members(v)
	w.bare = bare
}

func (w *printing) openList(name string, _ any) {
	w.word(name + "=[")
	w.bare = true
}

// closeList ends a list; one without elements goes.
func (w *printing) closeList() {
	w.bare = false
	if w.out[len(w.out)-1] != '[' {
		w.out = append(w.out, ']')
		return
	}
	i := len(w.out) - 1
	for i > 0 && w.out[i] != ' ' {
		i--
	}
	w.out = w.out[:i]
}

// member writes one member.
func (w *printing) member(name string, value any) {
	switch v := value.(type) {
	case classNumber:
		w.setClass(v)
	case do.ID:
		w.id(name, v)
	case do.Location:
		w.location(name, v)
	case do.Channel:
		if !v.IsZero() {
			w.named(name, w.p.who(v))
		}
	case do.Range:
		w.named(name, v.String())
	case do.Version:
		if w.p.Versions && !v.IsZero() {
			w.word("@" + v.String())
		}
	case fields.Number:
		w.setField(v)
	case fields.Map:
		w.fields(name, v)
	case rawValue:
		if len(v) > 0 {
			w.word(string(appendValue(nil, w.field, name, v)))
		}
	case []byte:
		if len(v) > 0 {
			w.named(name, shortHex(v))
		}
	case Message:
		w.word("(" + w.p.Message(v) + ")")
	default:
		w.plain(name, value)
	}
}

// plain writes words, numbers, texts and truths.
func (w *printing) plain(name string, value any) {
	switch v := value.(type) {
	case Code:
		if v != CodeOK {
			w.word(v.Name())
		}
	case Reason:
		w.word(v.Name())
	case Type:
		if v != 0 {
			w.word(v.String())
		}
	case SessionState, LeaveReason, OpKind:
		w.word(fmt.Sprint(v))
	case Ref:
		w.ref(v)
	case string:
		if v != "" {
			w.named(name, strconv.Quote(v))
		}
	case bool:
		if v {
			w.word(name)
		}
	case uint32:
		w.number(name, v)
	default:
		if s := fmt.Sprint(value); s != "0" || w.bare {
			w.named(name, s)
		}
	}
}

// number writes what may be a context or an alias.
func (w *printing) number(name string, v uint32) {
	switch {
	case name == "context":
		if v != 0 { // that of what is nested is none, and must not take the place of the outer one
			w.context = v
		}
	case name == "alias" && v != 0:
		w.alias(v)
	case v != 0:
		w.named(name, strconv.FormatUint(uint64(v), 10))
	}
}

// id writes a DoID: the object that the message is about stands bare, and tells the class.
func (w *printing) id(name string, v do.ID) {
	switch {
	case v.IsZero():
	case name == "do":
		w.class = w.p.learnt[v]
		w.word(w.p.id(v))
	default:
		w.named(name, w.p.id(v))
	}
}

func (w *printing) location(name string, v do.Location) {
	switch {
	case v.IsZero():
	case name == "location":
		w.word(w.p.location(v))
	default:
		w.named(name, w.p.location(v))
	}
}

// ref writes how a client names an object.
func (w *printing) ref(r Ref) {
	if id, ok := r.UberDOG(); ok {
		w.class = w.p.learnt[id]
		w.word(w.p.id(id))
		return
	}
	alias, _ := r.Alias()
	w.alias(alias)
}

// alias writes the object that an alias stands for, if the printer heard of it.
func (w *printing) alias(alias uint32) {
	id, ok := w.p.aliases[alias]
	if !ok {
		w.word("alias=" + strconv.FormatUint(uint64(alias), 10))
		return
	}
	w.class = w.p.learnt[id]
	w.word(w.p.id(id))
}

// setClass writes the class and remembers it for the values that follow.
func (w *printing) setClass(n classNumber) {
	w.class = nil
	if w.p.Schema != nil {
		w.class = w.p.Schema.ByNumber(uint32(n))
	}
	switch {
	case w.class != nil:
		w.word(w.class.Name())
	case uint32(n) == AnyClass:
		w.word("any")
	default:
		w.word("class=" + strconv.FormatUint(uint64(n), 10))
	}
}

// setField writes the field and remembers it for the value that follows.
func (w *printing) setField(n fields.Number) {
	w.field = nil
	if w.class != nil {
		w.field = w.class.Field(n)
	}
	w.word(fieldName(w.field, n))
}

// fieldName is the name of f, or its number if nobody knows it.
func fieldName(f *do.Field, n fields.Number) string {
	if f != nil {
		return f.Name
	}
	return n.String()
}

// fields writes the entries of a map: {Name:"Flippy" HP:15}.
func (w *printing) fields(name string, m fields.Map) {
	var b []byte
	it := m.Iter()
	for it.Next() {
		var f *do.Field
		if w.class != nil {
			f = w.class.Field(it.Number())
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, fieldName(f, it.Number())...), ':')
		b = appendValue(b, f, "", it.Value())
	}
	if it.Err() != nil {
		b = append(b, " invalid"...)
	}
	if len(b) == 0 {
		return
	}
	s := "{" + string(b) + "}"
	if name != "fields" {
		s = name + "=" + s
	}
	w.word(s)
}

// shortHex is the beginning of b in hex.
func shortHex(b []byte) string {
	const most = 16
	if len(b) <= most {
		return "0x" + hex.EncodeToString(b)
	}
	return fmt.Sprintf("0x%x...(%d bytes)", b[:most], len(b))
}
