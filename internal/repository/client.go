package repository

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// ClientConfig is what a Client is made with, besides Config.
type ClientConfig struct {
	Version   string // of the game, compared by the agent when it has one
	Meta      string // free text: platform, build
	Datagrams bool   // the link carries datagrams
}

// Client is a repository at a client link: it speaks frames with an agent. It is driven by Receive and Tick, and what
// it wants to send is taken by TakeOutput; so it can stand in a simulation as well as behind a real link.
type Client struct {
	State
	cc        ClientConfig
	out       Output
	datagrams [][]byte
	partial   []byte // the beginning of a frame whose rest is still to come
	frames    uint64 // received on the stream
	told      uint64 // of these, acknowledged by a heartbeat
	cluster   *do.Schema

	byAlias map[uint32]*object
	dogs    map[do.ID]*object
	handles map[uint16]*Handle
	grids   map[do.ID]do.Grid // by parent, as the agent tells who follows
	ops     map[uint32]*interestOp
	handle  uint16
	unacked []*object // with latest values in flight
	// ghosts are objects that left with latest values in flight, or with a counter to go on with when they come back:
	// what is acknowledged counts for the object whenever it comes.
	ghosts map[do.ID]*object
	former map[uint32]*object // objects that came back under another alias, by the one that they had
	repeat *Timer

	session    do.ID
	account    do.ID
	state      wire.SessionState
	partitions uint16
	ready      bool
	failure    error
	clock      Clock
	pings      int
	pinged     int64 // T1 of the ping that is not answered, 0: none
	onState    []func()
	traffic    Traffic
}

// Output is what a Client wants to send.
type Output struct {
	Stream    []byte   // whole frames
	Datagrams [][]byte // each whole frames; they may be lost
}

// EjectError is the end of a session as the agent told it.
type EjectError struct {
	Reason wire.Reason
	Text   string
}

// Error is the reason's number and text.
func (e *EjectError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("ejected: %d %s", uint16(e.Reason), e.Reason)
	}
	return fmt.Sprintf("ejected: %d %s: %s", uint16(e.Reason), e.Reason, e.Text)
}

// NewClient makes a Client; Start says hello.
func NewClient(cfg Config, cc ClientConfig) *Client {
	c := &Client{
		cc: cc, ghosts: make(map[do.ID]*object), former: make(map[uint32]*object), byAlias: make(map[uint32]*object), dogs: make(map[do.ID]*object),
		handles: make(map[uint16]*Handle), ops: make(map[uint32]*interestOp),
	}
	if cfg.Cache == 0 {
		cfg.Cache = DefaultCache
	}
	c.setup(cfg, c)
	return c
}

// Start says hello.
func (c *Client) Start(now int64) {
	c.advance(now)
	c.hello(false)
}

func (c *Client) hello(early bool) {
	s := c.cfg.Registry.Schema()
	if c.cluster != nil {
		s = c.cluster
	}
	sum := s.Fingerprint()
	c.frame(&wire.ClientHello{Version: c.cc.Version, Schema: sum[:], Meta: c.cc.Meta, Early: early, Enters: true})
}

// Goodbye ends the session from this side; the link is closed after what TakeOutput then gives is written.
func (c *Client) Goodbye() {
	if c.failure == nil {
		c.frame(&wire.ClientDisconnect{})
	}
	c.fail(ErrClosed)
}

// Ready reports whether the agent has welcomed this client.
func (c *Client) Ready() bool { return c.ready }

// Err is why the session ended, nil while it lives: an *EjectError if the agent said so.
func (c *Client) Err() error { return c.failure }

// Session is the id that the agent gave.
func (c *Client) Session() do.ID { return c.session }

// Account is the account that the session is bound to, zero before login.
func (c *Client) Account() do.ID { return c.account }

// SessionState is where the session stands.
func (c *Client) SessionState() wire.SessionState { return c.state }

// Lost tells that the link is gone.
func (c *Client) Lost(err error, now int64) {
	c.advance(now)
	if errors.Is(err, ErrClosed) {
		c.fail(err)
		return
	}
	c.fail(fmt.Errorf("repository: %w: %w", &wire.Error{Code: wire.CodeLinkLost}, err))
}

// fail ends the session: everything in flight fails, and every object leaves the view.
func (c *Client) fail(err error) {
	if c.failure != nil {
		return
	}
	c.failure = err
	c.loseAll(err)
	for _, id := range sortedKeys(c.ops) {
		c.finishOp(id, err)
	}
	for _, o := range c.sorted() {
		c.end(o, Disable)
	}
	c.sched.drain()
	c.changed()
}

// changed tells those who wait for a change of the session's state.
func (c *Client) changed() {
	hooks := c.onState
	c.onState = nil
	for _, f := range hooks {
		f()
	}
}

// OnChange calls fn once, after the next change of readiness, session state or failure.
func (c *Client) OnChange(fn func()) { c.onState = append(c.onState, fn) }

// TakeOutput gives what there is to send; the bytes are the caller's.
func (c *Client) TakeOutput() Output {
	out := c.out
	out.Datagrams = c.datagrams
	c.traffic.BytesOut += uint64(len(out.Stream))
	c.traffic.DatagramsOut += uint64(len(out.Datagrams))
	for _, d := range out.Datagrams {
		c.traffic.BytesOut += uint64(len(d))
	}
	c.out, c.datagrams = Output{}, nil
	return out
}

func (c *Client) frame(f wire.Frame) { c.out.Stream = wire.AppendFrame(c.out.Stream, f) }

// Tick lets time pass.
func (c *Client) Tick(now int64) {
	c.advance(now)
	c.tick()
}

// ref is how this client names an object to the agent.
func (c *Client) ref(o *object) wire.Ref {
	if o.dog {
		return wire.UberDOGRef(o.id.Number())
	}
	return wire.AliasRef(o.alias)
}

// UberDOG is the Go object of a game global, of the class that the schema binds to the id.
func (c *Client) UberDOG(id do.ID) (any, error) {
	if o := c.dogs[id]; o != nil {
		return o.inst.Target(), nil
	}
	if c.schema == nil {
		return nil, fmt.Errorf("repository: uberdog %s: %w", id, ErrSchema)
	}
	for _, b := range c.schema.UberDOGs() {
		if b.ID != id {
			continue
		}
		o := newObject(id, c.schema.Class(b.Class))
		o.dog = true
		if c.embody(o); o.inst == nil {
			return nil, fmt.Errorf("repository: uberdog %s: %w: no Go type for class %s", id, ErrSchema, b.Class)
		}
		c.dogs[id], c.objects[id] = o, o
		c.byAlias[wire.UberDOGAlias(id)] = o // it may send events to this client alone (rule 171)
		return o.inst.Target(), nil
	}
	return nil, fmt.Errorf("repository: uberdog %s: %w", id, ErrNoObject)
}

// Allow tells the client that it was granted fields of an object beyond the keywords (rule 90), by name; the agent
// decides in the end.
func (c *Client) Allow(x *do.Object, names ...string) error {
	o, err := c.record(x, "allow")
	if err != nil {
		return err
	}
	for _, n := range names {
		f := o.class.FieldByName(n)
		if f == nil {
			return fmt.Errorf("repository: allow %s of %s: %w", n, o.id, do.ErrNoField)
		}
		o.grants = append(o.grants, f.Number)
	}
	return nil
}

// What follows makes a Client the port of its State.

func (c *Client) bundles() bool { return false }

func (c *Client) uses(context uint32) bool { return c.ops[context] != nil }

func (c *Client) maySet(o *object, f *do.Field) bool {
	if f.OwnerAnswers() {
		return false // AIs call it
	}
	return f.Keywords.Has(fields.ClSend) || o.owned && f.Keywords.Has(fields.OwnSend) || slices.Contains(o.grants, f.Number)
}

func (c *Client) write(w *write) {
	if c.failure != nil {
		c.refuse(w.context, refusal{err: c.failure})
		return
	}
	if onlyLatest(w) {
		c.sendLatest(w)
		return
	}
	var m fields.Map
	var to *do.Location
	o := w.ops[0].o
	for i := range w.ops {
		switch p := &w.ops[i]; p.kind {
		case opMove:
			to = &p.to
		default:
			m = p.fields
		}
	}
	c.reliably(o)
	o.streaming++
	w.release = func() { o.streaming-- }
	if to != nil {
		c.frame(&wire.ClientMove{Context: w.context, Ref: c.ref(o), Location: *to, Fields: m})
		return
	}
	c.frame(&wire.ClientSet{Context: w.context, Ref: c.ref(o), Fields: m})
}

// reliably puts the latest values in flight on the stream before a set that goes there: a datagram that came later
// than the set would bring back what it replaced. As long as the set is not settled, latest values follow it there.
func (c *Client) reliably(o *object) {
	for i := range o.latest.out {
		x := &o.latest.out[i]
		if x.onStream || x.past {
			continue
		}
		x.onStream = true
		c.frame(&wire.ClientSetLatest{Ref: c.ref(o), Serial: x.serial, Field: x.f.Number, Value: x.value})
	}
}

func (c *Client) call(context uint32, o *object, f *do.Field, arg []byte, deadline int64) error {
	if c.failure != nil {
		return c.failure
	}
	if o.gone {
		return fmt.Errorf("repository: call %s of %s: %w", f, o.id, ErrNoObject)
	}
	if !c.maySet(o, f) {
		return fmt.Errorf("repository: call %s of %s: %w", f, o.id, ErrDenied)
	}
	left := max(1, (deadline-c.now)/int64(time.Millisecond))
	c.frame(&wire.ClientCall{Call: context, Ref: c.ref(o), Field: f.Number, Timeout: uint32(min(left, 1<<31)), Args: arg})
	return nil
}
