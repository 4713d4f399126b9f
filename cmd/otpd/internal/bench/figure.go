package bench

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// axes are the settings that can vary in a report, in the order in which one of them becomes the x axis, with what it
// is called there.
var axes = []struct{ name, label string }{
	{"clients", "clients"},
	{"zones", "zones"},
	{"agents", "agents"},
	{"objects", "objects there already"},
	{"others", "other children of the parent"},
	{"receivers", "receivers"},
	{"sessions", "sessions"},
	{"rate", "operations a second"},
	{"hz", "updates a second of each client"},
	{"flush_ms", "flush (ms)"},
}

// diagrams are what is drawn, those of it that rows have: the title and the values that share a y axis.
var diagrams = []struct {
	title, unit string
	names       []string
}{
	{"Server CPU of a million deliveries", "s", []string{"server_cpu_s_per_million"}},
	{"Latency", "ms", []string{"p50_ms", "p99_ms"}},
	{"Bytes on the wire of a delivery", "bytes", []string{"bytes_per_delivery"}},
	{"Deliveries", "a second", []string{"deliveries_per_s"}},
	{"Operations", "a second", []string{"operations_per_s"}},
	{"Time of one", "ms", []string{"median_ms", "first_ms"}},
	{"Memory of one object", "bytes", []string{"bytes_per_object"}},
	{"Memory of one session", "bytes", []string{"bytes_per_session", "heap_bytes_per_session"}},
	{"Cores in use", "cores", []string{"server_cores", "client_cores"}},
}

// SVG draws the report: how its values grow with the first setting that varies. Without one there is nothing to draw,
// and it is empty.
func (r *Report) SVG() string {
	x := r.axis()
	if x < 0 {
		return ""
	}
	var plots []plot
	for _, d := range diagrams {
		p := plot{title: d.title, x: axes[x].label, y: d.unit}
		for _, name := range d.names {
			for _, l := range r.lines(axes[x].name, name) {
				if len(d.names) > 1 {
					l.name = strings.TrimSpace(findMetric(name).label + " " + l.name)
				}
				if l.name == "" {
					l.name = "otpd"
				}
				p.lines = append(p.lines, l)
			}
		}
		if len(p.lines) == 0 {
			continue
		}
		xs, least, top := p.extent()
		p.logX = xs[0] > 0 && xs[len(xs)-1] >= 8*xs[0]
		p.logY = least > 0 && top >= 30*least
		plots = append(plots, p)
	}
	return renderSVG("otpd bench "+r.Bench+", commit "+r.Commit, plots)
}

// axis is the first of axes that varies, -1 if none does.
func (r *Report) axis() int {
	for i, a := range axes {
		seen := map[float64]bool{}
		for _, row := range r.Rows {
			if v, ok := row.Settings[a.name]; ok {
				seen[v] = true
			}
		}
		if len(seen) > 1 {
			return i
		}
	}
	return -1
}

// lines are the values of a metric over a setting: one line for each combination of the other settings that vary.
func (r *Report) lines(x, name string) (out []line) {
	varying := r.varying(x)
	at := map[string]int{}
	for _, row := range r.Rows {
		s, ok := row.Values[name]
		v, has := row.Settings[x]
		if !ok || !has {
			continue
		}
		var parts []string
		for _, setting := range varying {
			if value, ok := row.Settings[setting]; ok {
				parts = append(parts, settingText(setting, value))
			}
		}
		label := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
		i, ok := at[label]
		if !ok {
			i = len(out)
			at[label] = i
			out = append(out, line{name: label})
		}
		out[i].points = append(out[i].points, point{x: v, y: s.Median, low: s.Min, high: s.Max})
	}
	for _, l := range out {
		slices.SortFunc(l.points, func(a, b point) int {
			if a.x < b.x {
				return -1
			}
			return 1
		})
	}
	return out
}

// varying are the settings besides x that differ between rows.
func (r *Report) varying(x string) (out []string) {
	values := map[string]map[float64]bool{}
	for _, row := range r.Rows {
		for k, v := range row.Settings {
			if values[k] == nil {
				values[k] = map[float64]bool{}
			}
			values[k][v] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if k != x && len(values[k]) > 1 && !slices.Contains([]string{"acknowledged", "seconds", "warmup_seconds"}, k) {
			out = append(out, k)
		}
	}
	return out
}

// settingText names a setting in a legend; what is off is not named.
func settingText(name string, v float64) string {
	switch name {
	case "bare", "coalesce", "bus", "password":
		if v == 0 {
			return ""
		}
		return map[string]string{"bare": "bare quic-go", "coalesce": "coalescing", "bus": "over the bus", "password": "with password"}[name]
	}
	return strconv.FormatFloat(v, 'g', -1, 64) + " " + strings.ReplaceAll(name, "_", " ")
}
