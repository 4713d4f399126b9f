package clientagent

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/scenario"
	"github.com/otpd/otpd/wire"
)

// client plays what a client does; its name is the first word. ok is false if it is no such command.
//
//	connect client1 [datagrams]     a connection
//	join client1 [datagrams] [enters]        connect, hello, login, quietly
//	hello client1 [version=2] [schema=other|short] [early] [enters]
//	interest client1 handle=1 street/20,21 [context=N] / uninterest client1 handle=1 / follow client1 avatar1 handle=1 outer=1
//	send client1 avatar1 Motto=hi / latest client1 avatar1 Turn=3 serial=1 [datagram] / walk client1 avatar1 to=street/21
//	ask client1 avatar1 Buy={Item:"hat"} call=1 [timeout=500]
//	return client1 avatar1 Confirm=yes call=1 / return client1 avatar1 call=1 fail     to a call of an owner
//	beat client1 / ping client1 / bye client1 / gone client1 / raw client1 HEX / deaf client1 / ears client1
func (s *stage) client(cmd *scenario.Command) (ok bool, err error) {
	name := cmd.Word(0)
	if !strings.HasPrefix(name, "client") {
		return false, nil
	}
	switch cmd.Name {
	case "connect":
		s.connect(cmd)
		return true, nil
	case "join":
		s.connect(cmd)
		if err := s.hello(s.clients[name], cmd); err != nil {
			return true, err
		}
		s.login(name)
		s.flush()
		s.out.Take()
		return true, nil
	}
	c := s.clients[name]
	if c == nil {
		return false, nil
	}
	switch cmd.Name {
	case "hello":
		return true, s.hello(c, cmd)
	case "deaf", "ears":
		c.deaf = cmd.Name == "deaf"
		return true, nil
	case "gone":
		s.give(&wire.SessionClosed{Session: c.id, Reason: "connection lost"})
		return true, nil
	case "raw":
		b, err := parseHex(cmd.Word(1))
		s.give(&wire.SessionFrames{Session: c.id, Bytes: b, Datagram: cmd.Has("datagram")})
		return true, err
	case "flood":
		return true, s.flood(c, cmd)
	}
	if !slices.Contains(clientWords, cmd.Name) {
		return false, nil
	}
	f, err := s.frame(c, cmd)
	if f != nil && err == nil {
		s.give(&wire.SessionFrames{Session: c.id, Bytes: wire.AppendFrame(nil, f), Datagram: cmd.Has("datagram")})
	}
	return f != nil || err != nil, err
}

// clientWords are the commands that send one frame.
var clientWords = strings.Fields("interest uninterest follow beat ping bye send latest walk ask return")

// give hands an input to the agent.
func (s *stage) give(b wire.Body) {
	s.net.Send(wire.Message{To: []do.Channel{s.agent.self}, Body: b})
}

func (s *stage) connect(cmd *scenario.Command) {
	name := cmd.Word(0)
	c := &testClient{name: name, id: s.world.ID(name), aliases: map[string]uint32{}}
	s.clients[name] = c
	s.order = append(s.order, c)
	s.give(&wire.SessionOpened{Session: c.id, Remote: "198.51.100.7:4000", Local: "192.0.2.1:7198", Datagrams: cmd.Has("datagrams")})
}

func (s *stage) hello(c *testClient, cmd *scenario.Command) error {
	sum := s.world.Schema.Fingerprint()
	h := &wire.ClientHello{Version: "1", Schema: sum[:], Early: cmd.Has("early"), Enters: cmd.Has("enters")}
	if v, ok := cmd.Get("version"); ok {
		h.Version = v
	}
	switch v, _ := cmd.Get("schema"); v {
	case "other":
		h.Schema = make([]byte, 32)
	case "short":
		h.Schema = []byte{1}
	}
	s.give(&wire.SessionFrames{Session: c.id, Bytes: wire.AppendFrame(nil, h)})
	return nil
}

func (s *stage) login(name string) {
	id := s.world.ID(name)
	s.net.Send(wire.Message{To: []do.Channel{do.Session(id)}, From: do.AI(s.world.ID("ai1")), Body: &wire.SetState{State: wire.StateEstablished}})
}

// flood sends a frame many times in one piece: flood client1 times=5000.
func (s *stage) flood(c *testClient, cmd *scenario.Command) error {
	text, _ := cmd.Get("times")
	n, err := strconv.Atoi(text)
	var b []byte
	for range n {
		b = wire.AppendFrame(b, &wire.ClientHeartbeat{})
	}
	s.give(&wire.SessionFrames{Session: c.id, Bytes: b})
	return err
}

// frame is the frame that a command sends.
func (s *stage) frame(c *testClient, cmd *scenario.Command) (wire.Frame, error) {
	number := func(key string, def uint64) uint64 {
		if v, ok := cmd.Get(key); ok {
			n, _ := strconv.ParseUint(v, 10, 32)
			return n
		}
		return def
	}
	c.context++
	context := uint32(number("context", uint64(c.context)))
	handle := uint16(number("handle", 1))
	switch cmd.Name {
	case "interest":
		parent, zones, _ := strings.Cut(cmd.Word(1), "/")
		list, err := s.world.Zones(zones)
		return &wire.ClientAddInterest{Context: context, Handle: handle, Parent: s.world.ID(parent), Zones: list}, err
	case "uninterest":
		return &wire.ClientRemoveInterest{Context: context, Handle: handle}, nil
	case "beat":
		return &wire.ClientHeartbeat{Frames: c.frames}, nil
	case "ping":
		return &wire.ClientPing{T1: 7}, nil
	case "bye":
		return &wire.ClientDisconnect{}, nil
	}
	object := cmd.Word(1)
	if cmd.Name == "follow" {
		return &wire.ClientFollow{Context: context, Handle: handle, Ref: s.ref(c, object), Outer: uint8(number("outer", 0))}, nil
	}
	class, err := s.classOf(object)
	if err != nil {
		return nil, err
	}
	set, err := s.world.Fields(class, cmd, "context", "serial", "to", "call", "timeout", "datagram")
	if err != nil {
		return nil, err
	}
	ref := s.ref(c, object)
	return s.fieldFrame(cmd, context, ref, set, number)
}

func (s *stage) fieldFrame(cmd *scenario.Command, context uint32, ref wire.Ref, set fields.Map, number func(string, uint64) uint64) (wire.Frame, error) {
	n, v := oneField(set)
	switch cmd.Name {
	case "send":
		return &wire.ClientSet{Context: context, Ref: ref, Fields: set}, nil
	case "latest":
		return &wire.ClientSetLatest{Ref: ref, Serial: uint16(number("serial", 1)), Field: n, Value: v}, nil
	case "walk":
		to, _ := cmd.Get("to")
		l, err := s.world.Location(to)
		return &wire.ClientMove{Context: context, Ref: ref, Location: l, Fields: set}, err
	case "ask":
		return &wire.ClientCall{Call: uint32(number("call", 1)), Ref: ref, Field: n, Args: v, Timeout: uint32(number("timeout", 0))}, nil
	case "return":
		a := &wire.ClientAnswer{Call: uint32(number("call", 1)), Result: v}
		if cmd.Has("fail") {
			a.Code, a.Text, a.Result = wire.CodeHandler, "not now", nil
		}
		return a, nil
	}
	return nil, nil
}

// cluster plays what AIs say about sessions, from ai1 unless said otherwise, with context 9; what it answers is printed.
//
//	setstate client1 anonymous|established / setid client1 account1 / eject client1 reason=154 / drop client1
//	declare client1 avatar1 / undeclare ... / session client1 avatar1 / unsession client1 avatar1
//	sendable client1 avatar1 HP,Secret / open client1 group / shut client1 group / will client1 avatar1 / nowill client1
//	address client1 / serve client1 handle=40000 street/20 / unserve client1 handle=40000 / lead client1 avatar1 handle=40000
//	permit client1 street/20,21 / permit client1 street all / permit client1 street
//	answer client1 {Paid:3} or code=Handler / tell client1 avatar1 Whisper=hi
//	schema version=2 / lostlink or lostlink ai
func (s *stage) cluster(cmd *scenario.Command) (ok bool, err error) {
	name := cmd.Word(0)
	b, err := s.clusterBody(cmd)
	if err != nil || b == nil {
		switch cmd.Name {
		case "announce":
			return true, s.announce(1)
		case "lostlink":
			lost := &wire.LinkLost{}
			if !cmd.Has("ai") { // to a process that hosts objects: of all partitions
				lost.Hosts = []do.Range{{Lo: do.PartitionRange(do.KindObject, 0).Lo, Hi: do.PartitionRange(do.KindObject, 1<<16-1).Hi}}
			}
			s.give(lost)
			return true, nil
		case "added":
			s.give(&wire.ChannelsAdded{})
			return true, nil
		}
		return err != nil, err
	}
	to, err := s.world.Channel(name)
	if name == "clients" {
		to = do.AllClients()
	}
	from := do.AI(s.world.ID("ai1"))
	if reply, ok := b.(*wire.CallReply); ok {
		from = do.ObjectChannel(reply.DO)
	}
	s.net.Send(wire.Message{To: []do.Channel{to}, From: from, Body: b})
	return true, err
}

const clusterContext = 9

func (s *stage) clusterBody(cmd *scenario.Command) (wire.Body, error) {
	object := s.world.ID(cmd.Word(1))
	switch cmd.Name {
	case "setstate":
		return &wire.SetState{Context: clusterContext, State: map[string]wire.SessionState{
			"new": wire.StateNew, "anonymous": wire.StateAnonymous, "established": wire.StateEstablished,
		}[cmd.Word(1)]}, nil
	case "setid":
		return &wire.SetClientID{Context: clusterContext, Account: object}, nil
	case "eject":
		return &wire.Eject{Context: clusterContext, Reason: wire.ReasonKicked, Text: "kicked"}, nil
	case "drop":
		return &wire.Drop{Context: clusterContext}, nil
	case "declare":
		return &wire.DeclareObject{Context: clusterContext, DO: object, Class: s.world.Schema.Class("Avatar").Number()}, nil
	case "undeclare":
		return &wire.UndeclareObject{Context: clusterContext, DO: object}, nil
	case "session":
		return &wire.AddSessionObject{Context: clusterContext, DO: object}, nil
	case "unsession":
		return &wire.RemoveSessionObject{Context: clusterContext, DO: object}, nil
	case "address":
		return &wire.GetNetworkAddress{Context: clusterContext}, nil
	case "will":
		return &wire.SessionPostRemove{Context: clusterContext, Message: wire.Message{
			To: []do.Channel{do.ObjectChannel(object)}, From: do.Session(s.world.ID(cmd.Word(0))), Body: &wire.DeleteRAM{DO: object},
		}}, nil
	case "nowill":
		return &wire.ClearSessionPostRemoves{Context: clusterContext}, nil
	case "open":
		return &wire.OpenChannel{Context: clusterContext, Channel: do.Group(object)}, nil
	case "shut":
		return &wire.CloseChannel{Context: clusterContext, Channel: do.Group(object)}, nil
	}
	return s.clusterMore(cmd, object)
}

func (s *stage) clusterMore(cmd *scenario.Command, object do.ID) (wire.Body, error) {
	handle := uint16(0)
	if v, ok := cmd.Get("handle"); ok {
		n, _ := strconv.ParseUint(v, 10, 16)
		handle = uint16(n)
	}
	switch cmd.Name {
	case "sendable":
		b := &wire.SetFieldsSendable{Context: clusterContext, DO: object}
		for name := range strings.SplitSeq(cmd.Word(2), ",") {
			if f := s.world.Schema.Class("Avatar").FieldByName(name); f != nil {
				b.Fields = append(b.Fields, f.Number)
			}
		}
		return b, nil
	case "serve":
		parent, zones, _ := strings.Cut(cmd.Word(1), "/")
		list, err := s.world.Zones(zones)
		return &wire.SessionInterest{Context: clusterContext, Handle: handle, Parent: s.world.ID(parent), Zones: list}, err
	case "lead":
		return &wire.SessionFollow{Context: clusterContext, Handle: handle, DO: object}, nil
	case "permit":
		parent, zones, some := strings.Cut(cmd.Word(1), "/")
		b := &wire.PermitInterest{Context: clusterContext, Parent: s.world.ID(parent), All: cmd.Has("all")}
		var err error
		if some {
			b.Zones, err = s.world.Zones(zones)
		}
		return b, err
	case "unserve":
		return &wire.RemoveSessionInterest{Context: clusterContext, Handle: handle}, nil
	case "tell":
		class, err := s.classOf(cmd.Word(1))
		if err != nil {
			return nil, err
		}
		set, err := s.world.Fields(class, cmd)
		return &wire.SetFields{DO: object, Fields: set}, err
	case "answer":
		return s.answer(cmd)
	}
	return nil, nil
}

// answer answers the last call of a client.
func (s *stage) answer(cmd *scenario.Command) (wire.Body, error) {
	call, ok := s.called[cmd.Word(0)]
	if !ok {
		return nil, fmt.Errorf("%s has not called", cmd.Word(0))
	}
	r := &wire.CallReply{Context: call.Context, DO: call.DO, Field: call.Field}
	if cmd.Has("fail") {
		r.Code, r.Text = wire.CodeHandler, "too poor"
		return r, nil
	}
	r.Result = fields.AppendArrayHeader(nil, 1)
	r.Result = fields.AppendInt(r.Result, 3)
	return r, nil
}
