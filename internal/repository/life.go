package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Cacheable is what a behaviour implements whose Go objects are kept for a while when they leave the view: one that
// comes back is the same Go object, with what the game knows of it beside its fields (rule 159).
type Cacheable interface{ Cacheable() bool }

// Deferrable is what a behaviour implements whose OnGenerate may wait for its turn (rule 161).
type Deferrable interface{ Deferrable() bool }

// ErrOwnerView is wrapped by errors about what an owner view cannot do: fields are set on the object itself.
var ErrOwnerView = errors.New("an owner view is only read")

// The cache.

// DefaultCache is how many objects that left the view are kept.
const DefaultCache = 10

// kept is a Go object that left the view.
type kept struct {
	id    do.ID
	inc   do.Incarnation
	class *do.Class
	inst  *do.Instance
	acts  *do.Behaviour
}

// keep puts the Go object of o into the cache; the oldest goes.
func (s *State) keep(o *object) {
	if o.inst == nil || s.cfg.Cache <= 0 {
		return
	}
	if c, ok := o.inst.Target().(Cacheable); !ok || !c.Cacheable() {
		return
	}
	s.forgetKept(o.id)
	s.cache = append(s.cache, kept{o.id, o.version.Inc, o.class, o.inst, o.acts})
	if over := len(s.cache) - s.cfg.Cache; over > 0 {
		s.cache = slices.Delete(s.cache, 0, over)
	}
}

func (s *State) forgetKept(id do.ID) {
	s.cache = slices.DeleteFunc(s.cache, func(k kept) bool { return k.id == id })
}

// revived gives o its Go object of before, without values, if it is in the cache and of the same life.
func (s *State) revived(o *object, inc do.Incarnation) bool {
	i := slices.IndexFunc(s.cache, func(k kept) bool { return k.id == o.id })
	if i < 0 {
		return false
	}
	k := s.cache[i]
	s.cache = slices.Delete(s.cache, i, i+1)
	if k.inc != inc || k.class != o.class {
		return false
	}
	s.bind(o, k.inst, k.acts)
	for _, f := range o.class.Stored() {
		k.inst.Forget(f.Number)
	}
	return true
}

// Late objects.

// maxHeld is how many handlers wait for a late object; more make it enter at once.
const maxHeld = 64

// defers reports whether the generate of o has to wait for its turn, and books it then.
func (s *State) defers(o *object) bool {
	if s.cfg.GenerateEvery <= 0 || o.inst == nil {
		return false
	}
	if d, ok := o.inst.Target().(Deferrable); !ok || !d.Deferrable() {
		return false
	}
	if len(s.late) == 0 && s.now >= s.nextLate {
		s.nextLate = s.now + int64(s.cfg.GenerateEvery)
		return false
	}
	o.late = true
	s.late = append(s.late, o)
	if len(s.late) == 1 {
		s.timers.add(s.nextLate, 0, s.generateLate)
	}
	return true
}

// generateLate lets the oldest late object enter. Those that left meanwhile never did.
func (s *State) generateLate() {
	for len(s.late) > 0 {
		o := s.late[0]
		s.late[0] = nil
		s.late = s.late[1:]
		if !o.gone && o.late {
			s.enterLate(o)
			break
		}
	}
	s.nextLate = s.now + int64(s.cfg.GenerateEvery)
	if len(s.late) > 0 {
		s.timers.add(s.nextLate, 0, s.generateLate)
	}
}

// enterLate runs OnGenerate and then the handlers that waited, in their order.
func (s *State) enterLate(o *object) {
	o.late = false
	s.generated(o)
	held := o.deferred
	o.deferred = nil
	for _, a := range held {
		s.spawn(a)
	}
}

// heed runs a handler of o; while o is late it waits with it.
func (s *State) heed(o *object, a *activity) {
	if !o.late {
		s.spawn(a)
		return
	}
	if o.deferred = append(o.deferred, a); len(o.deferred) > maxHeld {
		s.enterLate(o)
	}
}

// Related objects.

// Related waits until all objects of a list are here and have been generated, and gives their Go objects in the order of
// the list; what is zero in it is skipped and nil in the result (rule 170). When ctx ends first, or the time is over, the
// result has those that are here, and nil for the others, beside the error. It is a save point.
func (s *State) Related(ctx context.Context, ids ...do.ID) ([]any, error) {
	if h, err := s.handler(); err != nil {
		return s.found(ids), fmt.Errorf("repository: wait for objects: %w", err)
	} else if err := h.savePoint(); err != nil {
		return s.found(ids), err
	}
	end := s.deadline(ctx)
	for {
		// One that was here may have left while another was waited for.
		i := slices.IndexFunc(ids, func(id do.ID) bool { return !id.IsZero() && s.Find(id) == nil })
		if i < 0 {
			return s.found(ids), nil
		}
		w := &waiter{what: "wait for " + ids[i].String(), ctx: ctx}
		if s.relations == nil {
			s.relations = make(map[do.ID][]*waiter)
		}
		s.relations[ids[i]] = append(s.relations[ids[i]], w)
		_, err := s.await(w, end)
		s.relations[ids[i]] = slices.DeleteFunc(s.relations[ids[i]], func(o *waiter) bool { return o == w })
		if len(s.relations[ids[i]]) == 0 {
			delete(s.relations, ids[i])
		}
		if err != nil {
			return s.found(ids), err
		}
	}
}

func (s *State) found(ids []do.ID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		if !id.IsZero() {
			out[i] = s.Find(id)
		}
	}
	return out
}

// Owner views.

// ownerView is a second Go object of an owned object: it hears what only its owner does (rule 158).
type ownerView struct {
	inst    *do.Instance
	acts    *do.Behaviour
	entered bool
}

// viewEntry takes the entry of an owned object into its owner view, which is made if the game has a type for it: what
// is required, then OnGenerate, then the rest (rule 156).
func (s *State) viewEntry(o *object, e entry) {
	if s.cfg.Registry == nil {
		return
	}
	if o.view == nil {
		b := s.cfg.Registry.Behaviour(o.class.Name(), do.SideOwner)
		if b == nil || b.Side() != do.SideOwner {
			return
		}
		in, err := b.New()
		if err != nil {
			s.report(fmt.Errorf("repository: owner view of %s: %w", o, err))
			return
		}
		o.view = &ownerView{inst: in, acts: b}
		in.Attach(o.id, o.class, viewLink{s, o})
	}
	v := o.view
	o.placeView()
	s.fillView(o, e, true)
	if v.entered {
		s.fillView(o, e, false)
		return
	}
	v.entered = true
	s.viewLife(o, v, Generate)
	s.sched.enqueue(runnable{step: func() {
		if o.view == v {
			s.fillView(o, e, false)
		}
	}})
}

// fillView puts an entry's values, those of required fields or the others, into the owner view.
func (s *State) fillView(o *object, e entry, required bool) {
	for _, f := range o.class.Stored() {
		if f.Keywords.Has(fields.Required) != required {
			continue
		}
		value, ok := e.fields.Get(f.Number)
		if !ok {
			value = nil
		}
		s.putView(o, f, value, false)
	}
}

// putView makes value, nil for unset, that of a field in the owner view, and lets its On handler hear of it.
func (s *State) putView(o *object, f *do.Field, value []byte, live bool) {
	v := o.view
	old, had := v.inst.Saved(f.Number)
	if !had {
		old = f.Initial()
	}
	old = slices.Clone(old)
	if value == nil {
		v.inst.Forget(f.Number)
	} else if _, _, err := v.inst.Apply(f.Number, value); err != nil {
		s.report(fmt.Errorf("repository: apply %s of the owner view of %s: %w", f.Name, o, err))
		return
	}
	if live && v.acts.Handles(f.Number) {
		s.spawn(&activity{o: o, view: v, field: f, arg: old})
	}
}

// endView ends the owner view with the ownership.
func (s *State) endView(o *object, l Life) {
	v := o.view
	if v == nil {
		return
	}
	o.view = nil
	s.viewLife(o, v, l)
	v.inst.Detach()
}

func (s *State) viewLife(o *object, v *ownerView, l Life) {
	run := [...]func(context.Context, *do.Instance) error{Generate: v.acts.Generate, Disable: v.acts.Disable, Delete: v.acts.Delete}[l]
	s.spawn(&activity{what: lifeNames[l], o: o, view: v, task: func(ctx context.Context) error { return run(ctx, v.inst) }})
}

func (o *object) placeView() {
	if o.view != nil {
		o.view.inst.SetLocation(o.at)
		o.view.inst.SetOwner(o.owner)
		o.view.inst.SetVersion(o.version)
	}
}

// FindOwner is the owner view of an object, nil if it is not owned here or has none.
func (s *State) FindOwner(id do.ID) any {
	if o := s.objects[id]; o != nil && o.view != nil {
		return o.view.inst.Target()
	}
	return nil
}

// viewLink is what stands behind an owner view: what it sends leaves as the object's.
type viewLink struct {
	s *State
	o *object
}

func (l viewLink) self() *do.Object { return l.o.inst.Object() }

// Save is for values, which an owner view does not have of its own.
func (l viewLink) Save(*do.Object) error {
	return fmt.Errorf("repository: save the owner view of %s: %w", l.o.id, ErrOwnerView)
}

// Commit is as Save.
func (l viewLink) Commit(_ context.Context, x *do.Object) error { return l.Save(x) }

// Delete deletes the object.
func (l viewLink) Delete(*do.Object) error { return l.s.Delete(l.self()) }

// Move moves the object.
func (l viewLink) Move(_ *do.Object, to do.Location) error { return l.s.Move(l.self(), to) }

// SendEvent sends an event of the object; a molecular is a set of values.
func (l viewLink) SendEvent(_ *do.Object, f *do.Field, arg []byte, to do.Channel) error {
	if f.Kind == do.FieldMolecular {
		return fmt.Errorf("repository: send %s of the owner view of %s: %w", f, l.o.id, ErrOwnerView)
	}
	return l.s.SendEvent(l.self(), f, arg, to)
}

// Call calls through the object.
func (l viewLink) Call(ctx context.Context, _ *do.Object, f *do.Field, req []byte) ([]byte, error) {
	return l.s.Call(ctx, l.self(), f, req)
}
