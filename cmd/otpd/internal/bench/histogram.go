package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations from a microsecond to some minutes, in buckets of at most 1/64 of their size. It has one
// owner at a time.
type histogram struct {
	buckets [histogramBuckets]uint64
	n       uint64
	most    time.Duration
}

const (
	histogramFine    = 64 // buckets in each power of two
	histogramBuckets = histogramFine * 22
)

// add counts d; a negative one counts as none.
func (h *histogram) add(d time.Duration) {
	h.buckets[histogramBucket(d)]++
	h.n++
	h.most = max(h.most, d)
}

// histogramBucket: below 128 us each microsecond has a bucket, above that 64 share a power of two.
func histogramBucket(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	shift := max(bits.Len64(us)-7, 0)
	return min(shift*histogramFine+int(us>>shift), histogramBuckets-1)
}

// histogramTop is the end of a bucket.
func histogramTop(i int) time.Duration {
	shift := max(i/histogramFine-1, 0)
	low := uint64(i-shift*histogramFine) << shift
	return time.Duration(low+1<<shift) * time.Microsecond
}

// merge adds what another has counted.
func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.most = max(h.most, o.most)
}

// quantile is the duration that the part q (0 to 1) of all stays within, at most the longest; 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	want := uint64(q * float64(h.n))
	var n uint64
	for i, count := range h.buckets {
		if n += count; count > 0 && n > want || n == h.n && n > 0 {
			return min(histogramTop(i), h.most)
		}
	}
	return 0
}

// milliseconds is d for people and JSON, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
