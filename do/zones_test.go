package do

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
)

type quarter struct {
	Object
	Ground Grid   `do:"required,broadcast,grid"`
	Doors  []Edge `do:"required,broadcast,edges,max=4"`
	Inside []Zone `do:"required,broadcast,auto,default=[1]"`
	Rooms  []Zone `do:"required,broadcast,open"`
}

type walkerOn struct {
	Object
	Pos  spot `do:"ram,broadcast,ownsend,latest,position"`
	Mood int8 `do:"ram,broadcast"`
}

type spot struct {
	At   int64
	X, Y float32 `do:"as=int16,scale=10"`
}

func zoneClasses(t *testing.T) *Schema {
	r := NewRegistry()
	require.NoError(t, r.Class(quarter{}))
	require.NoError(t, r.Class(walkerOn{}))
	return r.Schema()
}

// The words stand in the structured comments of the canonical text, which gives the same schema back.
func TestZoneWordsInText(t *testing.T) {
	s := zoneClasses(t)
	again, err := ParseSchema(s.Text())
	require.NoError(t, err)
	require.Equal(t, s.Fingerprint(), again.Fingerprint())
	q := again.Class("quarter")
	require.Equal(t, fields.Grid|fields.Edges|fields.Auto|fields.Open, q.Marks())
	require.Equal(t, "Ground", q.Marked(fields.Grid).Name)
	require.Equal(t, "Inside", q.Marked(fields.Auto).Name)
	require.Nil(t, q.Marked(fields.Position))
	require.Equal(t, "Pos", again.Class("walkerOn").Marked(fields.Position).Name)
	zones, err := ParseZones(q.Marked(fields.Auto).Initial())
	require.NoError(t, err)
	require.Equal(t, []Zone{1}, zones)
}

func TestZoneValues(t *testing.T) {
	s := zoneClasses(t)
	q := New[quarter]()
	q.Ground = Grid{Start: 100, Cols: 4, Rows: 3, Cell: 10, Radius: 1, Hysteresis: 2}
	q.Doors = []Edge{{Name: "door", From: 1, To: Location{WellKnown(7), 105}, See: true}}
	var b fields.MapBuilder
	in := InstanceOf(&q.Object)
	require.NoError(t, in.Entry(&b))
	value := func(k fields.Keyword) []byte {
		v, ok := b.Map().Get(s.Class("quarter").Marked(k).Number)
		require.True(t, ok)
		return v
	}
	grid, err := ParseGrid(value(fields.Grid))
	require.NoError(t, err)
	require.Equal(t, q.Ground, grid)
	edges, err := ParseEdges(value(fields.Edges))
	require.NoError(t, err)
	require.Equal(t, q.Doors, edges)

	ground, doors := s.Class("quarter").Marked(fields.Grid), s.Class("quarter").Marked(fields.Edges)
	require.NoError(t, ground.Check(ground.Initial()), "the zero grid is none")
	wrong := func(f *Field, k fields.Keyword, want string) {
		b.Reset()
		require.NoError(t, in.Entry(&b))
		err := f.Check(value(k))
		require.ErrorIs(t, err, fields.ErrRange)
		require.ErrorContains(t, err, want)
	}
	q.Ground.Cols = -1
	wrong(ground, fields.Grid, "grid of -1 x 3")
	q.Ground.Cols, q.Ground.Radius = 4, MaxRadius+1
	wrong(ground, fields.Grid, "radius of 32")
	q.Doors[0].Name = ""
	wrong(doors, fields.Edges, "edge 0: wrong edge: its name")
	q.Doors[0] = Edge{Name: "door"}
	wrong(doors, fields.Edges, "it leads nowhere")
	e := Edge{Name: "door", To: Location{WellKnown(7), 1}}
	q.Doors = []Edge{e, e}
	wrong(doors, fields.Edges, "it is there twice")
	require.Error(t, doors.Check([]byte{1}))
	_, err = ParseGrid([]byte{0x90})
	require.Error(t, err)
}

func TestPosition(t *testing.T) {
	f := zoneClasses(t).Class("walkerOn").Marked(fields.Position)
	w := New[walkerOn]()
	w.Pos = spot{At: 1 << 40, X: 12.5, Y: -3.5}
	var b fields.MapBuilder
	require.NoError(t, InstanceOf(&w.Object).Changed(&b))
	v, ok := b.Map().Get(f.Number)
	require.True(t, ok)
	x, y, ok := f.Position(v)
	require.True(t, ok)
	require.Equal(t, [2]float64{12.5, -3.5}, [2]float64{x, y})
	require.Zero(t, testing.AllocsPerRun(100, func() { f.Position(v) }))
	_, _, ok = f.Position(v[:3])
	require.False(t, ok)
	_, _, ok = zoneClasses(t).Class("walkerOn").FieldByName("Mood").Position(v)
	require.False(t, ok)
}

func TestWrongZoneWords(t *testing.T) {
	for text, want := range map[string]string{
		`int8 G required broadcast; //! grid`:                             "grid needs the type do.Grid",
		`uint16[] E required broadcast; //! edges`:                        "edges needs the type []do.Edge",
		`uint16[] A required broadcast; //! auto`:                         "auto needs the type []do.Zone",
		`uint32 A required broadcast; //! open`:                           "open needs the type []do.Zone",
		`uint32[] A required broadcast; //! auto latest`:                  "auto cannot be latest",
		`uint32[] A required; //! auto`:                                   "auto needs required and broadcast",
		`uint32[] A required broadcast; //! auto open`:                    "one word to a field",
		`S() broadcast; //! position`:                                     "position is about the value of a state field",
		`int8 P ram broadcast; //! position`:                              "position needs a struct with the numbers X and Y",
		`blob P ram broadcast; //! position type="{X float32, Y string}"`: "position needs a struct with the numbers X and Y",
		`blob P db broadcast; //! position type="{X float32, Y float32}"`: "position needs required or ram",
		`uint32[] A required broadcast; //! auto
		 uint32[] B required broadcast; //! auto`: "field B: wrong schema: C has another auto field: one is allowed",
	} {
		_, err := ParseSchema([]byte("dclass C {\n" + text + "\n};"))
		require.ErrorIs(t, err, ErrSchema, text)
		require.ErrorContains(t, err, want, text)
	}
}
