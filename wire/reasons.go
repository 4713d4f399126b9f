package wire

import "strconv"

// Reason is the number a client is told when its session ends. The numbers are those of the older OTP servers where
// the reason exists there.
type Reason uint16

// The reasons.
const (
	ReasonFull              Reason = 1
	ReasonLoggedInElsewhere Reason = 100
	ReasonOversized         Reason = 106
	ReasonNoHello           Reason = 107
	ReasonBadType           Reason = 108
	ReasonTruncated         Reason = 109
	ReasonDenied            Reason = 113
	ReasonInterestDenied    Reason = 115
	ReasonNoObject          Reason = 117
	ReasonForbiddenField    Reason = 118
	ReasonForbiddenMove     Reason = 119
	ReasonVersion           Reason = 124
	ReasonSchema            Reason = 125
	ReasonNotReady          Reason = 126
	ReasonConstraint        Reason = 127
	ReasonSessionObject     Reason = 153
	ReasonKicked            Reason = 154
	ReasonShutdown          Reason = 155
	ReasonHeartbeat         Reason = 345
	ReasonSlow              Reason = 346
	ReasonRate              Reason = 347
	ReasonInternal          Reason = 348
)

// Fault says on which side the cause of an eject lies.
type Fault uint8

// Whose fault an eject is.
const (
	FaultNobody Fault = iota // somebody decided so
	FaultClient              // the client's program, or who changed it
	FaultServer
	FaultLink // the network, or a machine that is too slow
)

// String is "nobody", "client", "server" or "link".
func (f Fault) String() string {
	return [...]string{"nobody", "client", "server", "link"}[min(f, FaultLink)]
}

// Advice says what a client should do after an eject.
type Advice uint8

// What a client should do.
const (
	AdviceStay  Advice = iota // do not come back by itself: it would end the same way
	AdviceRetry               // come back after some seconds, later each time
	AdviceSoon                // come back at once
)

// String is "stay away", "retry later" or "reconnect".
func (a Advice) String() string {
	return [...]string{"stay away", "retry later", "reconnect"}[min(a, AdviceSoon)]
}

// ReasonInfo is what a reason means.
type ReasonInfo struct {
	Reason Reason
	Name   string // in one word, as scenarios and metrics write it
	Text   string // for people, without a full stop
	Fault  Fault
	Advice Advice
}

// reasons is every reason, ascending.
var reasons = []ReasonInfo{
	{ReasonFull, "Full", "the server is full", FaultServer, AdviceRetry},
	{ReasonLoggedInElsewhere, "LoggedInElsewhere", "the account logged in elsewhere", FaultNobody, AdviceStay},
	{ReasonOversized, "Oversized", "a frame was too long, or bytes followed its end", FaultClient, AdviceStay},
	{ReasonNoHello, "NoHello", "the first frame was not a hello", FaultClient, AdviceStay},
	{ReasonBadType, "BadType", "a frame that nobody knows, or that the session's state does not allow", FaultClient, AdviceStay},
	{ReasonTruncated, "Truncated", "a frame or a value did not decode", FaultClient, AdviceStay},
	{ReasonDenied, "Denied", "this needs a login", FaultClient, AdviceStay},
	{ReasonInterestDenied, "InterestDenied", "the interest is not allowed", FaultClient, AdviceStay},
	{ReasonNoObject, "NoObject", "an object that the client never knew", FaultClient, AdviceStay},
	{ReasonForbiddenField, "ForbiddenField", "the client may not set the field", FaultClient, AdviceStay},
	{ReasonForbiddenMove, "ForbiddenMove", "the client may not move the object", FaultClient, AdviceStay},
	{ReasonVersion, "Version", "another version of the game is needed", FaultClient, AdviceStay},
	{ReasonSchema, "Schema", "the schema does not fit the server's", FaultClient, AdviceStay},
	{ReasonNotReady, "NotReady", "the server has no schema yet", FaultServer, AdviceRetry},
	{ReasonConstraint, "Constraint", "a value broke a constraint of its field", FaultClient, AdviceStay},
	{ReasonSessionObject, "SessionObject", "an object that the session depends on is gone", FaultNobody, AdviceSoon},
	{ReasonKicked, "Kicked", "the session was ended by the game", FaultNobody, AdviceStay},
	{ReasonShutdown, "Shutdown", "the server is shutting down", FaultServer, AdviceRetry},
	{ReasonHeartbeat, "Heartbeat", "nothing was heard of the client for too long", FaultLink, AdviceSoon},
	{ReasonSlow, "Slow", "the client does not read fast enough", FaultLink, AdviceRetry},
	{ReasonRate, "Rate", "the client sends more than it may", FaultClient, AdviceRetry},
	{ReasonInternal, "Internal", "an error of the server", FaultServer, AdviceRetry},
}

// Info is what r means. An unknown reason is one of a newer server: its number is the text, nobody's fault, and
// the advice is to retry.
func (r Reason) Info() ReasonInfo {
	for _, i := range reasons {
		if i.Reason == r {
			return i
		}
	}
	return ReasonInfo{Reason: r, Name: "Reason" + strconv.Itoa(int(r)), Text: "reason " + strconv.Itoa(int(r)), Advice: AdviceRetry}
}

// Name is the reason in one word, as scenarios and metrics write it: BadType.
func (r Reason) Name() string { return r.Info().Name }

// String is the text of the reason.
func (r Reason) String() string { return r.Info().Text }

// Reasons are all reasons, ascending.
func Reasons() []ReasonInfo { return append([]ReasonInfo(nil), reasons...) }
