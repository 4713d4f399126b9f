package bench

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStateIsMeasured(t *testing.T) {
	cfg := StateConfig{
		For: 10 * time.Millisecond, Fill: []int{0, 2000}, Creates: 1000, Objects: 3000, Zone: []int{50}, Others: []int{0, 200}, Openings: 2, Delete: 300,
	}
	jobs, err := cfg.Jobs(together(t))
	r := measured(t, jobs, err)
	require.Len(t, r.Rows, 2+2+2+1+2)
	for _, row := range r.Rows[:4] {
		require.Positive(t, row.value(t, "operations_per_s"), row.Name)
		require.InEpsilon(t, 1e9/row.value(t, "operations_per_s"), row.value(t, "ns_per_operation"), 0.01)
		require.GreaterOrEqual(t, row.value(t, "allocs_per_operation"), 0.0)
	}
	require.Positive(t, r.Rows[4].value(t, "median_ms"))
	require.Positive(t, r.Rows[5].value(t, "median_ms"))
	require.Positive(t, r.Rows[6].value(t, "operations_per_s"))
	require.Contains(t, r.Rows[6].Values, "heap_bytes_per_object")
	for _, row := range r.Rows[7:] {
		require.Positive(t, row.value(t, "first_ms"), row.Name)
		require.LessOrEqual(t, row.value(t, "median_ms"), row.value(t, "max_ms"), row.Name)
	}
	cfg.Creates = 0
	_, err = cfg.Jobs(together(t))
	require.ErrorIs(t, err, ErrConfig)
}

func TestServerIsFilled(t *testing.T) {
	s, err := serveDaemon(t.Context(), ServerConfig{Core: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	before := s.objects()
	var f Filled
	require.NoError(t, post(t.Context(), s.Info().Control, "/fill?objects=500&zone=7&zones=3", &f))
	require.Eventually(t, func() bool { return s.objects() == before+500 }, 20*time.Second, 5*time.Millisecond)
	require.Positive(t, f.Seconds)
	require.NoError(t, post(t.Context(), s.Info().Control, "/delete?objects=200", &f))
	require.Equal(t, before+500, s.objects())
	for _, wrong := range []string{"/fill", "/fill?objects=0&zone=1&zones=1", "/fill?objects=x&zone=1&zones=1", "/delete?objects=-1"} {
		require.ErrorContains(t, post(t.Context(), s.Info().Control, wrong, &f), "want 1 to", wrong)
	}
}

// An AI that makes many objects hears of each: that must not take the credit away from itself.
func TestManyObjectsAreMade(t *testing.T) {
	s, err := serveDaemon(t.Context(), ServerConfig{Core: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = s.fill(t.Context(), url.Values{"objects": {"60000"}, "zone": {"1"}, "zones": {"10"}})
	require.NoError(t, err)
}

func TestRoutingIsMeasured(t *testing.T) {
	jobs, err := RouteConfig{Receivers: []int{1, 3}, Size: 32, Batch: 16, For: 20 * time.Millisecond, Bus: true}.Jobs()
	r := measured(t, jobs, err)
	require.Len(t, r.Rows, 5)
	for i, row := range r.Rows {
		require.Positive(t, row.value(t, "deliveries_per_s"), row.Name)
		if i >= 2 {
			require.Positive(t, row.value(t, "max_ms"), row.Name)
			require.LessOrEqual(t, row.value(t, "p50_ms"), row.value(t, "p99_ms"), row.Name)
		}
	}
	require.Equal(t, "3 receivers, one goroutine", r.Rows[1].Name)
	for name, wrong := range map[string]RouteConfig{
		"no time": {Receivers: []int{1}, Size: 1, Batch: 1}, "no receivers": {Receivers: []int{0}, Size: 1, Batch: 1, For: time.Second},
		"no bytes": {Receivers: []int{1}, Batch: 1, For: time.Second},
	} {
		_, err := wrong.Jobs()
		require.ErrorIs(t, err, ErrConfig, name)
	}
}

// BenchmarkOpening opens a zone over QUIC, server and client in this process; the metrics are of the opening alone, without
// the closing behind it.
func BenchmarkOpening(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, err := serveDaemon(b.Context(), ServerConfig{Core: -1})
			require.NoError(b, err)
			defer func() { require.NoError(b, s.Close()) }()
			var f Filled
			require.NoError(b, post(b.Context(), s.Info().Control, fmt.Sprintf("/fill?objects=%d&zone=%d&zones=1", n, openingZone), &f))
			o, err := newOpener(b.Context(), s.Info())
			require.NoError(b, err)
			defer o.conn.Close(0, "")
			for entered := 0; entered < n; { // those of other partitions enter when their parent's answered
				t, err := o.open()
				require.NoError(b, err)
				entered = t.entered
			}
			var all, first []float64
			b.ReportAllocs()
			for b.Loop() {
				t, err := o.open()
				require.NoError(b, err)
				require.Equal(b, n, t.entered)
				all, first = append(all, milliseconds(t.all)), append(first, milliseconds(t.first))
			}
			slices.Sort(all)
			slices.Sort(first)
			b.ReportMetric(all[len(all)/2], "ms/open")
			b.ReportMetric(all[len(all)/10], "p10-ms/open")
			b.ReportMetric(first[len(first)/2], "ms/first")
		})
	}
}
