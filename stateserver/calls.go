package stateserver

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// callKey names a call: contexts are unique for a caller.
type callKey struct {
	caller  do.Channel
	context uint32
}

// call is one that was forwarded to an object's AI or owner and has no answer yet.
type call struct {
	key      callKey
	object   *object
	asked    *wire.Call
	set      *wire.SetFields // it is a set that the AI reviews; nil: it is a call
	owner    bool            // the owner was asked, not the AI
	deadline int64
	number   uint64 // order of arrival among equal deadlines
	at       int    // its place in the heap
}

// callHeap has the call that ends first on top.
type callHeap struct {
	list   []*call
	number uint64
}

func (h *callHeap) Len() int { return len(h.list) }

func (h *callHeap) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	if c := cmp.Compare(a.deadline, b.deadline); c != 0 {
		return c < 0
	}
	return a.number < b.number
}

func (h *callHeap) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].at, h.list[j].at = i, j
}

// Push is for container/heap.
func (h *callHeap) Push(x any) {
	c := x.(*call)
	c.at = len(h.list)
	h.list = append(h.list, c)
}

// Pop is for container/heap.
func (h *callHeap) Pop() any {
	last := len(h.list) - 1
	c := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return c
}

// call forwards a call to who answers it, the object's AI or its owner, and remembers it until there is an answer: a
// reply in a bundle, the deadline, or the end of the object, or of who was asked as such. A call that is pending already
// has its answer coming.
func (s *State) call(m *wire.Message, b *wire.Call, out *wire.Outbox) error {
	o := s.objects[b.DO]
	if o == nil {
		return s.refuseCall(b, wire.CodeNoObject, "", out)
	}
	f := o.class.Field(b.Field)
	switch {
	case f == nil || f.Kind != do.FieldCall:
		return s.refuseCall(b, wire.CodeNoField, b.Field.String(), out)
	case o.answers(f).IsZero() && f.OwnerAnswers():
		return s.refuseCall(b, wire.CodeNoOwner, "", out)
	case o.answers(f).IsZero():
		return s.refuseCall(b, wire.CodeNoAI, "", out)
	case b.Deadline != 0 && b.Deadline <= s.now:
		return s.refuseCall(b, wire.CodeTimeout, "", out)
	}
	if err := f.Check(b.Args); err != nil {
		return s.refuseCall(b, valueCode(err), f.Name+": "+err.Error(), out)
	}
	key := callKey{b.Caller, b.Context}
	if s.calls[key] != nil {
		return nil
	}
	c := &call{key: key, object: o, asked: b, owner: f.OwnerAnswers(), deadline: b.Deadline, number: s.deadlines.number}
	if c.deadline == 0 {
		c.deadline = s.now + int64(s.cfg.CallTimeout)
	}
	s.deadlines.number++
	s.calls[key] = c
	heap.Push(&s.deadlines, c)
	e := o.more()
	e.calls = append(e.calls, c)
	out.SendTo(o.answers(f), m.From, b)
	return nil
}

// answers is who answers a call of f, none if there is no such channel.
func (o *object) answers(f *do.Field) do.Channel {
	if f.OwnerAnswers() {
		return o.owner()
	}
	return o.ai
}

// refuseCall gives the one answer to a call that is not forwarded.
func (s *State) refuseCall(b *wire.Call, code wire.Code, text string, out *wire.Outbox) error {
	s.counters.Refused++
	out.SendTo(b.Caller, s.speaker(b.DO), &wire.CallReply{Context: b.Context, DO: b.DO, Field: b.Field, Code: code, Text: text})
	return &Refusal{Of: b.Type(), DO: b.DO, Code: code, Text: text}
}

// reply forwards the answer of an AI or owner, unless the call was answered before.
func (s *State) reply(op *wire.Op, out *wire.Outbox) {
	c := s.calls[callKey{op.Caller, op.Reply.Context}]
	if c == nil {
		return
	}
	s.forgetCall(c)
	if c.set != nil {
		s.reviewed(c, op.Reply.Code, op.Reply.Text, out)
		return
	}
	answer := op.Reply
	answer.DO, answer.Field = c.asked.DO, c.asked.Field
	out.SendTo(op.Caller, c.object.channel(), &answer)
}

// end answers a call that who was asked will not answer.
func (s *State) end(c *call, code wire.Code, out *wire.Outbox) {
	s.forgetCall(c)
	if c.set != nil {
		s.reviewed(c, code, "", out)
		return
	}
	out.SendTo(c.key.caller, c.object.channel(), &wire.CallReply{
		Context: c.key.context, DO: c.asked.DO, Field: c.asked.Field, Code: code,
	})
}

func (s *State) forgetCall(c *call) {
	delete(s.calls, c.key)
	heap.Remove(&s.deadlines, c.at)
	e := c.object.extra
	e.calls = slices.DeleteFunc(e.calls, func(o *call) bool { return o == c })
}

// endCalls answers all calls of a deleted object, in the order of their arrival.
func (s *State) endCalls(o *object, out *wire.Outbox) {
	if o.extra == nil {
		return
	}
	for len(o.extra.calls) > 0 {
		s.end(o.extra.calls[0], wire.CodeGone, out)
	}
}

// loseCalls answers the calls that wait for the object's AI, or its owner, which is another now: its AI may have done
// them, the owner is gone.
func (s *State) loseCalls(o *object, owner bool, out *wire.Outbox) {
	if o.extra == nil {
		return
	}
	code := wire.CodeUnknown
	if owner {
		code = wire.CodeGone
	}
	for _, c := range slices.Clone(o.extra.calls) {
		if c.owner == owner {
			s.end(c, code, out)
		}
	}
}

// expireCalls answers calls whose deadline has passed: they may have been done.
func (s *State) expireCalls(out *wire.Outbox) {
	for len(s.deadlines.list) > 0 && s.deadlines.list[0].deadline <= s.now {
		s.end(s.deadlines.list[0], wire.CodeUnknown, out)
	}
}
