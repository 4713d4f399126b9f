// Package collector keeps Go's garbage collector quiet while there is memory to do so: while it marks it takes half of a
// small machine for some ten milliseconds, and whatever is under way meanwhile is late.
package collector

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// spare is how much garbage may gather before it is collected, bytes: for heaps below it the collector runs less
	// often than by Go's default, which is when there is as much garbage as live memory.
	spare = 512 << 20
	// mostPercent bounds the garbage of a small heap, in per cent of what is live: an idle daemon stays small.
	mostPercent = 300
	// leastPercent is Go's default.
	leastPercent = 100
	// adjustEvery is how often the heap is looked at.
	adjustEvery = time.Second
)

// Start sets the collector's pace and follows the size of the heap until stop is called. Where the environment has GOGC,
// that holds and nothing is done; GOMEMLIMIT holds in any case.
func Start() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	set := leastPercent
	adjust := func() {
		if p := percent(live()); p != set {
			set = p
			debug.SetGCPercent(p)
		}
	}
	adjust()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(adjustEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				adjust()
			case <-done:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wg.Wait()
		debug.SetGCPercent(leastPercent)
	})
}

// live is what the last collection left.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return math.MaxUint64
	}
	return s[0].Value.Uint64()
}

// percent is GOGC for a heap with so much that is live, in steps of 25: setting it stops the world for a moment.
func percent(live uint64) int {
	if live <= spare*100/mostPercent {
		return mostPercent
	}
	return max(leastPercent, int(spare*100/live/25*25))
}
