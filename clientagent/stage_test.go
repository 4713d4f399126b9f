package clientagent

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/scenario"
	"github.com/otpd/otpd/stateserver"
	"github.com/otpd/otpd/wire"
)

// stage is what a scenario plays on: an agent and real States on a net. It prints what the agent sends to the
// cluster, and what reaches each client.
type stage struct {
	t       *testing.T
	world   *scenario.World
	net     *scenario.Net
	out     scenario.Transcript
	agent   *relay
	clients map[string]*testClient
	order   []*testClient
	now     time.Duration
	control bool                 // print what goes to the director
	called  map[string]wire.Call // of UberDOGs and AIs, by name of the caller
}

// testClient is what a client knows.
type testClient struct {
	name    string
	id      do.ID
	aliases map[string]uint32 // by name of the object
	frames  uint64
	context uint32
	mute    bool // it acknowledges nothing and its output is not drained
	deaf    bool
}

// relay is an agent on a net: it answers subscriptions as a director of one process does, and loses what it is told to.
type relay struct {
	*State
	lose  []wire.Type
	added []uint32 // subscriptions that are not acknowledged yet
	slow  bool
}

func (r *relay) Step(m wire.Message, out *wire.Outbox) error {
	if i := slices.Index(r.lose, m.Body.Type()); i >= 0 {
		r.lose = slices.Delete(r.lose, i, i+1)
		return nil
	}
	at := len(out.Messages)
	if a, ok := m.Body.(*wire.ChannelsAdded); ok && a.Context == 0 {
		r.release(out)
		return nil
	}
	err := r.State.Step(m, out)
	r.acknowledge(at, out)
	return err
}

func (r *relay) acknowledge(at int, out *wire.Outbox) {
	for ; at < len(out.Messages); at++ {
		if a, ok := out.Messages[at].Body.(*wire.AddChannels); ok && a.Context != 0 {
			r.added = append(r.added, a.Context)
		}
		if !r.slow {
			r.release(out)
		}
	}
}

func (r *relay) release(out *wire.Outbox) {
	for len(r.added) > 0 {
		c := r.added[0]
		r.added = r.added[1:]
		_ = r.State.Step(wire.Message{Body: &wire.ChannelsAdded{Context: c}}, out)
	}
}

func newStage(t *testing.T) *stage {
	s := &stage{
		t: t, world: scenario.NewWorld(readSchema(t, "testdata/world.dc")), net: &scenario.Net{},
		clients: map[string]*testClient{}, called: map[string]wire.Call{}, now: time.Second,
	}
	s.out.Printer = s.world.Printer
	s.net.Print = s.print
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

// print shows what the agent sends.
func (s *stage) print(m wire.Message) {
	if c, ok := m.Body.(*wire.Call); ok {
		s.called[s.world.Printer.Names[c.Caller.ID]] = *c
	}
	if s.agent == nil || m.From != s.agent.self && m.From.Kind != do.KindSession {
		return
	}
	switch m.Body.(type) {
	case *wire.Update, *wire.ChangingLocation, *wire.SchemaGet:
		return // a State's, in a session's name; what every agent asks at first
	}
	if m.To[0] == do.Control(do.RoleDirector) && !s.control {
		return
	}
	s.out.Add(m)
}

func (s *stage) run(cmd scenario.Command) (string, error) {
	err := s.do(&cmd)
	s.flush()
	text := s.out.Take()
	if cmd.Has("quietly") {
		text = ""
	}
	return text, err
}

// flush shows what reaches the clients.
func (s *stage) flush() {
	if s.agent == nil {
		return
	}
	s.agent.Flush(func(o *Out) {
		c := s.clientOf(o.Session)
		if c.deaf {
			return
		}
		c.frames += s.show(c, " <- ", o.Stream)
		begin := 0
		for _, end := range o.Ends {
			s.show(c, " <~ ", o.Datagrams[begin:end])
			begin = end
		}
		if o.Close {
			s.out.Line(fmt.Sprintf("%s closed: %d", c.name, uint16(o.Reason)))
		}
	})
	for _, b := range s.agent.Backlogged() {
		if c := s.clientOf(b.Session); !c.deaf && !c.mute {
			s.give(&wire.SessionDrained{Session: b.Session})
		}
	}
}

func (s *stage) clientOf(id do.ID) *testClient {
	for _, c := range s.order {
		if c.id == id {
			return c
		}
	}
	return &testClient{name: id.String(), aliases: map[string]uint32{}}
}

func (s *stage) show(c *testClient, arrow string, b []byte) (n uint64) {
	for len(b) > 0 {
		f, size, err := wire.NextFrame(b)
		require.NoError(s.t, err)
		b = b[size:]
		n++
		switch f := f.(type) {
		case *wire.ClientEnter:
			c.aliases[s.world.Printer.Names[f.DO]] = f.Alias
		case *wire.ClientEnters:
			for e := range f.All() {
				c.aliases[s.world.Printer.Names[e.DO]] = e.Alias
			}
		case *wire.ClientEnterOwner:
			c.aliases[s.world.Printer.Names[f.DO]] = f.Alias
		case *wire.ClientDeclare:
			c.aliases[s.world.Printer.Names[f.DO]] = f.Alias
		case *wire.ClientSchema:
			s.out.Line(c.name + arrow + "ClientSchema ...")
			continue
		case *wire.ClientWelcome:
			s.out.Line(fmt.Sprintf("%s%sClientWelcome heartbeat=%d", c.name, arrow, f.Heartbeat))
			continue
		}
		s.out.Line(c.name + arrow + s.world.Printer.Frame(f))
	}
	return n
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
	case "agent":
		return s.startAgent(cmd)
	case "tick":
		d, err := time.ParseDuration(cmd.Word(0))
		s.tick(d)
		return err
	case "show":
		s.control = cmd.Has("control")
		return nil
	case "lose":
		s.agent.lose = append(s.agent.lose, typeOf(cmd.Word(0)))
		return nil
	case "kill":
		s.net.Kill(s.net.Member(cmd.Word(0)))
		return nil
	case "hold":
		to := s.net.Member(cmd.Word(0))
		if from, ok := cmd.Get("from"); ok {
			s.net.HoldFrom(to, s.net.Member(from))
		} else {
			s.net.Hold(to)
		}
		return nil
	case "release":
		s.net.Release(s.net.Member(cmd.Word(0)))
		return nil
	case "stats":
		return s.stats(cmd)
	}
	if ok, err := s.client(cmd); ok {
		return err
	}
	if ok, err := s.cluster(cmd); ok {
		return err
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

func (s *stage) tick(d time.Duration) {
	for step := 50 * time.Millisecond; d > 0; d -= step {
		s.now += min(step, d)
		s.net.Give(wire.Message{Body: &wire.Tick{Unix: int64(s.now)}})
		s.flush()
	}
}

// state starts a State: state state1 partitions=1,2.
func (s *stage) state(cmd *scenario.Command) error {
	name := cmd.Word(0)
	cfg := stateserver.Config{Instance: s.world.ID(name), Epoch: 1, Schema: s.world.Schema, NoDatabase: true}
	parts, _ := cmd.Get("partitions")
	for _, p := range strings.Split(parts, ",") {
		n, err := strconv.Atoi(p)
		if err != nil {
			return err
		}
		cfg.Partitions = append(cfg.Partitions, do.Partition(n))
	}
	st, err := stateserver.New(cfg)
	if err == nil {
		s.net.Add(name, st, st.Start)
	}
	return err
}

// startAgent starts the agent: agent interests=visible version=1 norelocate noschema zones=2 sessions=1.
func (s *stage) startAgent(cmd *scenario.Command) error {
	cfg := Config{Instance: s.world.ID("agent1"), NoRelocate: cmd.Has("norelocate")}
	cfg.Version, _ = cmd.Get("version")
	policy, _ := cmd.Get("interests")
	cfg.Interests = map[string]InterestPolicy{"": InterestAny, "visible": InterestVisible, "disabled": InterestDisabled, "permitted": InterestPermitted}[policy]
	for key, n := range map[string]*int{
		"zones": &cfg.MaxZones, "sessions": &cfg.MaxSessions, "frames": &cfg.Frames, "bytes": &cfg.Bytes, "backlog": &cfg.Backlog,
		"behind": &cfg.Behind, "requests": &cfg.MaxRequests, "frame": &cfg.MaxFrame, "handles": &cfg.MaxHandles,
	} {
		if v, ok := cmd.Get(key); ok {
			*n, _ = strconv.Atoi(v)
		}
	}
	st, err := New(cfg)
	if err != nil {
		return err
	}
	s.agent = &relay{State: st, slow: cmd.Has("slow")}
	s.net.Add("agent", s.agent, st.Start)
	s.tick(time.Millisecond)
	if !cmd.Has("noschema") {
		return s.announce(1)
	}
	return nil
}

func (s *stage) announce(version uint32) error {
	s.net.Send(wire.Message{
		To: []do.Channel{do.Control(do.RoleClientAgent)}, From: do.Control(do.RoleDatabase),
		Body: &wire.SchemaRecord{Version: version, Text: s.world.Schema.Text(), Partitions: 4},
	})
	return nil
}

func (s *stage) stats(cmd *scenario.Command) error {
	st := s.agent.Stats()
	for _, word := range cmd.Words() {
		v, ok := map[string]any{
			"sessions": st.Sessions, "objects": st.Objects, "places": st.Places, "gaps": st.Gaps, "repairs": st.Repairs,
			"repeats": st.Repeats, "reused": st.AliasesReused, "panics": st.Panics, "timeouts": st.OpeningTimeouts,
			"dropped": st.DatagramsDropped, "refused": st.Refused,
		}[word]
		if !ok {
			return fmt.Errorf("no counter %q", word)
		}
		s.out.Line(fmt.Sprintf("%s=%v", word, v))
	}
	return nil
}

func typeOf(name string) wire.Type {
	for t := wire.Type(0); t < 12000; t++ {
		if t.String() == name {
			return t
		}
	}
	return 0
}

// ref is how a client names an object: by the alias that it was told last, or #N for an UberDOG, or a bare number.
func (s *stage) ref(c *testClient, name string) wire.Ref {
	if n, err := strconv.Atoi(name); err == nil {
		return wire.Ref(n)
	}
	if strings.HasPrefix(name, "#") {
		return wire.UberDOGRef(s.world.ID(name).Number())
	}
	return wire.AliasRef(c.aliases[name])
}

// classOf is the class of an object or UberDOG by its name.
func (s *stage) classOf(name string) (*do.Class, error) {
	id := s.world.ID(name)
	for _, b := range s.world.Schema.UberDOGs() {
		if b.ID == id {
			return s.world.Schema.Class(b.Class), nil
		}
	}
	if c, err := s.world.ClassOf(id); err == nil {
		return c, nil
	}
	return s.world.Class("Avatar")
}

func parseHex(text string) ([]byte, error) { return hex.DecodeString(text) }

// oneField is the only field that a command names.
func oneField(m fields.Map) (fields.Number, []byte) {
	it := m.Iter()
	it.Next()
	return it.Number(), it.Value()
}
