package clientagent

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// requestKind says what a client is waiting for.
type requestKind uint8

const (
	requestNone requestKind = iota
	requestSet
	requestMove
	requestCall
	requestCurrent // the current values of fields, for a refusal
)

// request is something that was forwarded for a client and is not answered yet.
type request struct {
	kind     requestKind
	gen      uint32
	t        *session
	client   uint32 // the client's context, or its call's id
	alias    uint32
	id       do.ID
	deadline int64
	refusal  verdict // of requestCurrent
}

// requests is a table whose indexes, with a generation, are the contexts under which the cluster answers: finding one
// costs no map, and an answer that comes twice finds nothing.
type requests struct {
	slots []request
	free  []uint32
	swept int // how many of slots had their turn in this round
}

// A context is gen<<indexBits | index+1.
const indexBits = 20

// add books a request and returns its context; 0: the table is full.
func (r *requests) add(q request) uint32 {
	var i uint32
	switch n := len(r.free); {
	case n > 0:
		i = r.free[n-1]
		r.free = r.free[:n-1]
	case len(r.slots) < 1<<indexBits-1:
		i = uint32(len(r.slots))
		r.slots = append(r.slots, request{})
	default:
		return 0
	}
	q.gen = (r.slots[i].gen + 1) & (1<<(32-indexBits) - 1)
	r.slots[i] = q
	q.t.requests++
	return q.gen<<indexBits | (i + 1)
}

// take takes the request with that context out of the table, if it is there and of that session.
func (r *requests) take(context uint32, channel do.Channel) (request, bool) {
	i := context&(1<<indexBits-1) - 1
	if int(i) >= len(r.slots) {
		return request{}, false
	}
	q := r.slots[i]
	if q.kind == requestNone || q.gen != context>>indexBits || q.t.channel != channel {
		return request{}, false
	}
	r.slots[i] = request{gen: q.gen}
	r.free = append(r.free, i)
	q.t.requests--
	return q, true
}

// sweepRequests answers what nobody answered in time, and forgets what ended sessions asked: among all while there are
// few, else among some in turn.
func (s *State) sweepRequests() {
	r := &s.requests
	for range sweepShare(len(r.slots)) {
		if r.swept >= len(r.slots) {
			r.swept = 0
		}
		i := r.swept
		r.swept++
		q := &r.slots[i]
		if q.kind == requestNone || !q.t.ended && s.now < q.deadline {
			continue
		}
		taken, _ := r.take(q.gen<<indexBits|uint32(i+1), q.t.channel)
		if !taken.t.ended {
			s.unanswered(&taken)
		}
	}
}

// unanswered tells a client that nobody answered: it may have happened.
func (s *State) unanswered(q *request) {
	s.arrived(q)
	switch q.kind {
	case requestCall:
		s.reply(q.t, &wire.ClientReply{Call: q.client, Code: wire.CodeUnknown, Text: "no answer"})
	case requestCurrent:
		s.refuse(q.t, q.client, q.alias, q.refusal, nil)
	default:
		q.t.unsure = s.now + int64(s.cfg.RequestTimeout)
		s.refuse(q.t, q.client, q.alias, excuse(wire.CodeUnknown, "no answer"), nil)
	}
}

// answeredDone tells a client that its set or move is done.
func (s *State) answeredDone(m *wire.Message, b *wire.Done) {
	s.settleLatest(m, b)
	if b.Latest {
		if t := s.addressed(m.To); t != nil {
			if g := s.gripOf(t, b.DO); g != nil {
				s.ackLatest(t, g.o.alias, b)
			} else if alias, ok := t.hadAlias(b.DO); ok {
				// It left meanwhile. The client still waits, and must not take the answer for one that was lost.
				s.ackLatest(t, alias, b)
			}
		}
		return
	}
	q, ok := s.taken(m, b.Context)
	if !ok {
		s.doneLate(m, b)
	}
	if !ok || q.client == 0 {
		return
	}
	q.t.out.Stream = wire.AppendClientDone(q.t.out.Stream, q.client, b.Version, b.Now)
	q.t.sent++
	s.touch(q.t)
}

// taken takes the request that an answer to a session's channel is for.
func (s *State) taken(m *wire.Message, context uint32) (request, bool) {
	for _, c := range m.To {
		if c.Kind != do.KindSession {
			continue
		}
		if q, ok := s.requests.take(context, c); ok {
			s.arrived(&q)
			return q, !q.t.ended
		}
	}
	return request{}, false
}

// answeredFailed passes a refusal on, or ends an opening.
func (s *State) answeredFailed(m *wire.Message, b *wire.Failed) {
	t := s.addressed(m.To)
	if t == nil {
		if o := s.asks[b.Context]; o != nil && b.Of == wire.TypeAskEntries {
			s.answeredGap(o, &wire.ZoneEntries{Context: b.Context})
			return
		}
		if g := s.groundAsks[b.Context]; g != nil && b.Of == wire.TypeAskEntries {
			s.answeredGround(g, nil)
			return
		}
		s.failedOpening(b)
		return
	}
	if b.Latest {
		s.refuseLatest(t, b)
		s.refusePast(t, b)
		return
	}
	q, ok := s.taken(m, b.Context)
	switch {
	case !ok && b.Of == wire.TypeSetFields: // sent without a context
		if g := s.gripOf(t, b.DO); g != nil {
			s.refuse(t, 0, g.o.alias, excuse(b.Code, b.Text), b)
		}
	case !ok:
	case q.kind == requestCall:
		s.reply(t, &wire.ClientReply{Call: q.client, Code: b.Code, Text: b.Text})
	case q.kind == requestCurrent:
		s.refuse(t, q.client, q.alias, q.refusal, nil)
	default:
		s.refuse(t, q.client, q.alias, excuse(b.Code, b.Text), b)
	}
}

// answeredFields brings the current values for a refusal.
func (s *State) answeredFields(b *wire.GetFieldsResp) {
	i := b.Context&(1<<indexBits-1) - 1
	if int(i) >= len(s.requests.slots) || s.requests.slots[i].t == nil {
		return
	}
	q, ok := s.requests.take(b.Context, s.requests.slots[i].t.channel)
	if !ok || q.t.ended || q.kind != requestCurrent {
		return
	}
	s.refuse(q.t, q.client, q.alias, q.refusal, &wire.Failed{Fields: b.Fields, Now: b.Now})
}

// refuse answers a set or move with what holds instead, as far as that is known.
func (s *State) refuse(t *session, context, alias uint32, v verdict, f *wire.Failed) {
	r := &wire.ClientRefused{Context: context, Alias: alias, Code: v.code, Text: v.text}
	if g := t.grips.get(alias); g != nil {
		r.Location = g.o.location
	}
	if f != nil {
		r.Fields, r.Serial, r.Now = f.Fields, f.Serial, f.Now
	}
	s.send(t, r)
}
