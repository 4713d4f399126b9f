package demo

import (
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/cmd/otpd/internal/daemon"
	"github.com/otpd/otpd/examples/tavern"
)

// Summary is the JSON object at the end of a run. Percentiles and rates leave the login phase out.
type Summary struct {
	Bots              int     `json:"bots"`
	Sessions          int     `json:"sessions"` // alive at the end
	Objects           int     `json:"objects"`  // alive at the end
	Partitions        int     `json:"partitions"`
	PartitionsUsed    int     `json:"partitions_used"` // with objects in them at the end
	Updates           uint64  `json:"updates"`
	Deliveries        uint64  `json:"deliveries"`
	Datagrams         uint64  `json:"datagrams"` // received by bots and by the agents
	P50               float64 `json:"p50_ms"`    // from the intended send to the receipt by another client
	P99               float64 `json:"p99_ms"`
	ZoneChanges       uint64  `json:"zone_changes"`
	InterestsOpened   uint64  `json:"interests_opened"`
	InterestsDone     uint64  `json:"interests_done"`
	CallsOK           uint64  `json:"calls_ok"`
	CallsFailed       uint64  `json:"calls_failed"`
	Relogins          uint64  `json:"relogins"`
	SessionsFailed    uint64  `json:"sessions_failed"`
	Diverged          int     `json:"diverged"`
	PersistedAccounts int     `json:"persisted_accounts"`
	Trades            uint64  `json:"trades"`    // of mugs for gold, among bots
	GoldLost          int64   `json:"gold_lost"` // that the bots came with, did not drink, and have not; below 0: from nowhere
	MugsLost          int64   `json:"mugs_lost"`
	ClockErrorP99     float64 `json:"clock_error_ms_p99"`
	MeanInView        float64 `json:"mean_in_view"`
	Seconds           float64 `json:"seconds"`       // measured, without the login phase
	StoodStill        float64 `json:"stood_still_s"` // of these, how long the machine did not let the bots run
	Repairs           uint64  `json:"repairs"`
	Gaps              uint64  `json:"gaps"`
	Panics            uint64  `json:"frame_panics"`
	Seed              uint64  `json:"seed"`
}

// sum is what all bots have done so far.
type sum struct {
	updates, deliveries, datagrams, zones, opened, done, failedInterests uint64
	callsOK, callsFailed, relogins, failures, logins, trades             uint64
	viewSum, viewSeen                                                    uint64
	latency, clock                                                       *tavern.Histogram
}

func (d *demo) sum() sum {
	s := sum{latency: &tavern.Histogram{}, clock: &tavern.Histogram{}}
	for _, b := range d.bots {
		st := &b.Stats
		s.updates += st.Updates.Load()
		s.deliveries += st.Deliveries()
		in, _ := st.Datagrams()
		s.datagrams += in
		s.zones += st.ZoneChanges.Load()
		s.opened += st.InterestsOpened.Load()
		s.done += st.InterestsDone.Load()
		s.failedInterests += st.InterestsFailed.Load()
		s.callsOK += st.CallsOK.Load()
		s.callsFailed += st.CallsFail.Load()
		s.logins += st.Logins.Load()
		s.relogins += st.Relogins.Load()
		s.trades += st.Trades.Load()
		s.failures += st.Failures.Load()
		s.viewSum += st.ViewSum.Load()
		s.viewSeen += st.ViewSeen.Load()
		s.latency.Merge(&st.Latency)
		s.clock.Merge(&st.Clock)
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line is what a person reads each second.
func line(at time.Duration, s, last sum, stats daemon.Stats) string {
	sessions, objects := 0, uint64(0)
	for _, a := range stats.Agents {
		sessions += a.Sessions
	}
	for _, st := range stats.States {
		objects += st.Objects
	}
	s.latency.Subtract(last.latency) // s is a copy of counts; last stays as it is
	text := fmt.Sprintf("%4ds  %4d sessions  %5d objects  %6d updates/s  %7d deliveries/s  p50 %6.2f ms  p99 %7.2f ms  %4d zone changes  %4d calls",
		int(at.Round(time.Second).Seconds()), sessions, objects, s.updates-last.updates, s.deliveries-last.deliveries,
		ms(s.latency.Quantile(0.5)), ms(s.latency.Quantile(0.99)), s.zones-last.zones, s.callsOK-last.callsOK)
	s.latency.Merge(last.latency)
	if s.callsFailed > 0 || s.failures > 0 {
		text += fmt.Sprintf("  (%d calls failed, %d sessions failed)", s.callsFailed, s.failures)
	}
	return text
}

// summary sums up: moving is what had been done when movement ended.
func (d *demo) summary(moving sum, measured time.Duration, f *finding, persisted int) Summary {
	end := d.sum()
	latency := moving.latency
	if d.before.latency != nil {
		latency.Subtract(d.before.latency)
	}
	s := Summary{
		Bots: d.opts.Bots, Objects: len(f.truth), Partitions: f.stats.Partitions, PartitionsUsed: partitionsOf(f.truth),
		Updates: end.updates, Deliveries: end.deliveries, Datagrams: end.datagrams,
		P50: ms(latency.Quantile(0.5)), P99: ms(latency.Quantile(0.99)),
		ZoneChanges: end.zones, InterestsOpened: end.opened, InterestsDone: end.done,
		CallsOK: end.callsOK, CallsFailed: end.callsFailed, Relogins: end.relogins, SessionsFailed: end.failures,
		Trades: end.trades, GoldLost: f.lost.gold, MugsLost: f.lost.mugs,
		Diverged: len(f.diffs), PersistedAccounts: persisted, ClockErrorP99: ms(end.clock.Quantile(0.99)),
		Seconds: measured.Seconds(), Seed: d.opts.Seed,
	}
	if end.viewSeen > 0 {
		s.MeanInView = float64(end.viewSum) / float64(end.viewSeen)
	}
	s.Sessions = f.sessions()
	for _, a := range f.stats.Agents {
		s.Datagrams += a.DatagramsIn
		s.Repairs += a.Repairs
		s.Gaps += a.Gaps
		s.Panics += a.Panics
	}
	return s
}

// partitionsOf counts the partitions, those of created objects, that have some.
func partitionsOf(truth []daemon.Object) int {
	seen := map[string]bool{}
	for _, o := range truth {
		if len(o.ID) == 36 {
			seen[o.ID[:4]] = true
		}
	}
	return len(seen)
}

// ErrWorld is wrapped by the errors of a run that was not as it should be.
var ErrWorld = errors.New("the world was not as it should be")

// judge says what is wrong with a run: any divergence, an interest that was not completed, a call that failed; and,
// in runs of 5 s and more, too little of what makes a world for the time that the machine let it run.
func (s *Summary) judge(opts Options, measured time.Duration) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrWorld, fmt.Sprintf(format, args...)))
	}
	if s.Diverged > 0 {
		bad("%d differences between views and truth", s.Diverged)
	}
	for what, lost := range map[string]int64{"gold": s.GoldLost, "mugs": s.MugsLost} {
		switch {
		case lost > 0:
			bad("%d %s too few", lost, what)
		case lost < 0:
			bad("%d %s too many", -lost, what)
		}
	}
	if s.InterestsDone != s.InterestsOpened {
		bad("%d interest operations begun, %d completed", s.InterestsOpened, s.InterestsDone)
	}
	if s.CallsFailed > 0 {
		bad("%d calls failed", s.CallsFailed)
	}
	if s.SessionsFailed > 0 {
		bad("%d sessions ended otherwise than by a logout", s.SessionsFailed)
	}
	if s.Panics > 0 {
		bad("%d bugs were caught while frames were checked", s.Panics)
	}
	if s.Sessions != s.Bots {
		bad("%d sessions at the end for %d bots", s.Sessions, s.Bots)
	}
	if opts.For < 5*time.Second || s.Bots == 0 {
		return errors.Join(errs...)
	}
	// What 100 bots do in 10 s, of which the login phase takes 2.
	scale := float64(s.Bots) / 100 * max(measured.Seconds()-s.StoodStill, 0) / 8
	least := func(what string, have, want float64) {
		if have < want {
			bad("%s: %.1f, at least %.1f expected", what, have, want)
		}
	}
	if s.Bots >= 20 {
		least("objects in view on average", s.MeanInView, 8*float64(s.Bots)/100)
		least("trades", float64(s.Trades), 15*scale)
		least("deliveries per update", float64(s.Deliveries)/float64(max(s.Updates, 1)), 5*float64(s.Bots)/100)
	}
	least("zone changes", float64(s.ZoneChanges), 200*scale)
	least("calls", float64(s.CallsOK), 100*scale)
	least("logouts with return", float64(s.Relogins), 50*scale)
	least("datagrams", float64(s.Datagrams), 1)
	least("partitions", float64(s.Partitions), 4)
	return errors.Join(errs...)
}

// Text is the summary for people.
func (s *Summary) Text() string {
	return fmt.Sprintf(`
%d bots, %d sessions, %d objects in %d partitions; %.1f s measured (seed %d)
  %d updates, %d deliveries, %d datagrams; latency p50 %.2f ms, p99 %.2f ms; clock error p99 %.3f ms
  %d zone changes, %d of %d interest operations done, %.1f objects in view on average
  %d trades, which lost %d gold and %d mugs
  %d calls answered, %d failed; %d logouts with return; %d sessions failed; %d accounts of earlier runs found
  this machine stood still for %.1f s; %d views repaired, %d gaps; diverged: %d
`, s.Bots, s.Sessions, s.Objects, s.PartitionsUsed, s.Seconds, s.Seed, s.Updates, s.Deliveries, s.Datagrams, s.P50, s.P99, s.ClockErrorP99,
		s.ZoneChanges, s.InterestsDone, s.InterestsOpened, s.MeanInView, s.Trades, s.GoldLost, s.MugsLost, s.CallsOK, s.CallsFailed, s.Relogins, s.SessionsFailed,
		s.PersistedAccounts, s.StoodStill, s.Repairs, s.Gaps, s.Diverged)
}
