package repository

import (
	"bytes"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// answerable checks that a call that came in can be given to its handler; deadline is 0 for none.
func (s *State) answerable(o *object, n fields.Number, args []byte, deadline int64) (wire.Code, string) {
	if o == nil {
		return wire.CodeNoObject, ""
	}
	f := o.class.Field(n)
	switch {
	case f == nil || f.Kind != do.FieldCall:
		return wire.CodeNoField, n.String()
	case o.acts == nil || !o.acts.Handles(n):
		code := wire.CodeNoAI
		if f.OwnerAnswers() {
			code = wire.CodeNoOwner
		}
		return code, "no handler for " + f.Name
	case deadline != 0 && deadline <= s.now:
		return wire.CodeTimeout, ""
	}
	if err := f.Type.Check(args); err != nil {
		return wire.CodeValue, err.Error()
	}
	return wire.CodeOK, ""
}

// hearCalled runs the handler of a call to the owner of an object; every call has exactly one answer, which follows what
// the handler set.
func (c *Client) hearCalled(f *wire.ClientCalled) {
	in := &incoming{context: f.Call, field: f.Field}
	if f.Timeout > 0 {
		in.deadline = c.now + int64(f.Timeout)*int64(time.Millisecond)
	}
	o := c.byAlias[f.Alias]
	if code, text := c.answerable(o, f.Field, f.Args, in.deadline); code != wire.CodeOK {
		c.answerCall(in, wire.CallReply{Context: f.Call, Code: code, Text: text})
		return
	}
	in.id = o.id
	c.spawn(&activity{o: o, field: o.class.Field(f.Field), arg: bytes.Clone(f.Args), call: in})
}

// answerCall answers a call of the AI's. The answer of a session that ended is the agent's.
func (c *Client) answerCall(in *incoming, r wire.CallReply) {
	if c.failure == nil {
		c.frame(&wire.ClientAnswer{Call: in.context, Code: r.Code, Text: r.Text, Result: r.Result})
	}
}
