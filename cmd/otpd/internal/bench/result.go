package bench

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Result is what a run measured. Its JSON names are for programs, and stay.
type Result struct {
	Bench         string  `json:"bench"`
	Clients       int     `json:"clients"`
	Zones         int     `json:"zones"`
	Hz            int     `json:"hz"`
	Seconds       float64 `json:"seconds"` // asked for
	WarmupSeconds float64 `json:"warmup_seconds"`
	Coalesce      bool    `json:"coalesce"`
	Acknowledged  bool    `json:"acknowledged"` // each update is

	EnterSeconds        float64 `json:"enter_seconds"` // until all clients saw each other
	Updates             uint64  `json:"updates"`       // meant to be sent in the measured time
	Expected            uint64  `json:"expected"`      // deliveries of these
	Deliveries          uint64  `json:"deliveries"`    // of these that came
	Missing             uint64  `json:"missing"`       // lost; with Coalesce also those coalesced away
	DeliveriesPerSecond float64 `json:"deliveries_per_s"`
	P50                 float64 `json:"p50_ms"` // intended send to receive on another client
	P99                 float64 `json:"p99_ms"`
	P999                float64 `json:"p999_ms"`
	Max                 float64 `json:"max_ms"`
	BytesPerDelivery    float64 `json:"bytes_per_delivery"`       // on the wire to the clients, headers of QUIC, UDP and IP included
	FrameBytes          float64 `json:"frame_bytes_per_delivery"` // of the protocol's frames alone

	Separate          bool    `json:"separate"` // server and clients are two processes: their CPU can be told apart
	CPUPerMillion     float64 `json:"server_cpu_s_per_million"`
	AllocsPerDelivery float64 `json:"server_allocs_per_delivery"`
	Server            Side    `json:"server"`
	ClientSide        Side    `json:"client_side"`
	OthersCores       float64 `json:"others_cores"` // cores that other processes of the machine kept busy; -1: unknown
	LateP50           float64 `json:"late_p50_ms"`  // how late updates were sent; part of the latencies
	LateP99           float64 `json:"late_p99_ms"`
	LateMax           float64 `json:"late_max_ms"`
	LimitedByClients  bool    `json:"limited_by_clients"` // their cores were full, or they sent late: the server may do better
	Machine           Machine `json:"machine"`
	Commit            string  `json:"commit"`
	Time              string  `json:"time"`
}

// Side is one of the two processes, in the measured time.
type Side struct {
	CPU   float64 `json:"cpu_s"`
	Cores float64 `json:"cores_used"`
	Procs int     `json:"procs"` // GOMAXPROCS
	Core  int     `json:"core"`  // that it is bound to, -1: none
	RSS   uint64  `json:"rss_bytes"`
	Heap  uint64  `json:"heap_bytes"`
	GCs   uint64  `json:"gcs"`
}

// used books what lies between two snapshots.
func (r *Result) used(a, b snapshot) {
	wall := (b.at - a.at).Seconds()
	deliveries := float64(max(b.sums.deliveries-a.sums.deliveries, 1))
	serverWall := float64(b.server.Unix-a.server.Unix) / 1e9
	r.Server = side(a.server, b.server, serverWall, r.Server.Core)
	r.ClientSide = side(a.clients, b.clients, wall, r.ClientSide.Core)
	r.DeliveriesPerSecond = deliveries / wall
	r.BytesPerDelivery = float64(b.sums.wire-a.sums.wire) / deliveries
	r.FrameBytes = float64(b.sums.bytes-a.sums.bytes) / deliveries
	r.CPUPerMillion = r.Server.CPU / deliveries * 1e6
	r.AllocsPerDelivery = float64(b.server.Allocs-a.server.Allocs) / deliveries
	r.OthersCores = -1
	if a.machine >= 0 && b.machine >= 0 {
		ours := r.ClientSide.CPU
		if r.Separate {
			ours += r.Server.CPU
		}
		r.OthersCores = max((b.machine-a.machine-ours)/wall, 0)
	}
}

func side(a, b Usage, wall float64, core int) Side {
	cpu := b.CPU() - a.CPU()
	return Side{CPU: cpu, Cores: cpu / wall, Procs: b.Procs, Core: core, RSS: b.RSS, Heap: b.Heap, GCs: b.GCs - a.GCs}
}

// Above these the clients' side may be what limits a run.
const (
	fullCores = 0.95 // of the cores that it may use
	lateMS    = 5    // of the 99th percentile
)

// latencies takes over the histograms of a load that is closed.
func (r *Result) latencies(l *load) {
	var all, late histogram
	for _, b := range l.bots {
		all.merge(b.stream)
		all.merge(b.grams)
	}
	for _, p := range l.pacers {
		late.merge(p.late)
	}
	r.Deliveries = all.n
	r.Missing = r.Expected - min(r.Deliveries, r.Expected)
	r.P50, r.P99, r.P999, r.Max = milliseconds(all.quantile(0.5)), milliseconds(all.quantile(0.99)), milliseconds(all.quantile(0.999)), milliseconds(all.most)
	r.LateP50, r.LateP99, r.LateMax = milliseconds(late.quantile(0.5)), milliseconds(late.quantile(0.99)), milliseconds(late.most)
	r.LimitedByClients = r.ClientSide.Cores >= fullCores*float64(r.ClientSide.Procs) || r.LateP99 > lateMS
}

// Text is the result as a table for people.
func (r *Result) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("load", "%d clients in %d zones at %d Hz, %g s after %g s of warm-up%s", r.Clients, r.Zones, r.Hz, r.Seconds, r.WarmupSeconds, r.mode())
	row("deliveries", "%.0f/s; %d of %d", r.DeliveriesPerSecond, r.Deliveries, r.Expected)
	row("latency", "p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms", r.P50, r.P99, r.P999, r.Max)
	row("bytes per delivery", "%.1f on the wire, %.1f of frames", r.BytesPerDelivery, r.FrameBytes)
	if r.Separate {
		row("server CPU", "%.2f s per million deliveries", r.CPUPerMillion)
		row("server", "%s, %.2f allocations per delivery", r.Server.text(), r.AllocsPerDelivery)
		row("clients", "%s", r.ClientSide.text())
	} else {
		row("both sides", "%s (one process: their CPU cannot be told apart)", r.ClientSide.text())
	}
	row("clients' lateness", "p50 %.2f  p99 %.2f  max %.2f ms (part of the latencies)", r.LateP50, r.LateP99, r.LateMax)
	if r.OthersCores >= 0 {
		row("other processes", "%.2f cores", r.OthersCores)
	}
	row("machine", "%d cores %s, %s/%s %s, %s", r.Machine.Cores, r.Machine.CPU, r.Machine.OS, r.Machine.Arch, r.Machine.Kernel, r.Machine.Go)
	row("commit", "%s", r.Commit)
	_ = w.Flush() // a Builder takes everything
	for _, note := range r.notes() {
		b.WriteString("note: " + note + "\n")
	}
	return b.String()
}

func (r *Result) mode() string {
	if r.Coalesce {
		return ", latest values by datagram"
	}
	if !r.Acknowledged {
		return ", not acknowledged"
	}
	return ""
}

// notes are what a reader must know to judge the figures.
func (r *Result) notes() (notes []string) {
	if r.LimitedByClients {
		notes = append(notes, "the clients' side was full or late: the server may do better than this")
	}
	if r.Separate && r.Server.Core < 0 {
		notes = append(notes, "server and clients share the cores (--pin binds each to its own)")
	}
	if r.OthersCores > 0.1 {
		notes = append(notes, "other processes used this machine at the same time: do not compare")
	}
	if r.Missing > 0 && !r.Coalesce {
		notes = append(notes, fmt.Sprintf("%d deliveries did not come in time", r.Missing))
	}
	return notes
}

func (s Side) text() string {
	bound := ""
	if s.Core >= 0 {
		bound = fmt.Sprintf(" (core %d)", s.Core)
	}
	return fmt.Sprintf("%.2f cores%s, %.0f MB, heap %.0f MB, %d collections", s.Cores, bound, float64(s.RSS)/1e6, float64(s.Heap)/1e6, s.GCs)
}
