package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/database"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// Stats is what the roles count.
type Stats struct {
	Partitions int // of the cluster, without that of the well-known ids
	Director   messagedirector.Stats
	Database   database.Counters
	States     []stateserver.Counters
	Agents     []clientagent.Stats
}

// Stats are recent copies of the roles' counters.
func (d *Daemon) Stats() Stats {
	s := Stats{Partitions: int(d.cfg.Partitions), Director: d.director.Stats(), Database: d.db.Counters()}
	for _, one := range d.states {
		s.States = append(s.States, counters(one.Metrics()))
	}
	for _, one := range d.agents {
		s.Agents = append(s.Agents, one.Stats())
	}
	return s
}

// counters is a copy of a state server's metrics.
func counters(m *stateserver.Metrics) stateserver.Counters {
	return stateserver.Counters{
		Objects: m.Objects.Load(), Updates: m.Updates.Load(), Refused: m.Refused.Load(), Parked: m.Parked.Load(),
		Dirty: m.Dirty.Load(), WriteLag: m.WriteLag.Load(), Writes: m.Writes.Load(), Lost: m.Lost.Load(), Calls: m.Calls.Load(),
		Digests: m.Digests.Load(),
	}
}

// metrics reads the counters when somebody scrapes; no role knows of it.
type metrics struct{ d *Daemon }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("otpd_"+name, help, labels, nil)
}

// series are the metrics, each described once.
type series struct {
	inboxDepth, inboxBytes, inboxAge, routed, delivered                          *prometheus.Desc
	objects, updates, refused, dirty, writeLag, calls                            *prometheus.Desc
	sessions, deliveries, ejects, datagramsIn, datagramsOut, bytesIn, bytesOut   *prometheus.Desc
	enters, leaves, opened, done, timeouts, gaps, repairs, panics, dbOps, dbAway *prometheus.Desc
	dbLag, dbRefuses, dbRefused, lost, latency                                   *prometheus.Desc
}

func newSeries() series {
	return series{
		inboxDepth:   describe("inbox_messages", "Messages that wait in a participant's inbox.", "participant"),
		inboxBytes:   describe("inbox_bytes", "Bytes that wait in a participant's inbox, roughly.", "participant"),
		inboxAge:     describe("inbox_age_seconds", "Age of the oldest message that waits.", "participant"),
		routed:       describe("routed_total", "Messages sent by participants and peers."),
		delivered:    describe("routed_copies_total", "Copies put into inboxes and into queues to peers."),
		objects:      describe("objects", "Objects in memory.", "state"),
		updates:      describe("updates_total", "Accepted sets and events.", "state"),
		refused:      describe("refused_total", "Refused requests.", "state"),
		dirty:        describe("dirty_objects", "Objects with db fields that are not written yet.", "state"),
		writeLag:     describe("write_lag_seconds", "Age of the oldest change that is not written.", "state"),
		calls:        describe("calls_waiting", "Calls that wait for their AI.", "state"),
		sessions:     describe("sessions", "Client sessions.", "agent"),
		deliveries:   describe("deliveries_total", "Updates appended to sessions.", "agent"),
		ejects:       describe("ejects_total", "Sessions ended by the agent, by numbered reason.", "agent", "reason"),
		datagramsIn:  describe("datagrams_received_total", "Datagrams from clients.", "agent"),
		datagramsOut: describe("datagrams_sent_total", "Datagrams to clients.", "agent"),
		bytesIn:      describe("client_received_bytes_total", "Bytes of frames from clients.", "agent"),
		bytesOut:     describe("client_sent_bytes_total", "Bytes of frames to clients.", "agent"),
		enters:       describe("enters_total", "Objects shown to sessions.", "agent"),
		leaves:       describe("leaves_total", "Objects taken out of sessions' views.", "agent"),
		opened:       describe("interests_opened_total", "Interest operations begun.", "agent"),
		done:         describe("interests_done_total", "Interest operations answered.", "agent"),
		timeouts:     describe("opening_timeouts_total", "Openings that gave up on a shard.", "agent"),
		gaps:         describe("gaps_total", "Lost messages that a hole in an object's versions showed.", "agent"),
		repairs:      describe("repairs_total", "Views repaired after a digest that differed.", "agent"),
		panics:       describe("frame_panics_total", "Bugs caught while a client's frame was checked; must be 0.", "agent"),
		latency:      describe("client_input_seconds", "How long what clients sent waited for the agent's core.", "agent"),
		dbOps:        describe("database_operations_total", "Operations given to the backend."),
		lost:         describe("lost_writes_total", "Accepted values that the database refused for good; they are in memory only.", "state"),
		dbAway:       describe("database_away", "1 while the database is away."),
		dbRefuses:    describe("database_refuses_writes", "1 while the database can be read and takes no writes.", "reason"),
		dbRefused:    describe("database_refused_writes_total", "Writes that a read-only database or a full disk did not take; they are tried again."),
		dbLag:        describe("database_lag_seconds", "Age of the oldest request without an answer."),
	}
}

// all is the series' descriptions. A value, not a global: Describe is called once.
func (metrics) Describe(ch chan<- *prometheus.Desc) {
	// Unchecked: the labels come and go with participants.
}

func (m metrics) Collect(ch chan<- prometheus.Metric) {
	s, stats := newSeries(), m.d.Stats()
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count(s.routed, stats.Director.Routed)
	count(s.delivered, stats.Director.Delivered)
	for _, p := range stats.Director.Participants {
		gauge(s.inboxDepth, float64(p.Inbox.Depth), p.Name)
		gauge(s.inboxBytes, float64(p.Inbox.Bytes), p.Name)
		gauge(s.inboxAge, p.Inbox.Age.Seconds(), p.Name)
	}
	for i, c := range stats.States {
		name := number(i)
		gauge(s.objects, float64(c.Objects), name)
		count(s.updates, c.Updates, name)
		count(s.refused, c.Refused, name)
		gauge(s.dirty, float64(c.Dirty), name)
		count(s.lost, c.Lost, name)
		gauge(s.writeLag, float64(c.WriteLag)/1e9, name)
		gauge(s.calls, float64(c.Calls), name)
	}
	for i, c := range stats.Agents {
		name := number(i)
		gauge(s.sessions, float64(c.Sessions), name)
		count(s.deliveries, c.Deliveries, name)
		for _, e := range c.Ejects {
			count(s.ejects, e.Count, name, e.Reason.Name())
		}
		count(s.datagramsIn, c.DatagramsIn, name)
		count(s.datagramsOut, c.DatagramsOut, name)
		count(s.bytesIn, c.BytesIn, name)
		count(s.bytesOut, c.BytesOut, name)
		count(s.enters, c.Enters, name)
		count(s.leaves, c.Leaves, name)
		count(s.opened, c.InterestsOpened, name)
		count(s.done, c.InterestsDone, name)
		count(s.timeouts, c.OpeningTimeouts, name)
		count(s.gaps, c.Gaps, name)
		count(s.repairs, c.Repairs, name)
		count(s.panics, c.Panics, name)
		m.histogram(ch, s.latency, i, name)
	}
	count(s.dbOps, stats.Database.Operations)
	away := 0.0
	if stats.Database.Away {
		away = 1
	}
	gauge(s.dbAway, away)
	for _, reason := range []wire.Code{wire.CodeReadOnly, wire.CodeDiskFull} {
		refuses := 0.0
		if stats.Database.Refusing == reason {
			refuses = 1
		}
		gauge(s.dbRefuses, refuses, reason.Name())
	}
	count(s.dbRefused, stats.Database.Refusals)
	gauge(s.dbLag, float64(stats.Database.Lag)/1e9)
}

// histogram turns an agent's latency buckets into cumulative ones.
func (m metrics) histogram(ch chan<- prometheus.Metric, d *prometheus.Desc, agent int, label string) {
	buckets, sum := m.d.agents[agent].Latency().Snapshot()
	cumulative, total := make(map[float64]uint64, len(buckets)), uint64(0)
	for i, b := range buckets {
		total += b.Count
		if i < len(buckets)-1 {
			cumulative[b.Bound.Seconds()] = total
		}
	}
	ch <- prometheus.MustNewConstHistogram(d, total, sum.Seconds(), cumulative, label)
}
