//go:build !linux

package bench

import "time"

// timer waits until a time, as well as Go's timers do here. One goroutine owns it.
type timer struct{ t *time.Timer }

func newTimer() (*timer, error) {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &timer{t}, nil
}

// until waits until t.
func (w *timer) until(t time.Time) error {
	if d := time.Until(t); d > 0 {
		w.t.Reset(d)
		<-w.t.C
	}
	return nil
}

func (w *timer) close() error { return nil }
