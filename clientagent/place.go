package clientagent

import (
	"cmp"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// place is a location that some session covers.
type place struct {
	loc     do.Location
	seats   []*seat   // one for each session that covers it
	objects []*object // what somebody sees here
	ready   bool      // the subscription is acknowledged: from now on nothing is missed
	absent  bool      // its parent was said not to exist, and nothing has entered since: what moves here is in no view
	refresh *opening  // an open repair
	feed    feed      // latest values of the objects
}

// seat is one session at one place.
type seat struct {
	place   *place
	s       *session
	at      int      // its index in place.seats
	handles int      // interests that cover it
	number  uint32   // of the session
	told    int      // so many values of the place's feed
	wrote   int      // up to here in the feed there may be values of its own
	opening *opening // what still loads it; nil: the session has seen all that is here
	late    *opening // what loads it and timed out; what it still brings is shown (rule 114)
}

// sit gives t a seat at l. fresh collects places that have to be subscribed to.
func (s *State) sit(t *session, l do.Location, fresh *[]*place) *seat {
	p := s.places[l]
	if p == nil {
		p = &place{loc: l}
		s.places[l] = p
		*fresh = append(*fresh, p)
	}
	st := &seat{place: p, s: t, at: len(p.seats), number: uint32(t.number), told: len(p.feed.values)}
	if t.datagrams {
		p.feed.grams++
	}
	p.seats = append(p.seats, st)
	t.seats[l] = st
	return st
}

// subscribe asks the director for places, and for the children channels of parents that are new: on these the
// agent hears that a parent was deleted (rule 123). ChannelsAdded makes the places ready.
func (s *State) subscribe(fresh []*place) {
	if len(fresh) == 0 {
		return
	}
	channels := make([]do.Channel, 0, len(fresh)+1)
	for _, p := range fresh {
		channels = append(channels, do.At(p.loc))
		if s.parents[p.loc.Parent]++; s.parents[p.loc.Parent] == 1 {
			channels = append(channels, do.Children(p.loc.Parent))
		}
	}
	c := s.context()
	s.waiting[c] = fresh
	s.control(&wire.AddChannels{Context: c, Channels: channels})
}

// channelsAdded makes places ready, and lets the openings that waited for them ask.
func (s *State) channelsAdded(b *wire.ChannelsAdded) {
	if g := s.groundSubs[b.Context]; g != nil {
		delete(s.groundSubs, b.Context)
		if s.grounds[g.parent] == g {
			s.askGround(g)
		}
	}
	fresh := s.waiting[b.Context]
	delete(s.waiting, b.Context)
	for _, p := range fresh {
		if s.places[p.loc] != p {
			continue // closed meanwhile
		}
		p.ready = true
		for _, st := range p.seats {
			if op := cmp.Or(st.opening, st.late); op != nil && !op.asked {
				if op.unready--; op.unready == 0 {
					s.ask(op)
				}
			}
		}
	}
}

// close takes seats from a session: what it sees there leaves its view, and places that nobody covers any more are
// unsubscribed. A session object among what would leave ends the session before anything is removed (rule 119);
// false: that is the case.
func (s *State) close(t *session, seats []*seat, reason wire.LeaveReason) bool {
	if len(t.objects) > 0 && !t.ended && s.closesObject(t, seats) {
		s.eject(t, wire.ReasonSessionObject, "the interest with a session object was closed")
		return false
	}
	if len(seats) > 0 {
		t.loading.again()
	}
	var silent []do.Channel
	for _, st := range seats {
		st.told = len(st.place.feed.values) // nothing more
		for _, o := range slices.Clone(st.place.objects) {
			if g := t.grips.get(o.alias); g != nil && g.view >= 0 {
				s.leave(g, reason)
			}
		}
		silent = s.stand(t, st, silent)
	}
	if len(silent) > 0 {
		s.control(&wire.RemoveChannels{Channels: silent})
	}
	return true
}

// closesObject reports whether one of t's session objects, which it does not own, is seen from some seats.
func (s *State) closesObject(t *session, seats []*seat) bool {
	for _, st := range seats {
		for _, o := range st.place.objects {
			g := t.grips.get(o.alias)
			if g != nil && g.view >= 0 && !g.owned && slices.Contains(t.objects, o.id) {
				return true
			}
		}
	}
	return false
}

// stand takes one seat away, and appends the channels that nobody needs any more.
func (s *State) stand(t *session, st *seat, silent []do.Channel) []do.Channel {
	p := st.place
	delete(t.seats, p.loc)
	if t.datagrams {
		p.feed.grams--
	}
	last := len(p.seats) - 1
	p.seats[st.at] = p.seats[last]
	p.seats[st.at].at = st.at
	p.seats[last] = nil
	p.seats = p.seats[:last]
	if st.opening != nil || st.late != nil {
		s.strike(st)
	}
	if last > 0 {
		return silent
	}
	delete(s.places, p.loc)
	if p.refresh != nil {
		s.dropOpening(p.refresh)
	}
	silent = append(silent, do.At(p.loc))
	if s.parents[p.loc.Parent]--; s.parents[p.loc.Parent] == 0 {
		delete(s.parents, p.loc.Parent)
		silent = append(silent, do.Children(p.loc.Parent))
	}
	return silent
}

// sortedKeys is the keys of m in order: maps are never ranged over where order can reach the outbox.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
