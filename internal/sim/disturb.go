package sim

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/wire"
)

// disturb cuts a link, kills an AI, stalls or hangs up a client.
func (w *world) disturb() {
	if !w.playing {
		return
	}
	n := w.rand.IntN(20)
	if w.opts.Whole {
		n = max(n, 7)
	}
	switch {
	case n < 2:
		if a := w.agents[w.rand.IntN(len(w.agents))]; !a.gone {
			w.net.cut(a.participant, w.within(400*ms))
		}
	case n < 4:
		if a := w.ais[w.rand.IntN(len(w.ais))]; a != nil && !a.part.gone {
			w.net.cut(a.part, w.within(400*ms))
		}
	case n < 6:
		w.count.StateLinksLost++
		i := w.rand.IntN(len(w.states))
		j := (i + 1 + w.rand.IntN(len(w.states)-1)) % len(w.states)
		if a, b := w.states[i], w.states[j]; !a.gone && !b.gone {
			w.net.cutFrom(a.participant, []*participant{b.participant}, w.within(400*ms))
		}
	case n < 7:
		w.count.StateLinksLost++
		if s := pick(w, w.states); !s.gone {
			w.net.cut(s.participant, w.within(400*ms))
		}
	case n < 9:
		i := w.rand.IntN(len(w.ais))
		if w.ais[i] != nil {
			w.killAI(i)
			w.after(w.within(second), func() { w.startAI(i) })
		}
	case n < 10:
		w.killAgent(w.rand.IntN(len(w.agents)))
	case n < 12:
		w.jump()
	case n < 13 && w.chance(30):
		w.killState(w.rand.IntN(len(w.states)))
	case n < 15:
		c := w.clients[w.rand.IntN(len(w.clients))]
		c.stall(w.within(2500 * ms))
	case n < 17:
		w.clients[w.rand.IntN(len(w.clients))].hangUp()
	case n < 19:
		if a := w.ais[w.rand.IntN(len(w.ais))]; a != nil {
			w.castOut(a, w.chance(55))
		}
	case w.chance(60):
		w.killDaemon()
	}
}

// killAgent ends an agent, and with it all its connections; another one comes after a while. Not all of them at once.
func (w *world) killAgent(i int) {
	a := w.agents[i]
	if a.gone || slices.ContainsFunc(w.agents, func(other *agent) bool { return other.gone }) {
		return
	}
	w.count.AgentsDied++
	if w.chance(50) {
		for _, l := range a.links {
			w.net.lose(l)
		}
	}
	w.net.leave(a.participant)
	for _, c := range w.clients {
		if c.conn != nil && c.conn.agent == a {
			c.conn.end(errClosed)
		}
	}
	w.again(second, func() {
		if err := w.buildAgent(i); err != nil {
			w.problem("agent %d: %v", i+1, err)
		}
	})
}

// killState ends a State, and with it the objects of its partitions; another one comes after a while. Not all at once.
func (w *world) killState(i int) {
	s := w.states[i]
	if s.gone || slices.ContainsFunc(w.states, func(other *shard) bool { return other.gone }) {
		return
	}
	w.count.StatesDied++
	if w.chance(50) {
		for _, l := range s.links {
			w.net.lose(l)
		}
	}
	w.noteUnwritten(s)
	w.net.leave(s.participant)
	for _, id := range slices.Concat(w.ids, w.posts) {
		if slices.Contains(shardPartitions[i], id.Partition()) {
			w.told.gone(id)
			delete(w.watch.present, id)
		}
	}
	w.noteLoss(s.participant, w.now)
	w.again(second, func() {
		if err := w.buildShard(i); err != nil {
			w.problem("state %d: %v", i+1, err)
			return
		}
		w.noteLoss(w.states[i].participant, w.now)
		w.net.came(w.states[i].participant)
	})
}

// killDatabase ends the database role; another one comes after a while, over the same backend.
func (w *world) killDatabase() {
	if w.db.gone {
		return
	}
	w.count.DatabasesDied++
	w.count.TradesInDoubt += w.trades.open()
	if w.chance(50) {
		for _, l := range w.db.links {
			w.net.lose(l)
		}
	}
	w.net.leave(w.db.participant)
	w.again(400*ms, func() {
		if err := w.buildDatabase(); err != nil {
			w.problem("database: %v", err)
		}
	})
}

// perhapsCrash ends somebody whom a transaction concerns, now and then, between any two of its steps.
func (w *world) perhapsCrash(t *trade) {
	if w.opts.Calm || !w.playing || w.rand.IntN(300) > 0 {
		return
	}
	w.after(w.within(2*ms), func() {
		switch i := w.rand.IntN(4); i {
		case 0:
			for place, a := range w.ais {
				if a != nil && a.ai.Channel() == t.asker {
					w.count.TradesInDoubt += w.trades.open()
					w.killAI(place)
					w.after(w.within(second), func() { w.startAI(place) })
				}
			}
		case 1:
			id := pick(w, t.parts)
			for i, parts := range shardPartitions {
				if slices.Contains(parts, id.Partition()) {
					w.count.TradesInDoubt += w.trades.open()
					w.killState(i)
				}
			}
		default:
			w.killDatabase()
		}
	})
}

// jump sets somebody's clock, forward or back.
func (w *world) jump() {
	w.count.ClockJumps++
	list := []*participant{w.db.participant}
	for _, s := range w.states {
		list = append(list, s.participant)
	}
	for _, a := range w.agents {
		list = append(list, a.participant)
	}
	for _, a := range w.ais {
		if a != nil {
			list = append(list, a.part)
		}
	}
	p := pick(w, list)
	p.skew = w.within(2*jumpMost) - jumpMost
	w.record(fmt.Sprint("has a clock that is ", p.skew/ms, " ms ahead"), p.name, "", wire.Message{})
}

// jumpMost is how far clocks are off, nanoseconds.
const jumpMost = 1500 * ms
