package database

import "fmt"

// CheckParts is what a Backend looks at in a transaction before anything else.
func CheckParts(op *Op) error {
	if op.ID.IsZero() {
		return fmt.Errorf("%w: a transaction without id", ErrValue)
	}
	if n := len(op.Parts); n == 0 || n > MaxParts {
		return fmt.Errorf("%w: a transaction of %d objects, want 1 to %d", ErrValue, n, MaxParts)
	}
	for i := range op.Parts {
		p := &op.Parts[i]
		if p.Kind != OpCreate && p.Kind != OpSet && p.Kind != OpDelete {
			return fmt.Errorf("%w: a %s in a transaction", ErrValue, p.Kind)
		}
		for j := range i {
			if op.Parts[j].ID == p.ID {
				return fmt.Errorf("%w: %s twice in a transaction", ErrValue, p.ID)
			}
		}
	}
	return nil
}
