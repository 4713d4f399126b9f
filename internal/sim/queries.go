package sim

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// A tool asks States about objects: each question has one answer, and no object is said to be where it was not lately.

// askAround asks about something, alive, dormant or gone.
func (w *world) askAround() {
	id := w.someone()
	if w.chance(20) {
		id = pick(w, append(slices.Clone(w.posts), id))
	}
	class := w.schema.Class("Avatar")
	w.count.Queries++
	w.asTool(do.ObjectChannel(id), func(c uint32) wire.Body {
		return pick(w, []wire.Body{
			&wire.GetLocation{Context: c, DO: id},
			&wire.GetAI{Context: c, DO: id},
			&wire.GetOwner{Context: c, DO: id},
			&wire.GetClass{Context: c, DO: id},
			&wire.GetActivated{Context: c, DO: id},
			&wire.GetChildren{Context: c, DO: id},
			&wire.GetChildCount{Context: c, DO: id},
			&wire.GetActiveZones{Context: c, DO: id},
			&wire.GetZonesCount{Context: c, Parent: id, Zones: w.someZones()},
			&wire.GetField{Context: c, DO: id, Field: class.FieldByName(pick(w, []string{"Name", "Nick", "Mood"})).Number},
		})
	})
}

// queried is the context of a question of the tool's that only tells something.
func queried(b wire.Body) (uint32, bool) {
	switch b := b.(type) {
	case *wire.GetLocation:
		return b.Context, true
	case *wire.GetAI:
		return b.Context, true
	case *wire.GetOwner:
		return b.Context, true
	case *wire.GetClass:
		return b.Context, true
	case *wire.GetActivated:
		return b.Context, true
	case *wire.GetChildren:
		return b.Context, true
	case *wire.GetChildCount:
		return b.Context, true
	case *wire.GetActiveZones:
		return b.Context, true
	case *wire.GetZonesCount:
		return b.Context, true
	case *wire.GetField:
		return b.Context, true
	}
	return 0, false
}

// toldTool looks at the answers.
func (w *world) toldTool(from *participant, m wire.Message) {
	if len(m.To) != 1 || m.To[0] != toolChannel {
		return
	}
	var context uint32
	switch b := m.Body.(type) {
	case *wire.GetLocationResp:
		context = b.Context
		if at := w.told.latelyAt(b.DO); len(at) > 0 && !slices.Contains(at, b.Location) {
			w.problem("%s says that %s is at %v, where it was not lately", from.name, w.nameOf(b.DO), b.Location)
		}
	case *wire.GetAIResp:
		context = b.Context
	case *wire.GetOwnerResp:
		context = b.Context
	case *wire.GetClassResp:
		context = b.Context
	case *wire.Activated:
		context = b.Context
	case *wire.Children:
		context = b.Context
	case *wire.GetChildCountResp:
		context = b.Context
	case *wire.GetActiveZonesResp:
		context = b.Context
	case *wire.GetZonesCountResp:
		context = b.Context
	}
	w.ledger.book(toolChannel, context, -1)
}
