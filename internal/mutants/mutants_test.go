package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is kept is enough, and names tests that exist. That each applies and is found, make mutants checks.
func TestMutantsAreKept(t *testing.T) {
	all, err := readMutants("../../testdata/mutants")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 60)
	for _, m := range all {
		require.LessOrEqual(t, m.rule, 172, m.name)
		if len(m.test) > 1 {
			_, err := os.Stat(filepath.Join("../..", m.pkg, "testdata", m.test[1]+".txt"))
			require.NoError(t, err, m.name)
		}
		files, err := filepath.Glob(filepath.Join("../..", m.pkg, "*_test.go"))
		require.NoError(t, err)
		found := false
		for _, f := range files {
			src, err := os.ReadFile(f)
			require.NoError(t, err)
			found = found || strings.Contains(string(src), "func "+m.test[0]+"(")
		}
		require.True(t, found, "%s: no %s in %s", m.name, m.test[0], m.pkg)
	}
}

func TestHeadersAreRead(t *testing.T) {
	m, err := parseMutant("x", []byte("Rule: 30\nFails: stateserver TestScenarios/location\nWrong: it is told twice\n\n--- a/x\n"))
	require.NoError(t, err)
	require.Equal(t, "^TestScenarios$/^location$", m.pattern())
	require.Equal(t, 30, m.rule)
	for _, wrong := range []string{
		"Rule: 30\nFails: stateserver TestScenarios\nWrong: x\n",
		"Rule: many\nFails: stateserver TestScenarios\nWrong: x\n\n--- a/x\n",
		"Fails: stateserver TestScenarios\nWrong: x\n\n--- a/x\n",
		"Rule: 30\nFails: stateserver\nWrong: x\n\n--- a/x\n",
		"Rule: 30\nFails: stateserver TestScenarios\n\n--- a/x\n",
	} {
		_, err := parseMutant("x", []byte(wrong))
		require.Error(t, err, wrong)
	}
}
