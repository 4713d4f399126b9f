package sim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// trace is everything that happened, as it is needed for a failure's last lines: it becomes text only then.
type trace struct {
	names   map[do.ID]string
	schema  *do.Schema
	entries []entry
}

// entry is a message, a frame, or a note.
type entry struct {
	at       int64
	note     string
	from, to string
	message  wire.Message
	frame    wire.Frame
}

// lines are the last lines of the trace, or of those that have one of the words.
func (t *trace) lines(tail int, only []string) []string {
	printer := func() *wire.Printer { return &wire.Printer{Schema: t.schema, Names: t.names, Versions: true} }
	messages, frames := printer(), map[string]*wire.Printer{} // aliases mean something for one agent
	var out []string
	for i := range t.entries {
		p, e := messages, &t.entries[i]
		if e.frame != nil {
			agent := e.from
			if strings.HasPrefix(e.to, "agent") {
				agent = e.to
			}
			if p = frames[agent]; p == nil {
				p = printer()
				frames[agent] = p
			}
		}
		line := e.line(p)
		if len(only) == 0 || slices.ContainsFunc(only, func(word string) bool { return strings.Contains(line, word) }) {
			out = append(out, line)
		}
	}
	return out[max(0, len(out)-tail):]
}

func (e *entry) line(p *wire.Printer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9.3f", float64(e.at-epoch)/1e9)
	if e.from != "" {
		fmt.Fprintf(&b, " %s", e.from)
	}
	if e.to != "" {
		fmt.Fprintf(&b, " > %s", e.to)
	}
	if e.note != "" {
		fmt.Fprintf(&b, " [%s]", e.note)
	}
	switch {
	case e.message.Body != nil:
		fmt.Fprintf(&b, " %s", p.Message(e.message))
	case e.frame != nil:
		fmt.Fprintf(&b, " %s", p.Frame(e.frame))
	}
	return b.String()
}

// record remembers a message.
func (w *world) record(note, from, to string, m wire.Message) {
	w.trace.entries = append(w.trace.entries, entry{at: w.now, note: note, from: from, to: to, message: m})
}

// note remembers what an actor decided.
func (w *world) note(who, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.hash.Write([]byte(text))
	w.trace.entries = append(w.trace.entries, entry{at: w.now, note: text, from: who})
}

// recordFrame remembers a frame.
func (w *world) recordFrame(note, from, to string, f wire.Frame) {
	w.trace.entries = append(w.trace.entries, entry{at: w.now, note: note, from: from, to: to, frame: f})
}

// stamp puts into the hash that something reached somebody now.
func (w *world) stamp(who int) {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], uint64(w.now))
	binary.BigEndian.PutUint32(b[8:], uint32(who))
	w.hash.Write(b[:])
}

// nameOf is the name of an object, a session or a process.
func (w *world) nameOf(id do.ID) string {
	if n, ok := w.trace.names[id]; ok {
		return n
	}
	return id.String()
}

// name gives an id a name for the trace.
func (w *world) name(id do.ID, prefix string) string {
	w.named[prefix]++
	n := fmt.Sprint(prefix, w.named[prefix])
	w.trace.names[id] = n
	return n
}

// problem notes that something does not hold. The first ones are kept.
func (w *world) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace.entries = append(w.trace.entries, entry{at: w.now, note: "PROBLEM " + text})
	if len(w.problems) < maxProblems && !slices.Contains(w.problems, text) {
		w.problems = append(w.problems, text)
	}
}

// maxProblems is how many problems of one run are reported.
const maxProblems = 8
