package messagedirector

import (
	"slices"
	"time"

	"github.com/otpd/otpd/do"
)

// leases judges which nodes are dead. It is pure: times are readings of this process's monotonic clock.
//
// A node is judged only over time in which the judge itself ran and could renew its own lease: a tick that comes
// late, or finds the judge's own lease not fresh, starts the count again for everybody. So a process that was stopped, or
// cut off, never concludes that the others died.
type leases struct {
	length time.Duration
	ticked time.Duration // when the last tick was
	seen   map[do.ID]time.Duration
}

func newLeases(length, now time.Duration) *leases {
	return &leases{length: length, ticked: now, seen: map[do.ID]time.Duration{}}
}

// lateness is the longest time between two ticks over which others may be judged.
func (l *leases) lateness() time.Duration { return l.length / 4 }

// renewed notes that a node's lease was renewed.
func (l *leases) renewed(node do.ID, now time.Duration) { l.seen[node] = now }

// forget ends the judging of a node.
func (l *leases) forget(node do.ID) { delete(l.seen, node) }

// tick passes time and returns the nodes whose lease has run out, ascending. fresh: the judge's own lease is.
func (l *leases) tick(now time.Duration, fresh bool) []do.ID {
	late := now-l.ticked > l.lateness()
	l.ticked = now
	var expired []do.ID
	for node, seen := range l.seen {
		switch {
		case late || !fresh:
			l.seen[node] = now
		case now-seen >= l.length:
			expired = append(expired, node)
		}
	}
	slices.SortFunc(expired, do.ID.Compare)
	return expired
}
