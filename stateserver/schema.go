package stateserver

import (
	"fmt"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// schemaRetry is when an unanswered question for the schema is asked again.
const schemaRetry = int64(time.Second)

// askSchema asks the database for the schema record. The newest question counts.
func (s *State) askSchema(out *wire.Outbox) {
	if s.cfg.NoDatabase {
		return
	}
	s.asked, s.askedAt = s.newContext(), s.now
	out.SendTo(database, s.self, &wire.SchemaGet{Context: s.asked})
}

// unknownClass lets a message wait for a schema that has its class. It is refused when an answer to a question that
// was asked after its arrival does not have it either.
func (s *State) unknownClass(m *wire.Message, class uint32, r request, out *wire.Outbox) error {
	if s.last || s.cfg.NoDatabase {
		return s.fail(r, s.noClass(), "", out)
	}
	s.askSchema(out)
	s.begin(&parking{ids: []do.ID{r.id}, queue: s.first(m), step: parkSchema})
	s.awaitSchema(s.parked[r.id], class)
	return nil
}

// awaitSchema parks p until a schema has the class, or the answer to the question that was just asked has come.
func (s *State) awaitSchema(p *parking, class uint32) {
	p.step, p.class, p.needs = parkSchema, class, s.asked
	s.forSchema = append(s.forSchema, p)
}

// noClass is why a class is unknown.
func (s *State) noClass() wire.Code {
	if s.schema == nil {
		return wire.CodeNotReady
	}
	return wire.CodeNoClass
}

// schemaRecord takes a newer schema, announced or asked for, and goes on with what waits for one.
func (s *State) schemaRecord(b *wire.SchemaRecord, out *wire.Outbox) error {
	err := s.newSchema(b)
	if b.Context != 0 && b.Context == s.asked {
		s.asked = 0
	}
	waiting := s.forSchema
	s.forSchema = nil
	for _, p := range waiting {
		s.last = b.Context >= p.needs
		if s.class(p.class) == nil && !s.last {
			s.forSchema = append(s.forSchema, p)
			continue
		}
		if p.record != nil {
			s.resume(p, out)
		} else {
			s.release(p, out)
		}
		s.last = false
	}
	return err
}

// newSchema learns the schema of a record that is newer than the one it has.
func (s *State) newSchema(b *wire.SchemaRecord) error {
	if b.Version <= s.schemaVersion {
		return nil
	}
	schema, err := do.ParseSchema(b.Text)
	if err != nil {
		return fmt.Errorf("stateserver: schema version %d: %w", b.Version, err)
	}
	if s.schema != nil {
		both, err := do.Merge(s.schema, schema)
		if err != nil {
			return fmt.Errorf("stateserver: schema version %d: %w", b.Version, err)
		}
		if both.Fingerprint() != schema.Fingerprint() {
			return fmt.Errorf("stateserver: schema version %d lacks what living objects have: %w", b.Version, do.ErrIncompatible)
		}
	}
	s.learn(schema)
	s.schemaVersion = b.Version
	return nil
}
