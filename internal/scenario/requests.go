package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Request makes the message that a command sends to a state server. ok is false if it is no such command. Every
// request has from=CHANNEL, and context=N, which is 1 unless said otherwise.
//
//	generate avatar1 class=Avatar at=street/20 ai=ai1 owner=client1 Name=Flippy HP=15
//	activate avatar1 class=Avatar at=street/20 HP=3
//	activated avatar1 / unload avatar1
//	set avatar1 HP=3 latest=7 durable
//	unset avatar1 Nick
//	get avatar1 HP / getfields avatar1 HP Name / getall avatar1
//	move avatar1 to=street/21 / where avatar1
//	setai avatar1 ai=ai2 / setai avatar1 inherit / getai avatar1
//	setowner avatar1 owner=client1 / getowner avatar1
//	askheld avatar1 owner=client1 ai=ai1
//	delete avatar1 / deletedisk avatar1 / deletechildren street / deletezones street zones=20,21 / deleteai ai1 to=avatar1
//	count street zones=20,21 / childcount street / activezones street / getclass avatar1
//	query street zones=20,21 / ask street zones=20 dos=avatar1 asker=agent1 / children street
//	call avatar1 Buy {Item:"hat"} caller=client1 deadline=500ms
//	bundle avatar1 durable, and below it: set avatar1 HP=3 / move avatar1 to=street/20 / reply client1 Buy {Paid:3} call=1
func (w *World) Request(cmd *Command) (m wire.Message, ok bool, err error) {
	from, _ := cmd.Get("from")
	if m.From, err = w.Channel(from); err != nil {
		return m, true, err
	}
	name := cmd.Word(0)
	m.Body, err = w.body(cmd, w.ID(name), context(cmd))
	if m.Body == nil && err == nil {
		return m, false, nil
	}
	to := do.ObjectChannel(w.ID(name))
	switch b := m.Body.(type) {
	case *wire.DeleteAIObjects:
		to = do.Control(do.RoleStateServer)
		if one, ok := cmd.Get("to"); ok {
			to = do.ObjectChannel(w.ID(one))
		}
	case *wire.AskEntries:
		to = do.ObjectChannel(b.DOs[0])
	}
	m.To = []do.Channel{to}
	return m, true, err
}

func context(cmd *Command) uint32 {
	if s, ok := cmd.Get("context"); ok {
		n, _ := strconv.ParseUint(s, 10, 32)
		return uint32(n)
	}
	return 1
}

// body is what the request says; nil if the command is no request.
func (w *World) body(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	switch cmd.Name {
	case "generate", "activate":
		return w.birth(cmd, id, context)
	case "set":
		return w.set(cmd, id, context)
	case "unset", "get", "getfields":
		return w.numbered(cmd, id, context)
	case "move":
		to, _ := cmd.Get("to")
		l, err := w.Location(to)
		return &wire.SetLocation{Context: context, DO: id, Location: l}, err
	case "setai":
		ai, err := w.arg(cmd, "ai")
		return &wire.SetAI{Context: context, DO: id, AI: ai, Inherit: cmd.Has("inherit")}, err
	case "setowner":
		owner, err := w.arg(cmd, "owner")
		return &wire.SetOwner{Context: context, DO: id, Owner: owner}, err
	case "askheld":
		return w.askHeld(cmd, id)
	case "deleteai":
		ai, err := w.Channel(cmd.Word(0))
		return &wire.DeleteAIObjects{Context: context, AI: ai}, err
	case "query":
		zones, _ := cmd.Get("zones")
		list, err := w.Zones(zones)
		return &wire.GetZonesObjects{Context: context, Parent: id, Zones: list}, err
	case "count":
		list, err := w.zonesArg(cmd)
		return &wire.GetZonesCount{Context: context, Parent: id, Zones: list}, err
	case "deletezones":
		list, err := w.zonesArg(cmd)
		return &wire.DeleteZones{Context: context, Parent: id, Zones: list}, err
	case "ask":
		return w.askEntries(cmd, id)
	case "call":
		return w.call(cmd, id, context)
	case "bundle":
		return w.bundle(cmd, id, context)
	}
	return bare(cmd.Name, id, context), nil
}

// askHeld asks for one object for an owner, an AI, or both.
func (w *World) askHeld(cmd *Command, id do.ID) (*wire.AskHeld, error) {
	owner, err := w.arg(cmd, "owner")
	if err != nil {
		return nil, err
	}
	ai, err := w.arg(cmd, "ai")
	return &wire.AskHeld{Owners: []do.Channel{owner}, AI: ai, DOs: []do.ID{id}}, err
}

// bare is a request that has nothing but its object.
func bare(name string, id do.ID, context uint32) wire.Body {
	switch name {
	case "activated":
		return &wire.GetActivated{Context: context, DO: id}
	case "unload":
		return &wire.Unload{Context: context, DO: id}
	case "getall":
		return &wire.GetAll{Context: context, DO: id}
	case "where":
		return &wire.GetLocation{Context: context, DO: id}
	case "getai":
		return &wire.GetAI{Context: context, DO: id}
	case "getowner":
		return &wire.GetOwner{Context: context, DO: id}
	case "delete":
		return &wire.DeleteRAM{Context: context, DO: id}
	case "deletedisk":
		return &wire.DeleteDisk{Context: context, DO: id}
	case "deletechildren":
		return &wire.DeleteChildren{Context: context, Parent: id}
	case "children":
		return &wire.GetChildren{Context: context, DO: id}
	case "childcount":
		return &wire.GetChildCount{Context: context, DO: id}
	case "activezones":
		return &wire.GetActiveZones{Context: context, DO: id}
	case "getclass":
		return &wire.GetClass{Context: context, DO: id}
	}
	return nil
}

// zonesArg reads zones=20,21, or nothing.
func (w *World) zonesArg(cmd *Command) ([]do.Zone, error) {
	s, ok := cmd.Get("zones")
	if !ok {
		return nil, nil
	}
	return w.Zones(s)
}

func (w *World) arg(cmd *Command, key string) (do.Channel, error) {
	s, _ := cmd.Get(key)
	return w.Channel(s)
}

func (w *World) birth(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	ai, err := w.arg(cmd, "ai")
	if err != nil {
		return nil, err
	}
	owner, err := w.arg(cmd, "owner")
	if err != nil {
		return nil, err
	}
	at, _ := cmd.Get("at")
	l, err := w.Location(at)
	if err != nil {
		return nil, err
	}
	name, named := cmd.Get("class")
	number := wire.AnyClass
	var c *do.Class
	if named {
		// A number may be one that the schema does not have.
		if n, err := strconv.ParseUint(name, 10, 32); err == nil {
			number = uint32(n)
			c = w.Schema.ByNumber(number)
		} else if c, err = w.Class(name); err != nil {
			return nil, err
		} else {
			number = c.Number()
		}
	}
	var set fields.Map
	if c != nil {
		w.Is(id, c)
		if set, err = w.Fields(c, cmd, "from", "context", "class", "at", "ai", "owner"); err != nil {
			return nil, err
		}
	}
	if cmd.Name == "activate" {
		return &wire.Activate{Context: context, DO: id, Class: number, Location: l, AI: ai, Owner: owner, Fields: set}, nil
	}
	return &wire.Create{Context: context, DO: id, Class: number, Location: l, AI: ai, Owner: owner, Fields: set}, nil
}

func (w *World) set(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	c, err := w.ClassOf(id)
	if err != nil {
		return nil, err
	}
	set, err := w.Fields(c, cmd, "from", "context", "latest", "row")
	b := &wire.SetFields{Context: context, DO: id, Fields: set, Durable: cmd.Has("durable"), Row: row(cmd)}
	if s, ok := cmd.Get("latest"); ok {
		serial, _ := strconv.ParseUint(s, 10, 16)
		b.Serial, b.Latest = uint16(serial), true
	}
	return b, err
}

// row is the version that the row must have for a last write, 0 if it says none.
func row(cmd *Command) uint32 {
	s, _ := cmd.Get("row")
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// numbered is a request that names fields.
func (w *World) numbered(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	c, err := w.ClassOf(id)
	if err != nil {
		return nil, err
	}
	var numbers []fields.Number
	for _, name := range cmd.Words()[1:] {
		if name == "durable" {
			continue
		}
		n, err := w.Number(c, name)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	switch {
	case cmd.Name == "unset":
		return &wire.DeleteFields{Context: context, DO: id, Fields: numbers, Durable: cmd.Has("durable"), Row: row(cmd)}, nil
	case cmd.Name == "get" && len(numbers) == 1:
		return &wire.GetField{Context: context, DO: id, Field: numbers[0]}, nil
	}
	return &wire.GetFields{Context: context, DO: id, Fields: numbers}, nil
}

func (w *World) askEntries(cmd *Command, id do.ID) (wire.Body, error) {
	asker, err := w.arg(cmd, "asker")
	b := &wire.AskEntries{Asker: asker, Parent: id, Watch: cmd.Has("watch")}
	if s, ok := cmd.Get("zones"); ok && err == nil {
		b.Zones, err = w.Zones(s)
	}
	dos, _ := cmd.Get("dos")
	b.DOs = w.IDs(dos)
	return b, err
}

func (w *World) call(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	c, err := w.ClassOf(id)
	if err != nil {
		return nil, err
	}
	b := &wire.Call{Context: context, DO: id}
	if b.Caller, err = w.arg(cmd, "from"); err != nil {
		return nil, err
	}
	if b.Field, err = w.Number(c, cmd.Word(1)); err != nil {
		return nil, err
	}
	if s, ok := cmd.Get("deadline"); ok {
		d, err := time.ParseDuration(s)
		if err != nil {
			return nil, err
		}
		b.Deadline = int64(d)
	}
	f := c.Field(b.Field)
	if f == nil || f.Kind != do.FieldCall {
		b.Args = fields.AppendNil(nil)
		return b, nil
	}
	b.Args, err = encodeType(f.Type, cmd.Word(2))
	return b, err
}

func (w *World) bundle(cmd *Command, id do.ID, context uint32) (wire.Body, error) {
	b := &wire.Bundle{Context: context, DO: id, Durable: cmd.Has("durable")}
	for i := range cmd.Sub {
		op, err := w.op(&cmd.Sub[i], id)
		if err != nil {
			return nil, err
		}
		b.Ops = append(b.Ops, op)
	}
	return b, nil
}

func (w *World) op(cmd *Command, bundle do.ID) (op wire.Op, err error) {
	op.DO = w.ID(cmd.Word(0))
	switch cmd.Name {
	case "set":
		op.Kind = wire.OpSet
		c, err := w.ClassOf(op.DO)
		if err != nil {
			return op, err
		}
		op.Fields, err = w.Fields(c, cmd)
		return op, err
	case "move":
		op.Kind = wire.OpMove
		to, _ := cmd.Get("to")
		op.Location, err = w.Location(to)
		return op, err
	case "reply":
		return w.replyOp(cmd, bundle)
	}
	return op, fmt.Errorf("no step %q", cmd.Name)
}

// replyOp reads reply client1 Buy {Paid:3} call=1, or reply client1 Buy error="too poor" call=1.
func (w *World) replyOp(cmd *Command, bundle do.ID) (op wire.Op, err error) {
	op.Kind, op.DO = wire.OpReply, bundle
	if op.Caller, err = w.Channel(cmd.Word(0)); err != nil {
		return op, err
	}
	c, err := w.ClassOf(bundle)
	if err != nil {
		return op, err
	}
	f := c.FieldByName(cmd.Word(1))
	if f == nil || f.Kind != do.FieldCall {
		return op, fmt.Errorf("no call %q", cmd.Word(1))
	}
	call, _ := cmd.Get("call")
	n, err := strconv.ParseUint(call, 10, 32)
	if err != nil {
		return op, err
	}
	op.Reply = wire.CallReply{Context: uint32(n), DO: bundle, Field: f.Number}
	if text, ok := cmd.Get("error"); ok {
		op.Reply.Code, op.Reply.Text = wire.CodeHandler, strings.Trim(text, `"`)
		return op, nil
	}
	op.Reply.Result, err = encodeType(f.Reply, cmd.Word(2))
	return op, err
}
