package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// truth is everything in the memory of all States.
type truth struct {
	objects map[do.ID]stateserver.Scanned
	ids     []do.ID // ascending
}

func (w *world) scan() truth {
	t := truth{objects: map[do.ID]stateserver.Scanned{}}
	for _, s := range w.states {
		s.state.Scan(func(o stateserver.Scanned) {
			if _, twice := t.objects[o.ID]; twice {
				w.problem("%s is in two States", w.nameOf(o.ID))
			}
			t.objects[o.ID] = o
			t.ids = append(t.ids, o.ID)
		})
	}
	slices.SortFunc(t.ids, do.ID.Compare)
	return t
}

// digestOf sums up the memory of one State.
func digestOf(s *stateserver.State) [32]byte {
	var list []stateserver.Scanned
	s.Scan(func(o stateserver.Scanned) { list = append(list, o) })
	slices.SortFunc(list, func(a, b stateserver.Scanned) int { return a.ID.Compare(b.ID) })
	h := sha256.New()
	for _, o := range list {
		fmt.Fprintln(h, o.ID, o.Version, o.Location, o.AI, o.Explicit, o.Owner, o.Serial, o.Entered, []byte(o.Fields))
	}
	return [32]byte(h.Sum(nil))
}

// judge compares everything with the truth.
func (w *world) judge() {
	if len(w.problems) > 0 {
		return
	}
	if n := w.net.underWay(); n > 0 {
		w.problem("%d messages are still under way", n)
	}
	t := w.scan()
	w.judgeCycles(t)
	w.judgeLists(t)
	w.judgeRows(t)
	w.judgeGold(t)
	w.judgePosts(t)
	for _, a := range w.ais {
		if a != nil && a.ai.Ready() {
			w.judgeAI(t, a)
			a.checkLives()
			a.checkQuiet()
		}
	}
	for _, c := range w.clients {
		if c.client != nil {
			w.judgeClient(t, c)
			c.checkLives()
			c.checkQuiet()
			c.conn.view.unanswered()
		}
	}
	w.ledger.check()
}

// judgeCycles looks for objects that are their own ancestors (rule 29).
func (w *world) judgeCycles(t truth) {
	for _, id := range t.ids {
		at := id
		for range t.ids {
			if at = t.objects[at].Location.Parent; at == id {
				w.problem("%s is its own ancestor", w.nameOf(id))
				return
			}
		}
	}
}

// judgeLists compares what parents say of their children with where objects are.
func (w *world) judgeLists(t truth) {
	const context = 77
	asker := do.ControlOf(do.RoleClientAgent, do.WellKnown(9999))
	for _, s := range w.states {
		s.state.Scan(func(stateserver.Scanned) {})
	}
	for _, id := range t.ids {
		var want []do.ID
		for _, other := range t.ids {
			o := t.objects[other]
			if o.Location.Parent == id {
				want = append(want, other)
				if !o.Entered {
					w.problem("%s is below %s and has not entered", w.nameOf(other), w.nameOf(id))
				}
			}
		}
		var got []do.ID
		for _, s := range w.states {
			var out wire.Outbox
			_ = s.state.Step(wire.Message{To: []do.Channel{do.ObjectChannel(id)}, From: asker, Body: &wire.GetChildren{Context: context, DO: id}}, &out)
			for _, m := range out.Messages {
				if b, ok := m.Body.(*wire.Children); ok {
					for _, l := range b.List {
						got = append(got, l.DO)
						if o, ok := t.objects[l.DO]; ok && o.Location.Zone != l.Zone {
							w.problem("%s lists %s in zone %d, it is in %d", w.nameOf(id), w.nameOf(l.DO), l.Zone, o.Location.Zone)
						}
					}
				}
			}
		}
		slices.SortFunc(got, do.ID.Compare)
		if !slices.Equal(got, want) {
			w.problem("%s lists %s, below it are %s", w.nameOf(id), w.namesOf(got), w.namesOf(want))
		}
	}
}

func (w *world) namesOf(ids []do.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = w.nameOf(id)
	}
	return out
}

// judgeRows compares the rows of the database with what is in memory.
func (w *world) judgeRows(t truth) {
	schema := w.db.state.Schema()
	for _, id := range t.ids {
		o := t.objects[id]
		if !o.Dormant {
			continue
		}
		got, err := w.backend.Do(context.Background(), schema, []database.Op{{Kind: database.OpGet, ID: id, All: true}})
		if err != nil || got[0].Err != nil {
			w.problem("%s has no row: %v %v", w.nameOf(id), err, got)
			continue
		}
		for _, f := range o.Class.Fields() {
			if !f.Keywords.Has(fields.DB) || f.Slot < 0 {
				continue
			}
			want := valueOf(o.Fields, f)
			have := valueOf(got[0].Fields, f)
			if !bytes.Equal(want, have) && !(have == nil && bytes.Equal(want, f.Initial())) {
				w.problem("row of %s: %s is %s, in memory %s", w.nameOf(id), f.Name, text(f, have), text(f, want))
			}
		}
	}
}

// judgeGold adds up the vaults of each AI, partition by partition.
func (w *world) judgeGold(t truth) {
	for _, a := range w.ais {
		if a == nil {
			continue
		}
		for part := do.Partition(1); part <= partitions; part++ {
			sum, n := int64(0), int64(0)
			for _, id := range a.vaults[part] {
				o, ok := t.objects[id]
				if !ok {
					continue // with what it was in
				}
				v := valueOf(o.Fields, o.Class.FieldByName("Gold"))
				gold, _, _ := fields.ReadInt(v)
				sum, n = sum+gold, n+1
			}
			if n == vaultsEach && sum != n*vaultGold {
				w.problem("%s has %d gold in partition %d, it had %d", a.name, sum, part, n*vaultGold)
			}
		}
	}
}

// judgeAI compares what an AI sees, owns and runs.
func (w *world) judgeAI(t truth, a *actor) {
	covered := map[do.Location]bool{}
	for _, h := range a.watches {
		if !h.Closed() {
			cover(covered, h)
		}
	}
	me := a.ai.Channel()
	w.judgeView(t, a, covered, me, func(o stateserver.Scanned) bool { return o.AI == me })
}

// judgeClient compares what a client sees and owns.
func (w *world) judgeClient(t truth, c *actor) {
	if !c.client.Ready() {
		return
	}
	covered := map[do.Location]bool{}
	me := do.Session(c.conn.session)
	if c.client.SessionState() == wire.StateEstablished {
		v := &c.conn.view
		for _, handle := range slices.Sorted(maps.Keys(v.open)) {
			w.coverAsked(t, c, covered, v.adds[v.open[handle]])
		}
		w.coverAutos(t, c, covered)
	}
	w.judgeView(t, c, covered, me, func(stateserver.Scanned) bool { return false })
}

// coverAsked adds what a handle of a client's covers.
func (w *world) coverAsked(t truth, c *actor, covered map[do.Location]bool, a added) {
	for _, z := range a.zones {
		covered[do.Location{Parent: a.parent, Zone: z}] = true
	}
	f := a.follow
	if f.id.IsZero() {
		return
	}
	if owner := t.objects[f.id].Owner; owner != do.Session(c.conn.session) {
		w.problem("%s follows %s, which it does not own", c.name, w.nameOf(f.id))
		return
	}
	for _, id := range t.ids {
		if l := t.objects[id].Location; !covered[l] && sees(t, f.id, f.outer, l) {
			covered[l] = true
		}
	}
}

// coverAutos adds what is open by itself below what is covered, and below that (rule 163); the client must have booked
// exactly these.
func (w *world) coverAutos(t truth, c *actor, covered map[do.Location]bool) {
	want := map[do.ID][]do.Zone{}
	for grown := true; grown; {
		grown = false
		for _, id := range t.ids {
			l := t.objects[id].Location
			if _, parented := t.objects[l.Parent]; !parented || !covered[l] || want[id] != nil {
				continue
			}
			inside := t.land(id).inside
			if len(inside) == 0 {
				continue
			}
			want[id], grown = inside, true
			for _, z := range inside {
				covered[do.Location{Parent: id, Zone: z}] = true
			}
		}
	}
	autos := c.conn.view.autos
	for _, handle := range slices.Sorted(maps.Keys(autos)) {
		if a := autos[handle]; !slices.Equal(a.zones, want[a.parent]) {
			w.problem("%s has zones %v below %s open by themselves, these should be: %v", c.name, a.zones, w.nameOf(a.parent), want[a.parent])
		}
		delete(want, autos[handle].parent)
	}
	for _, id := range t.ids {
		if want[id] != nil {
			w.problem("%s sees %s, and its zones %v are not open", c.name, w.nameOf(id), want[id])
		}
	}
}

func cover(covered map[do.Location]bool, h interface {
	Where() (do.ID, []do.Zone)
},
) {
	parent, zones := h.Where()
	for _, z := range zones {
		covered[do.Location{Parent: parent, Zone: z}] = true
	}
}

// judgeView compares one repository with the truth, object by object and field by field.
func (w *world) judgeView(t truth, a *actor, covered map[do.Location]bool, me do.Channel, runs func(stateserver.Scanned) bool) {
	have := map[do.ID]repository.ObjectView{}
	for _, v := range a.state().View() {
		if v.ID == gateID {
			continue
		}
		if v.Declared && !v.Visible && !v.Owned {
			continue // of which a client knows no values, nor whether it exists
		}
		have[v.ID] = v
		if _, ok := t.objects[v.ID]; !ok {
			w.problem("%s has %s, which does not exist (%s)", a.name, w.nameOf(v.ID), holds(&v))
		}
	}
	for _, id := range t.ids {
		o := t.objects[id]
		if schema := a.state().Schema(); a.client != nil && schema != nil && schema.Class(o.Class.Name()) == nil {
			continue // the schema grew since it came: AIs are told, clients are not
		}
		_, parented := t.objects[o.Location.Parent]
		want := repository.ObjectView{Visible: covered[o.Location] && parented, Owned: o.Owner == me, AI: runs(o)}
		v, ok := have[id]
		if v.Owned && w.tied[tie{me, id}] {
			// Rules 103, 120: its owner is not told that it enters or leaves an interest, but hears of it all the same.
			v.Visible = want.Visible
		}
		if want.Visible != v.Visible || want.Owned != v.Owned || want.AI != v.AI {
			w.problem("%s has %s as %q, it should as %q", a.name, w.nameOf(id), holds(&v), holds(&want))
			continue
		}
		if ok {
			w.judgeObject(a, o, &v)
		}
	}
}

// holds says why an object is in a repository.
func holds(v *repository.ObjectView) string {
	s := ""
	if v.Visible {
		s += "visible "
	}
	if v.Owned {
		s += "owned "
	}
	if v.AI {
		s += "run "
	}
	if v.Pending {
		s += "pending"
	}
	return s
}

// judgeObject compares place and fields; only those fields whose changes this repository hears.
func (w *world) judgeObject(a *actor, o stateserver.Scanned, v *repository.ObjectView) {
	if v.Pending {
		w.problem("%s has unsettled writes on %s", a.name, w.nameOf(o.ID))
		return
	}
	if v.Location != o.Location {
		p := wire.Printer{Names: w.trace.names}
		w.problem("%s has %s at %s, it is at %s", a.name, w.nameOf(o.ID), p.Channel(do.At(v.Location)), p.Channel(do.At(o.Location)))
	}
	for _, f := range o.Class.Stored() {
		if !hears(f, v) || v.Class.Field(f.Number) == nil {
			continue
		}
		want := valueOf(o.Fields, f)
		var got []byte
		for _, p := range v.Fields {
			if p.Number == f.Number {
				got = p.Value
			}
		}
		if !bytes.Equal(want, got) {
			w.problem("%s has %s of %s as %s, it is %s (%s)", a.name, f.Name, w.nameOf(o.ID), text(f, got), text(f, want), holds(v))
		}
	}
}

// hears reports whether changes of a field reach who holds the object in this way.
func hears(f *do.Field, v *repository.ObjectView) bool {
	return v.Visible && f.Keywords.Has(fields.Broadcast) ||
		v.Owned && f.Keywords.Has(fields.OwnRecv) ||
		v.AI && f.Keywords.Has(fields.AIRecv)
}

// text is a value for people.
func text(f *do.Field, v []byte) string {
	if v == nil {
		return "unset"
	}
	return f.Type.Text(v)
}

// valueOf is the value of a field in a map, nil if it has none.
func valueOf(m fields.Map, f *do.Field) []byte {
	if v, ok := m.Get(f.Number); ok {
		return v
	}
	return nil
}
