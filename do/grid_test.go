package do

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var street = Grid{Start: 100, Cols: 4, Rows: 3, Cell: 10, Radius: 1, Hysteresis: 2}

// The peers let the cell one past the end pass (`> gridSize`); the last cell is Start + Cols*Rows - 1.
func TestRule164GridEndsAtItsLastCell(t *testing.T) {
	require.True(t, street.Contains(111))
	require.False(t, street.Contains(112))
	require.False(t, street.Contains(99))
	z, ok := street.ZoneAt(19.9, 14.9)
	require.True(t, ok)
	require.Equal(t, Zone(111), z)
	for _, p := range [][2]float64{{20, 0}, {0, 15}, {-20.1, 0}, {0, -15.1}, {math.NaN(), 0}, {math.Inf(1), 0}} {
		_, ok := street.ZoneAt(p[0], p[1])
		require.False(t, ok, "%v", p)
	}
}

func TestRule164GridIsCentredAndClamped(t *testing.T) {
	z, ok := street.ZoneAt(-20, -15)
	require.True(t, ok)
	require.Equal(t, Zone(100), z)
	require.Equal(t, []Zone{100, 101, 104, 105}, street.Around(nil, 100))
	require.Equal(t, []Zone{100, 101, 102, 104, 105, 106, 108, 109, 110}, street.Around(nil, 105))
	require.Equal(t, []Zone{106, 107, 110, 111}, street.Around(nil, 111))
	require.Empty(t, street.Around(nil, 112))
}

func TestGridHysteresis(t *testing.T) {
	z, _ := street.Next(105, 1.9, 0)
	require.Equal(t, Zone(105), z, "2 beyond the edge is still the old cell")
	z, _ = street.Next(105, 2.1, 0)
	require.Equal(t, Zone(106), z)
	_, ok := street.Next(105, 50, 0)
	require.False(t, ok)
}

func TestGridValidate(t *testing.T) {
	require.NoError(t, street.Validate())
	for _, g := range []Grid{
		{},
		{Cols: 1, Rows: 1},
		{Cols: 1, Rows: 1, Cell: math.NaN()},
		{Cols: 1, Rows: 1, Cell: 1, Radius: -1},
		{Cols: 1, Rows: 1, Cell: 1, Radius: MaxRadius + 1},
		{Cols: 1, Rows: 1, Cell: 1, Hysteresis: 0.5},
		{Start: math.MaxUint32, Cols: 2, Rows: 1, Cell: 1},
	} {
		require.ErrorIs(t, g.Validate(), ErrGrid, "%+v", g)
	}
}

func TestGridProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Grid{
			Start: Zone(rapid.Uint32Range(0, 1000).Draw(t, "start")), Cols: rapid.Int32Range(1, 9).Draw(t, "cols"),
			Rows: rapid.Int32Range(1, 9).Draw(t, "rows"), Cell: 8, Radius: rapid.Int32Range(0, 3).Draw(t, "radius"), Hysteresis: 1,
		}
		require.NoError(t, g.Validate())
		z := g.Start + Zone(rapid.Int32Range(0, g.Cols*g.Rows-1).Draw(t, "cell"))
		x, y := g.Centre(z)
		got, ok := g.ZoneAt(x, y)
		require.True(t, ok)
		require.Equal(t, z, got)
		require.True(t, g.Fits(z, x, y))
		around := g.Around(nil, z)
		require.Contains(t, around, z)
		for i, a := range around {
			require.True(t, g.Contains(a))
			require.Contains(t, g.Around(nil, a), z, "who is seen sees back")
			require.True(t, i == 0 || around[i-1] < a)
		}
	})
}
