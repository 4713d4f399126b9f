package clientagent

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// object is what the agent knows of an object that some session has a grip on.
type object struct {
	id       do.ID
	alias    uint32
	number   uint32    // of its class
	class    *do.Class // nil: not in the schema yet
	version  do.Version
	location do.Location
	serial   uint16 // of its newest latest value
	heard    uint8  // messages that named the owner since it was given the object
	entered  bool   // its State said that it arrived at its location

	viewers []*grip // who sees it
	// watchers are their sessions, by the same index: an update goes to each of them, and the grips of all objects are too
	// many to be near at hand.
	watchers []*session
	spare    *grip  // the memory of the first grip; nil: taken, once and for all, for others may still know it
	owner    *grip  // the session here that owns it, if one does
	place    *place // where its viewers see it; nil without viewers
	at       int32  // its index there
	grips    int32  // of any kind

	ground *ground // what its owner's positions are checked against; nil: nothing

	latest  []latestField
	moved   uint64 // the Step in which it came to its location
	listed  uint32 // the last refresh that listed it
	asked   uint32 // the context of an open question about a gap, 0: none
	askedAt int64
}

// grip ties a session to an object. There are as many as sessions see objects: the order of the members saves memory.
type grip struct {
	t        *session
	o        *object
	view     int32 // its index in o.viewers, -1: not seen
	told     bool  // the alias was told
	silent   bool  // seen, but known to the client by ownership only (rule 103)
	owned    bool
	declared bool
	marks    uint64      // latest fields of o that are in t.latest, by index
	sure     uint64      // of these, those that go on the stream: they are repeats
	in       []inField   // what the client sends
	ahead    *ground     // what is where the newest of its moves goes
	heading  do.Location // where that is
	moves    int32       // of the client, that are not answered
	auto     uint16      // the handle that its auto zones have, 0: none
}

// inField is the state of one field that a client sets on one object.
type inField struct {
	number    fields.Number
	hasSerial bool
	serial    uint16 // of the newest latest set
	acked     bool   // it was answered
	rate      bucket
	rated     bool
}

// overtake notes a latest set that was refused, so that no older one is taken after it: its client went back to what was
// acknowledged before, and does not wait for an older one any more.
func (in *inField) overtake(serial uint16) {
	if in.hasSerial && !newer(serial, in.serial) {
		return
	}
	in.acked = in.acked || !in.hasSerial // an older one may be under way
	in.hasSerial, in.serial = true, serial
}

// holds reports whether the client has the object, seen or owned.
func (g *grip) holds() bool { return g.view >= 0 || g.owned }

// field is g's record of a field that the client sets.
func (g *grip) field(n fields.Number) *inField {
	for i := range g.in {
		if g.in[i].number == n {
			return &g.in[i]
		}
	}
	g.in = append(g.in, inField{number: n})
	return &g.in[len(g.in)-1]
}

type lostRight struct {
	id    do.ID
	until int64
}

// toldAlias is an alias whose leave is the frame-th of the stream.
type toldAlias struct {
	alias uint32
	frame uint64
}

// track is the record of an object, made if there is none.
func (s *State) track(id do.ID, number uint32) *object {
	if o := s.objects[id]; o != nil {
		return o
	}
	return s.newObject(id, number)
}

// alone is an object with the memory that it needs while one session has a grip on it, as on most of them.
type alone struct {
	object
	grip     grip
	viewers  [1]*grip
	watchers [1]*session
}

// newObject is the record of an object that has none.
func (s *State) newObject(id do.ID, number uint32) *object {
	a := &alone{}
	o := &a.object
	o.id, o.number, o.class = id, number, s.class(number)
	o.viewers, o.watchers, o.spare = a.viewers[:0], a.watchers[:0], &a.grip
	o.alias = s.aliases.give(o, s.now)
	s.objects[id] = o
	return o
}

// grip is t's grip on o, made if there is none.
func (s *State) grip(t *session, o *object) *grip {
	if o.grips > 0 {
		if g := t.grips.get(o.alias); g != nil {
			return g
		}
	}
	g := o.spare
	if g == nil {
		g = &grip{}
	}
	o.spare = nil
	g.t, g.o, g.view = t, o, -1
	t.grips.put(o.alias, g)
	o.grips++
	return g
}

// loosen drops g if nothing ties it any more. The client may refer to the object for a while (rule 105); its alias
// stays taken until the client acknowledged that it left.
func (s *State) loosen(g *grip, deleted bool) {
	if g.view >= 0 || g.owned || g.declared {
		return
	}
	t, o := g.t, g.o
	s.stays(g)
	t.grips.remove(o.alias)
	if g.told {
		t.past.add(past{id: o.id, until: s.now + int64(s.cfg.History), alias: o.alias, deleted: deleted})
		t.unacked.add(toldAlias{o.alias, t.sent})
		s.aliases.hold(o.alias)
	}
	o.grips--
	s.untrack(o)
}

// untrack forgets o when nobody has a grip on it.
func (s *State) untrack(o *object) {
	if o.grips > 0 {
		return
	}
	delete(s.objects, o.id)
	if o.asked != 0 {
		delete(s.asks, o.asked)
	}
	s.aliases.free(o.alias, s.now+int64(s.cfg.AliasRest))
}

// pastOf is what the client had under an alias a moment ago, and has no more.
func (t *session) pastOf(alias uint32) (past, bool) {
	if t.grips.get(alias) != nil {
		return past{}, false
	}
	return t.past.find(alias)
}

// hadAlias is the alias under which an object was known to the client a moment ago.
func (t *session) hadAlias(id do.ID) (alias uint32, ok bool) {
	for i := t.past.list.len() - 1; i >= 0; i-- {
		if t.past.list.at(i).id != id {
			continue
		}
		alias := t.past.list.at(i).alias
		if p, ok := t.pastOf(alias); ok && p.id == id {
			return alias, true
		}
	}
	return 0, false
}

// forgetPast forgets what left long enough ago.
func (s *State) forgetPast(t *session) {
	t.past.forget(s.now)
	n := 0
	for ; n < len(t.lostList) && t.lostList[n].until <= s.now; n++ {
		if t.lost[t.lostList[n].id] <= s.now {
			delete(t.lost, t.lostList[n].id)
		}
	}
	t.lostList = t.lostList[n:]
}

// lose remembers that the client had a right on an object until now.
func (s *State) lose(t *session, id do.ID) {
	until := s.now + int64(s.cfg.History)
	t.lost[id] = until
	t.lostList = append(t.lostList, lostRight{id, until})
}

// forgetViews takes an ending session out of everything that it saw, owned or was told of. It hears nothing of it.
func (s *State) forgetViews(t *session) {
	for _, o := range t.grips.objects() {
		g := t.grips.get(o.alias)
		if g.view >= 0 {
			s.takeView(g)
		}
		if o.owner == g {
			o.owner = nil
			s.footing(o)
		}
		s.stays(g)
		t.grips.remove(o.alias)
		o.grips--
		s.untrack(o)
	}
	for i := range t.unacked.len() {
		s.aliases.release(t.unacked.at(i).alias, s.now+int64(s.cfg.AliasRest))
	}
	t.unacked.drop(t.unacked.len())
}

// gripOf is t's grip on the object with that id, nil if it has none.
func (s *State) gripOf(t *session, id do.ID) *grip {
	o := s.objects[id]
	if o == nil {
		return nil
	}
	return t.grips.get(o.alias)
}
