package sim

import (
	"context"
	"errors"
	"slices"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// What must hold of transactions over several objects, whoever dies when: each is done once or not at all, as who asked
// was told; the sums of gold and of things never change; what one sets is broadcast if and only if it is done, once.

// trade is one transaction over purses. Its number is what it sets in their field Last.
type trade struct {
	number    uint64
	tx        do.ID
	body      []wire.DBPart
	parts     []do.ID // that it sets something of
	asker     do.Channel
	role      *databaseRole // who coordinated it first
	at        int64
	again     bool // it was asked for more than once
	asked     int  // questions without an answer
	committed int  // which in the order of all that were done; 0: it was not
	refused   bool // somebody was told that it is not done
	told      map[do.ID]bool
}

// trades are all there were.
type trades struct {
	w         *world
	purses    []do.ID // made, or tried to be
	byTx      map[do.ID]*trade
	byNumber  map[uint64]*trade
	order     []*trade
	questions map[question]*trade
	numbers   uint64
	done      int
}

// The purses that are made begin with these.
const (
	purseGold  = 100
	purseItems = 2
)

// witness is the backend; it looks at what is done there.
type witness struct {
	*database.Memory
	w *world
}

// Do does the operations, and looks at the transactions among them.
func (b *witness) Do(ctx context.Context, s *do.Schema, ops []database.Op) ([]database.Result, error) {
	results, err := b.Memory.Do(ctx, s, ops)
	if err != nil {
		return results, err
	}
	wrote := false
	for i := range ops {
		if ops[i].Kind == database.OpTransact && results[i].Err == nil && results[i].Committed {
			b.w.trades.commit(ops[i].ID)
		}
		wrote = wrote || ops[i].Kind == database.OpTransact || ops[i].Kind == database.OpSet
	}
	if wrote {
		b.readDiaries(ctx, s)
		b.w.trades.audit(ctx, b.Memory, s)
	}
	return results, nil
}

// commit notes that a transaction is done now, or was already.
func (l *trades) commit(tx do.ID) {
	t := l.byTx[tx]
	switch {
	case t == nil:
		l.w.problem("transaction %s was done, and nobody asked for it", tx)
	case t.refused:
		l.w.problem("trade %d was done, after somebody was told that it never is", t.number)
	case t.committed == 0:
		l.done++
		t.committed = l.done
		l.w.count.TradesCommitted++
		l.w.perhapsCrash(t)
	}
}

// audit adds up what the rows have: never is anything lost or there twice, and no trade half done.
func (l *trades) audit(ctx context.Context, b *database.Memory, s *do.Schema) {
	class := s.Class("Purse")
	if class == nil {
		return
	}
	ops := make([]database.Op, len(l.purses))
	for i, id := range l.purses {
		ops[i] = database.Op{Kind: database.OpGet, ID: id, All: true}
	}
	results, err := b.Do(ctx, s, ops)
	if err != nil {
		return
	}
	var gold, want int64
	var items, all []uint64
	last := map[do.ID]uint64{}
	for i := range results {
		if results[i].Err != nil {
			continue // there is no such row
		}
		p := readPurse(class, results[i].Fields)
		last[l.purses[i]] = p.Last
		gold, want = gold+p.Gold, want+purseGold
		for _, x := range p.Items {
			items = append(items, uint64(x))
		}
		for n := range uint64(purseItems) {
			all = append(all, uint64(i)*purseItems+n)
		}
	}
	slices.Sort(items)
	if gold != want {
		l.w.problem("the rows have %d gold, and should have %d", gold, want)
	}
	if !slices.Equal(items, all) {
		l.w.problem("the rows have the things %v, and should have %v", items, all)
	}
	for _, id := range l.purses {
		if n := last[id]; n != 0 && (l.byNumber[n] == nil || l.byNumber[n].committed == 0) {
			l.w.problem("the row of %s has trade %d, which was not done", l.w.nameOf(id), n)
		}
	}
}

// readPurse reads the values of a purse.
func readPurse(class *do.Class, m fields.Map) (p Purse) {
	if v := valueOf(m, class.FieldByName("Gold")); v != nil {
		p.Gold, _, _ = fields.ReadInt(v)
	}
	if v := valueOf(m, class.FieldByName("Last")); v != nil {
		p.Last, _, _ = fields.ReadUint(v)
	}
	if v := valueOf(m, class.FieldByName("Items")); v != nil {
		n, rest, _ := fields.ReadArrayHeader(v)
		for range n {
			var x uint64
			x, rest, _ = fields.ReadUint(rest)
			p.Items = append(p.Items, uint16(x))
		}
	}
	return p
}

// observe looks at what is sent about transactions, and at every value that one has set.
func (l *trades) observe(m wire.Message) {
	switch b := m.Body.(type) {
	case *wire.DBTransact:
		l.ask(m, b)
	case *wire.Freeze:
		l.passes(b.Tx)
	case *wire.Frozen:
		l.passes(b.Tx)
	case *wire.Thaw:
		l.passes(b.Tx)
	case *wire.Thawed:
		l.passes(b.Tx)
	case *wire.Done:
		if t := l.answered(m, b.Context); t != nil && t.committed == 0 {
			l.w.problem("who asked for trade %d was told that it is done, and it is not", t.number)
		}
	case *wire.Failed:
		if t := l.answered(m, b.Context); t != nil {
			l.w.count.TradesRefused++
			if !t.again {
				l.never(t) // else it is about one of the attempts
			}
		}
	case *wire.DBDecided:
		t := l.byTx[b.Tx]
		switch {
		case t == nil:
		case !b.Committed:
			l.never(t)
		case t.committed == 0:
			l.w.problem("somebody was told that trade %d was done, and it is not", t.number)
		}
	case *wire.Update:
		l.update(b)
	case *wire.EnterLocation:
		l.entry(&b.Entry)
	case *wire.EnterAI:
		l.entry(&b.Entry)
	case *wire.EnterOwner:
		l.entry(&b.Entry)
	case *wire.GetAllResp:
		l.entry(&b.Entry)
	}
}

// ask notes a question for a transaction, perhaps not the first.
func (l *trades) ask(m wire.Message, b *wire.DBTransact) {
	class := l.w.schema.Class("Purse")
	t := l.byTx[b.Tx]
	if t == nil {
		t = &trade{role: l.w.db, at: l.w.now, tx: b.Tx, asker: m.From, body: b.Parts, told: map[do.ID]bool{}}
		for i := range b.Parts {
			if b.Parts[i].Fields.Len() > 0 {
				t.parts = append(t.parts, b.Parts[i].DO)
				t.number = readPurse(class, b.Parts[i].Fields).Last
			}
		}
		l.byTx[b.Tx], l.byNumber[t.number] = t, t
		l.order = append(l.order, t)
	} else {
		t.again = true
	}
	t.asked++
	l.questions[question{m.From, b.Context}] = t
	l.w.perhapsCrash(t)
}

// passes notes that a transaction goes on: somebody may die there.
func (l *trades) passes(tx do.ID) {
	if t := l.byTx[tx]; t != nil {
		l.w.perhapsCrash(t)
	}
}

// answered is the transaction that an answer of the database is about, if it is about one.
func (l *trades) answered(m wire.Message, context uint32) *trade {
	if m.From != do.Control(do.RoleDatabase) {
		return nil
	}
	q := question{m.To[0], context}
	t := l.questions[q]
	if t != nil {
		delete(l.questions, q)
		t.asked--
	}
	return t
}

// never notes that somebody was told that a trade is not done.
func (l *trades) never(t *trade) {
	if t.refused = true; t.committed != 0 {
		l.w.problem("somebody was told that trade %d was not done, and it is", t.number)
	}
}

// update checks a broadcast: what a transaction sets is told when it is done, once.
func (l *trades) update(b *wire.Update) {
	if !slices.Contains(l.purses, b.DO) {
		return
	}
	p := readPurse(l.w.schema.Class("Purse"), b.Fields)
	if p.Last == 0 {
		return
	}
	t := l.byNumber[p.Last]
	switch {
	case t == nil || t.committed == 0:
		l.w.problem("%s broadcasts trade %d, which was not done", l.w.nameOf(b.DO), p.Last)
	case t.told[b.DO]:
		l.w.problem("%s broadcasts trade %d twice", l.w.nameOf(b.DO), p.Last)
	default:
		t.told[b.DO] = true
		l.w.count.TradesBroadcast++
	}
}

// entry checks that nobody is shown what a transaction would set that was not done.
func (l *trades) entry(e *wire.Entry) {
	if !slices.Contains(l.purses, e.DO) {
		return
	}
	if n := readPurse(l.w.schema.Class("Purse"), e.Fields).Last; n != 0 && (l.byNumber[n] == nil || l.byNumber[n].committed == 0) {
		l.w.problem("%s is shown with trade %d, which was not done", l.w.nameOf(e.DO), n)
	}
}

// open are the trades that somebody waits for.
func (l *trades) open() (n int) {
	for _, t := range l.order {
		if t.asked > 0 {
			n++
		}
	}
	return n
}

// told checks what the AI that asked was told at last.
func (l *trades) toldAI(a *actor, number uint64, err error) {
	t := l.byNumber[number]
	switch {
	case t == nil: // it did not come so far
	case err == nil && t.committed == 0:
		l.w.problem("%s believes that trade %d was done", a.name, number)
	case err == nil:
	case errors.Is(err, wire.CodeUnknown), errors.Is(err, repository.ErrClosed):
		l.w.count.TradesUnknown++
	case t.committed != 0 && !t.again:
		l.w.problem("%s believes that trade %d was not done: %v", a.name, number, err)
	}
}
