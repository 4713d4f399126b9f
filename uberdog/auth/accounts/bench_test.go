package accounts

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStorm is a crowd of 100 logins at once, at the default cost: how long each waits for on average is the time of the
// whole, and the memory is what the process had in use at most.
func BenchmarkStorm(b *testing.B) {
	cfg := Config{Queue: 1000, Patience: time.Hour}.withDefaults()
	h, err := newHasher(cfg.Params, zeros{})
	require.NoError(b, err)
	stored, err := h.make("hunter2hunter2")
	require.NoError(b, err)
	want, err := h.wanted(stored)
	require.NoError(b, err)
	var most uint64
	for b.Loop() {
		t := &turnstile{slots: cfg.Hashes, memory: uint64(cfg.Memory), queue: cfg.Queue, patience: cfg.Patience, now: time.Now}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 100 {
			turn, _, _, err := t.come(h.need(want))
			require.NoError(b, err)
			wg.Go(func() {
				if turn.enter() != nil {
					return
				}
				defer turn.leave()
				_, _ = h.check(want, "hunter2hunter2")
				mu.Lock()
				defer mu.Unlock()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			})
		}
		wg.Wait()
		require.EqualValues(b, 100, t.stats().served)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(100*b.N), "ms/login")
	b.ReportMetric(float64(most)/1e6, "MB-most")
}
