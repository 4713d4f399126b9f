package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// entry is one benchmark and what is stored of it.
type entry struct {
	pkg, name string // ./stateserver, SetField; a sub-benchmark is Route/to=10
	reference string // loop or copy
	ratio     float64
	allocs    int
}

func (e *entry) String() string { return e.pkg + " " + e.name }

// readBaseline reads lines of package, benchmark, reference, ratio and allocations; # begins a comment.
func readBaseline(r io.Reader) (head []string, entries []*entry, err error) {
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if strings.HasPrefix(line, "#") && len(entries) == 0 {
			head = append(head, line)
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 5 {
			return nil, nil, fmt.Errorf("line %d: want package, benchmark, reference, ratio, allocations: %q", n, line)
		}
		e := &entry{pkg: f[0], name: f[1], reference: f[2]}
		if references[e.reference] == nil {
			return nil, nil, fmt.Errorf("line %d: no reference %q", n, e.reference)
		}
		if e.ratio, err = strconv.ParseFloat(f[3], 64); err != nil || e.ratio < 0 {
			return nil, nil, fmt.Errorf("line %d: the ratio is %q", n, f[3])
		}
		if e.allocs, err = strconv.Atoi(f[4]); err != nil || e.allocs < 0 {
			return nil, nil, fmt.Errorf("line %d: the allocations are %q", n, f[4])
		}
		entries = append(entries, e)
	}
	return head, entries, in.Err()
}

// writeBaseline is the way back.
func writeBaseline(w io.Writer, head []string, entries []*entry) error {
	for _, line := range head {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if _, err := fmt.Fprintf(w, "%-24s %-28s %-5s %10.4g %6d\n", e.pkg, e.name, e.reference, e.ratio, e.allocs); err != nil {
			return err
		}
	}
	return nil
}

// parseBenchmark finds the time and the allocations in what a benchmark printed.
func parseBenchmark(out string) (ns float64, allocs int, err error) {
	found := false
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		if found {
			return 0, 0, fmt.Errorf("several benchmarks ran:\n%s", out)
		}
		allocs = -1
		for i := 3; i < len(f); i += 2 {
			switch f[i] {
			case "ns/op":
				ns, err = strconv.ParseFloat(f[i-1], 64)
			case "allocs/op":
				allocs, err = strconv.Atoi(f[i-1])
			}
			if err != nil {
				return 0, 0, err
			}
		}
		found = ns > 0 && allocs >= 0
	}
	if !found {
		return 0, 0, fmt.Errorf("no benchmark ran:\n%s", out)
	}
	return ns, allocs, nil
}
