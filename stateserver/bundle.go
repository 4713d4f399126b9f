package stateserver

import (
	"slices"
	"strconv"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// bundle does at once, or not at all, what one handler did: sets, events, moves, and the answer to the call that it
// served, which leaves after the effects before it. All of it is checked first.
func (s *State) bundle(m *wire.Message, b *wire.Bundle, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	plan, code, text := s.checkBundle(b)
	if code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	if plan.review && m.From.Kind == do.KindSession {
		return s.fail(r, wire.CodeDenied, "a field with review is set by itself", out)
	}
	if plan.unique != nil {
		if code, text, _, _ := s.surveyAll(plan.moves); code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
		s.hold(m, plan.unique, plan.uniqueFields, out)
		return nil
	}
	if !s.clearBundle(plan.moves) {
		code, text, waits := s.mayMove(m, bundleObjects(b), plan.moves, nil, out)
		if waits {
			return nil
		}
		if code != wire.CodeOK {
			return s.fail(r, code, text, out)
		}
	}
	s.applyBundle(m, b, nil, out)
	return nil
}

// clearBundle is simple for the moves of a bundle.
func (s *State) clearBundle(moves []planned) bool {
	switch len(moves) {
	case 0:
		return true
	case 1:
		return s.simple(moves[0].id, moves[0].parent)
	}
	if s.cleared {
		s.cleared = false
		return true
	}
	return false
}

// bundlePlan is what the check of a bundle found.
type bundlePlan struct {
	moves        []planned  // to another parent
	unique       *object    // sets a unique value, so the database comes first
	uniqueFields fields.Map // everything that the bundle sets on it
	review       bool       // sets a field with review
}

// checkBundle looks at every step as if those before it were done.
func (s *State) checkBundle(b *wire.Bundle) (p bundlePlan, code wire.Code, text string) {
	if b.Durable {
		if code, text = s.mayCommitAll(b); code != wire.CodeOK {
			return p, code, text
		}
	}
	for i := range b.Ops {
		if code, text = s.checkOp(i, &b.Ops[i], &p); code != wire.CodeOK {
			return p, code, "step " + strconv.Itoa(i) + ": " + text
		}
	}
	if p.unique == nil {
		return p, wire.CodeOK, ""
	}
	for i := range b.Ops {
		if op := &b.Ops[i]; op.Kind == wire.OpSet && op.DO == p.unique.id {
			p.uniqueFields = fields.Merge(p.uniqueFields, p.unique.class.parts(op.Fields))
		}
	}
	return p, wire.CodeOK, ""
}

func (s *State) checkOp(step int, op *wire.Op, p *bundlePlan) (wire.Code, string) {
	switch op.Kind {
	case wire.OpReply:
		return wire.CodeOK, ""
	case wire.OpSet, wire.OpMove:
	default:
		return wire.CodeMalformed, "kind " + strconv.Itoa(int(op.Kind))
	}
	o := s.objects[op.DO]
	if o == nil {
		if !s.mine(op.DO) {
			return wire.CodeOtherPartition, op.DO.String()
		}
		return wire.CodeNoObject, op.DO.String()
	}
	if op.Kind == wire.OpMove {
		if s.parentOf(o.id, p.moves) != op.Location.Parent {
			p.moves = append(p.moves, planned{o.id, op.Location.Parent, step})
		}
		return wire.CodeOK, ""
	}
	c, code, text := s.check(o.class, op.Fields)
	if code != wire.CodeOK {
		return code, text
	}
	p.review = p.review || c.any.Has(fields.Review)
	if c.any.Has(fields.Unique|fields.DB) && o.writer() != nil {
		if p.unique != nil && p.unique != o {
			return wire.CodeDenied, "unique values of two objects"
		}
		p.unique = o
	}
	return wire.CodeOK, ""
}

// mayCommitAll is mayCommit for all that a bundle sets. The object that it is about must have a row; others may.
func (s *State) mayCommitAll(b *wire.Bundle) (code wire.Code, text string) {
	switch o := s.objects[b.DO]; {
	case o == nil && !s.mine(b.DO):
		return wire.CodeOtherPartition, b.DO.String()
	case o == nil:
		return wire.CodeNoObject, b.DO.String()
	case o.writer() == nil:
		return wire.CodeNotDB, ""
	}
	if code, text = s.mayCommit(s.objects[b.DO].class.number); code != wire.CodeOK {
		return code, text
	}
	for i := range b.Ops {
		o := s.objects[b.Ops[i].DO]
		if b.Ops[i].Kind != wire.OpSet || o == nil || o.writer() == nil {
			continue
		}
		if code, text = s.mayCommit(o.class.number); code != wire.CodeOK {
			return code, text
		}
	}
	return wire.CodeOK, ""
}

// applyBundle does the steps of a checked bundle. What is set on written, which may be nil, is in the database already.
func (s *State) applyBundle(m *wire.Message, b *wire.Bundle, written *object, out *wire.Outbox) {
	var writers []*writer
	for i := range b.Ops {
		op := &b.Ops[i]
		o := s.objects[op.DO]
		switch op.Kind {
		case wire.OpSet:
			set := op.Fields
			c, _, _ := s.check(o.class, set)
			if c.molecular {
				set = o.class.parts(set)
				c, _, _ = s.check(o.class, set)
			}
			s.apply(o, set, c, m.From, o != written, out)
			writers = append(writers, o.writer())
		case wire.OpMove:
			s.move(o, op.Location, movesOn(b.Ops[i:]), m.From, out)
		case wire.OpReply:
			s.reply(op, out)
		}
	}
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if b.Durable { // also what was set of it before
		s.await(&waiter{request: r, version: o.version()}, out, append(writers, o.writer())...)
		return
	}
	s.done(r, o, out)
}

// movesOn reports whether what the first step moves is moved elsewhere by a later one.
func movesOn(steps []wire.Op) bool {
	first := &steps[0]
	return slices.ContainsFunc(steps[1:], func(op wire.Op) bool {
		same := op.Location == first.Location || op.Location.IsZero() && first.Location.IsZero()
		return op.Kind == wire.OpMove && op.DO == first.DO && !same
	})
}

// bundleObjects are the objects that a bundle is about, each once.
func bundleObjects(b *wire.Bundle) []do.ID {
	ids := []do.ID{b.DO}
next:
	for i := range b.Ops {
		if b.Ops[i].Kind == wire.OpReply {
			continue
		}
		for _, id := range ids {
			if id == b.Ops[i].DO {
				continue next
			}
		}
		ids = append(ids, b.Ops[i].DO)
	}
	return ids
}
