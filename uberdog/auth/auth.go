package auth

import (
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
	Hash    string    `do:"required,db,max=255"`       // of the password, in PHC form
	Created time.Time `do:"required,db"`
	Roles   []string  `do:"db,max=32"` // what else the game knows of it; Auth only passes them on
}

// Auth makes sessions of accounts. Names are without regard to case; the password is never stored, sent back or
// logged.
//
// Codes of errors, beyond those of every call: Unique, the name is taken; Denied, the name or the password is wrong,
// or there is no login to change the password of; Rate, too many attempts for this name; Overload, too many logins
// at once: retry in a second; Gone, the session ended meanwhile.
type Auth struct {
	do.Object
	// Register makes an account and logs in.
	Register do.Call[Credentials, Identity] `do:"clsend,rate=5"`
	// Login establishes the session. An account has one session: an older one is ended, with reason 100.
	Login do.Call[Credentials, Identity] `do:"clsend,rate=5"`
	// ChangePassword changes that of the session's account.
	ChangePassword do.Call[PasswordChange, Identity] `do:"clsend,rate=5"`
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
