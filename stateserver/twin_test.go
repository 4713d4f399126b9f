package stateserver

import (
	"bytes"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// twin is the dumb version of a cluster of States: one map, full scans, no partitions, no messages. What the States
// hold when all is quiet must be what it holds.
type twin struct {
	schema  *do.Schema
	objects map[do.ID]*twinObject
}

type twinObject struct {
	class    *do.Class
	at       do.Location
	ai       do.Channel
	explicit bool
	owner    do.Channel
	fields   map[fields.Number][]byte
}

// apply does what the body says and returns the code of the refusal, CodeOK if it is done.
func (w *twin) apply(m wire.Message) wire.Code {
	switch b := m.Body.(type) {
	case *wire.Create:
		return w.create(b)
	case *wire.SetFields:
		return w.set(b.DO, b.Fields)
	case *wire.DeleteFields:
		return w.unset(b)
	case *wire.SetLocation:
		return w.relocate(b.DO, b.Location, false)
	case *wire.DeleteRAM:
		if w.objects[b.DO] == nil {
			return wire.CodeNoObject
		}
		w.remove(b.DO)
	case *wire.DeleteChildren:
		if w.objects[b.Parent] == nil {
			return wire.CodeNoObject
		}
		w.removeChildren(b.Parent)
	case *wire.DeleteZones:
		if w.objects[b.Parent] == nil {
			return wire.CodeNoParent
		}
		for id, o := range w.objects {
			if o.at.Parent == b.Parent && slices.Contains(b.Zones, o.at.Zone) {
				w.remove(id)
			}
		}
	case *wire.SetAI:
		return w.setAI(b)
	case *wire.SetOwner:
		if w.objects[b.DO] == nil {
			return wire.CodeNoObject
		}
		w.objects[b.DO].owner = b.Owner
	case *wire.DeleteAIObjects:
		for id, o := range w.objects {
			if o.explicit && o.ai == b.AI {
				defer w.remove(id)
			}
		}
	case *wire.Bundle:
		return w.bundle(b)
	}
	return wire.CodeOK
}

func (w *twin) create(b *wire.Create) wire.Code {
	if w.objects[b.DO] != nil {
		return wire.CodeExists
	}
	c := w.schema.ByNumber(b.Class)
	if c == nil {
		return wire.CodeNoClass
	}
	if w.ancestor(b.DO, b.Location.Parent) {
		return wire.CodeCycle
	}
	o := &twinObject{class: c, at: b.Location, ai: b.AI, explicit: !b.AI.IsZero(), owner: b.Owner, fields: map[fields.Number][]byte{}}
	for it := b.Fields.Iter(); it.Next(); {
		f := c.Field(it.Number())
		if f == nil || f.Slot < 0 && f.Kind != do.FieldMolecular {
			continue
		}
		if err := f.Check(it.Value()); err != nil {
			return valueCode(err)
		}
		o.put(f, it.Value())
	}
	for _, f := range c.Fields() {
		if f.Keywords.Has(fields.Required) && o.fields[f.Number] == nil {
			if f.Default == nil {
				return wire.CodeRequired
			}
			o.fields[f.Number] = f.Default
		}
	}
	w.objects[b.DO] = o
	if p := w.objects[o.at.Parent]; p != nil && !o.explicit {
		o.ai = p.ai
	}
	w.cascade(b.DO)
	return wire.CodeOK
}

func (o *twinObject) put(f *do.Field, v []byte) {
	if f.Kind == do.FieldMolecular {
		_ = f.Split(v, o.put)
		return
	}
	if f.Slot >= 0 {
		o.fields[f.Number] = bytes.Clone(v)
	}
}

// check is the code that refuses a set.
func (o *twinObject) check(m fields.Map) wire.Code {
	for it := m.Iter(); it.Next(); {
		f := o.class.Field(it.Number())
		if f == nil || f.Kind == do.FieldCall {
			return wire.CodeNoField
		}
		if err := f.Check(it.Value()); err != nil {
			return valueCode(err)
		}
	}
	if m.Valid() != nil || m.Len() == 0 {
		return wire.CodeMalformed
	}
	return wire.CodeOK
}

func (w *twin) set(id do.ID, m fields.Map) wire.Code {
	o := w.objects[id]
	if o == nil {
		return wire.CodeNoObject
	}
	if code := o.check(m); code != wire.CodeOK {
		return code
	}
	for it := m.Iter(); it.Next(); {
		o.put(o.class.Field(it.Number()), it.Value())
	}
	return wire.CodeOK
}

func (w *twin) unset(b *wire.DeleteFields) wire.Code {
	o := w.objects[b.DO]
	if o == nil {
		return wire.CodeNoObject
	}
	for _, n := range b.Fields {
		f := o.class.Field(n)
		if f == nil || f.Kind != do.FieldState {
			return wire.CodeNoField
		}
		if f.Keywords.Has(fields.Required) && f.Default == nil {
			return wire.CodeRequired
		}
	}
	for _, n := range b.Fields {
		f := o.class.Field(n)
		delete(o.fields, n)
		if f.Keywords.Has(fields.Required) {
			o.fields[n] = f.Default
		}
	}
	return wire.CodeOK
}

// ancestor reports whether id is parent, or above it.
func (w *twin) ancestor(id, parent do.ID) bool {
	for !parent.IsZero() {
		if parent == id {
			return true
		}
		o := w.objects[parent]
		if o == nil {
			return false
		}
		parent = o.at.Parent
	}
	return false
}

// relocate takes an object to a location. Where it is only passing it inherits no AI.
func (w *twin) relocate(id do.ID, to do.Location, passing bool) wire.Code {
	if w.objects[id] == nil {
		return wire.CodeNoObject
	}
	if w.ancestor(id, to.Parent) {
		return wire.CodeCycle
	}
	w.move(id, to, passing)
	return wire.CodeOK
}

func (w *twin) move(id do.ID, to do.Location, passing bool) {
	o := w.objects[id]
	old := o.at
	o.at = to
	if o.explicit || old == to || passing {
		return
	}
	if to.IsZero() {
		o.ai = do.Channel{}
	} else if p := w.objects[to.Parent]; p != nil {
		o.ai = p.ai
	}
	w.cascade(id)
}

// cascade gives the AI of id to all below it that inherit.
func (w *twin) cascade(id do.ID) {
	for child, o := range w.objects {
		if o.at.Parent == id && !o.explicit {
			o.ai = w.objects[id].ai
			w.cascade(child)
		}
	}
}

func (w *twin) setAI(b *wire.SetAI) wire.Code {
	o := w.objects[b.DO]
	if o == nil {
		return wire.CodeNoObject
	}
	o.explicit = !b.Inherit
	switch p := w.objects[o.at.Parent]; {
	case !b.Inherit:
		o.ai = b.AI
	case o.at.IsZero():
		o.ai = do.Channel{}
	case p != nil:
		o.ai = p.ai
	}
	w.cascade(b.DO)
	return wire.CodeOK
}

func (w *twin) remove(id do.ID) {
	if w.objects[id] == nil {
		return
	}
	delete(w.objects, id)
	w.removeChildren(id)
}

func (w *twin) removeChildren(id do.ID) {
	for child, o := range w.objects {
		if o.at.Parent == id {
			w.remove(child)
		}
	}
}

// bundle tries the steps on a copy. Whether its moves make a cycle is looked at last.
func (w *twin) bundle(b *wire.Bundle) wire.Code {
	trial := &twin{schema: w.schema, objects: make(map[do.ID]*twinObject)}
	for id, o := range w.objects {
		c := *o
		c.fields = make(map[fields.Number][]byte)
		for n, v := range o.fields {
			c.fields[n] = v
		}
		trial.objects[id] = &c
	}
	cycle := false
	for i, op := range b.Ops {
		code := wire.CodeOK
		switch op.Kind {
		case wire.OpSet:
			code = trial.set(op.DO, op.Fields)
		case wire.OpMove:
			code = trial.relocate(op.DO, op.Location, movesOn(b.Ops[i:]))
		}
		if code == wire.CodeCycle {
			cycle = true
		} else if code != wire.CodeOK {
			return code
		}
	}
	if cycle {
		return wire.CodeCycle
	}
	w.objects = trial.objects
	return wire.CodeOK
}

// all is everything stored of an object.
func (o *twinObject) all() fields.Map {
	var pairs []fields.Pair
	for n, v := range o.fields {
		pairs = append(pairs, fields.Pair{Number: n, Value: v})
	}
	return fields.MapOf(pairs...)
}
