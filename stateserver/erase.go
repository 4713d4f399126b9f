package stateserver

import (
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// erasure is a DeleteDisk on its way.
type erasure struct {
	message wire.Message
	again   bool // it was sent before, with an unknown outcome
}

// deleteDisk deletes an object's row. What is on its way to the row goes before; what comes for the object waits.
func (s *State) deleteDisk(m *wire.Message, b *wire.DeleteDisk, out *wire.Outbox) error {
	r := requestOf(m)
	o := s.objects[b.DO]
	switch {
	case s.cfg.NoDatabase || b.DO.IsZero() || !s.mine(b.DO) || o == nil && s.ghosts.has(b.DO):
		return s.fail(r, wire.CodeNoObject, "", out)
	case o != nil && o.writer() == nil:
		return s.fail(r, wire.CodeNotDB, errNoRow.Error(), out)
	}
	p := &parking{ids: []do.ID{b.DO}, erase: &erasure{message: *m}}
	s.begin(p)
	if w := s.writers[b.DO]; w != nil && w.pending() {
		p.step = parkDrain
		s.send(w, out)
		return nil
	}
	s.askErase(p, out)
	return nil
}

func (s *State) askErase(p *parking, out *wire.Outbox) {
	p.step = parkWrite
	out.SendTo(database, s.self, &wire.DBDelete{Context: s.ask(&dbRequest{parking: p}), DO: p.ids[0], Epoch: s.cfg.Epoch})
}

// erased is called when the row is gone. The object stays in memory, without a row; location, AI and owner are told
// (rule 136).
func (s *State) erased(p *parking, out *wire.Outbox) {
	m := &p.erase.message
	id := p.ids[0]
	o := s.objects[id]
	if o == nil {
		s.ghosts.add(id)
	} else if o.writer() != nil {
		s.retire(o.writer())
		o.extra.writer = nil
		out.Send(s.audience(do.At(o.location()), o.ai, o.owner()), m.From, &wire.DeleteDisk{DO: id})
	}
	s.done(requestOf(m), o, out)
	s.release(p, out)
}

// eraseRefused answers that the row is still there, unless that is not known: then it is deleted again, and found
// deleted if it was.
func (s *State) eraseRefused(p *parking, code wire.Code, text string, out *wire.Outbox) {
	switch {
	case code == wire.CodeNoObject && p.erase.again:
		s.erased(p, out)
		return
	case code == wire.CodeTimeout:
		p.erase.again = true
		s.askErase(p, out)
		return
	case code == wire.CodeAway, p.erase.again && (code == wire.CodeReadOnly || code == wire.CodeDiskFull):
		code = wire.CodeUnknown
	}
	_ = s.fail(requestOf(&p.erase.message), code, text, out)
	s.release(p, out)
}
