package stateserver

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// database is where the database role listens.
var database = do.Control(do.RoleDatabase)

// writer stands between an object and its row: what was set of its db fields is gathered here and written behind, one
// message at a time, so that the writes of one object are in order. It outlives the object until all is written.
type writer struct {
	id      do.ID
	class   uint32
	row     uint64        // the row's version as last heard; 0: whatever it is
	dirty   []fields.Pair // ascending by number, the values its own; a nil value removes
	flying  []fields.Pair // on their way to the database
	request uint32        // their context, 0: nothing is on its way
	since   int64         // the time of the oldest change in dirty
	queued  bool          // it is in State.dirty
	gone    bool          // the object is not in memory any more
	used    int64         // when the last message for the object came; kept with Config.IdleUnload only

	turn    uint64 // counts what was sent
	waiters []turnWaiter
}

// waiter is an answer that waits until the database has what was asked (Commit, Unload).
type waiter struct {
	request
	version do.Version
	left    int  // writers that have yet to report
	failed  bool // it was answered by a failure
}

// turnWaiter waits for the writer's turn.
type turnWaiter struct {
	*waiter
	turn uint64
}

// pending reports whether not all is in the database.
func (w *writer) pending() bool { return len(w.dirty) > 0 || w.request != 0 }

// dbRequest is a request to the database that has no answer yet.
type dbRequest struct {
	at      int64
	writer  *writer  // a write behind
	parking *parking // a load, a dormant set, a unique value, or a deletion
	frost   *frost   // what became of a transaction
}

// ask notes a request to the database and gives it its context.
func (s *State) ask(r *dbRequest) uint32 {
	context := s.newContext()
	r.at = s.now
	s.requests[context] = r
	s.sent = append(s.sent, context)
	return context
}

// newContext is never 0, which is that of a question without an answer, and of a writer that has nothing on its way.
func (s *State) newContext() uint32 {
	if s.contexts++; s.contexts == 0 {
		s.contexts = 1
	}
	return s.contexts
}

// answered takes the request of a context back, nil if it was answered before.
func (s *State) answered(context uint32) *dbRequest {
	r := s.requests[context]
	delete(s.requests, context)
	return r
}

// write gathers a value for the row; nil removes it.
func (s *State) write(w *writer, n fields.Number, v []byte) {
	i, found := slices.BinarySearchFunc(w.dirty, n, func(p fields.Pair, n fields.Number) int { return cmp.Compare(p.Number, n) })
	switch {
	case !found:
		w.dirty = slices.Insert(w.dirty, i, fields.Pair{Number: n, Value: slices.Clone(v)})
	case v == nil:
		w.dirty[i].Value = nil
	default:
		w.dirty[i].Value = append(w.dirty[i].Value[:0], v...)
	}
	if w.since == 0 {
		w.since = s.now
	}
	s.enqueue(w)
}

// enqueue puts a writer that has something to send among those whose turn comes with the next write.
func (s *State) enqueue(w *writer) {
	if !w.queued && w.request == 0 && len(w.dirty) > 0 {
		w.queued = true
		s.dirty = append(s.dirty, w)
	}
}

// writeDue sends what was gathered, oldest first, once in WriteInterval; while the database is away, less often.
func (s *State) writeDue(out *wire.Outbox) {
	if len(s.dirty) == 0 || s.now < s.nextWrite {
		return
	}
	s.nextWrite = s.now + int64(s.cfg.WriteInterval)
	list := s.dirty
	s.dirty = nil
	for _, w := range list {
		w.queued = false
		s.send(w, out)
	}
}

// send writes what is dirty, if nothing is on its way.
func (s *State) send(w *writer, out *wire.Outbox) {
	if w.request != 0 || len(w.dirty) == 0 {
		return
	}
	w.flying, w.dirty = w.dirty, nil
	w.turn++
	w.request = s.ask(&dbRequest{writer: w})
	set := &wire.DBSet{Context: w.request, DO: w.id, Epoch: s.cfg.Epoch, Row: w.row}
	set.Fields, set.Delete = split(w.flying)
	out.SendTo(database, s.self, set)
}

// split parts what is set from what is removed.
func split(pairs []fields.Pair) (set fields.Map, remove []fields.Number) {
	var sets []fields.Pair
	for _, p := range pairs {
		if p.Value == nil {
			remove = append(remove, p.Number)
		} else {
			sets = append(sets, p)
		}
	}
	return fields.MapOf(sets...), remove
}

// await answers w when the database has all that the writers have gathered until now.
func (s *State) await(w *waiter, out *wire.Outbox, writers ...*writer) {
	var seen []*writer
	for _, wr := range writers {
		if wr == nil || !wr.pending() || slices.Contains(seen, wr) {
			continue
		}
		seen = append(seen, wr)
		turn := wr.turn
		if len(wr.dirty) > 0 {
			turn++
		}
		wr.waiters = append(wr.waiters, turnWaiter{w, turn})
		w.left++
		if s.backoff == 0 {
			s.send(wr, out) // somebody waits; while a batch is being written others gather at the database role
		}
	}
	if w.left == 0 {
		s.reportWritten(w, 0, out)
		return
	}
	s.commits++
}

// errCommits is why a commit is refused.
const errCommits = "too many commits wait for the database"

// refusing is why the database takes no writes to the table of a class. While it is there, a write that was not taken waits,
// and the next one that is taken, or refused for another reason, ends it.
type refusing struct {
	code wire.Code
	text string
}

// mayCommit says why no more answers may wait for the database: too many do, or it takes no writes of the class.
func (s *State) mayCommit(class uint32) (wire.Code, string) {
	if s.commits >= s.cfg.MaxCommits {
		return wire.CodeOverload, errCommits
	}
	r := s.refusing[class]
	return r.code, r.text
}

// reportWritten sends the answer that waited.
func (s *State) reportWritten(w *waiter, row uint64, out *wire.Outbox) {
	if w.context == 0 || w.failed {
		return
	}
	out.SendTo(w.from, s.speaker(w.id), &wire.Done{Context: w.context, Of: w.of, DO: w.id, Version: w.version, Row: row})
}

// landed answers those who waited for what was on its way. Code 0: it is in the database.
func (s *State) landed(w *writer, code wire.Code, text string, out *wire.Outbox) {
	w.flying, w.request = nil, 0
	waiters := w.waiters
	w.waiters = nil
	for _, tw := range waiters {
		if tw.turn > w.turn {
			w.waiters = append(w.waiters, tw)
			continue
		}
		tw.left--
		switch {
		case code != wire.CodeOK && !tw.failed:
			tw.failed = true
			s.commits--
			_ = s.fail(tw.waiter.request, code, text, out)
		case tw.left == 0 && !tw.failed:
			s.commits--
			s.reportWritten(tw.waiter, w.row, out)
		}
	}
	w.since = 0
	if len(w.dirty) > 0 {
		w.since = s.now
		s.enqueue(w)
		return
	}
	s.drained(w, out)
}

// drained goes on with what waited for the writes of an object.
func (s *State) drained(w *writer, out *wire.Outbox) {
	if w.gone {
		delete(s.writers, w.id)
	}
	p := s.parked[w.id]
	switch {
	case p == nil:
	case p.step == parkFrozen:
		if f := p.frosts[w.id]; f != nil && f.draining {
			s.still(f, out)
		}
	case p.step != parkDrain:
	case p.held != nil:
		s.askUnique(p, out)
	case p.erase != nil:
		s.askErase(p, out)
	default:
		s.fetch(p, out)
	}
}

// retire is called when the object goes: what it has gathered is still written.
func (s *State) retire(w *writer) {
	w.gone = true
	if !w.pending() {
		delete(s.writers, w.id)
	}
}

// written takes Done of a write.
func (s *State) written(b *wire.Done, out *wire.Outbox) {
	r := s.answered(b.Context)
	if r == nil {
		return
	}
	s.backoff = 0
	if p := r.parking; p != nil {
		s.accepted(p, b.Row, out)
		return
	}
	if r.writer == nil {
		return // no answer to what was asked
	}
	s.counters.Writes++
	delete(s.refusing, r.writer.class)
	r.writer.row = b.Row
	s.landed(r.writer, wire.CodeOK, "", out)
}

// ErrLost is wrapped by the error about a value that was accepted and that the database will not have: it refuses it for
// good, because of a constraint that somebody else put on the table, for example. It stays in memory only.
var ErrLost = errors.New("not written")

// dbFailed takes the refusal of a request to the database.
func (s *State) dbFailed(b *wire.Failed, out *wire.Outbox) error {
	r := s.answered(b.Context)
	if r == nil {
		return nil
	}
	newer := b.Code == wire.CodeEpoch
	s.deposed = newer
	lost := s.counters.Lost
	s.dbRefused(r, b.Code, b.Text, out)
	if newer {
		s.depose(out)
	} else if s.counters.Lost > lost {
		return fmt.Errorf("%w: %w", ErrLost, &Refusal{Of: wire.TypeDBSet, DO: r.writer.id, Code: b.Code, Text: b.Text})
	}
	return nil
}

// dbRefused decides what becomes of a request that was not done. A write behind is sent again while the database is
// away, and when somebody else wrote the row: the State owns the object, so its values stand (rule 138).
func (s *State) dbRefused(r *dbRequest, code wire.Code, text string, out *wire.Outbox) {
	switch {
	case r.parking != nil:
		s.parkRefused(r.parking, code, text, out)
		return
	case r.frost != nil && code == wire.CodeNoObject && !r.frost.over:
		s.settleFrost(r.frost, false, 0, out) // it has no row any more
		return
	case r.frost != nil:
		r.frost.undecided(s.now)
		return
	}
	w := r.writer
	switch code {
	case wire.CodeAway, wire.CodeNotReady, wire.CodeOverload, wire.CodeTimeout, wire.CodeLinkLost:
		s.retreat()
	case wire.CodeReadOnly, wire.CodeDiskFull:
		s.refusing[w.class] = refusing{code, text}
		s.retreat()
		s.refuseFrozen(w, code, text, out)
	case wire.CodeConflict:
		w.row = 0
	default:
		delete(s.refusing, w.class)
		s.counters.Lost++
		s.landed(w, code, text, out)
		return
	}
	w.regather()
	w.request = 0
	s.enqueue(w)
}

// retreat makes the next attempt wait, longer each time, up to a second.
func (s *State) retreat() {
	s.backoff = min(max(2*s.backoff, int64(s.cfg.WriteInterval)), int64(time.Second))
	s.nextWrite = s.now + s.backoff
}

// regather puts what did not arrive back behind what was set since. It goes out under another turn, for which
// those who waited for it wait now.
func (w *writer) regather() {
	for _, p := range w.flying {
		i, found := slices.BinarySearchFunc(w.dirty, p.Number, func(p fields.Pair, n fields.Number) int { return cmp.Compare(p.Number, n) })
		if !found {
			w.dirty = slices.Insert(w.dirty, i, p)
		}
	}
	w.flying = nil
	w.turn--
	for i := range w.waiters {
		w.waiters[i].turn = w.turn + 1
	}
}

// expireRequests gives up on answers that do not come: the database, or the way to it, was lost.
func (s *State) expireRequests(out *wire.Outbox) {
	for len(s.sent) > 0 {
		r := s.requests[s.sent[0]]
		if r != nil {
			if s.now-r.at < int64(s.cfg.AnswerTimeout) {
				return
			}
			delete(s.requests, s.sent[0])
			s.dbRefused(r, wire.CodeTimeout, "no answer from the database", out)
		}
		s.sent = s.sent[1:]
	}
}

// lag is how many objects have something to write, and for how long the oldest has.
func (s *State) lag() (n uint64, nanos int64) {
	n = uint64(len(s.dirty) + len(s.requests))
	if len(s.dirty) > 0 {
		nanos = s.now - s.dirty[0].since
	}
	for _, context := range s.sent {
		if r := s.requests[context]; r != nil {
			return n, max(nanos, s.now-r.at)
		}
	}
	return n, nanos
}
