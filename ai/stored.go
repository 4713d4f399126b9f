package ai

import (
	"context"
	"fmt"
	"iter"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// ErrTransaction is wrapped by errors about what cannot be in a transaction.
var ErrTransaction = repository.ErrTransaction

// Transact lets fn change db fields of stored objects and has all of it done, or nothing, in one transaction of the
// database, whatever fails when. The objects are of this repository, or rows that Load or Query returned; they may be
// in different partitions, and run by other AIs.
//
//	err := r.Transact(ctx, func() error {
//		if buyer.Gold < price {
//			return ErrTooPoor
//		}
//		buyer.Gold, seller.Gold = buyer.Gold-price, seller.Gold+price
//		return nil
//	}, &buyer.Object, &seller.Object)
//
// What fn changed must still be in the database as it is here, or nothing is done: CodeConflict. fn does not wait, and
// may be called again by whoever retries. What else it relies on, but does not change, is not compared.
//
// It is a save point. When it returns nil the changes are durable and broadcast; when it returns an error nothing was
// done, and the objects are as before, except with CodeUnknown: then even the question what became of it was not
// answered. The error's text has the id, which Outcome can be asked about.
func (r *Repository) Transact(ctx context.Context, fn func() error, objects ...*do.Object) error {
	return r.core.Transact(ctx, fn, objects)
}

// Outcome asks whether a transaction was done. One that was not never will be.
func (r *Repository) Outcome(ctx context.Context, tx do.ID) (committed bool, err error) {
	return r.core.Outcome(ctx, tx)
}

// DeleteDisk deletes an object's row for good. One that is in memory lives on there, without a row (rule 136).
func (r *Repository) DeleteDisk(ctx context.Context, id do.ID) error {
	_, err := answer[*wire.Done](ctx, r, id, func(c uint32) wire.Body { return &wire.DeleteDisk{Context: c, DO: id} })
	return err
}

// DeleteFields makes fields of an object absent, or gives them their declared default, whether it is active or not
// (rules 70, 145).
func (r *Repository) DeleteFields(ctx context.Context, id do.ID, class *do.Class, names ...string) error {
	var numbers []fields.Number
	for _, name := range names {
		f := class.FieldByName(name)
		if f == nil {
			return fmt.Errorf("ai: delete field %s.%s: %w", class, name, do.ErrNoField)
		}
		numbers = append(numbers, f.Number)
	}
	_, err := answer[*wire.Done](ctx, r, id, func(c uint32) wire.Body { return &wire.DeleteFields{Context: c, DO: id, Fields: numbers} })
	return err
}

// ListPage is a page of the rows of T's class, in the order of their ids, those after one; limit 0 is 100, and no page
// has more than 1000. Only rows of exactly that class are listed, active or not.
func ListPage[T any](ctx context.Context, r *Repository, after do.ID, limit int) ([]Row[T], error) {
	class, err := classOf[T](r)
	if err != nil {
		return nil, fmt.Errorf("ai: list: %w", err)
	}
	return found[T](ctx, r, func(c uint32) wire.Body {
		return &wire.DBList{Context: c, Class: class.Number(), After: after, Limit: uint32(max(0, limit))}
	})
}

// List is all rows of T's class, fetched a page at a time. An error ends it.
func List[T any](ctx context.Context, r *Repository) iter.Seq2[Row[T], error] {
	const page = 500
	return func(yield func(Row[T], error) bool) {
		for after := (do.ID{}); ; {
			rows, err := ListPage[T](ctx, r, after, page)
			if err != nil {
				yield(Row[T]{}, err)
				return
			}
			for _, row := range rows {
				after = row.ID
				if !yield(row, nil) {
					return
				}
			}
			if len(rows) < page {
				return
			}
		}
	}
}

// classOf is the cluster's class of a Go type.
func classOf[T any](r *Repository) (*do.Class, error) {
	in, err := do.Bind(new(T))
	if err != nil {
		return nil, err
	}
	name := in.Object().Class().Name()
	if class := r.Schema().Class(name); class != nil {
		return class, nil
	}
	return nil, fmt.Errorf("%s: %w", name, repository.ErrSchema)
}

// found asks the database for rows.
func found[T any](ctx context.Context, r *Repository, ask func(context uint32) wire.Body) ([]Row[T], error) {
	b, err := r.Request(ctx, do.Control(do.RoleDatabase), ask)
	if err != nil {
		return nil, err
	}
	list, ok := b.(*wire.DBFound)
	if !ok {
		return nil, fmt.Errorf("ai: find: unexpected %s", b.Type())
	}
	var rows []Row[T]
	for i := range list.Objects {
		row, err := rowOf[T](r, &list.Objects[i])
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}
