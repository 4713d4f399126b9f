package sim

import (
	"context"
	"fmt"

	"github.com/otpd/otpd/clientagent"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/internal/repository"
	"github.com/otpd/otpd/wire"
)

// actClient lets a client do one thing.
func (c *actor) actClient() {
	if !c.client.Ready() || c.client.Err() != nil {
		return
	}
	c.run(func() {
		if c.client.SessionState() != wire.StateEstablished {
			c.enter()
			return
		}
		switch n := c.w.rand.IntN(1000); {
		case n < 70 || len(c.follows) == 0 && n < 300:
			c.follow()
		case n < 240:
			c.lookAround()
		case n < 420:
			c.setSeen()
		case n < 590:
			c.setLatest()
		case n < 740:
			c.walk()
		case n < 860:
			c.talk()
		case n < 985:
			c.askSeen()
		case n < 990 && !c.w.opts.Calm:
			c.attack()
		}
	})
}

// enter asks the gate to let the client in.
func (c *actor) enter() {
	if c.entering {
		return
	}
	x, err := c.client.UberDOG(gateID)
	if err != nil {
		c.w.problem("%s: %v", c.name, err)
		return
	}
	gate, ok := x.(*Gate)
	if !ok {
		c.w.problem("%s: the gate is a %T", c.name, x)
		return
	}
	c.entering = true
	mode := c.w.rand.Uint32N(1000)
	client := c.client
	c.task(func(ctx context.Context) error {
		_, err := gate.Login.Call(ctx, mode)
		return err
	}, func(err error) {
		if c.client == client {
			c.entering = false
		}
		c.called(err)
	})
}

// lookAround opens, alters or closes an interest.
func (c *actor) lookAround() {
	parent, zones := c.wish()
	if len(c.handles) < 3 && c.w.chance(60) || len(c.handles) == 0 {
		if len(zones) == 0 {
			return
		}
		h, err := c.client.AddInterest(parent, zones...)
		c.attempt("interest", err)
		if err == nil {
			c.handles = append(c.handles, h)
		}
		return
	}
	i := c.w.rand.IntN(len(c.handles))
	h := c.handles[i]
	done, _ := h.Done()
	pending := !done
	if h.Closed() || c.w.chance(35) {
		c.handles = append(c.handles[:i:i], c.handles[i+1:]...)
		if h.Closed() {
			return
		}
		parent, zones := h.Where()
		c.attempt("close interest", h.Remove())
		if pending {
			c.w.count.PendingRemoved++
		}
		if c.w.chance(30) && !parent.IsZero() {
			h, err := c.client.AddInterest(parent, zones...)
			c.attempt("interest again", err)
			if err == nil {
				c.w.count.Reopened++
				c.handles = append(c.handles, h)
			}
		}
		return
	}
	if pending {
		c.w.count.PendingAltered++
	}
	if old, _ := h.Where(); c.conn.agent.policy == clientagent.InterestAny && c.w.chance(50) && !old.IsZero() {
		parent = old
	}
	if len(zones) == 0 {
		return
	}
	delete(c.follows, h)
	c.attempt("alter interest", h.Alter(parent, zones...))
}

// seen draws one of the client's objects for which want holds.
func (c *actor) seen(want func(x any, v *repository.ObjectView) bool) any {
	var list []any
	for _, v := range c.client.View() {
		if x := c.client.Find(v.ID); x != nil && object(x) != nil && want(x, &v) {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return pick(c.w, list)
}

func anything(any, *repository.ObjectView) bool { return true }

func ownAvatar(x any, v *repository.ObjectView) bool {
	_, ok := x.(*avatarCL)
	return ok && v.Owned
}

func avatar(x any, _ *repository.ObjectView) bool { _, ok := x.(*avatarCL); return ok }

// setSeen sets a field of something in view.
func (c *actor) setSeen() {
	text := fmt.Sprint("c", c.w.rand.IntN(50))
	switch x := c.seen(anything).(type) {
	case *placeCL:
		x.Light = uint8(c.w.rand.IntN(4))
		c.attempt("save", x.Save())
	case *purseCL:
		x.Note = text
		c.attempt("save", x.Save())
	case *avatarCL:
		x.Mood = text
		if c.w.chance(30) {
			x.Name = text
		}
		if c.w.chance(30) {
			x.Title = text + pick(c.w, []string{"", "x", "xy"})
		}
		if c.granted[x.ID()] && c.w.chance(70) {
			x.Secret = text
		}
		c.attempt("save", x.Save())
	}
	if x, ok := c.seen(ownAvatar).(*avatarCL); ok && c.w.chance(50) {
		x.HP = int16(c.w.rand.IntN(101))
		if c.w.chance(30) {
			x.Secret = text
		}
		if c.w.chance(30) {
			x.Look++ // a latest field in a set that is not
		}
		c.attempt("save", x.Save())
	}
}

func (c *actor) talk() {
	if x, ok := c.seen(avatar).(*avatarCL); ok {
		c.attempt("say", x.Say.Send(fmt.Sprint("hello", c.w.rand.IntN(100))))
	}
}

func (c *actor) askSeen() {
	x, ok := c.seen(avatar).(*avatarCL)
	if !ok {
		return
	}
	q := c.w.rand.Uint32N(1000)
	c.task(func(ctx context.Context) error {
		_, err := x.Ask.Call(ctx, q)
		return err
	}, c.called)
}

// attack sends what no client may send.
func (c *actor) attack() {
	alias := uint32(1 << 30)
	if x := c.seen(anything); x != nil {
		alias = c.conn.view.aliasOf(object(x).ID())
	}
	avatar := c.w.game.Schema().Class("Avatar")
	set := func(name string, v []byte) fields.Map {
		return fields.MapOf(fields.Pair{Number: avatar.FieldByName(name).Number, Value: v})
	}
	bad := [][]byte{
		wire.AppendFrame(nil, &wire.ClientSet{Context: 1 << 29, Ref: wire.AliasRef(1 << 30), Fields: set("Mood", fields.AppendString(nil, "x"))}),
		wire.AppendFrame(nil, &wire.ClientSet{Context: 1 << 29, Ref: wire.AliasRef(alias), Fields: set("Gold", fields.AppendInt(nil, 1e6))}),
		wire.AppendFrame(nil, &wire.ClientSet{Context: 1 << 29, Ref: wire.AliasRef(alias), Fields: set("Mood", fields.AppendString(nil, "much too long for a mood"))}),
		wire.AppendFrame(nil, &wire.ClientMove{Context: 1 << 29, Ref: wire.AliasRef(1 << 30), Location: c.w.somewhere()}),
		wire.AppendFrame(nil, &wire.ClientHello{}),
		{0xc1, 0xff, 0x00},
	}
	c.w.note(c.name, "attacks")
	c.conn.send(pick(c.w, bad), nil)
}
