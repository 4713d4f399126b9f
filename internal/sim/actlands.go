package sim

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// What AIs and clients do with the zone graph: grids and edges, interests that follow, walks over cells and through doors.

// laySomething changes grid and doors of a place that the AI runs, roots among them; rather of one over which somebody
// follows something.
func (a *actor) laySomething() {
	all := a.ai.FindAll(func(x any) bool { _, ok := x.(*placeAI); return ok })
	if over := slices.DeleteFunc(slices.Clone(all), func(x any) bool { return len(a.w.followedBelow(object(x).ID())) == 0 }); len(over) > 0 && a.w.chance(50) {
		all = over
	}
	if len(all) > 0 {
		a.lay(pick(a.w, all).(*placeAI))
	}
}

// lay gives a place another grid, or other doors.
func (a *actor) lay(p *placeAI) {
	w := a.w
	if w.chance(60) {
		p.Ground = do.Grid{}
		if w.chance(75) {
			p.Ground = do.Grid{
				Start: do.Zone(w.rand.IntN(3)), Cols: int32(1 + w.rand.IntN(4)), Rows: int32(1 + w.rand.IntN(3)),
				Cell: 10, Radius: int32(w.rand.IntN(3)), Hysteresis: 1,
			}
		}
	}
	if w.chance(60) {
		p.Doors = nil
		for i := range w.rand.IntN(3) {
			from := w.below(p.ID()).Zone
			if list := w.followedBelow(p.ID()); len(list) > 0 && w.chance(60) {
				from = w.told.at(pick(w, list)).Zone
			}
			p.Doors = append(p.Doors, do.Edge{
				Name: pick(w, []string{"north", "south"}) + string(rune('a'+i)), From: from, To: w.somewhere(), See: w.chance(70),
			})
		}
	}
	if w.chance(60) {
		p.Inside = w.noneOrSome(75)
	}
	if w.chance(50) {
		p.Rooms = w.noneOrSome(75)
	}
	a.attempt("lay", p.Save())
}

// noneOrSome draws some zones, in percent of a hundred cases.
func (w *world) noneOrSome(percent int) []do.Zone {
	if w.chance(percent) {
		return w.someZones()
	}
	return nil
}

// afterword does single things in a world that has come to rest: what was missed of them, nothing later covers up.
func (w *world) afterword() {
	for range 3 {
		a := pick(w, w.ais)
		if a == nil || !a.ai.Ready() {
			continue
		}
		a.run(func() {
			switch w.rand.IntN(4) {
			case 0:
				a.moveSomething()
			default:
				a.laySomething()
			}
		})
	}
}

// followed is what a handle of a client follows.
type followed struct {
	id    do.ID
	outer int
}

// follow opens an interest that follows an avatar of the client's own.
func (c *actor) follow() {
	x, ok := c.seen(ownAvatar).(*avatarCL)
	if !ok || len(c.handles) >= 4 {
		return
	}
	outer := c.w.rand.IntN(3)
	h, err := c.client.Follow(&x.Object, outer)
	c.attempt("follow", err)
	if err == nil {
		c.handles = append(c.handles, h)
		c.follows[h] = followed{x.ID(), outer}
	}
}

// followedBelow are the objects in the zones of a parent that handles follow, once for each handle.
func (w *world) followedBelow(parent do.ID) (list []do.ID) {
	for _, c := range w.clients {
		for _, h := range c.handles {
			if f, ok := c.follows[h]; ok && !h.Closed() && w.told.at(f.id).Parent == parent {
				list = append(list, f.id)
			}
		}
	}
	return list
}

// carrier draws an object that the AI runs and that carries what somebody follows with what is around it, nil if there is
// none.
func (a *actor) carrier() any {
	list := slices.DeleteFunc(a.mine(), func(x any) bool { return !a.w.carries(object(x).ID()) })
	if len(list) == 0 {
		return nil
	}
	return pick(a.w, list)
}

// atSea draws one of a few zones of which a client hears only by what it follows: an agent learns late where something is
// that went from one of them to another.
func (w *world) atSea() do.Location {
	return do.Location{Parent: do.WellKnown(10), Zone: 40 + do.Zone(w.rand.IntN(4))}
}

// carries reports whether an object is among the parents above something around which some handle looks.
func (w *world) carries(id do.ID) bool {
	for _, c := range w.clients {
		for _, h := range c.handles {
			f, ok := c.follows[h]
			if !ok || h.Closed() {
				continue
			}
			at := w.told.at(f.id)
			for n := 0; n < f.outer && !at.IsZero(); n++ {
				if at.Parent == id {
					return true
				}
				at = w.told.at(at.Parent)
			}
		}
	}
	return false
}

func (w *world) isFollowed(id do.ID) bool {
	return slices.ContainsFunc(w.clients, func(c *actor) bool {
		return slices.ContainsFunc(c.handles, func(h *repository.Handle) bool { return c.follows[h].id == id && !h.Closed() })
	})
}

// walker draws an avatar of the client's own, one that it follows more often than another.
func (c *actor) walker() *avatarCL {
	x, ok := c.seen(func(x any, v *repository.ObjectView) bool {
		return ownAvatar(x, v) && slices.ContainsFunc(c.handles, func(h *repository.Handle) bool { return c.follows[h].id == v.ID })
	}).(*avatarCL)
	if !ok || c.w.chance(30) {
		x, _ = c.seen(ownAvatar).(*avatarCL)
	}
	return x
}

// setLatest moves about within a zone; on a grid that the client knows, it walks into the next cell, too.
func (c *actor) setLatest() {
	x := c.walker()
	if x == nil {
		return
	}
	for range 1 + c.w.rand.IntN(3) {
		save := x.Save
		x.Pos = Vec{float32(c.w.rand.IntN(40) - 20), 2}
		at := x.Location()
		if g, ok := c.client.GridOf(at.Parent); ok && g.Contains(at.Zone) && c.w.chance(90) {
			x.Pos = c.step(g, at.Zone, 8)
			save = func() error { return c.client.Walk(&x.Object) }
		}
		if c.w.chance(40) {
			x.Look = uint16(c.w.rand.IntN(360))
		}
		c.attempt("save", save())
	}
}

// step is a position in a cell, or, with a long one, in the next.
func (c *actor) step(g do.Grid, cell do.Zone, long int) Vec {
	x, y := g.Centre(cell)
	return Vec{float32(x) + float32(c.w.rand.IntN(2*long+1)-long), float32(y) + float32(c.w.rand.IntN(2*long+1)-long)}
}

// walk moves an avatar to another zone, or somewhere else, or through a door.
func (c *actor) walk() {
	x := c.walker()
	if x == nil {
		return
	}
	to, at := c.w.somewhere(), x.Location()
	if !at.IsZero() && c.w.chance(60) {
		to = c.w.below(at.Parent)
		if doors := c.w.told.latest(at.Parent).ends(at.Zone); len(doors) > 0 && c.w.chance(60) {
			to = pick(c.w, doors)
		}
	}
	if to.Parent == x.ID() {
		return // what the agent ejects for
	}
	if c.w.chance(50) {
		x.HP = int16(c.w.rand.IntN(101))
	}
	if g := c.w.told.latest(to.Parent).grid; g.Contains(to.Zone) && c.w.chance(90) {
		x.Pos = c.step(g, to.Zone, pick(c.w, []int{5, 9}))
		x.Touch(&x.Pos)
	}
	c.attempt("walk", x.Move(to))
}

// observeMove looks at what clients' moves and positions the agents pass on: none that grid or edges forbid, by anything
// that was true lately; and counts those of things that are followed.
func (w *world) observeMove(from *participant, m wire.Message) {
	switch b := m.Body.(type) {
	case *wire.ChangingLocation:
		l := w.told.latest(b.New.Parent)
		_, _, was := l.cell(b.Old.Zone)
		_, _, is := l.cell(b.New.Zone)
		if b.Old.Parent == b.New.Parent && was && is && w.isFollowed(b.DO) {
			w.count.CellsCrossed++
		}
	case *wire.Bundle:
		if m.From.Kind == do.KindSession && len(b.Ops) > 0 && b.Ops[0].Kind == wire.OpMove {
			w.checkWay(m.From, b)
		}
	}
}

// checkWay judges a move that an agent let pass.
func (w *world) checkWay(session do.Channel, b *wire.Bundle) {
	to := b.Ops[0].Location
	c := w.sessionConn(session)
	if c == nil {
		return
	}
	froms := w.told.latelyAt(b.DO)
	if last, ok := c.written.heading[b.DO]; ok {
		froms = append(froms, last)
	}
	c.written.heading[b.DO] = to
	for _, from := range froms {
		if l := w.told.latest(from.Parent); l.shut(from.Zone) && l.leads(from.Zone, to) {
			w.count.ThroughDoors++
		}
	}
	if c.agent.astray(w.now) {
		return // who goes by what long ago was is not to blame
	}
	var x, y float64
	positioned := false
	class := w.schema.Class("Avatar")
	for _, op := range b.Ops[1:] {
		if v, ok := op.Fields.Get(class.Marked(fields.Position).Number); ok {
			x, y, positioned = class.Marked(fields.Position).Position(v)
		}
	}
	if !w.told.mayGo(froms, to, x, y, positioned) {
		p := wire.Printer{Names: w.trace.names}
		w.problem("%s was let through to %s: no grid and no edge lets it", w.nameOf(b.DO), p.Channel(do.At(to)))
	}
}

// sessionConn is the connection of a session, nil if it is over.
func (w *world) sessionConn(session do.Channel) *conn {
	for _, a := range w.agents {
		if c := a.conns[session.ID]; c != nil {
			return c
		}
	}
	return nil
}
