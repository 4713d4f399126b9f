package sim

import (
	"cmp"
	"context"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// actAI lets an AI do one thing.
func (a *actor) actAI() {
	a.run(func() {
		switch n := a.w.rand.IntN(100); {
		case n < 8:
			a.makeSomething()
		case n < 13:
			a.removeSomething()
		case n < 15:
			a.moveInCircles()
		case n < 29:
			a.moveSomething()
		case n < 33:
			a.laySomething()
		case n < 42:
			a.tradeSomething()
		case n < 52:
			a.setSomething()
		case n < 58:
			a.giveSomething()
		case n < 62:
			a.handOver()
		case n < 70:
			a.watchSomething()
		case n < 74:
			a.askSomebody()
		case n < 77:
			a.tendPosts()
		case n < 83:
			a.payFromVault()
		case n < 84:
			a.payByTask()
		case n < 90:
			a.useDatabase()
		case n < 92:
			a.declareSomething()
		case n < 95:
			a.grantSomething()
		case n < 98:
			a.permitSomething()
		case n < 99:
			a.clearSomething()
		default:
			a.misbehave()
		}
	})
}

// mine are the objects that the AI runs, in the order of their ids.
func (a *actor) mine() []any {
	return a.ai.FindAll(func(x any) bool { return a.runs(x) })
}

func (a *actor) runs(x any) bool {
	switch x := x.(type) {
	case *placeAI:
		return !x.ID().IsWellKnown()
	case *avatarAI:
		return true
	}
	return false
}

// object is the do.Object of a behaviour.
func object(x any) *do.Object {
	switch x := x.(type) {
	case *placeAI:
		return &x.Object
	case *avatarAI:
		return &x.Object
	case *vaultAI:
		return &x.Object
	case *postAI:
		return &x.Object
	case *diaryAI:
		return &x.Object
	case *postCL:
		return &x.Object
	case *diaryCL:
		return &x.Object
	case *purseAI:
		return &x.Object
	case *placeCL:
		return &x.Object
	case *purseCL:
		return &x.Object
	case *avatarCL:
		return &x.Object
	case *vaultCL:
		return &x.Object
	}
	return nil
}

// most is how many objects an AI lets come before it rather removes some.
const most = 25

func (a *actor) makeSomething() {
	if len(a.mine()) > most {
		a.removeSomething()
		return
	}
	at := repository.Place{At: a.w.somewhere()}
	switch n := a.w.rand.IntN(10); {
	case n < 1:
		at.At = do.Location{}
	case n < 3:
		at.NoAI = true
	case n < 5:
		at.Owner = a.w.somebody()
	}
	if a.w.chance(30) {
		a.makePlace(at)
		return
	}
	v := do.New[avatarAI]()
	v.life.p, v.Name, v.Gold = a, "npc", 5
	if a.w.chance(50) {
		v.Mood = "fresh"
	}
	a.create(v, at, "avatar")
}

// somebody draws an owner: a session, an AI, nobody.
func (w *world) somebody() do.Channel {
	switch n := w.rand.IntN(10); {
	case n < 7:
		if c := pick(w, w.clients); c.client != nil && c.client.Ready() {
			return do.Session(c.conn.session)
		}
	case n < 9:
		if a := pick(w, w.ais); a != nil {
			return a.ai.Channel()
		}
	}
	return do.Channel{}
}

// oneOfMine draws an object that the AI runs, nil if there is none.
func (a *actor) oneOfMine() any {
	list := a.mine()
	if len(list) == 0 {
		return nil
	}
	return pick(a.w, list)
}

// attempt notes what was refused on the spot.
func (a *actor) attempt(what string, err error) {
	if err != nil {
		a.w.note(a.name, "%s: %v", what, err)
	}
}

func (a *actor) removeSomething() {
	if x := a.oneOfMine(); x != nil {
		a.attempt("delete", object(x).Delete())
	}
}

func (a *actor) moveSomething() {
	x := a.oneOfMine()
	if x == nil {
		return
	}
	if a.w.chance(40) {
		x = cmp.Or(a.carrier(), x)
	}
	to := a.w.somewhere()
	if v, ok := x.(*avatarAI); ok && a.w.chance(30) {
		v.HP = int16(a.w.rand.IntN(101))
	}
	switch n := a.w.rand.IntN(100); {
	case n < 20:
		to = do.Location{Parent: object(x).Location().Parent, Zone: do.Zone(a.w.rand.IntN(zones))}
	case n < 45:
		to = a.w.atSea()
	}
	a.attempt("move", object(x).Move(to))
}

// setSomething changes fields, directly or in a handler over two objects that may be undone.
func (a *actor) setSomething() {
	x := a.oneOfMine()
	if x == nil {
		return
	}
	if a.w.chance(60) {
		a.change(x)
		a.attempt("save", object(x).Save())
		return
	}
	y := a.oneOfMine()
	fails := a.w.chance(30)
	a.task(func(ctx context.Context) error {
		if err := a.ai.Change(object(x)); err != nil {
			return err
		}
		a.change(x)
		if object(x).ID().Partition() == object(y).ID().Partition() {
			if err := a.ai.Change(object(y)); err != nil {
				return err
			}
			a.change(y)
		}
		if fails {
			return errNo
		}
		return nil
	}, func(err error) { a.attempt("change", err) })
}

// change changes some fields of an object.
func (a *actor) change(x any) {
	w := a.w
	text := fmt.Sprint("t", w.rand.IntN(50))
	switch x := x.(type) {
	case *placeAI:
		x.Light = uint8(w.rand.IntN(4))
		if w.chance(30) {
			x.Name = text
		}
		if w.chance(50) {
			x.Inside = w.noneOrSome(75)
		}
	case *vaultAI:
	case *avatarAI:
		switch w.rand.IntN(7) {
		case 0:
			x.HP = int16(w.rand.IntN(101))
		case 1:
			x.Pos = Vec{float32(w.rand.IntN(9)), 1}
		case 2:
			x.Mood, x.Name = text, text
		case 3:
			x.Secret = text
			x.Gold++
		case 4:
			x.Mood = text
			x.Look++
		case 5:
			x.Gold--
		case 6:
			a.attempt("unset", x.Unset(&x.Mood))
		}
	}
}

func (a *actor) giveSomething() {
	x := a.oneOfMine()
	if x == nil {
		return
	}
	id, owner := object(x).ID(), a.w.somebody()
	a.task(func(ctx context.Context) error { return a.ai.SetOwner(ctx, id, owner) },
		func(err error) { a.attempt("give", err) })
}

func (a *actor) handOver() {
	x, other := a.oneOfMine(), pick(a.w, a.w.ais)
	if x == nil || other == nil {
		return
	}
	id, to := object(x).ID(), other.ai.Channel()
	inherit := a.w.chance(20)
	a.task(func(ctx context.Context) error {
		if inherit {
			_, err := a.ai.Request(ctx, "inherit", do.ObjectChannel(id), func(c uint32) wire.Body {
				return &wire.SetAI{Context: c, DO: id, Inherit: true}
			})
			return err
		}
		return a.ai.SetAI(ctx, id, to)
	}, func(err error) { a.attempt("hand over", err) })
}

func (a *actor) watchSomething() {
	at := a.w.somewhere()
	if len(a.watches) < 2 {
		h, err := a.ai.AddInterest(at.Parent, a.w.someZones()...)
		a.attempt("watch", err)
		if err == nil {
			a.watches = append(a.watches, h)
			a.awaits(h)
		}
		return
	}
	i := a.w.rand.IntN(len(a.watches))
	if a.watches[i].Closed() || a.w.chance(40) {
		if !a.watches[i].Closed() {
			a.attempt("unwatch", a.watches[i].Remove())
		}
		a.watches = append(a.watches[:i:i], a.watches[i+1:]...)
		return
	}
	a.attempt("watch elsewhere", a.watches[i].Alter(at.Parent, a.w.someZones()...))
	a.awaits(a.watches[i])
}

func (a *actor) askSomebody() {
	all := a.ai.FindAll(func(x any) bool { _, ok := x.(*avatarAI); return ok })
	if len(all) == 0 {
		return
	}
	v := pick(a.w, all).(*avatarAI)
	q := a.w.rand.Uint32N(1000)
	a.task(func(ctx context.Context) error {
		call := v.Ask.Call
		if q%2 == 0 {
			call = v.Dare.Call
		}
		_, err := call(ctx, q)
		return err
	}, a.called)
}

// called counts the end of a call.
func (a *actor) called(err error) {
	if err != nil {
		a.w.count.CallsFailed++
		a.w.note(a.name, "call: %v", err)
		return
	}
	a.w.count.CallsAnswered++
}

// payFromVault pays from one vault to another, of one partition or not.
func (a *actor) payFromVault() {
	all := a.ai.FindAll(func(x any) bool { _, ok := x.(*vaultAI); return ok })
	if len(all) == 0 {
		return
	}
	from, to := pick(a.w, all).(*vaultAI), pick(a.w, all).(*vaultAI)
	amount := a.w.rand.Int64N(60)
	a.task(func(ctx context.Context) error {
		_, err := from.Pay.Call(ctx, Payment{To: to.ID(), Amount: amount})
		return err
	}, func(err error) {
		if err == nil {
			a.w.count.SwapsDone++
		}
		a.called(err)
	})
}

// useDatabase stores, activates, commits, unloads, sets a unique value, or sets and gets what may be dormant.
func (a *actor) useDatabase() {
	w := a.w
	if len(w.stored) < 6 {
		v := do.New[avatarAI]()
		v.life.p, v.Name, v.Gold = a, "stored", 7
		id := do.NewID(do.Partition(w.rand.IntN(partitions)+1), w.now/ms, w.rand.Uint64())
		w.name(id, "stored")
		a.task(func(ctx context.Context) error {
			_, err := a.ai.Stored(ctx, v, repository.Place{ID: id})
			if err == nil {
				w.stored, w.ids = append(w.stored, id), append(w.ids, id)
			}
			return err
		}, func(err error) { a.attempt("store", err) })
		return
	}
	id, at := pick(w, w.stored), w.somewhere()
	what, text := w.rand.IntN(6), fmt.Sprint("n", w.rand.IntN(5))
	if what == 4 {
		w.setAsTool(id, text)
		return
	}
	a.task(func(ctx context.Context) error {
		v, here := a.ai.Find(id).(*avatarAI)
		switch {
		case what == 0 && here:
			return a.ai.Unload(ctx, id)
		case what == 1 && here:
			v.Name = text
			return v.Commit(ctx)
		case what <= 3 && here:
			v.Nick = text
			err := v.Commit(ctx)
			if err == nil {
				w.count.Unique++
			}
			return err
		case what == 5:
			_, err := a.ai.Request(ctx, "get all", do.ObjectChannel(id), func(c uint32) wire.Body { return &wire.GetAll{Context: c, DO: id} })
			return err
		}
		_, err := a.ai.Activate(ctx, id, repository.Place{At: at}, nil)
		if err == nil {
			w.count.Activated++
		}
		return err
	}, func(err error) { a.attempt("database", err) })
}

// setAsTool sets the name of an object that may be alive or not, as a process that has no view of it.
func (w *world) setAsTool(id do.ID, name string) {
	f := w.game.Schema().Class("Avatar").FieldByName("Name")
	set := fields.MapOf(fields.Pair{Number: f.Number, Value: fields.AppendString(nil, name)})
	w.asTool(do.ObjectChannel(id), func(c uint32) wire.Body { return &wire.SetFields{Context: c, DO: id, Fields: set} })
}

// toolChannel is where a tool hears answers.
var toolChannel = do.AI(do.WellKnown(9201))

// misbehave asks for what must be refused.
func (a *actor) misbehave() {
	x := a.oneOfMine()
	if x == nil {
		return
	}
	id := object(x).ID()
	other := a.w.someone()
	class := object(x).Class()
	bad := []wire.Body{
		&wire.SetFields{Context: 1, DO: id, Fields: fields.MapOf(fields.Pair{Number: class.Fields()[0].Number, Value: fields.AppendNil(nil)})},
		&wire.SetFields{Context: 1, DO: id, Fields: fields.MapOf(fields.Pair{Number: 999, Value: fields.AppendNil(nil)})},
		&wire.SetLocation{Context: 1, DO: id, Location: do.Location{Parent: id}},
		&wire.Create{Context: 1, DO: id, Class: class.Number()},
		&wire.Create{Context: 1, DO: do.NewID(1, 1, 1), Class: 77},
		&wire.GetFields{Context: 1, DO: id, Fields: []fields.Number{999}},
		&wire.Activate{Context: 1, DO: do.NewID(1, 1, 1), Class: wire.AnyClass},
		&wire.Unload{Context: 1, DO: do.NewID(1, 1, 1)},
		&wire.Bundle{Context: 1, DO: id, Ops: []wire.Op{
			{Kind: wire.OpMove, DO: id, Location: a.w.somewhere()},
			{Kind: wire.OpSet, DO: id, Fields: fields.MapOf(fields.Pair{Number: 999, Value: fields.AppendNil(nil)})},
		}},
		&wire.Bundle{Context: 1, DO: id, Ops: []wire.Op{{Kind: wire.OpMove, DO: do.NewID(9, 1, 1)}, {Kind: wire.OpMove, DO: id, Location: do.Location{Parent: other}}}},
	}
	body := pick(a.w, bad)
	a.task(func(ctx context.Context) error {
		_, err := a.ai.Request(ctx, "misbehave", do.ObjectChannel(id), func(c uint32) wire.Body { return inContext(body, c) })
		if err == nil {
			a.w.problem("%s: %v was not refused", a.name, body)
		}
		return err
	}, func(err error) { a.attempt("misbehave", err) })
}

// inContext is a request with a context.
func inContext(body wire.Body, context uint32) wire.Body {
	switch b := body.(type) {
	case *wire.SetFields:
		b.Context = context
	case *wire.SetLocation:
		b.Context = context
	case *wire.Create:
		b.Context = context
	case *wire.GetFields:
		b.Context = context
	case *wire.Activate:
		b.Context = context
	case *wire.Unload:
		b.Context = context
	case *wire.Bundle:
		b.Context = context
	}
	return body
}
