package sim

import (
	"errors"
	"slices"

	"github.com/otpd/otpd/do"
	"github.com/otpd/otpd/fields"
	"github.com/otpd/otpd/wire"
)

// view follows the frames of one session, apart from the client's repository: aliases, and what has an answer.
type view struct {
	c       *conn
	rest    []byte // the beginning of a frame that is not whole yet
	aliases map[uint32]*aliased
	waits   map[wait]int // requests without their answer
	order   []wait
	adds    map[uint32]added          // interests that are being opened, by context
	open    map[uint16]uint32         // of each handle that is open, the context of what opened it as it is
	autos   map[uint16]added          // the same of those that the cluster opened
	meant   map[string]map[do.ID]bool // objects that the client meant by each set of fields that it sent
}

// added is an interest as the client asked for it.
type added struct {
	at      int64
	handle  uint16
	removed bool
	parent  do.ID
	zones   []do.Zone
	follow  followed // or what it follows
}

// covers reports whether the interest covers a location; moved is since when that is so at least.
func (a *added) covers(w *world, l do.Location) (ok bool, moved int64) {
	if a.follow.id.IsZero() {
		return a.parent == l.Parent && slices.Contains(a.zones, l.Zone), 0
	}
	s := &steady{c: &w.told}
	ok = sees(s, a.follow.id, a.follow.outer, l)
	return ok, s.moved
}

// wants notes a wish to follow.
func (v *view) wants(f *wire.ClientFollow) {
	alias, _ := f.Ref.Alias()
	if a := v.aliases[alias]; a != nil {
		x := followed{a.id, int(f.Outer)}
		if v.adds == nil {
			v.adds = map[uint32]added{}
		}
		v.adds[f.Context] = added{at: v.c.w.now, handle: f.Handle, follow: x}
	}
}

// aliased is what an alias means to the client.
type aliased struct {
	id                do.ID
	seen, owned, told bool
}

// wait is a request of a client.
type wait struct {
	kind    string
	context uint32
}

// aliasOf is the alias of an object in view; a wrong one if it has none.
func (v *view) aliasOf(id do.ID) uint32 {
	alias := uint32(1 << 30)
	for n, a := range v.aliases {
		if a.id == id && n < alias {
			alias = n
		}
	}
	return alias
}

// asked notes the requests in what the client wrote.
func (v *view) asked(b []byte) {
	w := v.c.w
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		if err != nil {
			return
		}
		b = b[n:]
		w.recordFrame("", v.c.who.name, v.c.agent.name, f)
		switch f := f.(type) {
		case *wire.ClientSet:
			v.book("set", f.Context, 1)
			v.means(f.Ref, f.Fields)
		case *wire.ClientMove:
			v.book("set", f.Context, 1)
		case *wire.ClientCall:
			v.book("call", f.Call, 1)
		case *wire.ClientAddInterest:
			v.book("interest", f.Context, 1)
			if v.adds == nil {
				v.adds = map[uint32]added{}
			}
			v.adds[f.Context] = added{at: w.now, handle: f.Handle, parent: f.Parent, zones: f.Zones}
		case *wire.ClientRemoveInterest:
			v.book("interest", f.Context, 1)
			if v.adds == nil {
				v.adds = map[uint32]added{}
			}
			v.adds[f.Context] = added{at: w.now, handle: f.Handle, removed: true}
		case *wire.ClientFollow:
			v.book("interest", f.Context, 1)
			v.wants(f)
		}
	}
}

// means notes which object the client means: what an alias was last told to it to be.
func (v *view) means(ref wire.Ref, set fields.Map) {
	alias, ok := ref.Alias()
	if !ok || v.aliases[alias] == nil {
		return
	}
	if v.meant == nil {
		v.meant = map[string]map[do.ID]bool{}
	}
	if v.meant[string(set)] == nil {
		v.meant[string(set)] = map[do.ID]bool{}
	}
	v.meant[string(set)][v.aliases[alias].id] = true
}

// forwarded checks that what the agent sends on is for an object that the client meant.
func (v *view) forwarded(b *wire.SetFields) {
	if meant := v.meant[string(b.Fields)]; !b.Latest && !meant[b.DO] {
		v.c.w.problem("%s set %s, which it did not mean", v.c.who.name, v.c.w.nameOf(b.DO))
	}
	secret := v.c.w.game.Schema().Class("Avatar").FieldByName("Secret").Number
	if _, ok := b.Fields.Get(secret); ok && v.c.w.wildClass[b.DO] == "" && !v.c.written.owned[b.DO] && !v.c.rights.grants[b.DO] {
		v.c.w.problem("%s set a field of %s that it neither owns nor was granted", v.c.who.name, v.c.w.nameOf(b.DO))
	}
}

func (v *view) book(kind string, context uint32, n int) {
	if context == 0 {
		return
	}
	if v.waits == nil {
		v.waits = map[wait]int{}
	}
	x := wait{kind, context}
	if _, ok := v.waits[x]; !ok {
		v.order = append(v.order, x)
	}
	if v.waits[x] += n; v.waits[x] < 0 {
		v.c.w.problem("%s got an answer too many to %s %d", v.c.who.name, kind, context)
	}
}

// unanswered reports what has no answer when all is quiet.
func (v *view) unanswered() {
	for _, x := range v.order {
		if v.waits[x] > 0 {
			v.c.w.problem("%s has no answer to %s %d", v.c.w.nameOf(v.c.session), x.kind, x.context)
		}
	}
}

// stream follows what the agent wrote.
func (v *view) stream(b []byte) {
	b = append(v.rest, b...)
	for len(b) > 0 {
		f, n, err := wire.NextFrame(b)
		if errors.Is(err, fields.ErrShort) {
			break
		}
		if err != nil {
			v.c.w.problem("%s wrote a bad frame: %v", v.c.agent.name, err)
			return
		}
		v.c.w.recordFrame("", v.c.agent.name, v.c.w.nameOf(v.c.session), f)
		v.frame(f)
		b = b[n:]
	}
	v.rest = append([]byte(nil), b...)
}

func (v *view) frame(f wire.Frame) {
	switch f := f.(type) {
	case *wire.ClientEnter:
		v.enters(f.Alias, f.DO).seen = true
		if f.Owned {
			v.aliases[f.Alias].owned = true
		}
	case *wire.ClientEnters:
		for e := range f.All() {
			v.frame(e)
		}
	case *wire.ClientEnterOwner:
		v.enters(f.Alias, f.DO).owned = true
	case *wire.ClientDeclare:
		v.enters(f.Alias, f.DO).told = true
	case *wire.ClientUndeclare:
		if a := v.known(f.Alias, "undeclare"); a != nil {
			a.told = false
			v.forget(f.Alias, a)
		}
	case *wire.ClientLeave:
		if a := v.known(f.Alias, "leave"); a != nil {
			if !a.seen {
				v.c.w.problem("%s heard that %s left, which it does not see", v.c.who.name, v.c.w.nameOf(a.id))
			}
			a.seen = false
			v.forget(f.Alias, a)
		}
	case *wire.ClientLeaveOwner:
		if a := v.known(f.Alias, "leave-owner"); a != nil {
			if !a.owned {
				v.c.w.problem("%s heard that it lost %s, which it does not own", v.c.who.name, v.c.w.nameOf(a.id))
			}
			a.owned = false
			v.forget(f.Alias, a)
		}
	case *wire.ClientUpdate:
		v.known(f.Alias, "update")
	case *wire.ClientUpdates:
		v.known(f.Alias, "updates")
	case *wire.ClientLatest:
		v.known(f.Alias, "latest")
	case *wire.ClientLocation:
		v.known(f.Alias, "location")
	case *wire.ClientDone:
		v.book("set", f.Context, -1)
	case *wire.ClientRefused:
		v.book("set", f.Context, -1)
		if f.Code == wire.CodePlace {
			v.c.w.count.WaysRefused++
		}
	case *wire.ClientReply:
		v.book("call", f.Call, -1)
	case *wire.ClientInterestOpened:
		v.mirror(f)
	case *wire.ClientInterestDone:
		v.book("interest", f.Context, -1)
		v.holds(f)
		if f.Code == wire.CodeOK && !v.adds[f.Context].follow.id.IsZero() {
			v.c.w.count.Followed++
		}
	}
}

// holds notes what a handle is now. One that was refused is as it was before.
func (v *view) holds(f *wire.ClientInterestDone) {
	a, ok := v.adds[f.Context]
	if !ok || refused(f.Code) || v.open[f.Handle] > f.Context {
		return
	}
	if v.open == nil {
		v.open = map[uint16]uint32{}
	}
	if v.open[f.Handle] = f.Context; a.removed {
		delete(v.open, f.Handle)
	}
}

// mirror notes what the cluster opened or closed.
func (v *view) mirror(f *wire.ClientInterestOpened) {
	if f.Closed {
		delete(v.open, f.Handle)
		delete(v.autos, f.Handle)
		return
	}
	if v.autos == nil {
		v.autos = map[uint16]added{}
	}
	if _, ok := v.autos[f.Handle]; ok {
		v.c.w.count.AutosAltered++
	} else {
		v.c.w.count.AutosOpened++
	}
	v.autos[f.Handle] = added{at: v.c.w.now, handle: f.Handle, parent: f.Parent, zones: f.Zones}
}

// refused reports whether an operation on an interest had no effect.
func refused(c wire.Code) bool {
	return c == wire.CodeDenied || c == wire.CodeGone || c == wire.CodeOverload
}

// enters notes that an alias means an object from now on; it may not mean another one.
func (v *view) enters(alias uint32, id do.ID) *aliased {
	if v.aliases == nil {
		v.aliases = map[uint32]*aliased{}
	}
	a := v.aliases[alias]
	if a == nil {
		a = &aliased{id: id}
		v.aliases[alias] = a
	}
	if a.id != id {
		v.c.w.problem("%s: alias %d of %s was given to %s", v.c.who.name, alias, v.c.w.nameOf(a.id), v.c.w.nameOf(id))
	}
	return a
}

// known is what an alias means; that it means nothing is the agent's fault.
func (v *view) known(alias uint32, what string) *aliased {
	a := v.aliases[alias]
	if a == nil {
		v.c.w.problem("%s got a %s for alias %d, which means nothing to it", v.c.who.name, what, alias)
	}
	return a
}

func (v *view) forget(alias uint32, a *aliased) {
	if !a.seen && !a.owned && !a.told {
		delete(v.aliases, alias)
	}
}
