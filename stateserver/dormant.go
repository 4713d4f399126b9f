package stateserver

import (
	"bytes"
	"errors"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// record is an object as the database has it, while messages for it are served from there or it comes to life.
// Nothing else is kept of it: when no message is left it is forgotten.
type record struct {
	number uint32 // of the class
	class  *class // nil: not known yet
	row    uint64
	fields fields.Map
}

// version is what answers about a dormant object carry: no incarnation, and the row's version as n.
func (r *record) version() do.Version { return do.Version{N: uint32(r.row)} }

// activate brings an object of the database to life (rules 125 to 132). One that is alive is refused (rule 128).
func (s *State) activate(m *wire.Message, b *wire.Activate, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	switch {
	case b.DO.IsZero():
		return s.fail(r, wire.CodeMalformed, "no DoID", out)
	case !s.mine(b.DO):
		return s.fail(r, wire.CodeOtherPartition, "", out)
	case s.objects[b.DO] != nil:
		return s.fail(r, wire.CodeActive, "", out)
	case s.cfg.NoDatabase:
		return s.fail(r, wire.CodeNotDB, "there is no database", out)
	}
	if code, text, _, _ := s.surveyAll([]planned{{b.DO, b.Location.Parent, -1}}); code != wire.CodeOK {
		return s.fail(r, code, text, out)
	}
	s.load(m, b.DO, out)
	return nil
}

// askDormant serves a set or get of an object that is not in memory from the database (rules 126, 134), if it can be
// there.
func (s *State) askDormant(m *wire.Message, r request, out *wire.Outbox) error {
	if s.cfg.NoDatabase || r.id.IsZero() || !s.mine(r.id) || s.ghosts.has(r.id) {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	s.load(m, r.id, out)
	return nil
}

// load lets m wait until the object was fetched; writes that are still on their way go before.
func (s *State) load(m *wire.Message, id do.ID, out *wire.Outbox) {
	p := &parking{ids: []do.ID{id}, queue: s.first(m)}
	s.begin(p)
	if w := s.writers[id]; w != nil {
		p.step = parkDrain
		s.send(w, out)
		return
	}
	s.fetch(p, out)
}

func (s *State) fetch(p *parking, out *wire.Outbox) {
	p.step = parkFetch
	out.SendTo(database, s.self, &wire.DBGet{Context: s.ask(&dbRequest{parking: p}), DO: p.ids[0]})
}

// loaded takes the answer of the database.
func (s *State) loaded(b *wire.DBObject, out *wire.Outbox) {
	r := s.answered(b.Context)
	if r != nil && r.frost != nil {
		s.adopt(r.frost, b, out)
		return
	}
	if r == nil || r.parking == nil || r.parking.step != parkFetch {
		return
	}
	s.backoff = 0
	r.parking.record = &record{number: b.Class, row: b.Row, fields: b.Fields}
	s.resume(r.parking, out)
}

// resume serves what waits from the record, until a message has to wait for the database again, or the object is alive
// and takes the rest itself: the effects of its entrance come before theirs (rule 132).
func (s *State) resume(p *parking, out *wire.Outbox) {
	r := p.record
	if r.class = s.class(r.number); r.class == nil {
		if s.last || s.cfg.NoDatabase {
			s.failLoad(p, s.noClass(), "", out)
			return
		}
		s.askSchema(out)
		s.awaitSchema(p, r.number)
		return
	}
	for len(p.queue) > 0 {
		m := p.queue[0]
		if _, ok := m.Body.(*wire.Freeze); ok {
			break // from here on the row may change
		}
		if !s.aside(p, &m, out) && s.serve(p, &m.Message, out) {
			return
		}
		p.queue = p.queue[1:]
		if s.objects[p.ids[0]] != nil {
			break
		}
	}
	s.release(p, out)
}

// aside handles a message that is not about the object that p loads: it waited with that, for a bundle over both. What came
// before it may wait by itself since then, or for a last word: then it waits there, too.
func (s *State) aside(p *parking, m *queued, out *wire.Outbox) bool {
	if id, ok := subject(m.Body); ok && id == p.ids[0] {
		return false
	}
	if f := s.heldBack(&m.Message, out); f != nil {
		_ = s.holdBack(f, &m.Message, out)
	} else if q := s.park(&m.Message, p); q != nil {
		_ = s.wait(q, &m.Message, m.turn, out)
	} else {
		_ = s.dispatch(&m.Message, out)
	}
	return true
}

// serve handles one message for a dormant object and reports whether it waits for the database.
func (s *State) serve(p *parking, m *wire.Message, out *wire.Outbox) (waits bool) {
	r := requestOf(m)
	switch b := m.Body.(type) {
	case *wire.Activate:
		return s.awake(p, m, b, r, out)
	case *wire.SetFields:
		return s.setDormant(p, b, r, out)
	case *wire.DeleteFields:
		return s.deleteDormant(p, b, r, out)
	case *wire.GetField:
		s.getDormant(p.record, []fields.Number{b.Field}, true, r, out)
	case *wire.GetFields:
		s.getDormant(p.record, b.Fields, false, r, out)
	case *wire.GetAll:
		s.getAllDormant(p.record, r, out)
	case *wire.GetClass:
		out.SendTo(r.from, s.speaker(r.id), &wire.GetClassResp{Context: r.context, DO: r.id, Class: p.record.number})
	default:
		// Nothing that is served from the database: the object is not there, unless this creates it.
		_ = s.dispatch(m, out)
	}
	return false
}

// awake makes the object of a record. For required fields the override goes before the database, that before the
// declared default, that before the zero of the type; for ram fields there is no default (rule 129). waits: the chain
// above its place is looked at first.
func (s *State) awake(p *parking, m *wire.Message, b *wire.Activate, r request, out *wire.Outbox) (waits bool) {
	rec := p.record
	k := rec.class
	if parent := b.Location.Parent; !s.simple(b.DO, parent) {
		code, text, waits := s.mayMove(m, nil, []planned{{b.DO, parent, -1}}, p, out)
		if waits {
			return true
		}
		if code != wire.CodeOK {
			_ = s.fail(r, code, text, out)
			return false
		}
	}
	if b.Class != wire.AnyClass && b.Class != rec.number {
		_ = s.fail(r, wire.CodeNoClass, "the database has "+k.Name(), out)
		return false
	}
	values := make([][]byte, len(k.stored))
	code, err := s.take(k, rec.stored(), values)
	if err == nil {
		code, err = s.take(k, b.Fields, values)
	}
	if err != nil {
		_ = s.fail(r, code, err.Error(), out)
		return false
	}
	for slot := range k.stored {
		if values[slot] == nil {
			values[slot] = k.stored[slot].unset
		}
	}
	o := &object{id: b.DO, class: k, values: packValues(values)}
	o.setOwner(b.Owner)
	w := &writer{id: b.DO, class: k.number, row: rec.row, used: s.now}
	o.more().writer = w
	s.writers[b.DO] = w
	s.live(o, b.Location, b.AI, m.From, out)
	s.done(r, o, out)
	return false
}

// stored are the values of the record that are kept in memory.
func (r *record) stored() fields.Map {
	return r.fields.Filter(func(n fields.Number) bool {
		f := r.class.Field(n)
		return f != nil && f.Stored()
	})
}

// setDormant writes the db fields of a set; others are dropped, and nobody is told (rule 126). What a client sets in a
// field with review has nobody to review it.
func (s *State) setDormant(p *parking, b *wire.SetFields, r request, out *wire.Outbox) (waits bool) {
	rec := p.record
	c, code, text := s.check(rec.class, b.Fields)
	if code == wire.CodeOK && c.any.Has(fields.Review) && r.from.Kind == do.KindSession {
		code = wire.CodeNoAI
	}
	if code != wire.CodeOK {
		_ = s.failWith(r, &wire.Failed{Code: code, Text: text, Version: rec.version(), Serial: b.Serial, Latest: b.Latest}, out)
		return false
	}
	set := rec.class.parts(b.Fields).Filter(func(n fields.Number) bool {
		return rec.class.Field(n).Keywords.Has(fields.DB)
	})
	if set.Len() == 0 {
		s.doneDormant(rec, r, out)
		return false
	}
	if !rec.is(b.Row) {
		has := true
		for it := set.Iter(); it.Next(); {
			v, _ := rec.fields.Get(it.Number())
			has = has && bytes.Equal(v, it.Value())
		}
		s.lastWritten(rec, has, r, out)
		return false
	}
	p.step = parkWrite
	out.SendTo(database, s.self, &wire.DBSet{
		Context: s.ask(&dbRequest{parking: p}), DO: b.DO, Epoch: s.cfg.Epoch, Row: rec.row, Fields: set,
	})
	return true
}

// deleteDormant removes db fields from the row.
func (s *State) deleteDormant(p *parking, b *wire.DeleteFields, r request, out *wire.Outbox) (waits bool) {
	rec := p.record
	var remove []fields.Number
	for _, n := range b.Fields {
		f := rec.class.Field(n)
		switch {
		case f == nil || f.Kind != do.FieldState:
			_ = s.fail(r, wire.CodeNoField, n.String(), out)
			return false
		case f.Keywords.Has(fields.Required) && f.Default == nil:
			_ = s.fail(r, wire.CodeRequired, f.Name, out)
			return false
		case f.Keywords.Has(fields.DB):
			remove = append(remove, n)
		}
	}
	if len(remove) == 0 {
		s.doneDormant(rec, r, out)
		return false
	}
	if !rec.is(b.Row) {
		has := slices.ContainsFunc(remove, func(n fields.Number) bool {
			v, ok := rec.fields.Get(n)
			return ok && !bytes.Equal(v, rec.class.Field(n).Default)
		})
		s.lastWritten(rec, !has, r, out)
		return false
	}
	p.step = parkWrite
	out.SendTo(database, s.self, &wire.DBSet{
		Context: s.ask(&dbRequest{parking: p}), DO: b.DO, Epoch: s.cfg.Epoch, Row: rec.row, Delete: remove,
	})
	return true
}

// is reports whether the row is that of which a last write knows, if it is one.
func (r *record) is(row uint32) bool { return row == 0 || row == r.version().N }

// lastWritten answers a last write when the row is another one: it was done already, or it comes too late.
func (s *State) lastWritten(rec *record, already bool, r request, out *wire.Outbox) {
	if already {
		s.doneDormant(rec, r, out)
		return
	}
	_ = s.failWith(r, &wire.Failed{Code: wire.CodeConflict, Text: "its row was written since", Version: rec.version()}, out)
}

// doneDormant acknowledges with the row's version.
func (s *State) doneDormant(rec *record, r request, out *wire.Outbox) {
	if r.context == 0 {
		return
	}
	out.SendTo(r.from, s.speaker(r.id), &wire.Done{
		Context: r.context, Of: r.of, DO: r.id, Version: rec.version(), Row: rec.row, Serial: r.serial, Latest: r.latest,
	})
}

// accepted takes Done of what a parking wrote.
func (s *State) accepted(p *parking, row uint64, out *wire.Outbox) {
	if p.erase != nil {
		s.erased(p, out)
		return
	}
	if p.held != nil {
		if !p.held.dropped {
			s.acceptUnique(p, row, out)
		}
		return
	}
	rec := p.record
	m := p.queue[0]
	p.queue = p.queue[1:]
	rec.row = row
	switch b := m.Body.(type) {
	case *wire.SetFields:
		rec.fields = fields.Merge(rec.fields, rec.class.parts(b.Fields))
	case *wire.DeleteFields:
		for _, n := range b.Fields {
			rec.fields = rec.fields.Without(n)
		}
	}
	s.doneDormant(rec, requestOf(&m.Message), out)
	s.resume(p, out)
}

// parkRefused takes the refusal of what a parking asked of the database.
func (s *State) parkRefused(p *parking, code wire.Code, text string, out *wire.Outbox) {
	switch {
	case p.erase != nil:
		s.eraseRefused(p, code, text, out)
	case p.held != nil:
		if !p.held.dropped {
			s.refuseUnique(p, code, text, out)
		}
	case p.step == parkFetch:
		s.failLoad(p, code, text, out)
	case code == wire.CodeConflict && p.record.row != 0:
		// Somebody else wrote the row: look again.
		s.fetch(p, out)
	default:
		m := p.queue[0]
		p.queue = p.queue[1:]
		_ = s.fail(requestOf(&m.Message), code, text, out)
		if unsure := code == wire.CodeAway || code == wire.CodeTimeout; unsure && len(p.queue) > 0 {
			s.fetch(p, out) // the database may have done it: who waits must not get what was there before
			return
		}
		s.resume(p, out)
	}
}

// failLoad answers what waited for an object that cannot be had from the database (rules 130, 131).
func (s *State) failLoad(p *parking, code wire.Code, text string, out *wire.Outbox) {
	for len(p.queue) > 0 && s.objects[p.ids[0]] == nil {
		m := p.queue[0]
		if _, ok := m.Body.(*wire.Freeze); ok {
			break
		}
		p.queue = p.queue[1:]
		if s.aside(p, &m, out) {
			continue
		}
		switch m.Body.(type) {
		case *wire.Activate, *wire.SetFields, *wire.DeleteFields, *wire.GetField, *wire.GetFields, *wire.GetAll, *wire.GetClass:
			_ = s.fail(requestOf(&m.Message), code, text, out)
		default:
			_ = s.dispatch(&m.Message, out)
		}
	}
	s.release(p, out)
}

// getDormant answers from the record: only what is kept in memory when the object lives can be asked; db fields have
// what the database has, others their default if one is declared (rule 134).
func (s *State) getDormant(rec *record, numbers []fields.Number, one bool, r request, out *wire.Outbox) {
	var pairs []fields.Pair
	for _, n := range numbers {
		f := rec.class.Field(n)
		if f == nil || !f.Stored() {
			_ = s.fail(r, wire.CodeNoField, n.String(), out)
			return
		}
		if v := rec.value(f); v != nil {
			pairs = append(pairs, fields.Pair{Number: n, Value: v})
		} else if one {
			_ = s.fail(r, wire.CodeUnset, f.Name, out)
			return
		}
	}
	out.SendTo(r.from, s.speaker(r.id), &wire.GetFieldsResp{Context: r.context, DO: r.id, Version: rec.version(), Fields: fields.MapOf(pairs...)})
}

// value is what the database has of the field, else its declared default, else nil.
func (r *record) value(f *do.Field) []byte {
	if f.Keywords.Has(fields.DB) {
		if v, ok := r.fields.Get(f.Number); ok {
			return v
		}
	}
	return f.Default
}

// getAllDormant answers with no location, and required fields filled with their defaults (rule 134).
func (s *State) getAllDormant(rec *record, r request, out *wire.Outbox) {
	var pairs []fields.Pair
	for _, f := range rec.class.stored {
		v, ok := rec.fields.Get(f.Number)
		if !ok {
			v = f.unset
		}
		if v != nil {
			pairs = append(pairs, fields.Pair{Number: f.Number, Value: v})
		}
	}
	out.SendTo(r.from, s.speaker(r.id), &wire.GetAllResp{Context: r.context, Entry: wire.Entry{
		DO: r.id, Class: rec.number, Version: rec.version(), Fields: fields.MapOf(pairs...),
	}})
}

// getActivated says whether an object is alive; while it is being loaded the question waits (rule 135).
func (s *State) getActivated(m *wire.Message, b *wire.GetActivated, out *wire.Outbox) error {
	out.SendTo(m.From, s.speaker(b.DO), &wire.Activated{Context: b.Context, DO: b.DO, Active: s.objects[b.DO] != nil})
	return nil
}

// errNoRow is why an object cannot be unloaded.
var errNoRow = errors.New("it has no row in the database")

// unload takes an object, and what is below it, out of memory; the answer comes when all that was set of it is in the
// database.
func (s *State) unload(m *wire.Message, b *wire.Unload, out *wire.Outbox) error {
	r := request{from: m.From, context: b.Context, of: b.Type(), id: b.DO}
	o := s.objects[b.DO]
	if o == nil {
		return s.fail(r, wire.CodeNoObject, "", out)
	}
	w := o.writer()
	if w == nil {
		return s.fail(r, wire.CodeNotDB, errNoRow.Error(), out)
	}
	s.remove(o, m.From, removal{tellParent: true, unloaded: true}, out)
	s.send(w, out)
	s.await(&waiter{request: r, version: o.version()}, out, w)
	return nil
}

// ghosts are the ids of the last objects that were deleted and had no row: the database need not be asked for them.
type ghosts struct {
	ring []do.ID
	at   int
	set  map[do.ID]struct{}
}

// maxGhosts is how many are remembered.
const maxGhosts = 4096

func (g *ghosts) has(id do.ID) bool {
	_, ok := g.set[id]
	return ok
}

func (g *ghosts) add(id do.ID) {
	if g.has(id) {
		return
	}
	if g.set == nil {
		g.set = make(map[do.ID]struct{})
	}
	if len(g.ring) < maxGhosts {
		g.ring = append(g.ring, id)
	} else {
		delete(g.set, g.ring[g.at])
		g.ring[g.at] = id
		g.at = (g.at + 1) % maxGhosts
	}
	g.set[id] = struct{}{}
}
