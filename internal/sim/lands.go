package sim

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// The zone graph as the simulation knows it: what places say of the zones below them, and where objects are. It is read
// from the States' memory when all is quiet, and from what they send before that. The walk over it shares no code with the
// agent or with do.Grid.

// land is what a place says of its zones.
type land struct {
	grid   do.Grid
	doors  []do.Edge
	inside []do.Zone // ascending, each once: they open for who sees the place (rule 163)
	rooms  []do.Zone // clients may open them (rule 95)
}

// readLand takes over what fields say of the zones below an object of the class.
func (l land) read(class *do.Class, m fields.Map) (land, error) {
	for it := m.Iter(); it.Next(); {
		var err error
		switch f := class.Field(it.Number()); {
		case f == nil:
		case f.Keywords.Has(fields.Grid):
			l.grid, err = do.ParseGrid(it.Value())
		case f.Keywords.Has(fields.Edges):
			l.doors, err = do.ParseEdges(it.Value())
		case f.Keywords.Has(fields.Auto):
			l.inside, err = do.ParseZones(it.Value())
			slices.Sort(l.inside)
			l.inside = slices.Compact(l.inside)
		case f.Keywords.Has(fields.Open):
			l.rooms, err = do.ParseZones(it.Value())
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

// cell reports whether a zone is a cell, and which.
func (l land) cell(z do.Zone) (col, row int, ok bool) {
	i, cols := int(z)-int(l.grid.Start), int(l.grid.Cols)
	if i < 0 || i >= cols*int(l.grid.Rows) {
		return 0, 0, false
	}
	return i % cols, i / cols, true
}

// near reports whether who is in one zone sees the other: the same, or a cell within the radius.
func (l land) near(from, to do.Zone) bool {
	if from == to {
		return true
	}
	a, b, ok := l.cell(from)
	c, d, also := l.cell(to)
	r := int(l.grid.Radius)
	return ok && also && a-c <= r && c-a <= r && b-d <= r && d-b <= r
}

// fits reports whether a position is in a cell, or not much beside it.
func (l land) fits(z do.Zone, x, y float64) bool {
	col, row, ok := l.cell(z)
	g := l.grid
	half := g.Cell/2 + g.Hysteresis
	dx := x - (float64(col)+0.5-float64(g.Cols)/2)*g.Cell
	dy := y - (float64(row)+0.5-float64(g.Rows)/2)*g.Cell
	return !ok || dx >= -half && dx <= half && dy >= -half && dy <= half
}

// shut reports whether a zone is entered and left by doors alone, leads whether one of them leads to a location.
func (l land) shut(z do.Zone) bool {
	return slices.ContainsFunc(l.doors, func(e do.Edge) bool { return e.From == z })
}

func (l land) leads(z do.Zone, to do.Location) bool { return slices.Contains(l.ends(z), to) }

func (l land) ends(z do.Zone) (list []do.Location) {
	for _, e := range l.doors {
		if e.From == z {
			list = append(list, e.To)
		}
	}
	return list
}

// scene is where things are, and what the land is like, at some time.
type scene interface {
	where(id do.ID) do.Location
	land(parent do.ID) land
}

// sees reports whether who follows an object sees what is at a location.
func sees(s scene, id do.ID, outer int, l do.Location) bool {
	at := s.where(id)
	if at.IsZero() {
		return false
	}
	from := func(stand do.Location) bool {
		return stand.Parent == l.Parent && s.land(stand.Parent).near(stand.Zone, l.Zone)
	}
	if from(at) {
		return true
	}
	for _, e := range s.land(at.Parent).doors {
		if e.See && e.From == at.Zone && from(e.To) {
			return true
		}
	}
	for up := s.where(at.Parent); outer > 0 && !up.IsZero(); outer, up = outer-1, s.where(up.Parent) {
		if from(up) {
			return true
		}
	}
	return false
}

// where and land make the truth a scene.
func (t truth) where(id do.ID) do.Location { return t.objects[id].Location }

func (t truth) land(parent do.ID) land {
	o, ok := t.objects[parent]
	if !ok {
		return land{}
	}
	l, err := land{}.read(o.Class, o.Fields)
	if err != nil {
		panic(err) // a State has checked it
	}
	return l
}

// chronicle is what the States have said of places and of where objects are, lately.
type chronicle struct {
	w     *world
	lands map[do.ID][]landSince // ascending by time; only looked up
	stays map[do.ID][]stay
	died  map[do.ID]int64 // when each object died last; what is below it is dying
}

type landSince struct {
	since int64
	land  land
}

type stay struct {
	since int64
	at    do.Location
}

// late is how long an agent may go by what was before, where no message is lost.
const late = 500 * ms

// noteLand and noteStay add what holds from now on; what nobody can go by any more is forgotten.
func (c *chronicle) noteLand(id do.ID, l land) {
	list := append(c.lands[id], landSince{c.w.now, l})
	for len(list) > 1 && list[1].since < c.w.now-8*late {
		list = list[1:]
	}
	c.lands[id] = list
}

func (c *chronicle) noteStay(id do.ID, at do.Location) {
	list := append(c.stays[id], stay{c.w.now, at})
	for len(list) > 1 && list[1].since < c.w.now-2*late {
		list = list[1:]
	}
	c.stays[id] = list
}

// observe takes in what a State sends.
func (c *chronicle) observe(m wire.Message) {
	switch b := m.Body.(type) {
	case *wire.EnterLocation:
		c.enter(&b.Entry)
	case *wire.EnterOwner:
		c.enter(&b.Entry)
	case *wire.ChangingLocation:
		c.noteStay(b.DO, b.New)
	case *wire.Deleted:
		c.gone(b.DO)
	case *wire.Update:
		c.update(b)
	}
}

func (c *chronicle) enter(e *wire.Entry) {
	if list := c.stays[e.DO]; len(list) == 0 || list[len(list)-1].at != e.Location {
		c.noteStay(e.DO, e.Location)
	}
	if c.w.places[e.DO] { // a set that nobody hears is in the entry only
		c.says(e.DO, e.Fields)
	}
}

// update notes a set of what a place says of its zones.
func (c *chronicle) update(b *wire.Update) {
	if c.w.places[b.DO] {
		c.says(b.DO, b.Fields)
	}
}

// says takes in what a place says of its zones, and counts those who are concerned.
func (c *chronicle) says(id do.ID, m fields.Map) {
	old := c.latest(id)
	now, err := old.read(c.w.schema.Class("Place"), m)
	if err != nil {
		c.w.problem("%s has an impossible land: %v", c.w.nameOf(id), err)
		return
	}
	grid, doors := now.grid != old.grid, !slices.Equal(now.doors, old.doors)
	if !grid && !doors && slices.Equal(now.inside, old.inside) && slices.Equal(now.rooms, old.rooms) {
		return
	}
	c.noteLand(id, now)
	n := len(c.w.followedBelow(id))
	if grid {
		c.w.count.GridsChanged += n
	}
	if doors {
		c.w.count.EdgesChanged += n
	}
}

// gone notes that an object is no more; so does a State's death for all that it had.
func (c *chronicle) gone(id do.ID) {
	c.died[id] = c.w.now
	if _, ok := c.lands[id]; ok {
		c.noteLand(id, land{})
	}
	if _, ok := c.stays[id]; ok {
		c.noteStay(id, do.Location{})
	}
}

func (c *chronicle) latest(id do.ID) land {
	list := c.lands[id]
	if len(list) == 0 {
		return land{}
	}
	return list[len(list)-1].land
}

// lately are all lands that somebody may go by.
func (c *chronicle) lately(id do.ID) []land { return c.since(id, c.w.now-late) }

// since are all lands of a place that were at some time since, which include none where the place was not heard of.
func (c *chronicle) since(id do.ID, since int64) []land {
	list := c.lands[id]
	var out []land
	if len(list) == 0 || list[0].since >= since {
		out = append(out, land{})
	}
	for i, l := range list {
		if i+1 == len(list) || list[i+1].since >= since {
			out = append(out, l.land)
		}
	}
	return out
}

// at is where an object is, as far as anybody said.
func (c *chronicle) at(id do.ID) do.Location {
	list := c.stays[id]
	if len(list) == 0 {
		return do.Location{}
	}
	return list[len(list)-1].at
}

// latelyAt is where an object was when somebody may go by it.
func (c *chronicle) latelyAt(id do.ID) []do.Location { return c.sinceAt(id, c.w.now-late) }

// sinceAt is where an object was at some time since.
func (c *chronicle) sinceAt(id do.ID, since int64) []do.Location {
	list := c.stays[id]
	var out []do.Location
	for i, s := range list {
		if i+1 == len(list) || list[i+1].since >= since {
			out = append(out, s.at)
		}
	}
	return out
}

// steady are the land and the place of things as they are now; moved is when the newest of those that were asked for
// changed.
type steady struct {
	c     *chronicle
	moved int64
}

func (s *steady) where(id do.ID) do.Location {
	list := s.c.stays[id]
	if len(list) == 0 {
		return do.Location{}
	}
	last := list[len(list)-1]
	s.moved = max(s.moved, last.since)
	return last.at
}

func (s *steady) land(parent do.ID) land {
	list := s.c.lands[parent]
	if len(list) == 0 {
		return land{}
	}
	last := list[len(list)-1]
	s.moved = max(s.moved, last.since)
	return last.land
}

// heard is how long what a State says is under way at most. An agent hears of all that decides what a handle that follows
// covers, in order, and closes what it covered before: that is all by which it is late.
const heard = 100 * ms

// maySee reports whether some way of what was when its agent heard of it last shows a location to who follows an object.
func (c *chronicle) maySee(f followed, l do.Location) bool {
	for _, at := range c.sinceAt(f.id, c.w.now-heard) {
		if at.IsZero() {
			continue
		}
		if c.mayBeAround(at.Parent, f.outer, l) {
			return true
		}
		for _, here := range c.since(at.Parent, c.w.now-heard) {
			if at.Parent == l.Parent && here.near(at.Zone, l.Zone) {
				return true
			}
			for _, e := range here.doors {
				if e.See && e.From == at.Zone && c.mayBeNear(e.To, l) {
					return true
				}
			}
		}
	}
	return false
}

// mayBeAround reports whether a location may be near to where a parent is, or so many above it.
func (c *chronicle) mayBeAround(parent do.ID, outer int, l do.Location) bool {
	return outer > 0 && slices.ContainsFunc(c.sinceAt(parent, c.w.now-heard), func(at do.Location) bool {
		return !at.IsZero() && (c.mayBeNear(at, l) || c.mayBeAround(at.Parent, outer-1, l))
	})
}

func (c *chronicle) mayBeNear(stand, l do.Location) bool {
	return stand.Parent == l.Parent &&
		slices.ContainsFunc(c.since(stand.Parent, c.w.now-heard), func(x land) bool { return x.near(stand.Zone, l.Zone) })
}

// mayGo reports whether some way of what was lately lets a client move its object there, by the grids and the doors.
func (c *chronicle) mayGo(froms []do.Location, to do.Location, x, y float64, positioned bool) bool {
	for _, there := range c.lately(to.Parent) {
		if _, _, cell := there.cell(to.Zone); cell && (!positioned || !there.fits(to.Zone, x, y)) {
			continue
		}
		for _, from := range froms {
			for _, here := range c.lately(from.Parent) {
				if passable(here, from, there, to) {
					return true
				}
			}
		}
	}
	return false
}

func passable(here land, from do.Location, there land, to do.Location) bool {
	if from == to {
		return true
	}
	if from.Parent == to.Parent {
		_, _, a := here.cell(from.Zone)
		_, _, b := here.cell(to.Zone)
		if a && b {
			return true
		}
	}
	return !here.shut(from.Zone) && !there.shut(to.Zone) || here.leads(from.Zone, to) || there.leads(to.Zone, from)
}
