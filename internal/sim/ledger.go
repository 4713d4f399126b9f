package sim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// ledger counts requests that reached somebody who must answer, and answers. Both are the same for each asker and
// context when all is quiet.
type ledger struct {
	w     *world
	open  map[question]int
	order []question
	owes  map[question]*participant // who was asked last
}

// question is what an answer is for.
type question struct {
	asker   do.Channel
	context uint32
}

// book adds n to the open questions.
func (l *ledger) book(asker do.Channel, context uint32, n int) {
	if context == 0 || asker.IsZero() {
		return
	}
	if l.open == nil {
		l.open = map[question]int{}
	}
	q := question{asker, context}
	if _, ok := l.open[q]; !ok {
		l.order = append(l.order, q)
	}
	l.open[q] += n
}

// arrived notes a request that reached the role that its channel names.
func (l *ledger) arrived(to *participant, m wire.Message) {
	l.w.observeArrived(to, m)
	if to.member == nil || !l.w.responsible(to, m) {
		return
	}
	switch b := m.Body.(type) {
	case *wire.Call:
		l.asked(to, b.Caller, b.Context)
	default:
		if c, ok := queried(m.Body); ok && m.From == toolChannel {
			l.asked(to, m.From, c)
		}
		if c, ok := askedIn(m.Body); ok {
			l.asked(to, m.From, c)
		}
	}
}

// asked notes who must answer.
func (l *ledger) asked(to *participant, asker do.Channel, context uint32) {
	if l.owes == nil {
		l.owes = map[question]*participant{}
	}
	l.owes[question{asker, context}] = to
	l.book(asker, context, 1)
}

// responsible reports whether a participant is where a request of this kind is answered.
func (w *world) responsible(to *participant, m wire.Message) bool {
	switch m.Body.(type) {
	case *wire.Call, *wire.SetFields: // what the State passes on, it answers
		return m.To[0].Kind != do.KindAI && m.To[0].Kind != do.KindSession
	}
	return true
}

// sent notes an answer.
func (l *ledger) sent(m wire.Message) {
	c, ok := answerIn(m.Body)
	if !ok || len(m.To) != 1 {
		return
	}
	l.book(m.To[0], c, -1)
}

// check reports the questions that were not answered exactly once. Who died owes nothing.
func (l *ledger) check() {
	for _, q := range l.order {
		if n := l.open[q]; n < 0 || n > 0 && !l.owes[q].gone {
			l.w.problem("request %d of %s has %s", q.context, l.name(q.asker), many(n))
		}
	}
}

func many(n int) string {
	if n > 0 {
		return fmt.Sprint(n, " answers too few")
	}
	return fmt.Sprint(-n, " answers too many")
}

func (l *ledger) name(c do.Channel) string {
	p := wire.Printer{Names: l.w.trace.names}
	return p.Channel(c)
}

// askedIn is the context of a request that wants an answer.
func askedIn(b wire.Body) (uint32, bool) {
	switch b := b.(type) {
	case *wire.SetFields:
		return b.Context, true
	case *wire.Bundle:
		return b.Context, true
	case *wire.DeleteFields:
		return b.Context, true
	case *wire.Create:
		return b.Context, true
	case *wire.Activate:
		return b.Context, true
	case *wire.Unload:
		return b.Context, true
	case *wire.DeleteRAM:
		return b.Context, true
	case *wire.SetLocation:
		return b.Context, true
	case *wire.SetOwner:
		return b.Context, true
	case *wire.SetAI:
		return b.Context, true
	case *wire.GetFields:
		return b.Context, true
	case *wire.GetAll:
		return b.Context, true
	case *wire.GetZonesObjects:
		return b.Context, true
	case *wire.SetState:
		return b.Context, true
	case *wire.DeclareObject:
		return b.Context, true
	case *wire.UndeclareObject:
		return b.Context, true
	case *wire.SetFieldsSendable:
		return b.Context, true
	case *wire.PermitInterest:
		return b.Context, true
	case *wire.DeleteChildren:
		return b.Context, true
	case *wire.DeleteZones:
		return b.Context, true
	case *wire.AddSessionObject:
		return b.Context, true
	case *wire.DBCreate:
		return b.Context, true
	case *wire.DBGet:
		return b.Context, true
	case *wire.DBSet:
		return b.Context, true
	case *wire.DBTransact:
		return b.Context, true
	case *wire.DBOutcome:
		return b.Context, true
	}
	return 0, false
}

// answerIn is the context of the last, or only, message of an answer.
func answerIn(b wire.Body) (uint32, bool) {
	switch b := b.(type) {
	case *wire.Done:
		return b.Context, true
	case *wire.Failed:
		return b.Context, b.Of != wire.TypeSchemaSet && b.Of != wire.TypeSchemaGet
	case *wire.GetFieldsResp:
		return b.Context, true
	case *wire.GetAllResp:
		return b.Context, true
	case *wire.ZonesObjects:
		return b.Context, b.Last
	case *wire.CallReply:
		return b.Context, true
	case *wire.DBObject:
		return b.Context, true
	case *wire.DBDecided:
		return b.Context, true
	}
	return 0, false
}

// situations are what is watched for the counters.
type situations struct {
	w        *world
	openings []asking
	present  map[do.ID]presence
}

// presence is since when an object has been where it is, in the parent's list.
type presence struct {
	at    do.Location
	since int64
}

// asking is an opening whose answer is under way.
type asking struct {
	question
	parent do.ID
	zones  []do.Zone
}

// cleared notes that a parent tells its children elsewhere, on their channel, that they are to go: they are on its list no more.
func (s *situations) cleared(to do.Channel, goes func(do.Location) bool) {
	maps.DeleteFunc(s.present, func(_ do.ID, p presence) bool {
		return to == do.Children(p.at.Parent) && goes(p.at)
	})
}

func (s *situations) covers(l do.Location) bool {
	return slices.ContainsFunc(s.openings, func(a asking) bool {
		return a.parent == l.Parent && slices.Contains(a.zones, l.Zone)
	})
}

// observeSent looks at every message that is sent.
func (w *world) observeSent(from *participant, m wire.Message) {
	s := &w.watch
	w.observeMove(from, m)
	w.told.observe(m)
	w.trades.observe(m)
	w.observePost(m)
	w.toldTool(from, m)
	switch b := m.Body.(type) {
	case *wire.GetZonesObjects:
		s.openings = append(s.openings, asking{question{m.From, b.Context}, b.Parent, b.Zones})
	case *wire.ZonesObjects:
		if b.Last {
			s.openings = slices.DeleteFunc(s.openings, func(a asking) bool { return a.question == question{m.To[0], b.Context} })
		}
	case *wire.EnterLocation:
		s.present[b.Entry.DO] = presence{b.Entry.Location, w.now}
	case *wire.Deleted:
		delete(s.present, b.DO)
	case *wire.DeleteChildren:
		s.cleared(m.To[0], func(do.Location) bool { return true })
	case *wire.DeleteZones:
		s.cleared(m.To[0], func(l do.Location) bool { return slices.Contains(b.Zones, l.Zone) })
	case *wire.ChangingLocation:
		delete(s.present, b.DO)
		if s.covers(b.Old) || s.covers(b.New) {
			w.count.MovesInOpening++
		}
		if old, to := b.Old.Parent, b.New.Parent; !old.IsZero() && !to.IsZero() && old.Partition() != to.Partition() {
			w.count.CrossPartitionMoves++
		}
	case *wire.SetFields:
		for _, a := range w.agents {
			if a.participant != from {
				continue
			}
			if c := a.conns[m.From.ID]; c != nil && m.From.Kind == do.KindSession {
				c.view.forwarded(b)
			}
		}
	case *wire.SetOwner:
		if w.ownerBusy(b.DO) {
			w.count.OwnerChangesInFlight++
		}
	case *wire.SetAI:
		if w.aiBusy(b.DO) {
			w.count.AIChangesInFlight++
		}
	}
}

// aiBusy reports whether an AI that runs the object has a write of it under way.
func (w *world) aiBusy(id do.ID) bool {
	for _, a := range w.ais {
		if a == nil {
			continue
		}
		for _, v := range a.ai.View() {
			if v.ID == id && v.AI && v.Pending {
				return true
			}
		}
	}
	return false
}

// ownerBusy reports whether a client that owns the object has a write of it under way.
func (w *world) ownerBusy(id do.ID) bool {
	for _, c := range w.clients {
		if c.client == nil {
			continue
		}
		for _, v := range c.client.View() {
			if v.ID == id && v.Owned && v.Pending {
				return true
			}
		}
	}
	return false
}
