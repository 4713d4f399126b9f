package database

import (
	"errors"
	"fmt"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// offer is a schema that somebody wants merged into the cluster's.
type offer struct {
	request
	schema *do.Schema
}

// schemaGet answers with the record as it was last told; a change that is under way does not count yet.
func (s *State) schemaGet(m *wire.Message, b *wire.SchemaGet, out *wire.Outbox) error {
	s.counters.Requests++
	r := request{from: m.From, context: b.Context, of: b.Type()}
	if !s.known {
		return s.fail(&r, s.unready(), "", out)
	}
	s.tellSchema(&r, out)
	return nil
}

// unready says why the schema record is not known.
func (s *State) unready() wire.Code {
	if s.away {
		return wire.CodeAway
	}
	return wire.CodeNotReady
}

// schemaSet merges a schema into the cluster's: only a superset can come of it. A refusal names the first difference.
func (s *State) schemaSet(m *wire.Message, b *wire.SchemaSet, out *wire.Outbox) error {
	s.counters.Requests++
	o := offer{request: request{from: m.From, context: b.Context, of: b.Type(), at: s.now}}
	if !s.known || s.away {
		return s.fail(&o.request, s.unready(), "", out)
	}
	var err error
	if o.schema, err = do.ParseSchema(b.Text); err != nil {
		return s.fail(&o.request, wire.CodeMalformed, err.Error(), out)
	}
	if len(o.schema.Classes()) == 0 {
		return s.fail(&o.request, wire.CodeMalformed, "a schema without classes", out)
	}
	// What is refused now stays refused: the cluster's schema only grows.
	merged, text := s.merge(o.schema)
	switch {
	case text != "":
		return s.fail(&o.request, wire.CodeSchema, text, out)
	case merged == s.schema && s.version > 0:
		s.tellSchema(&o.request, out)
	default:
		s.offers = append(s.offers, o)
	}
	return nil
}

// merge is what the cluster's schema becomes with another, the same if that has nothing to add; or the first
// difference.
func (s *State) merge(offered *do.Schema) (merged *do.Schema, text string) {
	if s.schema == nil {
		return offered, ""
	}
	if c, why := do.Compare(s.schema, offered); c == do.Incompatible {
		return nil, why
	}
	merged, err := do.Merge(s.schema, offered)
	if err != nil {
		return nil, err.Error()
	}
	return merged, ""
}

// tellSchema answers with the schema record.
func (s *State) tellSchema(r *request, out *wire.Outbox) {
	record := s.record()
	record.Context = r.context
	out.SendTo(r.from, service, record)
}

func (s *State) record() *wire.SchemaRecord {
	record := &wire.SchemaRecord{Version: s.version, Partitions: s.cfg.Partitions}
	if s.schema != nil {
		record.Text = s.schema.Text()
	}
	return record
}

// readSchema asks the backend for the schema record, unless it was asked. It is also the question whether the
// database is back, so that what others changed meanwhile is known before anything else is done.
func (s *State) readSchema() {
	if s.reading != 0 {
		return
	}
	s.reading = s.number()
	s.work = append(s.work, Work{Number: s.reading, Kind: WorkReadSchema})
}

// offerSchema makes the work of changing the schema, if somebody wants that, and reports whether batches must wait
// for it: their operations and the tables always fit the same schema.
func (s *State) offerSchema(out *wire.Outbox) bool {
	for len(s.offers) > 0 {
		if len(s.batches) > 0 {
			return true
		}
		o := &s.offers[0]
		merged, text := s.merge(o.schema)
		if text == "" && (merged != s.schema || s.version == 0) {
			s.writing = s.number()
			s.work = append(s.work, Work{Number: s.writing, Kind: WorkWriteSchema, Schema: merged, Expect: uint64(s.version), Manual: s.cfg.Manual})
			return true
		}
		s.endOffer(wire.CodeSchema, text, out)
	}
	return false
}

// endOffer answers the first offer: with the record where text is empty.
func (s *State) endOffer(code wire.Code, text string, out *wire.Outbox) {
	o := s.offers[0]
	s.offers = s.offers[1:]
	if text == "" {
		s.tellSchema(&o.request, out)
		return
	}
	_ = s.fail(&o.request, code, text, out)
}

// schemaIs takes the schema record that the backend read or wrote.
func (s *State) schemaIs(b *wire.DBSchemaIs, out *wire.Outbox) error {
	wrote := false
	switch {
	case b.Work == 0:
		return fmt.Errorf("database: schema record without work: %w", ErrUnexpected)
	case b.Work == s.reading:
		s.reading = 0
	case b.Work == s.writing:
		s.writing, wrote = 0, true
	default:
		return fmt.Errorf("database: outcome of work %d, which is not under way: %w", b.Work, ErrUnexpected)
	}
	switch {
	case b.Code == wire.CodeOK:
		if err := s.learn(b, out); err != nil {
			return err
		}
		if wrote {
			s.endOffer(wire.CodeOK, "", out)
		}
	case wrote && b.Code == wire.CodeConflict:
		// Somebody else was first: read what it is now, merge again.
		s.readSchema()
	case wrote && b.Code != wire.CodeAway:
		if takesNone(b.Code) {
			s.refusesWrites(b.Code, b.Reason)
		}
		s.endOffer(b.Code, reasonOr(b), out)
	default:
		s.away = true
		s.counters.Failures++
		s.giveUp(b.Reason, out)
	}
	return nil
}

// reasonOr is why a write failed, in words.
func reasonOr(b *wire.DBSchemaIs) string {
	if b.Reason != "" {
		return b.Reason
	}
	return b.Code.String()
}

// errSchemaText says that the database has a schema that this release cannot read.
var errSchemaText = errors.New("the schema record cannot be read")

// learn makes the record the cluster's schema, and tells all roles if it is another than before.
func (s *State) learn(b *wire.DBSchemaIs, out *wire.Outbox) error {
	changed := b.Version != s.version
	if changed {
		schema, err := do.ParseSchema(b.Text)
		if err != nil {
			s.away = true
			s.counters.Failures++
			s.giveUp(errSchemaText.Error(), out)
			return fmt.Errorf("database: learn version %d: %w: %w", b.Version, errSchemaText, err)
		}
		s.schema, s.version = schema, b.Version
	}
	s.known, s.away = true, false
	s.askAgain(0)
	if changed {
		out.Send([]do.Channel{do.Control(do.RoleStateServer), do.Control(do.RoleClientAgent)}, service, s.record())
	}
	return nil
}
