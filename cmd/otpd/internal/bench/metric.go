package bench

import (
	"fmt"
	"math"
)

// metric is how a value is shown. Its name, with the unit in it, is its key in JSON.
type metric struct {
	name, label, unit string
	better            int // -1: less is better, 1: more is, 0: neither
}

// allMetrics has all that rows can hold, in the order of tables.
var allMetrics = []metric{
	{"deliveries_per_s", "deliveries", "/s", 1},
	{"operations_per_s", "operations", "/s", 1},
	{"ns_per_operation", "time of one", "ns", -1},
	{"mb_per_s", "throughput", "MB/s", 1},
	{"sessions", "sessions", "", 0},
	{"p50_ms", "p50", "ms", -1},
	{"p99_ms", "p99", "ms", -1},
	{"p999_ms", "p99.9", "ms", -1},
	{"max_ms", "max", "ms", -1},
	{"all_s", "all", "s", -1},
	{"heap_growth_mb", "heap grows", "MB", -1},
	{"median_ms", "median", "ms", -1},
	{"first_ms", "first entry", "ms", -1},
	{"chat_p50_ms", "chat p50", "ms", -1},
	{"chat_p99_ms", "chat p99", "ms", -1},
	{"call_p50_ms", "call p50", "ms", -1},
	{"call_p99_ms", "call p99", "ms", -1},
	{"open_p50_ms", "interest p50", "ms", -1},
	{"open_p99_ms", "interest p99", "ms", -1},
	{"server_cpu_s_per_million", "server CPU", "s/M", -1},
	{"cpu_ms_per_login", "server CPU of one", "ms", -1},
	{"cpu_us_per_session_s", "server CPU of one", "us/s", -1},
	{"bytes_per_delivery", "bytes on the wire", "B", -1},
	{"frame_bytes_per_delivery", "bytes of frames", "B", -1},
	{"packets_per_delivery", "packets", "", -1},
	{"packets_back_per_delivery", "packets back", "", -1},
	{"allocs_per_operation", "allocations", "", -1},
	{"server_allocs_per_delivery", "allocations", "", -1},
	{"bytes_per_object", "memory of one", "B", -1},
	{"heap_bytes_per_object", "of that heap", "B", -1},
	{"bytes_per_session", "memory of one", "B", -1},
	{"heap_bytes_per_session", "of that heap", "B", -1},
	{"goroutines_per_session", "goroutines of one", "", -1},
	{"retries", "told to wait", "", -1},
	{"ejected_after_s", "ejected after", "s", -1},
	{"server_rss_mb", "server memory", "MB", -1},
	{"server_heap_mb", "server heap", "MB", -1},
	{"server_gcs", "collections", "", 0},
	{"server_cores", "server", "cores", -1},
	{"client_cores", "clients", "cores", 0},
	{"others_cores", "others", "cores", 0},
	{"hz", "highest rate", "Hz", 1},
	{"late_p50_ms", "lateness p50", "ms", 0},
	{"late_p99_ms", "lateness p99", "ms", 0},
	{"late_max_ms", "lateness max", "ms", 0},
	{"updates", "updates", "", 0},
	{"expected", "expected", "", 0},
	{"deliveries", "came", "", 0},
	{"missing", "missing", "", -1},
	{"enter_s", "to come in", "s", -1},
}

// head is the metric as a column's title.
func (m metric) head() string {
	if m.unit == "" || m.unit == "/s" {
		return m.label + m.unit
	}
	return m.label + " " + m.unit
}

// findMetric is the metric of a name; an unknown one is shown by it.
func findMetric(name string) metric {
	for _, m := range allMetrics {
		if m.name == name {
			return m
		}
	}
	return metric{name: name, label: name}
}

// number is v for people: three digits or more, thousands as k and millions as M.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e7:
		return fmt.Sprintf("%.1f M", v/1e6)
	case a >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case a >= 1e5:
		return fmt.Sprintf("%.0f k", v/1e3)
	case a >= 1e4:
		return fmt.Sprintf("%.1f k", v/1e3)
	case a >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.2g", v)
	}
}

// text is the median, with the spread behind it if there were several runs.
func (s Stat) text() string {
	if len(s.Runs) < 2 || s.Min == s.Max {
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s-%s)", number(s.Median), number(s.Min), number(s.Max))
}
