package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// mutant is a patch that must be found.
type mutant struct {
	name  string
	patch []byte
	rule  int
	pkg   string   // the package of the test, below the module
	test  []string // its name, and those of subtests
	wrong string   // what is wrong with it
}

// pattern is the argument of go test -run.
func (m *mutant) pattern() string {
	parts := make([]string, len(m.test))
	for i, t := range m.test {
		parts[i] = "^" + regexp.QuoteMeta(t) + "$"
	}
	return strings.Join(parts, "/")
}

// readMutants reads all of a folder, by name.
func readMutants(dir string) ([]*mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []*mutant
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		m, err := parseMutant(strings.TrimSuffix(filepath.Base(p), ".patch"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// parseMutant reads the header:
//
//	Rule: 30
//	Fails: stateserver TestScenarios/location
//	Wrong: the new location hears of the move, and then of the entry
func parseMutant(name string, text []byte) (*mutant, error) {
	m := &mutant{name: name, patch: text}
	head, _, ok := strings.Cut(string(text), "\n--- ")
	if !ok {
		return nil, fmt.Errorf("no patch below the header")
	}
	for _, line := range strings.Split(head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "Rule":
			n, err := strconv.Atoi(value)
			if err != nil {
				return nil, fmt.Errorf("rule: %w", err)
			}
			m.rule = n
		case "Fails":
			pkg, test, _ := strings.Cut(value, " ")
			m.pkg, m.test = pkg, strings.Split(test, "/")
		case "Wrong":
			m.wrong = value
		}
	}
	if m.rule == 0 || m.pkg == "" || m.test[0] == "" || m.wrong == "" {
		return nil, fmt.Errorf("the header needs Rule, Fails and Wrong")
	}
	return m, nil
}
