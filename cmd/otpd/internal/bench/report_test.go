package bench

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted is a report of two rows, whose values grow with each run.
func counted(t *testing.T, runs int, offset float64) *Report {
	t.Helper()
	n := 0.0
	job := func(name string, clients float64) Job {
		return Job{Name: name, Settings: map[string]float64{"clients": clients}, Run: func(context.Context) (Sample, error) {
			n++
			s := Sample{Values: map[string]float64{"p50_ms": n + offset, "deliveries_per_s": 1e6 * clients}, Limited: n == 2}
			if n == 2 {
				s.Notes = []string{noteLimited}
			}
			return s, nil
		}}
	}
	r, err := Measure(t.Context(), "zone", "some", "otpd bench zone", runs, []Job{job("ten", 10), job("hundred", 100)}, nil)
	require.NoError(t, err)
	return r
}

func TestRunsAreInterleavedAndSummedUp(t *testing.T) {
	r := counted(t, 3, 0)
	require.Equal(t, Stat{Median: 3, Min: 1, Max: 5, Runs: []float64{1, 3, 5}}, r.row("ten").Values["p50_ms"])
	require.Equal(t, Stat{Median: 4, Min: 2, Max: 6, Runs: []float64{2, 4, 6}}, r.row("hundred").Values["p50_ms"])
	require.Equal(t, 2.5, newStat([]float64{4, 1, 2, 3}).Median)
	require.False(t, r.row("ten").Limited)
	require.True(t, r.row("hundred").Limited)
	text := r.Text()
	require.Contains(t, text, "hundred [1]")
	require.Contains(t, text, "4 (2-6)")
	require.Contains(t, text, "note [1] "+noteLimited)
	require.Contains(t, r.Markdown(), "| ten | 10.0 M | 3 (1-5) |")
}

func TestWrongMeasuresFail(t *testing.T) {
	one := func(v float64, err error) []Job {
		return []Job{{Name: "row", Run: func(context.Context) (Sample, error) { return Sample{Values: map[string]float64{"p50_ms": v}}, err }}}
	}
	_, err := Measure(t.Context(), "zone", "", "", 0, one(1, nil), nil)
	require.ErrorIs(t, err, ErrConfig)
	_, err = Measure(t.Context(), "zone", "", "", 1, one(math.NaN(), nil), nil)
	require.ErrorContains(t, err, "row: p50_ms is NaN")
	_, err = Measure(t.Context(), "zone", "", "", 1, one(1, errors.New("no luck")), nil)
	require.ErrorContains(t, err, "row: no luck")
}

func TestReportsAreSavedAndCompared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	before := counted(t, 3, 0)
	require.NoError(t, before.Write(path))
	read, err := ReadReport(path)
	require.NoError(t, err)
	require.Equal(t, before, read)

	text := counted(t, 3, 100).Compare(read)
	require.Contains(t, text, "3 (1-5)")
	require.Contains(t, text, "-> 103 (101-105)")
	require.Contains(t, text, "% worse")
	require.Contains(t, counted(t, 3, -100).Compare(read), "% better")
	require.Contains(t, counted(t, 3, 1).Compare(read), "runs overlap")
	require.Contains(t, counted(t, 3, 0).Compare(read), "same")
	require.Contains(t, counted(t, 1, 1).Compare(read), "a single run says little")
	other := counted(t, 1, 0)
	other.Rows[0].Name, other.Rows[1].Name, other.Machine.Cores = "x", "y", 99
	require.Contains(t, other.Compare(read), "no row of the same name")
	require.Contains(t, other.Compare(read), "the machines differ")

	for name, text := range map[string]string{"no JSON": "{", "another JSON": `{"a":1}`, "a row of nothing": `{"bench":"zone","rows":[null]}`} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := ReadReport(path)
		require.ErrorIs(t, err, ErrConfig, name)
		require.ErrorContains(t, err, path, name)
	}
	_, err = ReadReport(path + ".none")
	require.ErrorIs(t, err, ErrConfig)
}

func TestNumbersReadWell(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 7: "7", 0.034: "0.034", 0.456: "0.46", 1.234: "1.23", 56.78: "56.8", 123.4: "123", 9999: "9999", 24567: "24.6 k", 198000: "198 k",
		3.2e6: "3.20 M", 14e6: "14.0 M", -56.78: "-56.8",
	} {
		require.Equal(t, want, number(v))
	}
}

// drawn reads an SVG back: it must be well-formed.
func drawn(t *testing.T, svg string) (elements map[string]int, texts []string) {
	t.Helper()
	elements = map[string]int{}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, texts
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
			for _, a := range token.Attr {
				require.NotContains(t, a.Value, "NaN")
				require.NotContains(t, a.Value, "Inf")
			}
		case xml.CharData:
			texts = append(texts, strings.TrimSpace(string(token)))
		}
	}
}

func TestReportsAreDrawn(t *testing.T) {
	r := counted(t, 3, 0)
	r.Rows = append(r.Rows, &Row{
		Name: "hundred, bare <&>", Settings: map[string]float64{"clients": 100, "bare": 1}, Values: map[string]Stat{"p50_ms": newStat([]float64{0})},
	})
	r.Rows[0].Settings["bare"], r.Rows[1].Settings["bare"] = 0, 0
	elements, texts := drawn(t, r.SVG())
	require.Equal(t, 5, elements["circle"], "two rows with two values, one with one")
	for _, want := range []string{"Latency", "ms", "clients", "p50", "p50 bare quic-go", "10", "100", "Deliveries"} {
		require.Contains(t, texts, want)
	}
	r.Rows = r.Rows[:1]
	require.Empty(t, r.SVG(), "nothing varies")
}

func TestPowers(t *testing.T) {
	require.InDeltaSlice(t, []float64{0.1, 1, 10, 100}, powers(0.35, 43), 1e-9)
	require.InDeltaSlice(t, []float64{1, 10}, powers(1, 1), 1e-9)
	svg := renderSVG("t", []plot{{logX: true, logY: true, lines: []line{{points: []point{{10, 0.5, 0.4, 0.6}, {400, 300, 200, 400}}}}}})
	_, texts := drawn(t, svg)
	require.Subset(t, texts, []string{"0.10", "1", "10", "100", "1000"})
}

func TestTicks(t *testing.T) {
	for top, want := range map[float64][]float64{
		0: {0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}, 1: {0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}, 7: {0, 1, 2, 3, 4, 5, 6, 7}, 3.2e6: {0, 500000, 1e6, 1.5e6, 2e6, 2.5e6, 3e6, 3.5e6},
	} {
		require.InDeltaSlice(t, want, ticks(top), 1e-9, "%v", top)
	}
}

func TestResultsAreJSON(t *testing.T) {
	b, err := json.Marshal(counted(t, 1, 0))
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(b, &got))
	for _, name := range []string{"bench", "method", "command", "runs", "machine", "commit", "time", "rows"} {
		require.Contains(t, got, name)
	}
	require.Contains(t, got["machine"], "cores")
	require.Contains(t, got["rows"].([]any)[0], "values")
}
