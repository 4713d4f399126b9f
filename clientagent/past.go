package clientagent

import "github.com/otpd/otpd/do"

// past is an alias that the client had a moment ago.
type past struct {
	id      do.ID
	until   int64
	alias   uint32
	deleted bool
}

// history is what left a session's view a moment ago, by time (rule 105). Many leave, and few are ever referred to again:
// they are only put into the index when somebody looks for one.
type history struct {
	list    queue[past]
	dropped int            // how many were forgotten, which is the number of the first in the list
	index   map[uint32]int // the number of the newest of an alias, among those below indexed
	indexed int
}

// add books what left.
func (h *history) add(p past) { h.list.add(p) }

// find is the newest that had an alias, if it is not forgotten.
func (h *history) find(alias uint32) (past, bool) {
	if h.index == nil {
		h.index = map[uint32]int{}
	}
	h.indexed = max(h.indexed, h.dropped)
	for ; h.indexed < h.dropped+h.list.len(); h.indexed++ {
		h.index[h.list.at(h.indexed-h.dropped).alias] = h.indexed
	}
	n, ok := h.index[alias]
	if !ok {
		return past{}, false
	}
	return *h.list.at(n - h.dropped), true
}

// forget forgets what left long enough ago.
func (h *history) forget(now int64) {
	n := 0
	for ; n < h.list.len() && h.list.at(n).until <= now; n++ {
		if number := h.dropped + n; number < h.indexed && h.index[h.list.at(n).alias] == number {
			delete(h.index, h.list.at(n).alias)
		}
	}
	h.list.drop(n)
	h.dropped += n
	if h.list.len() == 0 {
		*h = history{dropped: h.dropped}
	}
}
