// Command simulate runs simulated clusters from seeds, and tells what they met.
//
//	go run ./internal/sim/cmd/simulate -seeds 1000
//	go run ./internal/sim/cmd/simulate -seed 42 -only avatar7,client3
//
// It exits with status 1 when an invariant does not hold, after the tail of the trace of that run.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/otpd/otpd/internal/sim"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	first := flag.Uint64("seed", rand.Uint64N(1e12)+1, "the first `seed`")
	seeds := flag.Uint64("seeds", 1, "how many seeds")
	steps := flag.Int("steps", 0, "messages and frames of a run; 0: the default")
	tail := flag.Int("tail", 60, "how many lines of the trace a failure shows")
	only := flag.String("only", "", "comma-separated words: only lines of the trace with one of them")
	whole := flag.Bool("whole", false, "lose no links")
	calm := flag.Bool("calm", false, "lose and end nothing")
	flag.Parse()
	opts := sim.Options{Steps: *steps, Tail: *tail, Whole: *whole, Calm: *calm}
	if *only != "" {
		opts.Only = strings.Split(*only, ",")
	}
	start := time.Now()
	var sum sim.Counters
	total := 0
	for s := *first; s < *first+*seeds; s++ {
		r, err := sim.Run(s, opts)
		if err != nil {
			fmt.Println(strings.Join(r.Trace, "\n"))
			return err
		}
		sum.Add(r.Counters)
		total += r.Steps
	}
	for _, c := range sum.Table() {
		fmt.Printf("%9d %s\n", c.N, c.Name)
	}
	fmt.Printf("%d seeds from %d, %d steps, in %v\n", *seeds, *first, total, time.Since(start).Round(time.Millisecond))
	return nil
}
