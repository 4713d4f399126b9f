package wire

import (
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Messages to a client agent about one session; they go to the session's channel.

// SessionRequest is the context of a request to a session, 0 if b is none, or if nobody waits for its answer.
func SessionRequest(b Body) (context uint32) {
	switch b := b.(type) {
	case *SetState:
		return b.Context
	case *SetClientID:
		return b.Context
	case *Eject:
		return b.Context
	case *Drop:
		return b.Context
	case *GetNetworkAddress:
		return b.Context
	case *DeclareObject:
		return b.Context
	case *UndeclareObject:
		return b.Context
	case *AddSessionObject:
		return b.Context
	case *RemoveSessionObject:
		return b.Context
	case *SetFieldsSendable:
		return b.Context
	case *OpenChannel:
		return b.Context
	case *CloseChannel:
		return b.Context
	case *SessionPostRemove:
		return b.Context
	case *ClearSessionPostRemoves:
		return b.Context
	case *SessionInterest:
		return b.Context
	case *SessionFollow:
		return b.Context
	case *PermitInterest:
		return b.Context
	case *RemoveSessionInterest:
		return b.Context
	}
	return 0
}

// SessionState is where a session stands (rules 85 to 88).
type SessionState uint8

// The states of a session.
const (
	StateNew         SessionState = 0 // only Hello
	StateAnonymous   SessionState = 1 // only anonymous UberDOGs
	StateEstablished SessionState = 2
)

// String is "new", "anonymous" or "established".
func (s SessionState) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateAnonymous:
		return "anonymous"
	case StateEstablished:
		return "established"
	}
	return "state " + strconv.Itoa(int(s))
}

// SetState moves a session's state, in any direction; lowering it closes its interests (rule 87).
type SetState struct {
	Context uint32
	State   SessionState
}

func (*SetState) Type() Type       { return TypeSetState }
func (m *SetState) String() string { return text(m) }

func (m *SetState) code(c *coder) {
	num(c, "context", &m.Context)
	enum(c, "state", &m.State, StateNew, StateEstablished)
}

// SetClientID binds a session to an account: its identity in calls and its second channel (rules 91, 92).
type SetClientID struct {
	Context uint32
	Account do.ID
}

func (*SetClientID) Type() Type       { return TypeSetClientID }
func (m *SetClientID) String() string { return text(m) }

func (m *SetClientID) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("account", &m.Account)
}

// Eject tells the client why, then closes (rule 97).
type Eject struct {
	Context uint32
	Reason  Reason
	Text    string
}

func (*Eject) Type() Type       { return TypeEject }
func (m *Eject) String() string { return text(m) }

func (m *Eject) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "reason", &m.Reason)
	c.string("text", &m.Text)
}

// Drop closes without a word (rule 97).
type Drop struct{ Context uint32 }

func (*Drop) Type() Type       { return TypeDrop }
func (m *Drop) String() string { return text(m) }

func (m *Drop) code(c *coder) {
	num(c, "context", &m.Context)
}

// GetNetworkAddress asks for a client's address. Answered by NetworkAddress.
type GetNetworkAddress struct{ Context uint32 }

func (*GetNetworkAddress) Type() Type       { return TypeGetNetworkAddress }
func (m *GetNetworkAddress) String() string { return text(m) }

func (m *GetNetworkAddress) code(c *coder) {
	num(c, "context", &m.Context)
}

// NetworkAddress answers GetNetworkAddress.
type NetworkAddress struct {
	Context uint32
	Remote  string
	Local   string
}

func (*NetworkAddress) Type() Type       { return TypeNetworkAddress }
func (m *NetworkAddress) String() string { return text(m) }

func (m *NetworkAddress) code(c *coder) {
	num(c, "context", &m.Context)
	c.string("remote", &m.Remote)
	c.string("local", &m.Local)
}

// DeclareObject makes an object known to a client that does not see it (rule 89).
type DeclareObject struct {
	Context uint32
	DO      do.ID
	Class   uint32
}

func (*DeclareObject) Type() Type       { return TypeDeclareObject }
func (m *DeclareObject) String() string { return text(m) }

func (m *DeclareObject) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	c.class(&m.Class)
}

// UndeclareObject takes DeclareObject back.
type UndeclareObject struct {
	Context uint32
	DO      do.ID
}

func (*UndeclareObject) Type() Type       { return TypeUndeclareObject }
func (m *UndeclareObject) String() string { return text(m) }

func (m *UndeclareObject) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// AddSessionObject ties an object's life to the session's, both ways (rules 101 to 103).
type AddSessionObject struct {
	Context uint32
	DO      do.ID
}

func (*AddSessionObject) Type() Type       { return TypeAddSessionObject }
func (m *AddSessionObject) String() string { return text(m) }

func (m *AddSessionObject) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// RemoveSessionObject takes AddSessionObject back.
type RemoveSessionObject struct {
	Context uint32
	DO      do.ID
}

func (*RemoveSessionObject) Type() Type       { return TypeRemoveSessionObject }
func (m *RemoveSessionObject) String() string { return text(m) }

func (m *RemoveSessionObject) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
}

// SetFieldsSendable replaces what one session may set on one object beyond the keywords (rule 90).
type SetFieldsSendable struct {
	Context uint32
	DO      do.ID
	Fields  []fields.Number
}

func (*SetFieldsSendable) Type() Type       { return TypeSetFieldsSendable }
func (m *SetFieldsSendable) String() string { return text(m) }

func (m *SetFieldsSendable) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("do", &m.DO)
	list(c, "fields", &m.Fields, 1, plainField)
}

// OpenChannel subscribes the session to a channel.
type OpenChannel struct {
	Context uint32
	Channel do.Channel
}

func (*OpenChannel) Type() Type       { return TypeOpenChannel }
func (m *OpenChannel) String() string { return text(m) }

func (m *OpenChannel) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("channel", &m.Channel)
}

// CloseChannel takes OpenChannel back.
type CloseChannel struct {
	Context uint32
	Channel do.Channel
}

func (*CloseChannel) Type() Type       { return TypeCloseChannel }
func (m *CloseChannel) String() string { return text(m) }

func (m *CloseChannel) code(c *coder) {
	num(c, "context", &m.Context)
	c.channel("channel", &m.Channel)
}

// SessionPostRemove is routed when the session ends, for any reason.
type SessionPostRemove struct {
	Context uint32
	Message Message
}

func (*SessionPostRemove) Type() Type       { return TypeSessionPostRemove }
func (m *SessionPostRemove) String() string { return text(m) }

func (m *SessionPostRemove) code(c *coder) {
	num(c, "context", &m.Context)
	c.message("message", &m.Message)
}

// ClearSessionPostRemoves forgets what SessionPostRemove stored.
type ClearSessionPostRemoves struct{ Context uint32 }

func (*ClearSessionPostRemoves) Type() Type       { return TypeClearSessionPostRemoves }
func (m *ClearSessionPostRemoves) String() string { return text(m) }

func (m *ClearSessionPostRemoves) code(c *coder) {
	num(c, "context", &m.Context)
}

// SessionInterest opens (or alters) an interest from the server; permissions do not apply (rule 96). Answered by SessionInterestDone.
type SessionInterest struct {
	Context uint32
	Handle  uint16
	Parent  do.ID
	Zones   []do.Zone
}

func (*SessionInterest) Type() Type       { return TypeSessionInterest }
func (m *SessionInterest) String() string { return text(m) }

func (m *SessionInterest) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
}

// SessionFollow opens an interest that follows an object which the session owns, as ClientFollow does. Answered by
// SessionInterestDone.
type SessionFollow struct {
	Context uint32
	Handle  uint16
	DO      do.ID
	Outer   uint8 // how many of the parents above are seen around, too
}

func (*SessionFollow) Type() Type       { return TypeSessionFollow }
func (m *SessionFollow) String() string { return text(m) }

func (m *SessionFollow) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
	c.id("do", &m.DO)
	num(c, "outer", &m.Outer)
}

// PermitInterest replaces what one session may open below one parent beyond the agent's policy (rule 95).
type PermitInterest struct {
	Context uint32
	Parent  do.ID
	Zones   []do.Zone
	All     bool // every zone; without it and without zones the permission ends
}

func (*PermitInterest) Type() Type       { return TypePermitInterest }
func (m *PermitInterest) String() string { return text(m) }

func (m *PermitInterest) code(c *coder) {
	num(c, "context", &m.Context)
	c.id("parent", &m.Parent)
	list(c, "zones", &m.Zones, 1, plainZone)
	c.bool("all", &m.All)
}

// RemoveSessionInterest closes one.
type RemoveSessionInterest struct {
	Context uint32
	Handle  uint16
}

func (*RemoveSessionInterest) Type() Type       { return TypeRemoveSessionInterest }
func (m *RemoveSessionInterest) String() string { return text(m) }

func (m *RemoveSessionInterest) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
}

// SessionInterestDone answers both.
type SessionInterestDone struct {
	Context uint32
	Handle  uint16
}

func (*SessionInterestDone) Type() Type       { return TypeSessionInterestDone }
func (m *SessionInterestDone) String() string { return text(m) }

func (m *SessionInterestDone) code(c *coder) {
	num(c, "context", &m.Context)
	num(c, "handle", &m.Handle)
}
