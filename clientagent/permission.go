package clientagent

import (
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// verdict is what a check found: nothing, a reason to end the session, or, with a code only, a refusal that is not the
// client's fault.
type verdict struct {
	reason wire.Reason
	code   wire.Code
	text   string
}

func (v verdict) ok() bool { return v.reason == 0 && v.code == 0 }

// fault is a verdict that ends the session.
func fault(reason wire.Reason, format string, args ...any) verdict {
	return verdict{reason: reason, text: fmt.Sprintf(format, args...)}
}

// excuse is a verdict that refuses without punishing.
func excuse(code wire.Code, text string) verdict { return verdict{code: code, text: text} }

// target is what a client's frame is about.
type target struct {
	id        do.ID
	alias     uint32
	class     *do.Class
	g         *grip // nil for an UberDOG
	uberdog   bool
	anonymous bool
}

// channel is where the target is reached.
func (t *target) channel() do.Channel {
	if t.uberdog {
		return do.UberDOG(t.id)
	}
	return do.ObjectChannel(t.id)
}

// resolve finds what ref names: an UberDOG, or whatever the client has a grip on, seen, owned or declared (rule 89). What
// it had a moment ago is excused (rule 105); the rest it never knew (117).
func (s *State) resolve(t *session, ref wire.Ref) (target, verdict) {
	if id, ok := ref.UberDOG(); ok {
		if b, ok := s.uberdogs[id]; ok {
			return target{id: id, class: b.class, uberdog: true, anonymous: b.anonymous}, verdict{}
		}
		return target{}, fault(wire.ReasonNoObject, "no UberDOG %s", id)
	}
	alias, _ := ref.Alias()
	if g := t.grips.get(alias); g != nil {
		if g.o.class == nil {
			g.o.class = s.class(g.o.number)
		}
		return target{id: g.o.id, alias: alias, class: g.o.class, g: g}, verdict{}
	}
	if p, ok := t.pastOf(alias); ok && p.until > s.now {
		if p.deleted {
			return target{id: p.id, alias: alias}, excuse(wire.CodeGone, "the object is gone")
		}
		return target{id: p.id, alias: alias}, excuse(wire.CodeDenied, "the object left")
	}
	return target{}, fault(wire.ReasonNoObject, "no object %d", ref)
}

// allowed checks what rule 88 has before fields: the state, and that the agent knows the class.
func (s *State) allowed(t *session, to *target) verdict {
	if t.state < wire.StateEstablished && !to.anonymous {
		if t.lowered > s.now {
			return excuse(wire.CodeDenied, "the session was lowered")
		}
		return fault(wire.ReasonDenied, "%s before login", to.id)
	}
	if to.class == nil {
		return excuse(wire.CodeNoClass, "the agent does not know the class yet")
	}
	return verdict{}
}

// checkSet checks a set in the order of rule 88. now is taken for rates.
func (s *State) checkSet(t *session, to *target, set fields.Map) verdict {
	it := set.Iter()
	for it.Next() {
		if v := s.checkField(t, to, it.Number(), it.Value(), false); !v.ok() {
			return v
		}
	}
	if err := it.Err(); err != nil {
		return fault(wire.ReasonTruncated, "%v", err)
	}
	return verdict{}
}

// checkField checks one field and its value. A call is no set, and a set no call.
func (s *State) checkField(t *session, to *target, n fields.Number, value []byte, call bool) verdict {
	f := to.class.Field(n)
	if f == nil {
		return fault(wire.ReasonForbiddenField, "%s has no field %s", to.class, n)
	}
	if call != (f.Kind == do.FieldCall) {
		return fault(wire.ReasonForbiddenField, "%s is a %s", f, f.Kind)
	}
	if !s.maySet(t, to, f) {
		if t.lost[to.id] > s.now {
			return excuse(wire.CodeDenied, "it may no more be set")
		}
		return fault(wire.ReasonForbiddenField, "%s may not be set", f)
	}
	if err := f.Check(value); err != nil {
		return fault(valueReason(err), "%s: %v", f, err)
	}
	if f.Rate > 0 && !s.takeRate(t, to, f) {
		return excuse(wire.CodeRate, fmt.Sprintf("%s: more than %g a second", f, f.Rate))
	}
	return verdict{}
}

// maySet reports whether t may set f: clsend, or ownsend as the owner, or by a grant (rules 88, 90). Calls that owners
// answer come from AIs only.
func (s *State) maySet(t *session, to *target, f *do.Field) bool {
	switch {
	case f.OwnerAnswers():
		return false
	case f.Keywords.Has(fields.ClSend):
		return true
	case f.Keywords.Has(fields.OwnSend) && to.g != nil && to.g.owned:
		return true
	}
	return slices.Contains(t.grants[to.id], f.Number)
}

// takeRate counts a set or call against the field's rate=; a second's worth may come at once.
func (s *State) takeRate(t *session, to *target, f *do.Field) bool {
	burst := max(f.Rate, 1)
	if to.g == nil {
		key := uberdogField{to.id, f.Number}
		b := t.rates[key]
		if b == nil {
			if t.rates == nil {
				t.rates = map[uberdogField]*bucket{}
			}
			b = &bucket{tokens: burst, at: s.now}
			t.rates[key] = b
		}
		return b.take(1, f.Rate, burst, s.now)
	}
	in := to.g.field(f.Number)
	if !in.rated {
		in.rated, in.rate = true, bucket{tokens: burst, at: s.now}
	}
	return in.rate.take(1, f.Rate, burst, s.now)
}

// valueReason is the reason for a value that its type refuses: not decodable, a constraint, or bytes after it.
func valueReason(err error) wire.Reason {
	for _, constraint := range []error{fields.ErrRange, fields.ErrLength, fields.ErrPattern, fields.ErrOneOf} {
		if errors.Is(err, constraint) {
			return wire.ReasonConstraint
		}
	}
	if errors.Is(err, fields.ErrTrailing) {
		return wire.ReasonOversized
	}
	return wire.ReasonTruncated
}
