package stateserver

import (
	"bytes"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// frost is an object that a transaction over several objects holds still: its row is as it is in memory, and every
// message for it waits until the database role has said what became of the transaction. The object itself may go
// meanwhile, or not be in memory at all: the row is what counts.
type frost struct {
	tx       do.ID
	id       do.ID
	by       do.Channel // who asked for the transaction
	fields   fields.Map
	draining bool  // earlier writes are on their way
	resumed  bool  // ordered again after it was said to be still: an earlier attempt may have been committed
	at       int64 // since when nothing was heard
	asked    bool  // what became of it
	owes     bool  // the coordinator has told the end, and waits for Thawed
	over     bool
}

// freeze holds an object still, or says why not.
func (s *State) freeze(b *wire.Freeze, out *wire.Outbox) {
	p := s.parked[b.DO]
	if f := p.frostOf(b.DO); f != nil && f.tx == b.Tx {
		if !f.draining {
			f.resumed = true
			s.still(f, out) // the coordinator that was told died, and this is the next one
		}
		return
	}
	code, text := s.checkFreeze(b, p)
	if code != wire.CodeOK {
		out.SendTo(database, s.self, &wire.Frozen{Tx: b.Tx, DO: b.DO, Code: code, Text: text})
		return
	}
	f := &frost{tx: b.Tx, id: b.DO, by: b.By, fields: b.Fields, at: s.now}
	if p == nil {
		p = &parking{ids: []do.ID{b.DO}, step: parkFrozen, frosts: make(map[do.ID]*frost)}
		s.begin(p)
	}
	p.frosts[b.DO] = f
	s.frosts = append(s.frosts, f)
	if w := s.writers[b.DO]; w != nil && w.pending() {
		f.draining = true
		s.send(w, out)
		return
	}
	s.still(f, out)
}

// frostOf is what holds an object still in a parking, nil if nothing does.
func (p *parking) frostOf(id do.ID) *frost {
	if p == nil {
		return nil
	}
	return p.frosts[id]
}

// refuseFrozen gives up a transaction that waits for an earlier write of its object, which the database does not take.
func (s *State) refuseFrozen(w *writer, code wire.Code, text string, out *wire.Outbox) {
	p := s.parked[w.id]
	if p == nil || p.step != parkFrozen {
		return
	}
	if f := p.frosts[w.id]; f != nil && f.draining {
		f.draining = false
		out.SendTo(database, s.self, &wire.Frozen{Tx: f.tx, DO: f.id, Code: code, Text: text})
	}
}

// checkFreeze looks at what a transaction wants of an object. p is where the object waits for another transaction, or
// behind an object that does.
func (s *State) checkFreeze(b *wire.Freeze, p *parking) (code wire.Code, text string) {
	switch {
	case s.cfg.NoDatabase:
		return wire.CodeNotDB, "there is no database"
	case b.DO.IsZero() || !s.mine(b.DO):
		return wire.CodeOtherPartition, ""
	case p.frostOf(b.DO) != nil:
		return wire.CodeOverload, "another transaction holds it"
	}
	if w := s.writers[b.DO]; w != nil && w.pending() {
		if r := s.refusing[w.class]; r.code != wire.CodeOK {
			return r.code, r.text
		}
	}
	o := s.objects[b.DO]
	if o == nil || b.Fields.Len() == 0 {
		return wire.CodeOK, ""
	}
	if o.writer() == nil {
		return wire.CodeNotDB, ""
	}
	c, code, text := s.check(o.class, b.Fields)
	if code != wire.CodeOK {
		return code, text
	}
	for i := range c.found {
		if f := c.found[i].field; f.Kind != do.FieldState || !f.Keywords.Has(fields.DB) {
			return wire.CodeNoField, f.Name + " is no db field"
		}
	}
	return wire.CodeOK, ""
}

// still says that the object is.
func (s *State) still(f *frost, out *wire.Outbox) {
	f.draining = false
	out.SendTo(database, s.self, &wire.Frozen{Tx: f.tx, DO: f.id, Epoch: s.cfg.Epoch})
}

// thaw ends what freeze began. It may come while the order to freeze still waits: then that is forgotten.
func (s *State) thaw(b *wire.Thaw, out *wire.Outbox) {
	p := s.parked[b.DO]
	if p != nil {
		if f := p.frosts[b.DO]; f != nil && f.tx == b.Tx {
			if b.Again && s.askRow(f, out) {
				f.owes = true
				return
			}
			if !b.Committed && f.resumed {
				// This attempt was not: only the database knows of the one before.
				f.owes = true
				s.askOutcome(f, out)
				return
			}
			s.melt(p, f, b.Committed, b.Row, out)
		} else {
			p.queue = slices.DeleteFunc(p.queue, func(q queued) bool { return freezes(&q.Message, b) })
		}
	}
	if f := s.farewells[b.DO]; f != nil {
		f.forgetFreeze(b)
	}
	out.SendTo(database, s.self, &wire.Thawed{Tx: b.Tx, DO: b.DO})
	if p != nil {
		s.releaseFrozen(p, out)
	}
}

// melt applies and broadcasts what was committed, in the name of who asked.
func (s *State) melt(p *parking, f *frost, committed bool, row uint64, out *wire.Outbox) {
	f.over = true
	delete(p.frosts, f.id)
	s.frosts = slices.DeleteFunc(s.frosts, func(o *frost) bool { return o == f })
	o := s.objects[f.id]
	if o == nil || !committed || o.writer() == nil {
		return
	}
	o.writer().row = row
	if f.fields.Len() == 0 {
		return
	}
	c, code, _ := s.check(o.class, f.fields)
	if code != wire.CodeOK {
		return
	}
	for i := range c.found {
		s.store(o, nil, c.found[i].field, c.found[i].value)
	}
	s.counters.Updates++
	// Who asked is told, too, all of it: its answer is the database's, and may come before the object entered.
	any := c.any
	if f.by == o.ai {
		any |= fields.AIRecv
	}
	s.announce(o, f.fields, any, c.latest, f.by, do.Channel{}, out)
}

// releaseFrozen goes on with what waited, if no transaction holds any of it.
func (s *State) releaseFrozen(p *parking, out *wire.Outbox) {
	if p.step == parkFrozen && len(p.frosts) == 0 {
		s.release(p, out)
	}
}

// askOutcomes asks what became of transactions of which nothing was heard for long.
func (s *State) askOutcomes(out *wire.Outbox) {
	for _, f := range s.frosts {
		if s.now-f.at >= int64(s.cfg.AnswerTimeout) {
			s.askOutcome(f, out)
		}
	}
}

// askOutcome asks what became of a transaction, unless that is asked already.
func (s *State) askOutcome(f *frost, out *wire.Outbox) {
	if f.asked {
		return
	}
	f.asked = true
	out.SendTo(database, s.self, &wire.DBOutcome{Context: s.ask(&dbRequest{frost: f}), Tx: f.tx})
}

// outcomeIs takes the answer.
func (s *State) outcomeIs(b *wire.DBDecided, out *wire.Outbox) {
	r := s.answered(b.Context)
	if r == nil || r.frost == nil || r.frost.over {
		return
	}
	if b.Committed && s.askRow(r.frost, out) {
		return
	}
	s.settleFrost(r.frost, b.Committed, 0, out)
}

// askRow asks for the row of an object that a transaction which was committed holds still: whether that was before it was
// frozen, and others may have changed since what it set, or after, only the row says. false: there is none to ask for.
func (s *State) askRow(f *frost, out *wire.Outbox) bool {
	o := s.objects[f.id]
	if o == nil || o.writer() == nil {
		return false
	}
	f.asked = true
	out.SendTo(database, s.self, &wire.DBGet{Context: s.ask(&dbRequest{frost: f}), DO: f.id})
	return true
}

// adopt gives an object what its row has of what a transaction set that was committed.
func (s *State) adopt(f *frost, b *wire.DBObject, out *wire.Outbox) {
	o := s.objects[f.id]
	if f.over {
		return
	}
	if o == nil {
		s.settleFrost(f, true, b.Row, out)
		return
	}
	var differ fields.MapBuilder
	for it := f.fields.Iter(); it.Next(); { // ascending
		field := o.class.Field(it.Number())
		if v, ok := b.Fields.Get(it.Number()); ok && field != nil && field.Slot >= 0 && !bytes.Equal(v, o.value(field.Slot)) {
			_ = differ.Add(it.Number(), v)
		}
	}
	f.fields = differ.Map()
	s.settleFrost(f, true, b.Row, out)
}

// settleFrost ends what a transaction held still, and goes on with what waited.
func (s *State) settleFrost(f *frost, committed bool, row uint64, out *wire.Outbox) {
	p := s.parked[f.id]
	s.melt(p, f, committed, row, out)
	if f.owes {
		out.SendTo(database, s.self, &wire.Thawed{Tx: f.tx, DO: f.id})
	}
	s.releaseFrozen(p, out)
}

// undecided is called when the question for an outcome was not answered: it is asked again.
func (f *frost) undecided(now int64) { f.asked, f.at = false, now }
