package repository

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// AIConfig is what an AI is made with, besides Config.
type AIConfig struct {
	// Instance is the id of this process's AI channel.
	Instance do.ID
	// Guest: the schema is not offered, only read.
	Guest bool
	// Keep: the AI's objects are not deleted when it goes, so that another can adopt them.
	Keep bool
	// Restore puts back what is missing after objects of the AI were lost with a State, or while it was cut off. It is a
	// handler, and run again until it returns nil. nil: nobody does.
	Restore func(ctx context.Context) error
}

// AI is a repository at a director: it speaks messages with States, agents and the database. It is driven by Step and
// Tick, and what it wants to send is taken by TakeOutput; so it can stand in a simulation as well as in a process.
type AI struct {
	State
	ac         AIConfig
	channel    do.Channel
	out        wire.Outbox
	local      []wire.Message // to channels that this repository serves itself (rule 2)
	partitions uint16
	version    uint32 // of the schema record
	ready      bool
	joined     bool // the schema record is that of the cluster as it is now
	failure    error
	hello      uint32
	outgrew    bool   // a class was met that is not known
	offers     *Timer // of the schema; nil: it was not offered
	onReady    []func()
	early      []wire.Message     // that came before the schema, and wait for it
	lost       map[uint32]*write  // that a lost link settled: an answer may come all the same
	reloads    map[uint32]*object // that are asked for in full; maybe gone since
	asksAgain  *Timer             // for objects in doubt; nil: there are none
	mend       mend               // of what was lost
	trades     []*trade           // transactions without an answer
	lasts      lastWrites         // of objects that went

	creates  map[uint32]*object
	slow     map[uint32]bool // creates that were not answered when they were last looked at
	looks    *Timer          // at creates; nil: there are none
	makers   map[*object][]*waiter
	arrivals map[do.ID][]*waiter
	dogs     map[do.ID]*object
	watched  map[do.Location]*watched
	below    map[do.ID]int // watched locations by parent: on its children channel is told when it is deleted (rule 123)
	watches  []*Watch

	unsubscribed bool // what is watched is opened again with its subscriptions
	openings     map[uint32]*opening
	takeovers    map[do.ID]*takeover // by root
}

// NewAI makes an AI; Start joins.
func NewAI(cfg Config, ac AIConfig) *AI {
	if cfg.Side == do.SideAny {
		cfg.Side = do.SideAI
	}
	a := &AI{
		ac: ac, channel: do.AI(ac.Instance),
		creates: make(map[uint32]*object), makers: make(map[*object][]*waiter), arrivals: make(map[do.ID][]*waiter),
		dogs: make(map[do.ID]*object), watched: make(map[do.Location]*watched), below: make(map[do.ID]int), openings: make(map[uint32]*opening),
		takeovers: make(map[do.ID]*takeover),
	}
	a.setup(cfg, a)
	a.sched.waits = a.holdBack
	a.last = &a.lasts
	a.lasts = lastWrites{a: a, byID: make(map[do.ID]*leaving), flying: make(map[uint32]*leaving), words: make(map[do.ID]do.Version)}
	return a
}

// Channel is the AI's own channel.
func (a *AI) Channel() do.Channel { return a.channel }

// Start subscribes the AI's channel, leaves the order to delete its objects when it goes (rule 51), and offers the
// game's schema.
func (a *AI) Start(now int64) {
	a.advance(now)
	a.enterCluster([]do.Channel{a.channel})
}

// enterCluster is what a director and the cluster must know of this AI.
func (a *AI) enterCluster(channels []do.Channel) {
	a.control(&wire.AddChannels{Channels: channels})
	if !a.ac.Keep {
		a.control(&wire.AddPostRemove{Key: a.channel, Message: wire.Message{
			To: []do.Channel{do.Control(do.RoleStateServer)}, From: a.channel, Body: &wire.DeleteAIObjects{AI: a.channel},
		}})
	}
	a.offer()
}

// offer sends the schema, again each second until there is an answer: the database may be starting.
func (a *AI) offer() {
	if a.joined || a.failure != nil {
		return
	}
	a.hello = a.nextContext()
	var m wire.Body = &wire.SchemaGet{Context: a.hello}
	if !a.ac.Guest && a.cfg.Registry != nil {
		m = &wire.SchemaSet{Context: a.hello, Text: a.cfg.Registry.Schema().Text()}
	}
	a.send(do.Control(do.RoleDatabase), m)
	a.timers.stop(a.offers)
	a.offers = a.timers.add(a.now+int64(time.Second), 0, a.offer)
}

// Ready reports whether the cluster's schema is known, so that objects can be made.
func (a *AI) Ready() bool { return a.ready }

// Err is why the AI cannot go on, nil while it can.
func (a *AI) Err() error { return a.failure }

// OnReady calls fn once, when the AI is ready or has failed.
func (a *AI) OnReady(fn func()) {
	if a.ready || a.failure != nil {
		fn()
		return
	}
	a.onReady = append(a.onReady, fn)
}

// Lost tells that the link to the cluster is gone for good.
func (a *AI) Lost(err error, now int64) {
	a.advance(now)
	a.fail(fmt.Errorf("repository: %w: %w", &wire.Error{Code: wire.CodeLinkLost}, err))
}

func (a *AI) fail(err error) {
	if a.failure != nil {
		return
	}
	a.failure = err
	a.loseAll(err)
	a.lasts.fail(err)
	for _, w := range a.watches {
		w.settle(err)
	}
	a.settled()
	a.sched.drain()
}

func (a *AI) settled() {
	hooks := a.onReady
	a.onReady = nil
	for _, f := range hooks {
		f()
	}
}

// TakeOutput gives the messages to send, in order; they are the caller's.
func (a *AI) TakeOutput() []wire.Message {
	out := a.out.Messages
	a.out.Messages = nil
	return out
}

// Tick lets time pass.
func (a *AI) Tick(now int64) {
	a.advance(now)
	a.tick()
	a.settleLocal()
	a.mend.begin(a)
}

// send sends to one channel; what this repository serves itself it handles itself, after what it does now. An event to
// an UberDOG reaches the others that serve it, too; a call is handled once (rule 171).
func (a *AI) send(to do.Channel, b wire.Body) {
	dog := to.Kind == do.KindUberDOG && a.dogs[to.ID] != nil
	if to == a.channel || dog {
		a.local = append(a.local, wire.Message{To: []do.Channel{to}, From: a.channel, Body: b})
		if _, event := b.(*wire.SetFields); !dog || !event {
			return
		}
	}
	a.out.SendTo(to, a.channel, b)
}

func (a *AI) control(b wire.Body) { a.send(do.Control(do.RoleDirector), b) }

// settleLocal handles what the repository sent to itself.
func (a *AI) settleLocal() {
	for len(a.local) > 0 {
		m := a.local[0]
		a.local = a.local[1:]
		a.dispatch(m)
		a.sched.drain()
	}
	a.local = nil
}

// Step takes one message in, that came at now.
func (a *AI) Step(m wire.Message, now int64) {
	a.advance(now)
	a.dispatch(m)
	a.sched.drain()
	a.settleLocal()
	a.mend.begin(a)
}

// dispatch is one flat switch on the message.
func (a *AI) dispatch(m wire.Message) {
	if !a.ready && a.failure == nil && !beforeSchema(m.Body) {
		a.early = append(a.early, m)
		return
	}
	switch b := m.Body.(type) {
	case *wire.Tick:
		a.advance(b.Unix)
		a.tick()
	case *wire.SchemaRecord:
		a.hearSchema(b)
	case *wire.Done:
		a.hearDone(b)
	case *wire.Failed:
		a.hearFailed(b)
	case *wire.Update:
		a.hearUpdate(m, b)
	case *wire.SetFields:
		a.hearSet(m, b)
	case *wire.ChangingLocation:
		a.hearMoving(m, b)
	case *wire.EnterLocation:
		a.hearEnter(&b.Entry)
	case *wire.EnterAI:
		a.hearEnterAI(&b.Entry)
	case *wire.EnterOwner:
		a.hearEnterOwner(&b.Entry)
	case *wire.ChangingAI:
		a.hearChangingAI(b)
	case *wire.ChangingOwner:
		a.hearChangingOwner(b)
	case *wire.Deleted:
		a.hearDeleted(b)
	case *wire.ChannelsAdded:
		a.hearAdded(b.Context)
	case *wire.ZonesObjects:
		a.hearZones(b)
	case *wire.ZoneEntries:
		a.hearEntries(b)
	case *wire.AskLastWord:
		a.lasts.ask(b)
	case *wire.AIEntered:
		a.hearAIEntered(b)
	case *wire.Digest:
		a.hearDigest(b)
	case *wire.HeldDigest:
		a.hearHeldDigest(b)
	case *wire.Call:
		a.hearCall(b, m.From == a.channel)
	case *wire.CallReply:
		a.answer(b.Context, bytes.Clone(b.Result), b.Code.Err(b.Text))
	case *wire.LinkLost:
		a.hearLinkLost(b)
	case *wire.GetAllResp:
		if !a.lasts.told(b) && !a.reloaded(b) {
			a.answer(b.Context, b, nil)
		}
	default:
		if context, ok := contextOf(m.Body); ok {
			a.answer(context, m.Body, nil)
		}
	}
}

// beforeSchema reports whether a message can be handled before the schema is known: about objects nothing can be
// understood yet, but what is said of them is not said again.
func beforeSchema(b wire.Body) bool {
	switch b.(type) {
	case *wire.Tick, *wire.SchemaRecord, *wire.Done, *wire.Failed, *wire.ChannelsAdded:
		return true
	}
	return false
}

// contextOf is the context of an answer that carries a result.
func contextOf(b wire.Body) (uint32, bool) {
	switch b := b.(type) {
	case *wire.GetFieldsResp:
		return b.Context, true
	case *wire.GetAllResp:
		return b.Context, true
	case *wire.GetLocationResp:
		return b.Context, true
	case *wire.GetAIResp:
		return b.Context, true
	case *wire.GetOwnerResp:
		return b.Context, true
	case *wire.Activated:
		return b.Context, true
	case *wire.GetClassResp:
		return b.Context, true
	case *wire.Children:
		return b.Context, true
	case *wire.GetZonesCountResp:
		return b.Context, true
	case *wire.GetChildCountResp:
		return b.Context, true
	case *wire.GetActiveZonesResp:
		return b.Context, true
	case *wire.DBObject:
		return b.Context, true
	case *wire.DBFound:
		return b.Context, true
	case *wire.DBDecided:
		return b.Context, true
	case *wire.NetworkAddress:
		return b.Context, true
	case *wire.SessionInterestDone:
		return b.Context, true
	}
	return 0, false
}

// outgrown asks for the schema, of which this AI does not know a class that an object has: it has grown since. Each second,
// until there is one that is newer. Who has just joined asks for it anyway.
func (a *AI) outgrown() {
	if a.outgrew {
		return
	}
	a.outgrew = true
	a.askSchema()
}

func (a *AI) askSchema() {
	if !a.outgrew || a.failure != nil {
		return
	}
	if a.joined {
		a.send(do.Control(do.RoleDatabase), &wire.SchemaGet{Context: a.nextContext()})
	}
	a.timers.add(a.now+int64(time.Second), 0, a.askSchema)
}

// hearSchema takes the cluster's schema in, once it holds the game's.
func (a *AI) hearSchema(b *wire.SchemaRecord) {
	if b.Version == 0 || a.joined && b.Version <= a.version {
		return
	}
	s, err := do.ParseSchema(bytes.Clone(b.Text))
	if err == nil && a.cfg.Registry != nil {
		if fit, why := do.Compare(s, a.cfg.Registry.Schema()); fit == do.Incompatible {
			err = &wire.Error{Code: wire.CodeSchema, Text: why}
		}
	}
	if err != nil {
		a.fail(fmt.Errorf("repository: schema of the cluster: %w", err))
		return
	}
	grown := a.joined || a.outgrew
	a.schema, a.version, a.partitions, a.ready, a.joined = s, b.Version, b.Partitions, true, true
	if grown {
		a.outgrew = false
		// Objects of its new classes could not be taken in. Those that are here keep their classes: nothing in this process
		// was built with the new fields.
		a.askHeld()
		a.reopen()
	}
	a.settled()
	early := a.early
	a.early = nil
	for _, m := range early {
		a.dispatch(m)
		a.sched.drain()
	}
}

func (a *AI) hearDone(b *wire.Done) {
	if o := a.creates[b.Context]; o != nil {
		delete(a.creates, b.Context)
		a.made(o, b.Version, nil)
		return
	}
	if a.lasts.answered(b.Context, b.Version.N, nil) {
		return
	}
	if w := a.writes[b.Context]; w != nil {
		if o := a.objects[b.DO]; o != nil && o.seen && !b.Version.IsZero() {
			a.renew(o, b.Version)
		}
		if a.superseded(w, b.DO, b.Version) {
			a.reload(w)
		}
		a.acknowledge(b.Context, b.DO, b.Version, b.Now)
		a.deletedBy(w)
		return
	}
	if w := a.lost[b.Context]; w != nil {
		delete(a.lost, b.Context)
		a.reload(w)
		return
	}
	a.answer(b.Context, b, nil)
}

// deletedBy ends what an acknowledged delete took out of the world and nobody told us of.
func (a *AI) deletedBy(w *write) {
	for i := range w.ops {
		if w.ops[i].kind == opDelete {
			a.end(w.ops[i].o, Delete)
		}
	}
}

func (a *AI) hearFailed(b *wire.Failed) {
	err := b.Code.Err(b.Text)
	if err == nil {
		err = &wire.Error{Code: wire.CodeUnknown, Text: b.Text}
	}
	if b.Context == a.hello && !a.joined && a.hello != 0 {
		if b.Code == wire.CodeSchema || b.Code == wire.CodeDenied {
			a.fail(fmt.Errorf("repository: offer schema: %w", err))
		}
		return
	}
	if o := a.creates[b.Context]; o != nil {
		delete(a.creates, b.Context)
		a.made(o, do.Version{}, err)
		return
	}
	if a.openingFailed(b.Context, err) || a.lasts.answered(b.Context, 0, err) {
		return
	}
	delete(a.lost, b.Context)
	a.notReloaded(b)
	w := a.writes[b.Context]
	if a.refuse(b.Context, refusal{err: err, id: b.DO, fields: b.Fields}) {
		if w.commit != nil && keptInMemory(b.Code) {
			a.reload(w)
		}
		return
	}
	a.answer(b.Context, nil, err)
}

// keptInMemory reports whether a commit that was refused so may have been applied by its State before the database
// refused it for good: then the State keeps the values, and so must this side.
func keptInMemory(code wire.Code) bool {
	switch code {
	case wire.CodeConstraint, wire.CodeValue, wire.CodeUnique, wire.CodeNoObject, wire.CodeNoClass, wire.CodeNoField:
		return true
	}
	return false
}

// hearUpdate applies what somebody set. An own write says nothing new: its answer follows.
func (a *AI) hearUpdate(m wire.Message, b *wire.Update) {
	o := a.objects[b.DO]
	if o == nil || o.dog {
		return
	}
	if b.Version.IsZero() {
		// Sent past the State, to this repository alone.
		a.update(o, b.Fields, Caller{Channel: m.From})
		return
	}
	if a.named(o, &m); b.Version.Compare(o.version) <= 0 {
		return
	}
	gap := a.missed(o, b.Version)
	o.version = b.Version
	o.place()
	if m.From == a.channel {
		a.hearTrade(b.DO, b.Fields)
		a.hearOwn(o, b.Fields)
	} else {
		a.hearOthers(b.DO, b.Fields)
		a.update(o, b.Fields, Caller{Channel: m.From})
	}
	if gap {
		a.askAgain(o)
	}
}

// hearOwn takes an own write's update: its state fields count when the answer comes; what the repository did not
// write from this record (an object that entered again) is applied like any other.
func (a *AI) hearOwn(o *object, m fields.Map) {
	a.each(o, m, func(f *do.Field, value []byte) {
		if o.pendingOf(f.Number) == nil {
			a.foreign(o, f, value, false)
		}
	})
}

// hearCall runs a call's handler; every call has exactly one answer.
func (a *AI) hearCall(b *wire.Call, local bool) {
	in := &incoming{context: b.Context, caller: b.Caller, id: b.DO, field: b.Field, deadline: b.Deadline, local: local}
	o := a.objects[b.DO]
	code, text := a.answerable(o, b.Field, b.Args, b.Deadline)
	if code != wire.CodeOK {
		reply := wire.CallReply{Context: b.Context, DO: b.DO, Field: b.Field, Code: code, Text: text}
		switch {
		case o != nil && o.dog || b.DO.IsWellKnown() && a.dogs[b.DO] != nil:
			a.answerCall(in, reply)
		default:
			if o == nil {
				o = &object{id: b.DO}
			}
			a.emitReply(nil, nil, in, reply, o)
		}
		return
	}
	f := o.class.Field(b.Field)
	a.spawn(&activity{o: o, field: f, arg: bytes.Clone(b.Args), call: in, from: Caller{b.Caller, b.Account}})
}

// answerCall answers a call past any State.
func (a *AI) answerCall(in *incoming, reply wire.CallReply) { a.send(in.caller, &reply) }

// What follows makes an AI the port of its State.

func (a *AI) bundles() bool { return true }

func (a *AI) uses(context uint32) bool {
	return a.creates[context] != nil || a.openings[context] != nil || a.lost[context] != nil || a.reloads[context] != nil ||
		context == a.hello || a.lasts.flying[context] != nil
}

// maySet: AIs may set everything (rule 40); the State checks values.
func (a *AI) maySet(*object, *do.Field) bool { return true }

func (a *AI) write(w *write) {
	if a.failure != nil {
		a.refuse(w.context, refusal{err: a.failure})
		return
	}
	if w.reply == nil && len(w.ops) == 1 {
		a.writeOne(w, &w.ops[0])
		return
	}
	b := &wire.Bundle{Context: w.context, Durable: w.commit != nil}
	for i := range w.ops {
		p := &w.ops[i]
		switch p.kind {
		case opSet, opEvent:
			b.Ops = append(b.Ops, wire.Op{Kind: wire.OpSet, DO: p.o.id, Fields: p.fields})
		case opMove:
			b.Ops = append(b.Ops, wire.Op{Kind: wire.OpMove, DO: p.o.id, Location: p.to})
		}
	}
	switch {
	case w.commit != nil:
		b.DO = w.commit.id
	case w.reply == nil:
		b.DO = w.ops[0].o.id
	default:
		b.DO = w.owner.id
		b.Ops = append(b.Ops, wire.Op{Kind: wire.OpReply, DO: w.owner.id, Reply: *w.reply, Caller: w.call.caller})
	}
	a.send(do.ObjectChannel(b.DO), b)
}

// writeOne sends a write of a single op as the plain message for it.
func (a *AI) writeOne(w *write, p *op) {
	to := do.ObjectChannel(p.o.id)
	if p.o.dog {
		to = do.UberDOG(p.o.id)
	}
	switch p.kind {
	case opSet, opEvent:
		// Latest values need no serial on this way: nothing overtakes on it.
		a.send(to, &wire.SetFields{Context: w.context, DO: p.o.id, Fields: p.fields, Durable: w.commit != nil})
	case opUnset:
		a.send(to, &wire.DeleteFields{Context: w.context, DO: p.o.id, Fields: p.numbers, Durable: w.commit != nil})
	case opMove:
		a.send(to, &wire.SetLocation{Context: w.context, DO: p.o.id, Location: p.to})
	case opDelete:
		a.send(to, &wire.DeleteRAM{Context: w.context, DO: p.o.id})
	}
}

func (a *AI) call(context uint32, o *object, f *do.Field, arg []byte, deadline int64) error {
	if a.failure != nil {
		return a.failure
	}
	to := do.ObjectChannel(o.id)
	if o.dog {
		to = do.UberDOG(o.id)
	}
	a.send(to, &wire.Call{Context: context, Caller: a.channel, DO: o.id, Field: f.Number, Args: arg, Deadline: deadline})
	return nil
}

// sendTo sends an event to one channel, past the normal audience.
func (a *AI) sendTo(o *object, m fields.Map, to do.Channel) {
	a.send(to, &wire.Update{DO: o.id, Fields: m})
}
