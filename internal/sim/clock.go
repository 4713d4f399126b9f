package sim

import "container/heap"

// Times of the simulation, nanoseconds.
const (
	ms     = int64(1e6)
	second = int64(1e9)
	// epoch is when a simulation begins: any time that is not zero.
	epoch = 1_700_000_000 * second
)

// event is something that happens at a time. Events of one time happen in the order in which they were made.
type event struct {
	at   int64
	seq  uint64
	do   func()
	lost bool // it does not happen
}

// calendar is what will happen.
type calendar struct {
	now    int64
	seq    uint64
	events []*event
}

func (c *calendar) Len() int { return len(c.events) }

func (c *calendar) Less(i, j int) bool {
	a, b := c.events[i], c.events[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (c *calendar) Swap(i, j int) { c.events[i], c.events[j] = c.events[j], c.events[i] }

// Push is for container/heap.
func (c *calendar) Push(x any) { c.events = append(c.events, x.(*event)) }

// Pop is for container/heap.
func (c *calendar) Pop() any {
	last := len(c.events) - 1
	e := c.events[last]
	c.events[last] = nil
	c.events = c.events[:last]
	return e
}

// at books f for a time, which is never in the past.
func (c *calendar) at(t int64, f func()) *event {
	c.seq++
	e := &event{at: max(t, c.now), seq: c.seq, do: f}
	heap.Push(c, e)
	return e
}

// after books f for later.
func (c *calendar) after(d int64, f func()) *event { return c.at(c.now+d, f) }

// step lets the next event happen.
func (c *calendar) step() {
	e := heap.Pop(c).(*event)
	c.now = e.at
	if !e.lost {
		e.do()
	}
}
