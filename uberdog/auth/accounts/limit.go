package accounts

import (
	"math"
	"net/netip"
	"time"
)

// limiter bounds attempts per key, a name or an address: a bucket of burst tokens that refills by one each interval. It
// reads no clock, and holds no more than about twice maxKeys buckets: full ones say nothing and are forgotten.
// It has one owner, the repository's loop.
type limiter struct {
	burst    float64 // below 1: no limit
	interval time.Duration
	buckets  map[string]bucket
	sweepAt  int // size at which full buckets are looked for
}

type bucket struct {
	tokens float64
	at     int64 // unix nanoseconds
}

const maxKeys = 1 << 14

func newLimiter(burst int, interval time.Duration) *limiter {
	return &limiter{burst: float64(burst), interval: interval, buckets: make(map[string]bucket), sweepAt: maxKeys}
}

// take takes a token of key. A wait above zero says that there is none, and when there will be one.
func (l *limiter) take(key string, now int64) (wait time.Duration) {
	if l.burst < 1 {
		return 0
	}
	b, ok := l.buckets[key]
	if !ok {
		l.sweep(now)
		b = bucket{tokens: l.burst}
	} else {
		b.tokens = l.level(b, now)
	}
	b.at = now
	if b.tokens < 1 {
		l.buckets[key] = b
		return max(1, time.Duration(math.Ceil((1-b.tokens)*float64(l.interval))))
	}
	b.tokens--
	l.buckets[key] = b
	return 0
}

// forgive gives key all its tokens back: the attempt was a success.
func (l *limiter) forgive(key string) { delete(l.buckets, key) }

// giveBack gives key one token back: this attempt shall not count.
func (l *limiter) giveBack(key string) {
	if b, ok := l.buckets[key]; ok {
		b.tokens = min(l.burst, b.tokens+1)
		l.buckets[key] = b
	}
}

func (l *limiter) level(b bucket, now int64) float64 {
	return min(l.burst, b.tokens+float64(max(0, now-b.at))/float64(l.interval))
}

// sweep forgets what is full again. If nearly nothing is, the size is doubled once more; beyond that, what is not
// full is forgotten, too: whoever can make so many keys has other means.
func (l *limiter) sweep(now int64) {
	if len(l.buckets) < l.sweepAt {
		return
	}
	for key, b := range l.buckets {
		if l.level(b, now) >= l.burst {
			delete(l.buckets, key)
		}
	}
	switch {
	case len(l.buckets) < maxKeys:
		l.sweepAt = maxKeys
	case l.sweepAt < 2*maxKeys:
		l.sweepAt = 2 * maxKeys
	default:
		clear(l.buckets)
		l.sweepAt = maxKeys
	}
}

// network is what of a client's address counts: an IPv4 address, or the first 64 bits of an IPv6 one, of which one
// customer usually has all below. What is no address counts as it is.
func network(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	a := at.Addr().Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return remote
	}
	return p.String()
}
