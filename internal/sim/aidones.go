package sim

import (
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/internal/repository"
)

// An AI's own interests are judged like those of clients: one that is done shows everything that was there all the time
// (rules 107, 108).

// opening is an interest of an AI that is not done yet, since it was asked for.
type opening struct {
	h     *repository.Watch
	since int64
}

// awaits notes an operation on an interest.
func (a *actor) awaits(h *repository.Watch) {
	a.openings = slices.DeleteFunc(a.openings, func(o opening) bool { return o.h == h })
	a.openings = append(a.openings, opening{h, a.w.now})
}

// judgeDones looks at the interests that are done now.
func (a *actor) judgeDones() {
	a.openings = slices.DeleteFunc(a.openings, func(o opening) bool {
		done, err := o.h.Done()
		if done && err == nil && !o.h.Closed() {
			a.complete(o)
		}
		return done || o.h.Closed()
	})
}

// complete checks that an operation was not done too early. Where messages to the AI, or between States, were lost nothing can be
// said.
func (a *actor) complete(x opening) {
	w := a.w
	if a.part.gone || max(a.part.lost, a.lostAt, w.statesLost) > x.since-repaired {
		return
	}
	w.count.AIsOpened++
	parent, zones := x.h.Where()
	here := map[do.ID]bool{}
	for _, v := range a.ai.View() {
		here[v.ID] = v.Visible
	}
	for _, id := range slices.Concat(w.ids, w.posts) {
		if class := w.wildClass[id]; class != "" && a.ai.Schema().Class(class) == nil {
			continue // it does not know yet that the schema grew
		}
		p, ok := w.watch.present[id]
		if ok && p.since < w.now-arriving && w.told.died[parent] <= p.since && p.at.Parent == parent && slices.Contains(zones, p.at.Zone) && !here[id] {
			w.problem("%s is told that its interest below %s is open, and does not see %s", a.name, w.nameOf(parent), w.nameOf(id))
		}
	}
}
