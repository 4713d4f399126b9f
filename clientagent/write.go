package clientagent

import (
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// clientSet forwards a set (rule 88). What the client may not do since a moment ago is answered with what holds (rule 105).
func (s *State) clientSet(t *session, f *wire.ClientSet) {
	to, v := s.resolve(t, f.Ref)
	if v.ok() {
		v = s.guard(t, func() verdict {
			if v := s.allowed(t, &to); !v.ok() {
				return v
			}
			if v := s.checkSet(t, &to, f.Fields); !v.ok() {
				return v
			}
			return s.checkStand(&to, f.Fields)
		})
	}
	if !v.ok() {
		s.refuseFrame(t, &to, f.Context, v, f.Fields)
		return
	}
	body := s.slab.set()
	*body = wire.SetFields{DO: to.id, Fields: f.Fields}
	if to.uberdog {
		// An UberDOG keeps no state: there is nothing to acknowledge but that it is on its way.
		s.out.SendTo(to.channel(), t.channel, body)
		if f.Context != 0 {
			s.send(t, &wire.ClientDone{Context: f.Context})
		}
		return
	}
	if f.Context != 0 {
		if body.Context = s.request(t, requestSet, f.Context, &to); body.Context == 0 {
			return
		}
	}
	s.out.SendTo(to.channel(), t.channel, body)
}

// request books what is forwarded for a client; 0: it has too much under way, and was told so.
func (s *State) request(t *session, kind requestKind, client uint32, to *target) uint32 {
	context := uint32(0)
	if t.requests < s.cfg.MaxRequests {
		context = s.requests.add(request{
			kind: kind, t: t, client: client, alias: to.alias, id: to.id, deadline: s.now + int64(s.cfg.RequestTimeout),
		})
	}
	if context == 0 {
		s.refuse(t, client, to.alias, excuse(wire.CodeOverload, "too many unanswered requests"), nil)
	}
	return context
}

// refuseFrame ends the session, or refuses a set and answers it with the current values of its fields. Of an object
// that left its view the client has no values that could differ.
func (s *State) refuseFrame(t *session, to *target, context uint32, v verdict, set fields.Map) {
	if v.reason != 0 {
		s.eject(t, v.reason, v.text)
		return
	}
	s.stats.Refused++
	wanted := s.visible(to, set)
	if len(wanted) == 0 || t.requests >= s.cfg.MaxRequests {
		s.refuse(t, context, to.alias, v, nil)
		return
	}
	q := s.requests.add(request{
		kind: requestCurrent, t: t, client: context, alias: to.alias, id: to.id, refusal: v,
		deadline: s.now + int64(s.cfg.OpeningTimeout),
	})
	if q == 0 {
		s.refuse(t, context, to.alias, v, nil)
		return
	}
	s.out.SendTo(to.channel(), t.channel, &wire.GetFields{Context: q, DO: to.id, Fields: wanted})
}

// visible is those fields of a set that have a value that the client may know.
func (s *State) visible(to *target, set fields.Map) []fields.Number {
	if to.g == nil || !to.g.holds() || to.class == nil {
		return nil
	}
	var numbers []fields.Number
	for it := set.Iter(); it.Next(); {
		f := to.class.Field(it.Number())
		if f == nil || !f.Stored() {
			continue
		}
		if f.Keywords.Any(fields.Broadcast|fields.ClRecv) || f.Keywords.Has(fields.OwnRecv) && to.g.owned {
			numbers = append(numbers, f.Number)
		}
	}
	return numbers
}

// clientSetLatest forwards one latest value. Stale ones, which a newer one overtook, are dropped: the acknowledgement
// of the newer covers them. A datagram may be about an object that left, or has not entered as far as the client knew: dropped.
func (s *State) clientSetLatest(t *session, f *wire.ClientSetLatest, datagram bool) {
	to, v := s.resolve(t, f.Ref)
	if datagram && !v.ok() {
		s.stats.DatagramsDropped++
		return
	}
	if v.ok() {
		v = s.guard(t, func() verdict { return s.checkLatest(t, &to, f) })
	}
	if v.reason != 0 {
		s.eject(t, v.reason, v.text)
		return
	}
	if v.code != 0 {
		if v.code == wire.CodeRate && to.g != nil {
			to.g.field(f.Field).overtake(f.Serial)
		}
		s.refuseSerial(t, &to, f.Serial, v)
		return
	}
	if to.uberdog {
		s.eject(t, wire.ReasonForbiddenField, "an UberDOG has no latest fields")
		return
	}
	in := to.g.field(f.Field)
	if in.hasSerial && !newer(f.Serial, in.serial) {
		s.stats.DatagramsDropped++
		return
	}
	// Only now: one that was overtaken may have been true where the object was before.
	if v := s.checkStandAt(&to, f.Field, f.Value); !v.ok() {
		in.overtake(f.Serial)
		s.refuseSerial(t, &to, f.Serial, v)
		return
	}
	in.hasSerial, in.serial, in.acked = true, f.Serial, false
	body := s.slab.set()
	*body = wire.SetFields{Context: latestContext, DO: to.id, Fields: s.slab.oneField(f.Field, f.Value), Serial: f.Serial, Latest: true}
	s.out.SendTo(to.channel(), t.channel, body)
}

// refuseSerial refuses a latest set that went nowhere.
func (s *State) refuseSerial(t *session, to *target, serial uint16, v verdict) {
	s.stats.Refused++
	s.send(t, &wire.ClientRefused{Alias: to.alias, Serial: serial, Code: v.code, Text: v.text})
}

// latestContext is the context of all latest sets: their answers are told by object and serial.
const latestContext = 1

// checkLatest is rule 88 for a latest set.
func (s *State) checkLatest(t *session, to *target, f *wire.ClientSetLatest) verdict {
	if v := s.allowed(t, to); !v.ok() {
		return v
	}
	if c := to.class.Field(f.Field); c != nil && !c.Keywords.Has(fields.Latest) {
		return fault(wire.ReasonForbiddenField, "%s is no latest field", c)
	}
	return s.checkField(t, to, f.Field, f.Value, false)
}

// refuseLatest passes the refusal of a latest set on.
func (s *State) refuseLatest(t *session, b *wire.Failed) {
	if g := s.gripOf(t, b.DO); g != nil {
		s.send(t, &wire.ClientRefused{Alias: g.o.alias, Serial: b.Serial, Code: b.Code, Text: b.Text, Location: g.o.location, Fields: b.Fields, Now: b.Now})
	}
}

// clientMove moves an owned object, with what is set along, as one bundle (rules 94, 169).
func (s *State) clientMove(t *session, f *wire.ClientMove) {
	to, v := s.resolve(t, f.Ref)
	if v.ok() {
		v = s.guard(t, func() verdict { return s.checkMove(t, &to, f) })
	}
	if !v.ok() {
		s.refuseFrame(t, &to, f.Context, v, f.Fields)
		return
	}
	body := &wire.Bundle{DO: to.id, Ops: []wire.Op{{Kind: wire.OpMove, DO: to.id, Location: f.Location}}}
	if f.Fields.Len() > 0 {
		body.Ops = append(body.Ops, wire.Op{Kind: wire.OpSet, DO: to.id, Fields: f.Fields})
	}
	// A bundle is always answered, so that a refused move is known here even if the client did not ask.
	if body.Context = s.request(t, requestMove, f.Context, &to); body.Context == 0 {
		return
	}
	s.heads(to.g, f.Location)
	s.out.SendTo(to.channel(), t.channel, body)
}

// checkMove is rule 94, then rule 88 for the fields.
func (s *State) checkMove(t *session, to *target, f *wire.ClientMove) verdict {
	if v := s.allowed(t, to); !v.ok() {
		return v
	}
	switch {
	case s.cfg.NoRelocate:
		return fault(wire.ReasonForbiddenMove, "clients may not move objects")
	case to.g == nil || !to.g.owned:
		if t.lost[to.id] > s.now {
			return excuse(wire.CodeDenied, "it is no more owned")
		}
		return fault(wire.ReasonForbiddenMove, "%s is not owned", to.id)
	case f.Location.IsZero() || f.Location.Parent == to.id:
		return fault(wire.ReasonForbiddenMove, "%s cannot move to %s", to.id, f.Location)
	}
	if v := s.checkSet(t, to, f.Fields); !v.ok() {
		return v
	}
	return s.checkWay(to, f.Location, f.Fields)
}

// slab gives bodies and bytes of forwarded sets out of larger pieces. What was given is the receiver's; a new piece
// is begun when one is used up.
type slab struct {
	sets  []wire.SetFields
	bytes []byte
}

const (
	slabSets  = 64
	slabBytes = 4 << 10
)

// set is a zeroed SetFields.
func (s *slab) set() *wire.SetFields {
	if len(s.sets) == cap(s.sets) {
		s.sets = make([]wire.SetFields, 0, slabSets)
	}
	s.sets = append(s.sets, wire.SetFields{})
	return &s.sets[len(s.sets)-1]
}

// oneField is the map of one field, copied.
func (s *slab) oneField(n fields.Number, value []byte) fields.Map {
	need := len(value) + 8
	if cap(s.bytes)-len(s.bytes) < need {
		s.bytes = make([]byte, 0, max(slabBytes, need))
	}
	at := len(s.bytes)
	s.bytes = fields.AppendMapHeader(s.bytes, 1)
	s.bytes = fields.AppendUint(s.bytes, uint64(n))
	s.bytes = append(s.bytes, value...)
	return fields.Map(s.bytes[at:len(s.bytes):len(s.bytes)])
}
