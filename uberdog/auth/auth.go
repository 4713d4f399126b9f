package auth

import (
	"slices"
	"time"

	"github.com/otpd/otpd/do"
)

// Number is the well-known id of the Auth UberDOG.
const Number = 4670

// ID is where the Auth UberDOG is.
func ID() do.ID { return do.WellKnown(Number) }

// Register makes the Auth UberDOG, and the class of accounts, known to a game's registry. Clients register both, too:
// so their schema is the cluster's, and the handshake needs no second step.
func Register(r *do.Registry) error {
	if err := r.Class(Account{}); err != nil {
		return err
	}
	return r.UberDOG(ID(), Auth{}, true)
}

// Account is who somebody is. It lives in the database only: it is never activated, and no client ever sees one.
type Account struct {
	do.Object
	Name    string    `do:"required,db,unique,max=24"` // in lower case
	Hash    string    `do:"required,db,max=255"`       // of the password, in PHC form; empty: there is none
	Created time.Time `do:"required,db"`
	Roles   []string  `do:"db,max=32"` // what else the game knows of it

	Holder  do.ID         `do:"db"`         // the session that the account is for, zero for none
	Tokens  []StoredToken `do:"db,max=32"`  // what one may come back with, oldest first
	Outside string        `do:"db,max=255"` // issuer and name, of one that somebody else vouches for
}

// StoredToken is what is kept of a token: nobody who reads it can log in with it.
type StoredToken struct {
	Sum     []byte `do:"maxlen=32"` // SHA-256 of its secret part
	Expires time.Time
	Device  string // as its owner called it, for people
}

// Roles that Auth itself knows. Who has none of them is a player; a game may give others.
const (
	RoleModerator = "moderator" // may kick players
	RoleAdmin     = "admin"     // may give and take roles, and kick anybody
	RoleBanned    = "banned"    // is not let in; a session that it has must be kicked
)

// Auth makes sessions of accounts. Names are without regard to case; the password is never stored, sent back or
// logged.
//
// Codes of errors, beyond those of every call: Unique, the name is taken; Exists, the account is logged in elsewhere,
// where the newer session is the one to be refused; Denied, the name, password, token or ticket is wrong, or the
// session may not do this; Rate, too many attempts for this name or from this address; Overload, too many logins at
// once; Gone, the session ended meanwhile; Away, who issues the tickets cannot be asked. Of Rate and Overload,
// [RetryAfter] says when to try again.
type Auth struct {
	do.Object
	// Register makes an account and logs in.
	Register do.Call[Credentials, Identity] `do:"clsend,rate=5"`
	// Login establishes the session. Unless it is configured otherwise an account has one session: an older one is
	// ended, with reason 100.
	Login do.Call[Credentials, Identity] `do:"clsend,rate=5"`
	// ChangePassword changes that of the session's account. No token that was given before is good any more.
	ChangePassword do.Call[PasswordChange, Identity] `do:"clsend,rate=5"`

	// Waiting is told to a session whose login waits for its turn.
	Waiting do.Event[Place] `do:"broadcast"`
	// Token gives the session's account a token, with which another session can come back.
	Token do.Call[TokenRequest, Token] `do:"clsend,rate=1"`
	// Resume is Login by token. It costs no hash.
	Resume do.Call[Resumption, Identity] `do:"clsend,rate=5"`
	// Enter is Login with what another system says of the client. The account is made the first time.
	Enter do.Call[Ticket, Identity] `do:"clsend,rate=5"`
	// SetRoles replaces the roles of an account. Admins may, and processes of the cluster.
	SetRoles do.Call[RoleChange, Identity] `do:"clsend,rate=5"`
	// Kick ends the sessions of an account, with reason 154. Moderators may, and processes of the cluster.
	Kick do.Call[KickRequest, Identity] `do:"clsend,rate=5"`
	// Revoke takes tokens of the session's account back.
	Revoke do.Call[Revocation, Identity] `do:"clsend,rate=5"`
}

// Credentials are what a client proves itself with.
type Credentials struct {
	Name     string `do:"pattern='[A-Za-z][A-Za-z0-9_-]{2,23}'"`
	Password string `do:"minlen=8,maxlen=128"` // bytes
}

// PasswordChange asks for another password.
type PasswordChange struct {
	Old string `do:"maxlen=128"`
	New string `do:"minlen=8,maxlen=128"`
}

// Identity is who a session is.
type Identity struct {
	Account do.ID
	Name    string // as it is stored: in lower case
	Roles   []string
	Created time.Time
}

// Has reports whether the account has a role.
func (i Identity) Has(role string) bool { return slices.Contains(i.Roles, role) }

// Place is where in the queue a login is.
type Place struct {
	Ahead uint32        // how many logins are served before it
	Wait  time.Duration // about how long that takes
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Device string `do:"max=64"` // what it is for, for people
}

// Token is what one comes back with. Who has it can log in: it belongs where a password would.
type Token struct {
	Secret  string
	Expires time.Time
}

// Resumption is a token that is used.
type Resumption struct {
	Secret string `do:"max=128"`
}

// Revocation takes tokens back.
type Revocation struct {
	Device string `do:"max=64"` // those that were asked for with this; empty: all
}

// Ticket is what another system says of a client: a platform's session ticket, a signed token.
type Ticket struct {
	Issuer string `do:"max=32"` // which system, where a game has several
	Text   string `do:"max=4096"`
}

// RoleChange gives an account its roles; those that it had before and are not listed are taken.
type RoleChange struct {
	Name  string   `do:"max=24"`
	Roles []string `do:"maxlen=16,pattern='[a-z][a-z0-9_-]{0,31}'"`
}

// KickRequest ends the sessions of an account.
type KickRequest struct {
	Name string `do:"max=24"`
	Text string `do:"max=200"` // told to the one who is kicked
}
