package stateserver

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/scenario"
	"github.com/otpd/otpd/wire"
)

var rewrite = flag.Bool("rewrite", false, "write the output of scenarios into their files")

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 25)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			scenario.Walk(t, path, *rewrite, newStage(t).run)
		})
	}
}

// stage is what a scenario plays on: States on a net, and a database that answers when it is told to.
type stage struct {
	t      *testing.T
	world  *scenario.World
	net    *scenario.Net
	out    scenario.Transcript
	states []*State
	now    time.Duration
	asked  []wire.Message              // of the database, unanswered
	words  map[do.ID]*wire.AskLastWord // of AIs, unanswered
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, world: scenario.NewWorld(readSchema(t, "testdata/world.dc")), net: &scenario.Net{}, words: map[do.ID]*wire.AskLastWord{}}
	s.out.Printer = s.world.Printer
	s.net.Print = func(m wire.Message) {
		s.out.Add(m)
		switch b := m.Body.(type) {
		case *wire.AskLastWord:
			s.words[b.DO] = b
		case *wire.Frozen, *wire.Thawed: // what the database said is answered so, and it does not answer again
			return
		}
		if slices.Contains(m.To, do.Control(do.RoleDatabase)) {
			s.asked = append(s.asked, m)
		}
	}
	return s
}

func readSchema(t testing.TB, path string) *do.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	schema, err := do.ParseSchema(text)
	require.NoError(t, err)
	return schema
}

func (s *stage) run(cmd scenario.Command) (string, error) {
	err := s.do(&cmd)
	text := s.out.Take()
	if cmd.Has("quietly") {
		text = ""
	}
	return text, err
}

func (s *stage) do(cmd *scenario.Command) error {
	switch cmd.Name {
	case "classes": // classes zones.dc, before all else
		s.world = scenario.NewWorld(readSchema(s.t, "testdata/"+cmd.Word(0)))
		s.out.Printer = s.world.Printer
		return nil
	case "state":
		return s.state(cmd)
	case "place":
		p, _ := cmd.Get("partition")
		n, err := strconv.Atoi(p)
		for _, name := range cmd.Words() {
			s.world.Place(name, do.Partition(n))
		}
		return err
	case "tick":
		return s.tick(cmd)
	case "versions":
		s.world.Printer.Versions = cmd.Has("on")
		return nil
	case "dump":
		s.dump()
		return nil
	case "linklost":
		lost := &wire.LinkLost{Dead: cmd.Has("dead")}
		if p, ok := cmd.Get("partition"); ok {
			n, err := strconv.Atoi(p)
			if err != nil {
				return err
			}
			lost.Hosts = []do.Range{do.PartitionRange(do.KindObject, do.Partition(n))}
		}
		s.net.Give(wire.Message{Body: lost})
		return nil
	case "hold":
		to := s.net.Member(cmd.Word(0))
		if from, ok := cmd.Get("from"); ok {
			s.net.HoldFrom(to, s.net.Member(from))
		} else {
			s.net.Hold(to)
		}
		return nil
	case "cut":
		s.net.Cut(s.net.Member(cmd.Word(0)), s.net.Member(cmd.Word(1)))
		return nil
	case "kill":
		self := do.ControlOf(do.RoleStateServer, s.world.ID(cmd.Word(0)))
		s.states = slices.DeleteFunc(s.states, func(st *State) bool { return st.Channel() == self })
		if cmd.Has("unheard") {
			s.net.Remove(s.net.Member(cmd.Word(0)))
		} else {
			s.net.Kill(s.net.Member(cmd.Word(0)))
		}
		return nil
	case "mend":
		s.net.Mend()
		return nil
	case "release":
		s.net.Release(s.net.Member(cmd.Word(0)))
		return nil
	case "lastword":
		return s.lastWord(cmd)
	case "db":
		return s.db(cmd)
	case "schema":
		return s.schema(cmd)
	case "freeze", "thaw":
		return s.transaction(cmd)
	}
	m, ok, err := s.world.Request(cmd)
	if !ok {
		return fmt.Errorf("no command %q", cmd.Name)
	}
	if err == nil {
		s.net.Send(m)
	}
	return err
}

// state starts a State: state state1 partitions=1,2 epoch=1 database show.
func (s *stage) state(cmd *scenario.Command) error {
	name := cmd.Word(0)
	cfg := Config{Instance: s.world.ID(name), Epoch: 1, Schema: s.world.Schema, NoDatabase: !cmd.Has("database")}
	if cmd.Has("noschema") {
		cfg.Schema = nil
	}
	parts, _ := cmd.Get("partitions")
	for _, p := range strings.Split(parts, ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			return err
		}
		cfg.Partitions = append(cfg.Partitions, do.Partition(n))
	}
	if e, ok := cmd.Get("epoch"); ok {
		n, err := strconv.Atoi(e)
		if err != nil {
			return err
		}
		cfg.Epoch = uint32(n)
	}
	if d, ok := cmd.Get("idle"); ok {
		if cfg.IdleUnload, _ = time.ParseDuration(d); cfg.IdleUnload <= 0 {
			return fmt.Errorf("idle=%s", d)
		}
	}
	if n, ok := cmd.Get("commits"); ok {
		if cfg.MaxCommits, _ = strconv.Atoi(n); cfg.MaxCommits <= 0 {
			return fmt.Errorf("commits=%s", n)
		}
	}
	st, err := New(cfg)
	if err != nil {
		return err
	}
	s.states = append(s.states, st)
	s.net.Add(name, punctual{st, s}, st.Start)
	if !cmd.Has("show") {
		s.out.Take()
	}
	return nil
}

// punctual fails the test when a Tick does what Next did not announce: a Server would have slept through it.
type punctual struct {
	*State
	stage *stage
}

func (p punctual) Step(m wire.Message, out *wire.Outbox) error {
	next, sent := p.Next(), len(out.Messages)
	err := p.State.Step(m, out)
	if tick, ok := m.Body.(*wire.Tick); ok && len(out.Messages) > sent && (next == 0 || next > tick.Unix) {
		p.stage.t.Errorf("a tick at %v does what was announced for %v: %v", tick.Unix, next, out.Messages[sent].Body)
	}
	return err
}

func (s *stage) tick(cmd *scenario.Command) error {
	d, err := time.ParseDuration(cmd.Word(0))
	if err != nil {
		return err
	}
	s.now += d
	s.net.Give(wire.Message{Body: &wire.Tick{Unix: int64(s.now)}})
	return nil
}

// transaction is what the database role says: freeze avatar1 tx=trade by=ai1 Gold=3 / thaw avatar1 tx=trade committed row=7.
func (s *stage) transaction(cmd *scenario.Command) error {
	id := s.world.ID(cmd.Word(0))
	name, _ := cmd.Get("tx")
	tx := s.world.ID(name)
	m := wire.Message{To: []do.Channel{do.ObjectChannel(id)}, From: do.Control(do.RoleDatabase)}
	if cmd.Name == "thaw" {
		row, _ := cmd.Get("row")
		n, _ := strconv.ParseUint(row, 10, 64)
		m.Body = &wire.Thaw{Tx: tx, DO: id, Committed: cmd.Has("committed"), Row: n, Again: cmd.Has("again")}
		s.net.Send(m)
		return nil
	}
	by, _ := cmd.Get("by")
	from, err := s.world.Channel(by)
	if err != nil {
		return err
	}
	b := &wire.Freeze{Tx: tx, DO: id, By: from}
	if c, unknown := s.world.ClassOf(id); unknown == nil {
		if b.Fields, err = s.world.Fields(c, cmd, "tx", "by"); err != nil {
			return err
		}
	}
	m.Body = b
	s.net.Send(m)
	return nil
}

// lastWord is what an AI says that was asked for it: lastword avatar1 from=ai1, or of an earlier life.
func (s *stage) lastWord(cmd *scenario.Command) error {
	id := s.world.ID(cmd.Word(0))
	asked := s.words[id]
	if asked == nil {
		return fmt.Errorf("nobody asked for it")
	}
	by, _ := cmd.Get("from")
	from, err := s.world.Channel(by)
	if err != nil {
		return err
	}
	b := &wire.LastWord{DO: id, Version: asked.Version}
	if cmd.Has("earlier") {
		b.Version.Inc--
	}
	s.net.Send(wire.Message{To: []do.Channel{do.ObjectChannel(id)}, From: from, Body: b})
	return nil
}

// db answers the oldest question to the database: db object class=Avatar row=1 Name=Flippy / db done row=2 / db failed Away text=why /
// db schema version=1 file=world.dc.
func (s *stage) db(cmd *scenario.Command) error {
	if len(s.asked) == 0 {
		return fmt.Errorf("the database was asked nothing")
	}
	asked := s.asked[0]
	s.asked = s.asked[1:]
	answer := wire.Message{To: []do.Channel{asked.From}, From: do.Control(do.RoleDatabase)}
	row, _ := cmd.Get("row")
	n, _ := strconv.ParseUint(row, 10, 64)
	switch cmd.Word(0) {
	case "lost":
		return nil
	case "object":
		get, ok := asked.Body.(*wire.DBGet)
		if !ok {
			return fmt.Errorf("the database was asked %v", asked.Body)
		}
		name, _ := cmd.Get("class")
		c, err := s.world.Class(name)
		if err != nil {
			return err
		}
		s.world.Is(get.DO, c)
		m, err := s.world.Fields(c, cmd, "class", "row")
		if err != nil {
			return err
		}
		answer.Body = &wire.DBObject{Context: get.Context, DO: get.DO, Class: c.Number(), Row: n, Fields: m}
	case "done":
		switch b := asked.Body.(type) {
		case *wire.DBSet:
			answer.Body = &wire.Done{Context: b.Context, Of: b.Type(), DO: b.DO, Row: n}
		case *wire.DBDelete:
			answer.Body = &wire.Done{Context: b.Context, Of: b.Type(), DO: b.DO, Row: n}
		default:
			return fmt.Errorf("the database was asked %v", asked.Body)
		}
	case "decided":
		b, ok := asked.Body.(*wire.DBOutcome)
		if !ok {
			return fmt.Errorf("the database was asked %v", asked.Body)
		}
		answer.Body = &wire.DBDecided{Context: b.Context, Tx: b.Tx, Committed: cmd.Has("committed")}
	case "failed":
		text, _ := cmd.Get("text")
		f := &wire.Failed{Of: asked.Body.Type(), Code: codeOf(cmd.Word(1)), Text: text}
		switch b := asked.Body.(type) {
		case *wire.DBSet:
			f.Context, f.DO = b.Context, b.DO
		case *wire.DBGet:
			f.Context, f.DO = b.Context, b.DO
		case *wire.DBDelete:
			f.Context, f.DO = b.Context, b.DO
		case *wire.DBOutcome:
			f.Context, f.DO = b.Context, b.Tx
		}
		answer.Body = f
	case "schema":
		return s.answerSchema(cmd, asked, answer)
	}
	s.net.Send(answer)
	return nil
}

func (s *stage) answerSchema(cmd *scenario.Command, asked, answer wire.Message) error {
	get, ok := asked.Body.(*wire.SchemaGet)
	if !ok {
		return fmt.Errorf("the database was asked %v", asked.Body)
	}
	rec, err := s.record(cmd)
	rec.Context = get.Context
	answer.Body = rec
	s.net.Send(answer)
	return err
}

func (s *stage) record(cmd *scenario.Command) (*wire.SchemaRecord, error) {
	rec := &wire.SchemaRecord{}
	if file, ok := cmd.Get("file"); ok {
		schema := readSchema(s.t, "testdata/"+file)
		rec.Text = schema.Text()
		s.world.Schema, s.world.Printer.Schema = schema, schema
	}
	v, _ := cmd.Get("version")
	n, err := strconv.Atoi(v)
	rec.Version = uint32(n)
	return rec, err
}

// schema announces one: schema version=2 file=world2.dc.
func (s *stage) schema(cmd *scenario.Command) error {
	rec, err := s.record(cmd)
	s.net.Send(wire.Message{To: []do.Channel{do.Control(do.RoleStateServer)}, From: do.Control(do.RoleDatabase), Body: rec})
	return err
}

func codeOf(name string) wire.Code {
	for c := wire.CodeOK; c < 64; c++ {
		if c.Name() == name {
			return c
		}
	}
	return wire.CodeUnknown
}

// dump prints what is in memory, by name.
func (s *stage) dump() {
	var lines []string
	for _, st := range s.states {
		st.Scan(func(o Scanned) {
			e := wire.EnterAI{Entry: wire.Entry{
				DO: o.ID, Class: o.Class.Number(), Version: o.Version, Location: o.Location, AI: o.AI, Owner: o.Owner, Fields: o.Fields,
			}}
			line := strings.TrimPrefix(s.world.Printer.Body(&e), "EnterAI ")
			if !o.Entered && !o.Location.IsZero() {
				line += " waits"
			}
			lines = append(lines, line)
		})
	}
	slices.Sort(lines)
	for _, l := range lines {
		s.out.Line(l)
	}
}

// fieldsOf is a set of one field.
func fieldsOf(f *do.Field, text string) fields.Map {
	v, err := f.Type.ParseText(text)
	if err != nil {
		panic(err)
	}
	return fields.MapOf(fields.Pair{Number: f.Number, Value: v})
}
