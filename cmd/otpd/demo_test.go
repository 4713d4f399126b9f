package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/cmd/otpd/internal/demo"
	"github.com/otpd/otpd/internal/testpg"
)

// summaryOf is the JSON object in the last line of a demo's standard output.
func summaryOf(t *testing.T, p *process) (s demo.Summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &s), "%s\n%s", p.out.String(), p.errs.String())
	return s
}

// worldUp is the line with which the demo says that its world stands.
var worldUp = regexp.MustCompile(`world up in ([0-9.a-zµ]+)`)

// The three kinds run beside each other: they wait most of the time.
func TestDemoKeepsItsAccounts(t *testing.T) {
	kinds := []string{"sqlite", "postgres", "split"}
	extra := map[string][]string{"postgres": {"--db=" + testpg.URL(t)}, "split": {"--split"}}
	args := map[string][]string{}
	data := map[string]string{}
	for _, kind := range kinds {
		data[kind] = t.TempDir()
		args[kind] = append([]string{"demo", "--bots=20", "--for=5s", "--json", "--data=" + data[kind]}, extra[kind]...)
	}
	for run, found := range []int{0, 20} {
		runs := map[string]*process{}
		for _, kind := range kinds {
			runs[kind] = start(t, nil, otpd(t), args[kind]...)
		}
		for _, kind := range kinds {
			t.Run(fmt.Sprint(kind, " ", run+1), func(t *testing.T) {
				p := runs[kind]
				require.Zero(t, p.wait(), p.errs.String())
				s := summaryOf(t, p)
				require.Zero(t, s.Diverged)
				require.Equal(t, found, s.PersistedAccounts, "accounts of the run before, with their gold")
				require.Equal(t, 20, s.Sessions)
				require.Equal(t, s.InterestsOpened, s.InterestsDone)
				require.Zero(t, s.CallsFailed)
				require.Zero(t, s.GoldLost)
				require.Zero(t, s.MugsLost)
				require.NotZero(t, s.Datagrams)
				require.GreaterOrEqual(t, s.Partitions, 4)
				require.Empty(t, p.family(), "processes are left")
				require.Empty(t, leftBehind(t, data[kind]))
				t.Logf("%s; p99 %.1f ms", worldUp.FindString(p.errs.String()), s.P99)
			})
		}
	}
}

func TestDemoJSONHasItsKeys(t *testing.T) {
	t.Parallel()
	p := start(t, nil, otpd(t), "demo", "--bots=2", "--for=1s", "--json", "--data="+t.TempDir())
	require.Zero(t, p.wait(), p.errs.String())
	require.Equal(t, 1, strings.Count(p.out.String(), "\n"), "nothing else on standard output")
	var keys map[string]any
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &keys))
	for _, k := range []string{
		"bots", "sessions", "objects", "updates", "deliveries", "p50_ms", "p99_ms", "zone_changes", "interests_opened",
		"interests_done", "calls_ok", "calls_failed", "diverged", "persisted_accounts", "clock_error_ms_p99",
		"mean_in_view", "relogins", "datagrams", "partitions", "trades", "gold_lost", "mugs_lost",
	} {
		require.Contains(t, keys, k)
	}
}

func TestDemoRepeatsASeed(t *testing.T) {
	t.Parallel()
	p := start(t, nil, otpd(t), "demo", "--bots=1", "--for=1s", "--json", "--seed=4711", "--data="+t.TempDir())
	require.Zero(t, p.wait(), p.errs.String())
	require.EqualValues(t, 4711, summaryOf(t, p).Seed)
	require.Contains(t, p.errs.String(), "seed 4711")
}

// resident is the memory that a process has in RAM, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := regexp.MustCompile(`VmRSS:\s+([0-9]+) kB`).FindSubmatch(status)
	require.NotNil(t, found)
	kB, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kB << 10
}

func TestDemoIdles(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, nil, otpd(t), "demo", "--bots=0", "--data="+data)
	p.says("world up in ")
	p.says("   2s ")
	bytes := resident(t, p.cmd.Process.Pid)
	t.Logf("%s; %d MB resident after 2 s", worldUp.FindString(p.out.String()), bytes>>20)
	require.Less(t, bytes, 100_000_000)
	p.signal(syscall.SIGINT)
	require.Zero(t, p.wait(), p.errs.String())
	require.Empty(t, leftBehind(t, data))

	p = start(t, nil, otpd(t), "demo", "--bots=0", "--for=2s", "--data="+data, "--json")
	require.Zero(t, p.wait(), p.errs.String())
	require.Zero(t, summaryOf(t, p).Sessions)
}

func TestDemoEndsBySignals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		sig  syscall.Signal
		args []string
		data string
		p    *process
	}{
		{name: "interrupt", sig: syscall.SIGINT},
		{name: "terminate", sig: syscall.SIGTERM},
		{name: "interrupt split", sig: syscall.SIGINT, args: []string{"--split"}},
		{name: "terminate split", sig: syscall.SIGTERM, args: []string{"--split"}},
	}
	for i := range cases {
		c := &cases[i]
		c.data = t.TempDir()
		c.p = start(t, nil, otpd(t), append([]string{"demo", "--bots=5", "--data=" + c.data}, c.args...)...)
	}
	for i := range cases {
		cases[i].p.says("   1s ")
		cases[i].p.signal(cases[i].sig)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Zero(t, c.p.wait(), "%s%s", c.p.out.String(), c.p.errs.String())
			require.Contains(t, c.p.out.String(), "5 bots, 5 sessions")
			require.Contains(t, c.p.out.String(), "diverged: 0")
			require.Empty(t, c.p.family(), "processes are left")
			require.Empty(t, leftBehind(t, c.data))
		})
	}
}

// A demo that is killed cannot tidy up; its children go with it, and the next one does not mind what is left.
func TestDemoAfterAKill(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, nil, otpd(t), "demo", "--bots=5", "--split", "--data="+data)
	p.says("   1s ")
	require.Len(t, p.family(), 3)
	p.signal(syscall.SIGKILL)
	require.Equal(t, -1, p.wait())
	require.Eventually(t, func() bool { return len(p.family()) == 0 }, patience, 10*time.Millisecond, "processes are left")
	p = start(t, nil, otpd(t), "demo", "--bots=5", "--split", "--for=2s", "--json", "--data="+data)
	require.Zero(t, p.wait(), p.errs.String())
	require.Zero(t, summaryOf(t, p).Diverged)
	require.Empty(t, leftBehind(t, data))
}

func TestDemoKeepsTheRecordingThatIsAskedFor(t *testing.T) {
	t.Parallel()
	data, record := t.TempDir(), filepath.Join(t.TempDir(), "rec")
	p := start(t, nil, otpd(t), "demo", "--bots=20", "--for=3s", "--json", "--record="+record, "--data="+data)
	require.Zero(t, p.wait(), p.errs.String())
	require.Empty(t, leftBehind(t, data))
	var hashes [2]string
	for i := range hashes {
		r := start(t, nil, otpd(t), "replay", "--quiet", record)
		require.Zero(t, r.wait(), r.errs.String())
		hashes[i] = r.out.String()
	}
	require.Equal(t, hashes[0], hashes[1], "the same inputs, the same outputs")
	require.Equal(t, 6, strings.Count(hashes[0], ", hash "), "database, four States, an agent")

	// What the clients of the replayed agent get is what the bots got, byte for byte; and nothing is refused.
	r := start(t, nil, otpd(t), "replay", "--core=clientagent-1", record)
	require.Zero(t, r.wait(), r.errs.String())
	require.Empty(t, regexp.MustCompile(`.*\n! .*`).FindAllString(r.out.String(), -1), "refused")
	require.Contains(t, r.out.String(), ">> stream ")
	require.Contains(t, r.out.String(), ">> datagram ")
}
