package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	seeds = flag.Int("seeds", 20, "how many worlds to simulate")
	seed  = flag.Uint64("seed", 0, "the first seed; 0: a fresh one")
	only  = flag.String("only", "", "comma-separated words: the trace of a failure shows the lines with one of them")
	whole = flag.Bool("whole", false, "lose no links")
	calm  = flag.Bool("calm", false, "lose and end nothing")
	tail  = flag.Int("tail", 60, "how many lines of the trace a failure shows")
)

// TestSeeds simulates fresh worlds, each twice: rules 1 to 4, 17 to 124 and 154 to 169 under delay and loss.
func TestSeeds(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64N(1e12) + 1
	}
	t.Logf("seeds %d to %d", first, first+uint64(*seeds)-1)
	opts := Options{Tail: *tail, Whole: *whole, Calm: *calm}
	if *only != "" {
		opts.Only = strings.Split(*only, ",")
	}
	var sum Counters
	for s := first; s < first+uint64(*seeds); s++ {
		r, err := Run(s, opts)
		if err != nil {
			for _, line := range r.Trace {
				fmt.Println(line)
			}
			require.NoError(t, err, "go test ./internal/sim -run TestSeeds -seed %d -seeds 1", s)
		}
		require.GreaterOrEqual(t, r.Steps, 2000, "seed %d", s)
		again, err := Run(s, opts)
		require.NoError(t, err)
		require.Equal(t, r.Hash, again.Hash, "seed %d: the second run was another one", s)
		sum.Add(r.Counters)
	}
	for _, c := range sum.Table() {
		t.Logf("%6d %s", c.N, c.Name)
		if c.Must && *seeds >= 100 {
			require.NotZero(t, c.N, "no %s in %d seeds", c.Name, *seeds)
		}
	}
}
