package repository

import (
	"maps"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// latestOut are the latest values that a client set and that are not acknowledged, oldest first. The newest of a field
// is what the client waits for. Older ones stay in it as past: when the newest is refused, they are what was set.
type latestOut struct {
	serial uint16 // the newest given: this side's own counter for the object
	out    []sentLatest
}

// sentLatest is one such value.
type sentLatest struct {
	f        *do.Field
	serial   uint16
	value    []byte
	at       int64 // when it was sent
	onStream bool  // sent reliably: never again
	past     bool  // a newer value of the field follows: it is not sent any more, and nobody waits for it
}

const (
	// repeatAfter is after how long an unacknowledged latest value is repeated on the stream, nanoseconds.
	repeatAfter = 200e6
	// maxDatagram is how many bytes of frames go into one datagram: about one MTU with what QUIC adds.
	maxDatagram = 1100
	// maxSent bounds latestOut.out.
	maxSent = 64
)

// onlyLatest reports whether a write may travel as latest values: one set of nothing else.
func onlyLatest(w *write) bool {
	if len(w.ops) != 1 || w.ops[0].kind != opSet || w.commit != nil || w.reply != nil {
		return false
	}
	p := &w.ops[0]
	for it := p.fields.Iter(); it.Next(); {
		f := p.o.class.Field(it.Number())
		if f == nil || f.Kind != do.FieldState || !f.Keywords.Has(fields.Latest) {
			return false
		}
	}
	return true
}

// sendLatest sends a write as latest values. All unacknowledged ones of the object go along in the datagram, so that
// a cumulative acknowledgement never covers a lost value.
func (c *Client) sendLatest(w *write) {
	p := &w.ops[0]
	o := p.o
	delete(c.writes, w.context)
	if len(o.latest.out) == 0 {
		c.unacked = append(c.unacked, o)
	}
	for it := p.fields.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		o.latest.serial++
		o.surpass(f)
		o.latest.out = append(o.latest.out, sentLatest{f: f, serial: o.latest.serial, value: slices.Clone(it.Value()), at: c.now})
	}
	c.flushLatest(o)
	w.finish(nil)
	c.armRepeat()
}

// surpass makes the values of a field that are in flight past ones.
func (o *object) surpass(f *do.Field) {
	for i := range o.latest.out {
		x := &o.latest.out[i]
		if x.f != f || x.past {
			continue
		}
		x.past = true
		if pd := o.pendingOf(f.Number); pd != nil && pd.count > 1 {
			pd.count--
		}
	}
	if len(o.latest.out) < maxSent {
		return
	}
	if i := slices.IndexFunc(o.latest.out, func(x sentLatest) bool { return x.past }); i >= 0 {
		o.latest.out = slices.Delete(o.latest.out, i, i+1)
	}
}

// flushLatest writes what is unacknowledged and not on the stream into a datagram; what does not fit goes on the
// stream.
//
// While one that was not surpassed is on its way on the stream all others go there, too: a datagram would overtake it, and
// its acknowledgement count for both.
func (c *Client) flushLatest(o *object) {
	var b []byte
	streams := o.streaming > 0 || slices.ContainsFunc(o.latest.out, func(x sentLatest) bool { return x.onStream && !x.past })
	for i := range o.latest.out {
		x := &o.latest.out[i]
		if x.onStream || x.past {
			continue
		}
		f := wire.ClientSetLatest{Ref: c.ref(o), Serial: x.serial, Field: x.f.Number, Value: x.value}
		n := len(b)
		if b = wire.AppendFrame(b, &f); len(b) > maxDatagram || !c.cc.Datagrams || streams {
			b = b[:n]
			c.frame(&f)
			x.onStream = true
		}
	}
	if len(b) > 0 {
		c.datagrams = append(c.datagrams, b)
	}
}

// armRepeat starts the timer that repeats lost values.
func (c *Client) armRepeat() {
	if c.repeat != nil {
		return
	}
	c.repeat = c.timers.add(c.now+repeatAfter, 0, func() {
		c.repeat = nil
		c.repeatLatest()
	})
}

// repeatLatest sends every value that is unacknowledged for too long on the stream, once.
func (c *Client) repeatLatest() {
	c.unacked = slices.DeleteFunc(c.unacked, func(o *object) bool { return o.gone || len(o.latest.out) == 0 })
	waiting := false
	for _, o := range c.unacked {
		for i := range o.latest.out {
			x := &o.latest.out[i]
			if x.onStream || x.past {
				continue
			}
			if x.at+repeatAfter > c.now {
				waiting = true
				continue
			}
			x.onStream = true
			c.frame(&wire.ClientSetLatest{Ref: c.ref(o), Serial: x.serial, Field: x.f.Number, Value: x.value})
		}
	}
	if waiting {
		c.repeat = c.timers.add(c.now+repeatAfter/4, 0, func() {
			c.repeat = nil
			c.repeatLatest()
		})
	}
}

// latestDone takes the cumulative acknowledgement of latest values in. Only the one with that serial is known to have
// been stored, as the now-th of the object: those before it were, too, and acknowledged, or were lost or too late.
func (c *Client) latestDone(o *object, serial, now uint16) {
	for len(o.latest.out) > 0 && int16(serial-o.latest.out[0].serial) >= 0 {
		x := o.latest.out[0]
		o.latest.out = slices.Delete(o.latest.out, 0, 1)
		if o.gone {
			continue
		}
		switch pd := o.pendingOf(x.f.Number); {
		case x.serial != serial:
		case pd != nil:
			o.learn(pd, x.f, x.value, now)
		case o.newer(x.f.Number, now):
			// The newest was refused before this one was acknowledged.
			c.put(o, x.f, x.value, true)
		}
		if !x.past {
			c.releaseLatest(o, x.f)
		}
	}
}

// latestRefused takes a refused latest value back.
func (c *Client) latestRefused(o *object, r *wire.ClientRefused) {
	i := slices.IndexFunc(o.latest.out, func(x sentLatest) bool { return x.serial == r.Serial })
	if i < 0 {
		return
	}
	x := o.latest.out[i]
	// It may have been sent twice, and the datagram be accepted where the repetition was refused: then that
	// acknowledgement is still to come.
	o.latest.out[i].past = true
	if o.gone || x.past {
		return
	}
	c.each(o, r.Fields, func(f *do.Field, value []byte) {
		if pd := o.pendingOf(f.Number); pd != nil {
			o.learn(pd, f, value, r.Now)
		}
	})
	c.releaseLatest(o, x.f)
}

func (c *Client) releaseLatest(o *object, f *do.Field) {
	if truth, last := o.release(f.Number); last && !equal(truth, o.vals[f.Slot]) {
		c.put(o, f, truth, true)
	}
}

// maxGhosts bounds the memory of objects that left.
const maxGhosts = 256

// haunt remembers an object that leaves with latest values in flight: their answers may come after it.
func (c *Client) haunt(o *object) {
	if o.latest.serial == 0 {
		return
	}
	if len(c.ghosts) >= maxGhosts {
		// The oldest id by order: any will do, as long as it is the same in each run.
		ids := slices.SortedFunc(maps.Keys(c.ghosts), do.ID.Compare)
		delete(c.ghosts, ids[0])
	}
	c.ghosts[o.id] = o
}

// revive gives an object that came back its counter, and its latest values in flight: own writes as before.
func (c *Client) revive(o *object) {
	g := c.ghosts[o.id]
	if g == nil || g == o {
		return
	}
	delete(c.ghosts, o.id)
	o.latest, g.latest = g.latest, latestOut{}
	if len(o.latest.out) == 0 {
		return
	}
	if g.alias != o.alias {
		c.former[g.alias] = o // what was sent under the old name is answered under it
	}
	for alias, x := range c.former {
		if x == g {
			c.former[alias] = o // and under those before it
		}
	}
	c.unacked = append(c.unacked, o)
	for i := range o.latest.out {
		x := &o.latest.out[i]
		f := o.class.Field(x.f.Number)
		if f == nil || f.Slot < 0 {
			continue
		}
		x.f = f
		if x.past {
			continue
		}
		o.hold(f.Number, o.vals[f.Slot])
		c.set(o, f, x.value)
	}
	c.armRepeat()
}

// known is the object that an acknowledgement is about: in view, maybe under another alias since, or gone with values in
// flight, maybe after it came back under another one.
func (c *Client) known(alias uint32) *object {
	if o := c.byAlias[alias]; o != nil {
		return o
	}
	if o := c.former[alias]; o != nil && (!o.gone || c.ghosts[o.id] == o) {
		return o
	}
	for _, id := range slices.SortedFunc(maps.Keys(c.ghosts), do.ID.Compare) {
		if g := c.ghosts[id]; g.alias == alias {
			return g
		}
	}
	return nil
}
