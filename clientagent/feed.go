package clientagent

import (
	"github.com/otpd/otpd/internal/link"
)

// feed is the latest values of a place, told once for all who see its objects, in the order in which they came. A seat
// knows up to where its session was told; the rest is copied when the session is flushed. A newer value of a field
// takes the older one out of the feed: so what a session that is behind has missed is coalesced once for all of them,
// and nothing is booked for each session and value.
//
// An object's values go into the feed of its place while everybody who has a seat there sees the object, which is nearly
// always. Else they are marked at the grips of those who do: see mark.
type feed struct {
	frames  []byte // ClientLatest frames, one behind the other
	values  []fed
	clean   int  // from here on no value is over
	most    int  // of values, before what everybody was told is taken out
	grams   int  // seats whose sessions have datagrams
	waiting bool // in State.fed
}

// fed is one value of a feed.
type fed struct {
	o      *object
	writer *session // who does not need it
	end    uint32   // of its frame
	index  uint8    // of the field in o.latest
	over   bool     // a newer value came, or the object left
}

// start is where the frame of the i-th value begins.
func (f *feed) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return f.values[i-1].end
}

// drop takes a value out of the feed that it is in, if it is in one.
func (f *feed) drop(lf *latestField) {
	if lf.fed > 0 {
		f.values[lf.fed-1].over = true
		f.clean = max(f.clean, lf.fed)
		lf.fed = 0
	}
}

// feedLatest puts the newest value of a latest field into the feed of the place, for all who have a seat there. True: it
// may get lost on its way.
func (s *State) feedLatest(p *place, o *object, i int, writer *session) bool {
	f, lf := &p.feed, &o.latest[i]
	f.drop(lf)
	if len(f.values) >= f.most {
		s.trimFeed(p)
	}
	f.frames = append(f.frames, lf.frame...)
	f.values = append(f.values, fed{o: o, writer: writer, end: uint32(len(f.frames)), index: uint8(i)})
	lf.fed = len(f.values)
	if writer != nil {
		if st := writer.seats[p.loc]; st != nil {
			st.wrote = lf.fed
		}
	}
	if !f.waiting {
		f.waiting = true
		s.fed = append(s.fed, p)
	}
	s.owed += uint64(len(p.seats))
	return f.grams > 0
}

// unfeed takes an object out of the feed of its place. Who still sees it, and was not told of a value, is owed that alone.
func (s *State) unfeed(o *object) {
	p := o.place
	if p == nil {
		return
	}
	for i := range o.latest {
		lf := &o.latest[i]
		if lf.fed == 0 {
			continue
		}
		writer := p.feed.values[lf.fed-1].writer
		for _, g := range o.viewers {
			if st := g.t.seats[p.loc]; g.t != writer && st != nil && st.told < lf.fed {
				s.mark(g, i)
			}
		}
		p.feed.drop(lf)
	}
}

// unfeedUpTo takes out of the feed what was in an entry with that serial, which all who see the object were shown.
func (o *object) unfeedUpTo(serial uint16) {
	for i := range o.latest {
		if lf := &o.latest[i]; lf.fed > 0 && !newer(lf.serial, serial) {
			o.place.feed.drop(lf)
		}
	}
}

// owes reports whether the feed of its place owes g's session a value of g's object.
func (g *grip) owes() bool {
	newest := 0
	for i := range g.o.latest {
		newest = max(newest, g.o.latest[i].fed)
	}
	if newest == 0 || g.t.ended {
		return false
	}
	st := g.t.seats[g.o.place.loc]
	return st != nil && st.told < newest
}

// fed reports whether the feed of its place owes g's session that value of g's object.
func (g *grip) fed(lf *latestField) bool {
	if lf.fed == 0 || g.view < 0 {
		return false
	}
	st := g.t.seats[g.o.place.loc]
	return st != nil && st.told < lf.fed
}

// trimFeed takes out what is over, and what everybody was told.
func (s *State) trimFeed(p *place) {
	f := &p.feed
	told := len(f.values)
	for _, st := range p.seats {
		told = min(told, st.told)
	}
	// moved is how many values before each one stay: where it goes.
	moved := s.moved[:0]
	kept, begin, size := 0, uint32(0), 0
	for i, v := range f.values {
		moved = append(moved, kept)
		frame := f.frames[begin:v.end]
		begin = v.end
		if v.over {
			continue
		}
		lf := &v.o.latest[v.index]
		if i < told {
			lf.fed = 0
			continue
		}
		size += copy(f.frames[size:], frame)
		v.end = uint32(size)
		f.values[kept] = v
		kept++
		lf.fed = kept
	}
	moved = append(moved, kept)
	for _, st := range p.seats {
		st.told, st.wrote = moved[st.told], moved[st.wrote]
	}
	s.moved = moved
	clear(f.values[kept:])
	f.values, f.frames, f.clean = f.values[:kept], f.frames[:size], 0
	f.most = 2*kept + len(p.seats) + s.feedLeast
}

// flushFeeds writes what the feeds owe to some sessions. Those that are behind wait: what is newest then is what they get.
func (s *State) flushFeeds(part *part) {
	keep := s.fed[:0]
	for _, p := range s.fed {
		waits := false
		for _, st := range p.seats {
			switch {
			case st.told == len(p.feed.values):
			case !part.has(st.number) || !s.latestDue(part, st.s):
				waits = true
			default:
				s.writeLatest(st.s) // first what it alone is owed: the feed has the rest
				s.tell(st)
			}
		}
		if waits {
			keep = append(keep, p)
		} else {
			p.feed.waiting = false
			s.trimFeed(p)
		}
	}
	clear(s.fed[len(keep):])
	s.fed = keep
}

// tell writes to a session what it was not told of a feed, but for what it said itself.
func (s *State) tell(st *seat) {
	f, t, n := &st.place.feed, st.s, len(st.place.feed.values)
	i := st.told
	st.told = n
	if i >= f.clean && st.wrote <= i {
		s.appendFed(t, f, i, n)
		return
	}
	for i < n {
		if v := &f.values[i]; v.over || v.writer == t {
			i++
			continue
		}
		first := i
		for i++; i < n && !f.values[i].over && f.values[i].writer != t; i++ {
		}
		s.appendFed(t, f, first, i)
	}
}

// appendFed appends the values from the first to before the last one: to the datagram if all of them have room there, else
// to the stream, which fills packets.
func (s *State) appendFed(t *session, f *feed, first, last int) {
	s.stats.Deliveries += uint64(last - first)
	frames := f.frames[f.start(first):f.values[last-1].end]
	if t.datagrams && len(t.out.Datagrams)+len(frames) <= link.MaxDatagram {
		t.out.gram(frames)
	} else {
		t.out.Stream = append(t.out.Stream, frames...)
		t.sent += uint64(last - first)
	}
	if !t.dirty {
		t.dirty = true
		s.dirty = append(s.dirty, t)
	}
}
