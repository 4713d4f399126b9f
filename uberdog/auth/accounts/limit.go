package accounts

import "time"

// limiter bounds attempts per name: a bucket of burst tokens that refills by one each interval. It reads no clock, and
// holds no more than about twice maxNames buckets: full ones say nothing and are forgotten.
// It has one owner, the repository's loop.
type limiter struct {
	burst    float64
	interval time.Duration
	buckets  map[string]bucket
	sweepAt  int // size at which full buckets are looked for
}

type bucket struct {
	tokens float64
	at     int64 // unix nanoseconds
}

const maxNames = 1 << 14

func newLimiter(burst int, interval time.Duration) *limiter {
	return &limiter{burst: float64(burst), interval: interval, buckets: make(map[string]bucket), sweepAt: maxNames}
}

// allow takes a token of name.
func (l *limiter) allow(name string, now int64) bool {
	b, ok := l.buckets[name]
	if !ok {
		l.sweep(now)
		b = bucket{tokens: l.burst}
	} else {
		b.tokens = l.level(b, now)
	}
	b.at = now
	if b.tokens < 1 {
		l.buckets[name] = b
		return false
	}
	b.tokens--
	l.buckets[name] = b
	return true
}

// forgive gives name its tokens back: the attempt was a success.
func (l *limiter) forgive(name string) { delete(l.buckets, name) }

func (l *limiter) level(b bucket, now int64) float64 {
	return min(l.burst, b.tokens+float64(max(0, now-b.at))/float64(l.interval))
}

// sweep forgets what is full again. If nearly nothing is, the size is doubled once more; beyond that, what is not
// full is forgotten, too: whoever can make so many names has other means.
func (l *limiter) sweep(now int64) {
	if len(l.buckets) < l.sweepAt {
		return
	}
	for name, b := range l.buckets {
		if l.level(b, now) >= l.burst {
			delete(l.buckets, name)
		}
	}
	switch {
	case len(l.buckets) < maxNames:
		l.sweepAt = maxNames
	case l.sweepAt < 2*maxNames:
		l.sweepAt = 2 * maxNames
	default:
		clear(l.buckets)
		l.sweepAt = maxNames
	}
}
