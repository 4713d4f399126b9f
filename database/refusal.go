package database

import (
	"time"

	"github.com/otpd/otpd/wire"
)

// refusal is that the database can be read and does not take writes: it is read-only, to this user or at all, or its
// disk is full. Reads go on, each write has its refusal, and who asked tries again; the database is asked once in a while
// whether it takes them again, so that what is told of it is true also when nobody writes.
type refusal struct {
	code  wire.Code // CodeReadOnly or CodeDiskFull; CodeOK: it takes writes
	text  string
	probe uint32 // number of the work that asks, 0: none is under way
	next  int64  // when to ask

	table   string // why one table is not written; others are
	tableAt int64  // when that was last so
}

// tableRefusal is how long the refusal of one table counts: who writes to it tries again sooner.
const tableRefusal = 5 * time.Second

// tableRefused reports whether one table was not written lately, if all others may be.
func (s *State) tableRefused() bool {
	return s.refusal.code == wire.CodeOK && s.refusal.table != "" && s.now-s.refusal.tableAt < int64(tableRefusal)
}

// probeEvery is the time between two questions.
const probeEvery = time.Second

// takesNone reports whether a code says that the database takes no writes.
func takesNone(code wire.Code) bool { return code == wire.CodeReadOnly || code == wire.CodeDiskFull }

// refusesWrites notes that the database did not take a write.
func (s *State) refusesWrites(code wire.Code, text string) {
	if s.refusal.code == wire.CodeOK {
		s.refusal.next = s.now + int64(probeEvery)
	}
	s.refusal.code, s.refusal.text = code, text
}

// takesWrites notes that it does, and goes on with transactions that may be done.
func (s *State) takesWrites() {
	if s.refusal.code != wire.CodeOK {
		s.refusal.code, s.refusal.text = wire.CodeOK, ""
		s.askAgain(0)
	}
}

// heedRefusals looks at what came of a batch: writes that were not taken, or only such as were.
func (s *State) heedRefusals(b *batch, results []wire.DBResult) {
	wrote, refused := false, false
	for i, r := range b.requests {
		switch res := &results[i]; {
		case res.Code == wire.CodeReadOnly && res.Class != wire.AnyClass:
			s.counters.Refusals++
			s.refusal.table, s.refusal.tableAt = res.Text, s.now
		case takesNone(res.Code):
			refused = true
			s.counters.Refusals++
			s.refusesWrites(res.Code, res.Text)
		case res.Code == wire.CodeOK && r.op.Kind.writes():
			wrote = true
		}
	}
	if wrote && !refused {
		s.takesWrites()
	}
}

// probe asks whether the database takes writes again.
func (s *State) probe() {
	if r := &s.refusal; r.code != wire.CodeOK && r.probe == 0 && s.now >= r.next {
		r.probe = s.number()
		s.work = append(s.work, Work{Number: r.probe, Kind: WorkProbe})
	}
}

// probed takes the answer.
func (s *State) probed(b *wire.DBWorked, out *wire.Outbox) {
	s.refusal.probe, s.refusal.next = 0, s.now+int64(probeEvery)
	switch {
	case b.Code == wire.CodeOK:
		s.takesWrites()
	case takesNone(b.Code):
		s.refusal.code, s.refusal.text = b.Code, b.Text
	default:
		s.away = true
		s.counters.Failures++
		s.giveUp(b.Text, out)
	}
}
