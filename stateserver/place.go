package stateserver

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// place is a location in which this State has objects, or below a parent of this State has children elsewhere.
// To join, to leave and to find are O(1); whoever needs an order sorts, and the sorted order is kept until it breaks.
type place struct {
	loc     do.Location
	to      []do.Channel // the location channel alone: the recipients of most updates. Shared by all messages, never changed
	family  *family
	members []*object // of this State
	away    []*child  // children in other States, if the parent is here
	waiting int       // members that have not entered
	index   int       // in family.places
	sorted  bool      // members are in the order of rule 109
	aligned bool      // away is

	changed bool           // it is in State.changed: its digest is due
	had     []do.Partition // partitions of objects that left since the last digest
}

// family is what is below one parent, wherever the parent is.
type family struct {
	id      do.ID
	parent  *object // nil: it is in another State, or does not exist
	foreign bool    // its partition is another State's
	places  []*place
	members int // of this State, in all places
	away    int // children elsewhere
}

// child is a child of a parent of this State that lives in another one, as the parent last heard of it.
type child struct {
	id      do.ID
	version do.Version
	place   *place
	at      uint32 // its place in place.away
	class   uint32
}

// mine reports whether this State holds the partition.
func (s *State) mine(id do.ID) bool {
	return slices.Contains(s.cfg.Partitions, id.Partition())
}

// placeAt is the place of a location that is somewhere, made if there is none yet.
func (s *State) placeAt(l do.Location) *place {
	if p := s.places[l]; p != nil {
		return p
	}
	f := s.families[l.Parent]
	if f == nil {
		f = &family{id: l.Parent, parent: s.objects[l.Parent], foreign: !s.mine(l.Parent)}
		s.families[l.Parent] = f
	}
	p := &place{loc: l, to: []do.Channel{do.At(l)}, family: f, index: len(f.places)}
	f.places = append(f.places, p)
	s.places[l] = p
	return p
}

// join puts an object that is nowhere into a place, which is subscribed to the parent's word if it is the first there.
func (s *State) join(o *object, p *place, out *wire.Outbox) {
	o.place, o.at = p, uint32(len(p.members))
	p.sorted = p.sorted && (o.at == 0 || compareObjects(p.members[o.at-1], o) < 0)
	if o.at == 0 {
		p.sorted = true
	}
	p.members = append(p.members, o)
	p.waiting++
	p.family.members++
	if p.family.foreign && p.family.members == 1 {
		out.SendTo(director, s.self, &wire.AddChannels{Channels: []do.Channel{do.Children(p.loc.Parent)}})
	}
	o.entered = false
}

// leave takes an object out of p, its place until now. Its own record of where it is stays for the caller to change.
func (s *State) leave(o *object, p *place, at uint32, entered bool, out *wire.Outbox) {
	last := uint32(len(p.members) - 1)
	if at != last {
		p.members[at] = p.members[last]
		p.members[at].at = at
		p.sorted = false
	}
	p.members[last] = nil
	p.members = p.members[:last]
	p.family.members--
	if entered {
		if part := o.id.Partition(); !slices.Contains(p.had, part) {
			p.had = append(p.had, part)
		}
		s.stir(p)
	} else {
		p.waiting--
	}
	if p.family.foreign && p.family.members == 0 {
		out.SendTo(director, s.self, &wire.RemoveChannels{Channels: []do.Channel{do.Children(p.loc.Parent)}})
	}
	s.forget(p)
}

// forget drops a place, and its family, that nothing is in and no digest is due for (rule 37).
func (s *State) forget(p *place) {
	if len(p.members) > 0 || len(p.away) > 0 || p.changed {
		return
	}
	f := p.family
	last := f.places[len(f.places)-1]
	f.places[p.index] = last
	last.index = p.index
	f.places[len(f.places)-1] = nil
	f.places = f.places[:len(f.places)-1]
	delete(s.places, p.loc)
	if len(f.places) == 0 {
		delete(s.families, f.id)
	}
}

// compareObjects is the order of rule 109: class, then DoID.
func compareObjects(a, b *object) int {
	if c := cmp.Compare(a.class.number, b.class.number); c != 0 {
		return c
	}
	return a.id.Compare(b.id)
}

// ordered are the members in the order of rule 109. The caller must not keep the slice beyond its Step.
func (p *place) ordered() []*object {
	if !p.sorted {
		slices.SortFunc(p.members, compareObjects)
		for i, o := range p.members {
			o.at = uint32(i)
		}
		p.sorted = true
	}
	return p.members
}

// orderedAway is the same of the children elsewhere.
func (p *place) orderedAway() []*child {
	if !p.aligned {
		slices.SortFunc(p.away, compareChildren)
		for i, c := range p.away {
			c.at = uint32(i)
		}
		p.aligned = true
	}
	return p.away
}

// byZone puts the places of a family in the order of their zones.
func (f *family) byZone() []*place {
	places := slices.Clone(f.places)
	slices.SortFunc(places, func(a, b *place) int { return cmp.Compare(a.loc.Zone, b.loc.Zone) })
	return places
}

// children are those of this State by zone, then DoID: the order of everything that a parent does to all.
func (f *family) children() []*object {
	all := make([]*object, 0, f.members)
	for _, p := range f.byZone() {
		from := len(all)
		all = append(all, p.members...)
		slices.SortFunc(all[from:], func(a, b *object) int { return a.id.Compare(b.id) })
	}
	return all
}

// list puts a child of another State into the parent's list, or moves it there.
func (s *State) list(id do.ID, class uint32, v do.Version, l do.Location) {
	c := s.away[id]
	p := s.placeAt(l)
	if c == nil {
		c = &child{id: id}
		s.away[id] = c
	} else if c.place != p {
		s.unplace(c)
	}
	p.aligned = p.aligned && c.class == class
	c.class, c.version = class, v
	if c.place != p {
		c.place, c.at = p, uint32(len(p.away))
		p.aligned = c.at == 0 || p.aligned && compareChildren(p.away[c.at-1], c) < 0
		p.away = append(p.away, c)
		p.family.away++
	}
}

// unlist takes a child of another State out of the list.
func (s *State) unlist(c *child) {
	s.unplace(c)
	delete(s.away, c.id)
}

func (s *State) unplace(c *child) {
	p := c.place
	last := uint32(len(p.away) - 1)
	if c.at != last {
		p.away[c.at] = p.away[last]
		p.away[c.at].at = c.at
		p.aligned = false
	}
	p.away[last] = nil
	p.away = p.away[:last]
	p.family.away--
	c.place = nil
	s.forget(p)
}
