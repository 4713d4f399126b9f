package clientagent

import "github.com/otpd/otpd/wire"

// Stats counts what a State did since it was made. It is plain data of the State's owner; the shell publishes copies.
type Stats struct {
	SessionsOpened, SessionsClosed uint64
	Sessions, Objects, Places      int
	Ejects                         []Ejects // by reason, in the order in which reasons first came up
	FramesIn, BytesIn, BytesOut    uint64
	DatagramsIn, DatagramsOut      uint64
	DatagramsDropped               uint64 // stale, or about objects that the client does not have
	Updates, Deliveries, Repeats   uint64
	Enters, Leaves                 uint64
	InterestsOpened, InterestsDone uint64
	OpeningTimeouts                uint64
	Gaps, Repairs                  uint64 // losses that were found
	Refused, Calls                 uint64
	AliasesReused                  uint64
	Panics                         uint64 // bugs found while decoding or checking a client's frame
	LastPanic                      string
}

// Ejects is how many sessions ended for one reason.
type Ejects struct {
	Reason wire.Reason
	Count  uint64
}

// eject counts one.
func (s *Stats) eject(r wire.Reason) {
	for i := range s.Ejects {
		if s.Ejects[i].Reason == r {
			s.Ejects[i].Count++
			return
		}
	}
	s.Ejects = append(s.Ejects, Ejects{r, 1})
}

// Stats returns a copy of the counters.
func (s *State) Stats() Stats {
	c := s.stats
	c.Ejects = append([]Ejects(nil), c.Ejects...)
	c.Sessions, c.Objects, c.Places = len(s.sessions), len(s.objects), len(s.places)
	c.AliasesReused = s.aliases.reused
	return c
}
