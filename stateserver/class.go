package stateserver

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// audience says for whom an entry is made.
type audience uint8

const (
	viewers   audience = iota // who watches the location: broadcast and clrecv (rule 68)
	ownerView                 // that and ownrecv (rule 53)
	aiView                    // everything stored (rule 43)
	audiences
)

// class is a class of the schema as a State needs it. It is immutable.
type class struct {
	*do.Class
	number uint32
	stored []storedField    // by slot
	seen   [audiences][]int // the slots that an audience sees, ascending by field number
}

// storedField is what is asked of a stored field for each object and entry.
type storedField struct {
	*do.Field
	key   []byte // its number as it stands in a fields.Map
	unset []byte // the value while nothing is set: a required field's initial one, else nil
}

func newClass(c *do.Class) *class {
	k := &class{Class: c, number: c.Number()}
	for slot, f := range c.Stored() {
		sf := storedField{Field: f, key: fields.AppendUint(nil, uint64(f.Number))}
		if f.Keywords.Has(fields.Required) {
			sf.unset = f.Initial()
		}
		k.stored = append(k.stored, sf)
		for a := range audiences {
			if sees(a, f.Keywords) {
				k.seen[a] = append(k.seen[a], slot)
			}
		}
	}
	return k
}

func sees(a audience, k fields.Keyword) bool {
	switch a {
	case viewers:
		return k.Any(fields.Broadcast | fields.ClRecv)
	case ownerView:
		return k.Any(fields.Broadcast | fields.ClRecv | fields.OwnRecv)
	}
	return true
}

// appendFields appends the fields.Map of those of the slots that have a value.
func (o *object) appendFields(dst []byte, slots []int) []byte {
	n, size := 0, 0
	for _, slot := range slots {
		if v := o.value(slot); len(v) > 0 {
			n, size = n+1, size+len(v)+len(o.class.stored[slot].key)
		}
	}
	dst = slices.Grow(dst, size+mapHeader)
	dst = fields.AppendMapHeader(dst, n)
	for _, slot := range slots {
		if v := o.value(slot); len(v) > 0 {
			dst = append(append(dst, o.class.stored[slot].key...), v...)
		}
	}
	return dst
}

// mapHeader is the longest header of a fields.Map.
const mapHeader = 5

// class is the class with the number, nil if the State's schema has none.
func (s *State) class(number uint32) *class {
	if uint64(number) >= uint64(len(s.classes)) {
		return nil
	}
	return s.classes[number]
}

// learn takes a schema. Living objects keep their values; fields that were appended to their classes are unset, and
// answer with their initial value where they are required.
func (s *State) learn(schema *do.Schema) {
	s.schema = schema
	s.classes = make([]*class, len(schema.Classes()))
	for i, c := range schema.Classes() {
		s.classes[i] = newClass(c)
	}
	for _, o := range s.objects {
		// Nothing of this reaches the outbox, so the order of the map does not matter.
		o.become(s.classes[o.class.number])
	}
}

// become gives the object another state of its class. Slots may have moved: a field that was appended to an ancestor
// has a smaller number than the class's own.
func (o *object) become(k *class) {
	old := o.class
	if len(o.values) == 0 {
		o.class = k
		return
	}
	values := make([][]byte, len(k.stored))
	for slot := range old.stored {
		f := k.Field(old.stored[slot].Number)
		if f != nil && f.Stored() && o.isSet(slot) {
			values[f.Slot] = o.value(slot)
		}
	}
	packed := packValues(values)
	o.class, o.values = k, packed
}
