package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// What is too much, and how often it is measured.
const (
	tooSlow = 1.5
	series  = 5 // of runs, for what was too slow in all before
)

func main() {
	update := flag.Bool("update", false, "store what is measured")
	runs := flag.Int("runs", 10, "runs of each benchmark in a series")
	baseline := flag.String("baseline", filepath.Join("internal", "benchcheck", "baseline.txt"), "file of what is stored")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := check(ctx, *baseline, *runs, *update, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchcheck:", err)
		stop()
		os.Exit(1)
	}
}

var errWorse = errors.New("slower, or more allocations, than what is stored")

// check is the whole command.
func check(ctx context.Context, path string, runs int, update bool, out io.Writer) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, entries, err := readBaseline(strings.NewReader(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	dir, err := os.MkdirTemp("", "benchcheck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := &measurer{dir: dir, binaries: map[string]string{}}
	if err := m.build(ctx, entries); err != nil {
		return err
	}
	results := make([]*result, len(entries))
	for i, e := range entries {
		results[i] = &result{entry: e}
	}
	if err := measure(ctx, results, runs, update, m.run); err != nil {
		return err
	}
	if update {
		for _, r := range results {
			r.ratio, r.allocs = r.lowest(), r.least
		}
		var b strings.Builder
		return errors.Join(writeBaseline(&b, head, entries), os.WriteFile(path, []byte(b.String()), 0o644))
	}
	return print(results, out)
}

// result is what was measured of a benchmark.
type result struct {
	*entry
	ratios [][]float64 // by series
	least  int         // allocations
}

// measure runs all in turn; what is too slow again and with more time, until it is not. With all, everything is
// measured that often.
func measure(ctx context.Context, results []*result, runs int, all bool, run func(context.Context, *entry, time.Duration) (float64, int, error)) error {
	left := results
	for s := 0; s < series && len(left) > 0; s++ {
		for n := range runs {
			for _, r := range left {
				if n == 0 {
					r.ratios = append(r.ratios, nil)
				}
				ratio, allocs, err := run(ctx, r.entry, time.Duration(s+1)*runTime)
				if err != nil {
					return fmt.Errorf("%s: %w", r, err)
				}
				if s == 0 && n == 0 || allocs < r.least {
					r.least = allocs
				}
				r.ratios[s] = append(r.ratios[s], ratio)
			}
		}
		if !all {
			left = slices.DeleteFunc(slices.Clone(left), func(r *result) bool { return !r.slow() })
		}
	}
	return nil
}

// lowest is the lowest median of all series: what else runs on the machine only makes it higher.
func (r *result) lowest() float64 {
	least := median(r.ratios[0])
	for _, s := range r.ratios[1:] {
		least = min(least, median(s))
	}
	return least
}

// best is that against what is stored.
func (r *result) best() float64 { return r.lowest() / r.ratio }

func (r *result) slow() bool { return r.best() > tooSlow }

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// print shows everything, and fails if something is worse.
func print(results []*result, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "package\tbenchmark\treference\tratio\tstored\tchange\tallocations\tstored\t")
	var worse error
	for _, r := range results {
		verdict := ""
		if r.slow() {
			verdict, worse = fmt.Sprintf("TOO SLOW in %d series: %s", len(r.ratios), medians(r.ratios)), errWorse
		} else if len(r.ratios) > 1 {
			verdict = "measured again: " + medians(r.ratios)
		}
		if r.least > r.allocs {
			verdict, worse = "MORE ALLOCATIONS "+verdict, errWorse
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.3g\t%.3g\t%.2fx\t%d\t%d\t%s\n", r.pkg, r.name, r.reference, r.best()*r.ratio, r.ratio, r.best(), r.least, r.allocs, verdict)
	}
	return errors.Join(w.Flush(), worse)
}

func medians(series [][]float64) string {
	var b strings.Builder
	for _, s := range series {
		fmt.Fprintf(&b, " %.3g", median(s))
	}
	return strings.TrimSpace(b.String())
}

// runTime is how long a run of the first series takes.
const runTime = 10 * time.Millisecond

// measurer runs benchmarks of compiled tests.
type measurer struct {
	dir      string
	binaries map[string]string // by package
}

func (m *measurer) build(ctx context.Context, entries []*entry) error {
	for _, e := range entries {
		if m.binaries[e.pkg] != "" {
			continue
		}
		path := filepath.Join(m.dir, strings.ReplaceAll(strings.TrimPrefix(e.pkg, "./"), "/", "_")+".test")
		if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, e.pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build the benchmarks of %s: %w\n%s", e.pkg, err, out)
		}
		m.binaries[e.pkg] = path
	}
	return nil
}

// run is one run of a benchmark, the reference before and after it.
func (m *measurer) run(ctx context.Context, e *entry, d time.Duration) (ratio float64, allocs int, err error) {
	var pattern []string
	for part := range strings.SplitSeq(e.name, "/") {
		pattern = append(pattern, "^"+part+"$")
	}
	pattern[0] = "^Benchmark" + strings.TrimPrefix(pattern[0], "^")
	reference := references[e.reference]
	before := reference(d / 4)
	cmd := exec.CommandContext(ctx, m.binaries[e.pkg], "-test.run=^$", "-test.bench="+strings.Join(pattern, "/"), "-test.benchmem",
		"-test.benchtime="+d.String(), "-test.cpu=1")
	cmd.Dir = e.pkg
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, out)
	}
	after := reference(d / 4)
	ns, allocs, err := parseBenchmark(string(out))
	return ns / ((before + after) / 2), allocs, err
}
