package wire

import (
	"fmt"
	"strings"

	"github.com/otpd/otpd/do"
)

// Printer writes messages and frames as people read them, one line each, the same in logs, traces and scenarios:
//
//	avatar1 -> location street/20: EnterLocation avatar1 Avatar street/20 {Name:"Flippy" HP:15}
//
// It learns from what it prints which object has which class, and which alias, so that it can name the fields of an
// object that it saw before. The zero value is ready; it has one owner.
type Printer struct {
	Schema   *do.Schema       // names classes and fields, and types values; may be nil
	Names    map[do.ID]string // of objects, sessions, processes; each name once; may be nil
	Versions bool             // versions are written, too

	learnt  map[do.ID]*do.Class
	aliases map[uint32]do.ID
}

// Message is the line of m: from, to and what.
func (p *Printer) Message(m Message) string {
	var b strings.Builder
	b.WriteString(p.who(m.From))
	b.WriteString(" -> ")
	for i, to := range m.To {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Channel(to))
	}
	b.WriteString(": ")
	b.WriteString(p.Body(m.Body))
	return b.String()
}

// String is the line of m without names.
func (m Message) String() string {
	p := Printer{Versions: true}
	return p.Message(m)
}

// Body is what a message says.
func (p *Printer) Body(b Body) string {
	if b == nil {
		return "nothing"
	}
	p.learnBody(b)
	return p.line(b)
}

// Frame is the line of a frame.
func (p *Printer) Frame(f Frame) string {
	switch f := f.(type) {
	case *ClientEnter:
		delete(p.aliases, f.Alias)
		defer p.learnAlias(f.Alias, f.DO, f.Class)
	case *ClientEnters:
		for e := range f.All() {
			delete(p.aliases, e.Alias)
			defer p.learnAlias(e.Alias, e.DO, e.Class)
		}
	case *ClientEnterOwner:
		delete(p.aliases, f.Alias)
		defer p.learnAlias(f.Alias, f.DO, f.Class)
	case *ClientDeclare:
		delete(p.aliases, f.Alias)
		defer p.learnAlias(f.Alias, f.DO, f.Class)
	}
	return p.line(f)
}

// Packet is the line of a packet.
func (p *Printer) Packet(q Packet) string { return p.line(q) }

// Learn tells which class an object has, by the class's number.
func (p *Printer) Learn(id do.ID, class uint32) {
	if p.Schema == nil {
		return
	}
	c := p.Schema.ByNumber(class)
	if c == nil {
		return
	}
	if p.learnt == nil {
		p.learnt = make(map[do.ID]*do.Class)
	}
	p.learnt[id] = c
}

func (p *Printer) learnAlias(alias uint32, id do.ID, class uint32) {
	if p.aliases == nil {
		p.aliases = make(map[uint32]do.ID)
	}
	p.aliases[alias] = id
	p.Learn(id, class)
}

// learnBody learns the classes that a message tells.
func (p *Printer) learnBody(b Body) {
	switch b := b.(type) {
	case *Create:
		p.Learn(b.DO, b.Class)
	case *Activate:
		p.Learn(b.DO, b.Class)
	case *ChangingLocation:
		p.Learn(b.DO, b.Class)
	case *EnterLocation:
		p.learnEntries(b.Entry)
	case *EnterAI:
		p.learnEntries(b.Entry)
	case *EnterOwner:
		p.learnEntries(b.Entry)
	case *GetAllResp:
		p.learnEntries(b.Entry)
	case *ZonesObjects:
		p.learnEntries(b.Entries...)
	case *ZoneEntries:
		p.learnEntries(b.Entries...)
	case *DeclareObject:
		p.Learn(b.DO, b.Class)
	case *DBCreate:
		p.Learn(b.DO, b.Class)
	case *DBObject:
		p.Learn(b.DO, b.Class)
	}
}

func (p *Printer) learnEntries(entries ...Entry) {
	for i := range entries {
		p.Learn(entries[i].DO, entries[i].Class)
	}
}

// id is the name of id, or its text.
func (p *Printer) id(id do.ID) string {
	if n, ok := p.Names[id]; ok {
		return n
	}
	return id.String()
}

// location is l with the parent's name.
func (p *Printer) location(l do.Location) string {
	if l.IsZero() {
		return l.String()
	}
	return fmt.Sprintf("%s/%d", p.id(l.Parent), l.Zone)
}

// Channel is the text of c, as do.Channel.String with names; ParseChannel reads it.
func (p *Printer) Channel(c do.Channel) string {
	switch {
	case c.Kind == do.KindLocation:
		return c.Kind.String() + " " + p.location(c.Location())
	case c.Kind == do.KindControl && !c.ID.IsZero():
		return do.Control(c.Zone).String() + " " + p.id(c.ID)
	case c.ID.IsZero() || c.Kind == do.KindControl:
		return c.String()
	}
	return c.Kind.String() + " " + p.id(c.ID)
}

// who is a channel where a person or process is meant: a name alone is enough.
func (p *Printer) who(c do.Channel) string {
	if n, ok := p.Names[c.ID]; ok && c.Kind != do.KindLocation && c.Kind != do.KindChildren {
		return n
	}
	return p.Channel(c)
}

// ParseID reads a name, or the text of an id.
func (p *Printer) ParseID(s string) (do.ID, error) {
	for id, n := range p.Names {
		if n == s {
			return id, nil
		}
	}
	return do.ParseID(s)
}

// ParseLocation reads parent/zone, where the parent may be a name, or none.
func (p *Printer) ParseLocation(s string) (do.Location, error) {
	parent, zone, ok := strings.Cut(s, "/")
	if !ok {
		return do.ParseLocation(s)
	}
	id, err := p.ParseID(parent)
	if err != nil {
		return do.Location{}, err
	}
	return do.ParseLocation(id.String() + "/" + zone)
}

// ParseChannel reads what Channel writes.
func (p *Printer) ParseChannel(s string) (do.Channel, error) {
	kind, rest, ok := strings.Cut(s, " ")
	switch {
	case !ok:
		return do.ParseChannel(s)
	case kind == do.KindLocation.String():
		l, err := p.ParseLocation(rest)
		return do.At(l), err
	case kind == do.KindControl.String():
		role, instance, ok := strings.Cut(rest, " ")
		if !ok {
			return do.ParseChannel(s)
		}
		id, err := p.ParseID(instance)
		if err != nil {
			return do.Channel{}, err
		}
		return do.ParseChannel(kind + " " + role + " " + id.String())
	}
	id, err := p.ParseID(rest)
	if err != nil {
		return do.Channel{}, err
	}
	return do.ParseChannel(kind + " " + id.String())
}
