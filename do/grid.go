package do

import (
	"errors"
	"fmt"
	"math"
)

// Grid lays zones over a rectangle below one parent: cell (col, row) is zone Start + row*Cols + col. The origin of
// the coordinates is the rectangle's centre (rule 164). Lengths are in the game's unit.
type Grid struct {
	Start      Zone    // of cell (0, 0), where X and Y are smallest
	Cols, Rows int32   // at least 1 each
	Cell       float64 // edge of a cell, above 0
	Radius     int32   // cells that are watched around one's own, in each direction: at most MaxRadius
	Hysteresis float64 // how far beyond its cell's edge one may go before the cell changes, below Cell/2
}

// MaxRadius is the largest Radius of a Grid: 3,969 cells in view.
const MaxRadius = 31

// ErrGrid is wrapped by errors about a Grid that cannot be.
var ErrGrid = errors.New("wrong grid")

// Validate checks the grid's numbers. Errors wrap ErrGrid.
func (g Grid) Validate() error {
	switch {
	case g.Cols < 1 || g.Rows < 1:
		return fmt.Errorf("do: grid of %d x %d cells: %w", g.Cols, g.Rows, ErrGrid)
	case !(g.Cell > 0) || math.IsInf(g.Cell, 0):
		return fmt.Errorf("do: grid with cells of %v: %w", g.Cell, ErrGrid)
	case g.Radius < 0 || g.Radius > MaxRadius:
		return fmt.Errorf("do: grid with a radius of %d: %w: 0 to %d are allowed", g.Radius, ErrGrid, MaxRadius)
	case !(g.Hysteresis >= 0 && g.Hysteresis < g.Cell/2):
		return fmt.Errorf("do: grid with a hysteresis of %v in cells of %v: %w", g.Hysteresis, g.Cell, ErrGrid)
	case uint64(g.Start)+uint64(g.Cols)*uint64(g.Rows)-1 > math.MaxUint32:
		return fmt.Errorf("do: grid of %d x %d cells from zone %d passes the last zone: %w", g.Cols, g.Rows, g.Start, ErrGrid)
	}
	return nil
}

// Contains reports whether z is a cell of the grid.
func (g Grid) Contains(z Zone) bool {
	return z >= g.Start && uint64(z-g.Start) < uint64(g.Cols)*uint64(g.Rows)
}

// ZoneAt is the cell at (x, y); outside the rectangle ok is false.
func (g Grid) ZoneAt(x, y float64) (z Zone, ok bool) {
	col := math.Floor(x/g.Cell + float64(g.Cols)/2)
	row := math.Floor(y/g.Cell + float64(g.Rows)/2)
	if !(col >= 0 && col < float64(g.Cols) && row >= 0 && row < float64(g.Rows)) {
		return 0, false
	}
	return g.zone(int32(col), int32(row)), true
}

// Next is the cell of somebody at (x, y) who was in now: still now as long as (x, y) is within the hysteresis of
// it. Off the grid ok is false.
func (g Grid) Next(now Zone, x, y float64) (z Zone, ok bool) {
	if g.Fits(now, x, y) {
		return now, true
	}
	return g.ZoneAt(x, y)
}

// Fits reports whether (x, y) is in cell z or no farther from it than the hysteresis.
func (g Grid) Fits(z Zone, x, y float64) bool {
	if !g.Contains(z) {
		return false
	}
	minX, minY := g.corner(z)
	h := g.Hysteresis
	return x >= minX-h && x <= minX+g.Cell+h && y >= minY-h && y <= minY+g.Cell+h
}

// Centre is the middle of cell z.
func (g Grid) Centre(z Zone) (x, y float64) {
	x, y = g.corner(z)
	return x + g.Cell/2, y + g.Cell/2
}

// Around appends to dst the cells within the radius of z, clamped at the border, ascending; none when z is off the grid.
func (g Grid) Around(dst []Zone, z Zone) []Zone {
	if !g.Contains(z) {
		return dst
	}
	col, row := g.cell(z)
	for r := max(row-g.Radius, 0); r <= min(row+g.Radius, g.Rows-1); r++ {
		for c := max(col-g.Radius, 0); c <= min(col+g.Radius, g.Cols-1); c++ {
			dst = append(dst, g.zone(c, r))
		}
	}
	return dst
}

func (g Grid) zone(col, row int32) Zone { return g.Start + Zone(row)*Zone(g.Cols) + Zone(col) }

func (g Grid) cell(z Zone) (col, row int32) {
	i := z - g.Start
	return int32(i % Zone(g.Cols)), int32(i / Zone(g.Cols))
}

// corner is the smallest X and Y of cell z.
func (g Grid) corner(z Zone) (x, y float64) {
	col, row := g.cell(z)
	return (float64(col) - float64(g.Cols)/2) * g.Cell, (float64(row) - float64(g.Rows)/2) * g.Cell
}
