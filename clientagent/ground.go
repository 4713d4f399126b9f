package clientagent

import (
	"bytes"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// ground is what a parent declares of the zones below it, its grid, its edges, and what clients may open; and where the
// parent is. The agent knows it while somebody uses it: it hears of changes, and of moves, on the channel of the parent's
// children, to which it listens before it asks. So what it knows was so when the parent's State sent it, whoever asks.
type ground struct {
	parent do.ID
	users  int    // handles that follow, owned objects, and held sessions
	known  bool   // the parent's State has answered; where there is no such object, it declares nothing
	failed bool   // it was asked and did not answer in time
	asked  uint32 // the context of the question, 0: none is open
	until  int64  // when the question has failed, or is asked again
	news   uint64 // the Step in which it came to be known, changed, or was asked for

	version do.Version
	class   *do.Class
	at      do.Location // where the parent itself is

	value    []byte // of the grid field, nil without a grid
	grid     do.Grid
	edges    []do.Edge
	open     []do.Zone
	narrowed int64 // until when it is excused to ask for zones that were open a moment ago
}

// useGround is the ground below a parent, with one user more. Each has to be released.
func (s *State) useGround(parent do.ID) *ground {
	g := s.grounds[parent]
	if g == nil {
		g = &ground{parent: parent}
		s.grounds[parent] = g
		s.groundList = append(s.groundList, g)
		s.parents[parent]++
		// The subscription may be there already for a place, and not be acknowledged yet.
		c := s.context()
		s.groundSubs[c] = g
		s.control(&wire.AddChannels{Context: c, Channels: []do.Channel{do.Children(parent)}})
		g.until = s.now + int64(s.cfg.OpeningTimeout)
	}
	g.users++
	return g
}

// releaseGround takes one user away; without any the ground is forgotten.
func (s *State) releaseGround(g *ground) {
	if g.users--; g.users > 0 {
		return
	}
	delete(s.grounds, g.parent)
	delete(s.groundAsks, g.asked)
	s.groundList = slices.DeleteFunc(s.groundList, func(o *ground) bool { return o == g })
	if s.parents[g.parent]--; s.parents[g.parent] == 0 {
		delete(s.parents, g.parent)
		s.control(&wire.RemoveChannels{Channels: []do.Channel{do.Children(g.parent)}})
	}
}

// askGround asks for the parent as it is now. What is known holds until the answer comes, but no DONE is built on it.
func (s *State) askGround(g *ground) {
	s.unaskGround(g)
	g.asked = s.context()
	s.groundAsks[g.asked] = g
	g.until = s.now + int64(s.cfg.OpeningTimeout)
	s.out.SendTo(do.ObjectChannel(g.parent), s.self, &wire.AskEntries{
		Context: g.asked, Asker: s.self, DOs: []do.ID{g.parent}, Watch: true,
	})
	if g.known {
		s.tellOf(g)
	}
}

// unaskGround forgets an open question.
func (s *State) unaskGround(g *ground) {
	delete(s.groundAsks, g.asked)
	g.asked = 0
}

// askAfter asks again after something that the parent's State said. An open question is answered behind that.
func (s *State) askAfter(g *ground) {
	if g.known && g.asked == 0 {
		s.askGround(g)
	}
}

// sure reports whether the ground is known, and nothing that it was asked for may be missing.
func (g *ground) sure() bool { return g.known && g.asked == 0 }

// tellOf has those who follow over the ground look again at the end of the Step.
func (s *State) tellOf(g *ground) {
	g.news, s.regrounded = s.seq, true
}

// answeredGround takes the answer; without an entry there is no such object.
func (s *State) answeredGround(g *ground, entries []wire.Entry) {
	s.unaskGround(g)
	s.tellOf(g)
	i := slices.IndexFunc(entries, func(e wire.Entry) bool { return e.DO == g.parent })
	if i < 0 {
		s.clearGround(g)
		return
	}
	e := &entries[i]
	if g.known && e.Version.Compare(g.version) < 0 {
		return
	}
	if g.class = s.class(e.Class); g.class == nil {
		return // of a newer schema than ours: it is asked for, and this again
	}
	g.version, g.at = e.Version, e.Location
	s.readGround(g, e.Fields)
	g.known, g.failed = true, false
}

// clearGround notes that there is no such object, or no more.
func (s *State) clearGround(g *ground) {
	g.version, g.class, g.at = do.Version{}, nil, do.Location{}
	g.value, g.grid, g.edges = nil, do.Grid{}, nil
	s.setOpen(g, nil)
	g.known, g.failed = true, false
	s.tellOf(g)
}

// readGround takes over what fields say of the ground, and reports whether a handle that follows may care.
func (s *State) readGround(g *ground, m fields.Map) (changed bool) {
	for it := m.Iter(); it.Next(); {
		f := g.class.Field(it.Number())
		if f == nil || !f.Keywords.Any(fields.Grid|fields.Edges|fields.Open) {
			continue
		}
		v := it.Value()
		switch {
		case f.Keywords.Has(fields.Grid):
			// The State has checked the value. One that cannot be read is none.
			grid, err := do.ParseGrid(v)
			if err != nil || grid == (do.Grid{}) {
				v = nil
			}
			changed = changed || !bytes.Equal(v, g.value)
			g.grid, g.value = grid, bytes.Clone(v)
		case f.Keywords.Has(fields.Edges):
			edges, _ := do.ParseEdges(v)
			changed = changed || !slices.Equal(edges, g.edges)
			g.edges = edges
		default:
			open, _ := do.ParseZones(v)
			s.setOpen(g, open)
		}
	}
	return changed
}

func (s *State) setOpen(g *ground, open []do.Zone) {
	if slices.ContainsFunc(g.open, func(z do.Zone) bool { return !slices.Contains(open, z) }) {
		g.narrowed = s.now + int64(s.cfg.History)
	}
	g.open = open
	slices.Sort(g.open)
}

// groundUpdate hears of a set of a parent's fields. Before the ground is known, the answer under way is newer.
func (s *State) groundUpdate(u *wire.Update) {
	g := s.grounds[u.DO]
	if g == nil || !g.known || g.class == nil || u.Version.Compare(g.version) <= 0 {
		return
	}
	if u.Version.Inc != g.version.Inc {
		s.askAfter(g)
		return
	}
	g.version = u.Version
	if s.readGround(g, u.Fields) {
		s.tellOf(g)
	}
}

// groundDigest compares what is known of a ground with what its State has said, and asks again if something was missed.
func (s *State) groundDigest(b *wire.GroundDigest) {
	if g := s.grounds[b.DO]; g != nil && b.Version.Compare(g.version) > 0 {
		s.askAfter(g)
	}
}

// groundMoved hears that a parent is somewhere else, or, in another life, somewhere.
func (s *State) groundMoved(id do.ID, v do.Version, at do.Location) {
	g := s.grounds[id]
	if g == nil || !g.known || v.Compare(g.version) <= 0 {
		return
	}
	if v.Inc != g.version.Inc {
		s.askAfter(g)
		return
	}
	g.version = v
	if g.at != at {
		g.at = at
		s.tellOf(g)
	}
}

// sweepGrounds gives up on parents whose State does not answer, and asks them again. That a question was lost is found
// in the same way.
func (s *State) sweepGrounds() {
	for _, g := range s.groundList {
		if s.now < g.until || g.known && g.asked == 0 {
			continue
		}
		if !g.known && !g.failed {
			g.failed = true
			s.tellOf(g)
		}
		s.askGround(g)
	}
}

// sees appends the cells that who stands at l sees: those around it on a grid, else the zone alone (rule 164).
func (g *ground) sees(dst []do.Location, l do.Location) []do.Location {
	if !g.grid.Contains(l.Zone) {
		return append(dst, l)
	}
	for _, z := range g.grid.Around(nil, l.Zone) {
		dst = append(dst, do.Location{Parent: l.Parent, Zone: z})
	}
	return dst
}

// closed reports whether a zone is entered and left by edges alone.
func (g *ground) closed(z do.Zone) bool {
	return slices.ContainsFunc(g.edges, func(e do.Edge) bool { return e.From == z })
}

// leads reports whether an edge leads from a zone to a location.
func (g *ground) leads(z do.Zone, to do.Location) bool {
	return slices.ContainsFunc(g.edges, func(e do.Edge) bool { return e.From == z && e.To == to })
}
