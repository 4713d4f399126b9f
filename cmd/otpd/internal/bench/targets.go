package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// target is a figure that the project wants to reach, and where scripts/performance.sh leaves what is measured of it.
type target struct {
	what      string
	file, row string
	metric    string
	bound     float64 // at most, or at least where more is better
	over      string  // another row of the file: the bound is for the ratio to its value
	floor     string  // another row of the file, shown beside it
	floorOver string  // another row of the file: the ratio of floor's value to its own is shown
	par       float64 // what floor was on the machine for which the bound was set; on others the ratio of the two counts
}

// targets are those of the hot path.
var targets = []target{
	{what: "50 clients at 10 Hz: p50", file: "small", row: "50 clients at 10 Hz", metric: "p50_ms", bound: 0.6, par: 0.41, floor: "50 clients at 10 Hz, bare quic-go, at once"},
	{what: "50 clients at 10 Hz: p99", file: "small", row: "50 clients at 10 Hz", metric: "p99_ms", bound: 2, par: 0.94, floor: "50 clients at 10 Hz, bare quic-go, at once"},
	{what: "2 clients at 10 Hz: p50 against a QUIC echo", file: "floor", row: "otpd, 2 clients at 10 Hz in one zone", metric: "p50_ms", bound: 2, over: "QUIC echo, 2 clients at 10 Hz"},
	{what: "2 clients at 10 Hz: p99 against a QUIC echo", file: "floor", row: "otpd, 2 clients at 10 Hz in one zone", metric: "p99_ms", bound: 2, over: "QUIC echo, 2 clients at 10 Hz"},
	growth(100, "server_cpu_s_per_million", 1.8, 1.4), growth(100, "p50_ms", 5, 0), growth(100, "p99_ms", 12, 0), growth(100, "bytes_per_delivery", 20, 22),
	growth(200, "server_cpu_s_per_million", 0.8, 0.63), growth(200, "p99_ms", 15, 0),
	growth(400, "server_cpu_s_per_million", 0.35, 0.27), growth(400, "p99_ms", 30, 13),
	highestRate(100), highestRate(200),
	{what: "CPU of a delivery, 400 clients against 50", file: "growth", row: "400 clients at 20 Hz", metric: "server_cpu_s_per_million", bound: 1, over: "50 clients at 20 Hz"},
	{what: "one client of 100 stops reading: ejected after", file: "stall", row: "100 clients at 20 Hz, 1 stop reading", metric: "ejected_after_s", bound: 30},
	{what: "one client of 100 stops reading: p99 of the others, against none", file: "stall", row: "100 clients at 20 Hz, 1 stop reading", metric: "p99_ms", bound: 1.2, over: "100 clients at 20 Hz"},
	manyZones("9,000", 0.1, 95), manyZones("18,000", 0.2, 135),
	{what: "SET_FIELD in the core", file: "state", row: "core: set a field of three values, no watcher", metric: "ns_per_operation", bound: 250},
	{what: "creates in the core, empty parent", file: "state", row: "core: create, parent with 0 children", metric: "operations_per_s", bound: 500_000},
	{what: "creates in the core, parent with 1,000,000 children", file: "state", row: "core: create, parent with 1000000 children", metric: "operations_per_s", bound: 500_000},
	{what: "deletion of a parent with 40,000 children", file: "state", row: "server: delete a parent with 40000 children", metric: "median_ms", bound: 500},
	{what: "memory of an object of three small fields", file: "state", row: "server: 1000000 objects", metric: "bytes_per_object", bound: 400},
	opening(1000, 0, 2), opening(1000, 100_000, 2), opening(10_000, 0, 12), opening(10_000, 100_000, 12),
	routing(1, 10e6), routing(10, 20e6), routing(100, 30e6),
	durable("PostgreSQL", "db-postgres", 20_000), commits("PostgreSQL", "db-postgres"),
	durable("SQLite", "db", 10_000), commits("SQLite", "db"),
	{what: "memory of an idle session", file: "idle", row: "1000 idle sessions", metric: "bytes_per_session", bound: 100_000},
}

func growth(clients int, metric string, bound, par float64) target {
	row := fmt.Sprintf("%d clients at 20 Hz", clients)
	return target{
		what: row + ": " + findMetric(metric).label, file: "growth", row: row, metric: metric, bound: bound,
		floor: row + ", bare quic-go, flush 5ms", par: par,
	}
}

func highestRate(clients int) target {
	row := fmt.Sprintf("%d clients, p99 below 100ms", clients)
	return target{
		what: fmt.Sprintf("%d clients, p99 below 100 ms: highest rate", clients), file: "highest", row: row, metric: "deliveries_per_s", bound: 6e6,
		floor: row + ", bare quic-go, flush 5ms",
	}
}

// manyZones is 10,000 clients in 1,000 zones beside one zone of so many at 1 Hz.
func manyZones(deliveries string, hz float64, one int) target {
	many, beside := fmt.Sprintf("10000 clients in 1000 zones at %g Hz", hz), fmt.Sprintf("%d clients at 1 Hz", one)
	return target{
		what: "1,000 zones of 10 clients against one zone, " + deliveries + " deliveries/s: CPU", file: "many", metric: "server_cpu_s_per_million", bound: 2,
		row: many, over: beside, floor: many + ", bare quic-go, at once", floorOver: beside + ", bare quic-go, at once",
	}
}

func opening(zone, others int, bound float64) target {
	return target{
		what: fmt.Sprintf("opening of a zone of %d beside %d others", zone, others), file: "openings",
		row: fmt.Sprintf("QUIC: open a zone of %d, parent with %d others", zone, others), metric: "median_ms", bound: bound,
	}
}

func routing(receivers int, bound float64) target {
	return target{
		what: fmt.Sprintf("routing to %d receivers", receivers), file: "route", row: fmt.Sprintf("%d receivers, one goroutine", receivers),
		metric: "deliveries_per_s", bound: bound,
	}
}

// durable is met by what is within half a percent of what was asked for: an update that falls out of the measured time is counted nowhere.
func durable(database, file string, rate int) target {
	return target{
		what: fmt.Sprintf("durable updates on %s, %d a second asked for", database, rate), file: file,
		row: fmt.Sprintf("commit %d/s of 20000 objects", rate), metric: "operations_per_s", bound: 0.995 * float64(rate),
	}
}

func commits(database, file string) target {
	return target{what: "a commit on " + database + " at 2,000 a second: p99", file: file, row: "commit 2000/s of 20000 objects", metric: "p99_ms", bound: 20}
}

// Targets is a table of what is measured in a directory's reports against what is to be reached.
func Targets(dir string) (string, error) {
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%w: %w", err, ErrConfig)
	}
	var b strings.Builder
	b.WriteString("| measure | to reach | measured | reached | floor in the same run |\n|---|---|---|---|---|\n")
	reports := map[string]*Report{}
	for _, t := range targets {
		r, ok := reports[t.file]
		if !ok {
			var err error
			if r, err = ReadReport(filepath.Join(dir, t.file+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			reports[t.file] = r
		}
		b.WriteString(t.line(r))
	}
	return b.String(), nil
}

// line is the target's row; r is nil where nothing was measured.
func (t target) line(r *Report) string {
	m := findMetric(t.metric)
	unit := strings.TrimSuffix(" "+m.unit, " ")
	if t.over != "" {
		unit = " times"
	}
	sign := "at most"
	if m.better > 0 {
		sign = "at least"
	}
	measured, reached := "not measured", ""
	floor, byFloor := t.beside(r, unit)
	if s, ok := t.value(r, t.row); ok {
		v := s.Median
		measured = s.text() + unit
		if over, ok := t.value(r, t.over); ok && over.Median > 0 {
			v, measured = t.ratio(s, over)
		}
		switch {
		case v == t.bound || (v > t.bound) == (m.better > 0):
			reached = "yes"
		case byFloor:
			reached = "by the floor"
		default:
			reached = "no"
		}
		row := r.row(t.row)
		if row.Limited {
			reached += ", limited by the clients' side"
		}
		if m.unit == "ms" && slices.Contains(row.Notes, noteOthers) {
			reached += " (others used the machine)"
		}
	}
	return fmt.Sprintf("| %s | %s %s%s | %s | %s | %s |\n", t.what, sign, number(t.bound), unit, measured, reached, floor)
}

// beside is what the floor took, and what the row took of that; reached reports whether that is no more than it may be.
func (t target) beside(r *Report, unit string) (text string, reached bool) {
	floor, ok := t.value(r, t.floor)
	if !ok {
		return "", false
	}
	if over, ok := t.value(r, t.floorOver); ok && over.Median > 0 {
		_, text = t.ratio(floor, over)
		return text, false
	}
	text = floor.text() + unit
	if s, ok := t.value(r, t.row); ok && t.par > 0 && floor.Median > 0 {
		times, most := s.Median/floor.Median, t.bound/t.par
		text += fmt.Sprintf(": %.2f times, allowed %.2f", times, most)
		return text, times <= most
	}
	return text, false
}

// ratio is that of two values of the target's metric, and its text.
func (t target) ratio(s, over Stat) (float64, string) {
	v := s.Median / over.Median
	return v, fmt.Sprintf("%.2f times (%s of %s %s)", v, number(s.Median), number(over.Median), findMetric(t.metric).unit)
}

// value is the target's metric in a row.
func (t target) value(r *Report, row string) (Stat, bool) {
	if r == nil || row == "" || r.row(row) == nil {
		return Stat{}, false
	}
	s, ok := r.row(row).Values[t.metric]
	return s, ok
}
