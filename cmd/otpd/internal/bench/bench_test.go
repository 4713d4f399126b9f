package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// run runs a short load against a server in this process.
func run(t *testing.T, cfg ZoneConfig) *Result {
	t.Helper()
	server, err := Serve(t.Context(), ServerConfig{Core: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	info, err := Ask(t.Context(), server.Info().Control)
	require.NoError(t, err)
	require.Equal(t, server.Info(), info)
	result, err := Zone(t.Context(), cfg, info)
	require.NoError(t, err)
	return result
}

func TestEveryDeliveryIsCounted(t *testing.T) {
	for _, c := range []struct {
		name     string
		cfg      ZoneConfig
		expected uint64
	}{
		{"one zone", ZoneConfig{Clients: 5, Hz: 20, For: time.Second}, 5 * 20 * 4},
		{"two zones, not acknowledged", ZoneConfig{Clients: 5, Zones: 2, Hz: 10, For: 500 * time.Millisecond, NoAck: true}, (3*2 + 2*1) * 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Warmup, c.cfg.Core = 100*time.Millisecond, -1
			r := run(t, c.cfg)
			require.Equal(t, c.expected, r.Expected)
			require.Equal(t, c.expected, r.Deliveries)
			require.Zero(t, r.Missing)
			require.False(t, r.Separate)
			require.Positive(t, r.P50)
			require.LessOrEqual(t, r.P50, r.P99)
			require.LessOrEqual(t, r.P999, r.Max)
			require.Greater(t, r.BytesPerDelivery, r.FrameBytes)
			require.Contains(t, r.Sample().Notes, noteTogether)
		})
	}
}

func TestLatestValuesMayBeFewer(t *testing.T) {
	r := run(t, ZoneConfig{Clients: 3, Hz: 20, For: 500 * time.Millisecond, Coalesce: true, Core: -1})
	require.EqualValues(t, 3*10*2, r.Expected)
	require.Positive(t, r.Deliveries)
	require.Equal(t, r.Expected, r.Deliveries+r.Missing)
}

func TestResultNamesStay(t *testing.T) {
	got := (&Result{Separate: true}).Sample().Values
	for _, name := range []string{
		"updates", "expected", "deliveries", "missing", "deliveries_per_s", "p50_ms", "p99_ms", "p999_ms", "max_ms", "bytes_per_delivery",
		"server_cpu_s_per_million", "server_allocs_per_delivery", "server_cores", "client_cores", "server_rss_mb", "late_p99_ms", "others_cores",
	} {
		require.Contains(t, got, name)
		require.True(t, slices.ContainsFunc(allMetrics, func(m metric) bool { return m.name == name }), "%s has no text for people", name)
	}
}

func TestWrongConfigs(t *testing.T) {
	good := ZoneConfig{Clients: 4, Hz: 10, For: time.Second}
	require.NoError(t, good.Validate())
	for name, change := range map[string]func(*ZoneConfig){
		"alone":        func(c *ZoneConfig) { c.Clients = 1 },
		"alone in one": func(c *ZoneConfig) { c.Zones = 3 },
		"no rate":      func(c *ZoneConfig) { c.Hz = 0 },
		"too fast":     func(c *ZoneConfig) { c.Hz = 1000 },
		"no time":      func(c *ZoneConfig) { c.For = 0 },
		"for ever":     func(c *ZoneConfig) { c.For = 2 * time.Hour },
	} {
		c := good
		change(&c)
		require.ErrorIs(t, c.Validate(), ErrConfig, name)
	}
}

func TestWrongServersAreRefused(t *testing.T) {
	server, err := Serve(t.Context(), ServerConfig{Core: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	info := server.Info()
	info.Pin = "00"
	_, err = Zone(t.Context(), ZoneConfig{Clients: 2, Hz: 10, For: time.Second}, info)
	require.ErrorContains(t, err, "pin")
	_, err = Ask(t.Context(), "127.0.0.1:1")
	require.Error(t, err)
}

func TestProfileIsWritten(t *testing.T) {
	server, err := Serve(t.Context(), ServerConfig{Core: -1})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	path := filepath.Join(t.TempDir(), "cpu.prof")
	require.NoError(t, Profile(t.Context(), server.Info(), time.Second, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Positive(t, info.Size())
}

func TestStamps(t *testing.T) {
	for _, at := range []time.Duration{0, time.Microsecond, 32_768 * time.Microsecond, time.Minute, 536 * time.Second, time.Hour} {
		at = at.Truncate(time.Microsecond)
		value := appendStamp(nil, at, 7)
		n, err := fields.Skip(value)
		require.NoError(t, err)
		require.Len(t, value, n)
		for _, latency := range []time.Duration{0, 1500 * time.Nanosecond, 3 * time.Millisecond, 4 * time.Minute} {
			got, err := readStamp(value, at+latency)
			require.NoError(t, err)
			require.Equal(t, at, got, "%v after %v", latency, at)
		}
		early, err := readStamp(value, max(at-time.Microsecond, 0))
		require.NoError(t, err)
		require.Equal(t, max(at-time.Microsecond, 0), early)
	}
	for i := range 4 {
		_, err := readStamp(appendStamp(nil, time.Second, 7)[:i], time.Second)
		require.ErrorIs(t, err, fields.ErrShort)
	}
}

func TestHistogramAgainstSorting(t *testing.T) {
	var h, other histogram
	for i := 1; i <= 10_000; i++ {
		into := &h
		if i%2 == 0 {
			into = &other
		}
		into.add(time.Duration(i) * time.Millisecond / 10)
	}
	h.merge(&other)
	require.EqualValues(t, 10_000, h.n)
	require.Equal(t, time.Second, h.most)
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 0.999: 999 * time.Millisecond, 1: time.Second} {
		require.InEpsilon(t, want, h.quantile(q), 0.02, "%v", q)
		require.GreaterOrEqual(t, h.quantile(q), want.Truncate(time.Millisecond))
	}
	require.Zero(t, new(histogram).quantile(0.5))
	for _, d := range []time.Duration{-1, 0, time.Microsecond, 127 * time.Microsecond, 128 * time.Microsecond, time.Second, 24 * time.Hour} {
		i := histogramBucket(d)
		require.GreaterOrEqual(t, i, 0)
		require.Less(t, i, histogramBuckets)
		if d > 0 && d < time.Minute {
			require.Greater(t, histogramTop(i), d)
			require.LessOrEqual(t, float64(histogramTop(i)-d), max(float64(d)/32, 1000))
		}
	}
}

func TestDeliveryKnowsItsFrames(t *testing.T) {
	update := wire.AppendClientUpdate(nil, 5, 1, appendStamp(nil, time.Second, 1))
	value, n, err := delivery(update)
	require.NoError(t, err)
	require.Equal(t, len(update), n)
	require.Equal(t, appendStamp(nil, time.Second, 1), value)
	done := wire.AppendFrame(nil, &wire.ClientDone{Context: 3})
	value, n, err = delivery(append(done, update...))
	require.NoError(t, err)
	require.Nil(t, value)
	require.Equal(t, len(done), n)
	_, n, err = delivery(wire.AppendFrame(nil, &wire.ServerHeartbeat{Frames: 1}))
	require.NoError(t, err)
	require.Zero(t, n)
	for i := range update {
		_, _, err := delivery(update[:i])
		require.ErrorIs(t, err, fields.ErrShort, "%d bytes", i)
	}
}

func TestTimerWaits(t *testing.T) {
	w, err := newTimer()
	require.NoError(t, err)
	defer func() { require.NoError(t, w.close()) }()
	require.NoError(t, w.until(time.Now().Add(-time.Second)))
	at := time.Now().Add(2 * time.Millisecond)
	require.NoError(t, w.until(at))
	require.False(t, time.Now().Before(at))
}

func BenchmarkDelivery(b *testing.B) {
	update := wire.AppendClientUpdate(nil, 200, 1, appendStamp(nil, time.Minute, 1))
	var h histogram
	for b.Loop() {
		value, _, _ := delivery(update)
		at, _ := readStamp(value, time.Minute)
		h.add(at)
	}
}
