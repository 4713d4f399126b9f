package repository

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/wire"
)

// openingTimeout is how long an opening waits for a shard that is dead (rule 114); nanoseconds.
const openingTimeout = int64(3 * time.Second)

// Watch is an interest of an AI. An AI opens zones by itself, as an agent does for its clients: subscribe, ask the
// parent, take in the entries until all that it listed are accounted for.
type Watch struct {
	a      *AI
	parent do.ID
	zones  []do.Zone
	done   bool
	closed bool
	err    error
	waits  []*waiter
}

var _ Interest = (*Watch)(nil)

// watched is a location that this AI is subscribed to.
type watched struct {
	users   int      // watches that cover it
	opening *opening // pending, or nil
}

// opening is one question to a parent for what is in some of its zones.
type opening struct {
	context uint32
	parent  do.ID
	zones   []do.Zone
	refresh bool
	asked   bool // the query was sent
	last    bool // the list is complete
	listed  map[do.ID]bool
	here    map[do.ID]bool // accounted for, whether listed yet or not
	timer   *Timer
}

// AddInterest opens an interest of the AI.
func (a *AI) AddInterest(parent do.ID, zones ...do.Zone) (*Watch, error) {
	if a.failure != nil {
		return nil, a.failure
	}
	w := &Watch{a: a}
	a.watches = append(a.watches, w)
	w.cover(parent, zones)
	return w, nil
}

// cover makes a watch cover zones below parent, opens the new ones and closes what nobody covers any more.
func (w *Watch) cover(parent do.ID, zones []do.Zone) {
	oldParent, old := w.parent, w.zones
	w.parent, w.zones = parent, slices.Compact(slices.Sorted(slices.Values(zones)))
	w.done, w.err = false, nil
	var fresh []do.Zone
	for _, z := range w.zones {
		at := do.Location{Parent: parent, Zone: z}
		if x := w.a.watched[at]; x != nil {
			x.users++
			continue
		}
		w.a.watched[at] = &watched{users: 1}
		w.a.below[parent]++
		fresh = append(fresh, z)
	}
	w.a.uncover(oldParent, old)
	w.a.open(parent, fresh, false)
	w.a.checkWatches()
	w.a.sched.drain()
}

// uncover takes one user off zones and closes those without any: their objects leave the view (rule 117).
func (a *AI) uncover(parent do.ID, zones []do.Zone) {
	var channels []do.Channel
	closed := make(map[do.Location]bool)
	for _, z := range zones {
		at := do.Location{Parent: parent, Zone: z}
		x := a.watched[at]
		if x == nil {
			continue
		}
		if x.users--; x.users > 0 {
			continue
		}
		delete(a.watched, at)
		closed[at] = true
		channels = append(channels, do.At(at))
		if a.below[parent]--; a.below[parent] == 0 {
			delete(a.below, parent)
			channels = append(channels, do.Children(parent))
		}
	}
	if len(channels) == 0 {
		return
	}
	a.control(&wire.RemoveChannels{Channels: channels})
	for _, o := range a.sorted() {
		if o.seen && closed[o.where()] {
			o.seen = false
			a.leaveView(o)
		}
	}
}

// where is the location that the State told last.
func (o *object) where() do.Location {
	if o.moving.count > 0 {
		return o.moving.truth
	}
	return o.at
}

// open asks a parent for zones, after the subscriptions are known everywhere (rule 106).
func (a *AI) open(parent do.ID, zones []do.Zone, refresh bool) {
	if len(zones) == 0 {
		return
	}
	p := &opening{context: a.nextContext(), parent: parent, zones: zones, refresh: refresh, listed: make(map[do.ID]bool), here: make(map[do.ID]bool)}
	a.openings[p.context] = p
	channels := make([]do.Channel, 0, len(zones)+1)
	for _, z := range zones {
		at := do.Location{Parent: parent, Zone: z}
		a.watched[at].opening = p
		channels = append(channels, do.At(at))
	}
	if a.below[parent] == len(zones) {
		channels = append(channels, do.Children(parent)) // the first ones below it
	}
	begun := a.now
	p.timer = a.timers.add(begun+openingTimeout/2, 0, func() {
		a.askMissing(p)
		p.timer = a.timers.add(begun+openingTimeout, 0, func() {
			a.askMissing(p) // what comes late is shown
			a.opened(p, nil)
		})
	})
	if refresh {
		a.hearAdded(p.context)
		return
	}
	a.control(&wire.AddChannels{Context: p.context, Channels: channels})
}

// hearAdded sends the query once the subscriptions of an opening are in place.
func (a *AI) hearAdded(context uint32) {
	p := a.openings[context]
	if p == nil || p.asked {
		return
	}
	p.asked = true
	a.send(do.ObjectChannel(p.parent), &wire.GetZonesObjects{Context: context, Parent: p.parent, Zones: p.zones})
}

// askMissing asks the States of listed objects that are not accounted for. The parent's State asked them, but its links
// are not ours: what was lost there nobody tells us.
func (a *AI) askMissing(p *opening) {
	var ids []do.ID
	for id := range p.listed {
		if !p.here[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(x, y do.ID) int { return cmp.Or(cmp.Compare(x.Partition(), y.Partition()), x.Compare(y)) })
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && n < maxMissing && ids[n].Partition() == ids[0].Partition() {
			n++
		}
		a.send(do.ObjectChannel(ids[0]), &wire.AskEntries{
			Context: p.context, Asker: a.channel, Parent: p.parent, Zones: p.zones, DOs: ids[:n:n],
		})
		ids = ids[n:]
	}
}

// maxMissing is how many objects one message asks for.
const maxMissing = 1024

// hearZones takes a chunk of the parent's answer in.
func (a *AI) hearZones(b *wire.ZonesObjects) {
	p := a.openings[b.Context]
	if p == nil {
		return
	}
	for i := range b.List {
		p.listed[b.List[i].DO] = true
	}
	for i := range b.Entries {
		p.listed[b.Entries[i].DO] = true
		a.see(&b.Entries[i], false)
	}
	p.last = p.last || b.Last
	a.checkOpenings()
}

// hearEntries takes entries in, from the State of their objects: for every opening that lists them (rule 113), and for
// those that were asked for after a gap.
func (a *AI) hearEntries(b *wire.ZoneEntries) {
	for i := range b.Entries {
		a.see(&b.Entries[i], slices.Contains(b.Unseen, b.Entries[i].DO))
	}
	for i := range b.Gone {
		a.notThere(b.Parent, &b.Gone[i])
	}
	a.checkOpenings()
}

// see takes an entry in: into view if its location is watched, else only as news of what is here anyway. One that is
// in no view waits for its parent.
func (a *AI) see(e *wire.Entry, unseen bool) {
	a.account(e.DO)
	a.checkHeld(e)
	if a.watched[e.Location] != nil && !unseen {
		a.take(e, coversSeen, func(o *object) { o.seen = true })
		return
	}
	o := a.objects[e.DO]
	switch {
	case o == nil || e.Version.Compare(o.version) < 0:
	case o.outlived(e.Version):
		a.end(o, Delete)
	default:
		a.take(e, coversSeen, func(o *object) { o.seen = false })
		a.leaveView(o)
	}
}

// checkHeld lets go of an object whose loss to another AI or owner was not heard.
func (a *AI) checkHeld(e *wire.Entry) {
	o := a.objects[e.DO]
	if o == nil || o.making || e.Version.Compare(o.version) < 0 {
		return
	}
	o.run = o.run && e.AI == a.channel
	o.owned = o.owned && e.Owner == a.channel
}

// notThere takes in that an object is not where it was listed.
func (a *AI) notThere(parent do.ID, l *wire.Listed) {
	a.account(l.DO)
	o := a.objects[l.DO]
	if o == nil || o.making || o.dog {
		return
	}
	if l.Version.IsZero() || o.outlived(l.Version) {
		a.end(o, Delete)
		return
	}
	if !o.seen || o.where().Parent != parent && !parent.IsZero() {
		return
	}
	if l.Version.Compare(o.version) >= 0 {
		o.seen = false
		a.leaveView(o)
	}
}

// account ticks an object off in every pending opening.
func (a *AI) account(id do.ID) {
	for _, p := range a.openings {
		p.here[id] = true
	}
}

// checkOpenings completes the openings whose every listed object is accounted for.
func (a *AI) checkOpenings() {
	for _, c := range sortedKeys(a.openings) {
		if p := a.openings[c]; p.complete() {
			a.opened(p, nil)
		}
	}
}

func (p *opening) complete() bool {
	if !p.last {
		return false
	}
	for id := range p.listed {
		if !p.here[id] {
			return false
		}
	}
	return true
}

// opened ends an opening: what is in view there and was not listed leaves it, and the watches are told.
func (a *AI) opened(p *opening, err error) {
	delete(a.openings, p.context)
	a.timers.stop(p.timer)
	covered := make(map[do.Location]bool)
	for _, z := range p.zones {
		at := do.Location{Parent: p.parent, Zone: z}
		if x := a.watched[at]; x != nil && x.opening == p {
			x.opening = nil
			covered[at] = true
		}
	}
	if err == nil && p.last {
		for _, o := range a.sorted() {
			if o.seen && covered[o.where()] && !p.listed[o.id] && !p.here[o.id] {
				o.seen = false
				a.leaveView(o)
			}
		}
	}
	if err != nil {
		a.closeWatches(func(w *Watch) bool { return w.parent == p.parent && overlap(w.zones, p.zones) }, err)
	}
	a.checkWatches()
}

func overlap(x, y []do.Zone) bool {
	return slices.ContainsFunc(x, func(z do.Zone) bool { return slices.Contains(y, z) })
}

// openingFailed ends the opening with the context, if there is one.
func (a *AI) openingFailed(context uint32, err error) bool {
	p := a.openings[context]
	if p == nil {
		return false
	}
	a.opened(p, err)
	return true
}

// checkWatches completes the watches none of whose zones is opening any more (rule 107).
func (a *AI) checkWatches() {
	for _, w := range a.watches {
		if w.done || slices.ContainsFunc(w.zones, func(z do.Zone) bool {
			x := a.watched[do.Location{Parent: w.parent, Zone: z}]
			return x != nil && x.opening != nil
		}) {
			continue
		}
		w.settle(nil)
	}
}

// closeWatches closes watches from our side: their parent is gone.
func (a *AI) closeWatches(which func(*Watch) bool, err error) {
	var left, closing []*Watch
	for _, w := range a.watches {
		if which(w) {
			closing = append(closing, w)
		} else {
			left = append(left, w)
		}
	}
	a.watches = left
	for _, w := range closing {
		w.closed = true
		a.uncover(w.parent, w.zones)
		w.settle(err)
	}
}

// closeBelow closes the watches below an object that was deleted (rule 123).
func (a *AI) closeBelow(parent do.ID) {
	a.closeWatches(func(w *Watch) bool { return w.parent == parent }, fmt.Errorf("repository: interest below %s: %w", parent, &wire.Error{Code: wire.CodeGone}))
}

// reopen asks for everything that is watched again.
func (a *AI) reopen() {
	zones := make(map[do.ID][]do.Zone)
	for at, x := range a.watched {
		if x.opening != nil {
			delete(a.openings, x.opening.context)
			a.timers.stop(x.opening.timer)
		}
		zones[at.Parent] = append(zones[at.Parent], at.Zone)
	}
	parents := make([]do.ID, 0, len(zones))
	for id := range zones {
		parents = append(parents, id)
	}
	slices.SortFunc(parents, do.ID.Compare)
	for _, id := range parents {
		slices.Sort(zones[id])
		a.open(id, zones[id], !a.unsubscribed)
	}
}

// hearEnter shows an object that came to a watched location (rule 32).
func (a *AI) hearEnter(e *wire.Entry) {
	o := a.objects[e.DO]
	if a.watched[e.Location] == nil || o != nil && o.seen && e.Version.Compare(o.version) < 0 {
		return
	}
	a.see(e, false)
	a.checkOpenings()
}

// hearMoving takes a move in: out of view, or to another watched place (rule 120).
func (a *AI) hearMoving(m wire.Message, b *wire.ChangingLocation) {
	o := a.objects[b.DO]
	if o == nil {
		return
	}
	if a.named(o, &m); b.Version.Compare(o.version) <= 0 {
		return
	}
	gap := a.missed(o, b.Version)
	o.version = b.Version
	a.moved(o, b.New)
	o.place()
	if o.seen && a.watched[b.New] == nil {
		o.seen = false
		a.leaveView(o)
		return
	}
	if gap {
		a.askAgain(o)
	}
}

// missed reports whether a message about an object in view skips one that the location heard.
func (a *AI) missed(o *object, v do.Version) bool {
	return o.seen && v.Inc == o.version.Inc && v.N > o.version.N+1
}

// askAgain asks an object's State for its entry.
func (a *AI) askAgain(o *object) {
	a.send(do.ObjectChannel(o.id), &wire.AskEntries{Asker: a.channel, Parent: o.where().Parent, DOs: []do.ID{o.id}})
}

// hearDigest compares what a State says is at a location with what is in view, and asks again where it differs.
func (a *AI) hearDigest(b *wire.Digest) {
	x := a.watched[b.Location]
	if x == nil || x.opening != nil {
		return
	}
	for _, part := range b.Parts {
		var count uint32
		var sum uint64
		for _, o := range a.objects {
			if o.seen && o.id.Partition() == part.Partition && o.where() == b.Location {
				count++
				sum += wire.DigestOf(o.id, o.version)
			}
		}
		if count != part.Count || sum != part.Sum {
			a.open(b.Location.Parent, []do.Zone{b.Location.Zone}, true)
			return
		}
	}
}

// Alter changes parent and zones; what is in both stays in view (rule 118).
func (w *Watch) Alter(parent do.ID, zones ...do.Zone) error {
	if w.closed {
		return fmt.Errorf("repository: alter interest: %w", ErrClosed)
	}
	w.cover(parent, zones)
	return nil
}

// Remove closes the interest at once.
func (w *Watch) Remove() error {
	if w.closed {
		return fmt.Errorf("repository: remove interest: %w", ErrClosed)
	}
	w.a.closeWatches(func(x *Watch) bool { return x == w }, nil)
	w.a.checkOpenings()
	w.a.sched.drain()
	return nil
}

// Done reports whether the newest operation is complete.
func (w *Watch) Done() (bool, error) { return w.done, w.err }

// Closed reports whether the interest is gone.
func (w *Watch) Closed() bool { return w.closed }

// Where is what the interest covers.
func (w *Watch) Where() (parent do.ID, zones []do.Zone) { return w.parent, w.zones }

// Wait waits until the newest operation is complete. It is a save point.
func (w *Watch) Wait(ctx context.Context) error {
	if w.done {
		return w.err
	}
	h, err := w.a.handler()
	if err != nil {
		return fmt.Errorf("repository: wait for interest: %w", err)
	}
	if err := h.savePoint(); err != nil {
		return err
	}
	x := &waiter{what: "interest below " + w.parent.String(), ctx: ctx}
	w.waits = append(w.waits, x)
	_, err = w.a.await(x, w.a.deadline(ctx))
	return err
}

func (w *Watch) settle(err error) {
	w.done, w.err = true, err
	waits := w.waits
	w.waits = nil
	for _, x := range waits {
		w.a.wake(x, nil, err)
	}
}
