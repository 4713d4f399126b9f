package ai

import (
	"context"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Order is an order of rows by an index or unique field, and by id, ascending, where that is the same. Rows without a
// value of the field are left out.
type Order struct {
	By   string // the field
	Desc bool
}

// QueryBy is Query in another order: the ten richest of a guild. last is the last row of the page before, as it was
// returned, nil for the first page. A row that does not change between two pages is on one of them, and once.
func QueryBy[T any](ctx context.Context, r *Repository, field string, value any, o Order, last *Row[T], limit int) ([]Row[T], error) {
	find, err := findOf[T](r, field, value, limit)
	if err != nil {
		return nil, err
	}
	if find.Order, find.After, err = orderOf(r, o, last); err != nil {
		return nil, err
	}
	return found[T](ctx, r, func(c uint32) wire.Body {
		find.Context = c
		return find
	})
}

// ListBy is ListPage in another order, with pages as those of QueryBy.
func ListBy[T any](ctx context.Context, r *Repository, o Order, last *Row[T], limit int) ([]Row[T], error) {
	class, err := classOf[T](r)
	if err != nil {
		return nil, fmt.Errorf("ai: list: %w", err)
	}
	list := &wire.DBList{Class: class.Number(), Limit: uint32(max(0, limit))}
	if list.Order, list.After, err = orderOf(r, o, last); err != nil {
		return nil, err
	}
	return found[T](ctx, r, func(c uint32) wire.Body {
		list.Context = c
		return list
	})
}

// orderOf is an order as the database is told it, behind a row if there is one.
func orderOf[T any](r *Repository, o Order, last *Row[T]) ([]wire.DBOrder, do.ID, error) {
	class, err := classOf[T](r)
	if err != nil {
		return nil, do.ID{}, fmt.Errorf("ai: order: %w", err)
	}
	f := class.FieldByName(o.By)
	if f == nil {
		return nil, do.ID{}, fmt.Errorf("ai: order by %s.%s: %w", class, o.By, do.ErrNoField)
	}
	order := wire.DBOrder{Field: f.Number, Desc: o.Desc}
	if last == nil {
		return []wire.DBOrder{order}, do.ID{}, nil
	}
	in, err := do.Bind(last.Object)
	if err != nil {
		return nil, do.ID{}, fmt.Errorf("ai: order by %s: %w", f, err)
	}
	var has bool
	if order.Value, has = in.Saved(f.Number); !has {
		return nil, do.ID{}, fmt.Errorf("ai: order by %s: the last row, %s, has no value of it: %w", f, last.ID, do.ErrNoField)
	}
	return []wire.DBOrder{order}, last.ID, nil
}
