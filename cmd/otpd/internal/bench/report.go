package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// Report is what a command measured. Its JSON names are for programs, and stay.
type Report struct {
	Bench   string  `json:"bench"`
	Method  string  `json:"method"`  // how it was measured, for who reads the file alone
	Command string  `json:"command"` // that measures it again
	Runs    int     `json:"runs"`    // of each row, all rows in turn
	Machine Machine `json:"machine"`
	Commit  string  `json:"commit"`
	Time    string  `json:"time"`
	Rows    []*Row  `json:"rows"`
}

// Row is one load, measured some times.
type Row struct {
	Name     string             `json:"name"`
	Settings map[string]float64 `json:"settings"` // what the load was: clients, hz, ...
	Values   map[string]Stat    `json:"values"`   // by the names of metrics
	Limited  bool               `json:"limited_by_clients,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
}

// Stat is one value of some runs.
type Stat struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Runs   []float64 `json:"runs"` // in the order of measuring
}

// newStat sums up runs; there is at least one.
func newStat(runs []float64) Stat {
	sorted := slices.Sorted(slices.Values(runs))
	n := len(sorted)
	return Stat{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], Runs: runs}
}

// Sample is what one run of one row measured.
type Sample struct {
	Values  map[string]float64
	Limited bool // by the clients' side
	Notes   []string
}

// Job is a row to measure.
type Job struct {
	Name     string
	Settings map[string]float64
	Run      func(ctx context.Context) (Sample, error)
}

// Measure runs all jobs in turn, the given number of times, so that what changes on the machine meanwhile meets all
// of them. progress, if there is one, hears what is measured.
func Measure(ctx context.Context, name, method, command string, runs int, jobs []Job, progress func(string)) (*Report, error) {
	if runs < 1 || runs > 100 {
		return nil, fmt.Errorf("%d runs: want 1 to 100: %w", runs, ErrConfig)
	}
	r := &Report{
		Bench: name, Method: method, Command: command, Runs: runs,
		Machine: thisMachine(), Commit: commit(), Time: time.Now().UTC().Format(time.RFC3339),
	}
	values := make([]map[string][]float64, len(jobs))
	for i, j := range jobs {
		r.Rows = append(r.Rows, &Row{Name: j.Name, Settings: j.Settings, Values: map[string]Stat{}})
		values[i] = map[string][]float64{}
	}
	for run := range runs {
		for i, j := range jobs {
			if progress != nil {
				progress(fmt.Sprintf("run %d of %d: %s", run+1, runs, j.Name))
			}
			s, err := j.Run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", j.Name, err)
			}
			for k, v := range s.Values {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, fmt.Errorf("bench: %s: %s is %v", j.Name, k, v)
				}
				values[i][k] = append(values[i][k], v)
			}
			row := r.Rows[i]
			row.Limited = row.Limited || s.Limited
			for _, note := range s.Notes {
				if !slices.Contains(row.Notes, note) {
					row.Notes = append(row.Notes, note)
				}
			}
		}
	}
	for i, row := range r.Rows {
		for k, v := range values[i] {
			row.Values[k] = newStat(v)
		}
	}
	return r, nil
}

// ReadReport reads a file that a command has saved.
func ReadReport(path string) (*Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrConfig)
	}
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrConfig)
	}
	if r.Bench == "" || len(r.Rows) == 0 || slices.Contains(r.Rows, nil) {
		return nil, fmt.Errorf("%s: %w: %w", path, errors.New("no report of otpd bench"), ErrConfig)
	}
	return r, nil
}

// Write saves the report as JSON.
func (r *Report) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// row finds a row by its name.
func (r *Report) row(name string) *Row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return nil
}
