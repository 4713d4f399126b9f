package sim

import (
	"slices"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// What clients may open and set beyond what all may: by what places say, and by what AIs permit single sessions.

// permit is what an AI lets one session open below a parent, since some time.
type permit struct {
	since int64
	all   bool
	zones []do.Zone
}

func (p permit) covers(zones []do.Zone) bool { return p.all || within(zones, p.zones) }

// within reports whether there are zones, and all of them are among others.
func within(zones, others []do.Zone) bool {
	return len(zones) > 0 && !slices.ContainsFunc(zones, func(z do.Zone) bool { return !slices.Contains(others, z) })
}

// permitSomething lets a session open zones below a parent, or takes that back (rule 95). The client hears of it by the
// game, some time later.
func (a *actor) permitSomething() {
	client, session := a.w.sessionWith(func(c *actor) bool { return len(c.permitted) > 0 })
	if session.IsZero() {
		return
	}
	w, conn := a.w, client.conn
	parent := do.WellKnown(10 + uint64(w.rand.IntN(2)))
	if w.chance(70) {
		parent = w.someone()
	}
	if list := sortedIDs(client.permitted); len(list) > 0 && w.chance(75) {
		parent = pick(w, list)
	}
	p := permit{all: w.chance(20)}
	if !p.all {
		p.zones = w.noneOrSome(60)
	}
	a.tellSession("permit", session, func(c uint32) wire.Body {
		return &wire.PermitInterest{Context: c, Parent: parent, Zones: p.zones, All: p.all}
	}, func() {
		w.after(w.delay(), func() {
			if client.conn == conn {
				client.permitted[parent] = p
			}
		})
	})
}

func sortedIDs[V any](m map[do.ID]V) []do.ID {
	list := make([]do.ID, 0, len(m))
	for id := range m {
		list = append(list, id)
	}
	slices.SortFunc(list, do.ID.Compare)
	return list
}

// wish draws what a client wants to see: what it may open where it is, now and then anything. Without zones: nothing.
func (c *actor) wish() (parent do.ID, zones []do.Zone) {
	at := c.w.somewhere()
	zones = c.w.someZones()
	policy := c.conn.agent.policy
	if policy == clientagent.InterestAny || c.w.chance(12) {
		return at.Parent, zones
	}
	if list := sortedIDs(c.permitted); len(list) > 0 && c.w.chance(50) {
		parent = pick(c.w, list)
		if p := c.permitted[parent]; len(p.zones) > 0 && c.w.chance(65) {
			zones = p.zones
		}
		return parent, zones
	}
	if policy == clientagent.InterestVisible {
		if x := c.seen(anything); x != nil && c.w.chance(70) {
			return object(x).ID(), zones
		}
		return do.WellKnown(10 + uint64(c.w.rand.IntN(2))), zones
	}
	var open []do.ID
	for _, id := range c.w.ids {
		if len(c.w.told.latest(id).rooms) > 0 {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return parent, nil
	}
	parent = pick(c.w, open)
	zones = slices.Clone(c.w.told.latest(parent).rooms)
	return parent, zones[:1+c.w.rand.IntN(len(zones))]
}

// rights are what AIs have given one session, as its agent heard it.
type rights struct {
	permits map[do.ID][]permit // by parent, ascending by time; only looked up
	grants  map[do.ID]bool     // objects whose Secret it may set
}

// observeArrived takes in what reaches agents.
func (w *world) observeArrived(to *participant, m wire.Message) {
	switch m.Body.(type) {
	case *wire.PermitInterest, *wire.SetFieldsSendable:
	default:
		return
	}
	for _, a := range w.agents {
		c := a.conns[m.To[0].ID]
		if a.participant != to || c == nil {
			continue
		}
		switch b := m.Body.(type) {
		case *wire.PermitInterest:
			c.permit(b)
		case *wire.SetFieldsSendable:
			if c.rights.grants[b.DO] && len(b.Fields) == 0 {
				w.count.GrantsRevoked++
			}
			c.rights.grants[b.DO] = len(b.Fields) > 0
		}
	}
}

func (c *conn) permit(b *wire.PermitInterest) {
	list := c.rights.permits[b.Parent]
	switch had := len(list) > 0 && (list[len(list)-1].all || len(list[len(list)-1].zones) > 0); {
	case b.All || len(b.Zones) > 0:
		c.w.count.Permitted++
	case had:
		c.w.count.PermitsRevoked++
	}
	c.rights.permits[b.Parent] = append(list, permit{c.w.now, b.All, b.Zones})
}

// permittedSince reports whether an AI permitted something at some time since, and whether all the time.
func (r *rights) permittedSince(a *added, since int64) (once, always bool) {
	list := r.permits[a.parent]
	always = true
	for i, p := range list {
		if i+1 < len(list) && list[i+1].since <= since {
			continue
		}
		once = once || p.covers(a.zones)
		always = always && p.covers(a.zones)
	}
	return once, always && len(list) > 0 && list[0].since <= since
}

// roomsSince does the same for what the parent says. An agent hears of it late.
func (c *chronicle) roomsSince(a *added, since int64) (once, always bool) {
	always = true
	for _, l := range c.since(a.parent, since-late) {
		ok := within(a.zones, l.rooms)
		once, always = once || ok, always && ok
	}
	return once, always
}

// judgeOpened checks that what was opened might be, and judgeDenied that what was not might not.
func (v *written) judgeOpened(a *added) {
	w := v.c.w
	once, _ := v.c.rights.permittedSince(a, a.at)
	switch v.c.agent.policy {
	case clientagent.InterestAny:
		return
	case clientagent.InterestVisible:
		once = once || a.parent.IsWellKnown() || v.had[a.parent]
	case clientagent.InterestPermitted:
		rooms, _ := w.told.roomsSince(a, a.at)
		once = once || rooms || v.c.agent.astray(a.at) // it may go by what long ago was
	}
	w.count.OpenedByRight++
	if !once {
		w.problem("%s has zones %v below %s open, which nobody permitted", v.c.who.name, a.zones, w.nameOf(a.parent))
	}
}

func (v *written) judgeDenied(a *added) {
	w := v.c.w
	w.count.InterestsDenied++
	if v.surely(a) {
		w.problem("%s may open zones %v below %s, and was refused", v.c.who.name, a.zones, w.nameOf(a.parent))
	}
}

// surely reports whether an interest was permitted all the time since it was asked for.
func (v *written) surely(a *added) bool {
	_, always := v.c.rights.permittedSince(a, a.at)
	switch w := v.c.w; v.c.agent.policy {
	case clientagent.InterestVisible:
		return always || a.parent.IsWellKnown()
	case clientagent.InterestPermitted:
		_, rooms := w.told.roomsSince(a, a.at)
		return always || rooms && !v.c.agent.astray(a.at)
	}
	return true
}

// excuse is how long what was permitted is at least refused without punishment (rule 105): the agents' History, without
// what clocks jump.
const excuse = 500 * ms

// judgeEjected checks that a session that was ended for an interest asked for one that it must not have, and could not
// have had a moment ago.
func (v *written) judgeEjected(f *wire.ClientEject) {
	if f.Reason != wire.ReasonInterestDenied {
		return
	}
	w := v.c.w
	w.count.InterestsDenied++
	for _, x := range v.c.view.order {
		if x.kind != "interest" || v.c.view.waits[x] == 0 {
			continue
		}
		a := v.c.view.adds[x.context]
		lately, _ := v.c.rights.permittedSince(&a, w.now-excuse)
		if !a.removed && (!a.follow.id.IsZero() || !lately && !v.surely(&a)) {
			return
		}
	}
	w.problem("%s was ended for an interest, and asks only for what it may open or just could: %s", v.c.who.name, f.Text)
}
