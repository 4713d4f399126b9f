package clientagent

import "time"

// The bounds of the flush interval.
const (
	flushPerSession = 25 * time.Microsecond
	flushMost       = 10 * time.Millisecond
	// flushLate is by how much a timer may be late on a machine that is not busy.
	flushLate = 2 * time.Millisecond
	// flushSlot is how long it takes at least from one slot to the next.
	flushSlot = time.Millisecond
)

// pace decides how long an agent gathers output: the longer the more sessions there are, and longer still while the
// machine is behind, which shows in timers that fire late. Fewer packets are what gives it the time back.
type pace struct {
	due  time.Time     // when a flush was planned for; zero: none
	more time.Duration // at least so long, because of the load
}

// interval is how long output is gathered for so many sessions.
func (p *pace) interval(sessions int) time.Duration {
	return min(max(time.Duration(sessions)*flushPerSession, p.more), flushMost)
}

// step is the time between the flushes of two slots, and how many slots there are: with many sessions they are
// flushed a part at a time, because writers that all wake at once wait for each other.
func (p *pace) step(sessions int) (step time.Duration, slots int) {
	interval := p.interval(sessions)
	if slots = int(interval / flushSlot); slots < 2 {
		return interval, 1
	}
	return interval / time.Duration(slots), slots
}

// flushed takes note of a flush, and of how late it was.
func (p *pace) flushed(now time.Time) {
	if !p.due.IsZero() && now.Sub(p.due) > flushLate {
		p.more = min(2*p.more+flushLate, flushMost)
	} else if p.more -= p.more / 8; p.more < flushPerSession {
		p.more = 0
	}
	p.due = time.Time{}
}
