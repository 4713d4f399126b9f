package messagedirector

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// Nobody is the answer to a message that no participant listens to, where it is owed one at once: a request to a session, or
// to the sessions of an account. An agent listens as long as the session lives, and who asks about one that has just ended would
// wait for its deadline. All other requests go to channels where somebody listens, or will again.
func Nobody(m *wire.Message) (answer wire.Message, ok bool) {
	if len(m.To) != 1 || m.To[0].Kind != do.KindSession && m.To[0].Kind != do.KindAccount || m.From.IsZero() {
		return answer, false
	}
	context := wire.SessionRequest(m.Body)
	if context == 0 {
		return answer, false
	}
	return wire.Message{
		To: []do.Channel{m.From}, From: do.Control(do.RoleDirector),
		Body: &wire.Failed{Context: context, Of: m.Body.Type(), Code: wire.CodeGone, Text: "no such session"},
	}, true
}
