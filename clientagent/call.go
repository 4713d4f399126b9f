package clientagent

import (
	"github.com/otpd/otpd/wire"
)

// callMemory is a session's calls: those under way, and the last answers, so that a repeated id is answered again and
// the call is not made twice.
type callMemory struct {
	known    map[uint32]*wire.ClientReply // nil: under way
	answered []uint32                     // by age
	bytes    int                          // of these
}

// rememberedCalls is how many answers are kept, as far as they have no more than rememberedBytes together.
const (
	rememberedCalls = 256
	rememberedBytes = 64 << 10
)

// clientCall forwards a call to the object's AI, by its State, or to an UberDOG. It is answered exactly once, and by
// the agent itself a second after the deadline if nobody did.
func (s *State) clientCall(t *session, f *wire.ClientCall) {
	if reply, ok := t.calls.known[f.Call]; ok {
		if reply != nil {
			s.send(t, reply)
		}
		return
	}
	to, v := s.resolve(t, f.Ref)
	if v.ok() {
		v = s.guard(t, func() verdict {
			if v := s.allowed(t, &to); !v.ok() {
				return v
			}
			return s.checkField(t, &to, f.Field, f.Args, true)
		})
	}
	switch {
	case v.reason != 0:
		s.eject(t, v.reason, v.text)
		return
	case v.code != 0:
		s.reply(t, &wire.ClientReply{Call: f.Call, Code: v.code, Text: v.text})
		return
	case t.requests >= s.cfg.MaxRequests:
		s.reply(t, &wire.ClientReply{Call: f.Call, Code: wire.CodeOverload, Text: "too many unanswered requests"})
		return
	}
	deadline := s.now + s.callTime(f.Timeout)
	context := s.requests.add(request{kind: requestCall, t: t, client: f.Call, alias: to.alias, id: to.id, deadline: deadline + callGrace})
	if context == 0 {
		s.reply(t, &wire.ClientReply{Call: f.Call, Code: wire.CodeOverload, Text: "the agent has too many requests"})
		return
	}
	t.calls.begin(f.Call)
	s.stats.Calls++
	s.out.SendTo(to.channel(), t.channel, &wire.Call{
		Context: context, Caller: t.channel, Account: t.account, DO: to.id, Field: f.Field, Args: f.Args, Deadline: deadline,
	})
}

// callGrace is how long after its deadline the agent answers a call that nobody answered, nanoseconds.
const callGrace = int64(1e9)

// callTime is how long a call may take, nanoseconds; the client says milliseconds.
func (s *State) callTime(ms uint32) int64 {
	longest := int64(s.cfg.CallTimeout)
	if d := int64(ms) * 1e6; d > 0 && d < longest {
		return d
	}
	return longest
}

// answeredCall passes an answer on, the first.
func (s *State) answeredCall(m *wire.Message, b *wire.CallReply) {
	if q, ok := s.taken(m, b.Context); ok && q.kind == requestCall {
		s.reply(q.t, &wire.ClientReply{Call: q.client, Code: b.Code, Text: b.Text, Result: b.Result})
	}
}

// reply answers a call, and remembers it.
func (s *State) reply(t *session, r *wire.ClientReply) {
	t.calls.end(r)
	s.send(t, r)
}

func (c *callMemory) begin(id uint32) {
	if c.known == nil {
		c.known = map[uint32]*wire.ClientReply{}
	}
	c.known[id] = nil
}

func (c *callMemory) end(r *wire.ClientReply) {
	if c.known == nil {
		c.known = map[uint32]*wire.ClientReply{}
	}
	c.known[r.Call] = r
	c.answered = append(c.answered, r.Call)
	c.bytes += replySize(r)
	for len(c.answered) > rememberedCalls || c.bytes > rememberedBytes {
		c.bytes -= replySize(c.known[c.answered[0]])
		delete(c.known, c.answered[0])
		c.answered = c.answered[1:]
	}
}

// replySize is about how many bytes an answer holds.
func replySize(r *wire.ClientReply) int { return len(r.Text) + len(r.Result) }
