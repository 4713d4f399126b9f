package tavern

import (
	"math"
	"math/rand/v2"
	"time"
)

// walker moves on the ground: towards a target, then to another one. All it does follows from its source of random
// numbers and the steps it is told to make.
type walker struct {
	rng    *rand.Rand
	x, y   float64
	tx, ty float64
	speed  float64 // metres per second
}

// step walks for d; arrived: the target is reached.
func (w *walker) step(d time.Duration) (arrived bool) {
	dx, dy := w.tx-w.x, w.ty-w.y
	left := math.Hypot(dx, dy)
	reach := w.speed * d.Seconds()
	if left <= reach {
		w.x, w.y = w.tx, w.ty
		return true
	}
	w.x += dx / left * reach
	w.y += dy / left * reach
	return false
}

// head makes (x, y) the target.
func (w *walker) head(x, y float64) { w.tx, w.ty = x, y }

// wander makes any place within reach of (x, y) the target, if it is on the street; one step from its border at most.
func (w *walker) wander(x, y, reach float64) {
	const most = Bounds - 1
	w.head(
		min(max(x+(2*w.rng.Float64()-1)*reach, -most), most),
		min(max(y+(2*w.rng.Float64()-1)*reach, -most), most),
	)
}

// chance is true once in n times.
func (w *walker) chance(n float64) bool { return w.rng.Float64()*n < 1 }

// between is any duration from a to b.
func (w *walker) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Float64()*float64(b-a))
}

// spread is a number from 0 to below 1. Those of consecutive seeds lie evenly, however many there are: it is the
// additive recurrence of the golden ratio.
func spread(seed uint64) float64 {
	return float64(seed*0x9e3779b97f4a7c15>>11) / (1 << 53)
}
