package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// Place says how an object comes into the world. The zero value is what nearly all want.
type Place struct {
	At        do.Location
	ID        do.ID        // zero: a new one; a well-known one for a root
	Partition do.Partition // zero: the parent's, or a random one
	AI        do.Channel   // zero: this AI
	Owner     do.Channel   // zero: this AI
	NoAI      bool         // none of its own: inherited from the parent
}

// Create brings a Go object of a registered type into the world, and gives it its id. It does not wait: Created does.
// Within a handler it leaves with the rest when that returns nil.
func (a *AI) Create(target any, p Place) error {
	in, b, class, err := a.creatable(target)
	if err != nil {
		return fmt.Errorf("repository: create: %w", err)
	}
	id := p.ID
	if id.IsZero() {
		if id, err = a.newID(p); err != nil {
			return err
		}
	}
	if a.objects[id] != nil {
		return fmt.Errorf("repository: create %s: %w", id, &wire.Error{Code: wire.CodeExists})
	}
	a.build.Reset()
	if err := in.Entry(&a.build); err != nil {
		return fmt.Errorf("repository: create: %w", err)
	}
	m := slices.Clone(a.build.Map())
	o := a.newRecord(id, class, p, m)
	a.bind(o, in, b)
	in.MarkSaved()
	o.place()
	a.objects[id] = o
	msg := &wire.Create{DO: id, Class: class.Number(), Location: p.At, AI: o.ai, Owner: o.owner, Fields: m}
	a.hold(o, op{kind: opCreate, o: o, send: func() {
		msg.Context = a.nextContext()
		o.unsent = false
		a.creates[msg.Context] = o
		a.watchCreates()
		a.send(do.ObjectChannel(id), msg)
		a.generate(o)
	}})
	a.sched.drain()
	return nil
}

// creatable checks that target can be created.
func (a *AI) creatable(target any) (*do.Instance, *do.Behaviour, *do.Class, error) {
	if !a.ready {
		return nil, nil, nil, ErrSchema
	}
	if a.failure != nil {
		return nil, nil, nil, a.failure
	}
	b, err := a.cfg.Registry.BehaviourOf(target)
	if err != nil {
		return nil, nil, nil, err
	}
	in, err := do.Bind(target)
	if err != nil {
		return nil, nil, nil, err
	}
	if id := in.Object().ID(); !id.IsZero() && a.objects[id] != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", id, &wire.Error{Code: wire.CodeExists})
	}
	class := a.schema.Class(b.Class().Name())
	if class == nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", b.Class(), ErrSchema)
	}
	return in, b, class, nil
}

func (a *AI) newRecord(id do.ID, class *do.Class, p Place, m fields.Map) *object {
	o := newObject(id, class)
	o.making, o.unsent, o.at = true, true, p.At
	if o.ai = p.AI; o.ai.IsZero() && !p.NoAI {
		o.ai = a.channel
	}
	if o.owner = p.Owner; o.owner.IsZero() && !p.NoAI {
		o.owner = a.channel
	}
	o.run, o.owned = o.ai == a.channel, o.owner == a.channel
	for _, f := range class.Stored() {
		if v, ok := m.Get(f.Number); ok {
			o.vals[f.Slot] = bytes.Clone(v)
		} else if f.Keywords.Has(fields.Required) {
			o.vals[f.Slot] = bytes.Clone(f.Initial())
		}
	}
	return o
}

// newID makes a DoID: in the partition of the parent by default, in a random one without a parent.
func (a *AI) newID(p Place) (do.ID, error) {
	if a.cfg.Random == nil {
		return do.ID{}, errors.New("repository: create: no source of ids")
	}
	part := p.Partition
	if part == 0 {
		part = p.At.Parent.Partition()
	}
	if part == 0 {
		part = do.Partition(a.cfg.Random()%uint64(max(1, a.partitions))) + 1
	}
	return do.NewID(part, a.now/1e6, a.cfg.Random()), nil
}

// made settles a Create.
func (a *AI) made(o *object, v do.Version, err error) {
	o.making = false
	if v.Compare(o.version) > 0 {
		o.version = v
		o.place()
	}
	if err != nil {
		a.report(fmt.Errorf("repository: create %s: %w", o, err))
		o.run, o.owned, o.seen = false, false, false
		a.end(o, Delete)
		if errors.Is(err, wire.CodeExists) { // what is there may be this AI's, of a Create that it gave up
			a.send(do.ObjectChannel(o.id), &wire.AskHeld{Owners: []do.Channel{a.channel}, AI: a.channel, DOs: []do.ID{o.id}})
		}
	} else {
		a.leaveView(o)
	}
	a.wakeMakers(o, err)
}

func (a *AI) wakeMakers(o *object, err error) {
	for _, w := range a.makers[o] {
		a.wake(w, nil, err)
	}
	delete(a.makers, o)
}

// Created waits until the State has answered the Create of an object. It is a save point.
func (a *AI) Created(ctx context.Context, x *do.Object) error {
	o, err := a.record(x, "await")
	if err != nil {
		return err
	}
	h, err := a.handler()
	if err != nil {
		return fmt.Errorf("repository: await %s: %w", o.id, err)
	}
	if err := h.savePoint(); err != nil {
		return err
	}
	if !o.making {
		return nil
	}
	w := &waiter{what: "create " + o.String(), ctx: ctx}
	a.makers[o] = append(a.makers[o], w)
	_, err = a.await(w, a.deadline(ctx))
	return err
}

// Arrived waits until an object is in this repository, and gives its Go object.
func (a *AI) Arrived(ctx context.Context, id do.ID) (any, error) {
	if o := a.objects[id]; o == nil {
		h, err := a.handler()
		if err != nil {
			return nil, fmt.Errorf("repository: await %s: %w", id, err)
		}
		if err := h.savePoint(); err != nil {
			return nil, err
		}
		w := &waiter{what: "await " + id.String(), ctx: ctx}
		a.arrivals[id] = append(a.arrivals[id], w)
		if _, err := a.await(w, a.deadline(ctx)); err != nil {
			a.arrivals[id] = slices.DeleteFunc(a.arrivals[id], func(x *waiter) bool { return x == w })
			if len(a.arrivals[id]) == 0 {
				delete(a.arrivals, id)
			}
			return nil, err
		}
	}
	if x := a.Find(id); x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("repository: await %s: %w", id, ErrNoObject)
}

// take takes an entry in for one of the reasons why an AI holds an object.
func (a *AI) take(e *wire.Entry, covers fields.Keyword, mark func(o *object)) *object {
	if o := a.objects[e.DO]; o != nil && e.Version.Compare(o.version) < 0 {
		// Older than what is known: it changes nothing but why the object is here.
		mark(o)
		return o
	}
	o, err := a.enter(entry{
		id: e.DO, class: e.Class, at: e.Location, ai: e.AI, owner: e.Owner, version: e.Version, serial: e.Serial,
		fields: e.Fields, covers: covers,
	}, mark)
	if err != nil {
		if a.schema.ByNumber(e.Class) == nil {
			a.outgrown()
		}
		a.report(err)
		return nil
	}
	a.entersTrade(o)
	if o.seen && a.watched[o.where()] == nil {
		o.seen = false // it moved out of view, and that was not heard
		a.leaveView(o)
	}
	for _, w := range a.arrivals[e.DO] {
		a.wake(w, nil, nil)
	}
	delete(a.arrivals, e.DO)
	return o
}

const (
	coversSeen  = fields.Broadcast | fields.ClRecv
	coversOwner = coversSeen | fields.OwnRecv
	coversAll   = ^fields.Keyword(0)
)

func (a *AI) hearEnterAI(e *wire.Entry) {
	a.take(e, coversAll, func(o *object) {
		o.run, o.counted = true, 0
		o.ai = a.channel
	})
}

func (a *AI) hearEnterOwner(e *wire.Entry) {
	a.take(e, coversOwner, func(o *object) {
		o.owned, o.counted = true, 0
		o.owner = a.channel
	})
}

func (a *AI) hearChangingAI(b *wire.ChangingAI) {
	o := a.objects[b.DO]
	if o == nil || b.Old != a.channel || b.New == a.channel {
		return
	}
	o.run, o.ai = false, b.New
	a.renew(o, b.Version)
	a.leaveView(o)
}

func (a *AI) hearChangingOwner(b *wire.ChangingOwner) {
	o := a.objects[b.DO]
	if o == nil {
		return
	}
	o.owner = b.New
	o.owned = b.New == a.channel
	a.renew(o, b.Version)
	a.leaveView(o)
}

// renew takes a newer version in, of a message that the location did not hear: a higher n means that one was missed.
func (a *AI) renew(o *object, v do.Version) {
	if v.Compare(o.version) <= 0 {
		return
	}
	missed := o.seen && v.Inc == o.version.Inc && v.N > o.version.N
	o.version = v
	o.place()
	if missed {
		a.askAgain(o)
	}
}

func (a *AI) hearDeleted(b *wire.Deleted) {
	a.closeBelow(b.DO)
	o := a.objects[b.DO]
	if o == nil || !b.Version.IsZero() && b.Version.Inc < o.version.Inc {
		return
	}
	if b.Unloaded {
		a.end(o, Disable)
		return
	}
	a.end(o, Delete)
}

// SetOwner gives an object to another owner, a session for example, and waits.
func (a *AI) SetOwner(ctx context.Context, id do.ID, owner do.Channel) error {
	return a.ask(ctx, "set owner of "+id.String(), do.ObjectChannel(id), func(c uint32) wire.Body {
		return &wire.SetOwner{Context: c, DO: id, Owner: owner}
	})
}

// SetAI gives an object to another AI, and waits.
func (a *AI) SetAI(ctx context.Context, id do.ID, ai do.Channel) error {
	return a.ask(ctx, "set AI of "+id.String(), do.ObjectChannel(id), func(c uint32) wire.Body {
		return &wire.SetAI{Context: c, DO: id, AI: ai}
	})
}

// Unload writes what is dirty of a database object and takes it out of memory, and waits.
func (a *AI) Unload(ctx context.Context, id do.ID) error {
	return a.ask(ctx, "unload "+id.String(), do.ObjectChannel(id), func(c uint32) wire.Body {
		return &wire.Unload{Context: c, DO: id}
	})
}

// Activate brings an object of the database to life at a place, and waits until it is here. Where this AI ran it before,
// what that life still writes goes first.
func (a *AI) Activate(ctx context.Context, id do.ID, p Place, override fields.Map) (any, error) {
	ai, owner := p.AI, p.Owner
	if ai.IsZero() && !p.NoAI {
		ai = a.channel
	}
	if owner.IsZero() && !p.NoAI {
		owner = a.channel
	}
	if err := a.lasts.wait(ctx, id); err != nil {
		return nil, fmt.Errorf("repository: activate %s: %w", id, err)
	}
	err := a.ask(ctx, "activate "+id.String(), do.ObjectChannel(id), func(c uint32) wire.Body {
		return &wire.Activate{Context: c, DO: id, Class: wire.AnyClass, Location: p.At, AI: ai, Owner: owner, Fields: override}
	})
	if err != nil {
		return nil, err
	}
	if ai != a.channel && owner != a.channel {
		return nil, nil
	}
	return a.Arrived(ctx, id)
}

// Stored makes an object of the database, which is not active: Activate brings it to life. It waits.
func (a *AI) Stored(ctx context.Context, target any, p Place) (do.ID, error) {
	in, _, class, err := a.creatable(target)
	if err != nil {
		return do.ID{}, fmt.Errorf("repository: create stored: %w", err)
	}
	id := p.ID
	if id.IsZero() {
		if id, err = a.newID(p); err != nil {
			return do.ID{}, err
		}
	}
	a.build.Reset()
	if err := in.Entry(&a.build); err != nil {
		return do.ID{}, fmt.Errorf("repository: create stored: %w", err)
	}
	m := a.build.Map().Filter(func(n fields.Number) bool {
		f := class.Field(n)
		return f != nil && f.Keywords.Has(fields.DB)
	})
	m = slices.Clone(m)
	return id, a.ask(ctx, "create stored "+id.String(), do.Control(do.RoleDatabase), func(c uint32) wire.Body {
		return &wire.DBCreate{Context: c, DO: id, Class: class.Number(), Fields: m}
	})
}

// ask is a request whose answer is Done or Failed.
func (a *AI) ask(ctx context.Context, what string, to do.Channel, body func(context uint32) wire.Body) error {
	_, err := a.Request(ctx, what, to, body)
	return err
}

// Request sends a message with a context and waits for its answer: Done, or a result. It is a save point.
func (a *AI) Request(ctx context.Context, what string, to do.Channel, body func(context uint32) wire.Body) (wire.Body, error) {
	if a.failure != nil {
		return nil, a.failure
	}
	x, err := a.request(ctx, what, to, a.deadline(ctx), func(c uint32) error {
		a.send(to, body(c))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("repository: %s: %w", what, err)
	}
	b, _ := x.(wire.Body)
	return b, nil
}

// Send sends a message without waiting for an answer. Within a handler it leaves with the rest when that returns nil.
func (a *AI) Send(to do.Channel, b wire.Body) error {
	if err := a.onLoop("send to", to.ID); err != nil {
		return err
	}
	a.hold(nil, op{kind: opSend, send: func() { a.send(to, b) }})
	return nil
}

// Serve makes this repository serve an UberDOG with target, a Go object of a registered type: it hears the events and
// calls that are sent to the id (rule 171).
func (a *AI) Serve(id do.ID, target any) error {
	in, b, class, err := a.creatable(target)
	if err != nil {
		return fmt.Errorf("repository: serve %s: %w", id, err)
	}
	if a.objects[id] != nil {
		return fmt.Errorf("repository: serve %s: %w", id, &wire.Error{Code: wire.CodeExists})
	}
	o := newObject(id, class)
	o.dog = true
	a.bind(o, in, b)
	a.objects[id], a.dogs[id] = o, o
	a.control(&wire.AddChannels{Channels: []do.Channel{do.UberDOG(id)}})
	a.generate(o)
	a.sched.drain()
	return nil
}

// UberDOG is the Go object of a game global: the one that is served here, or one to send and call through.
func (a *AI) UberDOG(id do.ID) (any, error) {
	if o := a.objects[id]; o != nil && o.dog {
		return o.inst.Target(), nil
	}
	if a.schema == nil {
		return nil, fmt.Errorf("repository: uberdog %s: %w", id, ErrSchema)
	}
	for _, b := range a.schema.UberDOGs() {
		if b.ID != id {
			continue
		}
		o := newObject(id, a.schema.Class(b.Class))
		o.dog = true
		if a.embodyAs(o, do.SideAny); o.inst == nil {
			return nil, fmt.Errorf("repository: uberdog %s: %w: no Go type for class %s", id, ErrSchema, b.Class)
		}
		a.objects[id] = o
		return o.inst.Target(), nil
	}
	return nil, fmt.Errorf("repository: uberdog %s: %w", id, ErrNoObject)
}

// hearSet is a set that came to this repository instead of a State: an event to an UberDOG that it serves, or a
// client's set of a field with review, which its AI cleans, validates and then sets.
func (a *AI) hearSet(m wire.Message, b *wire.SetFields) {
	o := a.objects[b.DO]
	switch {
	case o == nil && (b.Context == 0 || m.From.IsZero() || b.DO.IsWellKnown()):
		a.failed(m, b, wire.CodeNoObject, "")
	case o == nil:
		in := &incoming{context: b.Context, caller: m.From, id: b.DO}
		a.answerReview(&object{id: b.DO}, in, nil, &wire.Error{Code: wire.CodeNoObject})
	case o.dog:
		for it := b.Fields.Iter(); it.Next(); {
			if f := o.class.Field(it.Number()); f != nil && f.Kind == do.FieldEvent {
				a.event(o, f, it.Value(), Caller{Channel: m.From})
			}
		}
		if b.Context != 0 {
			a.send(m.From, &wire.Done{Context: b.Context, Of: b.Type(), DO: b.DO})
		}
	default:
		a.review(o, m, b)
	}
}

func (a *AI) failed(m wire.Message, b *wire.SetFields, code wire.Code, text string) {
	a.send(m.From, &wire.Failed{Context: b.Context, Of: b.Type(), DO: b.DO, Code: code, Text: text})
}

// review cleans and validates the values as a handler and sets them, with the answer to their writer behind, which the
// State passes on: it is in the same bundle. Nothing is set when one of them is refused.
func (a *AI) review(o *object, m wire.Message, b *wire.SetFields) {
	in := &incoming{context: b.Context, caller: m.From, id: b.DO}
	if o.acts == nil {
		a.answerReview(o, in, nil, &wire.Error{Code: wire.CodeNoAI, Text: "no handler"})
		return
	}
	set := slices.Clone(b.Fields)
	refused := func(err error) { a.answerReview(o, in, nil, err) }
	a.spawn(&activity{what: "review", o: o, refused: refused, from: Caller{Channel: m.From}, task: func(ctx context.Context) error {
		var pairs []fields.Pair
		for it := set.Iter(); it.Next(); {
			v := it.Value()
			if f := o.class.Field(it.Number()); f != nil && f.Keywords.Has(fields.Review) {
				var err error
				if v, err = o.acts.Review(ctx, o.inst, it.Number(), v); err != nil {
					a.answerReview(o, in, nil, err)
					return err
				}
			}
			pairs = append(pairs, fields.Pair{Number: it.Number(), Value: v})
		}
		a.answerReview(o, in, fields.MapOf(pairs...), nil)
		return nil
	}})
}

// answerReview sends what a review let pass, of which the On handlers hear as of any client's set, or why it did not.
func (a *AI) answerReview(o *object, in *incoming, set fields.Map, err error) {
	var ops []op
	reply := wire.CallReply{Context: in.context, DO: in.id}
	if err != nil {
		reply = errorReply(in, err)
	} else {
		p := op{kind: opSet, o: o, fields: set}
		a.each(o, set, func(f *do.Field, value []byte) {
			p.old = append(p.old, was{f, bytes.Clone(o.vals[f.Slot])})
			a.put(o, f, value, true)
		})
		ops = append(ops, p)
	}
	switch {
	case in.context != 0:
		a.emitReply(ops, []*object{o}, in, reply, o)
	case err != nil:
		a.send(in.caller, &wire.Failed{Of: wire.TypeSetFields, DO: in.id, Code: reply.Code, Text: reply.Text})
	default:
		a.emit(ops, nil, nil)
	}
}
