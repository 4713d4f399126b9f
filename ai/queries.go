package ai

import (
	"context"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Questions about any object of the world, whether it is in this repository or not, and orders for what is below one.
// Each waits for its answer: it is a save point. An object that does not exist is a CodeNoObject, or CodeNoParent where
// the question was about its zones.

// Child is an object below another.
type Child struct {
	ID   do.ID
	Zone do.Zone
}

// Children are the objects below another, by zone, then id.
func (r *Repository) Children(ctx context.Context, id do.ID) ([]Child, error) {
	b, err := answer[*wire.Children](ctx, r, id, func(c uint32) wire.Body { return &wire.GetChildren{Context: c, DO: id} })
	if err != nil {
		return nil, err
	}
	list := make([]Child, len(b.List))
	for i, l := range b.List {
		list[i] = Child{l.DO, l.Zone}
	}
	return list, nil
}

// CountChildren is how many objects are below another, in all zones.
func (r *Repository) CountChildren(ctx context.Context, id do.ID) (int, error) {
	b, err := answer[*wire.GetChildCountResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetChildCount{Context: c, DO: id} })
	if err != nil {
		return 0, err
	}
	return int(b.Count), nil
}

// CountZones is how many objects a parent has in zones, a zone that is named twice counted once.
func (r *Repository) CountZones(ctx context.Context, parent do.ID, zones ...do.Zone) (int, error) {
	b, err := answer[*wire.GetZonesCountResp](ctx, r, parent, func(c uint32) wire.Body {
		return &wire.GetZonesCount{Context: c, Parent: parent, Zones: zones}
	})
	if err != nil {
		return 0, err
	}
	return int(b.Count), nil
}

// ActiveZones are the zones below an object that have something in them, ascending.
func (r *Repository) ActiveZones(ctx context.Context, id do.ID) ([]do.Zone, error) {
	b, err := answer[*wire.GetActiveZonesResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetActiveZones{Context: c, DO: id} })
	if err != nil {
		return nil, err
	}
	return b.Zones, nil
}

// LocationOf is where an object is.
func (r *Repository) LocationOf(ctx context.Context, id do.ID) (do.Location, error) {
	b, err := answer[*wire.GetLocationResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetLocation{Context: c, DO: id} })
	if err != nil {
		return do.Location{}, err
	}
	return b.Location, nil
}

// OwnerOf is who owns an object, no channel if nobody does.
func (r *Repository) OwnerOf(ctx context.Context, id do.ID) (do.Channel, error) {
	b, err := answer[*wire.GetOwnerResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetOwner{Context: c, DO: id} })
	if err != nil {
		return do.Channel{}, err
	}
	return b.Owner, nil
}

// AIOf is which AI runs an object, its own or its parent's, no channel if none does.
func (r *Repository) AIOf(ctx context.Context, id do.ID) (do.Channel, error) {
	b, err := answer[*wire.GetAIResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetAI{Context: c, DO: id} })
	if err != nil {
		return do.Channel{}, err
	}
	return b.AI, nil
}

// ClassOf is the class of an object, also of one that only the database has.
func (r *Repository) ClassOf(ctx context.Context, id do.ID) (*do.Class, error) {
	b, err := answer[*wire.GetClassResp](ctx, r, id, func(c uint32) wire.Body { return &wire.GetClass{Context: c, DO: id} })
	if err != nil {
		return nil, err
	}
	class := r.Schema().ByNumber(b.Class)
	if class == nil {
		return nil, fmt.Errorf("ai: class of %s: %w: number %d", id, &wire.Error{Code: wire.CodeNoClass}, b.Class)
	}
	return class, nil
}

// IsActive reports whether an object is in memory. One that is being activated answers when that is decided.
func (r *Repository) IsActive(ctx context.Context, id do.ID) (bool, error) {
	b, err := answer[*wire.Activated](ctx, r, id, func(c uint32) wire.Body { return &wire.GetActivated{Context: c, DO: id} })
	if err != nil {
		return false, err
	}
	return b.Active, nil
}

// DeleteChildren deletes everything below an object, and keeps the object.
func (r *Repository) DeleteChildren(ctx context.Context, id do.ID) error {
	_, err := answer[*wire.Done](ctx, r, id, func(c uint32) wire.Body { return &wire.DeleteChildren{Context: c, Parent: id} })
	return err
}

// DeleteZones deletes what a parent has in zones, with everything below that.
func (r *Repository) DeleteZones(ctx context.Context, parent do.ID, zones ...do.Zone) error {
	_, err := answer[*wire.Done](ctx, r, parent, func(c uint32) wire.Body {
		return &wire.DeleteZones{Context: c, Parent: parent, Zones: zones}
	})
	return err
}

// InheritAI makes an object have its parent's AI again, after SetAI gave it one of its own.
func (r *Repository) InheritAI(ctx context.Context, id do.ID) error {
	_, err := answer[*wire.Done](ctx, r, id, func(c uint32) wire.Body { return &wire.SetAI{Context: c, DO: id, Inherit: true} })
	return err
}

// TakeOver makes this the AI of an object, and waits until that and all that inherits from it is here, in whatever
// State it lies: a district with everything in it. Its old AI sees it leave.
func (r *Repository) TakeOver(ctx context.Context, id do.ID) error { return r.core.TakeOver(ctx, id) }

// answer asks the object's State and waits for an answer of the type.
func answer[T wire.Body](ctx context.Context, r *Repository, id do.ID, ask func(context uint32) wire.Body) (T, error) {
	var none T
	b, err := r.Request(ctx, do.ObjectChannel(id), ask)
	if err != nil {
		return none, err
	}
	t, ok := b.(T)
	if !ok {
		return none, fmt.Errorf("ai: ask %s: unexpected %s", id, b.Type())
	}
	return t, nil
}
