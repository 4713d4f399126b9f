package tavern

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets of at most 1/16 of their size, from a microsecond to a minute; longer ones
// count as a minute. The zero value is ready. It is safe for concurrent use.
type Histogram struct {
	buckets [buckets]atomic.Uint64
}

const (
	fine    = 16 // buckets in each power of two
	powers  = 26
	buckets = fine * (powers - 3)
)

// Add counts d; a negative one, between clocks that differ, counts as none.
func (h *Histogram) Add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// bucketOf: below 32 us each microsecond has a bucket, above that 16 share a power of two.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	shift := max(bits.Len64(us)-5, 0)
	return min(shift*fine+int(us>>shift), buckets-1)
}

// top is the longest duration of a bucket.
func top(i int) time.Duration {
	shift := max(i/fine-1, 0)
	low := uint64(i-shift*fine) << shift
	return time.Duration(low+1<<shift-1) * time.Microsecond
}

// Merge adds what another has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i := range o.buckets {
		if n := o.buckets[i].Load(); n > 0 {
			h.buckets[i].Add(n)
		}
	}
}

// Count is how many were counted.
func (h *Histogram) Count() uint64 {
	var n uint64
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return n
}

// Quantile is the duration that the part q (0 to 1) of all stays within; 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	all := h.Count()
	if all == 0 {
		return 0
	}
	want := max(uint64(q*float64(all)+0.999999), 1)
	var n uint64
	for i := range h.buckets {
		if n += h.buckets[i].Load(); n >= want {
			return top(i)
		}
	}
	return top(buckets - 1)
}

// Subtract takes out what was counted in an earlier copy of h: what remains is what came since.
func (h *Histogram) Subtract(earlier *Histogram) {
	for i := range earlier.buckets {
		if n := earlier.buckets[i].Load(); n > 0 {
			h.buckets[i].Add(-n)
		}
	}
}
