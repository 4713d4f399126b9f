package repository

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
)

// Life is a turn in an object's life in one view.
type Life uint8

// The turns. An object that entered has exactly one of Disable and Delete at its end.
const (
	Generate Life = iota // it entered the view
	Disable              // it left the view and may come back
	Delete               // it is gone from the world
)

var lifeNames = [...]string{Generate: "OnGenerate", Disable: "OnDisable", Delete: "OnDelete"}

// object is the record of an object that this repository sees, owns or runs.
type object struct {
	id      do.ID
	class   *do.Class     // of the cluster's schema
	inst    *do.Instance  // the Go object; nil: no Go type for the class here
	acts    *do.Behaviour // its handlers, nil where inst is
	view    *ownerView    // of an owned object whose class has one
	at      do.Location
	ai      do.Channel
	owner   do.Channel
	version do.Version
	filled  do.Version // of the entry that told all values, as far as this side hears them

	// vals are the values as this side has saved them, own pending writes included, by slot of the class; nil is unset.
	vals [][]byte
	// pend are the fields with own writes that are not settled: few, so a slice.
	pend   []pending
	moving moving
	// serial is the newest latest serial heard, by field; base that of the entry (rule of latest values).
	base   uint16
	heard  []heard
	latest latestOut
	// streaming counts a client's sets on the stream that are not settled; latest values then go there, too.
	streaming int

	alias    uint32 // client
	counted  uint8  // AI: messages that named it since it was given the object
	grants   []fields.Number
	seen     bool        // in an interest
	owned    bool        // this side owns it
	told     bool        // declared: known without being seen (client, rule 89)
	run      bool        // this side is its AI
	ran      bool        // this side was, when it went
	over     bool        // its last handler is over
	unsure   bool        // its link was lost when it went, and its State had not said what it has
	row      uint32      // of its row, when it was told that it is not alive any more; 0: it was heard to go
	making   bool        // its Create is not answered
	unsent   bool        // nor sent: the handler that makes it goes on
	dog      bool        // an UberDOG: it has no State
	gone     bool        // not in the table any more
	entered  bool        // generated
	late     bool        // its generate waits for its turn
	deferred []*activity // handlers that wait with it
	doubt    *doubt      // nil: its values are what its State has, but for writes in flight
}

// pending is a field with own writes in flight. While there are any, foreign values go into truth only; when the last
// one is settled, truth is what the field must have: the newest of what the State said, in its order.
type pending struct {
	number fields.Number
	count  int
	truth  []byte     // nil: unset
	heard  bool       // somebody else's value came since
	at     do.Version // of truth, as far as this side hears versions
	own    uint64     // number of the last write of this side that was confirmed
}

// after reports whether truth is newer than version v of the same object. Answers that wait for the database come late.
func (p *pending) after(v do.Version) bool { return p.at.Inc == v.Inc && p.at.Compare(v) > 0 }

// moving is the same for the location.
type moving struct {
	count int
	truth do.Location
}

// heard is the serial of the newest value of a latest field.
type heard struct {
	number fields.Number
	serial uint16
}

func newObject(id do.ID, class *do.Class) *object {
	return &object{id: id, class: class, vals: make([][]byte, len(class.Stored()))}
}

func (o *object) String() string { return o.class.Name() + " " + o.id.String() }

// here reports whether anything holds the object in the table.
func (o *object) here() bool { return o.held() || o.told }

// held is here but for what was only declared, of which there are no values.
func (o *object) held() bool { return o.seen || o.owned || o.run || o.making || o.dog }

// outlived reports whether v is of a later life of the same DoID: the one that is here ended unseen (rule 78).
func (o *object) outlived(v do.Version) bool { return o.version.Inc != 0 && v.Inc > o.version.Inc }

func (o *object) pendingOf(n fields.Number) *pending {
	for i := range o.pend {
		if o.pend[i].number == n {
			return &o.pend[i]
		}
	}
	return nil
}

// hold counts an own write of a field; old is the value before the first of them.
func (o *object) hold(n fields.Number, old []byte) {
	if p := o.pendingOf(n); p != nil {
		p.count++
		return
	}
	o.pend = append(o.pend, pending{number: n, count: 1, truth: bytes.Clone(old)})
}

// release takes one own write of a field back and tells what the field must be, when it was the last.
func (o *object) release(n fields.Number) (truth []byte, last bool) {
	i := slices.IndexFunc(o.pend, func(p pending) bool { return p.number == n })
	if i < 0 {
		return nil, false
	}
	p := &o.pend[i]
	if p.count--; p.count > 0 {
		return nil, false
	}
	truth = p.truth
	o.pend = slices.Delete(o.pend, i, i+1)
	return truth, true
}

// newer reports whether a serial of a latest field is newer than what was heard, and remembers it.
func (o *object) newer(n fields.Number, serial uint16) bool {
	for i := range o.heard {
		if h := &o.heard[i]; h.number == n {
			if int16(serial-h.serial) <= 0 {
				return false
			}
			h.serial = serial
			return true
		}
	}
	if int16(serial-o.base) <= 0 {
		return false
	}
	o.heard = append(o.heard, heard{n, serial})
	return true
}

// learn makes value, which an answer told, the truth of a field with writes in flight. A datagram may have overtaken the
// answer: then its value is newer, as the object's counter of latest values (now, 0: not told) shows, and stays.
func (o *object) learn(pd *pending, f *do.Field, value []byte, now uint16) {
	if now != 0 && f.Keywords.Has(fields.Latest) && !o.newer(f.Number, now) {
		return
	}
	pd.truth = append(pd.truth[:0], value...)
}

// place tells the Go object where it is.
func (o *object) place() {
	if o.inst != nil {
		o.inst.SetLocation(o.at)
		o.inst.SetOwner(o.owner)
		o.inst.SetVersion(o.version)
	}
	o.placeView()
}

// set makes value, nil for unset, the saved value of a stored field, in the record and in the Go object.
func (s *State) set(o *object, f *do.Field, value []byte) {
	old := o.vals[f.Slot]
	if value == nil {
		o.vals[f.Slot] = nil
		if o.inst != nil {
			o.inst.Forget(f.Number)
		}
		return
	}
	o.vals[f.Slot] = append(old[:0], value...)
	if o.inst == nil {
		return
	}
	if _, _, err := o.inst.Apply(f.Number, o.vals[f.Slot]); err != nil {
		s.report(fmt.Errorf("repository: apply %s of %s: %w", f.Name, o.id, err))
	}
}

// ObjectView is what a repository holds of one object, for comparing it with the truth.
type ObjectView struct {
	ID       do.ID
	Class    *do.Class
	Location do.Location
	Version  do.Version
	Visible  bool // in an interest
	Owned    bool
	AI       bool          // this side is its AI
	Declared bool          // known without being seen
	Pending  bool          // own writes are not settled
	Fields   []fields.Pair // every value that is set, ascending by number
}

// View is a copy of all objects in the order of their ids.
func (s *State) View() []ObjectView {
	out := make([]ObjectView, 0, len(s.objects))
	for _, o := range s.sorted() {
		v := ObjectView{
			ID: o.id, Class: o.class, Location: o.at, Version: o.version,
			Visible: o.seen, Owned: o.owned, AI: o.run, Declared: o.told, Pending: len(o.pend) > 0 || o.moving.count > 0 || o.making,
		}
		for _, f := range o.class.Stored() {
			if val := o.vals[f.Slot]; val != nil {
				v.Fields = append(v.Fields, fields.Pair{Number: f.Number, Value: bytes.Clone(val)})
			}
		}
		out = append(out, v)
	}
	return out
}

// sorted are all objects by id.
func (s *State) sorted() []*object {
	out := make([]*object, 0, len(s.objects))
	for _, o := range s.objects {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *object) int { return a.id.Compare(b.id) })
	return out
}
