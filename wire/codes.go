package wire

import "strconv"

// Code says why a request failed. It is an error, so that errors.Is finds it in an Error.
type Code uint16

// The codes of Failed, CallReply and the client's refusals.
const (
	CodeOK             Code = 0
	CodeNoObject       Code = 1
	CodeExists         Code = 2
	CodeNoClass        Code = 3
	CodeNoField        Code = 4
	CodeValue          Code = 5 // does not decode as its type
	CodeConstraint     Code = 6
	CodeUnset          Code = 7
	CodeRequired       Code = 8 // a required field is missing, or cannot be removed
	CodeCycle          Code = 9
	CodeOtherPartition Code = 10
	CodeDenied         Code = 11
	CodeUnique         Code = 12
	CodeConflict       Code = 13 // if-equals, if-empty, row version
	CodeEpoch          Code = 14 // a newer owner exists
	CodeAway           Code = 15 // the database is away
	CodeTimeout        Code = 16 // the deadline passed before anything was done
	CodeGone           Code = 17 // the object, or the owner who was called, went before it answered
	CodeUnknown        Code = 18 // outcome unknown: it may have happened
	CodeNotReady       Code = 19 // no schema yet, or starting: retry
	CodeSchema         Code = 20 // incompatible; Text has the first difference
	CodeOverload       Code = 21
	CodeHandler        Code = 22 // a game's own error; Text is the game's
	CodeNoAI           Code = 23 // nobody to call
	CodeLinkLost       Code = 24
	CodeMalformed      Code = 25
	CodeActive         Code = 26 // ACTIVATE of an active object (rule 128)
	CodeNotDB          Code = 27
	CodeNoParent       Code = 28 // the parent of a query does not exist (rule 83)
	CodeRate           Code = 29
	CodeClosed         Code = 30
	CodeNoOwner        Code = 31 // nobody to call, for a call that the owner answers
	CodePlace          Code = 32 // a position that is not in its cell, or a way that no edge leads
	CodeReadOnly       Code = 33 // the database takes no writes: nothing was done
	CodeDiskFull       Code = 34 // as CodeReadOnly
)

// codeInfo is what is known of a code.
type codeInfo struct {
	name string // as scenarios and metrics write it
	text string // for people
}

// codes is every code.
var codes = [...]codeInfo{
	CodeOK:             {"OK", "ok"},
	CodeNoObject:       {"NoObject", "no such object"},
	CodeExists:         {"Exists", "object exists already"},
	CodeNoClass:        {"NoClass", "no such class"},
	CodeNoField:        {"NoField", "no such field"},
	CodeValue:          {"Value", "value does not decode as its type"},
	CodeConstraint:     {"Constraint", "value breaks a constraint"},
	CodeUnset:          {"Unset", "field is not set"},
	CodeRequired:       {"Required", "field is required"},
	CodeCycle:          {"Cycle", "object would be its own ancestor"},
	CodeOtherPartition: {"OtherPartition", "objects are in different partitions"},
	CodeDenied:         {"Denied", "not allowed"},
	CodeUnique:         {"Unique", "value is taken"},
	CodeConflict:       {"Conflict", "stored value is another than expected"},
	CodeEpoch:          {"Epoch", "partition has a newer owner"},
	CodeAway:           {"Away", "database is away"},
	CodeTimeout:        {"Timeout", "deadline passed, nothing was done"},
	CodeGone:           {"Gone", "gone before it answered"},
	CodeUnknown:        {"Unknown", "outcome unknown"},
	CodeNotReady:       {"NotReady", "not ready"},
	CodeSchema:         {"Schema", "incompatible schema"},
	CodeOverload:       {"Overload", "too much to do"},
	CodeHandler:        {"Handler", "refused by the game"},
	CodeNoAI:           {"NoAI", "object has no AI"},
	CodeLinkLost:       {"LinkLost", "link lost"},
	CodeMalformed:      {"Malformed", "malformed request"},
	CodeActive:         {"Active", "object is active already"},
	CodeNotDB:          {"NotDB", "object is not kept in the database"},
	CodeNoParent:       {"NoParent", "no such parent"},
	CodeRate:           {"Rate", "too many requests"},
	CodeClosed:         {"Closed", "closed"},
	CodeNoOwner:        {"NoOwner", "object has no owner who answers"},
	CodePlace:          {"Place", "position and zone do not fit"},
	CodeReadOnly:       {"ReadOnly", "database is read-only"},
	CodeDiskFull:       {"DiskFull", "disk of the database is full"},
}

// Codes are all codes, ascending.
func Codes() []Code {
	all := make([]Code, len(codes))
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

// Name is the code in one word, as scenarios and metrics write it: NoObject.
func (c Code) Name() string {
	if int(c) < len(codes) {
		return codes[c].name
	}
	return "Code" + strconv.Itoa(int(c))
}

// String is the text of the code.
func (c Code) String() string {
	if int(c) < len(codes) {
		return codes[c].text
	}
	return "code " + strconv.Itoa(int(c))
}

// Error is String. CodeOK is no error: Err makes nil of it.
func (c Code) Error() string { return c.String() }

// Error is a request's failure as Go code sees it. errors.Is(err, CodeGone) asks for a code.
type Error struct {
	Code Code
	Text string // what there is to say beyond the code; may be empty
}

// Err is nil for CodeOK, else an *Error.
func (c Code) Err(text string) error {
	if c == CodeOK {
		return nil
	}
	return &Error{Code: c, Text: text}
}

// Error is the code's text, and Text after a colon.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Text
}

// Unwrap is the code.
func (e *Error) Unwrap() error { return e.Code }
