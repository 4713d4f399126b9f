package clientagent

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets whose bounds double: the i-th has those below 2^i microseconds, the last all
// that are longer. Any goroutine may use it.
type Histogram struct {
	buckets [24]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

// Observe counts d.
func (h *Histogram) Observe(d time.Duration) {
	i := bits.Len64(uint64(max(d, 0).Microseconds()))
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
	h.sum.Add(int64(d))
}

// Bucket is how many durations were below Bound, and above the bound before it.
type Bucket struct {
	Bound time.Duration
	Count uint64
}

// Snapshot returns the buckets and the sum of all durations.
func (h *Histogram) Snapshot() (buckets []Bucket, sum time.Duration) {
	for i := range h.buckets {
		buckets = append(buckets, Bucket{time.Duration(1<<i) * time.Microsecond, h.buckets[i].Load()})
	}
	return buckets, time.Duration(h.sum.Load())
}
