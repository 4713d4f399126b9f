package repository

import (
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// ErrOffGrid is wrapped by errors about a position outside of the grid that the object is on.
var ErrOffGrid = errors.New("outside of the grid")

// Follow opens an interest that follows an object which this client owns: the agent shows what is where it is and, on a
// grid, in the cells around; with outer, the same around so many of the parents above (rule 164). Nothing has to be
// altered when the object moves.
func (c *Client) Follow(x *do.Object, outer int) (*Handle, error) {
	o, err := c.record(x, "follow")
	switch {
	case err != nil:
		return nil, err
	case c.failure != nil:
		return nil, c.failure
	case !o.owned:
		return nil, fmt.Errorf("repository: follow %s: %w: it is not owned", o.id, ErrDenied)
	case outer < 0 || outer > 255:
		return nil, fmt.Errorf("repository: follow %s: outer is %d, allowed is 0 to 255", o.id, outer)
	}
	h, err := c.newHandle()
	if err != nil {
		return nil, err
	}
	c.frame(&wire.ClientFollow{Context: h.operate(false), Handle: h.id, Ref: c.ref(o), Outer: uint8(outer)})
	return h, nil
}

// hearGround learns the grid below a parent.
func (c *Client) hearGround(f *wire.ClientGround) error {
	delete(c.grids, f.Parent)
	if len(f.Grid) == 0 {
		return nil
	}
	g, err := do.ParseGrid(f.Grid)
	if err != nil {
		return fmt.Errorf("grid of %s: %w", f.Parent, err)
	}
	if c.grids == nil {
		c.grids = make(map[do.ID]do.Grid)
	}
	c.grids[f.Parent] = g
	return nil
}

// GridOf is the grid below a parent, known while an owned object on it is followed; ok is false if it has none.
func (c *Client) GridOf(parent do.ID) (g do.Grid, ok bool) {
	g, ok = c.grids[parent]
	return g, ok
}

// Walk saves what changed on an owned object. Where its position has left its cell, by more than the hysteresis, it is
// moved to the new one in the same bundle (rule 169). Outside of the grid nothing is sent.
func (c *Client) Walk(x *do.Object) error {
	o, err := c.record(x, "walk")
	if err != nil {
		return err
	}
	g, ok := c.grids[o.at.Parent]
	f := o.class.Marked(fields.Position)
	if !ok || f == nil || !g.Contains(o.at.Zone) {
		return c.Save(x)
	}
	value, ok := o.inst.Value(f.Number)
	if !ok {
		return c.Save(x)
	}
	px, py, _ := f.Position(value)
	zone, ok := g.Next(o.at.Zone, px, py)
	switch {
	case !ok:
		return fmt.Errorf("repository: walk %s: %w: %g, %g", o.id, ErrOffGrid, px, py)
	case zone == o.at.Zone:
		return c.Save(x)
	}
	// The position goes with the move, even if it is the one that was sent last: the move is judged by it.
	o.inst.Touch(f.Number)
	return c.Move(x, do.Location{Parent: o.at.Parent, Zone: zone})
}
