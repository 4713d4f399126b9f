package stateserver

import (
	"container/heap"

	"github.com/otpd/otpd/wire"
)

// review gives a set that has a field with review in it to the object's AI, whole, moleculars as their parts, with the
// writer as its sender. The AI cleans and validates it, sets what it makes of it, and answers with an OpReply behind that,
// as it answers a call: the writer gets exactly one answer, from here, behind the Update. If the AI is lost, or too slow,
// that says so. A set without a context has no answer but the AI's refusal.
func (s *State) review(m *wire.Message, b *wire.SetFields, o *object, out *wire.Outbox) error {
	if o.ai.IsZero() {
		return s.refuseSet(m, b, o, wire.CodeNoAI, "", out)
	}
	if key := (callKey{m.From, b.Context}); b.Context != 0 {
		if s.calls[key] != nil {
			return s.refuseSet(m, b, o, wire.CodeOverload, "the context is in use", out)
		}
		c := &call{
			key: key, object: o, asked: &wire.Call{DO: b.DO}, set: b,
			deadline: s.now + int64(s.cfg.CallTimeout), number: s.deadlines.number,
		}
		s.deadlines.number++
		s.calls[key] = c
		heap.Push(&s.deadlines, c)
		e := o.more()
		e.calls = append(e.calls, c)
	}
	out.SendTo(o.ai, m.From, &wire.SetFields{Context: b.Context, DO: b.DO, Fields: o.class.parts(b.Fields)})
	return nil
}

// reviewed answers the writer of a set that was reviewed: of a durable one, when it is in the database. A refusal tells the
// current values.
func (s *State) reviewed(c *call, code wire.Code, text string, out *wire.Outbox) {
	m := &wire.Message{From: c.key.caller}
	switch {
	case code == wire.CodeOK && c.set.Durable:
		r := request{from: m.From, context: c.set.Context, of: c.set.Type(), id: c.set.DO}
		s.await(&waiter{request: r, version: c.object.version()}, out, c.object.writer())
		return
	case code == wire.CodeOK:
		s.doneSet(m, c.set, c.object, out)
		return
	}
	_ = s.refuseSet(m, c.set, c.object, code, text, out)
}
