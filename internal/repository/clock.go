package repository

// Clock knows a server's time and how wrong that may be. Each sample of four timestamps gives an interval in which
// the server's clock minus ours must lie: the middle by NTP's formula (RFC 5905, section 8), half the round trip to
// both sides. Intervals are intersected, so the samples with the shortest round trips decide; they widen with time by
// Drift. When the intersection is empty one of the clocks jumped, and the newest sample is trusted (rule 166, with
// tighter numbers: bounds of a tenth of a millisecond on a local link, not of a second).
type Clock struct {
	lo, hi int64 // bounds of server minus local clock at time at
	at     int64 // local
	known  bool
	jumps  int
}

// Drift is how much two clocks are trusted to run apart: nanoseconds in a second (50 ppm, a quartz's worst).
const Drift = 50_000

// Sample takes in: the request left at t1 and its answer came at t4 by our clock, and it came at t2 and left at t3 by
// the server's. Impossible ones are ignored.
func (c *Clock) Sample(t1, t2, t3, t4 int64) {
	if t4 < t1 || t3 < t2 || t4-t1 < t3-t2 {
		return
	}
	// The request took at least no time, and so did the answer: t2-t1 >= offset >= t3-t4.
	lo, hi := t3-t4, t2-t1
	if c.known {
		wide := c.widened(t4)
		a, b := max(lo, c.lo-wide), min(hi, c.hi+wide)
		if a <= b {
			lo, hi = a, b
		} else {
			c.jumps++
		}
	}
	c.lo, c.hi, c.at, c.known = lo, hi, t4, true
}

// widened is by how much the bounds have grown at a local time.
func (c *Clock) widened(local int64) int64 {
	return max(0, local-c.at) / 1000 * Drift / 1_000_000
}

// Time is the server's time at a local time, and the bound of its error, both nanoseconds; known is false before the
// first sample.
func (c *Clock) Time(local int64) (server, bound int64, known bool) {
	if !c.known {
		return local, 0, false
	}
	return local + c.lo + (c.hi-c.lo)/2, (c.hi-c.lo)/2 + c.widened(local) + 1, true
}

// Jumps is how often one of the clocks was seen to jump.
func (c *Clock) Jumps() int { return c.jumps }
