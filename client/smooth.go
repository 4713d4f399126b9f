package client

import (
	"slices"
	"time"
)

// Smoother gives the place of a moving object between the places that were told of it. Samples carry the time at which they
// were true, on the synchronised clock (Repository.Now); the object is shown a little late, so that there nearly always is
// a sample on either side. What is told late, twice or out of order changes nothing wrong. V is the game's own type of a
// place (rule 168).
//
// The zero value needs Between; the other members have the defaults that are told. A Smoother has one owner.
type Smoother[V any] struct {
	// Between is the place at f, 0 to 1, on the way from a to b; up to 1 + Ahead over the time between them when the next
	// sample is late.
	Between func(a, b V, f float64) V
	// Delay is how late the object is shown. Default 200 ms.
	Delay time.Duration
	// Ahead is for how long the object goes on as before when no sample comes. Default 200 ms; below 0: it stands.
	Ahead time.Duration
	// Future is how far in the future a sample's time may lie. Beyond it one of the clocks is wrong: the sample is
	// dropped, and Resync asks for a new look at the clock. Default 200 ms.
	Future time.Duration

	samples []sample[V] // ascending by time
	dropped bool        // one was in the future
	synced  time.Time   // when Resync was true last
}

type sample[V any] struct {
	at time.Time
	v  V
}

// Limits of a Smoother.
const (
	maxSamples   = 32
	smoothTime   = 200 * time.Millisecond
	resyncPause  = 15 * time.Second
	oldestSample = 5 * time.Minute
)

func orDefault(d time.Duration) time.Duration {
	if d == 0 {
		return smoothTime
	}
	return max(d, 0)
}

// Set puts the object to a place where it stands: what an entry tells is a snapshot, not a movement (rule 167).
func (s *Smoother[V]) Set(at time.Time, v V) {
	s.samples = append(s.samples[:0], sample[V]{at, v})
}

// Add takes in where the object was at a time, as an update tells; now is the synchronised time. False: the sample was of
// no use, since it is too old, too far in the future, or known.
func (s *Smoother[V]) Add(at, now time.Time, v V) bool {
	if at.Sub(now) > orDefault(s.Future) {
		s.dropped = true
		return false
	}
	if now.Sub(at) > oldestSample {
		return false
	}
	i, known := slices.BinarySearchFunc(s.samples, at, func(x sample[V], at time.Time) int { return x.at.Compare(at) })
	if known || i == 0 && len(s.samples) > 1 {
		return false // it is older than all that is still needed
	}
	s.samples = slices.Insert(s.samples, i, sample[V]{at, v})
	if len(s.samples) > maxSamples {
		s.samples = slices.Delete(s.samples, 0, len(s.samples)-maxSamples)
	}
	return true
}

// At is where the object is to be shown at now. moving tells whether it is on its way; ok is false before the first sample.
func (s *Smoother[V]) At(now time.Time) (v V, moving, ok bool) {
	if len(s.samples) == 0 {
		return v, false, false
	}
	t := now.Add(-orDefault(s.Delay))
	next, _ := slices.BinarySearchFunc(s.samples, t, func(x sample[V], t time.Time) int { return x.at.Compare(t) })
	if next > 1 {
		// Of what is past, the newest two: one on this side, and its direction.
		s.samples = slices.Delete(s.samples, 0, min(next, len(s.samples)-1)-1)
		next, _ = slices.BinarySearchFunc(s.samples, t, func(x sample[V], t time.Time) int { return x.at.Compare(t) })
	}
	switch {
	case next == 0:
		return s.samples[0].v, false, true
	case next < len(s.samples):
		return s.between(next-1, t), true, true
	case len(s.samples) == 1:
		return s.samples[0].v, false, true
	}
	last := s.samples[len(s.samples)-1]
	ahead := orDefault(s.Ahead)
	if t.Sub(last.at) >= ahead || s.Ahead < 0 {
		return s.between(len(s.samples)-2, last.at.Add(ahead)), false, true
	}
	return s.between(len(s.samples)-2, t), true, true
}

// between is the place at t on the line through samples i and i+1.
func (s *Smoother[V]) between(i int, t time.Time) V {
	a, b := s.samples[i], s.samples[i+1]
	return s.Between(a.v, b.v, float64(t.Sub(a.at))/float64(b.at.Sub(a.at)))
}

// Resync reports whether samples came out of the future, which says that a clock is wrong; at most once in 15 s.
func (s *Smoother[V]) Resync(now time.Time) bool {
	if !s.dropped || now.Sub(s.synced) < resyncPause {
		return false
	}
	s.dropped, s.synced = false, now
	return true
}
