package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/do/dc"
	"github.com/otpd/otpd/messagedirector"
	"github.com/otpd/otpd/wire"
)

// ReadSchema reads .dc files, several with commas between their names as one. notices are what the files say and a schema
// cannot. Errors have file, line and column.
func ReadSchema(paths string) (s *do.Schema, files *dc.File, notices []dc.Notice, err error) {
	var sources []dc.Source
	for path := range strings.SplitSeq(paths, ",") {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, nil, err
		}
		sources = append(sources, dc.Source{Name: path, Text: text})
	}
	if files, err = dc.Read(sources...); err != nil {
		return nil, nil, nil, err
	}
	s, notices, err = files.Schema()
	return s, files, notices, err
}

// How long the database has to take the schema over, and how often it is asked when it is not ready.
const (
	offerTimeout = 15 * time.Second
	offerRetry   = 100 * time.Millisecond
)

// offerSchema makes the configured file the cluster's schema, or adds what it has in addition: from then on clients are
// served, before any AI process has joined. A schema that contradicts the cluster's is an error with the first difference.
func (d *Daemon) offerSchema(ctx context.Context, schema *do.Schema) error {
	ctx, cancel := context.WithTimeout(ctx, offerTimeout)
	defer cancel()
	p := d.director.Join("schema")
	defer p.Leave()
	self := do.AI(newID())
	p.Route([]wire.Message{{
		To: []do.Channel{do.Control(do.RoleDirector)}, From: self, Body: &wire.AddChannels{Channels: []do.Channel{self}},
	}})
	var batch []wire.Message
	for context := uint32(1); ; context++ {
		p.Route([]wire.Message{{
			To: []do.Channel{do.Control(do.RoleDatabase)}, From: self, Body: &wire.SchemaSet{Context: context, Text: schema.Text()},
		}})
		answer, err := offered(ctx, p, &batch, context)
		switch {
		case err == nil:
			d.log.Info("schema", "file", d.cfg.Schema, "version", answer.Version, "classes", len(schema.Classes()))
			return nil
		case !errors.Is(err, wire.CodeNotReady) && !errors.Is(err, wire.CodeAway):
			return fmt.Errorf("schema: %s: %w", d.cfg.Schema, err)
		}
		select {
		case <-time.After(offerRetry):
		case <-ctx.Done():
			return fmt.Errorf("schema: %s: %w", d.cfg.Schema, err)
		}
	}
}

// offered waits for the answer to a SchemaSet.
func offered(ctx context.Context, p *messagedirector.Participant, batch *[]wire.Message, context uint32) (*wire.SchemaRecord, error) {
	for {
		got, err := p.Inbox().Wait(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, m := range got {
			switch b := m.Body.(type) {
			case *wire.SchemaRecord:
				if b.Context == context {
					return b, nil
				}
			case *wire.Failed:
				if b.Context == context {
					return nil, b.Code.Err(b.Text)
				}
			}
		}
	}
}
