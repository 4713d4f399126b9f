package database

import (
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// worked answers the requests of a batch.
func (s *State) worked(b *wire.DBWorked, out *wire.Outbox) error {
	if b.Work != 0 && b.Work == s.refusal.probe {
		s.probed(b, out)
		return nil
	}
	done := s.batches[b.Work]
	if done == nil {
		return fmt.Errorf("database: outcome of work %d, which is not under way: %w", b.Work, ErrUnexpected)
	}
	delete(s.batches, b.Work)
	code, text := b.Code, b.Text
	if code == wire.CodeOK && len(b.Results) != len(done.requests) {
		code, text = wire.CodeAway, fmt.Sprintf("%d results for %d operations", len(b.Results), len(done.requests))
	}
	if code == wire.CodeOK {
		s.counters.Batches++
		s.counters.LastBatch = uint64(len(done.requests))
		s.counters.Operations += uint64(len(done.requests))
		s.heedRefusals(done, b.Results)
		for i, r := range done.requests {
			s.result(done, r, &b.Results[i], out)
		}
	} else {
		s.away = true
		s.counters.Failures++
		for _, r := range done.requests {
			s.open--
			if r.tx != nil {
				s.doubt(r)
				continue
			}
			_ = s.fail(r, wire.CodeAway, text, out)
		}
	}
	s.free(done)
	if s.away {
		s.giveUp(text, out)
	}
	return nil
}

// result answers a request, or makes it an operation now that the class of its object is known.
func (s *State) result(b *batch, r *request, res *wire.DBResult, out *wire.Outbox) {
	class := s.schema.ByNumber(res.Class)
	comesBack := r.mayComeBack() && (r.asks && res.Code == wire.CodeOK || !r.asks && res.Code == wire.CodeNoField && class != nil)
	if comesBack {
		code, text := wire.CodeNoClass, ""
		if class != nil {
			code, text = r.understand(class)
		}
		if code == wire.CodeOK {
			s.again(b, r)
			return
		}
		res = &wire.DBResult{Code: code, Text: text}
	}
	s.open--
	if r.tx != nil {
		s.ran(r, res, out)
		return
	}
	if res.Code != wire.CodeOK {
		_ = s.failWith(r, &wire.Failed{Code: res.Code, Text: res.Text, Fields: res.Fields}, out)
		return
	}
	s.answer(r, res, out)
}

// answer tells the asker of a request what came of it, and those who listen to the object's record what changed.
func (s *State) answer(r *request, res *wire.DBResult, out *wire.Outbox) {
	switch r.of {
	case wire.TypeDBGet:
		out.SendTo(r.from, service, &wire.DBObject{Context: r.context, DO: r.id, Class: res.Class, Row: res.Row, Fields: res.Fields})
		return
	case wire.TypeDBFind, wire.TypeDBList:
		out.SendTo(r.from, service, &wire.DBFound{Context: r.context, Objects: found(r.class, res.Rows)})
		return
	case wire.TypeDBOutcome:
		s.tellOutcome(r, res.Row != 0, out)
		return
	case wire.TypeDBSet:
		announceSet(r, res.Row, out)
	case wire.TypeDBDelete:
		out.SendTo(do.Record(r.id), r.from, &wire.DBChanged{DO: r.id, Row: res.Row, Gone: true})
	}
	s.done(r, res.Row, out)
}

// announceSet tells what a set wrote and what it removed, apart, in the name of who asked (rules 145, 148).
func announceSet(r *request, row uint64, out *wire.Outbox) {
	if r.op.Kind != OpSet {
		return
	}
	if r.op.Fields.Len() > 0 {
		out.SendTo(do.Record(r.id), r.from, &wire.DBChanged{DO: r.id, Row: row, Fields: r.op.Fields})
	}
	if len(r.op.Unset) > 0 {
		out.SendTo(do.Record(r.id), r.from, &wire.DBChanged{DO: r.id, Row: row, Removed: r.op.Unset})
	}
}

// found is rows as objects of a class.
func found(class uint32, rows []wire.DBRow) []wire.DBObject {
	var list []wire.DBObject
	for _, row := range rows {
		list = append(list, wire.DBObject{DO: row.DO, Class: class, Row: row.Row, Fields: row.Fields})
	}
	return list
}
