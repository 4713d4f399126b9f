package clientagent

import (
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// schemaRetry is how long the agent waits before it asks again, nanoseconds.
const schemaRetry = int64(500e6)

// askSchema asks the database for the cluster's schema; not more often than schemaRetry.
func (s *State) askSchema() {
	if s.schemaAsk != 0 && s.now-s.schemaAsk < schemaRetry {
		return
	}
	s.schemaAsk = max(s.now, 1)
	s.out.SendTo(do.Control(do.RoleDatabase), s.self, &wire.SchemaGet{Context: s.context()})
}

// schemaRecord takes over a newer schema. Objects keep their class by its number, which never changes.
func (s *State) schemaRecord(r *wire.SchemaRecord) error {
	if r.Version == 0 || s.record != nil && r.Version <= s.record.Version {
		return nil
	}
	schema, err := do.ParseSchema(r.Text)
	if err != nil {
		return fmt.Errorf("clientagent: schema record %d: %w", r.Version, err)
	}
	s.schema, s.record = schema, r
	clear(s.uberdogs)
	for _, b := range schema.UberDOGs() {
		s.uberdogs[b.ID] = binding{class: schema.Class(b.Class), anonymous: b.Anonymous}
	}
	s.zoned = slices.ContainsFunc(schema.Classes(), func(c *do.Class) bool { return c.Marks().Any(fields.Grid | fields.Edges | fields.Open) })
	for _, o := range s.objects {
		o.class = schema.ByNumber(o.number)
	}
	if s.zoned {
		for _, o := range s.byAlias() {
			s.footing(o)
		}
	}
	return nil
}

// class is the class with the number; an unknown one makes the agent ask for a newer schema.
func (s *State) class(number uint32) *do.Class {
	if s.schema != nil {
		if c := s.schema.ByNumber(number); c != nil {
			return c
		}
	}
	s.askSchema()
	return nil
}
