package repository

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// everything is the loss of the links to all States.
func everything() *wire.LinkLost {
	return &wire.LinkLost{Hosts: []do.Range{{
		Lo: do.PartitionRange(do.KindObject, 0).Lo, Hi: do.PartitionRange(do.KindObject, 1<<16-1).Hi,
	}}}
}

// Away tells that there is no link to the cluster, for now. What was in flight fails; what is here stays, and its
// handlers wait. What the repository wants to send until Rejoin is to be dropped.
func (a *AI) Away(now int64) {
	a.advance(now)
	a.early = nil // what the States that are there then have, Rejoin asks for
	a.hearLinkLost(everything())
	a.sched.drain()
	a.TakeOutput()
	a.local = nil
}

// Rejoin tells that there is a link again, to a director that knows nothing of this AI. It takes back what States
// still have, and lets go of what they have not.
func (a *AI) Rejoin(now int64) {
	a.advance(now)
	a.TakeOutput()
	a.joined = false
	a.mend.need = true
	channels := []do.Channel{a.channel}
	for _, id := range slices.SortedFunc(maps.Keys(a.dogs), do.ID.Compare) {
		channels = append(channels, do.UberDOG(id))
	}
	a.enterCluster(channels)
	a.unsubscribed = true // from what is watched
	a.hearLinkLost(everything())
	a.unsubscribed = false
	a.sched.drain()
	a.settleLocal()
}

// mend is the game's putting back of what was lost.
type mend struct {
	need    bool // something was lost
	runs    bool
	retries int
	after   int64 // not before; unix nanoseconds
}

// The pauses between two runs of Restore of which the first failed.
const (
	mendFirst = int64(200 * time.Millisecond)
	mendMost  = int64(5 * time.Second)
)

// begin runs Restore, if there is need and it is known what is left.
func (m *mend) begin(a *AI) {
	if !m.need || m.runs || a.ac.Restore == nil || !a.joined || a.linked > 0 || a.now < m.after || a.failure != nil {
		return
	}
	m.need, m.runs = false, true
	a.spawn(&activity{what: "restore", task: a.ac.Restore, after: func(err error) {
		m.runs = false
		if err == nil {
			m.retries = 0
			return
		}
		a.report(fmt.Errorf("repository: restore: %w", err))
		wait := min(mendFirst<<min(m.retries, 10), mendMost)
		m.retries++
		m.need, m.after = true, a.now+wait
		a.timers.add(m.after, 0, func() {}) // a tick
	}})
	a.sched.drain()
	a.settleLocal()
}
