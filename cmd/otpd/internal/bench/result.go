package bench

import (
	"fmt"
	"math"
	"time"

	"github.com/otpd/otpd/wire"
)

// Result is what one run of clients in zones measured.
type Result struct {
	Coalesce     bool          // values may be coalesced away
	Stalled      int           // clients that stopped to read
	Ejected      int           // of these
	EjectedAfter time.Duration // the last of them, since it stopped
	EjectedFor   wire.Reason

	EnterSeconds        float64 // until all clients saw each other
	Updates             uint64  // meant to be sent in the measured time
	Expected            uint64  // deliveries of these
	Deliveries          uint64  // of these that came
	Missing             uint64  // lost; with Coalesce also those coalesced away
	DeliveriesPerSecond float64
	P50                 float64 // intended send to receive on another client
	P99                 float64
	P999                float64
	Max                 float64
	BytesPerDelivery    float64 // on the wire to the clients, headers of QUIC, UDP and IP included
	FrameBytes          float64 // of the protocol's frames alone
	PacketsPerDelivery  float64 // to the clients
	BackPerDelivery     float64 // packets from the clients: what they set, and acknowledgements

	Separate          bool // server and clients are two processes: their CPU can be told apart
	CPUPerMillion     float64
	AllocsPerDelivery float64
	Server            Side
	ClientSide        Side
	OthersCores       float64 // cores that other processes of the machine kept busy; -1: unknown
	LateP50           float64 // how late updates were sent; part of the latencies
	LateP99           float64
	LateMax           float64
	LimitedByClients  bool // their cores were full, or they sent late: the server may do better
}

// Side is one of the two processes, in the measured time.
type Side struct {
	CPU   float64
	Cores float64
	Procs int // GOMAXPROCS
	Core  int // that it is bound to, -1: none
	RSS   uint64
	Heap  uint64
	GCs   uint64
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
	r.PacketsPerDelivery = float64(b.sums.packets-a.sums.packets) / deliveries
	r.BackPerDelivery = float64(b.sums.back-a.sums.back) / deliveries
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

// withoutEchoes takes out what a bare server said to those that had set it: that is its acknowledgement, and no delivery.
func (r *Result) withoutEchoes() {
	others := 1 - float64(r.Updates)/float64(max(r.Expected, 1))
	r.Expected = uint64(math.Round(float64(r.Expected) * others))
	r.Deliveries = uint64(math.Round(float64(r.Deliveries) * others))
	r.DeliveriesPerSecond *= others
	for _, v := range []*float64{&r.BytesPerDelivery, &r.FrameBytes, &r.PacketsPerDelivery, &r.BackPerDelivery, &r.CPUPerMillion, &r.AllocsPerDelivery} {
		*v /= others
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
		if b.ejectedAfter > 0 {
			r.Ejected++
			r.EjectedAfter, r.EjectedFor = max(r.EjectedAfter, b.ejectedAfter), b.ejectedFor
		}
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

// Sample is the result as a run of a row.
func (r *Result) Sample() Sample {
	v := map[string]float64{
		"deliveries_per_s": r.DeliveriesPerSecond, "p50_ms": r.P50, "p99_ms": r.P99, "p999_ms": r.P999, "max_ms": r.Max,
		"bytes_per_delivery": r.BytesPerDelivery, "frame_bytes_per_delivery": r.FrameBytes,
		"packets_per_delivery": r.PacketsPerDelivery, "packets_back_per_delivery": r.BackPerDelivery,
		"late_p50_ms": r.LateP50, "late_p99_ms": r.LateP99, "late_max_ms": r.LateMax,
		"updates": float64(r.Updates), "expected": float64(r.Expected), "deliveries": float64(r.Deliveries), "missing": float64(r.Missing),
		"enter_s": r.EnterSeconds, "client_cores": r.ClientSide.Cores,
	}
	if r.Separate {
		v["server_cpu_s_per_million"], v["server_allocs_per_delivery"] = r.CPUPerMillion, r.AllocsPerDelivery
		v["server_cores"], v["server_rss_mb"], v["server_heap_mb"] = r.Server.Cores, float64(r.Server.RSS)/1e6, float64(r.Server.Heap)/1e6
		v["server_gcs"] = float64(r.Server.GCs)
	}
	if r.Ejected > 0 {
		v["ejected_after_s"] = r.EjectedAfter.Seconds()
	}
	if r.OthersCores >= 0 {
		v["others_cores"] = r.OthersCores
	}
	return Sample{Values: v, Limited: r.LimitedByClients, Notes: r.notes()}
}

// The notes to a row: what a reader must know to judge the figures.
const (
	noteLimited  = "limited by the clients' side, which was full or late: the server may do better"
	noteTogether = "server and clients are one process: their CPU cannot be told apart"
	noteUnbound  = "server and clients share the cores (--pin binds each to its own)"
	noteOthers   = "other processes kept more than a tenth of a core busy: do not compare"
	noteMissing  = "some deliveries did not come in time"
)

func (r *Result) notes() (notes []string) {
	if r.LimitedByClients {
		notes = append(notes, noteLimited)
	}
	switch {
	case !r.Separate:
		notes = append(notes, noteTogether)
	case r.Server.Core < 0:
		notes = append(notes, noteUnbound)
	}
	if r.OthersCores > 0.1 {
		notes = append(notes, noteOthers)
	}
	if r.Missing > 0 && !r.Coalesce {
		notes = append(notes, noteMissing)
	}
	if r.Stalled > 0 {
		notes = append(notes, r.stallNote())
	}
	return notes
}

func (r *Result) stallNote() string {
	if r.Ejected == 0 {
		return fmt.Sprintf("clients that stopped to read: %d, and none was ejected", r.Stalled)
	}
	return fmt.Sprintf("clients that stopped to read: %d; ejected: %d, with reason %d (%s)", r.Stalled, r.Ejected, r.EjectedFor, r.EjectedFor.Info().Text)
}
