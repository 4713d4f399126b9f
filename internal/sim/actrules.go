package sim

import (
	"context"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// What AIs do beside the life of their objects: children before parents, declarations, grants, zones swept clean.

// makePlace makes a place; now and then after what is in it (rule 24).
func (a *actor) makePlace(at repository.Place) {
	p := do.New[placeAI]()
	p.life.p, p.Name = a, "place"
	if !a.w.chance(30) {
		if a.create(p, at, "place") {
			a.w.places[p.ID()] = true
			if a.w.chance(70) && !at.NoAI {
				a.lay(p)
			}
		}
		return
	}
	at.ID = do.NewID(do.Partition(a.w.rand.IntN(partitions)+1), a.w.now/ms, a.w.rand.Uint64())
	a.w.name(at.ID, "place")
	a.w.places[at.ID] = true
	a.w.ids = append(a.w.ids, at.ID)
	for range 1 + a.w.rand.IntN(3) {
		v := do.New[avatarAI]()
		v.life.p, v.Name, v.Gold = a, "early", 1
		a.create(v, repository.Place{At: do.Location{Parent: at.ID, Zone: do.Zone(a.w.rand.IntN(zones))}, NoAI: a.w.chance(30)}, "avatar")
		a.w.count.ChildrenFirst++
	}
	a.w.after(a.w.within(60*ms), func() {
		if a.alive() {
			a.run(func() { a.create(p, at, "place") })
		}
	})
}

// aSession draws the session of a client, which may be over when it is spoken to.
func (w *world) aSession() (*actor, do.Channel) {
	c := pick(w, w.clients)
	if c.client == nil || !c.client.Ready() {
		return nil, do.Channel{}
	}
	return c, do.Session(c.conn.session)
}

// sessionWith draws the session of a client for which has holds, now and then another.
func (w *world) sessionWith(has func(*actor) bool) (*actor, do.Channel) {
	var list []*actor
	for _, c := range w.clients {
		if c.client != nil && c.client.Ready() && has(c) {
			list = append(list, c)
		}
	}
	if len(list) == 0 || w.chance(40) {
		return w.aSession()
	}
	c := pick(w, list)
	return c, do.Session(c.conn.session)
}

// tellSession sends a request about an object to a session.
func (a *actor) tellSession(what string, session do.Channel, body func(c uint32) wire.Body, done func()) {
	a.task(func(ctx context.Context) error {
		_, err := a.ai.Request(ctx, what, session, body)
		return err
	}, func(err error) {
		a.attempt(what, err)
		if err == nil && done != nil {
			done()
		}
	})
}

// declareSomething makes an object known to a client that may see it or not, or takes that back (rule 89).
func (a *actor) declareSomething() {
	_, session := a.w.aSession()
	x := a.oneOfMine()
	if x == nil || session.IsZero() {
		return
	}
	id, class := object(x).ID(), object(x).Class().Number()
	if a.w.chance(40) {
		a.tellSession("undeclare", session, func(c uint32) wire.Body { return &wire.UndeclareObject{Context: c, DO: id} }, nil)
		return
	}
	a.tellSession("declare", session, func(c uint32) wire.Body { return &wire.DeclareObject{Context: c, DO: id, Class: class} },
		func() { a.w.count.Declared++ })
}

// grantSomething lets a client set a field that only owners may set, or takes that back (rule 90). The client hears of
// it by the game, some time later.
func (a *actor) grantSomething() {
	client, session := a.w.sessionWith(func(c *actor) bool { return len(c.granted) > 0 })
	if session.IsZero() {
		return
	}
	v, ok := client.seen(avatar).(*avatarCL)
	if !ok {
		return
	}
	id, conn := v.ID(), client.conn
	if list := sortedIDs(client.granted); len(list) > 0 && a.w.chance(50) {
		id = pick(a.w, list)
	}
	var granted []fields.Number
	if !client.granted[id] || a.w.chance(40) {
		granted = append(granted, v.Class().FieldByName("Secret").Number)
	}
	a.tellSession("grant", session, func(c uint32) wire.Body {
		return &wire.SetFieldsSendable{Context: c, DO: id, Fields: granted}
	}, func() {
		a.w.after(a.w.delay(), func() {
			if client.conn != conn || len(granted) == 0 && a.w.chance(60) {
				return // it goes on trying
			}
			delete(client.granted, id)
			if x, ok := client.client.Find(id).(*avatarCL); ok && len(granted) > 0 {
				client.run(func() { client.attempt("allow", client.client.Allow(&x.Object, "Secret")) })
				client.granted[id] = true
				a.w.count.Granted++
			}
		})
	})
}

// clearSomething deletes what is below an object: all of it, or what is in some zones.
func (a *actor) clearSomething() {
	x := a.oneOfMine()
	if x == nil {
		return
	}
	id, zones := object(x).ID(), a.w.someZones()
	a.task(func(ctx context.Context) error {
		_, err := a.ai.Request(ctx, "clear", do.ObjectChannel(id), func(c uint32) wire.Body {
			if len(zones) > 1 {
				return &wire.DeleteZones{Context: c, Parent: id, Zones: zones}
			}
			return &wire.DeleteChildren{Context: c, Parent: id}
		})
		return err
	}, func(err error) { a.attempt("clear", err) })
}

// moveInCircles moves an object below one of its own children, or two below each other at the same time: what may not be
// (rule 29).
func (a *actor) moveInCircles() {
	all := a.mine()
	if len(all) < 2 {
		return
	}
	w := a.w
	x, y := object(pick(w, all)), object(pick(w, all))
	for range 10 {
		if child := object(pick(w, all)); child.Location().Parent == x.ID() {
			y = child
		}
	}
	if x == y {
		return
	}
	if x.ID().Partition() != y.ID().Partition() {
		w.count.CyclesTried++
	}
	a.attempt("move below a child", x.Move(do.Location{Parent: y.ID(), Zone: do.Zone(w.rand.IntN(zones))}))
	if y.Location().Parent != x.ID() {
		a.attempt("move below the parent", y.Move(do.Location{Parent: x.ID(), Zone: do.Zone(w.rand.IntN(zones))}))
	}
}
