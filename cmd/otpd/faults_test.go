package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/cmd/otpd/internal/demo"
)

// fault is one demo that loses something on purpose.
type fault struct {
	name, env     string
	repairs, gaps bool // are counted
	data          string
	p             *process
}

// lose runs all demos at once: they wait most of the time. The build with the tag faults loses messages on their way
// to the agent, or datagrams on their way to clients; see faults.go of package daemon. A demo goes on until it has lost
// what it is to lose, and for 5 s at least.
func lose(t *testing.T, faults []fault, check func(*testing.T, fault, demo.Summary)) {
	for i := range faults {
		f := &faults[i]
		f.data = t.TempDir()
		f.p = start(t, []string{"OTPD_FAULT=" + f.env}, faulty(t), "demo", "--bots=20", "--for=5m", "--json", "--data="+f.data)
	}
	for _, f := range faults {
		f.p.until(func() bool { return ran5s.MatchString(f.p.errs.String()) }, "5 s")
		f.p.until(func() bool { return f.losses() >= f.wanted() }, "%d losses", f.wanted())
		f.p.signal(syscall.SIGINT)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.p.wait()
			s := summaryOf(t, f.p)
			if !f.often() {
				require.Equal(t, 1, f.losses(), f.p.errs.String())
			}
			check(t, f, s)
		})
	}
}

// ran5s is the line of the fifth second, or a later one: on a busy machine some are left out.
var ran5s = regexp.MustCompile(`(?m)^ +([5-9]|[0-9]{2,})s  `)

func (f *fault) losses() int { return strings.Count(f.p.errs.String(), "fault: lost on purpose") }

func (f *fault) often() bool { return strings.Contains(f.env, ",often") }

// wanted is how many losses there must be: of several one at least is followed by a message that shows it.
func (f *fault) wanted() int {
	if f.often() {
		return 4
	}
	return 1
}

// Each loss is found and repaired, so that the demo ends as if nothing had been.
func TestWhatIsLostIsRepaired(t *testing.T) {
	lose(t, []fault{
		{name: "one leave", env: "leave:5"},
		{name: "leaves, seen by the next version", env: "leave:5,often", gaps: true},
		{name: "leave, seen by the digest", env: "leave:5,last", repairs: true},
		{name: "one set", env: "set:3"},
		{name: "sets, seen by the next version", env: "set:3,often", gaps: true},
		{name: "set, seen by the digest", env: "set:3,last", repairs: true},
		{name: "last datagrams, repeated on the stream", env: "datagram:1100"},
	}, func(t *testing.T, f fault, s demo.Summary) {
		require.Zero(t, f.p.wait(), f.p.errs.String())
		require.Zero(t, s.Diverged)
		if f.repairs {
			require.NotZero(t, s.Repairs)
		}
		if f.gaps {
			require.NotZero(t, s.Gaps)
		}
	})
}

// The check at the end of the demo is no formality: with the repair turned off it finds each difference.
func TestWhatIsNotRepairedIsFound(t *testing.T) {
	lose(t, []fault{
		{name: "leave", env: "leave:5,last,often,norepair"},
		{name: "set", env: "set:3,last,often,norepair"},
		{name: "last datagrams", env: "datagram:1100,norepair"},
	}, func(t *testing.T, f fault, s demo.Summary) {
		require.Equal(t, 1, f.p.wait())
		require.NotZero(t, s.Diverged)
		require.Equal(t, s.Diverged, strings.Count(f.p.errs.String(), "\ndiverged: "), "each difference is printed")
		require.Contains(t, f.p.errs.String(), "otpd: the world was not as it should be")
		require.FileExists(t, filepath.Join(f.data, "record", "clientagent-1.otprec"), "the recorded inputs are kept")
	})
}

func TestWrongFaultsAreRefused(t *testing.T) {
	for _, fault := range []string{"leave", "leave:0", "dance:1", "set:1,always"} {
		p := start(t, []string{"OTPD_FAULT=" + fault}, faulty(t), "demo", "--bots=0", "--for=1s", "--data="+t.TempDir())
		require.Equal(t, 2, p.wait(), fault)
		require.Contains(t, p.errs.String(), "OTPD_FAULT="+fault)
	}
	// Nothing of it is in the program that people get.
	p := start(t, []string{"OTPD_FAULT=dance"}, otpd(t), "demo", "--bots=0", "--for=1s", "--data="+t.TempDir())
	require.Zero(t, p.wait(), p.errs.String())
}
