package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// judged measures one benchmark, stored as ratio 2 with 3 allocations, by what run says.
func judged(t *testing.T, run func(n int) (float64, int)) (*result, string, error) {
	t.Helper()
	r := &result{entry: &entry{pkg: "./p", name: "B", reference: "loop", ratio: 2, allocs: 3}}
	n := 0
	require.NoError(t, measure(t.Context(), []*result{r}, 10, false, func(context.Context, *entry, time.Duration) (float64, int, error) {
		n++
		ratio, allocs := run(n - 1)
		return ratio, allocs, nil
	}))
	var out strings.Builder
	err := print([]*result{r}, &out)
	return r, out.String(), err
}

func TestWhatIsTheSamePasses(t *testing.T) {
	r, _, err := judged(t, func(n int) (float64, int) { return 2.9, 3 })
	require.NoError(t, err)
	require.Len(t, r.ratios, 1)
	_, _, err = judged(t, func(n int) (float64, int) { return 0.5, 0 })
	require.NoError(t, err, "better is no fault")
}

func TestFourOfTenBadRunsAreNoise(t *testing.T) {
	r, _, err := judged(t, func(n int) (float64, int) { return []float64{2, 2, 90, 2, 2, 90, 2, 90, 90, 2}[n%10], 3 + n%2 })
	require.NoError(t, err)
	require.Len(t, r.ratios, 1)
}

func TestABadSeriesIsMeasuredAgain(t *testing.T) {
	r, text, err := judged(t, func(n int) (float64, int) {
		if n < 25 {
			return 9, 3
		}
		return 2, 3
	})
	require.NoError(t, err)
	require.Len(t, r.ratios, 4)
	require.Contains(t, text, "measured again: 9 9 5.5 2")
}

func TestWhatIsAlwaysSlowFails(t *testing.T) {
	r, text, err := judged(t, func(int) (float64, int) { return 3.2, 3 })
	require.ErrorIs(t, err, errWorse)
	require.Len(t, r.ratios, series)
	require.Contains(t, text, "TOO SLOW in 5 series: 3.2 3.2 3.2 3.2 3.2")
}

func TestOneAllocationMoreFails(t *testing.T) {
	_, text, err := judged(t, func(int) (float64, int) { return 2, 4 })
	require.ErrorIs(t, err, errWorse)
	require.Contains(t, text, "MORE ALLOCATIONS")
}

func TestAllSeriesAreMeasuredForTheBaseline(t *testing.T) {
	r := &result{entry: &entry{}}
	n := 0.0
	require.NoError(t, measure(t.Context(), []*result{r}, 3, true, func(context.Context, *entry, time.Duration) (float64, int, error) {
		n++
		return 100 - n, 1, nil
	}))
	require.Len(t, r.ratios, series)
	require.Equal(t, 100.0-(3*series-1), r.lowest())
}

func TestBaselineIsReadAndWritten(t *testing.T) {
	stored, err := os.ReadFile("baseline.txt")
	require.NoError(t, err)
	head, entries, err := readBaseline(strings.NewReader(string(stored)))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	var b strings.Builder
	require.NoError(t, writeBaseline(&b, head, entries))
	require.Equal(t, string(stored), b.String())
	for _, e := range entries {
		require.Positive(t, e.ratio, "%s was never measured", e)
	}
	for line, want := range map[string]string{
		"./p B loop 1":       "line 1: want package",
		"\n./p B loop x 1":   "line 2: the ratio",
		"./p B loop 1 -1":    "line 1: the allocations",
		"./p B other 1 1":    `line 1: no reference "other"`,
		"./p B loop 1 1 1 1": "line 1: want package",
	} {
		_, _, err := readBaseline(strings.NewReader(line))
		require.ErrorContains(t, err, want, line)
	}
}

func TestBenchmarksAreParsed(t *testing.T) {
	ns, allocs, err := parseBenchmark("goos: linux\nBenchmarkRoute/to=10 \t 1000\t 21.5 ns/op\t 46.5 Mdeliveries/s\t 0 B/op\t 7 allocs/op\nPASS\n")
	require.NoError(t, err)
	require.Equal(t, 21.5, ns)
	require.Equal(t, 7, allocs)
	for _, wrong := range []string{"PASS\n", "BenchmarkA 1 2 ns/op\n", "BenchmarkA 1 2 ns/op 0 B/op 0 allocs/op\nBenchmarkB 1 2 ns/op 0 B/op 0 allocs/op\n"} {
		_, _, err := parseBenchmark(wrong)
		require.Error(t, err, wrong)
	}
}

func TestReferencesTakeTime(t *testing.T) {
	for name, f := range references {
		require.Positive(t, f(time.Microsecond), name)
	}
	require.NotZero(t, looped.sum)
}
