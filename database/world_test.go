package database

import (
	"context"
	"fmt"
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

// decl declares a state field; def is the text of its declared default, "" for none.
func decl(t testing.TB, name, typ, keywords, def string) do.FieldDecl {
	t.Helper()
	ty, err := fields.ParseType(typ)
	require.NoError(t, err, typ)
	k, err := fields.ParseKeyword(keywords)
	require.NoError(t, err, keywords)
	d := do.FieldDecl{Name: name, Kind: do.FieldState, Keywords: k, Type: ty}
	if def != "" {
		d.Default, err = ty.ParseText(def)
		require.NoError(t, err, def)
	}
	return d
}

// tavern is the schema of most scenarios.
func tavern(t testing.TB) []do.ClassDecl {
	return []do.ClassDecl{
		{Name: "Account", Fields: []do.FieldDecl{
			decl(t, "Login", "string", "db unique", ""),
			decl(t, "Avatar", "id", "db", ""),
		}},
		{Name: "Avatar", Fields: []do.FieldDecl{
			decl(t, "Name", "string(max 24)", "required db broadcast", ""),
			decl(t, "HP", "int16(0..100)", "required db broadcast", "100"),
			decl(t, "Gold", "int64", "db", ""),
			decl(t, "Team", "string", "db index", ""),
			decl(t, "Pos", "{X float32, Y float32}", "ram broadcast", ""),
			decl(t, "Mood", "int8", "ram", ""),
			decl(t, "Hat", "int8", "db", ""),
			decl(t, "Coat", "int8", "db", ""),
			{Name: "Look", Kind: do.FieldMolecular, Parts: []string{"Coat", "Hat"}},
		}},
		{Name: "Tree", Fields: []do.FieldDecl{decl(t, "Height", "int8", "ram", "")}},
	}
}

// schemas are what scenarios offer by name.
func schemas(t testing.TB) map[string][]do.ClassDecl {
	small := tavern(t)[:1]
	grown := tavern(t)
	grown[1].Fields = append(grown[1].Fields, decl(t, "Born", "time", "db", ""))
	grown = append(grown, do.ClassDecl{Name: "Pet", Fields: []do.FieldDecl{decl(t, "Name", "string", "db", "")}})
	wrong := tavern(t)
	wrong[1].Fields[1] = decl(t, "HP", "string", "required db broadcast", "")
	guild := []do.ClassDecl{{Name: "Guild", Fields: []do.FieldDecl{decl(t, "Name", "string", "db unique", "")}}}
	clash := []do.ClassDecl{{Name: "Cat", Fields: small[0].Fields}, {Name: "CAT", Fields: small[0].Fields}}
	return map[string][]do.ClassDecl{"clash": clash, "tavern": tavern(t), "small": small, "grown": grown, "wrong": wrong, "guild": guild}
}

func schemaOf(t testing.TB, decls []do.ClassDecl) *do.Schema {
	t.Helper()
	s, err := do.NewSchema(decls, nil)
	require.NoError(t, err)
	return s
}

// stage is a State with a backend in memory, driven by a scenario.
type stage struct {
	t     testing.TB
	world *scenario.World
	lines scenario.Transcript
	state *State
	mem   *Memory
	out   wire.Outbox
	now   int64
	work  map[uint32]Work // taken, not run yet
	order []uint32
}

func newStage(t testing.TB) *stage {
	// Printed with what the schema becomes at the end, so that names are there from the beginning.
	world := scenario.NewWorld(schemaOf(t, schemas(t)["grown"]))
	s := &stage{t: t, world: world, mem: NewMemory(), work: make(map[uint32]Work)}
	s.lines.Printer = world.Printer
	return s
}

// run is one command of a scenario.
//
//	start workers=2 batch=3 waiting=9 schema=tavern manual   a State that knows the schema; without: none
//	dbcreate avatar1 class=Avatar from=ai1 Name=Flippy
//	dbget avatar1 Name HP from=ai1
//	dbset avatar1 from=ai1 epoch=1 row=2 Gold=8       and below it: if Gold=7 / empty Team / delete Name
//	dbdelete avatar1 from=ai1 epoch=1
//	dbfind Avatar Team=red limit=2 from=ai1
//	dblist Avatar limit=2 after=avatar1 from=ai1
//	transact trade from=ai1, and below it: part avatar1 row=2 Gold=3 / if Gold=4 / empty Team
//	frozen trade avatar1 epoch=1 failed=NotDB / thawed trade avatar1   what States say
//	outcome trade from=ai1
//	wait 5s   time passes
//	schemaget from=ai1 / offer grown from=ai1 / offer raw=garbage from=ai1
//	begin     a Tick: the work that it makes is printed and taken
//	end 3     the work of that number is run
//	refuse 3 ReadOnly class=Avatar text=why   the same, but each of its operations has that outcome
//	run       begin and end until there is nothing to do
//	refusing  what is told of a database that takes no writes
//	readonly / full   from now on no write is taken, until back
//	away / back / raise 1 (the epoch of a partition) / other grown (somebody else changes the schema record)
//	send avatar1 getall  a message that is not for a database
func (s *stage) run(cmd scenario.Command) (string, error) {
	err := s.command(&cmd)
	s.flush()
	return s.lines.Take(), err
}

func (s *stage) command(cmd *scenario.Command) error {
	switch cmd.Name {
	case "start":
		return s.start(cmd)
	case "begin":
		s.begin()
		return nil
	case "end":
		n, err := strconv.ParseUint(cmd.Word(0), 10, 32)
		if err != nil {
			return err
		}
		return s.end(uint32(n))
	case "refuse":
		return s.refuse(cmd)
	case "refusing":
		c := s.state.Counters()
		s.lines.Line(strings.TrimSpace(c.Refusing.Name() + " " + c.Reason))
		return nil
	case "run":
		return s.all()
	case "away":
		s.mem.Fail(fmt.Errorf("%w: pulled the plug", ErrUnavailable))
		return nil
	case "back":
		s.mem.Fail(nil)
		s.mem.Refuse(nil)
		return nil
	case "readonly":
		s.mem.Refuse(fmt.Errorf("%w: it follows another", ErrReadOnly))
		return nil
	case "full":
		s.mem.Refuse(fmt.Errorf("%w: no space left", ErrFull))
		return nil
	case "wait":
		d, err := time.ParseDuration(cmd.Word(0))
		s.now += int64(d)
		return err
	case "raise":
		n, err := strconv.ParseUint(cmd.Word(0), 10, 16)
		if err != nil {
			return err
		}
		epoch, err := s.mem.RaiseEpoch(context.Background(), []do.Partition{do.Partition(n)})
		s.lines.Line(fmt.Sprintf("epoch %d", epoch))
		return err
	case "other":
		record, err := s.mem.Schema(context.Background())
		if err == nil {
			_, err = s.mem.SetSchema(context.Background(), record.Version, schemaOf(s.t, schemas(s.t)[cmd.Word(0)]))
		}
		return err
	}
	m, err := s.message(cmd)
	if err != nil {
		return err
	}
	return s.step(m)
}

func (s *stage) start(cmd *scenario.Command) error {
	cfg := Config{Partitions: 4, Manual: cmd.Has("manual")}
	for name, v := range map[string]*int{"workers": &cfg.Workers, "batch": &cfg.Batch, "waiting": &cfg.Waiting} {
		if text, ok := cmd.Get(name); ok {
			*v, _ = strconv.Atoi(text)
		}
	}
	var err error
	if s.state, err = New(cfg); err != nil {
		return err
	}
	if name, ok := cmd.Get("schema"); ok {
		if _, err := s.mem.SetSchema(context.Background(), 0, schemaOf(s.t, schemas(s.t)[name])); err != nil {
			return err
		}
		s.begin()
		return s.end(1)
	}
	s.state.Start(&s.out)
	return nil
}

// message is a request.
func (s *stage) message(cmd *scenario.Command) (m wire.Message, err error) {
	from, _ := cmd.Get("from")
	if m.From, err = s.world.Channel(from); err != nil {
		return m, err
	}
	m.To = []do.Channel{service}
	context := uint32(s.number(cmd, "context", 1))
	id := s.world.ID(cmd.Word(0))
	switch cmd.Name {
	case "dbcreate":
		m.Body, err = s.create(cmd, context, id)
	case "dbget":
		m.Body, err = s.get(cmd, context, id)
	case "dbset":
		m.Body, err = s.set(cmd, context, id)
	case "dbdelete":
		m.Body = &wire.DBDelete{Context: context, DO: id, Epoch: uint32(s.number(cmd, "epoch", 0))}
	case "dbfind":
		m.Body, err = s.find(cmd, context)
	case "dblist":
		b := &wire.DBList{Context: context, Class: 99, Limit: uint32(s.number(cmd, "limit", 0))}
		if class, err := s.world.Class(cmd.Word(0)); err == nil {
			b.Class = class.Number()
		}
		if after, ok := cmd.Get("after"); ok {
			b.After = s.world.ID(after)
		}
		b.Order, err = s.orderOf(cmd, cmd.Word(0))
		m.Body = b
	case "transact":
		m.Body, err = s.transact(cmd, context, id)
	case "frozen":
		b := &wire.Frozen{Tx: id, DO: s.world.ID(cmd.Word(1)), Epoch: uint32(s.number(cmd, "epoch", 0))}
		if name, ok := cmd.Get("failed"); ok {
			b.Code = codeNamed(name)
		}
		m.Body = b
	case "thawed":
		m.Body = &wire.Thawed{Tx: id, DO: s.world.ID(cmd.Word(1))}
	case "outcome":
		m.Body = &wire.DBOutcome{Context: context, Tx: id}
	case "schemaget":
		m.Body = &wire.SchemaGet{Context: context}
	case "offer":
		text := []byte(cmd.Word(0))
		if decls, ok := schemas(s.t)[cmd.Word(0)]; ok {
			text = schemaOf(s.t, decls).Text()
		}
		m.Body = &wire.SchemaSet{Context: context, Text: text}
	case "send":
		m.Body = &wire.GetAll{Context: context, DO: id}
	default:
		return m, fmt.Errorf("no command %q", cmd.Name)
	}
	return m, err
}

func (s *stage) number(cmd *scenario.Command, key string, otherwise uint64) uint64 {
	text, ok := cmd.Get(key)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(s.t, err, key)
	return n
}

// reserved are the keys of commands that are no fields.
var reserved = []string{"from", "context", "class", "epoch", "row", "limit", "after", "by", "behind"}

func (s *stage) create(cmd *scenario.Command, context uint32, id do.ID) (wire.Body, error) {
	name, _ := cmd.Get("class")
	number := uint32(99)
	class, err := s.world.Class(name)
	if err != nil {
		return &wire.DBCreate{Context: context, DO: id, Class: number}, nil
	}
	s.world.Is(id, class)
	m, err := s.world.Fields(class, cmd, reserved...)
	return &wire.DBCreate{Context: context, DO: id, Class: class.Number(), Fields: m}, err
}

// classOf is the class that the scenario told of, else Avatar.
func (s *stage) classOf(id do.ID) *do.Class {
	if c, err := s.world.ClassOf(id); err == nil {
		return c
	}
	return s.world.Schema.Class("Avatar")
}

func (s *stage) get(cmd *scenario.Command, context uint32, id do.ID) (wire.Body, error) {
	numbers, err := s.numbers(s.classOf(id), cmd.Words()[1:])
	return &wire.DBGet{Context: context, DO: id, Fields: numbers}, err
}

func (s *stage) numbers(class *do.Class, names []string) (numbers []fields.Number, err error) {
	for _, name := range names {
		n, err := s.world.Number(class, name)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (s *stage) set(cmd *scenario.Command, context uint32, id do.ID) (wire.Body, error) {
	class := s.classOf(id)
	b := &wire.DBSet{Context: context, DO: id, Epoch: uint32(s.number(cmd, "epoch", 0)), Row: s.number(cmd, "row", 0)}
	var err error
	if b.Fields, err = s.world.Fields(class, cmd, reserved...); err != nil {
		return nil, err
	}
	for i := range cmd.Sub {
		sub := &cmd.Sub[i]
		switch sub.Name {
		case "if":
			b.Expect, err = s.world.Fields(class, sub)
		case "empty":
			b.Absent, err = s.numbers(class, sub.Words())
		case "delete":
			b.Delete, err = s.numbers(class, sub.Words())
		default:
			err = fmt.Errorf("no condition %q", sub.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (s *stage) transact(cmd *scenario.Command, context uint32, id do.ID) (b *wire.DBTransact, err error) {
	b = &wire.DBTransact{Context: context, Tx: id}
	for i := range cmd.Sub {
		sub := &cmd.Sub[i]
		if sub.Name == "part" {
			b.Parts = append(b.Parts, wire.DBPart{DO: s.world.ID(sub.Word(0)), Row: s.number(sub, "row", 0)})
		}
		p := &b.Parts[len(b.Parts)-1]
		class := s.classOf(p.DO)
		switch sub.Name {
		case "part":
			p.Fields, err = s.world.Fields(class, sub, reserved...)
		case "if":
			p.Expect, err = s.world.Fields(class, sub)
		case "empty":
			p.Absent, err = s.numbers(class, sub.Words())
		default:
			err = fmt.Errorf("no condition %q", sub.Name)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (s *stage) find(cmd *scenario.Command, context uint32) (wire.Body, error) {
	b := &wire.DBFind{Context: context, Class: 99, Limit: uint32(s.number(cmd, "limit", 0))}
	if after, ok := cmd.Get("after"); ok {
		b.After = s.world.ID(after)
	}
	class, err := s.world.Class(cmd.Word(0))
	if err != nil {
		return b, nil
	}
	b.Class = class.Number()
	if b.Order, err = s.orderOf(cmd, cmd.Word(0)); err != nil {
		return nil, err
	}
	m, err := s.world.Fields(class, cmd, reserved...)
	it := m.Iter()
	it.Next()
	b.Field, b.Value = it.Number(), it.Value()
	return b, err
}

// orderOf is the order of a find or list: by=Team, desc; behind=red is the value of the last object of the page before.
func (s *stage) orderOf(cmd *scenario.Command, name string) ([]wire.DBOrder, error) {
	by, ok := cmd.Get("by")
	if !ok {
		return nil, nil
	}
	class, err := s.world.Class(name)
	if err != nil {
		return nil, nil // a class that is not there
	}
	o := wire.DBOrder{Field: 9999, Desc: cmd.Has("desc")}
	f := class.FieldByName(by)
	if f != nil {
		o.Field = f.Number
	}
	if text, ok := cmd.Get("behind"); ok && f != nil {
		if o.Value, err = f.Type.ParseText(strconv.Quote(text)); err != nil {
			o.Value, err = f.Type.ParseText(text)
		}
	}
	list := []wire.DBOrder{o}
	if cmd.Has("twice") {
		list = append(list, o)
	}
	return list, err
}

// step gives the State a message.
func (s *stage) step(m wire.Message) error {
	before := len(s.out.Messages)
	err := s.state.Step(m, &s.out)
	if err != nil {
		require.LessOrEqual(s.t, len(s.out.Messages)-before, 1, "a refusal is one answer")
		if len(s.out.Messages) > before {
			return nil // it is printed
		}
	}
	return err
}

func (s *stage) flush() {
	for _, m := range s.out.Messages {
		s.lines.Add(m)
	}
	s.out.Reset()
}

// begin lets the State make work, and prints it.
func (s *stage) begin() {
	s.now++
	require.NoError(s.t, s.state.Step(wire.Message{Body: &wire.Tick{Unix: s.now}}, &s.out))
	for _, w := range s.state.Work() {
		s.flush()
		s.lines.Line(fmt.Sprintf("backend: %d: %s", w.Number, s.describe(&w)))
		s.work[w.Number] = w
		s.order = append(s.order, w.Number)
	}
}

func (s *stage) describe(w *Work) string {
	switch w.Kind {
	case WorkReadSchema:
		return "read schema"
	case WorkProbe:
		return "probe"
	case WorkWriteSchema:
		return fmt.Sprintf("write schema over version %d", w.Expect)
	}
	var ops []string
	for i := range w.Ops {
		op := &w.Ops[i]
		about := s.world.Printer.Names[op.ID]
		if op.Class != nil && op.ID.IsZero() {
			about = op.Class.Name()
		}
		if op.Kind == OpTransact {
			for _, p := range op.Parts {
				about += fmt.Sprintf(" (set %s epoch=%d)", s.world.Printer.Names[p.ID], p.Epoch)
			}
		}
		ops = append(ops, op.Kind.String()+" "+about)
	}
	return strings.Join(ops, ", ")
}

// end runs work that begin took. Its outcome travels as bytes, as in a recording.
func (s *stage) end(n uint32) error {
	w, ok := s.work[n]
	if !ok {
		return s.step(wire.Message{Body: &wire.DBWorked{Work: n}})
	}
	delete(s.work, n)
	s.order = slices.DeleteFunc(s.order, func(o uint32) bool { return o == n })
	m := w.Run(context.Background(), s.mem)
	m.To = []do.Channel{service}
	decoded, err := wire.DecodeMessage(wire.AppendMessage(nil, &m))
	if err != nil {
		return err
	}
	return s.step(decoded)
}

// refuse ends work that begin took, as if the backend had refused each of its operations.
func (s *stage) refuse(cmd *scenario.Command) error {
	number, err := strconv.ParseUint(cmd.Word(0), 10, 32)
	if err != nil {
		return err
	}
	n := uint32(number)
	worked := &wire.DBWorked{Work: n, Results: make([]wire.DBResult, len(s.work[n].Ops))}
	for i := range worked.Results {
		r := &worked.Results[i]
		r.Class, r.Code = wire.AnyClass, codeNamed(cmd.Word(1))
		r.Text, _ = cmd.Get("text")
		if name, ok := cmd.Get("class"); ok {
			class, err := s.world.Class(name)
			if err != nil {
				return err
			}
			r.Class = class.Number()
		}
	}
	delete(s.work, n)
	s.order = slices.DeleteFunc(s.order, func(o uint32) bool { return o == n })
	return s.step(wire.Message{To: []do.Channel{service}, Body: worked})
}

func codeNamed(name string) wire.Code {
	for _, c := range wire.Codes() {
		if c.Name() == name {
			return c
		}
	}
	return wire.CodeUnknown
}

// all runs until there is nothing to do, but asks a database that is away only once.
func (s *stage) all() error {
	for {
		s.begin()
		if len(s.order) == 0 {
			return nil
		}
		for len(s.order) > 0 {
			if err := s.end(s.order[0]); err != nil {
				return err
			}
			s.flush()
		}
		if s.state.away {
			return nil
		}
	}
}
