package database

import (
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// request is one request until it is answered.
type request struct {
	from    do.Channel
	context uint32
	of      wire.Type
	id      do.ID
	at      int64 // when it came

	// op is what the backend is asked. Its class is left out, and found by number when the batch is made: until
	// then the schema may have grown.
	op    Op
	class uint32 // of a create or find, else wire.AnyClass
	// set is there for a set only. asks: op only asks for the class of its object. understood: op was made of set
	// with the class known.
	set              *wire.DBSet
	asks, understood bool
	tx               *transaction // that the operation is to do
	doubted          bool         // it may be done: an attempt had no answer
	about            do.ID        // the transaction whose outcome is asked for
}

// fail answers that the request is refused and returns the error for the log.
func (s *State) fail(r *request, code wire.Code, text string, out *wire.Outbox) error {
	return s.failWith(r, &wire.Failed{Code: code, Text: text}, out)
}

// failWith is fail with an answer that says more.
func (s *State) failWith(r *request, f *wire.Failed, out *wire.Outbox) error {
	f.Context, f.Of, f.DO = r.context, r.of, r.id
	s.counters.Refused++
	out.SendTo(r.from, service, f)
	return &Refusal{Of: r.of, DO: r.id, Code: f.Code, Text: f.Text}
}

// done answers that the request was done, if the asker wants to know (rule 144).
func (s *State) done(r *request, row uint64, out *wire.Outbox) {
	if r.context == 0 {
		return
	}
	d := out.Done()
	d.Context, d.Of, d.DO, d.Row = r.context, r.of, r.id, row
	out.SendTo(r.from, service, d)
}

// Refusal says why a request was refused.
type Refusal struct {
	Of   wire.Type
	DO   do.ID
	Code wire.Code
	Text string
}

func (r *Refusal) Error() string {
	s := fmt.Sprintf("database: %v %v: %v", r.Of, r.DO, r.Code)
	if r.Text != "" {
		s += ": " + r.Text
	}
	return s
}

// Unwrap is the code.
func (r *Refusal) Unwrap() error { return r.Code }
