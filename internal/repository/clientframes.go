package repository

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Receive takes in bytes of the stream, whole frames or not, or one datagram, that came at now. It keeps nothing of
// b. An error is the agent's fault, or a newer protocol: the session cannot go on.
func (c *Client) Receive(b []byte, datagram bool, now int64) error {
	c.advance(now)
	if c.failure != nil {
		return c.failure
	}
	c.traffic.BytesIn += uint64(len(b))
	var err error
	if datagram {
		c.traffic.DatagramsIn++
		err = c.receiveDatagram(b)
	} else {
		err = c.receiveStream(b)
	}
	if err != nil {
		c.fail(fmt.Errorf("repository: receive: %w", err))
		return c.failure
	}
	c.tick()
	return nil
}

func (c *Client) receiveStream(b []byte) error {
	if len(c.partial) > 0 {
		c.partial = append(c.partial, b...)
		b = c.partial
	}
	for len(b) > 0 {
		n, err := c.one(b, false)
		if errors.Is(err, fields.ErrShort) {
			if len(b) > wire.MaxFrame {
				return fmt.Errorf("frame of more than %d bytes: %w", wire.MaxFrame, fields.ErrLength)
			}
			c.partial = append(c.partial[:0], b...)
			return nil
		}
		if err != nil {
			return err
		}
		c.frames++
		b = b[n:]
		// What handlers do about a frame leaves before the next one is seen.
		c.sched.drain()
		if c.failure != nil {
			break
		}
	}
	c.partial = c.partial[:0]
	return nil
}

// receiveDatagram takes the frames of a datagram; what does not decode ends it, and is no reason to end the session.
func (c *Client) receiveDatagram(b []byte) error {
	for len(b) > 0 && c.failure == nil {
		n, err := c.one(b, true)
		if err != nil {
			c.report(fmt.Errorf("repository: datagram: %w", err))
			return nil
		}
		b = b[n:]
		c.sched.drain()
	}
	return nil
}

// one takes the frame at the front of b. The frames of moving objects are taken without allocating.
func (c *Client) one(b []byte, datagram bool) (int, error) {
	t, err := wire.PeekFrame(b)
	if err != nil {
		return 0, err
	}
	switch t {
	case wire.FrameClientUpdate:
		f, n, err := wire.ParseClientUpdate(b)
		if err == nil {
			c.hearUpdate(f.Alias, f.Field, f.Value)
		}
		return n, err
	case wire.FrameClientLatest:
		f, n, err := wire.ParseClientLatest(b)
		if err == nil {
			c.hearLatest(&f)
		}
		return n, err
	case wire.FrameClientEnters:
		if datagram {
			break
		}
		f, n, err := wire.ParseClientEnters(b)
		if err == nil {
			err = c.hearEnters(&f)
		}
		return n, err
	}
	f, n, err := wire.NextFrame(b)
	if err != nil {
		return 0, err
	}
	if _, pong := f.(*wire.ClientPong); datagram && !pong {
		if _, ack := f.(*wire.ClientLatestDone); !ack {
			return 0, fmt.Errorf("frame %d: %w", t, wire.ErrUnknown)
		}
	}
	return n, c.hear(f)
}

func (c *Client) hearUpdate(alias uint32, n fields.Number, value []byte) {
	if o := c.byAlias[alias]; o != nil {
		c.traffic.Updates++
		c.hearField(o, n, value)
	}
}

// hearField takes one field of an update in. A latest field that was set with others comes a second time behind the
// update, with its serial: only then can it be told whether a datagram has brought a newer value before.
func (c *Client) hearField(o *object, n fields.Number, value []byte) {
	if f := o.class.Field(n); f != nil && f.Kind == do.FieldState && f.Keywords.Has(fields.Latest) {
		return
	}
	c.updateField(o, n, value, Caller{})
}

// hearLatest drops what is for an unknown alias, or older than what was heard.
func (c *Client) hearLatest(f *wire.ClientLatest) {
	o := c.byAlias[f.Alias]
	if o == nil || !o.newer(f.Field, f.Serial) {
		c.traffic.Stale++
		return
	}
	c.traffic.Updates++
	c.updateField(o, f.Field, f.Value, Caller{})
}

// hear takes any other frame.
func (c *Client) hear(f wire.Frame) error {
	switch f := f.(type) {
	case *wire.ClientWelcome:
		return c.hearWelcome(f)
	case *wire.ClientSchema:
		return c.hearSchema(f)
	case *wire.ClientEject:
		c.fail(&EjectError{Reason: f.Reason, Text: f.Text})
	case *wire.ClientState:
		c.state, c.account = f.State, f.Account
		c.changed()
	case *wire.ClientEnter:
		return c.hearEnter(f)
	case *wire.ClientEnterOwner:
		return c.hearEnterOwner(f)
	case *wire.ClientLeave:
		c.hearLeave(f.Alias, f.Reason, func(o *object) { o.seen = false })
	case *wire.ClientLeaveOwner:
		if o := c.byAlias[f.Alias]; o != nil {
			c.endView(o, lifeOf(f.Reason))
		}
		c.hearLeave(f.Alias, f.Reason, c.disown)
	case *wire.ClientDeclare:
		return c.hearDeclare(f.Alias, f.DO, f.Class)
	case *wire.ClientUndeclare:
		c.hearLeave(f.Alias, wire.LeaveMoved, func(o *object) { o.told = false })
	case *wire.ClientUpdates:
		if o := c.byAlias[f.Alias]; o != nil {
			c.traffic.Updates++
			for it := f.Fields.Iter(); it.Next(); {
				c.hearField(o, it.Number(), it.Value())
			}
		}
	case *wire.ClientLocation:
		if o := c.byAlias[f.Alias]; o != nil {
			c.moved(o, f.Location)
		}
	case *wire.ClientDone:
		c.hearDone(f)
	case *wire.ClientLatestDone:
		if o := c.known(f.Alias); o != nil {
			c.latestDone(o, f.Serial, f.Now)
		}
	case *wire.ClientRefused:
		c.hearRefused(f)
	case *wire.ClientReply:
		c.answer(f.Call, bytes.Clone(f.Result), f.Code.Err(f.Text))
	case *wire.ClientCalled:
		c.hearCalled(f)
	case *wire.ClientInterestDone:
		c.hearInterestDone(f)
	case *wire.ClientInterestOpened:
		c.hearInterestOpened(f)
	case *wire.ClientGround:
		return c.hearGround(f)
	case *wire.ClientPong:
		c.hearPong(f)
	case *wire.ServerHeartbeat:
	default:
		return fmt.Errorf("frame %d is not for clients: %w", f.FrameType(), wire.ErrUnknown)
	}
	return nil
}

func (c *Client) hearDone(f *wire.ClientDone) {
	w := c.writes[f.Context]
	if w == nil {
		return
	}
	id := do.ID{}
	if len(w.ops) > 0 {
		id = w.ops[0].o.id
	}
	c.acknowledge(f.Context, id, f.Version, f.Now)
}

func (c *Client) hearRefused(f *wire.ClientRefused) {
	if f.Context == 0 {
		o := c.known(f.Alias)
		if o != nil {
			c.latestRefused(o, f)
		}
		c.report(fmt.Errorf("repository: set latest: %w", f.Code.Err(f.Text)))
		return
	}
	r := refusal{err: f.Code.Err(f.Text), fields: f.Fields, now: f.Now, at: f.Location, located: !f.Location.IsZero()}
	if w := c.writes[f.Context]; w != nil && len(w.ops) > 0 {
		r.id = w.ops[0].o.id
	}
	if r.err == nil {
		r.err = errors.New("refused without a reason")
	}
	if !c.refuse(f.Context, r) {
		// A call, or a set that was settled.
		c.answer(f.Context, nil, r.err)
	}
}

// hearWelcome opens the session, if the schemas fit.
func (c *Client) hearWelcome(f *wire.ClientWelcome) error {
	own := c.cfg.Registry.Schema()
	for _, s := range []*do.Schema{own, c.cluster} {
		if s == nil {
			continue
		}
		if sum := s.Fingerprint(); bytes.Equal(sum[:], f.Schema) {
			c.schema = s
		}
	}
	if c.schema == nil {
		return fmt.Errorf("%w: the agent did not say what its schema is", &wire.Error{Code: wire.CodeSchema})
	}
	c.session, c.partitions, c.ready = f.Session, f.Partitions, true
	c.state = max(c.state, wire.StateAnonymous)
	every := 2 * time.Second
	if f.Heartbeat > 0 {
		every = min(every, time.Duration(f.Heartbeat)*time.Millisecond/3)
	}
	c.beat(every)
	c.ping()
	c.changed()
	return nil
}

// hearSchema compares the cluster's schema with the game's, and stays or leaves with the first difference.
func (c *Client) hearSchema(f *wire.ClientSchema) error {
	s, err := do.ParseSchema(bytes.Clone(f.Text))
	if err != nil {
		return err
	}
	if fit, why := do.Compare(s, c.cfg.Registry.Schema()); fit == do.Incompatible {
		return &wire.Error{Code: wire.CodeSchema, Text: why}
	}
	c.cluster = s
	c.hello(true)
	return nil
}

// beat proves life and acknowledges frames.
func (c *Client) beat(every time.Duration) {
	c.timers.add(c.now+int64(every), int64(every), func() {
		if c.failure == nil {
			c.told = c.frames
			c.frame(&wire.ClientHeartbeat{Frames: c.frames})
		}
	})
}

// hearEnter takes an object into view.
func (c *Client) hearEnter(f *wire.ClientEnter) error {
	e := entry{
		id: f.DO, class: f.Class, at: f.Location, version: f.Version, serial: f.Serial, fields: f.Fields,
		covers: fields.Broadcast | fields.ClRecv,
	}
	return c.entered(e, f.Alias, func(o *object) {
		o.seen = true
		o.owned = o.owned || f.Owned
	})
}

// hearEnters takes objects into view, each as if it had come alone: what handlers do about it is done before the next.
func (c *Client) hearEnters(f *wire.EntersReader) error {
	for f.Next() {
		if err := c.hearEnter(&f.Enter); err != nil {
			return err
		}
		if c.sched.drain(); c.failure != nil {
			return nil
		}
	}
	return f.Err()
}

// hearEnterOwner makes an object the client's own, seen or not (rule 55).
func (c *Client) hearEnterOwner(f *wire.ClientEnterOwner) error {
	e := entry{
		id: f.DO, class: f.Class, at: f.Location, version: f.Version, serial: f.Serial, fields: f.Fields,
		owner: do.Session(c.session), covers: fields.Broadcast | fields.ClRecv | fields.OwnRecv,
	}
	if err := c.entered(e, f.Alias, func(o *object) { o.owned = true }); err != nil {
		return err
	}
	if o := c.objects[e.id]; o != nil {
		c.viewEntry(o, e)
	}
	return nil
}

func (c *Client) entered(e entry, alias uint32, mark func(*object)) error {
	if c.schema != nil && c.schema.ByNumber(e.class) == nil {
		return nil // of a class that was appended after this session began: it is skipped, with all that follows about it
	}
	told := c.objects[e.id] != nil && c.objects[e.id].told
	o, err := c.enter(e, mark)
	if err != nil {
		return err
	}
	o.told = told // in another life, too
	c.named(o, alias)
	c.traffic.Entered++
	return nil
}

// named gives an object the alias by which the agent names it.
func (c *Client) named(o *object, alias uint32) {
	if o.alias != alias {
		if c.byAlias[o.alias] == o {
			delete(c.byAlias, o.alias)
		}
		o.alias = alias
	}
	c.byAlias[alias] = o
	delete(c.former, alias)
	c.revive(o)
}

// hearDeclare makes an object known that is not seen (rule 89). It has a Go object to send and call through, whose values
// are those of a new one; OnGenerate runs when it enters.
func (c *Client) hearDeclare(alias uint32, id do.ID, class uint32) error {
	o := c.objects[id]
	if o == nil {
		k, err := c.classOf(class)
		if err != nil && c.schema != nil {
			return nil // as in entered
		}
		if err != nil {
			return err
		}
		o = newObject(id, k)
		c.objects[id] = o
		c.embody(o)
	}
	o.told = true
	c.named(o, alias)
	return nil
}

// hearLeave takes an object out of view, or ownership or a declaration back; it leaves the table when nothing holds it.
// One that was declared begins anew there, unseen.
func (c *Client) hearLeave(alias uint32, reason wire.LeaveReason, mark func(*object)) {
	o := c.byAlias[alias]
	if o == nil {
		return
	}
	mark(o)
	if o.held() || o.told && !o.entered {
		return
	}
	if o.entered {
		c.traffic.Left++
	}
	told := o.told
	delete(c.byAlias, alias)
	c.haunt(o)
	c.end(o, lifeOf(reason))
	if told && c.failure == nil {
		_ = c.hearDeclare(alias, o.id, o.class.Number()) // of a class that is known
	}
}

// lifeOf is how a life in view ends for a reason.
func lifeOf(reason wire.LeaveReason) Life {
	if reason == wire.LeaveDeleted {
		return Delete
	}
	return Disable
}

// disown takes ownership back: what only owners see is not known any more.
func (c *Client) disown(o *object) {
	o.owned = false
	o.owner = do.Channel{}
	for _, f := range o.class.Stored() {
		if f.Keywords.Has(fields.OwnRecv) && !f.Keywords.Any(fields.Broadcast|fields.ClRecv) && o.vals[f.Slot] != nil {
			c.set(o, f, nil)
		}
	}
	o.place()
}

// ping asks for the time: five times at the start, then each five seconds. A ping that got lost is repeated on the
// stream.
func (c *Client) ping() {
	if c.failure != nil {
		return
	}
	f := wire.ClientPing{T1: c.now}
	lost := c.pinged != 0
	c.pinged = c.now
	if c.cc.Datagrams && !lost {
		c.datagrams = append(c.datagrams, wire.AppendFrame(nil, &f))
	} else {
		c.frame(&f)
	}
	c.pings++
	wait := 5 * time.Second
	if c.pings < 5 || lost {
		wait = 200 * time.Millisecond
	}
	c.timers.add(c.now+int64(wait), 0, c.ping)
}

func (c *Client) hearPong(f *wire.ClientPong) {
	c.pinged = 0
	c.clock.Sample(f.T1, f.T2, f.T3, c.now)
}

// Clock is what is known of the server's time (rule 166), as a copy.
func (c *Client) Clock() Clock { return c.clock }
