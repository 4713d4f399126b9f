package wire

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

var update = flag.Bool("update", false, "write docs/protocol.md")

// docs/protocol.md is made from the code: the tables of numbers, the code methods and the comments of the structs.
func TestProtocolDoc(t *testing.T) {
	const path = "../docs/protocol.md"
	want := protocol(t)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, string(got) == want, "docs/protocol.md is not what the code says: go test ./wire -run TestProtocolDoc -update")
}

// source is what the package's files say of a struct.
type source struct {
	file     string
	doc      string
	comments []string // of its members, in order
}

// sources reads the package: its structs, and the comment that begins each file.
func sources(t *testing.T) (structs map[string]source, heads map[string]string) {
	structs, heads = map[string]source{}, map[string]string{}
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		require.NoError(t, err)
		heads[path] = head(f)
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				spec := s.(*ast.TypeSpec)
				if st, ok := spec.Type.(*ast.StructType); ok {
					structs[spec.Name.Name] = source{path, line(g.Doc.Text()), memberComments(st)}
				}
			}
		}
	}
	return structs, heads
}

// head is the comment between a file's imports and its first declaration.
func head(f *ast.File) string {
	after := f.Name.End()
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			after = g.End()
			continue
		}
		break
	}
	for _, c := range f.Comments {
		if c.Pos() > after {
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Doc == c {
					return ""
				}
			}
			return line(c.Text())
		}
	}
	return ""
}

func memberComments(st *ast.StructType) (list []string) {
	for _, f := range st.Fields.List {
		text := line(f.Comment.Text())
		for range f.Names {
			list = append(list, text)
		}
	}
	return list
}

// line is a comment in one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// layout is the sink that takes the members of a struct down as the documentation has them.
type layout struct {
	names, types []string
	parts        map[string]coded // the structs inside
}

func layoutOf(m coded) *layout {
	l := &layout{parts: map[string]coded{}}
	m.code(&coder{mode: describing, sink: l})
	return l
}

func (l *layout) add(name, typ string) {
	l.names, l.types = append(l.names, name), append(l.types, typ)
}

func (l *layout) member(name string, value any) { l.add(name, typeText(value)) }

func (l *layout) nested(name string, v coded) {
	typ := reflect.TypeOf(v).Elem().Name()
	l.parts[typ] = v
	l.add(name, typ)
}

func (l *layout) openList(name string, elem any) {
	if v, ok := reflect.New(reflect.TypeOf(elem)).Interface().(coded); ok {
		typ := reflect.TypeOf(elem).Name()
		l.parts[typ] = v
		l.add(name, "list of "+typ)
		return
	}
	l.add(name, "list of "+typeText(elem))
}

func (l *layout) closeList() {}

// typeText is how the documentation calls a type.
func typeText(v any) string {
	switch v.(type) {
	case classNumber:
		return "class"
	case do.ID:
		return "id"
	case do.Location:
		return "location"
	case do.Channel:
		return "channel"
	case do.Range:
		return "range"
	case do.Version:
		return "version"
	case do.Zone:
		return "zone"
	case do.Partition:
		return "uint16"
	case fields.Number:
		return "field"
	case fields.Map:
		return "fields"
	case rawValue:
		return "value"
	case []byte:
		return "bytes"
	case Message:
		return "message"
	case Code:
		return "code"
	case Reason:
		return "reason"
	case Ref:
		return "ref"
	case Type:
		return "number"
	}
	return reflect.TypeOf(v).Kind().String()
}

// page puts the page together.
type page struct {
	t *testing.T
	strings.Builder
	structs map[string]source
	heads   map[string]string
	parts   map[string]coded
}

func (p *page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// entry writes a struct: what it is for, its layout, and what there is to say of its members.
func (p *page) entry(name string, m coded) {
	s, ok := p.structs[name]
	require.True(p.t, ok, name)
	require.NotEmpty(p.t, s.doc, "%s has no comment", name)
	p.printf("%s\n\n", s.doc)
	l := layoutOf(m)
	for name, part := range l.parts {
		p.parts[name] = part
	}
	require.Len(p.t, s.comments, len(l.names), "%s: its code method has as many members as the struct", name)
	var list []string
	for i := range l.names {
		list = append(list, l.names[i]+" "+l.types[i])
	}
	p.printf("    [%s]\n\n", strings.Join(list, ", "))
	written := false
	for i, c := range s.comments {
		if c != "" {
			p.printf("- `%s`: %s\n", l.names[i], c)
			written = true
		}
	}
	if written {
		p.printf("\n")
	}
}

const protocolHead = `# The protocol

This page is made from package wire by ` + "`go test ./wire -run TestProtocolDoc -update`" + `; a test compares them.

## Form

Everything is [msgpack](https://github.com/msgpack/msgpack/blob/master/spec.md). A struct is an array of its members, in
the order of its layout: none may be missing, but a last one that says so, and none may follow. Ints are read in any form and written in the smallest.

    message   [number, to, from, body] or [number, to, from, body, trace]
    to        array of 1 to 255 channels
    from      channel
    body      array of the members of the message
    trace     bin of 24 bytes: trace id (16), span id (8) of W3C Trace Context

    frame     [number, members...]: on the client link; its header is one byte
    packet    [number, members...]: between directors

| type | is |
|---|---|
| uint8 to uint64, int64 | an int in that range |
| bool, string | bool; str, UTF-8, at most 65,536 bytes |
| bytes | bin, at most 16 MiB |
| id | bin of 16 bytes; nil: none |
| zone | uint32 |
| location | [parent id, zone]; nil: nowhere |
| channel | [kind, id, zone]; nil: none. The kinds are in a table at the end |
| range | [lowest channel, highest channel] |
| version | [incarnation uint64, n uint32, m uint32]; nil: none |
| class | uint32: the class's place in the cluster's schema |
| field | a field's number: (index>>6)<<10, level<<6 and index&63 put together |
| value | one encoded value in place, of the field's type; nil: none |
| fields | map of field to value, ascending |
| ref | a positive int: an alias; a negative one: the number of an UberDOG |
| number | a message's number |
| code, reason | see the tables at the end |
| list of x | array |
| message | a whole message; inside of it there is no other |

Decoders refuse whatever is cut short, has bytes behind its end, is out of its range, or is nested deeper than 32.

A recording is ` + "`otpd recording\\n`" + ` and then records: a length (4 bytes, big endian) and as many bytes. The first record is
[format, kind, config, start], the others are messages, whose recipients may be none.

`

func protocol(t *testing.T) string {
	p := &page{t: t, parts: map[string]coded{}}
	p.structs, p.heads = sources(t)
	p.WriteString(protocolHead)
	p.printf("# Messages\n\n")
	p.messages()
	p.printf("# Frames of the client link\n\n%s\n\n", p.heads["frame.go"])
	for _, from := range []string{fromClient, fromAgent} {
		p.printf("## From the %s\n\n", from)
		for _, f := range frames {
			if f.from == from {
				p.printf("### %d %s\n\n", f.number, f.name)
				p.entry(f.name, f.empty())
			}
		}
	}
	p.printf("# Packets between directors\n\n%s\n\n", p.heads["bus.go"])
	for _, k := range packets {
		p.printf("### %d %s\n\n", k.number, k.name)
		p.entry(k.name, k.empty())
	}
	p.partsOf()
	p.tables()
	return strings.TrimRight(p.String(), "\n") + "\n"
}

// messages writes all messages, in the groups that the files make.
func (p *page) messages() {
	var files []string
	byFile := map[string][]spec{}
	for _, s := range messages {
		file := p.structs[s.name].file
		if !slices.Contains(files, file) {
			files = append(files, file)
		}
		byFile[file] = append(byFile[file], s)
	}
	for _, file := range files {
		require.NotEmpty(p.t, p.heads[file], "%s begins with a comment on what is in it", file)
		p.printf("## %s\n\n%s\n\n", strings.TrimSuffix(file, ".go"), p.heads[file])
		for _, s := range byFile[file] {
			p.printf("### %d %s\n\n%s → %s\n\n", s.number, s.name, s.from, s.to)
			p.entry(s.name, s.empty())
		}
	}
}

// partsOf writes the structs inside of messages, and those inside of them.
func (p *page) partsOf() {
	p.printf("# Parts\n\n")
	written := map[string]bool{}
	for {
		var names []string
		for name, part := range p.parts {
			if _, message := part.(Body); !message && !written[name] {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return
		}
		slices.Sort(names)
		written[names[0]] = true
		p.printf("### %s\n\n", names[0])
		p.entry(names[0], p.parts[names[0]])
	}
}

func (p *page) tables() {
	p.printf("# Codes\n\nWhy a request failed.\n\n| code | name | meaning |\n|---|---|---|\n")
	for _, c := range Codes() {
		p.printf("| %d | %s | %s |\n", c, c.Name(), c)
	}
	p.printf("\n# Small numbers\n\n| what | number | name |\n|---|---|---|\n")
	for k := do.KindNone + 1; k <= do.KindAllClients; k++ {
		p.printf("| kind of channel | %d | %s |\n", k, k)
	}
	for s := StateNew; s <= StateEstablished; s++ {
		p.printf("| state of a session | %d | %s |\n", s, s)
	}
	for r := LeaveMoved; r <= LeaveDeleted; r++ {
		p.printf("| reason of a leave | %d | %s |\n", r, r)
	}
	for k := OpSet; k <= OpReply; k++ {
		p.printf("| kind of an op | %d | %s |\n", k, k)
	}
	p.printf("\n# Reasons\n\nWhy a session ended, whose fault it is, and what the client should do.\n\n| reason | name | meaning | fault | advice |\n|---|---|---|---|---|\n")
	for _, r := range Reasons() {
		p.printf("| %d | %s | %s | %s | %s |\n", r.Reason, r.Name, r.Text, r.Fault, r.Advice)
	}
}
