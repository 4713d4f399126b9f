package do

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/otpd/otpd/fields"
)

// The zone graph is the tree of objects and their zones, and what objects declare of the zones below them in fields
// with one of these keywords; they are required and broadcast, since agents and clients read them:
//
//	Ground do.Grid   `do:"required,broadcast,grid"`    cells; who follows an object sees the cells around it
//	Doors  []do.Edge `do:"required,broadcast,edges"`   ways between zones: a zone with edges is entered and left by them alone
//	Inside []do.Zone `do:"required,broadcast,auto"`    zones that open for who sees the object (rule 163)
//	Rooms  []do.Zone `do:"required,broadcast,open"`    zones that clients may open, where the agent asks for permission
//
// And what stands on a grid has a field with the keyword position: a struct with the numbers X and Y.

// Edge is a way from a zone below the object that declares it to another location, and back.
type Edge struct {
	Name string `do:"max=63"`
	From Zone   // below the object that declares it
	To   Location
	See  bool // who follows an object at From sees what is at To
}

// ErrEdge is wrapped by errors about edges that cannot be.
var ErrEdge = errors.New("wrong edge")

// CheckEdges checks that all edges have a name of their own and lead somewhere. Errors wrap ErrEdge.
func CheckEdges(edges []Edge) error {
	for i, e := range edges {
		if e.Name == "" || len(e.Name) > maxName {
			return fmt.Errorf("do: edge %d: %w: its name has 1 to %d bytes", i, ErrEdge, maxName)
		}
		if e.To.IsZero() {
			return fmt.Errorf("do: edge %s: %w: it leads nowhere", e.Name, ErrEdge)
		}
		for _, o := range edges[:i] {
			if o.Name == e.Name {
				return fmt.Errorf("do: edge %s: %w: it is there twice", e.Name, ErrEdge)
			}
		}
	}
	return nil
}

// shape is a Go type as a field type with its codec.
type shape struct {
	t     *fields.Type
	codec *fields.Codec
}

// shapeOf is the shape of T, made once: T is one of this package's own, which cannot fail.
func shapeOf[T any]() func() shape {
	return sync.OnceValue(func() shape {
		rt := reflect.TypeFor[T]()
		t, err := fields.TypeOf(rt, fields.Tag{})
		if err != nil {
			panic(err)
		}
		codec, err := fields.CodecOf(rt, t)
		if err != nil {
			panic(err)
		}
		return shape{t, codec}
	})
}

var (
	gridShape  = shapeOf[Grid]()
	edgesShape = shapeOf[[]Edge]()
	zonesShape = shapeOf[[]Zone]()
)

// decode checks and decodes value as T.
func decode[T any](s shape, value []byte) (v T, err error) {
	if err := s.t.Check(value); err != nil {
		return v, err
	}
	_, err = s.codec.Decode(unsafe.Pointer(&v), value)
	return v, err
}

// ParseGrid decodes the value of a grid field; the zero Grid is none.
func ParseGrid(value []byte) (Grid, error) {
	g, err := decode[Grid](gridShape(), value)
	if err == nil && g != (Grid{}) {
		err = g.Validate()
	}
	if err != nil {
		return Grid{}, err
	}
	return g, nil
}

// ParseEdges decodes the value of an edges field.
func ParseEdges(value []byte) ([]Edge, error) {
	edges, err := decode[[]Edge](edgesShape(), value)
	if err == nil {
		err = CheckEdges(edges)
	}
	if err != nil {
		return nil, err
	}
	return edges, nil
}

// ParseZones decodes the value of an auto or open field.
func ParseZones(value []byte) ([]Zone, error) { return decode[[]Zone](zonesShape(), value) }

// zoneWords are the keywords of the zone graph.
const zoneWords = fields.Grid | fields.Edges | fields.Auto | fields.Open

// ZoneWords are the keywords of fields that say something of the zones below an object.
func ZoneWords() fields.Keyword { return zoneWords }

// checkZoneWords refuses a field of the zone graph that agents could not read.
func checkZoneWords(f *FieldDecl) error {
	k := f.Keywords & (zoneWords | fields.Position)
	if k == 0 {
		return nil
	}
	if f.Kind != FieldState || k&(k-1) != 0 {
		return fmt.Errorf("%w: %s is about the value of a state field, one word to a field", ErrSchema, k)
	}
	if k == fields.Position {
		if _, _, ok := positionOf(f.Type); !ok {
			return fmt.Errorf("%w: position needs a struct with the numbers X and Y", ErrSchema)
		}
		if !f.Keywords.Any(fields.Required | fields.RAM) {
			return fmt.Errorf("%w: position needs required or ram: it is where the object is now", ErrSchema)
		}
		return nil
	}
	if f.Keywords.Any(fields.Latest) {
		return fmt.Errorf("%w: %s cannot be latest: each of its values counts", ErrSchema, k)
	}
	if !f.Keywords.Has(fields.Required | fields.Broadcast) {
		return fmt.Errorf("%w: %s needs required and broadcast: agents and clients read it", ErrSchema, k)
	}
	want, got := gridShape().t, f.Type
	if k != fields.Grid {
		if f.Type.Kind() != fields.KindSlice {
			got = nil
		} else if got = f.Type.Elem(); k == fields.Edges {
			want = edgesShape().t.Elem()
		} else {
			want = zonesShape().t.Elem()
		}
	}
	if got == nil || !want.Equal(got) {
		return fmt.Errorf("%w: %s needs the type %s", ErrSchema, k, map[fields.Keyword]string{
			fields.Grid: "do.Grid", fields.Edges: "[]do.Edge", fields.Auto: "[]do.Zone", fields.Open: "[]do.Zone",
		}[k])
	}
	if f.Default != nil {
		if err := checkZoneValue(k, f.Default); err != nil {
			return fmt.Errorf("%w: the default: %w", ErrSchema, err)
		}
	}
	return nil
}

// checkZoneValue refuses a grid or edges that cannot be, beyond what their types say.
func checkZoneValue(k fields.Keyword, value []byte) (err error) {
	switch {
	case k.Has(fields.Grid):
		_, err = ParseGrid(value)
	case k.Has(fields.Edges):
		_, err = ParseEdges(value)
	}
	if errors.Is(err, ErrGrid) || errors.Is(err, ErrEdge) {
		return fmt.Errorf("%w: %w", fields.ErrRange, err)
	}
	return err
}

// positionOf are the places of X and Y among the members of a position.
func positionOf(t *fields.Type) (x, y int, ok bool) {
	x, y = -1, -1
	for i, m := range t.Members() {
		switch {
		case !m.Type.Numeric():
		case m.Name == "X":
			x = i
		case m.Name == "Y":
			y = i
		}
	}
	return x, y, x >= 0 && y >= 0
}

// Position is X and Y of a value of a position field. It allocates nothing.
func (f *Field) Position(value []byte) (x, y float64, ok bool) {
	if f.Type == nil {
		return 0, 0, false
	}
	i, j, ok := positionOf(f.Type)
	if !ok {
		return 0, 0, false
	}
	x, okX := f.Type.NumberAt(value, i)
	y, okY := f.Type.NumberAt(value, j)
	return x, y, okX && okY
}

// Marked is the field of the class with the keyword, one of position, grid, edges, auto and open; nil if it has none.
func (c *Class) Marked(k fields.Keyword) *Field {
	if !c.marks.Has(k) {
		return nil
	}
	for _, f := range c.stored {
		if f.Keywords.Has(k) {
			return f
		}
	}
	return nil
}

// Marks are the keywords of position and zone graph that fields of the class have.
func (c *Class) Marks() fields.Keyword { return c.marks }

// ownAt is where the class itself declares a field, nowhere if it inherits it.
func (c *Class) ownAt(name string) Position {
	for i := range c.own {
		if c.own[i].Name == name {
			return c.own[i].At
		}
	}
	return Position{}
}

// setMarks notes which fields of the zone graph the class has; each of them once.
func (c *Class) setMarks() error {
	for _, f := range c.fields {
		k := f.Keywords & (zoneWords | fields.Position)
		if f.Kind != FieldState || k == 0 {
			continue
		}
		if c.marks.Any(k) {
			return &fieldError{c.ownAt(f.Name), f.Name, fmt.Errorf("%w: %s has another %s field: one is allowed", ErrSchema, c.name, k)}
		}
		c.marks |= k
	}
	return nil
}
