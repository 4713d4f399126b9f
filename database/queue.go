package database

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// line is the requests about one object: each is begun only when those before it are done, or in the same batch,
// which runs in order. So none is overtaken (rule 149). A find has a line of its own.
type line struct {
	id      do.ID
	waiting []*request
	busy    bool // a batch that is under way has requests of it
}

// batch is what one transaction of the backend has.
type batch struct {
	requests []*request // as the operations
	lines    []*line    // they are from
}

// enqueue puts a request at the end of its line.
func (s *State) enqueue(r *request) {
	s.waiting++
	s.open++
	l := s.lines[r.id]
	if r.id.IsZero() || l == nil {
		l = &line{id: r.id}
		if !r.id.IsZero() {
			s.lines[r.id] = l
		}
	}
	l.waiting = append(l.waiting, r)
	if !l.busy && len(l.waiting) == 1 {
		s.ready = append(s.ready, l)
	}
}

// makeWork gives the backend what it may do now: first to come back, then a change of the schema, for which all
// batches must have ended, then batches.
func (s *State) makeWork(out *wire.Outbox) {
	if !s.known || s.away {
		s.readSchema()
		return
	}
	if s.reading != 0 || s.writing != 0 || s.offerSchema(out) {
		return
	}
	s.probe()
	for len(s.batches) < s.cfg.Workers && len(s.ready) > 0 {
		s.makeBatch()
	}
}

// makeBatch takes requests off the lines that are ready, in order, up to the size of a batch.
func (s *State) makeBatch() {
	b := &batch{}
	w := Work{Kind: WorkBatch, Schema: s.schema}
	taken := 0
	for _, l := range s.ready {
		if len(b.requests) >= s.cfg.Batch {
			break
		}
		n := l.take(s.cfg.Batch - len(b.requests))
		b.requests = append(b.requests, l.waiting[:n]...)
		l.waiting = slices.Delete(l.waiting, 0, n)
		l.busy = true
		b.lines = append(b.lines, l)
		taken++
	}
	s.ready = slices.Delete(s.ready, 0, taken)
	s.waiting -= len(b.requests)
	w.Ops = make([]Op, len(b.requests))
	for i, r := range b.requests {
		w.Ops[i] = r.op
		w.Ops[i].Class = s.schema.ByNumber(r.class)
	}
	w.Number = s.number()
	s.batches[w.Number] = b
	s.work = append(s.work, w)
}

// take is how many of the first requests may go into one batch: a question ends it, since what follows waits for
// what comes of the answer.
func (l *line) take(room int) int {
	n := min(room, len(l.waiting))
	for i, r := range l.waiting[:n] {
		if r.mayComeBack() {
			return i + 1
		}
	}
	return n
}

// mayComeBack reports whether the outcome of the request may be that the backend is asked a second time.
func (r *request) mayComeBack() bool { return r.set != nil && !r.understood }

// number is a new number of work.
func (s *State) number() uint32 {
	s.works++
	if s.works == 0 {
		s.works = 1
	}
	return s.works
}

// free ends what a batch has of its lines: those with waiting requests are ready again.
func (s *State) free(b *batch) {
	for _, l := range b.lines {
		l.busy = false
		switch {
		case len(l.waiting) > 0:
			s.ready = append(s.ready, l)
		case !l.id.IsZero():
			delete(s.lines, l.id)
		}
	}
}

// again puts a request back to the front of its line.
func (s *State) again(b *batch, r *request) {
	for _, l := range b.lines {
		if l.id == r.id {
			l.waiting = slices.Insert(l.waiting, 0, r)
			s.waiting++
			return
		}
	}
}

// giveUp answers every request that waits for a line that is not busy: the database is away, and who asked tries
// again. Those behind a batch that is still under way are given up when it ends. A transaction that may be done already is
// kept.
func (s *State) giveUp(text string, out *wire.Outbox) {
	s.reason = text
	for _, l := range s.ready {
		for _, r := range l.waiting {
			s.open--
			if r.doubted {
				s.doubt(r)
				continue
			}
			if r.tx != nil {
				s.refuse(r.tx, &wire.Failed{DO: r.tx.id, Code: wire.CodeAway, Text: text}, out)
				continue
			}
			_ = s.fail(r, wire.CodeAway, text, out)
		}
		s.waiting -= len(l.waiting)
		if !l.id.IsZero() {
			delete(s.lines, l.id)
		}
	}
	s.ready = nil
	for _, o := range s.offers {
		_ = s.fail(&o.request, wire.CodeAway, text, out)
	}
	s.offers = nil
	s.giveUpTransactions(text, out)
}
