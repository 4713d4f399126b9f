package stateserver

// Next is when the State wants a Tick, in unix nanoseconds; 0: not before something else happens.
func (s *State) Next() int64 {
	next := int64(0)
	at := func(t int64) {
		if next == 0 || t < next {
			next = max(t, 1)
		}
	}
	if len(s.dirty) > 0 {
		at(s.nextWrite)
	}
	if len(s.changed)+len(s.hearings)+len(s.partings)+len(s.grounds) > 0 {
		at(s.nextDigest)
	}
	if len(s.deadlines.list) > 0 {
		at(s.deadlines.list[0].deadline)
	}
	if len(s.travels) > 0 {
		at(s.travels[0].until)
	}
	if s.asked != 0 {
		at(s.askedAt + schemaRetry)
	}
	if s.cfg.IdleUnload > 0 && len(s.writers) > 0 {
		at(s.nextIdle)
	}
	if len(s.parted) > 0 {
		at(s.parted[0].until)
	}
	for _, f := range s.frosts { // not by time: one whose question had no answer waits anew
		if !f.asked {
			at(f.at + int64(s.cfg.AnswerTimeout))
		}
	}
	if len(s.sent) > 0 {
		if r := s.requests[s.sent[0]]; r != nil {
			at(r.at + int64(s.cfg.AnswerTimeout))
		} else {
			at(s.now)
		}
	}
	return next
}

// Idle reports whether nothing is to be written, and no word of the database or of an AI about what goes with it is
// awaited.
func (s *State) Idle() bool { return len(s.dirty)+len(s.requests)+len(s.frosts)+len(s.farewells) == 0 }
