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
	list    []past
	dropped int            // how many were forgotten, which is the number of list[0]
	index   map[uint32]int // the number of the newest of an alias, among those below indexed
	indexed int
}

// add books what left.
func (h *history) add(p past) { h.list = append(h.list, p) }

// find is the newest that had an alias, if it is not forgotten.
func (h *history) find(alias uint32) (past, bool) {
	if h.index == nil {
		h.index = map[uint32]int{}
	}
	h.indexed = max(h.indexed, h.dropped)
	for ; h.indexed < h.dropped+len(h.list); h.indexed++ {
		h.index[h.list[h.indexed-h.dropped].alias] = h.indexed
	}
	n, ok := h.index[alias]
	if !ok {
		return past{}, false
	}
	return h.list[n-h.dropped], true
}

// forget forgets what left long enough ago.
func (h *history) forget(now int64) {
	n := 0
	for ; n < len(h.list) && h.list[n].until <= now; n++ {
		if number := h.dropped + n; number < h.indexed && h.index[h.list[n].alias] == number {
			delete(h.index, h.list[n].alias)
		}
	}
	h.list, h.dropped = h.list[n:], h.dropped+n
	if len(h.list) == 0 {
		*h = history{dropped: h.dropped}
	}
}
