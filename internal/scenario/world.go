package scenario

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// World gives names to what a scenario speaks of.
type World struct {
	Schema  *do.Schema
	Printer *wire.Printer

	ids     map[string]do.ID
	parts   map[string]do.Partition
	classes map[do.ID]*do.Class
	count   uint64
}

// NewWorld is a world without names. Objects are in partition 1 unless Place says otherwise.
func NewWorld(schema *do.Schema) *World {
	return &World{
		Schema:  schema,
		Printer: &wire.Printer{Schema: schema, Names: make(map[do.ID]string)},
		ids:     make(map[string]do.ID),
		parts:   make(map[string]do.Partition),
		classes: make(map[do.ID]*do.Class),
	}
}

// Place says in which partition the object of a name is; before the name is used.
func (w *World) Place(name string, p do.Partition) { w.parts[name] = p }

// ID is the id of a name, made when it is first asked for; ids grow in the order of their making. "none" is no object,
// and #4670 a well-known id.
func (w *World) ID(name string) do.ID {
	if id, ok := w.ids[name]; ok {
		return id
	}
	if strings.HasPrefix(name, "#") || name == "none" || name == "" {
		id, _ := do.ParseID(name)
		return id
	}
	p, ok := w.parts[name]
	if !ok {
		p = 1
	}
	w.count++
	id := do.NewID(p, int64(w.count), w.count)
	w.ids[name] = id
	w.Printer.Names[id] = name
	return id
}

// prefixes say what the names of processes and sessions look like: the prefix, then digits.
var prefixes = []struct {
	name    string
	channel func(do.ID) do.Channel
}{
	{"ai", do.AI},
	{"client", do.Session},
	{"agent", func(id do.ID) do.Channel { return do.ControlOf(do.RoleClientAgent, id) }},
	{"state", func(id do.ID) do.Channel { return do.ControlOf(do.RoleStateServer, id) }},
	{"uberdog", do.UberDOG},
}

// Channel is the channel of a name: of an AI (ai1), session (client1), agent (agent1) or State (state1), else of an
// object. "database", "director" and "stateservers" are the services; "none" is no channel; "location street/20" and
// "children street" are what they say.
func (w *World) Channel(name string) (do.Channel, error) {
	switch name {
	case "", "none":
		return do.Channel{}, nil
	case "database":
		return do.Control(do.RoleDatabase), nil
	case "director":
		return do.Control(do.RoleDirector), nil
	case "stateservers":
		return do.Control(do.RoleStateServer), nil
	}
	if kind, rest, ok := strings.Cut(name, " "); ok {
		switch kind {
		case "location":
			l, err := w.Location(rest)
			return do.At(l), err
		case "children":
			return do.Children(w.ID(rest)), nil
		}
		return do.Channel{}, fmt.Errorf("no channel %q", name)
	}
	for _, p := range prefixes {
		digits, ok := strings.CutPrefix(name, p.name)
		if _, err := strconv.Atoi(digits); ok && err == nil {
			return p.channel(w.ID(name)), nil
		}
	}
	return do.ObjectChannel(w.ID(name)), nil
}

// Location reads parent/zone with the parent's name, or none.
func (w *World) Location(s string) (do.Location, error) {
	if s == "" || s == "none" {
		return do.Location{}, nil
	}
	parent, zone, _ := strings.Cut(s, "/")
	z, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return do.Location{}, fmt.Errorf("location %q: %w", s, err)
	}
	return do.Location{Parent: w.ID(parent), Zone: do.Zone(z)}, nil
}

// Zones reads 20,21.
func (w *World) Zones(s string) (zones []do.Zone, err error) {
	for _, word := range strings.Split(s, ",") {
		z, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("zone %q: %w", word, err)
		}
		zones = append(zones, do.Zone(z))
	}
	return zones, nil
}

// IDs reads names with commas between them.
func (w *World) IDs(s string) (ids []do.ID) {
	for _, name := range strings.Split(s, ",") {
		ids = append(ids, w.ID(name))
	}
	return ids
}

// Class is the class of a name.
func (w *World) Class(name string) (*do.Class, error) {
	if c := w.Schema.Class(name); c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("no class %q", name)
}

// Is remembers the class of an object, for the names of its fields.
func (w *World) Is(id do.ID, c *do.Class) {
	w.classes[id] = c
	w.Printer.Learn(id, c.Number())
}

// ClassOf is the class of an object that Is told of.
func (w *World) ClassOf(id do.ID) (*do.Class, error) {
	if c := w.classes[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("the scenario has not said which class %s has", w.Printer.Names[id])
}

// Fields reads the arguments of a command that are fields of the class, leaving out the keys that it is told.
func (w *World) Fields(c *do.Class, cmd *Command, except ...string) (fields.Map, error) {
	var pairs []fields.Pair
next:
	for _, a := range cmd.Args {
		if a.Key == "" {
			continue
		}
		for _, e := range except {
			if a.Key == e {
				continue next
			}
		}
		n, v, err := w.Value(c, a)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, fields.Pair{Number: n, Value: v})
	}
	return fields.MapOf(pairs...), nil
}

// Value reads HP=15, or HP:raw=0x0f for bytes that may be no value at all.
func (w *World) Value(c *do.Class, a Arg) (fields.Number, []byte, error) {
	name, raw := strings.CutSuffix(a.Key, ":raw")
	n, err := w.Number(c, name)
	if err != nil {
		return 0, nil, err
	}
	if raw {
		v, err := hex.DecodeString(strings.TrimPrefix(a.Value, "0x"))
		return n, v, err
	}
	v, err := encode(c.Field(n), a.Value)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, v, nil
}

// Number is the number of a field by its name, or of level.index.
func (w *World) Number(c *do.Class, name string) (fields.Number, error) {
	if f := c.FieldByName(name); f != nil {
		return f.Number, nil
	}
	level, index, ok := strings.Cut(name, ".")
	l, err1 := strconv.Atoi(level)
	i, err2 := strconv.Atoi(index)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("no field %s.%s", c.Name(), name)
	}
	return fields.NewNumber(l, i)
}

// encode reads the text of a value; strings need no quotes if they are one word. Values of a molecular stand in
// brackets.
func encode(f *do.Field, text string) ([]byte, error) {
	if f == nil {
		return nil, fmt.Errorf("nobody knows the type: write :raw")
	}
	if f.Kind == do.FieldMolecular {
		return encodeParts(f, text)
	}
	return encodeType(f.Type, text)
}

func encodeType(t *fields.Type, text string) ([]byte, error) {
	if t.Kind() == fields.KindString && !strings.HasPrefix(text, `"`) {
		text = strconv.Quote(text)
	}
	return t.ParseText(text)
}

func encodeParts(f *do.Field, text string) ([]byte, error) {
	c, err := parseCommand("parts " + strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return nil, err
	}
	if len(c.Args) != len(f.Parts) {
		return nil, fmt.Errorf("%d values for %d parts", len(c.Args), len(f.Parts))
	}
	v := fields.AppendArrayHeader(nil, len(f.Parts))
	for i, part := range f.Parts {
		one, err := encodeType(part.Type, c.Args[i].Value)
		if err != nil {
			return nil, err
		}
		v = append(v, one...)
	}
	return v, nil
}
