package ai

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Metric is one number about a part of an AI process, as Prometheus scrapes it.
type Metric struct {
	Name    string   // as otpd_auth_logins_total
	Help    string   // of all with the name, in one sentence
	Counter bool     // it only grows; else it is a gauge
	Labels  []string // name, value, name, value
	Value   float64
}

// Measured is a part of an AI process that has numbers to show. Metrics may be called on any goroutine.
type Measured interface{ Metrics() []Metric }

// WriteMetrics writes the numbers of some parts in the text format of Prometheus. Those of one name must be next to each
// other.
func WriteMetrics(w io.Writer, parts ...Measured) error {
	var b strings.Builder
	last := ""
	for _, p := range parts {
		for _, m := range p.Metrics() {
			if m.Name != last {
				kind := "gauge"
				if m.Counter {
					kind = "counter"
				}
				fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, kind)
				last = m.Name
			}
			b.WriteString(m.Name)
			for i := 0; i+1 < len(m.Labels); i += 2 {
				b.WriteByte("{,"[min(i, 1)])
				fmt.Fprintf(&b, "%s=%s", m.Labels[i], labelValue(m.Labels[i+1]))
			}
			if len(m.Labels) > 1 {
				b.WriteByte('}')
			}
			fmt.Fprintf(&b, " %s\n", strconv.FormatFloat(m.Value, 'g', -1, 64))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// labelValue quotes a value as the format has it: backslash, quote and line feed are escaped, nothing else.
func labelValue(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// MetricsHandler answers each request with the numbers of some parts: a page for Prometheus to scrape.
func MetricsHandler(parts ...Measured) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		// Who scrapes may have gone: there is nobody to tell.
		_ = WriteMetrics(w, parts...)
	})
}
