package clientagent

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// calledMemory is the calls to objects that a session owns. A session counts its calls, so that an answer that comes too
// late differs from one to a call that never was.
type calledMemory struct {
	last uint32
	open []called // unanswered, ascending by id
}

// called is a call that a client has not answered.
type called struct {
	id       uint32 // in the session
	context  uint32 // the caller's
	caller   do.Channel
	do       do.ID
	field    *do.Field
	deadline int64 // after it the State has answered
}

// called passes a call on to the owner of an object. Its State waits for the answer until the deadline.
func (s *State) called(m *wire.Message, b *wire.Call) {
	t := s.addressed(m.To)
	if t == nil {
		return
	}
	c := called{context: b.Context, caller: b.Caller, do: b.DO, deadline: b.Deadline}
	if c.deadline == 0 {
		c.deadline = s.now + int64(s.cfg.CallTimeout)
	}
	g := s.gripOf(t, b.DO)
	if g != nil && g.o.class == nil {
		g.o.class = s.class(g.o.number)
	}
	switch {
	case g == nil || !g.owned:
		s.answerCalled(t, &c, wire.CallReply{Field: b.Field, Code: wire.CodeNoOwner, Text: "the session does not own it"})
		return
	case g.o.class == nil:
		s.answerCalled(t, &c, wire.CallReply{Field: b.Field, Code: wire.CodeNoClass, Text: "the agent does not know the class yet"})
		return
	case len(t.called.open) >= s.cfg.MaxRequests:
		s.answerCalled(t, &c, wire.CallReply{Field: b.Field, Code: wire.CodeOverload, Text: "too many unanswered calls"})
		return
	}
	if c.field = g.o.class.Field(b.Field); c.field == nil || !c.field.OwnerAnswers() {
		s.answerCalled(t, &c, wire.CallReply{Field: b.Field, Code: wire.CodeNoField, Text: b.Field.String()})
		return
	}
	t.called.last++
	c.id = t.called.last
	t.called.open = append(t.called.open, c)
	s.send(t, &wire.ClientCalled{Call: c.id, Alias: g.o.alias, Field: b.Field, Timeout: s.timeLeft(b.Deadline), Args: b.Args})
}

// timeLeft is how many milliseconds remain until a deadline, at least 1; 0 without one.
func (s *State) timeLeft(deadline int64) uint32 {
	if deadline == 0 {
		return 0
	}
	return uint32(min(max(1, (deadline-s.now)/1e6), 1<<31))
}

// clientAnswer passes an answer on, once. A result that is none of the field's type ends the session, and is an error
// for the caller.
func (s *State) clientAnswer(t *session, f *wire.ClientAnswer) {
	i := slices.IndexFunc(t.called.open, func(c called) bool { return c.id == f.Call })
	if i < 0 {
		if f.Call == 0 || f.Call > t.called.last {
			s.eject(t, wire.ReasonBadType, "an answer to a call that never was")
		}
		return
	}
	c := t.called.open[i]
	t.called.open = slices.Delete(t.called.open, i, i+1)
	r := wire.CallReply{Field: c.field.Number, Code: f.Code, Text: f.Text}
	if f.Code == wire.CodeOK {
		v := s.guard(t, func() verdict { return checkResult(c.field, f.Result) })
		if !v.ok() {
			s.answerCalled(t, &c, wire.CallReply{Field: c.field.Number, Code: wire.CodeValue, Text: v.text})
			s.eject(t, v.reason, v.text)
			return
		}
		r.Text, r.Result = "", f.Result
	}
	s.answerCalled(t, &c, r)
}

// checkResult checks a call's result as rule 88 does a field's value.
func checkResult(f *do.Field, result []byte) verdict {
	if err := f.Reply.Check(result); err != nil {
		return fault(valueReason(err), "result of %s: %v", f, err)
	}
	return verdict{}
}

// answerCalled gives the answer of a call to the object's State, which knows whether it is the first.
func (s *State) answerCalled(t *session, c *called, r wire.CallReply) {
	r.Context, r.DO = c.context, c.do
	s.out.SendTo(do.ObjectChannel(c.do), t.channel, &wire.Bundle{
		DO: c.do, Ops: []wire.Op{{Kind: wire.OpReply, DO: c.do, Reply: r, Caller: c.caller}},
	})
}

// abandonCalled answers for a session that ends.
func (s *State) abandonCalled(t *session) {
	for i := range t.called.open {
		c := &t.called.open[i]
		s.answerCalled(t, c, wire.CallReply{Field: c.field.Number, Code: wire.CodeGone, Text: "the owner's session ended"})
	}
	t.called.open = nil
}

// forgetCalled drops the calls that their States have answered.
func (s *State) forgetCalled(t *session) {
	t.called.open = slices.DeleteFunc(t.called.open, func(c called) bool { return c.deadline+callGrace <= s.now })
}
