package database

import (
	"fmt"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// transaction is one over several objects, on its way. The role coordinates it: nothing is written before every object
// is held still by its State, so that rows and memory agree; then the backend decides, once; then the States are told.
// While two share an object, the later one waits, so that none waits for an object that another holds.
type transaction struct {
	id     do.ID
	askers []*request // of the transaction itself; more than one if it is asked for again
	asks   []*request // of its outcome
	parts  []wire.DBPart
	behind int // objects at which an earlier transaction stands

	step    txStep
	at      int64    // when step began, or that it is not known whether it is done
	ready   []bool   // the parts whose State has answered in this step
	left    int      // how many have not
	epochs  []uint32 // as the States told them
	refusal *wire.Failed
	rows    []uint64 // versions after the commit; 0: not known
	again   bool     // it was done before the answer that says so: at an attempt that had none, or long ago
}

// txStep is how far a transaction is.
type txStep uint8

const (
	txWaits   txStep = iota // for earlier ones
	txFreezes               // its objects are to be held still
	txRuns                  // in the backend; from here on it can be committed
	txThaws                 // it is decided; the States are to end what they held
)

// transact takes a transaction on (DESIGN section 8).
func (s *State) transact(m *wire.Message, b *wire.DBTransact, out *wire.Outbox) error {
	if t := s.txs[b.Tx]; t != nil {
		s.counters.Requests++
		t.askers = append(t.askers, &request{from: m.From, context: b.Context, of: b.Type(), id: b.Tx, at: s.now})
		return nil
	}
	r, err := s.come(m, b.Context, b.Tx, out)
	if err != nil {
		return err
	}
	if text := malformedTransaction(b); text != "" {
		return s.fail(r, wire.CodeMalformed, text, out)
	}
	t := &transaction{
		id: b.Tx, parts: b.Parts, askers: []*request{r},
		ready: make([]bool, len(b.Parts)), epochs: make([]uint32, len(b.Parts)), rows: make([]uint64, len(b.Parts)),
	}
	s.txs[b.Tx] = t
	s.txOrder = append(s.txOrder, t)
	for i := range t.parts {
		id := t.parts[i].DO
		if len(s.lanes[id]) > 0 {
			t.behind++
		}
		s.lanes[id] = append(s.lanes[id], t)
	}
	if t.behind == 0 {
		s.freeze(t, out)
	}
	return nil
}

// malformedTransaction says what is wrong with one whatever the objects are.
func malformedTransaction(b *wire.DBTransact) string {
	op := Op{Kind: OpTransact, ID: b.Tx}
	for i := range b.Parts {
		p := &b.Parts[i]
		if p.DO.IsZero() {
			return fmt.Sprintf("part %d has no id", i)
		}
		if text := malformed(&wire.DBSet{Fields: p.Fields, Expect: p.Expect}); text != "" {
			return fmt.Sprintf("part %d: %s", i, text)
		}
		op.Parts = append(op.Parts, Op{Kind: OpSet, ID: p.DO})
	}
	if err := CheckParts(&op); err != nil {
		return strings.TrimPrefix(err.Error(), ErrValue.Error()+": ")
	}
	return ""
}

// enter begins a step, in which each part's State has to answer.
func (s *State) enter(t *transaction, step txStep) {
	t.step, t.at, t.left = step, s.now, len(t.parts)
	clear(t.ready)
}

// freeze has the States hold the objects still.
func (s *State) freeze(t *transaction, out *wire.Outbox) {
	s.enter(t, txFreezes)
	for i := range t.parts {
		p := &t.parts[i]
		out.SendTo(do.ObjectChannel(p.DO), service, &wire.Freeze{Tx: t.id, DO: p.DO, Fields: p.Fields, By: t.askers[0].from})
	}
}

// heard notes the answer of a part's State in a step, and reports whether it was awaited.
func (s *State) heard(tx, id do.ID, step txStep) (t *transaction, part int) {
	t = s.txs[tx]
	if t == nil || t.step != step {
		return nil, 0
	}
	for i := range t.parts {
		if t.parts[i].DO == id && !t.ready[i] {
			t.ready[i] = true
			t.left--
			return t, i
		}
	}
	return nil, 0
}

// frozen takes a State's word that an object is still. One that comes too late is not answered here: the end of the
// transaction was sent after the order to freeze.
func (s *State) frozen(b *wire.Frozen, out *wire.Outbox) {
	t, i := s.heard(b.Tx, b.DO, txFreezes)
	if t == nil {
		return
	}
	if b.Code != wire.CodeOK {
		s.refuse(t, &wire.Failed{DO: b.DO, Code: b.Code, Text: b.Text}, out)
		return
	}
	t.epochs[i] = b.Epoch
	if t.left > 0 {
		return
	}
	op := Op{Kind: OpTransact, ID: t.id, Parts: make([]Op, len(t.parts))}
	for i := range t.parts {
		p := &t.parts[i]
		op.Parts[i] = Op{Kind: OpSet, ID: p.DO, Epoch: t.epochs[i], Expect: p.Row, Fields: p.Fields, Equals: p.Expect, Empty: p.Absent, Initial: true}
	}
	t.step = txRuns
	s.enqueue(&request{of: wire.TypeDBTransact, class: wire.AnyClass, at: s.now, op: op, tx: t})
}

// refuse ends a transaction of which nothing was done.
func (s *State) refuse(t *transaction, f *wire.Failed, out *wire.Outbox) {
	t.refusal = f
	if t.step == txWaits {
		s.end(t, out)
		return
	}
	s.thaw(t, out)
}

// ran takes what the backend made of a transaction. That the database went away leaves open whether it is done: it is
// asked for again when the database is back, and done once. That it takes no writes then says nothing of the first time.
func (s *State) ran(r *request, res *wire.DBResult, out *wire.Outbox) {
	t := r.tx
	if res.Code == wire.CodeAway || r.doubted && takesNone(res.Code) {
		s.doubt(r)
		return
	}
	if res.Code != wire.CodeOK {
		f := &wire.Failed{Code: res.Code, Text: res.Text, Fields: res.Fields, DO: t.id}
		if len(res.Rows) == 1 {
			f.DO = res.Rows[0].DO
		}
		s.refuse(t, f, out)
		return
	}
	t.again = len(res.Rows) == 0
	for i := range t.parts {
		p := &t.parts[i]
		if t.again {
			break // what it set may have been changed since, and was told
		}
		for _, row := range res.Rows {
			if row.DO == p.DO {
				t.rows[i] = row.Row
			}
		}
		if p.Fields.Len() > 0 {
			out.SendTo(do.Record(p.DO), t.askers[0].from, &wire.DBChanged{DO: p.DO, Row: t.rows[i], Fields: p.Fields})
		}
	}
	s.thaw(t, out)
}

// thaw tells the States what was decided.
func (s *State) thaw(t *transaction, out *wire.Outbox) {
	s.enter(t, txThaws)
	for i := range t.parts {
		out.SendTo(do.ObjectChannel(t.parts[i].DO), service, &wire.Thaw{
			Tx: t.id, DO: t.parts[i].DO, Committed: t.refusal == nil, Row: t.rows[i], Again: t.again,
		})
	}
	s.tellOutcomes(t, out)
}

// thawed takes a State's word that it has applied what was decided; after the last the asker has its answer, so that it
// never overtakes the effects.
func (s *State) thawed(b *wire.Thawed, out *wire.Outbox) {
	if t, _ := s.heard(b.Tx, b.DO, txThaws); t != nil && t.left == 0 {
		s.end(t, out)
	}
}

// end answers, and lets those that waited begin.
func (s *State) end(t *transaction, out *wire.Outbox) {
	delete(s.txs, t.id)
	for _, r := range t.askers {
		if t.refusal == nil {
			s.counters.Transactions++
			s.done(r, 0, out)
			continue
		}
		f := *t.refusal
		f.Context, f.Of = r.context, r.of
		s.counters.Refused++
		out.SendTo(r.from, service, &f)
	}
	s.tellOutcomes(t, out)
	s.leaveLanes(t, out)
}

// leaveLanes takes a transaction from the lanes of its objects.
func (s *State) leaveLanes(t *transaction, out *wire.Outbox) {
	var free []*transaction
	for i := range t.parts {
		id := t.parts[i].DO
		lane := s.lanes[id]
		for j, other := range lane {
			if other != t {
				continue
			}
			lane = append(lane[:j:j], lane[j+1:]...)
			if j == 0 && len(lane) > 0 {
				if lane[0].behind--; lane[0].behind == 0 {
					free = append(free, lane[0])
				}
			}
			break
		}
		if s.lanes[id] = lane; len(lane) == 0 {
			delete(s.lanes, id)
		}
	}
	for _, next := range free {
		s.freeze(next, out)
	}
}

// outcome answers what became of a transaction, once that is decided. What is not known here the database knows; if it
// does not, the question decides that it is never done.
func (s *State) outcome(m *wire.Message, b *wire.DBOutcome, out *wire.Outbox) error {
	t := s.txs[b.Tx]
	if t == nil {
		r, err := s.come(m, b.Context, b.Tx, out)
		if err != nil {
			return err
		}
		if b.Tx.IsZero() {
			return s.fail(r, wire.CodeMalformed, "no id", out)
		}
		s.askBackend(r, b.Tx)
		return nil
	}
	r := &request{from: m.From, context: b.Context, of: b.Type(), id: b.Tx, about: b.Tx, class: wire.AnyClass, at: s.now}
	switch {
	case t.step != txThaws:
		t.asks = append(t.asks, r)
	case t.refusal == nil:
		s.tellOutcome(r, true, out)
	default:
		s.refusedOutcome(r, out)
	}
	return nil
}

// askBackend has the database say what became of a transaction, or decide it.
func (s *State) askBackend(r *request, tx do.ID) {
	r.op, r.id, r.about = Op{Kind: OpOutcome, ID: tx}, do.ID{}, tx
	s.enqueue(r)
}

// refusedOutcome is askBackend for one that was refused here: it may have been done before it was asked for again.
func (s *State) refusedOutcome(r *request, out *wire.Outbox) {
	if s.away {
		_ = s.fail(r, wire.CodeAway, "", out)
		return
	}
	s.askBackend(r, r.about)
}

// tellOutcomes answers those who asked while it was not decided.
func (s *State) tellOutcomes(t *transaction, out *wire.Outbox) {
	for _, r := range t.asks {
		if t.refusal == nil {
			s.tellOutcome(r, true, out)
			continue
		}
		s.refusedOutcome(r, out)
	}
	t.asks = nil
}

func (s *State) tellOutcome(r *request, committed bool, out *wire.Outbox) {
	out.SendTo(r.from, service, &wire.DBDecided{Context: r.context, Tx: r.about, Committed: committed})
}

// txCheck is how often transactions are looked at for States that do not answer, in nanoseconds.
const txCheck = 100e6

// expireTransactions gives up on States that do not answer: before the backend was asked nothing is done then; after it
// the asker is answered all the same, and the State will ask for the outcome.
func (s *State) expireTransactions(out *wire.Outbox) {
	if len(s.txOrder) == 0 || s.now < s.nextTxCheck {
		return
	}
	s.nextTxCheck = s.now + txCheck
	if !s.away && s.refusal.code == wire.CodeOK {
		s.askAgain(int64(txAgain))
	}
	list := s.txOrder
	s.txOrder = nil
	for _, t := range list {
		if s.txs[t.id] != t {
			continue
		}
		s.expireAsks(t, out)
		late := s.now-t.at >= int64(s.cfg.FreezeTimeout)
		switch {
		case t.step == txFreezes && late:
			s.refuse(t, &wire.Failed{DO: t.silent(), Code: wire.CodeTimeout, Text: "its state server does not answer"}, out)
		case t.step == txThaws && late:
			s.end(t, out)
			continue
		}
		s.txOrder = append(s.txOrder, t)
	}
}

// expireAsks answers those who have waited for long for the outcome of a transaction that is not decided: they ask again,
// and do not gather while the database is away.
func (s *State) expireAsks(t *transaction, out *wire.Outbox) {
	for len(t.asks) > 0 && s.now-t.asks[0].at >= int64(s.cfg.FreezeTimeout) {
		_ = s.fail(t.asks[0], wire.CodeTimeout, "it is not decided yet", out)
		t.asks = t.asks[1:]
	}
}

// silent is an object whose State has not answered.
func (t *transaction) silent() do.ID {
	for i, ok := range t.ready {
		if !ok {
			return t.parts[i].DO
		}
	}
	return t.id
}

// giveUpTransactions ends those that the backend was not asked for: the database is away.
func (s *State) giveUpTransactions(text string, out *wire.Outbox) {
	for _, t := range s.txOrder {
		if s.txs[t.id] == t && (t.step == txWaits || t.step == txFreezes) {
			s.refuse(t, &wire.Failed{DO: t.id, Code: wire.CodeAway, Text: text}, out)
		}
	}
}

// doubt keeps a transaction of which it is not known whether it is done.
func (s *State) doubt(r *request) {
	r.doubted, r.tx.at = true, s.now
	s.unsure = append(s.unsure, r)
}

// txAgain is when a transaction that had no outcome is asked for again where the database is not known to be away.
const txAgain = time.Second

// askAgain gives the backend those transactions again of which it has not been known for so long whether they are done.
func (s *State) askAgain(long int64) {
	list := s.unsure
	s.unsure = nil
	for _, r := range list {
		if s.now-r.tx.at < long {
			s.unsure = append(s.unsure, r)
			continue
		}
		s.enqueue(r)
	}
}

// list lists the objects of exactly one class.
func (s *State) list(m *wire.Message, b *wire.DBList, out *wire.Outbox) error {
	r, err := s.come(m, b.Context, do.ID{}, out)
	if err != nil {
		return err
	}
	class := s.schema.ByNumber(b.Class)
	switch {
	case class == nil:
		return s.fail(r, wire.CodeNoClass, "", out)
	case !stores(class):
		return s.fail(r, wire.CodeNoClass, class.Name()+" has no db field", out)
	}
	order, code, text := orderOf(class, b.Order)
	if code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	r.class = b.Class
	r.op = Op{Kind: OpList, Limit: pageOf(b.Limit), After: b.After, All: true, Order: order}
	s.enqueue(r)
	return nil
}

// pageOf is how many objects a find or list that asks for limit has at most.
func pageOf(limit uint32) int {
	if limit == 0 {
		return findLimit
	}
	return int(min(limit, MaxPage))
}
