package clientagent

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// latestField is the newest value of one latest field of an object that is watched.
type latestField struct {
	number fields.Number
	serial uint16
	at     int64    // when it came
	frame  []byte   // ClientLatest, the same for all
	writer *session // who does not need it
	fed    int      // its place among the values of the feed of o.place, from 1 on; 0: not there
	queued bool     // in State.repeats
	over   bool     // of a life that is over: there is no value
	whole  bool     // it came with a set that went whole, on the streams, to all who hear of it
}

// latestRef is a latest field that a session is owed. What is written is its newest value then.
type latestRef struct {
	g     *grip
	index uint8
}

// repeat is a latest field that may have to be repeated on streams.
type repeat struct {
	o     *object
	index uint8
	due   int64
}

// maxLatest is how many latest fields of one object are coalesced; more of them go on the stream as they come.
const maxLatest = 64

// newer compares serials in serial arithmetic (RFC 1982): is a after b?
func newer(a, b uint16) bool { return int16(a-b) > 0 }

// updateLatest marks the fields of a latest set for everybody who may hear them.
func (s *State) updateLatest(o *object, u *wire.Update, writer *session) {
	o.serial = u.Serial
	for it := u.Fields.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		if f == nil {
			continue
		}
		if o.crowded(f.Number) {
			s.streamLatest(o, f, u.Serial, it.Value(), writer)
			continue
		}
		i, ok := o.setLatest(f.Number, u.Serial, it.Value())
		if !ok {
			continue
		}
		lf := &o.latest[i]
		lf.at, lf.writer = s.now, writer
		lost := false
		if f.Keywords.Has(fields.Broadcast) {
			lost = s.broadcastLatest(o, i, writer)
		}
		if g := o.ownerBeyond(f, writer); g != nil {
			lost = s.mark(g, i) || lost
		}
		if lost && !lf.queued {
			lf.queued = true
			s.repeats = append(s.repeats, repeat{o, uint8(i), s.now + int64(s.cfg.Repeat)})
		}
	}
}

// broadcastLatest tells the newest value of a latest field to all who see the object. True: it may get lost on its way.
func (s *State) broadcastLatest(o *object, i int, writer *session) (lost bool) {
	p := o.place
	if p == nil {
		return false
	}
	if len(o.viewers) == len(p.seats) { // who sees it has a seat: so everybody there does
		return s.feedLatest(p, o, i, writer)
	}
	p.feed.drop(&o.latest[i])
	for _, g := range o.viewers {
		if g.t != writer {
			lost = s.mark(g, i) || lost
		}
	}
	return lost
}

// ownerBeyond is the owner if it hears a value of f other than as a viewer.
func (o *object) ownerBeyond(f *do.Field, writer *session) *grip {
	g := o.owner
	if g == nil || g.t == writer || !f.Keywords.Has(fields.OwnRecv) || g.view >= 0 && f.Keywords.Has(fields.Broadcast) {
		return nil
	}
	return g
}

// crowded reports whether a field has no room among those that are coalesced.
func (o *object) crowded(n fields.Number) bool {
	return len(o.latest) == maxLatest && o.latestIndex(n) < 0
}

// streamLatest sends a value of a field that is not coalesced to the streams of all who hear it.
func (s *State) streamLatest(o *object, f *do.Field, serial uint16, value []byte, writer *session) {
	s.enc.latest = wire.AppendClientLatest(s.enc.latest[:0], o.alias, serial, f.Number, value)
	if f.Keywords.Has(fields.Broadcast) {
		for _, g := range o.viewers {
			if g.t != writer {
				s.append(g.t, s.enc.latest, 1)
				s.stats.Deliveries++
			}
		}
	}
	if g := o.ownerBeyond(f, writer); g != nil {
		s.append(g.t, s.enc.latest, 1)
		s.stats.Deliveries++
	}
}

// setLatest keeps a value if it is newer than what there is. There is room for it: see crowded.
func (o *object) setLatest(n fields.Number, serial uint16, value []byte) (index int, ok bool) {
	i := o.latestIndex(n)
	if i < 0 {
		i = len(o.latest)
		o.latest = append(o.latest, latestField{number: n})
	} else if lf := &o.latest[i]; !lf.over && !newer(serial, lf.serial) {
		return 0, false
	}
	lf := &o.latest[i]
	lf.serial, lf.over, lf.whole = serial, false, false
	lf.frame = wire.AppendClientLatest(lf.frame[:0], o.alias, serial, n, value)
	return i, true
}

// outlive forgets what was known of a life of the object that is over: versions and serials of its next one begin anew.
func (o *object) outlive() {
	o.version, o.serial = do.Version{}, 0
	for i := range o.latest {
		lf := &o.latest[i]
		lf.frame, lf.writer, lf.over = lf.frame[:0], nil, true
	}
}

// supersede lets a value that went another way take the place of what is still pending.
func (o *object) supersede(n fields.Number, serial uint16, value []byte) {
	if o.latestIndex(n) < 0 {
		return
	}
	i, ok := o.setLatest(n, serial, value)
	if !ok {
		return
	}
	o.latest[i].whole = true
	if o.place != nil {
		o.place.feed.drop(&o.latest[i])
	}
}

func (o *object) latestIndex(n fields.Number) int {
	for i := range o.latest {
		if o.latest[i].number == n {
			return i
		}
	}
	return -1
}

// mark books a value for one session. True: it may get lost on its way.
func (s *State) mark(g *grip, i int) bool {
	if g.marks&(1<<i) == 0 {
		g.marks |= 1 << i
		g.t.latest = append(g.t.latest, latestRef{g, uint8(i)})
		s.touch(g.t)
	}
	return g.t.datagrams
}

// unmark takes back what is booked for one session and was in an entry that it is shown, with that serial.
func (g *grip) unmark(serial uint16) {
	for i := 0; g.marks>>i != 0; i++ {
		lf := &g.o.latest[i]
		if f := g.o.class.Field(lf.number); f != nil && f.Keywords.Has(fields.Broadcast) && !newer(lf.serial, serial) {
			g.marks &^= 1 << i
		}
	}
}

// repeatLatest repeats on the streams what nothing superseded for a while: the last datagram may have been lost.
// There is one entry for each field, so what is always superseded costs one look in that time.
func (s *State) repeatLatest() {
	n, again := 0, len(s.repeats)
	for ; n < again && s.repeats[n].due <= s.now; n++ {
		r := s.repeats[n]
		lf := &r.o.latest[r.index]
		if due := lf.at + int64(s.cfg.Repeat); due > s.now {
			s.repeats = append(s.repeats, repeat{r.o, r.index, due})
			continue
		}
		lf.queued = false
		s.repeatOne(r.o, int(r.index))
	}
	s.repeats = append(s.repeats[:0], s.repeats[n:]...)
}

// repeatOne sends one value to those who may have missed it.
func (s *State) repeatOne(o *object, i int) {
	lf := &o.latest[i]
	if s.objects[o.id] != o || o.class == nil || lf.over {
		return
	}
	f := o.class.Field(lf.number)
	if f != nil && f.Keywords.Has(fields.Broadcast) {
		for _, g := range o.viewers {
			s.repeatTo(g, i)
		}
	} else if o.owner != nil {
		s.repeatTo(o.owner, i)
	}
}

// repeatTo repeats a value on one stream. A session that is behind gets it when it is not any more: its stream would only
// grow.
func (s *State) repeatTo(g *grip, i int) {
	lf := &g.o.latest[i]
	if !g.t.datagrams || g.t == lf.writer {
		return
	}
	s.stats.Repeats++
	if g.t.pending > s.cfg.Behind {
		s.mark(g, i)
		g.sure |= 1 << i
		return
	}
	s.append(g.t, lf.frame, 1)
}
