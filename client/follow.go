package client

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
)

// ErrOffGrid is wrapped by errors about a position outside of the grid that the object is on.
var ErrOffGrid = repository.ErrOffGrid

// Follow opens an interest that goes where an owned object goes: the agent shows its zone, on a grid the cells around it,
// and what is seen through edges, and alters that by itself when the object moves. With outer it shows the same around so
// many of the parents above: the street around a tavern, the sea around a ship.
func (r *Repository) Follow(obj *do.Object, outer int) (Interest, error) {
	return r.core.Follow(obj, outer)
}

// Walk is Save for an object with a position that is followed over a grid: where the position has left its cell by more
// than the hysteresis, the object moves to the new cell in the same bundle. A position outside of the grid is an error
// that wraps ErrOffGrid, and nothing is sent.
func (r *Repository) Walk(obj *do.Object) error { return r.core.Walk(obj) }

// GridOf is the grid below a parent, known once an object there is followed; ok is false if there is none.
func (r *Repository) GridOf(parent do.ID) (g do.Grid, ok bool) { return r.core.GridOf(parent) }
