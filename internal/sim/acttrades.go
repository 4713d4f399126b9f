package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// What AIs do with purses: bring them to life and let them sleep, write notes, and trade between them, wherever they are.

// mostPurses is how many there are.
const mostPurses = 6

// makePurses stores some purses.
func (a *actor) makePurses() {
	w := a.w
	for range 2 {
		n := len(w.trades.purses)
		if n >= mostPurses {
			return
		}
		id := do.NewID(do.Partition(w.rand.IntN(partitions)+1), w.now/ms, w.rand.Uint64())
		w.name(id, "purse")
		w.trades.purses, w.ids = append(w.trades.purses, id), append(w.ids, id)
		p := do.New[purseAI]()
		p.life.p, p.Gold = a, purseGold
		for i := range purseItems {
			p.Items = append(p.Items, uint16(n*purseItems+i))
		}
		a.task(func(ctx context.Context) error {
			_, err := a.ai.Stored(ctx, p, repository.Place{ID: id})
			return err
		}, func(err error) { a.attempt("store", err) })
	}
}

// tradeSomething does one thing with purses.
func (a *actor) tradeSomething() {
	w := a.w
	if len(w.trades.purses) < 2 {
		return
	}
	id := pick(w, w.trades.purses)
	note := fmt.Sprint("n", w.rand.IntN(50))
	switch n := w.rand.IntN(20); {
	case n < 4:
		a.task(func(ctx context.Context) error {
			if _, here := a.ai.Find(id).(*purseAI); here && w.chance(30) {
				return a.ai.Unload(ctx, id)
			}
			_, err := a.ai.Activate(ctx, id, repository.Place{At: w.somewhere()}, nil)
			return err
		}, func(err error) { a.attempt("purse", err) })
	case n < 6:
		if p, here := a.ai.Find(id).(*purseAI); here {
			p.Note = note
			a.attempt("note", p.Save())
			return
		}
		f := w.schema.Class("Purse").FieldByName("Note")
		set := fields.MapOf(fields.Pair{Number: f.Number, Value: fields.AppendString(nil, note)})
		w.asTool(do.ObjectChannel(id), func(c uint32) wire.Body { return &wire.SetFields{Context: c, DO: id, Fields: set} })
	case n < 8:
		w.askTwice()
	default:
		a.trade()
	}
}

// askTwice asks for a transaction that somebody asked for already, or what became of it, as a process that knows its
// id: it is done once all the same.
func (w *world) askTwice() {
	if len(w.trades.order) == 0 {
		return
	}
	t := pick(w, w.trades.order[max(0, len(w.trades.order)-3):])
	to := do.Control(do.RoleDatabase)
	// Not while a dead coordinator may have left it in the database's hands: then a refusal is not the last word.
	if w.chance(50) || t.committed == 0 && (t.refused || t.role != w.db) || w.now-t.at < 200*ms {
		w.asTool(to, func(c uint32) wire.Body { return &wire.DBOutcome{Context: c, Tx: t.tx} })
		return
	}
	w.asTool(to, func(c uint32) wire.Body { return &wire.DBTransact{Context: c, Tx: t.tx, Parts: t.body} })
}

// trade moves gold and things between purses, or fails.
func (a *actor) trade() {
	w := a.w
	var ids []do.ID
	for range 2 + w.rand.IntN(2) {
		if id := pick(w, w.trades.purses); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) < 2 {
		return
	}
	w.trades.numbers++
	number := w.trades.numbers
	amount := w.rand.Int64N(60)
	fails := w.chance(5)
	a.task(func(ctx context.Context) error {
		var list []*Purse
		var objects []*do.Object
		for _, id := range ids {
			p, err := a.purse(ctx, id)
			if err != nil {
				return err
			}
			list, objects = append(list, p), append(objects, &p.Object)
		}
		err := a.ai.Transact(ctx, func() error {
			from, to := list[0], list[1]
			if from.Gold < amount || fails {
				return errNo
			}
			from.Gold -= amount
			to.Gold += amount
			if n := len(from.Items); n > 0 {
				to.Items = append(slices.Clone(to.Items), from.Items[n-1])
				from.Items = slices.Clone(from.Items[:n-1])
			}
			for _, p := range list {
				p.Last = number
			}
			return nil
		}, objects)
		w.trades.toldAI(a, number, err)
		return err
	}, func(err error) { a.attempt("trade", err) })
}

// purse is one that is here, or its row.
func (a *actor) purse(ctx context.Context, id do.ID) (*Purse, error) {
	if x, here := a.ai.Find(id).(*purseAI); here {
		return &x.Purse, nil
	}
	b, err := a.ai.Request(ctx, "load", do.Control(do.RoleDatabase), func(c uint32) wire.Body { return &wire.DBGet{Context: c, DO: id} })
	if err != nil {
		return nil, err
	}
	row, ok := b.(*wire.DBObject)
	if !ok {
		return nil, fmt.Errorf("sim: load %s: %w: a %s", id, errNo, b.Type())
	}
	p := do.New[Purse]()
	in, err := do.Bind(p)
	if err != nil {
		return nil, err
	}
	in.Attach(id, nil, nil)
	for it := row.Fields.Iter(); it.Next(); {
		if _, _, err := in.Apply(it.Number(), it.Value()); err != nil {
			return nil, err
		}
	}
	return p, nil
}
