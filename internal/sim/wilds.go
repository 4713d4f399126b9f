package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// The schema of the cluster is drawn from the seed: what the game says, random fields behind those of its avatar, and
// classes that no program has a Go type for. The game's AIs and clients are built on the older, smaller schema. A tool
// makes, sets, moves and deletes objects of the random classes, and sets the avatars' random fields.

// wildType is a type of random fields, with the text of some value of it.
type wildType struct {
	name  string
	value func(r *rand.Rand) string
}

var wildTypes = []wildType{
	{"uint8", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(256)) }},
	{"int32(-50-50)", func(r *rand.Rand) string { return fmt.Sprint(r.IntN(101) - 50) }},
	{"int64", func(r *rand.Rand) string { return fmt.Sprint(r.Int64()) }},
	{"float64", func(r *rand.Rand) string { return fmt.Sprint(float64(r.IntN(1000)) / 8) }},
	{"string(0-8)", func(r *rand.Rand) string { return fmt.Sprintf("%q", strings.Repeat("x", r.IntN(9))) }},
	{"uint16[]", func(r *rand.Rand) string {
		var list []string
		for range r.IntN(4) {
			list = append(list, fmt.Sprint(r.IntN(1000)))
		}
		return "[" + strings.Join(list, " ") + "]"
	}},
}

// wild is a random field.
type wild struct {
	name string
	typ  wildType
}

// grow gives the game's schema with random fields and classes. It remembers the fields by their classes' names.
func (w *world) grow(text string) string {
	w.wild = map[string][]wild{}
	end := strings.Index(text, "dclass Vault")
	head, tail := text[:end], text[end:]
	head = strings.TrimSuffix(strings.TrimRight(head, "\n"), "};") + w.wildFields("Avatar", 1+w.rand.IntN(4)) + "};\n"
	classes := ""
	for i := range 1 + w.rand.IntN(3) {
		name := fmt.Sprint("Wild", i+1)
		parents := ""
		if i > 0 && w.chance(50) {
			parents = fmt.Sprint(" : Wild", i)
			w.wild[name] = append(w.wild[name], w.wild[fmt.Sprint("Wild", i)]...)
		}
		classes += "dclass " + name + parents + " {\n" + w.wildFields(name, 1+w.rand.IntN(8)) + "};\n"
	}
	rest, bindings, _ := strings.Cut(tail, "//! uberdog")
	return head + rest + classes + "//! uberdog" + bindings
}

// wildFields draws some fields.
func (w *world) wildFields(class string, n int) string {
	var b strings.Builder
	for range n {
		f := wild{fmt.Sprint("Rnd", class, len(w.wild[class])), pick(w, wildTypes)}
		w.wild[class] = append(w.wild[class], f)
		words := pick(w, []string{" ram", " ram", " required"})
		if words == " required" && class == "Avatar" {
			words += " ram" // one that is there already lives on with the default
		}
		for _, k := range []string{"broadcast", "ownrecv", "airecv", "clrecv", "db"} {
			if w.chance(40) && (k != "db" || class == "Avatar") {
				words += " " + k
			}
		}
		fmt.Fprintf(&b, "  %s %s%s;\n", f.typ.name, f.name, words)
	}
	return b.String()
}

// offerSchema lets the tool offer the cluster's schema, again until it is accepted.
func (w *world) offerSchema() {
	if s := w.db.state.Schema(); s != nil && s.Class("Wild1") != nil {
		w.after(200*ms, w.startWild)
		return
	}
	w.asTool(do.Control(do.RoleDatabase), func(c uint32) wire.Body { return &wire.SchemaSet{Context: c, Text: w.schema.Text()} })
	w.after(50*ms, w.offerSchema)
}

func (w *world) startWild() {
	w.every(40*ms, func() {
		if w.playing {
			w.actWild()
			w.askAround()
		}
	})
}

// asTool sends a request as a process that has no view of anything.
func (w *world) asTool(to do.Channel, body func(c uint32) wire.Body) {
	w.tools++
	w.net.route(w.tool, []wire.Message{{To: []do.Channel{to}, From: toolChannel, Body: body(w.tools)}})
}

// actWild does one thing with the random schema.
func (w *world) actWild() {
	if len(w.wilds) < 4 {
		w.makeWild()
		return
	}
	i := w.rand.IntN(len(w.wilds))
	id, class := w.wilds[i], w.schema.Class(w.wildClass[w.wilds[i]])
	if w.chance(30) {
		id, class = w.someone(), w.schema.Class("Avatar")
	}
	to := do.ObjectChannel(id)
	switch n := w.rand.IntN(20); {
	case n < 1:
		w.wilds = append(w.wilds[:i:i], w.wilds[i+1:]...)
		w.asTool(do.ObjectChannel(w.wilds[0]), func(c uint32) wire.Body { return &wire.GetAll{Context: c, DO: w.wilds[0]} })
		w.asTool(to, func(c uint32) wire.Body { return &wire.DeleteRAM{Context: c, DO: id} })
	case n < 4:
		at := w.somewhere()
		w.asTool(to, func(c uint32) wire.Body { return &wire.SetLocation{Context: c, DO: id, Location: at} })
	case n < 6:
		f := class.FieldByName(pick(w, w.wild[class.Name()]).name)
		w.asTool(to, func(c uint32) wire.Body {
			return &wire.DeleteFields{Context: c, DO: id, Fields: []fields.Number{f.Number}}
		})
	case n < 8:
		owner := w.somebody()
		w.asTool(to, func(c uint32) wire.Body { return &wire.SetOwner{Context: c, DO: id, Owner: owner} })
	default:
		set := w.wildValues(class, false)
		w.count.WildSets++
		w.asTool(to, func(c uint32) wire.Body { return &wire.SetFields{Context: c, DO: id, Fields: set} })
	}
}

// makeWild makes an object of a random class.
func (w *world) makeWild() {
	var classes []*do.Class
	for _, c := range w.schema.Classes() {
		if strings.HasPrefix(c.Name(), "Wild") {
			classes = append(classes, c)
		}
	}
	class := pick(w, classes)
	id := do.NewID(do.Partition(w.rand.IntN(partitions)+1), w.now/ms, w.rand.Uint64())
	w.name(id, "wild")
	w.ids, w.wilds = append(w.ids, id), append(w.wilds, id)
	w.wildClass[id] = class.Name()
	b := &wire.Create{DO: id, Class: class.Number(), Location: w.somewhere(), Owner: w.somebody(), Fields: w.wildValues(class, true)}
	if a := pick(w, w.ais); a != nil && w.chance(70) {
		b.AI = a.ai.Channel()
	}
	w.asTool(do.ObjectChannel(id), func(c uint32) wire.Body {
		b.Context = c
		return b
	})
}

// wildValues draws values for the required fields, or for some; now and then one that must be refused.
func (w *world) wildValues(class *do.Class, all bool) fields.Map {
	var pairs []fields.Pair
	for _, x := range w.wild[class.Name()] {
		f := class.FieldByName(x.name)
		if !all && w.chance(60) || all && !f.Keywords.Has(fields.Required) && w.chance(50) {
			continue
		}
		v, err := f.Type.ParseText(x.typ.value(w.rand))
		if err != nil {
			w.problem("%s %s: %v", x.typ.name, x.name, err)
			return nil
		}
		if w.chance(3) {
			v = pick(w, [][]byte{fields.AppendNil(nil), fields.AppendInt(nil, -1<<40), fields.AppendString(nil, "much too long"), fields.AppendBool(nil, true)})
		}
		pairs = append(pairs, fields.Pair{Number: f.Number, Value: v})
	}
	return fields.MapOf(pairs...)
}
