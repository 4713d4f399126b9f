package tavern

import (
	"fmt"
	"sync/atomic"

	"github.com/otpd/otpd/client"
)

// Stats is what a bot has done so far. All of it may be read while the bot plays.
type Stats struct {
	Updates     atomic.Uint64 // positions sent, moves included
	ZoneChanges atomic.Uint64
	Houses      atomic.Uint64 // taverns entered
	Says        atomic.Uint64
	Buys        atomic.Uint64
	Trades      atomic.Uint64 // mugs bought of others

	Logins    atomic.Uint64 // sessions that got as far as an avatar on the street
	Relogins  atomic.Uint64 // those of them that came back after a logout
	Failures  atomic.Uint64 // sessions that ended otherwise than by a logout
	CallsOK   atomic.Uint64
	CallsFail atomic.Uint64 // those that should have gone well

	InterestsOpened atomic.Uint64 // operations on interests: adding, altering, removing
	InterestsDone   atomic.Uint64 // completed without error
	InterestsFailed atomic.Uint64

	ViewSum  atomic.Uint64 // objects in view, summed over ViewTaken samples, one with each step
	ViewSeen atomic.Uint64

	Latency Histogram // from the moment when another bot meant to send a position, to its handler here
	Clock   Histogram // distance between the synchronised clock and this machine's, which is the server's in a demo

	past client.Traffic // of sessions that have ended; owned by Run
	// Sums over all sessions, with those of the one that lives.
	deliveries, datagramsIn, datagramsOut, bytesIn, entered, left, stale atomic.Uint64
}

// Deliveries are the updates and events of others that were taken in.
func (s *Stats) Deliveries() uint64 { return s.deliveries.Load() }

// Datagrams are those received and sent.
func (s *Stats) Datagrams() (in, out uint64) { return s.datagramsIn.Load(), s.datagramsOut.Load() }

// BytesIn are those received, on stream and by datagram.
func (s *Stats) BytesIn() uint64 { return s.bytesIn.Load() }

// Entered and left are how often an object came into view and went.
func (s *Stats) Entered() (entered, left uint64) { return s.entered.Load(), s.left.Load() }

// Stale are positions that came after a newer one and were dropped.
func (s *Stats) Stale() uint64 { return s.stale.Load() }

// traffic publishes the sums with what the living session has had.
func (s *Stats) traffic(t client.Traffic) {
	s.deliveries.Store(s.past.Updates + t.Updates)
	s.datagramsIn.Store(s.past.DatagramsIn + t.DatagramsIn)
	s.datagramsOut.Store(s.past.DatagramsOut + t.DatagramsOut)
	s.bytesIn.Store(s.past.BytesIn + t.BytesIn)
	s.entered.Store(s.past.Entered + t.Entered)
	s.left.Store(s.past.Left + t.Left)
	s.stale.Store(s.past.Stale + t.Stale)
}

// ended adds a session that has ended to the sums.
func (s *Stats) ended(t client.Traffic) {
	s.past.Updates += t.Updates
	s.past.DatagramsIn += t.DatagramsIn
	s.past.DatagramsOut += t.DatagramsOut
	s.past.BytesIn += t.BytesIn
	s.past.Entered += t.Entered
	s.past.Left += t.Left
	s.past.Stale += t.Stale
	s.traffic(client.Traffic{})
}

// String is one line for people.
func (s *Stats) String() string {
	in, out := s.Datagrams()
	return fmt.Sprintf("%d logins (%d returns, %d failures), %d updates, %d deliveries, %d zone changes, %d houses, %d says, %d buys, %d trades, "+
		"calls %d+%d, interests %d of %d (%d failed), datagrams %d in %d out, p50 %v p99 %v",
		s.Logins.Load(), s.Relogins.Load(), s.Failures.Load(), s.Updates.Load(), s.Deliveries(), s.ZoneChanges.Load(),
		s.Houses.Load(), s.Says.Load(), s.Buys.Load(), s.Trades.Load(), s.CallsOK.Load(), s.CallsFail.Load(), s.InterestsDone.Load(), s.InterestsOpened.Load(),
		s.InterestsFailed.Load(), in, out, s.Latency.Quantile(0.5), s.Latency.Quantile(0.99))
}
