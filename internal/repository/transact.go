package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// ErrTransaction is wrapped by errors about what cannot be in a transaction.
var ErrTransaction = errors.New("not possible in a transaction")

// trade is a transaction of this repository that has no answer yet.
type trade struct {
	tx    do.ID
	parts []tradePart
}

// tradePart is what it does to one object.
type tradePart struct {
	in    *do.Instance
	id    do.ID
	o     *object       // the object as it is here now; nil: it is not, and in is a row that was loaded
	late  bool          // it entered, or its values were told anew, while the transaction was under way
	pairs []fields.Pair // what is to be set
	old   [][]byte      // what was there; nil: nothing
	heard []bool        // the State has told the new value, so what is there now is not older
	other []bool        // somebody else has set it since this was asked for
	where wire.DBPart
}

// Transact lets fn change db fields of stored objects, wherever their States are and whether they are active or not,
// and has all of it done, or nothing, in one transaction of the database. What fn changed must still have the values
// that are here; else the error is a CodeConflict, nothing is done, and the objects are as before.
//
// It is a save point: what the handler did before is sent first, fn itself waits for nothing. When Transact returns nil it
// is on the disk, and was broadcast. When the answer does not come the database is asked what became of it; CodeUnknown
// says that this has no answer yet, either. It is asked on, and until it is known handlers of the objects that are here
// wait, and the fields of the transaction cannot be saved.
func (a *AI) Transact(ctx context.Context, fn func() error, objects []*do.Object) error {
	h, err := a.handler()
	if err != nil {
		return fmt.Errorf("repository: transact: %w", err)
	}
	t := &trade{}
	if err := a.begin(h, t, objects); err != nil {
		return err
	}
	err = fn()
	if err == nil {
		err = t.gather()
	}
	for i := range t.parts {
		t.parts[i].in.Undo()
	}
	if err != nil {
		return err
	}
	if t.tx, err = a.newID(Place{Partition: 1}); err != nil {
		return err
	}
	a.doubtTrade(t)
	h.inTrade = true
	err = a.decide(ctx, t)
	h.inTrade = false
	if errors.Is(err, wire.CodeUnknown) {
		if !errors.Is(err, ErrClosed) {
			a.spawn(&activity{what: "outcome", task: func(ctx context.Context) error { return a.findOut(ctx, t) }})
		}
		return err
	}
	a.decided(t, err == nil)
	return errors.Join(err, a.becomeSure(h))
}

// doubtTrade puts the objects of a transaction in doubt until it is decided: their handlers would count with values that
// it may change.
func (a *AI) doubtTrade(t *trade) {
	a.trades = append(a.trades, t)
	for i := range t.parts {
		if o := a.objects[t.parts[i].id]; o != nil {
			a.doubtPart(&t.parts[i], o)
		}
	}
}

func (a *AI) doubtPart(p *tradePart, o *object) {
	p.o = o
	d := a.question(o)
	d.trades = append(d.trades, p)
}

// entersTrade puts an object in doubt that enters while a transaction of this repository over it is under way: its entry
// may be from before that or from after.
func (a *AI) entersTrade(o *object) {
	for _, t := range a.trades {
		for i := range t.parts {
			p := &t.parts[i]
			if p.id != o.id {
				continue
			}
			if p.late = true; p.o != o {
				a.doubtPart(p, o)
			}
		}
	}
}

// decided ends a transaction.
func (a *AI) decided(t *trade, committed bool) {
	if committed {
		a.traded(t)
	}
	a.trades = slices.DeleteFunc(a.trades, func(x *trade) bool { return x == t })
	for i := range t.parts {
		p := &t.parts[i]
		if p.o == nil || p.o.doubt == nil {
			continue
		}
		p.o.doubt.trades = slices.DeleteFunc(p.o.doubt.trades, func(x *tradePart) bool { return x == p })
		a.settleDoubt(p.o)
	}
}

// decide asks for a transaction, and what became of it if there is no answer. CodeUnknown: not even that is known.
func (a *AI) decide(ctx context.Context, t *trade) error {
	_, err := a.Request(ctx, "transact "+t.tx.String(), do.Control(do.RoleDatabase), func(c uint32) wire.Body {
		b := &wire.DBTransact{Context: c, Tx: t.tx}
		for i := range t.parts {
			b.Parts = append(b.Parts, t.parts[i].where)
		}
		return b
	})
	if unsure(err) {
		return a.settle(ctx, t, err)
	}
	return err
}

// begin sends what the handler and the objects have not sent yet, so that fn's changes stand alone.
func (a *AI) begin(h *activity, t *trade, objects []*do.Object) error {
	for i, x := range objects {
		in := do.InstanceOf(x)
		if in == nil || x.ID().IsZero() {
			return fmt.Errorf("repository: transact: %w: object %d has no id", ErrTransaction, i)
		}
		if slices.ContainsFunc(t.parts, func(p tradePart) bool { return p.id == x.ID() }) {
			return fmt.Errorf("repository: transact: %w: %s is there twice", ErrTransaction, x.ID())
		}
		if o := a.objects[x.ID()]; o != nil && o.inst == in {
			if err := a.Save(x); err != nil {
				return err
			}
		} else {
			in.Undo()
		}
		t.parts = append(t.parts, tradePart{in: in, id: x.ID(), where: wire.DBPart{DO: x.ID()}})
	}
	if len(t.parts) == 0 {
		return fmt.Errorf("repository: transact: %w: no objects", ErrTransaction)
	}
	return h.savePoint()
}

// gather takes what fn changed, and what was there before.
func (t *trade) gather() error {
	changed := false
	for i := range t.parts {
		p := &t.parts[i]
		var build fields.MapBuilder
		if err := p.in.Changed(&build); err != nil {
			return fmt.Errorf("repository: transact: %w", err)
		}
		if removed := p.in.Removed(nil); len(removed) > 0 {
			return fmt.Errorf("repository: transact %s: %w: field %s is unset", p.id, ErrTransaction, removed[0])
		}
		var expect []fields.Pair
		for it := build.Map().Iter(); it.Next(); {
			f := p.in.Object().Class().Field(it.Number())
			if f == nil || f.Kind != do.FieldState || !f.Keywords.Has(fields.DB) {
				return fmt.Errorf("repository: transact %s: %w: %v is no db field", p.id, ErrTransaction, f)
			}
			p.pairs = append(p.pairs, fields.Pair{Number: f.Number, Value: bytes.Clone(it.Value())})
			old, ok := p.in.Saved(f.Number)
			if !ok {
				p.old = append(p.old, nil)
				p.where.Absent = append(p.where.Absent, f.Number)
				continue
			}
			p.old = append(p.old, bytes.Clone(old))
			expect = append(expect, fields.Pair{Number: f.Number, Value: p.old[len(p.old)-1]})
		}
		p.heard, p.other = make([]bool, len(p.pairs)), make([]bool, len(p.pairs))
		p.where.Fields, p.where.Expect = fields.MapOf(p.pairs...), fields.MapOf(expect...)
		changed = changed || len(p.pairs) > 0
	}
	if !changed {
		return fmt.Errorf("repository: transact: %w: nothing is changed", ErrTransaction)
	}
	return nil
}

// unsure reports whether an error leaves open whether the transaction was done.
func unsure(err error) bool {
	return errors.Is(err, ErrUnanswered) || errors.Is(err, wire.CodeLinkLost) || errors.Is(err, wire.CodeUnknown) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// settle asks what became of a transaction whose answer did not come, for as long as a request may take.
func (a *AI) settle(ctx context.Context, t *trade, why error) error {
	committed, err := a.outcome(limited{context.WithoutCancel(ctx), a.now + int64(a.cfg.Timeout)}, t.tx)
	if err != nil {
		return fmt.Errorf("repository: transact %s: %w: %w, and then %w", t.tx, &wire.Error{Code: wire.CodeUnknown}, why, err)
	}
	if !committed {
		return fmt.Errorf("repository: transact %s: %w: nothing was done: %w", t.tx, &wire.Error{Code: wire.CodeTimeout}, why)
	}
	return nil
}

// limited is a context with a deadline by the repository's clock.
type limited struct {
	context.Context
	until int64 // unix nanoseconds
}

func (c limited) Deadline() (time.Time, bool) { return time.Unix(0, c.until), true }

// outcomeEvery is how long after an answer that did not come the outcome is asked for again.
const outcomeEvery = 500 * time.Millisecond

// outcome asks what became of a transaction until there is an answer, or ctx ends.
func (a *AI) outcome(ctx context.Context, tx do.ID) (committed bool, err error) {
	for {
		if committed, err = a.Outcome(ctx, tx); err == nil || a.failure != nil || errors.Is(err, ErrClosed) {
			return committed, err
		}
		if late := a.Sleep(ctx, outcomeEvery); late != nil {
			return false, err
		}
	}
}

// findOut goes on asking when whoever began the transaction does not wait any longer: its objects stay in doubt until
// it is known.
func (a *AI) findOut(ctx context.Context, t *trade) error {
	committed, err := a.outcome(ctx, t.tx)
	if err != nil {
		return err
	}
	a.decided(t, committed)
	return nil
}

// Outcome asks what became of a transaction. One that was not done yet never will be.
func (a *AI) Outcome(ctx context.Context, tx do.ID) (committed bool, err error) {
	b, err := a.Request(ctx, "outcome of "+tx.String(), do.Control(do.RoleDatabase), func(c uint32) wire.Body {
		return &wire.DBOutcome{Context: c, Tx: tx}
	})
	if err != nil {
		return false, err
	}
	decided, ok := b.(*wire.DBDecided)
	if !ok {
		return false, fmt.Errorf("repository: outcome of %s: unexpected %s", tx, b.Type())
	}
	return decided.Committed, nil
}

// traded gives the objects here what was committed, where the State has not told it already. Its own AI is not told of
// what it set itself.
func (a *AI) traded(t *trade) {
	for i := range t.parts {
		p := &t.parts[i]
		o := a.objects[p.id]
		ask := o != nil && p.late // its State has done it, and says what there is now
		row := o == nil || o.inst != p.in
		for j, pair := range p.pairs {
			f := p.in.Object().Class().Field(pair.Number)
			if f == nil {
				continue
			}
			if row {
				// Its value was checked when it was gathered.
				_, _, _ = p.in.Apply(pair.Number, pair.Value)
			}
			if o == nil || p.late || p.heard[j] {
				continue
			}
			if f = o.class.Field(pair.Number); f == nil || f.Slot < 0 {
				continue
			}
			switch {
			case o.pendingOf(f.Number) == nil && !equal(o.vals[f.Slot], p.old[j]):
				// Something newer was heard.
			case p.other[j]:
				// It is again what it was: whether that came before the transaction or after it, only the State knows.
				ask = true
			default:
				a.foreign(o, f, pair.Value, false)
			}
		}
		if ask {
			a.doubtState(o)
		}
	}
}

// hearOthers notes that somebody else has set fields of an object.
func (a *AI) hearOthers(id do.ID, m fields.Map) {
	for _, t := range a.trades {
		for i := range t.parts {
			p := &t.parts[i]
			for j := range p.pairs {
				if _, ok := m.Get(p.pairs[j].Number); ok && p.id == id {
					p.other[j] = true
				}
			}
		}
	}
}

// hearTrade notes that a State told the effect of a transaction of this repository.
func (a *AI) hearTrade(id do.ID, m fields.Map) {
	for _, t := range a.trades {
		for i := range t.parts {
			if p := &t.parts[i]; p.id == id {
				for j := range p.pairs {
					if v, ok := m.Get(p.pairs[j].Number); ok && bytes.Equal(v, p.pairs[j].Value) {
						p.heard[j] = true
					}
				}
			}
		}
	}
}
