package sim

import (
	"slices"

	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// AIs that lose the cluster and come back to it: declared dead while they lived, cut off for a while, or their daemon died.
// They go on in between, hear of it late, and join as another participant, by the same channel.

// castOut cuts an AI off. Nobody is told at first. Then it is declared dead, and its will is run; or it comes back before
// that, and there is no will: what it has lives on.
func (w *world) castOut(a *actor, dies bool) {
	old := a.part
	if old.gone {
		return
	}
	silent := w.within(400 * ms)
	a.lostAt = w.now
	w.record("is cut off", a.name, "", wire.Message{})
	for range 3 {
		a.run(func() { a.beatLater(a.stands[w.rand.IntN(len(a.stands))], 400+w.rand.Uint32N(1200)) })
	}
	w.net.silence(old, silent)
	w.after(silent, func() {
		switch {
		case old.gone || !a.alive():
			return
		case dies:
			w.count.AIsCast++
			w.net.leave(old)
		default:
			w.count.AIsCutOff++
			w.net.takeOut(old)
			w.after(w.within(600*ms), func() { w.net.dead(old) })
		}
		for range 3 {
			w.after(w.within(second), func() { w.borrowOf(a.place) })
		}
		w.after(w.within(400*ms), a.away)
		w.at(w.net.arrived(old)+w.within(second), func() { a.joinAgain(old) })
	})
}

// borrowOf lets another AI take the diary of a place, where that went.
func (w *world) borrowOf(place int) {
	if b := pick(w, w.ais); b != nil && b.ai.Ready() {
		b.run(func() { b.borrow(place) })
	}
}

// away tells an AI that it is cut off.
func (a *actor) away() {
	if a.alive() && a.part.gone && !a.isAway {
		a.isAway = true
		a.w.note(a.name, "is away")
		a.run(func() { a.ai.Away(a.w.now + a.part.skew) })
	}
}

// joinAgain lets an AI come back once there are servers.
func (a *actor) joinAgain(old *participant) {
	w := a.w
	switch {
	case !a.alive() || a.part != old:
		return
	case w.down:
		w.after(w.within(200*ms), func() { a.joinAgain(old) })
		return
	}
	a.away()
	old.will = nil
	a.isAway = false
	w.count.Rejoined++
	a.join()
	a.part.skew, a.part.latest = old.skew, old.latest
	a.rejoined, a.lostAt = w.now, w.now
	a.run(func() { a.ai.Rejoin(w.now + a.part.skew) })
}

// join makes an AI a participant.
func (a *actor) join() {
	a.part = a.w.net.join(a.name, true, a.hears)
	a.part.builds = true
}

// killDaemon ends all servers and the director at once, as where one process is the cluster. Nobody is there to run a will.
// Another daemon comes after a while, over the same database; AIs find that out, sooner or later.
func (w *world) killDaemon() {
	if w.down {
		return
	}
	w.count.DaemonsDied++
	w.count.StatesDied += len(w.states)
	w.count.AgentsDied += len(w.agents)
	w.count.DatabasesDied++
	w.count.TradesInDoubt += w.trades.open()
	w.down = true
	w.record("the daemon dies", "", "", wire.Message{})
	for _, p := range w.net.all {
		if !p.gone {
			w.net.silence(p, 0)
		}
	}
	for _, p := range w.net.all {
		p.gone, p.will = true, nil
	}
	for _, s := range w.states {
		w.noteUnwritten(s)
	}
	w.net.table = messagedirector.NewTable(w.rand.Uint64())
	for _, id := range slices.Concat(w.ids, w.posts) {
		w.told.gone(id)
		delete(w.watch.present, id)
	}
	w.watch.openings, w.wilds = nil, nil
	for _, c := range w.clients {
		if c.conn != nil {
			c.conn.end(errClosed)
		}
	}
	for _, a := range w.ais {
		if a != nil {
			old := a.part
			w.after(w.within(600*ms), a.away)
			w.after(w.within(second), func() { a.joinAgain(old) })
		}
	}
	w.after(w.within(800*ms), func() {
		w.down = false
		if err := w.buildServers(); err != nil {
			w.problem("daemon: %v", err)
		}
	})
}

// again builds a server that died, after a while, unless the daemon dies before.
func (w *world) again(d int64, build func()) {
	daemons := w.count.DaemonsDied
	w.after(w.within(d), func() {
		if w.count.DaemonsDied == daemons {
			build()
		}
	})
}
