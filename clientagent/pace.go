package clientagent

import (
	"math"
	"runtime"
	"time"
)

const (
	// flushMost is the default of the longest time for which output is gathered.
	flushMost = 10 * time.Millisecond
	// flushPackets is how many packets a second an agent is to write at most, for each two cores. Packets are what costs:
	// each takes about as long as fifty deliveries in it.
	flushPackets = 15_000
	// flushLatest is how many packets a second there may be of latest values alone, for each two cores. Where the longest
	// interval does not keep to that, a session gets them with what else it is owed, or every second or third time.
	flushLatest = 25_000
	// turnsMost is at which time at the latest.
	turnsMost = 3
	// flushAtOnce is up to how many frames a second are flushed as they come, for each two cores: while there are no
	// more, a packet for each is time that the machine has.
	flushAtOnce = 26_000
	// flushLate is by how much a timer may be late on a machine that is not busy.
	flushLate = 2 * time.Millisecond
	// flushSlot is how long it takes at least from one slot to the next.
	flushSlot = time.Millisecond
	// paceWindow is over how long the load is measured.
	paceWindow = 50 * time.Millisecond
)

// pace decides how long an agent gathers output: not at all while there is little, else as long as keeps the packets to a
// number that the machine has time for, and longer still while it is behind, which shows in timers that fire late.
type pace struct {
	most    time.Duration // the longest interval
	packets float64       // a second, aimed at
	latest  float64       // packets a second, of latest values alone
	atOnce  float64       // frames a second, up to which nothing is gathered

	due  time.Time     // when a flush was planned for; zero: none
	more time.Duration // at least so long, because timers were late

	gather time.Duration // because of the packets
	began  time.Time     // of the window that is measured
	frames uint64        // that sessions had been owed by then
	rate   float64       // frames a second
	window uint64        // counts windows: who was flushed in this one has its number
	active int           // sessions that were flushed in it
	last   int           // those of the window before
}

// newPace makes a pace for this machine. most 0: flushMost.
func newPace(most time.Duration) pace {
	if most <= 0 {
		most = flushMost
	}
	share := max(1, float64(runtime.GOMAXPROCS(0))/2)
	return pace{most: most, packets: flushPackets * share, latest: flushLatest * share, atOnce: flushAtOnce * share, window: 1}
}

// measure takes note of the load, once in each window. frames is what sessions were owed since the beginning.
func (p *pace) measure(now time.Time, frames uint64) {
	passed := now.Sub(p.began)
	if passed < paceWindow {
		return
	}
	if passed > 2*time.Second {
		p.rate = 0 // it was idle, or has just begun
	}
	p.rate += (float64(frames-p.frames)/passed.Seconds() - p.rate) / 2
	p.gather = p.gatherFor(p.active, p.rate)
	p.began, p.frames, p.last, p.active = now, frames, p.active, 0
	p.window++
}

// gatherFor is for how long the frames of each session are gathered, so that there are no more packets than are aimed
// at. One goes out when that has passed since the first frame in it came, and this takes sessions/rate to come.
func (p *pace) gatherFor(sessions int, rate float64) time.Duration {
	limit := p.atOnce
	if p.gather > 0 {
		limit *= 0.8 // so that it does not change with every window
	}
	if rate <= limit {
		return 0
	}
	return max(0, time.Duration(float64(sessions)*(1/p.packets-1/rate)*float64(time.Second)))
}

// flushing counts a session that is flushed; seen is what it returned for that session before.
func (p *pace) flushing(seen uint64) uint64 {
	if seen != p.window {
		p.active++
	}
	return p.window
}

// interval is how long output is gathered.
func (p *pace) interval() time.Duration {
	return min(max(p.gather, p.more), p.most)
}

// step is the time between the flushes of two slots, and how many slots there are: over a long interval the sessions are
// flushed a part at a time, because writers that all wake at once wait for each other.
func (p *pace) step() (step time.Duration, slots int) {
	interval := p.interval()
	if slots = int(interval / flushSlot); slots < 2 {
		return interval, 1
	}
	return interval / time.Duration(slots), slots
}

// turns is in how many flushes a session that is owed latest values alone gets them once.
func (p *pace) turns() int {
	if p.gather < p.most {
		return 1
	}
	return max(1, min(int(math.Ceil(float64(p.last)/p.latest/p.most.Seconds())), turnsMost))
}

// flushed takes note of a flush, and of how late it was.
func (p *pace) flushed(now time.Time) {
	if !p.due.IsZero() && now.Sub(p.due) > flushLate {
		p.more = min(2*p.more+flushLate, p.most)
	} else if p.more -= p.more / 8; p.more < flushLate/8 {
		p.more = 0
	}
	p.due = time.Time{}
}
