package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// held is a set or bundle that sets a unique value: it is applied, whole, after the database has accepted the value.
type held struct {
	message wire.Message
	object  *object
	set     fields.Map // all that it sets on object
	dropped bool       // object is gone: it was answered
}

// hold lets m, and what comes after it for its objects, wait for the database.
func (s *State) hold(m *wire.Message, o *object, set fields.Map, out *wire.Outbox) {
	p := &parking{ids: []do.ID{o.id}, held: &held{message: *m, object: o, set: set}}
	if b, ok := m.Body.(*wire.Bundle); ok {
		p.ids = bundleObjects(b)
	}
	s.begin(p)
	if w := o.writer(); w.pending() {
		p.step = parkDrain
		s.send(w, out)
		return
	}
	s.askUnique(p, out)
}

// askUnique writes what the message sets on the object that has the unique value.
func (s *State) askUnique(p *parking, out *wire.Outbox) {
	p.step = parkWrite
	h := p.held
	set := h.object.class.parts(h.set).Filter(func(n fields.Number) bool {
		return h.object.class.Field(n).Keywords.Has(fields.DB)
	})
	w := h.object.writer()
	out.SendTo(database, s.self, &wire.DBSet{
		Context: s.ask(&dbRequest{parking: p}), DO: h.object.id, Epoch: s.cfg.Epoch, Row: w.row, Fields: set,
	})
}

// acceptUnique applies what was held. Its objects may have gone meanwhile with a parent or an AI.
func (s *State) acceptUnique(p *parking, row uint64, out *wire.Outbox) {
	h, m := p.held, &p.held.message
	h.object.writer().row = row
	switch b := m.Body.(type) {
	case *wire.SetFields:
		c, _, _ := s.check(h.object.class, h.set)
		s.apply(h.object, h.set, c, m.From, false, out)
		s.doneSet(m, b, h.object, out)
	case *wire.Bundle:
		plan, code, text := s.checkBundle(b)
		if code == wire.CodeOK && !s.clearBundle(plan.moves) {
			var waits bool
			if code, text, waits = s.mayMove(m, nil, plan.moves, p, out); waits {
				return
			}
		}
		s.endHeld(p, code, text, out)
		return
	}
	s.release(p, out)
}

// probedHeld goes on with a bundle whose unique value is in the database and whose moves were looked at.
func (s *State) probedHeld(p *parking, code wire.Code, text string, out *wire.Outbox) {
	if code == wire.CodeOK {
		_, code, text = s.checkBundle(p.held.message.Body.(*wire.Bundle))
	}
	s.endHeld(p, code, text, out)
}

// endHeld applies a bundle whose unique value is in the database, or takes that back.
func (s *State) endHeld(p *parking, code wire.Code, text string, out *wire.Outbox) {
	m := &p.held.message
	if code == wire.CodeOK {
		s.applyBundle(m, m.Body.(*wire.Bundle), p.held.object, out)
	} else {
		s.takeBack(p.held)
		_ = s.fail(requestOf(m), code, text, out)
	}
	s.release(p, out)
}

// refuseUnique answers that nothing was applied. A lost answer, or a row that somebody else wrote, is no refusal: the
// same write is sent again.
func (s *State) refuseUnique(p *parking, code wire.Code, text string, out *wire.Outbox) {
	if w := p.held.object.writer(); code == wire.CodeTimeout || code == wire.CodeConflict && w.row != 0 {
		w.row = 0
		s.askUnique(p, out)
		return
	}
	switch code {
	case wire.CodeAway, wire.CodeReadOnly, wire.CodeDiskFull:
		s.takeBack(p.held) // the database may have done it, now or at an attempt that had no answer
	}
	m := &p.held.message
	if b, ok := m.Body.(*wire.SetFields); ok {
		_ = s.refuseSet(m, b, p.held.object, code, text, out)
	} else {
		_ = s.fail(requestOf(m), code, text, out)
	}
	s.release(p, out)
}

// takeBack has the values that are in memory written over those of a set that is refused.
func (s *State) takeBack(h *held) {
	w := h.object.writer()
	w.row = 0
	for it := h.object.class.parts(h.set).Iter(); it.Next(); {
		if f := h.object.class.Field(it.Number()); f.Slot >= 0 && f.Keywords.Has(fields.DB) {
			s.write(w, f.Number, h.object.value(f.Slot))
		}
	}
}

// orphanParked is called when an object goes although something waits for it: what was held on it is refused, and what
// waited finds it gone.
func (s *State) orphanParked(o *object, out *wire.Outbox) {
	p := s.parked[o.id]
	if p == nil || p.held == nil || p.held.object != o || p.held.dropped {
		return
	}
	p.held.dropped = true
	code := wire.CodeGone
	if p.step == parkWrite || p.step == parkProbe {
		code = wire.CodeUnknown // the database may have it, or has it
	}
	_ = s.fail(requestOf(&p.held.message), code, "", out)
	s.orphaned = append(s.orphaned, p)
}
