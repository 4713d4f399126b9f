package bench

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// columns are what tables of several rows show; one row is shown whole, and so is everything in JSON.
var columns = []string{
	"hz", "deliveries_per_s", "operations_per_s", "ns_per_operation", "mb_per_s", "sessions", "p50_ms", "p99_ms", "p999_ms", "max_ms", "median_ms", "first_ms",
	"server_cpu_s_per_million", "cpu_ms_per_login", "cpu_us_per_session_s", "bytes_per_delivery", "server_allocs_per_delivery", "allocs_per_operation",
	"bytes_per_object", "heap_bytes_per_object", "bytes_per_session", "heap_bytes_per_session", "retries", "ejected_after_s", "server_rss_mb", "server_cores", "client_cores",
}

// Text is the report for people: a table of its rows, or all values of its only row; then what a reader must know to
// judge them.
func (r *Report) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(r.Rows) == 1 {
		fmt.Fprintf(w, "load\t%s\n", r.Rows[0].Name)
		for _, m := range r.present(nil) {
			s := r.Rows[0].Values[m.name]
			fmt.Fprintf(w, "%s\t%s\n", m.head(), s.text())
		}
	} else {
		for _, line := range r.cells() {
			fmt.Fprintln(w, strings.Join(line, "\t"))
		}
	}
	_ = w.Flush() // a Builder takes everything
	b.WriteString(r.foot())
	return b.String()
}

// Markdown is the table for a page.
func (r *Report) Markdown() string {
	var b strings.Builder
	for i, line := range r.cells() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
	for _, note := range r.notes() {
		fmt.Fprintf(&b, "\n%s\n", note)
	}
	return b.String()
}

// present are the metrics that some row has, those in only if it names any.
func (r *Report) present(only []string) (out []metric) {
	has := func(name string) bool {
		for _, row := range r.Rows {
			if _, ok := row.Values[name]; ok {
				return true
			}
		}
		return false
	}
	if only != nil {
		for _, name := range only {
			if has(name) {
				out = append(out, findMetric(name))
			}
		}
		return out
	}
	for _, m := range allMetrics {
		if has(m.name) {
			out = append(out, m)
		}
	}
	return out
}

// cells is the table, its head first. Numbers behind a row's name point to its notes.
func (r *Report) cells() [][]string {
	shown := r.present(columns)
	head := []string{"load"}
	for _, m := range shown {
		head = append(head, m.head())
	}
	out := [][]string{head}
	numbers := r.noteNumbers()
	for _, row := range r.Rows {
		name := row.Name
		for _, note := range row.Notes {
			name += fmt.Sprintf(" [%d]", numbers[note])
		}
		line := []string{name}
		for _, m := range shown {
			s, ok := row.Values[m.name]
			if !ok {
				line = append(line, "")
				continue
			}
			line = append(line, s.text())
		}
		out = append(out, line)
	}
	return out
}

// noteNumbers numbers the notes in the order in which they come.
func (r *Report) noteNumbers() map[string]int {
	numbers := map[string]int{}
	for _, row := range r.Rows {
		for _, note := range row.Notes {
			if numbers[note] == 0 {
				numbers[note] = len(numbers) + 1
			}
		}
	}
	return numbers
}

// notes are the notes with their numbers, in order.
func (r *Report) notes() []string {
	out := make([]string, len(r.noteNumbers()))
	for note, i := range r.noteNumbers() {
		out[i-1] = fmt.Sprintf("[%d] %s", i, note)
	}
	return out
}

// foot says where and how it was measured.
func (r *Report) foot() string {
	var b strings.Builder
	for _, note := range r.notes() {
		fmt.Fprintln(&b, "note", note)
	}
	if r.Runs > 1 {
		fmt.Fprintf(&b, "median of %d runs (lowest-highest)\n", r.Runs)
	}
	m := r.Machine
	fmt.Fprintf(&b, "%d cores %s, %s/%s %s, %s; commit %s\n", m.Cores, m.CPU, m.OS, m.Arch, m.Kernel, m.Go, r.Commit)
	return b.String()
}

// Compare is the change of each value against an earlier report: rows are matched by name. A change counts only if
// the runs of both do not overlap.
func (r *Report) Compare(before *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "against commit %s of %s\n", before.Commit, before.Time)
	if before.Machine != r.Machine {
		b.WriteString("the machines differ: do not compare times\n")
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	matched := false
	for _, row := range r.Rows {
		old := before.row(row.Name)
		if old == nil {
			continue
		}
		for _, m := range r.present(nil) {
			was, ok := old.Values[m.name]
			is, has := row.Values[m.name]
			if !ok || !has || m.better == 0 {
				continue
			}
			matched = true
			fmt.Fprintf(w, "%s\t%s\t%s\t-> %s\t%s\n", row.Name, m.head(), was.text(), is.text(), change(m, was, is))
		}
	}
	_ = w.Flush()
	if !matched {
		b.WriteString("no row of the same name\n")
	}
	return b.String()
}

// change says what became of a value.
func change(m metric, was, is Stat) string {
	if was.Median == is.Median {
		return "same"
	}
	percent := ""
	if was.Median != 0 {
		percent = fmt.Sprintf("%+.1f %%", (is.Median/was.Median-1)*100)
	}
	switch {
	case len(was.Runs) < 2 || len(is.Runs) < 2:
		return percent + " (a single run says little)"
	case is.Min <= was.Max && was.Min <= is.Max:
		return percent + " (runs overlap)"
	case (is.Median > was.Median) == (m.better > 0):
		return percent + " better"
	default:
		return percent + " worse"
	}
}
