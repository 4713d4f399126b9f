package daemon

import (
	"context"
	"strconv"

	"github.com/otpd/otpd/stateserver"
)

// Object is one object as it lies in a State's memory: what views are compared with.
type Object struct {
	ID       string `json:"id"`
	Class    string `json:"class"`
	Location string `json:"location"`
	Owner    string `json:"owner"`
	Fields   []byte `json:"fields"` // fields.Map of everything stored
}

// Truth scans the memory of all States, between two Steps of each, in no order. It shares no code with queries.
func (d *Daemon) Truth(ctx context.Context) ([]Object, error) {
	var all []Object
	for _, s := range d.states {
		err := s.Inspect(ctx, func(state *stateserver.State) {
			state.Scan(func(o stateserver.Scanned) {
				all = append(all, Object{
					ID: o.ID.String(), Class: o.Class.Name(), Location: o.Location.String(), Owner: o.Owner.String(), Fields: o.Fields,
				})
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// number names the i-th role of its kind in metrics.
func number(i int) string { return strconv.Itoa(i + 1) }
