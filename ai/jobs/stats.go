package jobs

import (
	"sync/atomic"
	"time"

	"github.com/otpd/otpd/ai"
)

// stats are a handler's numbers. They are read on other goroutines.
type stats struct {
	taken, done, retried, failed, lost atomic.Uint64
	running                            atomic.Int64
	late                               atomic.Int64 // nanoseconds that the first of those that wait is due
}

func (s *stats) ended(state State) {
	switch state {
	case Done:
		s.done.Add(1)
	case Retried:
		s.retried.Add(1)
	}
}

// behind takes the jobs that are due and not taken, in their order.
func (s *stats) behind(now time.Time, due []ai.Row[Job]) {
	late := time.Duration(0)
	for _, row := range due {
		late = max(late, now.Sub(row.Object.Due))
	}
	s.late.Store(int64(late))
}

// Metrics are the numbers of this worker: see ai.MetricsHandler.
func (w *Worker) Metrics() []ai.Metric {
	var out []ai.Metric
	each := func(name, help string, counter bool, value func(*stats) float64) {
		for _, h := range w.handlers {
			out = append(out, ai.Metric{Name: "otpd_jobs_" + name, Help: help, Counter: counter, Labels: []string{"job", h.name}, Value: value(&h.stats)})
		}
	}
	count := func(name, help string, of func(*stats) *atomic.Uint64) {
		each(name+"_total", help, true, func(s *stats) float64 { return float64(of(s).Load()) })
	}
	count("taken", "Attempts that this worker began.", func(s *stats) *atomic.Uint64 { return &s.taken })
	count("done", "Jobs that this worker did.", func(s *stats) *atomic.Uint64 { return &s.done })
	count("retried", "Attempts that failed and are to be made again.", func(s *stats) *atomic.Uint64 { return &s.retried })
	count("failed", "Jobs that were given up.", func(s *stats) *atomic.Uint64 { return &s.failed })
	count("lost", "Attempts whose lease was lost.", func(s *stats) *atomic.Uint64 { return &s.lost })
	each("running", "Attempts that run now.", false, func(s *stats) float64 { return float64(s.running.Load()) })
	each("late_seconds", "How long the first job that waits has been due, when this worker last looked.", false,
		func(s *stats) float64 { return time.Duration(s.late.Load()).Seconds() })
	return out
}
