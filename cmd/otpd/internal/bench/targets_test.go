package bench

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargetsAreJudged(t *testing.T) {
	dir := t.TempDir()
	row := func(name, metric string, v float64) *Row {
		return &Row{Name: name, Values: map[string]Stat{metric: newStat([]float64{v})}}
	}
	r := &Report{Bench: "zone", Rows: []*Row{
		row("50 clients at 20 Hz", "server_cpu_s_per_million", 4),
		row("100 clients at 20 Hz", "server_cpu_s_per_million", 1.7),
		row("200 clients at 20 Hz", "server_cpu_s_per_million", 0.9),
		row("200 clients at 20 Hz, bare quic-go, flush 5ms", "server_cpu_s_per_million", 0.75),
		row("400 clients at 20 Hz", "server_cpu_s_per_million", 0.4),
		row("400 clients at 20 Hz, bare quic-go, flush 5ms", "server_cpu_s_per_million", 0.25),
	}}
	r.Rows[2].Limited = true
	require.NoError(t, r.Write(filepath.Join(dir, "growth.json")))
	r = &Report{Bench: "zone", Rows: []*Row{
		row("10000 clients in 1000 zones at 0.2 Hz", "server_cpu_s_per_million", 50), row("135 clients at 1 Hz", "server_cpu_s_per_million", 20),
		row("10000 clients in 1000 zones at 0.2 Hz, bare quic-go, at once", "server_cpu_s_per_million", 36),
		row("135 clients at 1 Hz, bare quic-go, at once", "server_cpu_s_per_million", 18),
	}}
	require.NoError(t, r.Write(filepath.Join(dir, "many.json")))
	r = &Report{Bench: "route", Rows: []*Row{row("1 receivers, one goroutine", "deliveries_per_s", 18e6), row("10 receivers, one goroutine", "deliveries_per_s", 18e6)}}
	require.NoError(t, r.Write(filepath.Join(dir, "route.json")))
	text, err := Targets(dir)
	require.NoError(t, err)
	for _, want := range []string{
		"| 100 clients at 20 Hz: server CPU | at most 1.80 s/M | 1.70 s/M | yes |  |",
		"| 200 clients at 20 Hz: server CPU | at most 0.80 s/M | 0.90 s/M | by the floor, limited by the clients' side | 0.75 s/M: 1.20 times, allowed 1.27 |",
		"| 400 clients at 20 Hz: server CPU | at most 0.35 s/M | 0.40 s/M | no | 0.25 s/M: 1.60 times, allowed 1.30 |",
		"| CPU of a delivery, 400 clients against 50 | at most 1 times | 0.10 times (0.40 of 4 s/M) | yes |  |",
		"| routing to 1 receivers | at least 10.0 M /s | 18.0 M /s | yes |  |",
		"| routing to 10 receivers | at least 20.0 M /s | 18.0 M /s | no |  |",
		"| 1,000 zones of 10 clients against one zone, 18,000 deliveries/s: CPU | at most 2 times | 2.50 times (50 of 20 s/M) | no | 2.00 times (36 of 18 s/M) |",
		"| memory of an idle session | at most 100 k B | not measured |  |  |",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, len(targets)+2, strings.Count(text, "\n"))
}
