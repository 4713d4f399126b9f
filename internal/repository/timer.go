package repository

import (
	"container/heap"
)

// Timer is something that happens later on the loop.
type Timer struct {
	at    int64 // unix nanoseconds of the repository's clock
	seq   uint64
	index int // in the heap, -1 when it is in none
	every int64
	fire  func()
}

// timers orders what happens later by time, then by age, so that equal times keep their order.
type timers struct {
	heap []*Timer
	seq  uint64
}

func (h *timers) Len() int { return len(h.heap) }

func (h *timers) Less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

func (h *timers) Swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.heap[i].index, h.heap[j].index = i, j
}

// Push is for container/heap.
func (h *timers) Push(x any) {
	t := x.(*Timer)
	t.index = len(h.heap)
	h.heap = append(h.heap, t)
}

// Pop is for container/heap.
func (h *timers) Pop() any {
	n := len(h.heap) - 1
	t := h.heap[n]
	h.heap[n] = nil
	h.heap = h.heap[:n]
	t.index = -1
	return t
}

// add starts a timer.
func (h *timers) add(at, every int64, fire func()) *Timer {
	t := &Timer{at: at, every: every, fire: fire}
	h.start(t)
	return t
}

func (h *timers) start(t *Timer) {
	h.seq++
	t.seq = h.seq
	heap.Push(h, t)
}

// stop takes a timer back; nil and one that has fired are ignored.
func (h *timers) stop(t *Timer) {
	if t == nil {
		return
	}
	t.every = 0
	if t.index >= 0 && t.index < len(h.heap) && h.heap[t.index] == t {
		heap.Remove(h, t.index)
	}
}

// run fires everything that is due. A timer that repeats and was missed several times fires once.
func (h *timers) run(now int64) {
	for len(h.heap) > 0 && h.heap[0].at <= now {
		t := heap.Pop(h).(*Timer)
		if t.every > 0 {
			t.at += t.every
			if t.at <= now {
				t.at = now + t.every
			}
			h.start(t)
		}
		t.fire()
	}
}

// next is when the next timer is due, 0 if there is none.
func (h *timers) next() int64 {
	if len(h.heap) == 0 {
		return 0
	}
	return h.heap[0].at
}
