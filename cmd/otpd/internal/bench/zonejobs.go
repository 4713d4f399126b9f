package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ZoneMethod is how clients in zones are measured.
const ZoneMethod = "Each client sets three int16 on its own body at a fixed rate, all phases spread; a delivery is one such update seen by " +
	"one other client. Latency is from the intended time of sending, so that a late sender makes it longer, to the return of the read that " +
	"brought it; every delivery is counted and timed. CPU is getrusage of the server's process, bytes are QUIC packets with 28 bytes of IP " +
	"and UDP headers each, allocations are Go's own count. What lies outside of the measured time counts for nothing. Each run has a fresh server."

// ZoneRows says which rows are measured: every combination.
type ZoneRows struct {
	Clients, Zones, Agents []int
	Hz                     []float64
	Stall                  []int         // of the clients stop to read
	Coalesce, Both         bool          // latest values, or each row both ways
	Bare                   bool          // each row against nothing but quic-go, too
	Flush                  time.Duration // of that one
	BesideOne              float64       // if above 0: beside each row of several zones one zone with as many deliveries, at this rate
	Highest                time.Duration // if above 0: no fixed rate, but the highest whose p99 stays below
	Base                   ZoneConfig    // everything else
	States                 int
}

// Jobs are the rows. start starts a server for each.
func (z ZoneRows) Jobs(start *Launcher) ([]Job, error) {
	if z.Highest > 0 {
		z.Hz = []float64{1}
	}
	var jobs []Job
	for _, agents := range orOne(z.Agents) {
		for _, zones := range orOne(z.Zones) {
			for _, hz := range z.Hz {
				for _, clients := range z.Clients {
					for _, stall := range z.stalls() {
						one, err := z.rows(start, agents, zones, hz, clients, stall)
						if err == nil && z.BesideOne > 0 && zones > 1 {
							var beside []Job
							beside, err = z.rows(start, agents, 1, z.BesideOne, oneZone(clients, zones, hz/z.BesideOne), 0)
							one = append(one, beside...)
						}
						if err != nil {
							return nil, err
						}
						jobs = append(jobs, one...)
					}
				}
			}
		}
	}
	return jobs, nil
}

func (z ZoneRows) stalls() []int {
	if len(z.Stall) == 0 {
		return []int{0}
	}
	return z.Stall
}

// oneZone is how many clients in one zone cause about as many deliveries as those in several, who set times as often.
func oneZone(clients, zones int, times float64) int {
	deliveries := 0.0
	for i := range zones {
		n := float64(zoneSize(clients, zones, i))
		deliveries += n * (n - 1) * times
	}
	return int(math.Round((1 + math.Sqrt(1+4*deliveries)) / 2)) // n * (n - 1) = deliveries
}

// rows are those of one combination: without and with coalescing, bare.
func (z ZoneRows) rows(start *Launcher, agents, zones int, hz float64, clients, stall int) (jobs []Job, err error) {
	for _, mode := range z.modes() {
		cfg, server := z.Base, ServerConfig{Agents: agents, States: z.States, Bare: mode.bare, Flush: z.Flush}
		cfg.Clients, cfg.Zones, cfg.Hz, cfg.Coalesce, cfg.Stall, cfg.Core = clients, zones, hz, mode.coalesce, stall, start.Core()
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
		if mode.bare && stall > 0 {
			return nil, fmt.Errorf("a bare server ejects nobody: %w", ErrConfig)
		}
		jobs = append(jobs, z.job(start, cfg, server))
	}
	return jobs, nil
}

func orOne(values []int) []int {
	if len(values) == 0 {
		return []int{1}
	}
	return values
}

type zoneMode struct{ coalesce, bare bool }

func (z ZoneRows) modes() (out []zoneMode) {
	out = []zoneMode{{coalesce: z.Coalesce}}
	if z.Both {
		out = []zoneMode{{}, {coalesce: true}}
	}
	if z.Bare {
		out = append(out, zoneMode{bare: true})
	}
	return out
}

func (z ZoneRows) job(start *Launcher, cfg ZoneConfig, server ServerConfig) Job {
	j := Job{Name: zoneName(cfg, server, z.Highest), Settings: map[string]float64{
		"clients": float64(cfg.Clients), "zones": float64(cfg.Zones), "agents": float64(server.Agents),
		"seconds": cfg.For.Seconds(), "warmup_seconds": cfg.Warmup.Seconds(), "coalesce": flag(cfg.Coalesce), "acknowledged": flag(!cfg.NoAck || cfg.Coalesce),
		"bare": flag(server.Bare), "stall": float64(cfg.Stall),
	}}
	if server.Bare {
		j.Settings["flush_ms"] = float64(server.Flush.Microseconds()) / 1000
	}
	if z.Highest > 0 {
		j.Settings["below_ms"] = float64(z.Highest.Microseconds()) / 1000
	} else {
		j.Settings["hz"] = cfg.Hz
	}
	j.Run = func(ctx context.Context) (Sample, error) {
		one := func(cfg ZoneConfig) (Sample, error) {
			return start.With(ctx, server, func(info Info) (Sample, error) {
				r, err := Zone(ctx, cfg, info)
				if err != nil {
					return Sample{}, err
				}
				return r.Sample(), nil
			})
		}
		if z.Highest > 0 {
			return highest(cfg, z.Highest, one)
		}
		return one(cfg)
	}
	return j
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func zoneName(cfg ZoneConfig, server ServerConfig, below time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d clients", cfg.Clients)
	if cfg.Zones > 1 {
		fmt.Fprintf(&b, " in %d zones", cfg.Zones)
	}
	if server.Agents > 1 {
		fmt.Fprintf(&b, " at %d agents", server.Agents)
	}
	if below > 0 {
		fmt.Fprintf(&b, ", p99 below %v", below)
	} else {
		fmt.Fprintf(&b, " at %g Hz", cfg.Hz)
	}
	if cfg.Stall > 0 {
		fmt.Fprintf(&b, ", %d stop reading", cfg.Stall)
	}
	switch {
	case server.Bare && server.Flush > 0:
		fmt.Fprintf(&b, ", bare quic-go, flush %v", server.Flush)
	case server.Bare:
		b.WriteString(", bare quic-go, at once")
	case cfg.Coalesce:
		b.WriteString(", coalescing")
	case cfg.NoAck:
		b.WriteString(", not acknowledged")
	}
	return b.String()
}

// highest looks for the highest rate at which p99 stays below a bound and nothing is missing: by growing steps, then
// by halving what lies between the last good one and the first bad one. A rate at which the run fails, because a client
// was ejected for example, is a bad one. Its Sample is that of the best rate.
func highest(cfg ZoneConfig, below time.Duration, one func(ZoneConfig) (Sample, error)) (Sample, error) {
	var best Sample
	good, bad := 0, maxHz+1
	var failed error // why no rate is a good one
	try := func(hz int) {
		cfg.Hz = float64(hz)
		s, err := one(cfg)
		if err != nil {
			bad, failed = hz, err
			return
		}
		if s.Values["p99_ms"] < milliseconds(below) && (cfg.Coalesce || s.Values["missing"] == 0) {
			s.Values["hz"] = float64(hz)
			good, best = hz, s
		} else {
			bad = hz
		}
	}
	for hz := 20; bad > maxHz && good < maxHz; hz = min(hz*2, maxHz) {
		try(hz)
	}
	for bad-good > max(good/10, 1) {
		try((good + bad) / 2)
	}
	if good == 0 {
		return Sample{}, errors.Join(fmt.Errorf("bench: even at %d Hz p99 is not below %v", bad, below), failed)
	}
	return best, nil
}
