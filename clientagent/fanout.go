package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// encodings are the buffers in which frames for several sessions are encoded, once each.
type encodings struct {
	viewer, owner     []byte // the update at hand, as each audience may hear it
	viewerN, ownerN   int    // frames in them, 0: nothing for that audience
	viewerMap, ownMap fields.MapBuilder
	viewerCut, ownCut cut
	enter             []byte // the last ClientEnter
	entry             *wire.Entry
	entryAlias        uint32
	entryOwned        bool
	entrySeq          uint64
	location          []byte
	latest            []byte // of a latest field that is not coalesced
}

// cut is one audience's part of a set.
type cut struct {
	n      int
	first  fields.Number // the field, when it is one
	value  []byte
	latest bool // there is a latest field among them
}

// update brings a set to who may hear it: viewers get broadcast fields, the owner ownrecv ones as well, each in one
// encoding (rules 54, 63). The writer does not hear its own set, if it has the object in view (rule 93).
func (s *State) update(m *wire.Message, u *wire.Update) {
	if u.Version.IsZero() {
		s.directed(m, u.DO, u.Fields)
		return
	}
	if len(s.grounds) > 0 && slices.ContainsFunc(m.To, func(c do.Channel) bool { return c.Kind == do.KindChildren }) {
		s.groundUpdate(u)
	}
	o := s.objects[u.DO]
	if o == nil {
		return
	}
	if o.hear(m); u.Version.Compare(o.version) <= 0 {
		return
	}
	if s.gap(o, u.Version) {
		s.askEntry(o)
		s.askOwner(o)
		if o.otherLife(u.Version) {
			return
		}
	}
	o.version = u.Version
	s.stats.Updates++
	if o.class == nil {
		if o.class = s.class(o.number); o.class == nil {
			return
		}
	}
	writer := s.sender(m)
	if u.Latest {
		s.updateLatest(o, u, writer)
		return
	}
	s.cutUpdate(o, u)
	s.deliver(o, writer)
	if o.class.Marks().Has(fields.Auto) {
		for _, g := range o.viewers {
			s.autoEntry(g, u.Fields)
		}
	}
}

// deliver appends the encodings to the buffers of the audiences.
func (s *State) deliver(o *object, writer *session) {
	if s.enc.viewerN > 0 {
		var owner *session
		if o.owner != nil {
			owner = o.owner.t
		}
		for _, t := range o.watchers {
			if t != writer && t != owner {
				s.append(t, s.enc.viewer, s.enc.viewerN)
				s.stats.Deliveries++
			}
		}
	}
	if g := o.owner; g != nil && g.t != writer && s.enc.ownerN > 0 {
		s.append(g.t, s.enc.owner, s.enc.ownerN)
		s.stats.Deliveries++
	}
}

// cutUpdate encodes the set for both audiences.
func (s *State) cutUpdate(o *object, u *wire.Update) {
	e := &s.enc
	e.viewerCut, e.ownCut = cut{}, cut{}
	e.viewerMap.Reset()
	e.ownMap.Reset()
	owner := o.owner
	if owner != nil && len(o.viewers) == 0 {
		e.viewerCut = cut{}
	}
	for it := u.Fields.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		if f == nil {
			continue // of a newer schema than ours
		}
		seen := f.Keywords.Has(fields.Broadcast)
		if seen && len(o.viewers) > 0 {
			e.viewerCut.add(&e.viewerMap, f, it.Value())
		}
		if owner != nil && (f.Keywords.Has(fields.OwnRecv) || seen && owner.view >= 0) {
			e.ownCut.add(&e.ownMap, f, it.Value())
		}
	}
	e.viewer, e.viewerN = s.encodeCut(e.viewer[:0], o, u, &e.viewerCut, &e.viewerMap)
	e.owner, e.ownerN = s.encodeCut(e.owner[:0], o, u, &e.ownCut, &e.ownMap)
}

// add adds a field, in order.
func (c *cut) add(b *fields.MapBuilder, f *do.Field, value []byte) {
	if c.n == 0 {
		c.first, c.value = f.Number, value
	}
	c.n++
	c.latest = c.latest || f.Keywords.Has(fields.Latest)
	_ = b.Add(f.Number, value) // ascending, as the map that it comes from
}

// encodeCut encodes one audience's frames. A latest field in a set that is not all latest goes with the set, and once
// more with its serial, so that no older datagram that comes later is taken for newer.
func (s *State) encodeCut(dst []byte, o *object, u *wire.Update, c *cut, b *fields.MapBuilder) ([]byte, int) {
	n := 1
	switch c.n {
	case 0:
		return dst, 0
	case 1:
		dst = wire.AppendClientUpdate(dst, o.alias, c.first, c.value)
	default:
		dst = wire.AppendClientUpdates(dst, o.alias, b.Map())
	}
	if !c.latest {
		return dst, n
	}
	o.serial = u.Serial
	for it := b.Map().Iter(); it.Next(); {
		if f := o.class.Field(it.Number()); f.Keywords.Has(fields.Latest) {
			dst = wire.AppendClientLatest(dst, o.alias, u.Serial, f.Number, it.Value())
			o.supersede(f.Number, u.Serial, it.Value())
			n++
		}
	}
	return dst, n
}

// directed brings fields to the sessions that a message names, without a set having happened: an AI's event to one
// client, or an UberDOG's (rule 171). Who does not know the object does not hear it.
func (s *State) directed(m *wire.Message, id do.ID, set fields.Map) {
	if set.Len() == 0 {
		return
	}
	var alias uint32
	if _, ok := s.uberdogs[id]; ok {
		alias = wire.UberDOGAlias(id)
	}
	for _, t := range s.addressees(m.To) {
		if g := s.gripOf(t, id); g != nil && g.told {
			alias = g.o.alias
		} else if alias < wire.UberDOGAliases {
			continue
		}
		s.send(t, directedFrame(alias, set))
		s.stats.Deliveries++
	}
}

func directedFrame(alias uint32, set fields.Map) wire.Frame {
	if set.Len() > 1 {
		return &wire.ClientUpdates{Alias: alias, Fields: set}
	}
	it := set.Iter()
	it.Next()
	return &wire.ClientUpdate{Alias: alias, Field: it.Number(), Value: it.Value()}
}
